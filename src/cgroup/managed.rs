//! Pods and containers that memtide makes, limits and removes.

use std::fs::{File, OpenOptions};
use std::path::{Path, PathBuf};

use nix::fcntl::Flock;

use super::files::{self, Pids, read};
use super::limit::{Limit, SetBy, SwapRule, parse_limit};
use super::place::{Needs, Parent, Refusal};
use super::{CannotManage, CgroupError, Hierarchy, leaf, remove, v1, v2};
use crate::rows::CgroupVersion;
use crate::run_id::RunId;

/// What a container may use. There is always a limit: nothing that grows runs without one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// The hard limit, bytes.
    pub limit: u64,
    /// `memory.high`, bytes; cgroup v2 only.
    pub high: Option<u64>,
}

/// What the kernel holds after writing [`Limits`]: whole pages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LimitsTaken {
    /// The hard limit, bytes.
    pub limit: u64,
    /// `memory.high`, bytes.
    pub high: Option<u64>,
    /// What happens with swap.
    pub swap: SwapRule,
}

/// The cgroup above a scenario's containers. Removed when dropped.
#[derive(Debug)]
pub struct ManagedPod {
    hierarchy: Hierarchy,
    run: RunId,
    parent: PathBuf,
    path: PathBuf,
    gone: bool,
}

/// One container's cgroup. Removed, with all processes in it, when dropped.
#[derive(Debug)]
pub struct Managed {
    version: CgroupVersion,
    path: PathBuf,
    procs: File,
    taken: LimitsTaken,
    gone: bool,
}

impl ManagedPod {
    /// Makes the pod's cgroup in the first place that allows it.
    ///
    /// # Errors
    /// What was tried, why not, and the remedy.
    pub fn create(hierarchy: &Hierarchy, run: &RunId) -> Result<ManagedPod, CannotManage> {
        hierarchy.first_parent(|parent| ManagedPod::create_in(hierarchy, run, parent))
    }

    fn create_in(
        hierarchy: &Hierarchy,
        run: &RunId,
        parent: Parent,
    ) -> Result<ManagedPod, Refusal> {
        let _lock: Flock<File> = leaf::lock(&parent.path)?;
        match parent.needs {
            Needs::Nothing => {}
            Needs::EnableMemory => v2::enable_memory(&parent.path)?,
            Needs::Leaf { .. } => {
                leaf::make(&parent.path, run)?;
            }
        }
        let path = parent.path.join(run.to_string());
        let made = std::fs::create_dir(&path).map_err(CgroupError::io("create", &path));
        if let Err(error) = made {
            let _ = leaf::undo(&parent.path, Some(run));
            return Err(error.into());
        }
        drop(_lock);
        // From here on dropping the pod takes everything back.
        let pod = ManagedPod {
            hierarchy: hierarchy.clone(),
            run: *run,
            parent: parent.path,
            path,
            gone: false,
        };
        pod.prepare()?;
        Ok(pod)
    }

    /// Lets containers be made and counted in the pod.
    fn prepare(&self) -> Result<(), CgroupError> {
        let limit = self.path.join(self.hierarchy.limit_file());
        if !limit.exists() {
            return Err(CgroupError::NoSuchKnob {
                what: "the memory controller",
                path: limit,
            });
        }
        match self.hierarchy.version {
            CgroupVersion::V1 => v1::enable_hierarchy(&self.path),
            CgroupVersion::V2 => v2::enable_memory(&self.path),
        }
    }

    /// The pod's directory.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The run it belongs to.
    pub fn run(&self) -> &RunId {
        &self.run
    }

    /// Limits the pod as a whole.
    ///
    /// # Errors
    /// The kernel did not take the limits.
    pub fn set_limits(&self, limits: &Limits) -> Result<LimitsTaken, CgroupError> {
        set_limits(&self.hierarchy, &self.path, limits)
    }

    /// Makes a container's cgroup with its limits. A container that was removed can be made again
    /// under the same name.
    ///
    /// # Errors
    /// A name that can't be a directory's, or the kernel did not take the limits.
    pub fn container(&self, name: &str, limits: &Limits) -> Result<Managed, CgroupError> {
        if !is_name(name) {
            return Err(CgroupError::BadName { name: name.into() });
        }
        let path = self.path.join(name);
        std::fs::create_dir(&path).map_err(CgroupError::io("create", &path))?;
        let made = || {
            if self.hierarchy.version == CgroupVersion::V1 {
                v1::enable_hierarchy(&path)?;
            }
            let taken = set_limits(&self.hierarchy, &path, limits)?;
            self.check_ancestors(&path, taken.limit)?;
            let procs = path.join("cgroup.procs");
            let procs = OpenOptions::new()
                .write(true)
                .open(&procs)
                .map_err(CgroupError::io("open for writing", &procs))?;
            Ok((taken, procs))
        };
        match made() {
            Ok((taken, procs)) => Ok(Managed {
                version: self.hierarchy.version,
                path,
                procs,
                taken,
                gone: false,
            }),
            Err(error) => {
                // Empty and ours: what stays after a failure here goes with the pod.
                let _ = std::fs::remove_dir(&path);
                Err(error)
            }
        }
    }

    /// A smaller limit above the pod would stop the container where nobody expects it. The pod's
    /// own may be smaller: the scenario asks for that.
    fn check_ancestors(&self, path: &Path, asked: u64) -> Result<(), CgroupError> {
        match self.hierarchy.effective_limit(path) {
            Limit::Finite {
                bytes,
                set_by: SetBy::Cgroup(dir),
            } if bytes < asked && dir.starts_with(&self.path) => Ok(()),
            effective if effective.bytes().is_some_and(|bytes| bytes < asked) => {
                Err(CgroupError::AncestorLimit {
                    path: path.to_path_buf(),
                    asked,
                    effective,
                })
            }
            _ => Ok(()),
        }
    }

    /// Kills what is in the pod, removes it and its containers, and undoes what was done to its
    /// parent. Dropping does the same, but can't tell of errors.
    ///
    /// # Errors
    /// What is still there.
    pub fn remove(mut self) -> Result<(), CgroupError> {
        self.clean()
    }

    fn clean(&mut self) -> Result<(), CgroupError> {
        if std::mem::replace(&mut self.gone, true) {
            return Ok(());
        }
        remove::tree(&self.path)?;
        if self.hierarchy.version == CgroupVersion::V2 {
            let _lock = leaf::lock(&self.parent)?;
            leaf::undo(&self.parent, Some(&self.run))?;
        }
        Ok(())
    }
}

impl Drop for ManagedPod {
    fn drop(&mut self) {
        if let Err(error) = self.clean() {
            log::warn!("{error}");
        }
    }
}

impl Managed {
    /// The container's directory.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// `cgroup.procs`, open for writing: a child that writes `0` to it is in the container, see
    /// [`crate::sys::process::Child`].
    pub fn procs(&self) -> &File {
        &self.procs
    }

    /// The limits as the kernel holds them.
    pub fn limits(&self) -> LimitsTaken {
        self.taken
    }

    /// Which version's files are in it.
    pub fn version(&self) -> CgroupVersion {
        self.version
    }

    /// Who is in it now.
    ///
    /// # Errors
    /// The cgroup is gone.
    pub fn pids(&self) -> Result<Pids, CgroupError> {
        files::pids(&self.path)
    }

    /// Kills every process in it and waits until none is left.
    ///
    /// # Errors
    /// Some process would not go in time.
    pub fn kill(&self) -> Result<usize, CgroupError> {
        remove::kill(&self.path)
    }

    /// Kills what is in it and removes it. Dropping does the same, but can't tell of errors.
    ///
    /// # Errors
    /// What is still there.
    pub fn remove(mut self) -> Result<(), CgroupError> {
        self.clean()
    }

    fn clean(&mut self) -> Result<(), CgroupError> {
        if std::mem::replace(&mut self.gone, true) {
            return Ok(());
        }
        remove::tree(&self.path).map(|_| ())
    }
}

impl Drop for Managed {
    fn drop(&mut self) {
        if let Err(error) = self.clean() {
            log::warn!("{error}");
        }
    }
}

/// Whether `name` can name a container's directory: nothing that leaves the pod, nor the name of a
/// file the kernel puts there (those have a dot).
fn is_name(name: &str) -> bool {
    (1..=64).contains(&name.len())
        && name
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
}

/// Writes the limits and reads them back.
fn set_limits(
    hierarchy: &Hierarchy,
    dir: &Path,
    limits: &Limits,
) -> Result<LimitsTaken, CgroupError> {
    let swap = match hierarchy.version {
        CgroupVersion::V1 => v1::set_limit(dir, limits.limit, hierarchy.swap_on)?,
        CgroupVersion::V2 => v2::set_limit(dir, limits.limit, hierarchy.swap_on)?,
    };
    let limit = read_back(hierarchy, &dir.join(hierarchy.limit_file()), limits.limit)?;
    let high = match limits.high {
        None => None,
        Some(bytes) => {
            let path = dir.join(v2::HIGH);
            if !path.exists() {
                return Err(CgroupError::NoSuchKnob {
                    what: "memory.high (cgroup v2 only)",
                    path,
                });
            }
            files::write(&path, &bytes.to_string())?;
            Some(read_back(hierarchy, &path, bytes)?)
        }
    };
    Ok(LimitsTaken { limit, high, swap })
}

/// The limit that the kernel holds. It counts pages, so it may differ by less than one, up or down
/// (3.10 rounds up, later ones down).
fn read_back(hierarchy: &Hierarchy, path: &Path, asked: u64) -> Result<u64, CgroupError> {
    let text = read(path)?;
    let kept = parse_limit(&text, u64::MAX).unwrap_or(u64::MAX);
    if kept.abs_diff(asked) >= crate::sys::process::page_size()
        || kept >= hierarchy.ram.max(asked + 1)
    {
        return Err(CgroupError::LimitNotTaken {
            path: path.to_path_buf(),
            asked,
            kept,
        });
    }
    Ok(kept)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_limit_that_the_kernel_holds_otherwise_is_told() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("memory.max");
        let page = crate::sys::process::page_size();
        let asked = 16 * page + 1;
        let held = |text: String, ram: u64| {
            std::fs::write(&path, text).unwrap();
            let hierarchy = Hierarchy {
                version: CgroupVersion::V2,
                mount: PathBuf::new(),
                root: PathBuf::new(),
                own: PathBuf::new(),
                listed: String::new(),
                read_only: false,
                hybrid: false,
                ram,
                swap_on: false,
            };
            read_back(&hierarchy, &path, asked)
        };
        let ram = 1 << 40;
        // Whole pages, rounded down or up.
        for kept in [16 * page, 17 * page, asked] {
            assert_eq!(held(format!("{kept}\n"), ram).unwrap(), kept);
        }
        // More than there is of RAM is a limit too, for it was asked for.
        assert_eq!(held(format!("{asked}\n"), page).unwrap(), asked);
        for (text, kept) in [
            ("max\n".to_string(), u64::MAX),
            (format!("{}\n", asked + page), asked + page),
            (format!("{}\n", asked - page), asked - page),
            ("0\n".to_string(), 0),
        ] {
            let error = held(text.clone(), ram).unwrap_err();
            let told = matches!(error, CgroupError::LimitNotTaken { kept: k, asked: a, .. } if (k, a) == (kept, asked));
            assert!(told, "{text:?}: {error}");
        }
    }
}
