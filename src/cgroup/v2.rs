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

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    #[test]
    fn swap_is_forbidden_before_memory_is_limited() {
        let dir = tempfile::tempdir().unwrap();
        let path = |name: &str| dir.path().join(name);
        let text = |name: &str| fs::read_to_string(path(name)).unwrap();
        fs::write(path(SWAP_MAX), "9").unwrap();
        // Without the limit's file it ends there, and shows what came before.
        assert!(set_limit(dir.path(), 8192, true).is_err());
        assert_eq!(text(SWAP_MAX), "0");
        fs::write(path(MAX), "").unwrap();
        for (swap_on, rule) in [(true, SwapRule::Forbidden), (false, SwapRule::NoSwap)] {
            assert_eq!(set_limit(dir.path(), 8192, swap_on).unwrap(), rule);
            assert_eq!((text(MAX), text(SWAP_MAX)), ("8192".into(), "0".into()));
        }
        fs::remove_file(path(SWAP_MAX)).unwrap();
        let rule = set_limit(dir.path(), 8192, true).unwrap();
        assert_eq!(rule, SwapRule::Unlimited);
        assert!(!path(SWAP_MAX).exists(), "a control file is never made");
    }

    #[test]
    fn memory_is_one_of_the_controllers_by_its_whole_name() {
        let dir = tempfile::tempdir().unwrap();
        for (text, listed) in [
            ("cpuset cpu io memory pids\n", true),
            ("memory\n", true),
            ("cpu hugetlb memory2\n", false),
            ("\n", false),
        ] {
            fs::write(dir.path().join(CONTROLLERS), text).unwrap();
            let found = lists_memory(dir.path(), CONTROLLERS).unwrap();
            assert_eq!(found, listed, "{text:?}");
        }
        assert!(lists_memory(dir.path(), SUBTREE_CONTROL).is_err());
    }
}
