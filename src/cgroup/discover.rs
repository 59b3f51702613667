//! Where this process's memory cgroup is: `/proc/self/cgroup` says which one, mountinfo says where
//! it can be seen. Neither is enough alone (namespaces, bind mounts, hybrid set-ups).

use std::path::{Component, Path, PathBuf};

use super::error::CgroupError;
use super::mountinfo::{self, Mount};
use crate::rows::CgroupVersion;

/// What the two texts tell.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Located {
    /// Which version the memory controller is on.
    pub version: CgroupVersion,
    /// Where the chosen mount is.
    pub mount: PathBuf,
    /// Which cgroup that mount's top is, relative to the cgroup namespace.
    pub root: PathBuf,
    /// Whether the mount is read-only.
    pub read_only: bool,
    /// Whether a second hierarchy exists beside this one (v1 and v2 at once).
    pub hybrid: bool,
    /// The path in `/proc/self/cgroup`, as written there.
    pub listed: String,
    /// Where the own cgroup is below `mount`.
    pub own: Own,
}

/// Where the own cgroup is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Own {
    /// The cgroup's directory on this mount.
    At(PathBuf),
    /// The mount starts above the cgroup namespace, so some names on the way are not visible: `rest`
    /// below a directory `levels` below the mount. Only looking for the own process id finds it.
    Hidden {
        /// How many directories down from the mount.
        levels: usize,
        /// From there on.
        rest: PathBuf,
    },
}

/// Finds the memory cgroup from the texts of `/proc/PID/cgroup` and `/proc/self/mountinfo`.
///
/// # Errors
/// [`CgroupError::NoController`], [`CgroupError::NotMounted`] or [`CgroupError::OwnNotVisible`].
pub fn discover_in(
    cgroup: impl AsRef<[u8]>,
    mountinfo: impl AsRef<[u8]>,
) -> Result<Located, CgroupError> {
    let cgroup = String::from_utf8_lossy(cgroup.as_ref()).into_owned();
    let mounts = mountinfo::parse(mountinfo.as_ref());
    let (version, listed) = listed_path(&cgroup)?;
    let candidates: Vec<&Mount> = mounts
        .iter()
        .filter(|m| shows_memory(m, version) && mountinfo::is_reachable(&mounts, m))
        .collect();
    if candidates.is_empty() {
        return Err(not_mounted(version, &mounts));
    }
    let path = Path::new(listed.strip_suffix(" (deleted)").unwrap_or(listed));
    let best = candidates
        .iter()
        .filter_map(|m| Some((*m, below(m, path)?)))
        .min_by_key(|(m, own)| preference(m, own));
    let Some((mount, own)) = best else {
        return Err(CgroupError::OwnNotVisible {
            path: listed.to_string(),
            mounts: candidates
                .iter()
                .map(|m| format!("{} shows {}", m.point.display(), m.root.display()))
                .collect::<Vec<_>>()
                .join(", "),
        });
    };
    let other = match version {
        CgroupVersion::V1 => "cgroup2",
        CgroupVersion::V2 => "cgroup",
    };
    Ok(Located {
        version,
        mount: mount.point.clone(),
        root: mount.root.clone(),
        read_only: mount.read_only,
        hybrid: mounts.iter().any(|m| m.fstype == other),
        listed: listed.to_string(),
        own,
    })
}

/// Which version has the memory controller, and the path of the process in it. Each line is
/// `id:controllers:path`; v2's is `0::path`. A v1 line with `memory` wins: then v2 has it not.
fn listed_path(text: &str) -> Result<(CgroupVersion, &str), CgroupError> {
    let lines = || {
        text.lines().filter_map(|line| {
            let mut parts = line.splitn(3, ':');
            Some((parts.next()?, parts.next()?, parts.next()?))
        })
    };
    let v1 = lines().find(|(_, controllers, _)| controllers.split(',').any(|c| c == "memory"));
    if let Some((_, _, path)) = v1 {
        return Ok((CgroupVersion::V1, path));
    }
    lines()
        .find(|(id, controllers, _)| *id == "0" && controllers.is_empty())
        .map(|(_, _, path)| (CgroupVersion::V2, path))
        .ok_or_else(|| CgroupError::NoController {
            seen: match lines().count() {
                0 => "/proc/self/cgroup is empty".to_string(),
                n => format!("none of the {n} lines of /proc/self/cgroup names `memory`"),
            },
        })
}

fn shows_memory(mount: &Mount, version: CgroupVersion) -> bool {
    match version {
        CgroupVersion::V1 => mount.fstype == "cgroup" && mount.has_option("memory"),
        CgroupVersion::V2 => mount.fstype == "cgroup2",
    }
}

fn not_mounted(version: CgroupVersion, mounts: &[Mount]) -> CgroupError {
    let cgroups = mounts.iter().filter(|m| m.fstype.starts_with("cgroup"));
    CgroupError::NotMounted {
        version,
        looked: format!(
            "{} of the {} mounts in /proc/self/mountinfo are cgroup mounts",
            cgroups.count(),
            mounts.len()
        ),
        mount: match version {
            CgroupVersion::V1 => "mount -t cgroup -o memory cgroup /sys/fs/cgroup/memory",
            CgroupVersion::V2 => "mount -t cgroup2 cgroup2 /sys/fs/cgroup",
        },
    }
}

/// The smaller, the better a mount: the own cgroup known by name, writable, the most ancestors in
/// view (their limits count too), the shortest path.
fn preference(mount: &Mount, own: &Own) -> (bool, bool, usize, usize) {
    (
        matches!(own, Own::Hidden { .. }),
        mount.read_only,
        match own {
            // Deeper below the mount means that more ancestors are visible.
            Own::At(path) => {
                usize::MAX - path.components().count() + mount.point.components().count()
            }
            Own::Hidden { .. } => 0,
        },
        mount.point.components().count(),
    )
}

/// Where the cgroup `path` is seen below `mount`; none if it is outside of it.
///
/// Both are relative to the cgroup namespace's top, so both can climb above it with `/..`.
fn below(mount: &Mount, path: &Path) -> Option<Own> {
    let (root_ups, root_names) = climb(&mount.root)?;
    let (path_ups, path_names) = climb(path)?;
    if path_ups > root_ups {
        return None;
    }
    if path_ups < root_ups {
        // The mount's top is above; if it has names after the `..` it is beside us instead.
        let rest: PathBuf = path_names.iter().collect();
        return root_names.is_empty().then(|| Own::Hidden {
            levels: root_ups - path_ups,
            rest,
        });
    }
    let rest = path_names.strip_prefix(root_names.as_slice())?;
    Some(Own::At(
        rest.iter()
            .fold(mount.point.clone(), |p, name| p.join(name)),
    ))
}

/// Splits `/../../a/b` into 2 and `[a, b]`. A path that climbs again after a name is none that the
/// kernel writes.
fn climb(path: &Path) -> Option<(usize, Vec<&std::ffi::OsStr>)> {
    let mut ups = 0;
    let mut names = Vec::new();
    for part in path.components() {
        match part {
            Component::RootDir | Component::CurDir => {}
            Component::ParentDir if names.is_empty() => ups += 1,
            Component::Normal(name) => names.push(name),
            Component::ParentDir | Component::Prefix(_) => return None,
        }
    }
    Some((ups, names))
}
