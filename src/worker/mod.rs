//! The worker side: this binary again, inside the container's cgroup, doing one actor's steps.

mod command;
pub mod cpus;
pub mod protocol;
mod run;

pub use command::{SELF, command};
pub use run::main;

/// The first argument that makes this binary a worker; the second is the number of the descriptor
/// on which it finds its truth page.
pub const ARGUMENT: &str = "__worker";
