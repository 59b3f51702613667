//! What a limit is: the effective one (the smallest of a cgroup's own and of all above it), as its
//! files spell it, and what it means for swap.

use std::path::PathBuf;

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

/// What a limited cgroup may do with swap.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SwapRule {
    /// The machine has none.
    NoSwap,
    /// There is some, and this cgroup may not use it.
    Forbidden,
    /// There is some, and the kernel can't keep this cgroup from it: the limit holds for RAM only.
    Unlimited,
}
