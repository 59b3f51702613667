//! Recordings in other tools' formats. All of them take names and values from [`cadvisor`].

pub mod cadvisor;
pub mod csv;
pub mod dress;
pub mod flat;
pub mod jsonl;
pub mod labels;
pub mod openmetrics;
pub mod orchestrator;
pub mod page;
pub mod promtool;

pub use cadvisor::{Metric, Reading};
pub use dress::Dress;
pub use labels::{Labels, Naming};
pub use page::Pages;
