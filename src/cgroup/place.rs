//! Where a pod's cgroup can be made, or why nowhere.

use std::path::{Path, PathBuf};

use nix::errno::Errno;
use nix::unistd::{AccessFlags, access};

use super::files::pids;
use super::{Attempt, CannotManage, CgroupError, Hierarchy, leaf, v2};
use crate::rows::CgroupVersion;
use crate::run_id::RunId;

/// A directory in which a pod's cgroup can be made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Parent {
    /// The directory.
    pub path: PathBuf,
    /// What has to be done there first.
    pub needs: Needs,
}

/// What a [`Parent`] needs before a pod can be made in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Needs {
    /// No controller is needed.
    Nothing,
    /// v2: the memory controller switched on for its children.
    EnableMemory,
    /// v2: the same, after its processes were moved into a child, because a cgroup other than the
    /// real root can't have both processes and controllers.
    Leaf {
        /// How many processes are there now.
        processes: usize,
    },
}

/// Why one place won't do: the kernel's error number decides the remedy.
#[derive(Debug)]
pub(super) struct Refusal {
    pub(super) text: String,
    pub(super) errno: Option<i32>,
}

impl From<CgroupError> for Refusal {
    fn from(error: CgroupError) -> Self {
        Refusal {
            errno: match &error {
                CgroupError::Io { source, .. } => source.raw_os_error(),
                _ => None,
            },
            text: error.to_string(),
        }
    }
}

impl Hierarchy {
    /// The directory in which [`super::ManagedPod::create`] would make a pod now. Checks with a
    /// probe directory that is removed at once; changes nothing else.
    ///
    /// # Errors
    /// What was tried, why not, and the remedy.
    pub fn managed_parent(&self) -> Result<PathBuf, CannotManage> {
        self.plan_parent().map(|parent| parent.path)
    }

    /// As [`Hierarchy::managed_parent`], with what has to be done there first.
    ///
    /// # Errors
    /// What was tried, why not, and the remedy.
    pub fn plan_parent(&self) -> Result<Parent, CannotManage> {
        self.first_parent(|parent| probe(&parent.path).map(|()| parent))
    }

    /// Gives every candidate that looks right to `act`, until one works.
    pub(super) fn first_parent<T>(
        &self,
        mut act: impl FnMut(Parent) -> Result<T, Refusal>,
    ) -> Result<T, CannotManage> {
        let mut tried = Vec::new();
        let mut errnos = Vec::new();
        for path in self.candidates() {
            let what = format!("below {}", path.display());
            match self.check(&path).and_then(&mut act) {
                Ok(made) => return Ok(made),
                Err(refusal) => {
                    errnos.extend(refusal.errno);
                    tried.push(Attempt {
                        what,
                        result: refusal.text,
                    });
                }
            }
        }
        Err(CannotManage {
            tried,
            remedy: remedy(&errnos),
        })
    }

    /// Directories to try, best first.
    ///
    /// v1 puts the pod below the own cgroup, so that limits set for this process hold for its
    /// workload too. On v2 that needs the leaf trick, so root first tries the top of what is
    /// mounted; others can only hope for their own cgroup, or one above it that was delegated.
    fn candidates(&self) -> Vec<PathBuf> {
        let own_upwards = self.up_from(&self.own).map(Path::to_path_buf);
        let mut list: Vec<PathBuf> = match self.version {
            CgroupVersion::V1 => vec![self.own.clone(), self.mount.clone()],
            CgroupVersion::V2 if nix::unistd::geteuid().is_root() => {
                vec![self.mount.clone(), self.own.clone()]
            }
            CgroupVersion::V2 => own_upwards.collect(),
        };
        // Another run has moved us into its leaf: its pod is beside it, and so can ours be.
        if leaf::is_leaf(&self.own)
            && let Some(parent) = self.own.parent()
        {
            list.insert(0, parent.to_path_buf());
        }
        list.dedup();
        list
    }

    /// Whether a pod could be made in `path`, as far as reading tells.
    fn check(&self, path: &Path) -> Result<Parent, Refusal> {
        writable(path)?;
        let needs = match self.version {
            CgroupVersion::V1 => Needs::Nothing,
            CgroupVersion::V2 => self.check_v2(path)?,
        };
        Ok(Parent {
            path: path.to_path_buf(),
            needs,
        })
    }

    fn check_v2(&self, path: &Path) -> Result<Needs, Refusal> {
        if !v2::lists_memory(path, v2::CONTROLLERS)? {
            return Err(Refusal {
                text: "the memory controller was not handed down to it".into(),
                errno: None,
            });
        }
        if v2::lists_memory(path, v2::SUBTREE_CONTROL)? {
            return Ok(Needs::Nothing);
        }
        writable(&path.join(v2::SUBTREE_CONTROL))?;
        // Only the real root has no `cgroup.type`, and only it may have processes of its own.
        let here = pids(path)?;
        let processes = here.visible.len() + here.invisible;
        if processes == 0 || !path.join("cgroup.type").exists() {
            return Ok(Needs::EnableMemory);
        }
        if path != self.own {
            return Err(Refusal {
                text: format!("{processes} processes are in it that are not ours to move"),
                errno: Some(Errno::EBUSY as i32),
            });
        }
        if here.invisible > 0 {
            return Err(Refusal {
                text: format!(
                    "{} processes of another pid namespace are in it and can't be moved",
                    here.invisible
                ),
                errno: Some(Errno::EBUSY as i32),
            });
        }
        writable(&path.join("cgroup.procs"))?;
        Ok(Needs::Leaf { processes })
    }
}

/// Asks the kernel (with the mount's and the file's permissions) without changing anything.
fn writable(path: &Path) -> Result<(), Refusal> {
    access(path, AccessFlags::W_OK).map_err(|errno| Refusal {
        text: format!("{} is not writable: {}", path.display(), errno.desc()),
        errno: Some(errno as i32),
    })
}

/// Makes a directory and removes it: what no permission bit tells (LSMs, `cgroup.max.descendants`)
/// shows only then.
fn probe(parent: &Path) -> Result<(), Refusal> {
    let id = RunId::new().map_err(|e| Refusal {
        text: format!("could not read /proc/self: {e}"),
        errno: e.raw_os_error(),
    })?;
    let dir = parent.join(format!("{id}-{}", leaf::PROBE));
    std::fs::create_dir(&dir).map_err(CgroupError::io("create", &dir))?;
    std::fs::remove_dir(&dir).map_err(CgroupError::io("remove", &dir))?;
    Ok(())
}

/// What to do, by the errors met.
fn remedy(errnos: &[i32]) -> String {
    let met = |errno: Errno| errnos.contains(&(errno as i32));
    let text = if met(Errno::EROFS) {
        "cgroups are mounted read-only, as in an unprivileged container: start it privileged \
         (`docker run --privileged`, `securityContext: {privileged: true}`), or give the container a \
         memory limit and use `--placement ambient`"
    } else if met(Errno::EACCES) || met(Errno::EPERM) {
        "run as root, or in a cgroup of your own: \
         `systemd-run --user --scope -p Delegate=yes memtide ...`"
    } else if met(Errno::EBUSY) {
        "processes in the way can't be moved: start memtide as the only one in its cgroup \
         (`systemd-run --scope -p Delegate=yes memtide ...`)"
    } else if met(Errno::ENOSPC) || met(Errno::EAGAIN) {
        "no more cgroups may be made: see cgroup.max.descendants and cgroup.max.depth"
    } else {
        "hand the memory controller down to this cgroup (`echo +memory > \
         PARENT/cgroup.subtree_control`, or systemd's `Delegate=yes`)"
    };
    text.to_string()
}
