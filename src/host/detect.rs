//! Finding the facts: from /proc, /sys and by asking the kernel.

use std::path::{Path, PathBuf};

use nix::sys::statvfs::statvfs;

use super::{HostFacts, Lru, Meminfo};
use crate::cgroup::{Hierarchy, mountinfo};
use crate::sys;

/// Finds the facts of this machine, for runs that write below `workdir` in `placement` (`managed`
/// or `ambient`).
pub fn detect(hierarchy: &Hierarchy, workdir: &Path, placement: &str) -> HostFacts {
    let meminfo = Meminfo::read();
    let (kernel, arch) = uname();
    HostFacts {
        kernel,
        arch,
        cgroup: hierarchy.version,
        lru: lru(),
        page_size: sys::process::page_size(),
        cpus: cpus(),
        mem_total: meminfo.mem_total,
        swap_total: meminfo.swap_total,
        thp: thp(),
        psi: Path::new("/proc/pressure/memory").exists(),
        madv_free: sys::probe::madv_free(),
        filesystem: filesystem_of(workdir),
        block_size: block_size(workdir),
        placement: placement.to_string(),
        setup: std::env::var("MEMTIDE_SETUP")
            .ok()
            .filter(|s| !s.is_empty()),
    }
}

/// The kernel's release and the machine's architecture, as `uname -rm`.
pub fn uname() -> (String, String) {
    match nix::sys::utsname::uname() {
        Ok(u) => (
            u.release().to_string_lossy().into_owned(),
            u.machine().to_string_lossy().into_owned(),
        ),
        // Only a bad pointer fails, and nix gives a good one.
        Err(_) => ("0".into(), std::env::consts::ARCH.into()),
    }
}

fn lru() -> Lru {
    read_word("/sys/kernel/mm/lru_gen/enabled").map_or(Lru::Classic, |text| parse_lru(&text))
}

/// The file holds a bit set in hex; 0x0000 is built in but switched off.
fn parse_lru(text: &str) -> Lru {
    let digits = text.strip_prefix("0x").unwrap_or(text);
    match u64::from_str_radix(digits, 16) {
        Ok(bits) if bits != 0 => Lru::Mglru,
        _ => Lru::Classic,
    }
}

/// CPUs online on the machine, not those this process may use: per-CPU batches exist on all.
fn cpus() -> u64 {
    read_word("/sys/devices/system/cpu/online")
        .and_then(|text| parse_cpu_list(&text))
        .or_else(|| Some(std::thread::available_parallelism().ok()?.get() as u64))
        .unwrap_or(1)
}

/// Counts a list such as `0-3,8`.
fn parse_cpu_list(text: &str) -> Option<u64> {
    text.split(',').try_fold(0u64, |sum, part| {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        let (first, last): (u64, u64) = (first.parse().ok()?, last.parse().ok()?);
        sum.checked_add(last.checked_sub(first)?.checked_add(1)?)
    })
}

fn thp() -> Option<String> {
    parse_choice(&read_word("/sys/kernel/mm/transparent_hugepage/enabled")?)
}

/// The word in brackets of `always [madvise] never`.
fn parse_choice(text: &str) -> Option<String> {
    let (_, after) = text.split_once('[')?;
    let (word, _) = after.split_once(']')?;
    Some(word.to_string())
}

fn read_word(path: &str) -> Option<String> {
    Some(std::fs::read_to_string(path).ok()?.trim().to_string())
}

/// The type of the file system that holds `path`, as mountinfo has it (`ext4`, `tmpfs`). For a path
/// that does not exist yet, of the nearest directory that does.
pub fn filesystem_of(path: &Path) -> Option<String> {
    let mounts = mountinfo::parse(&std::fs::read("/proc/self/mountinfo").ok()?);
    let real = nearest_existing(path)?.canonicalize().ok()?;
    mountinfo::holding(&mounts, &real).map(|m| m.fstype.clone())
}

/// Bytes that this user may still write on the file system that holds `path`.
pub fn free_space(path: &Path) -> Option<u64> {
    let stat = statvfs(&nearest_existing(path)?).ok()?;
    stat.blocks_available().checked_mul(stat.fragment_size())
}

/// Block size in bytes of the file system that holds `path`.
fn block_size(path: &Path) -> Option<u64> {
    Some(statvfs(&nearest_existing(path)?).ok()?.block_size())
}

fn nearest_existing(path: &Path) -> Option<PathBuf> {
    let absolute = std::path::absolute(path).ok()?;
    absolute
        .ancestors()
        .find(|p| p.exists())
        .map(Path::to_path_buf)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mglru_is_on_when_any_bit_is() {
        assert_eq!(parse_lru("0x0007"), Lru::Mglru);
        assert_eq!(parse_lru("0x0001"), Lru::Mglru);
        assert_eq!(parse_lru("0x0000"), Lru::Classic);
        assert_eq!(parse_lru(""), Lru::Classic);
    }

    #[test]
    fn cpu_lists_are_counted() {
        assert_eq!(parse_cpu_list("0"), Some(1));
        assert_eq!(parse_cpu_list("0-3,8,10-11"), Some(7));
        assert_eq!(parse_cpu_list("3-0"), None);
        assert_eq!(parse_cpu_list(""), None);
    }

    #[test]
    fn the_chosen_word_is_the_one_in_brackets() {
        assert_eq!(parse_choice("always [madvise] never").unwrap(), "madvise");
        assert_eq!(parse_choice("always madvise"), None);
    }

    #[test]
    fn a_path_that_is_not_there_yet_has_the_file_system_of_its_parent() {
        let dir = tempfile::tempdir().unwrap();
        let there = filesystem_of(dir.path()).unwrap();
        assert_eq!(filesystem_of(&dir.path().join("a/b")), Some(there));
        assert_eq!(filesystem_of(Path::new("/proc")).unwrap(), "proc");
        assert!(free_space(&dir.path().join("a/b")).is_some());
    }
}
