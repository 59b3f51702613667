//! What can go wrong with cgroups, said so that a person knows what to do next.

use std::io;
use std::path::{Path, PathBuf};

use crate::units::bytes;

use super::limit::Limit;
use super::refused::CannotManage;

/// Something went wrong with a cgroup.
#[derive(Debug, thiserror::Error)]
pub enum CgroupError {
    /// The kernel has no memory controller, or it is switched off.
    #[error(
        "this kernel has no memory controller switched on ({seen}); start it with \
         `cgroup_enable=memory` (or without `cgroup_disable=memory`), or use a kernel with CONFIG_MEMCG"
    )]
    NoController {
        /// What was found instead.
        seen: String,
    },
    /// The controller exists, but its file system is not mounted here.
    #[error(
        "the cgroup {version} memory controller is not mounted: {looked}; mount it \
         (`{mount}`), or give the container its cgroup file system"
    )]
    NotMounted {
        /// `v1` or `v2`.
        version: crate::rows::CgroupVersion,
        /// What was looked through.
        looked: String,
        /// The command that mounts it.
        mount: &'static str,
    },
    /// None of the mounts shows the cgroup this process is in.
    #[error(
        "this process's cgroup {path:?} can't be seen through any mount of the controller ({mounts}); \
         mount the cgroup file system inside this cgroup namespace, or start memtide outside of it"
    )]
    OwnNotVisible {
        /// As `/proc/self/cgroup` has it.
        path: String,
        /// The mounts that were looked at.
        mounts: String,
    },
    /// A file operation failed.
    #[error("could not {what} {}: {source}{}", path.display(), advice(source))]
    Io {
        /// What was tried, as a verb: `read`, `write 1 to`.
        what: String,
        /// On which file or directory.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// No place where a pod's cgroup could be made.
    #[error(transparent)]
    CannotManage(Box<CannotManage>),
    /// The kernel holds another limit than the one that was written.
    #[error(
        "{}: wrote a limit of {} and the kernel holds {}; another program may manage this cgroup",
        path.display(), bytes(*asked), bytes(*kept)
    )]
    LimitNotTaken {
        /// The limit file.
        path: PathBuf,
        /// Bytes written.
        asked: u64,
        /// Bytes read back.
        kept: u64,
    },
    /// A cgroup above the pod allows less than the container is to have.
    #[error(
        "{} is to have {}, but only {effective}; allow more there, or run with a smaller `--limit`",
        path.display(), bytes(*asked)
    )]
    AncestorLimit {
        /// The container.
        path: PathBuf,
        /// Bytes asked for.
        asked: u64,
        /// What holds instead, and where it is set.
        effective: Limit,
    },
    /// The setting does not exist with this cgroup version or kernel.
    #[error("{what} does not exist here: there is no {}", path.display())]
    NoSuchKnob {
        /// What was asked for.
        what: &'static str,
        /// The file that isn't there.
        path: PathBuf,
    },
    /// A container's name can't be a directory's.
    #[error("{name:?} can't name a cgroup: use 1 to 64 of a-z, A-Z, 0-9, `-`, `_`")]
    BadName {
        /// The name.
        name: String,
    },
    /// Processes or directories are left, and became no fewer in the time allowed.
    #[error("{} could not be removed, nothing of it went in {waited:?}: {left}", path.display())]
    NotRemoved {
        /// The cgroup.
        path: PathBuf,
        /// How long nothing of it went.
        waited: std::time::Duration,
        /// What is still there.
        left: String,
    },
    /// A directory that memtide did not make.
    #[error("{} is not memtide's: it is never changed", path.display())]
    NotOurs {
        /// The directory.
        path: PathBuf,
    },
}

impl CgroupError {
    /// An [`CgroupError::Io`] for `what` on `path`.
    pub(super) fn io<'a>(
        what: impl Into<String> + 'a,
        path: &'a Path,
    ) -> impl FnOnce(io::Error) -> CgroupError + 'a {
        move |source| CgroupError::Io {
            what: what.into(),
            path: path.to_path_buf(),
            source,
        }
    }
}

impl From<CannotManage> for CgroupError {
    fn from(cannot: CannotManage) -> Self {
        CgroupError::CannotManage(Box::new(cannot))
    }
}

/// What to do about the errors people meet with cgroup files; empty for others.
fn advice(error: &io::Error) -> &'static str {
    match error.raw_os_error() {
        Some(nix::libc::EACCES | nix::libc::EPERM) => {
            "; run as root or in a delegated cgroup (`systemd-run --user --scope -p Delegate=yes`)"
        }
        Some(nix::libc::EROFS) => {
            "; cgroups are read-only here: use a privileged container, or `--placement ambient`"
        }
        Some(nix::libc::EBUSY) => "; processes are still in it, or in its parent (cgroup v2)",
        Some(nix::libc::ENOSPC) => "; there are too many cgroups already (see /proc/cgroups)",
        _ => "",
    }
}
