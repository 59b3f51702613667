//! Kubernetes: which scenarios go into which Job, and what became of their pods.
//!
//! Nothing here schedules or talks to a cluster: Kubernetes spreads the work, and `kubectl` (started
//! by the command line) speaks to it. This module writes the Jobs and reads what `kubectl` printed.

pub mod jobs;
