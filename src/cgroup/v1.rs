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

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    /// A folder with these files of the kernel's.
    fn folder(files: &[(&str, &str)]) -> tempfile::TempDir {
        let dir = tempfile::tempdir().unwrap();
        for (name, text) in files {
            fs::write(dir.path().join(name), text).unwrap();
        }
        dir
    }

    /// The kernel keeps limit <= memsw: whichever would break that is written last. Without the file of the
    /// limit the writing ends there, and shows what came before.
    #[test]
    fn going_up_memsw_is_written_first_and_going_down_last() {
        for (now, first) in [("4096", true), ("8192", false), ("9000", false)] {
            let dir = folder(&[(MEMSW, now)]);
            assert!(set_limit(dir.path(), 8192, true).is_err());
            let kept = fs::read_to_string(dir.path().join(MEMSW)).unwrap();
            assert_eq!(kept, if first { "8192" } else { now }, "{now}");
            fs::write(dir.path().join(LIMIT), "").unwrap();
            let rule = set_limit(dir.path(), 8192, true).unwrap();
            assert_eq!(rule, SwapRule::Forbidden);
            for file in [LIMIT, MEMSW] {
                assert_eq!(fs::read_to_string(dir.path().join(file)).unwrap(), "8192");
            }
        }
    }

    #[test]
    fn without_swap_or_without_its_account_the_rule_says_so() {
        for (swap_on, memsw, rule) in [
            (false, true, SwapRule::NoSwap),
            (false, false, SwapRule::NoSwap),
            (true, false, SwapRule::Unlimited),
        ] {
            let dir = folder(&[(LIMIT, "")]);
            if memsw {
                fs::write(dir.path().join(MEMSW), "1").unwrap();
            }
            assert_eq!(set_limit(dir.path(), 8192, swap_on).unwrap(), rule);
        }
    }

    #[test]
    fn children_count_in_the_pod_where_the_kernel_asks_whether_they_should() {
        let text =
            |dir: &tempfile::TempDir| fs::read_to_string(dir.path().join(USE_HIERARCHY)).ok();
        for (before, after) in [("0", "1"), ("1", "1")] {
            let dir = folder(&[(USE_HIERARCHY, before)]);
            enable_hierarchy(dir.path()).unwrap();
            assert_eq!(text(&dir).as_deref(), Some(after));
        }
        // Later kernels may do without the file: it is never made.
        let dir = folder(&[]);
        enable_hierarchy(dir.path()).unwrap();
        assert_eq!((text(&dir), use_hierarchy(dir.path())), (None, None));
    }

    #[test]
    fn the_limit_of_all_ancestors_is_a_row() {
        let dir = folder(&[(
            "memory.stat",
            "cache 1\nhierarchical_memory_limit 4096\nhierarchical_memsw_limit 9\n",
        )]);
        assert_eq!(hierarchical_limit(dir.path()), Some(4096));
        assert_eq!(hierarchical_limit(folder(&[]).path()), None);
    }
}
