//! cgroup v2's "no internal processes" rule, and the way around it.
//!
//! A cgroup other than the real root can't both hold processes and hand the memory controller down.
//! So the processes of the own cgroup move into a child (`memtide-...-harness`), the controller is
//! switched on, and at the end both are undone. The directory's flock(2) keeps two runs that do and
//! undo this in one parent apart.

use std::fs::File;
use std::path::{Path, PathBuf};

use nix::fcntl::{Flock, FlockArg};

use super::files::{children, pids, write};
use super::{CgroupError, v2};
use crate::run_id::{Life, RunId};

/// The word behind the run's name that marks such a child.
pub const SUFFIX: &str = "harness";

/// The word behind the run's name that marks a directory made only to see whether it can be.
pub(super) const PROBE: &str = "probe";

/// How often processes are looked for that were born while the others moved.
const ROUNDS_MAX: usize = 100;

/// Whether a directory is such a child, by its name.
pub(super) fn is_leaf(dir: &Path) -> bool {
    let name = dir.file_name().unwrap_or_default().to_string_lossy();
    matches!(RunId::parse_with_suffix(&name), Some((_, SUFFIX)))
}

/// Holds a parent directory against other runs until dropped.
pub(super) fn lock(parent: &Path) -> Result<Flock<File>, CgroupError> {
    let dir = File::open(parent).map_err(CgroupError::io("open", parent))?;
    Flock::lock(dir, FlockArg::LockExclusive)
        .map_err(|(_, errno)| errno.into())
        .map_err(CgroupError::io("lock", parent))
}

/// Moves all processes of `parent` into a child of it and switches the memory controller on.
/// On an error everything is as it was. The caller holds the [`lock`].
pub(super) fn make(parent: &Path, run: &RunId) -> Result<PathBuf, CgroupError> {
    let leaf = parent.join(format!("{run}-{SUFFIX}"));
    std::fs::create_dir(&leaf).map_err(CgroupError::io("create", &leaf))?;
    let done = move_all(parent, &leaf).and_then(|()| v2::enable_memory(parent));
    match done {
        Ok(()) => Ok(leaf),
        Err(error) => {
            // The first error is the one to tell; what can't be undone is swept by the next run.
            let _ = dissolve(parent, &leaf);
            Err(error)
        }
    }
}

/// Undoes what [`make`] did in `parent`, if no pod there needs it any more: for the run `own`, and
/// for runs that are dead. The caller holds the [`lock`].
///
/// # Errors
/// The first thing that could not be undone.
pub(super) fn undo(parent: &Path, own: Option<&RunId>) -> Result<Vec<PathBuf>, CgroupError> {
    let mut leaves = Vec::new();
    for dir in children(parent) {
        let name = dir.file_name().unwrap_or_default().to_string_lossy();
        match RunId::parse_with_suffix(&name) {
            // Somebody's cgroups need the controller; a later sweep finds this leaf again.
            Some((_, SUFFIX)) if !children(&dir).is_empty() => return Ok(Vec::new()),
            Some((id, SUFFIX)) if Some(&id) == own || id.is_alive() == Life::Dead => {
                leaves.push(dir.clone());
            }
            // Gone in a moment, and needs nothing.
            Some((_, PROBE)) => {}
            // A live run's leaf needs the controller to stay away as little as a pod does: its own
            // end comes here again.
            Some(_) => return Ok(Vec::new()),
            None => {}
        }
    }
    for leaf in &leaves {
        dissolve(parent, leaf)?;
    }
    Ok(leaves)
}

/// Moves the processes of `leaf` back and removes it.
fn dissolve(parent: &Path, leaf: &Path) -> Result<(), CgroupError> {
    if v2::lists_memory(parent, v2::SUBTREE_CONTROL)? {
        v2::disable_memory(parent)?;
    }
    move_all(leaf, parent)?;
    std::fs::remove_dir(leaf).map_err(CgroupError::io("remove", leaf))
}

/// Moves every process, also those that fork meanwhile.
fn move_all(from: &Path, to: &Path) -> Result<(), CgroupError> {
    let procs = to.join("cgroup.procs");
    for _ in 0..ROUNDS_MAX {
        let here = pids(from)?;
        if here.visible.is_empty() && here.invisible == 0 {
            return Ok(());
        }
        if here.visible.is_empty() {
            break;
        }
        for pid in here.visible {
            match write(&procs, &pid.to_string()) {
                Err(CgroupError::Io { source, .. })
                    if source.raw_os_error() == Some(nix::libc::ESRCH) => {}
                other => other?,
            }
        }
    }
    Err(CgroupError::io("empty", from)(std::io::Error::other(
        "processes of another pid namespace stay, or new ones come faster than they can be moved",
    )))
}
