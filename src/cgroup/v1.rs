//! cgroup v1: its file names, and how limits are written.

use std::path::Path;

use super::error::CgroupError;
use super::files::{read, write};
use super::limit::SwapRule;

/// The limit of memory.
pub const LIMIT: &str = "memory.limit_in_bytes";
/// The limit of memory and swap together; absent where swap is not accounted.
pub const MEMSW: &str = "memory.memsw.limit_in_bytes";
/// Whether children's memory counts here too.
pub const USE_HIERARCHY: &str = "memory.use_hierarchy";

/// Whether memory of `dir`'s children counts in `dir`; none if the file is not there.
pub fn use_hierarchy(dir: &Path) -> Option<bool> {
    let text = std::fs::read_to_string(dir.join(USE_HIERARCHY)).ok()?;
    Some(text.trim() != "0")
}

/// The smallest limit of `dir` and everything above it, those outside our view too.
pub fn hierarchical_limit(dir: &Path) -> Option<u64> {
    let text = std::fs::read_to_string(dir.join("memory.stat")).ok()?;
    let row = text
        .lines()
        .find_map(|line| line.strip_prefix("hierarchical_memory_limit "))?;
    row.trim().parse().ok()
}

/// Makes the pod's own rows count its containers. Must come before the first container: later the
/// kernel refuses (EBUSY). Always on since 5.11; off by default on 3.10.
pub fn enable_hierarchy(dir: &Path) -> Result<(), CgroupError> {
    match use_hierarchy(dir) {
        Some(false) => write(&dir.join(USE_HIERARCHY), "1"),
        _ => Ok(()),
    }
}

/// Limits memory to `bytes`, and memory with swap to the same, so that a limit means on a machine
/// with swap what it means on one without.
pub fn set_limit(dir: &Path, bytes: u64, swap_on: bool) -> Result<SwapRule, CgroupError> {
    let (limit, memsw) = (dir.join(LIMIT), dir.join(MEMSW));
    let text = bytes.to_string();
    let has_memsw = swap_on && memsw.exists();
    // The kernel keeps limit <= memsw at all times and answers EINVAL otherwise: going down the
    // limit goes first, going up the other one.
    let raised_first = has_memsw && number(&memsw).is_some_and(|now| now < bytes);
    if raised_first {
        write(&memsw, &text)?;
    }
    write(&limit, &text)?;
    if has_memsw && !raised_first {
        write(&memsw, &text)?;
    }
    Ok(match (swap_on, has_memsw) {
        (false, _) => SwapRule::NoSwap,
        (true, true) => SwapRule::Forbidden,
        (true, false) => SwapRule::Unlimited,
    })
}

fn number(path: &Path) -> Option<u64> {
    read(path).ok()?.trim().parse().ok()
}
