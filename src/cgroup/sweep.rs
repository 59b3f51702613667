//! Removes what runs that were killed left behind: cgroups with the processes in them, and run
//! folders in a work directory. Never those of a run that lives, nor of another pid namespace.

use std::collections::VecDeque;
use std::path::{Path, PathBuf};

use super::files::{children, subdirectories};
use super::{CgroupError, Hierarchy, leaf, remove};
use crate::rows::CgroupVersion;
use crate::run_id::{Life, RunId};

/// How many cgroups are looked at: a busy node has some thousands, and each costs about
/// 2 us.
const LOOK_MAX: usize = 20_000;

/// What a sweep did.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Swept {
    /// What was removed.
    pub removed: Vec<PathBuf>,
    /// How many processes were killed.
    pub killed: usize,
    /// What should have gone and did not, with the reason.
    pub left: Vec<(PathBuf, String)>,
    /// How many of ours belong to a run that lives.
    pub alive: usize,
    /// How many belong to another pid namespace: only there can it be known whether they live.
    pub foreign: usize,
}

impl Hierarchy {
    /// [`Hierarchy::discover`] after removing what dead runs left behind; the sweep can move this
    /// process back to its original cgroup, so the hierarchy is found again afterwards.
    ///
    /// # Errors
    /// As [`Hierarchy::discover`]. What can't be swept is in [`Swept::left`].
    pub fn discover_swept() -> Result<(Hierarchy, Swept), CgroupError> {
        let swept = sweep(&Hierarchy::discover()?);
        Ok((Hierarchy::discover()?, swept))
    }
}

/// Removes the cgroups of dead runs, anywhere in the hierarchy that can be seen. What can't be
/// removed is reported in [`Swept::left`]; a sweep never fails.
pub fn sweep(hierarchy: &Hierarchy) -> Swept {
    let mut swept = Swept::default();
    let mut queue = VecDeque::from([hierarchy.mount.clone()]);
    let mut looked = 0;
    while let Some(dir) = queue.pop_front() {
        let mut leaves = false;
        for child in children(&dir) {
            looked += 1;
            let name = child.file_name().unwrap_or_default().to_string_lossy();
            match RunId::parse_with_suffix(&name) {
                // Processes of others can be in a leaf: they go back, see below. It can hold pods.
                Some((_, leaf::SUFFIX)) => {
                    leaves = true;
                    queue.push_back(child);
                }
                Some((id, _)) => sweep_one(hierarchy, &child, &id, &mut swept),
                None if looked < LOOK_MAX => queue.push_back(child),
                None => {}
            }
        }
        if leaves && hierarchy.version == CgroupVersion::V2 {
            undo_leaves(&dir, &mut swept);
        }
    }
    swept
}

fn sweep_one(hierarchy: &Hierarchy, dir: &Path, id: &RunId, swept: &mut Swept) {
    match id.is_alive() {
        Life::Alive => swept.alive += 1,
        Life::Foreign => swept.foreign += 1,
        Life::Dead if hierarchy.own.starts_with(dir) => swept.left.push((
            dir.to_path_buf(),
            "this process is in it: start memtide from another shell".into(),
        )),
        Life::Dead => match remove::tree(dir) {
            Ok(killed) => {
                swept.killed += killed;
                swept.removed.push(dir.to_path_buf());
            }
            Err(error) => swept.left.push((dir.to_path_buf(), error.to_string())),
        },
    }
}

fn undo_leaves(parent: &Path, swept: &mut Swept) {
    let undone = leaf::lock(parent).and_then(|_lock| leaf::undo(parent, None));
    match undone {
        Ok(leaves) => swept.removed.extend(leaves),
        Err(error) => swept.left.push((parent.to_path_buf(), error.to_string())),
    }
}

/// Removes the run folders of dead runs directly below a work directory. A directory that isn't
/// there has nothing to sweep.
pub fn sweep_workdir(workdir: &Path) -> Swept {
    let mut swept = Swept::default();
    for dir in subdirectories(workdir) {
        let name = dir.file_name().unwrap_or_default().to_string_lossy();
        let Some((id, _)) = RunId::parse_with_suffix(&name) else {
            continue;
        };
        match id.is_alive() {
            Life::Alive => swept.alive += 1,
            Life::Foreign => swept.foreign += 1,
            Life::Dead => match std::fs::remove_dir_all(&dir) {
                Ok(()) => swept.removed.push(dir),
                // Another run swept at the same time.
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
                Err(error) => swept.left.push((dir, error.to_string())),
            },
        }
    }
    swept
}
