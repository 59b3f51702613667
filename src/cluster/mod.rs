//! Kubernetes: which scenarios go into which Job, and what became of their pods.
//!
//! Nothing here schedules or talks to a cluster: Kubernetes spreads the work, and `kubectl` (started
//! by the command line) speaks to it. This module writes the Jobs and reads what `kubectl` printed.

mod evaluate;
mod fate;
pub mod jobs;
mod log;
mod pods;
mod status;

pub use evaluate::{Collected, evaluate};
pub use fate::Fate;
pub use log::{Extract, extract};
pub use pods::{Pod, PodsError, parse_pods};
pub use status::{JobStatus, parse_job, parse_refusal};
