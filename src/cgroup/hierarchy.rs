//! The memory controller's hierarchy as this process sees it.

use std::path::{Path, PathBuf};

use super::discover::{Located, Own, discover_in};
use super::error::CgroupError;
use super::files::{children, pids, read};
use super::limit::{Limit, SetBy, parse_limit};
use super::{v1, v2};
use crate::rows::CgroupVersion;

/// How many directories are searched for the own cgroup where its name is not given.
const SEARCH_MAX: usize = 20_000;

/// The memory controller's hierarchy and this process's place in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hierarchy {
    /// Which version the memory controller is on.
    pub version: CgroupVersion,
    /// Where it is mounted.
    pub mount: PathBuf,
    /// Which cgroup the mount's top is, relative to the cgroup namespace (`/` for all of it).
    pub root: PathBuf,
    /// The own cgroup's directory, `mount` or below it.
    pub own: PathBuf,
    /// The path in `/proc/self/cgroup`, as written there.
    pub listed: String,
    /// Whether the mount is read-only (as in unprivileged containers).
    pub read_only: bool,
    /// Whether both v1 and v2 are mounted.
    pub hybrid: bool,
    /// MemTotal in bytes: a limit at or above it is none.
    pub ram: u64,
    /// Whether the machine has swap switched on.
    pub swap_on: bool,
}

impl Hierarchy {
    /// Finds the memory controller and the own cgroup.
    ///
    /// # Errors
    /// No controller, no mount, or the own cgroup can't be seen; each with its remedy.
    pub fn discover() -> Result<Hierarchy, CgroupError> {
        let located = discover_in(
            read(Path::new("/proc/self/cgroup"))?,
            read_bytes(Path::new("/proc/self/mountinfo"))?,
        )?;
        let own = resolve(&located, std::process::id() as i32)?;
        if located.version == CgroupVersion::V2
            && !v2::lists_memory(&located.mount, v2::CONTROLLERS)?
        {
            return Err(CgroupError::NoController {
                seen: format!(
                    "{} does not list `memory`",
                    located.mount.join(v2::CONTROLLERS).display()
                ),
            });
        }
        let meminfo = crate::host::Meminfo::read();
        Ok(Hierarchy {
            version: located.version,
            mount: located.mount,
            root: located.root,
            own,
            listed: located.listed,
            read_only: located.read_only,
            hybrid: located.hybrid,
            ram: meminfo.mem_total,
            swap_on: meminfo.swap_total > 0,
        })
    }

    /// The cgroup directory of another process, in the same hierarchy.
    ///
    /// # Errors
    /// The process is gone, or its cgroup can't be seen from here.
    pub fn cgroup_of(&self, pid: i32) -> Result<PathBuf, CgroupError> {
        let path = PathBuf::from(format!("/proc/{pid}/cgroup"));
        let located = discover_in(read(&path)?, read_bytes(Path::new("/proc/self/mountinfo"))?)?;
        resolve(&located, pid)
    }

    /// The smallest limit of `path` and all cgroups above it, up to the mount.
    pub fn effective_limit(&self, path: &Path) -> Limit {
        let mut best = Limit::Unlimited;
        let mut keep = |bytes: u64, set_by: SetBy| {
            if best.bytes().is_none_or(|b| bytes < b) {
                best = Limit::Finite { bytes, set_by };
            }
        };
        for dir in self.up_from(path) {
            if let Ok(text) = std::fs::read_to_string(dir.join(self.limit_file()))
                && let Some(bytes) = parse_limit(&text, self.ram)
            {
                keep(bytes, SetBy::Cgroup(dir.to_path_buf()));
            }
            // Before 5.11 a v1 cgroup could opt out of its parents' accounting.
            if self.version == CgroupVersion::V1
                && dir
                    .parent()
                    .is_some_and(|p| v1::use_hierarchy(p) == Some(false))
            {
                break;
            }
        }
        if self.version == CgroupVersion::V1
            && let Some(bytes) = v1::hierarchical_limit(path).filter(|b| *b < self.ram)
        {
            keep(bytes, SetBy::Outside);
        }
        best
    }

    /// `path` and what is above it, up to the mount. `path` alone if it is not below the mount.
    pub fn up_from<'a>(&'a self, path: &'a Path) -> impl Iterator<Item = &'a Path> {
        let inside = path.starts_with(&self.mount);
        path.ancestors()
            .take_while(move |p| *p == path || (inside && p.starts_with(&self.mount)))
    }

    /// The file that holds a cgroup's own limit.
    pub fn limit_file(&self) -> &'static str {
        match self.version {
            CgroupVersion::V1 => v1::LIMIT,
            CgroupVersion::V2 => v2::MAX,
        }
    }
}

fn read_bytes(path: &Path) -> Result<Vec<u8>, CgroupError> {
    std::fs::read(path).map_err(CgroupError::io("read", path))
}

/// The directory of the process's cgroup, searched for by its id where names are hidden.
fn resolve(located: &Located, pid: i32) -> Result<PathBuf, CgroupError> {
    let (levels, rest) = match &located.own {
        Own::At(path) if path.is_dir() => return Ok(path.clone()),
        Own::At(path) => {
            return Err(CgroupError::OwnNotVisible {
                path: located.listed.clone(),
                mounts: format!("there is no {}", path.display()),
            });
        }
        Own::Hidden { levels, rest } => (*levels, rest),
    };
    let mut level = vec![located.mount.clone()];
    let mut seen = 0;
    for _ in 0..levels {
        level = level.iter().flat_map(|dir| children(dir)).collect();
        seen += level.len();
        if seen > SEARCH_MAX {
            break;
        }
    }
    level
        .into_iter()
        .map(|dir| match rest.as_os_str().is_empty() {
            true => dir,
            false => dir.join(rest),
        })
        .find(|dir| pids(dir).is_ok_and(|p| p.visible.contains(&pid)))
        .ok_or_else(|| CgroupError::OwnNotVisible {
            path: located.listed.clone(),
            mounts: format!(
                "{} shows {}, and no cgroup {levels} levels below it lists process {pid}",
                located.mount.display(),
                located.root.display()
            ),
        })
}
