//! The worker side: this binary again, inside the container's cgroup, doing one actor's steps.

pub mod protocol;

/// The first argument that makes this binary a worker.
pub const ARGUMENT: &str = "__worker";

/// Runs one actor's steps as the harness orders them.
pub fn main() -> std::process::ExitCode {
    std::process::ExitCode::FAILURE
}
