//! What can be wrong with something that was to be explained.

use std::path::PathBuf;

use super::hint::Hint;

/// Why nothing could be explained. All of them are the input's fault.
#[derive(Debug, thiserror::Error)]
pub enum ExplainError {
    /// The path could not be read.
    #[error("cannot read {}: {source}", path.display())]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// What caused it.
        source: std::io::Error,
    },
    /// No number in it is one memtide knows.
    #[error(
        "no memory numbers found in {what}; explain reads memory.stat and the files beside it (cgroup \
         v1 or v2), /proc/meminfo, the kernel's OOM report, a cAdvisor or kubelet metrics page, a \
         kubelet summary or docker API JSON, the tables of docker stats, podman stats, kubectl top, free and \
         systemctl status, and recordings; or give them: memtide explain --usage \
         2535804928 --row inactive_file=334565376"
    )]
    Nothing {
        /// The input.
        what: String,
    },
    /// No number either, but it is clear what was pasted.
    #[error(
        "no memory numbers that could be explained in {what}: it looks like {}: {}; paste {} instead",
        hint.looks, hint.why, hint.instead
    )]
    LooksLike {
        /// The input.
        what: String,
        /// What it seems to be, and what to paste in its place.
        hint: Hint,
    },
    /// Too large to be one of these.
    #[error(
        "{what} is larger than {limit_mib} MiB, which no memory file or OOM report is; cut out the part that matters"
    )]
    TooLarge {
        /// The input.
        what: String,
        /// The most that is read, MiB.
        limit_mib: u64,
    },
    /// The wanted container, pod or time is not there.
    #[error("no {wanted} in {what}; it has: {have}")]
    NoMatch {
        /// What was asked for.
        wanted: String,
        /// The input.
        what: String,
        /// What there is to choose from.
        have: String,
    },
    /// `--row` or `--usage` that cannot be read.
    #[error("{0}")]
    Given(String),
    /// A recording that cannot be read.
    #[error(transparent)]
    Recording(#[from] crate::recording::ReadError),
}
