//! What can stop a run before or while it goes, with what to do about it.

use std::io;
use std::path::PathBuf;

/// Why a run could not be made. The scenario's own outcome (an OOM kill, a failed step) is never
/// one of these: it is in the recording.
#[derive(Debug, thiserror::Error)]
pub enum HarnessError {
    /// No placement is possible.
    #[error(transparent)]
    NoPlacement(#[from] crate::cgroup::NoPlacement),
    /// A cgroup operation failed.
    #[error(transparent)]
    Cgroup(#[from] crate::cgroup::CgroupError),
    /// The work directory is in memory.
    #[error(
        "{path} is a {kind}: a log written there is shmem, not page cache. Give a directory on a \
         disk with --workdir DIR (or MEMTIDE_WORKDIR)"
    )]
    MemoryWorkDir {
        /// The directory.
        path: PathBuf,
        /// Its file system.
        kind: String,
    },
    /// The disk is too full.
    #[error(
        "{path} has {free} free and this scenario may write {needed} (64 MiB must stay free): \
         give a roomier directory with --workdir DIR"
    )]
    NoRoom {
        /// The directory.
        path: PathBuf,
        /// For people.
        free: String,
        /// For people.
        needed: String,
    },
    /// The work directory can't be made.
    #[error("can't make the work directory {path}: {source} (choose another with --workdir DIR)")]
    WorkDir {
        /// The directory.
        path: PathBuf,
        /// What caused it.
        source: io::Error,
    },
    /// The limit is more than the machine has.
    #[error(
        "container {container}: a limit of {limit} is no limit on a machine with {ram} of memory; \
         memtide never runs a growing workload without one"
    )]
    LimitAboveRam {
        /// The container, by name.
        container: String,
        /// For people.
        limit: String,
        /// For people.
        ram: String,
    },
    /// The recording can't be written.
    #[error(transparent)]
    Recording(#[from] crate::recording::WriteError),
    /// A cgroup can't be sampled.
    #[error(transparent)]
    Sampler(#[from] crate::sampler::SamplerError),
    /// A worker did not start.
    #[error("can't start the worker for {actor}: {source}")]
    Spawn {
        /// Which actor.
        actor: String,
        /// What caused it.
        source: io::Error,
    },
    /// Something of the operating system failed.
    #[error("{what}: {source}")]
    System {
        /// What was being done.
        what: &'static str,
        /// Why it failed.
        source: io::Error,
    },
}

impl HarnessError {
    /// Whether the environment is to blame (exit code 3) and not the command (2).
    pub fn is_environment(&self) -> bool {
        !matches!(
            self,
            HarnessError::LimitAboveRam { .. } | HarnessError::Recording(_)
        )
    }
}

/// Names what was being done when the operating system said no.
pub fn doing(what: &'static str) -> impl Fn(io::Error) -> HarnessError {
    move |source| HarnessError::System { what, source }
}
