//! cgroup v2: its file names, and how controllers and limits are written.

use std::path::Path;

use super::error::CgroupError;
use super::files::{read, write};
use super::limit::SwapRule;

/// The limit of memory.
pub const MAX: &str = "memory.max";
/// Where the kernel starts to throttle and reclaim.
pub const HIGH: &str = "memory.high";
/// The limit of swap alone; absent where swap is not accounted.
pub const SWAP_MAX: &str = "memory.swap.max";
/// Controllers that can be switched on for children.
pub const CONTROLLERS: &str = "cgroup.controllers";
/// Controllers that are switched on for children.
pub const SUBTREE_CONTROL: &str = "cgroup.subtree_control";

/// Whether `file` ([`CONTROLLERS`] or [`SUBTREE_CONTROL`]) of `dir` lists the memory controller.
pub fn lists_memory(dir: &Path, file: &str) -> Result<bool, CgroupError> {
    Ok(read(&dir.join(file))?
        .split_ascii_whitespace()
        .any(|c| c == "memory"))
}

/// Switches the memory controller on for the children of `dir`. EBUSY means that processes are in
/// `dir` itself, which only the real root may have.
pub fn enable_memory(dir: &Path) -> Result<(), CgroupError> {
    write(&dir.join(SUBTREE_CONTROL), "+memory")
}

/// Takes it away again.
pub fn disable_memory(dir: &Path) -> Result<(), CgroupError> {
    write(&dir.join(SUBTREE_CONTROL), "-memory")
}

/// Limits memory to `bytes` and allows no swap, so that a limit means the same everywhere.
pub fn set_limit(dir: &Path, bytes: u64, swap_on: bool) -> Result<SwapRule, CgroupError> {
    let swap = dir.join(SWAP_MAX);
    // Before the limit: the other way round there is a moment in which pages could be swapped out.
    let accounted = swap.exists();
    if accounted {
        write(&swap, "0")?;
    }
    write(&dir.join(MAX), &bytes.to_string())?;
    Ok(match (swap_on, accounted) {
        (false, _) => SwapRule::NoSwap,
        (true, true) => SwapRule::Forbidden,
        (true, false) => SwapRule::Unlimited,
    })
}
