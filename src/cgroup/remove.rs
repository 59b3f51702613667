//! Emptying and removing cgroups that memtide made.

use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use nix::libc;
use nix::sys::signal::{Signal, kill as send};
use nix::unistd::Pid;

use super::files::{children, pids};
use super::{CgroupError, leaf};
use crate::descendants::{PATIENCE, Patience};
use crate::run_id::RunId;

/// Kills every process in `dir` and below, waits until all are gone, and says how many there were.
pub(super) fn kill(dir: &Path) -> Result<usize, CgroupError> {
    ensure_ours(dir)?;
    let mut killed = std::collections::BTreeSet::new();
    let mut pause = Pause::new();
    loop {
        let groups = with_descendants(dir);
        let mut left = Vec::new();
        let mut invisible = 0;
        for group in &groups {
            match pids(group) {
                Ok(p) => {
                    left.extend(p.visible);
                    invisible += p.invisible;
                }
                Err(error) if is_gone(&error) => {}
                Err(error) => return Err(error),
            }
        }
        if left.is_empty() && invisible == 0 {
            return Ok(killed.len());
        }
        killed.extend(left.iter().copied());
        if !kill_at_once(dir) {
            for pid in &left {
                // Never ourselves: the error below names a process that stays in the cgroup.
                if *pid != std::process::id() as i32 {
                    // ESRCH is what we want; EPERM shows as a process that stays.
                    let _ = send(Pid::from_raw(*pid), Signal::SIGKILL);
                }
            }
        }
        if !pause.wait(left.len() + invisible) {
            return Err(CgroupError::NotRemoved {
                path: dir.to_path_buf(),
                waited: PATIENCE,
                left: format!("processes {left:?} and {invisible} of other pid namespaces"),
            });
        }
    }
}

/// Kernels from 5.14 kill a whole v2 subtree by themselves, new children included. Not used if we
/// are inside.
fn kill_at_once(dir: &Path) -> bool {
    let me = std::process::id() as i32;
    let inside = with_descendants(dir)
        .iter()
        .any(|g| pids(g).is_ok_and(|p| p.visible.contains(&me)));
    !inside
        && std::fs::OpenOptions::new()
            .write(true)
            .open(dir.join("cgroup.kill"))
            .and_then(|mut file| io::Write::write_all(&mut file, b"1"))
            .is_ok()
}

/// Kills what is in `dir` and removes it with all below it; says how many processes there were.
/// A directory that is not there any more is fine.
pub(super) fn tree(dir: &Path) -> Result<usize, CgroupError> {
    ensure_ours(dir)?;
    if !dir.exists() {
        return Ok(0);
    }
    let killed = kill(dir)?;
    let mut pause = Pause::new();
    loop {
        match remove_children_first(dir) {
            Ok(()) => return Ok(killed),
            // Dead processes leave their cgroup a little after they left the list.
            Err(error) if is_busy(&error) => {
                if !pause.wait(with_descendants(dir).len()) {
                    return Err(CgroupError::NotRemoved {
                        path: dir.to_path_buf(),
                        waited: PATIENCE,
                        left: error.to_string(),
                    });
                }
                kill(dir)?;
            }
            Err(error) => return Err(error),
        }
    }
}

fn remove_children_first(dir: &Path) -> Result<(), CgroupError> {
    for child in children(dir) {
        remove_children_first(&child)?;
    }
    match std::fs::remove_dir(dir) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        other => other.map_err(CgroupError::io("remove", dir)),
    }
}

/// `dir` and all cgroups below it.
fn with_descendants(dir: &Path) -> Vec<PathBuf> {
    let mut all = vec![dir.to_path_buf()];
    let mut next = 0;
    while next < all.len() {
        let below = children(&all[next]);
        all.extend(below);
        next += 1;
    }
    all
}

/// A pod, or a container directly below one: by the name that only memtide gives. A harness's leaf
/// is not: others' processes can be in it.
fn ensure_ours(dir: &Path) -> Result<(), CgroupError> {
    let is_run = |p: &Path| {
        p.file_name()
            .and_then(|name| name.to_str())
            .and_then(RunId::parse_with_suffix)
            .is_some_and(|(_, suffix)| suffix != leaf::SUFFIX)
    };
    match is_run(dir) || dir.parent().is_some_and(is_run) {
        true => Ok(()),
        false => Err(CgroupError::NotOurs {
            path: dir.to_path_buf(),
        }),
    }
}

fn os_error(error: &CgroupError) -> Option<i32> {
    match error {
        CgroupError::Io { source, .. } => source.raw_os_error(),
        _ => None,
    }
}

fn is_busy(error: &CgroupError) -> bool {
    os_error(error) == Some(libc::EBUSY)
}

/// ENODEV is what an open file of a removed cgroup answers.
fn is_gone(error: &CgroupError) -> bool {
    matches!(os_error(error), Some(libc::ENOENT | libc::ENODEV))
}

/// Waits a little longer each time, as long as there is patience. v1 has no event to wait for.
struct Pause {
    next: Duration,
    patience: Patience,
}

impl Pause {
    fn new() -> Pause {
        Pause {
            next: Duration::from_micros(200),
            patience: Patience::default(),
        }
    }

    /// Sleeps; false once so many have been `left` for too long.
    fn wait(&mut self, left: usize) -> bool {
        if self.patience.is_over(left, Instant::now()) {
            return false;
        }
        std::thread::sleep(self.next);
        self.next = (self.next * 2).min(Duration::from_millis(20));
        true
    }
}
