//! The worker side: this binary again, inside the container's cgroup, doing one actor's steps.

pub mod protocol;
