//! The limit that really holds: the smallest of a cgroup's own and of all cgroups above it.

use std::path::{Path, PathBuf};

use super::{Hierarchy, v1, v2};
use crate::rows::CgroupVersion;

/// The effective memory limit of a cgroup.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Limit {
    /// Only the machine's memory limits it.
    Unlimited,
    /// No more than this.
    Finite {
        /// The limit, bytes.
        bytes: u64,
        /// Who says so.
        set_by: SetBy,
    },
}

/// Where a limit is set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SetBy {
    /// In this cgroup.
    Cgroup(PathBuf),
    /// In a cgroup above the mount, which can't be seen (cgroup v1 tells only the value).
    Outside,
}

impl Limit {
    /// Bytes, if there is a limit.
    pub fn bytes(&self) -> Option<u64> {
        match self {
            Limit::Unlimited => None,
            Limit::Finite { bytes, .. } => Some(*bytes),
        }
    }
}

impl std::fmt::Display for Limit {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Limit::Unlimited => f.write_str("none"),
            Limit::Finite { bytes, set_by } => {
                write!(f, "{}, set by ", crate::units::bytes(*bytes))?;
                match set_by {
                    SetBy::Cgroup(path) => write!(f, "{}", path.display()),
                    SetBy::Outside => f.write_str("a cgroup above what is mounted here"),
                }
            }
        }
    }
}

/// Reads one limit as any of its files spells it; none is unlimited.
///
/// `max` (v2), `-1` (accepted by v1 for writing), 9223372036854771712 (v1 since 3.19, 4 KiB
/// pages; other page sizes give other numbers near 2^63), 9223372036854775807 (before), and
/// anything at or above `ram` bytes, which can never be reached.
pub fn parse_limit(text: &str, ram: u64) -> Option<u64> {
    text.trim().parse::<u64>().ok().filter(|bytes| *bytes < ram)
}

/// The smallest limit from `path` up to the hierarchy's mount.
pub fn effective(hierarchy: &Hierarchy, path: &Path) -> Limit {
    let mut best = Limit::Unlimited;
    let mut keep = |bytes: u64, set_by: SetBy| {
        if best.bytes().is_none_or(|b| bytes < b) {
            best = Limit::Finite { bytes, set_by };
        }
    };
    let file = match hierarchy.version {
        CgroupVersion::V1 => v1::LIMIT,
        CgroupVersion::V2 => v2::MAX,
    };
    for dir in hierarchy.up_from(path) {
        if let Ok(text) = std::fs::read_to_string(dir.join(file))
            && let Some(bytes) = parse_limit(&text, hierarchy.ram)
        {
            keep(bytes, SetBy::Cgroup(dir.to_path_buf()));
        }
        // Before 5.11 a v1 cgroup could opt out of its parents' accounting.
        if hierarchy.version == CgroupVersion::V1
            && dir
                .parent()
                .is_some_and(|p| v1::use_hierarchy(p) == Some(false))
        {
            break;
        }
    }
    if hierarchy.version == CgroupVersion::V1
        && let Some(bytes) = v1::hierarchical_limit(path).filter(|b| *b < hierarchy.ram)
    {
        keep(bytes, SetBy::Outside);
    }
    best
}
