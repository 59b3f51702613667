//! The worker side: this binary again, inside the container's cgroup, doing one actor's steps.

mod command;
pub mod protocol;
mod run;

pub use command::{SELF, command};
pub use run::main;

/// The first argument that makes this binary a worker.
pub const ARGUMENT: &str = "__worker";

/// The descriptor on which a worker finds its truth page.
pub const TRUTH_FD: std::os::fd::RawFd = 3;
