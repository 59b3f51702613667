//! What a run came to: one result per recording, as a value, as text, as JSON and as JUnit.
//!
//! Everything here works on recordings; nothing knows how they were made.

#[cfg(feature = "report")]
pub mod html;
pub mod human;
pub mod junit;
pub mod junit_xml;
mod result;
mod table;

pub use result::{
    Document, Expected, OrderedMap, RunResult, StepRow, Verdict, analyze, skipped, unseen,
};
pub use table::{Align, Style, Table};
