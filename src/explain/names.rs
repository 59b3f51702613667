//! The names that mean something in a paste: kernel files, their rows, and common spellings.

use std::collections::HashSet;
use std::sync::LazyLock;

use crate::rows::{self, ROWS, Row, Unit};

/// A kernel file of that name that holds one number: the rows that are such a file.
pub fn number_file(name: &str) -> Option<&'static str> {
    if !name.starts_with("memory.") {
        return None;
    }
    NUMBER_FILES.iter().copied().find(|file| *file == name)
}

static NUMBER_FILES: LazyLock<Vec<&'static str>> = LazyLock::new(|| {
    let names = ROWS.iter().flat_map(|row| row.v1.iter().chain(row.v2));
    let files = names.filter(|name| name.starts_with("memory.") && !name.contains(':'));
    files.copied().collect()
});

/// Kernel files of several lines. Longer names first: one is another's beginning.
pub const LINE_FILES: [&str; 10] = [
    "memory.events.local",
    "memory.oom_control",
    "memory.numa_stat",
    "memory.pressure",
    "memory.events",
    "memory.stat",
    "smaps_rollup",
    "meminfo",
    "cgroups",
    "smaps",
];

/// Not rows, but what people and APIs call the files and formulas; all in bytes.
#[rustfmt::skip]
const ALIASES: [&str; 8] = [
    "usage", "limit", "usage_in_bytes", "limit_in_bytes", "max_usage_in_bytes", "max_usage",
    "working_set", "kernel_usage",
];

/// Lines of /proc/meminfo that say something about a node.
#[rustfmt::skip]
const MEMINFO: [&str; 36] = [
    "MemTotal", "MemFree", "MemAvailable", "Buffers", "Cached", "SwapCached", "Active", "Inactive",
    "Active(anon)", "Inactive(anon)", "Active(file)", "Inactive(file)", "Unevictable", "Mlocked",
    "SwapTotal", "SwapFree", "Dirty", "Writeback", "AnonPages", "Mapped", "Shmem", "KReclaimable",
    "Slab", "SReclaimable", "SUnreclaim", "KernelStack", "PageTables", "FileHugePages", "AnonHugePages",
    "HugePages_Total", "HugePages_Free", "HugePages_Rsvd", "Hugepagesize", "Hugetlb", "Committed_AS",
    "CommitLimit",
];

/// Lines of smaps_rollup that memory.stat cannot give.
pub const SMAPS: [&str; 4] = ["Rss", "Pss", "Anonymous", "LazyFree"];

/// Every name that a row has, and the beginnings of those that end in a star: a log asks for each of its
/// words.
static NAMED: LazyLock<(HashSet<&'static str>, Vec<&'static str>)> = LazyLock::new(|| {
    let names = || ROWS.iter().flat_map(|row| row.v1.iter().chain(row.v2));
    let starred = names().filter_map(|name| name.strip_suffix('*'));
    (names().copied().collect(), starred.collect())
});

/// Whether it is a hierarchical line of v1's memory.stat.
pub fn is_total(key: &str) -> bool {
    key.starts_with("total_") && is_stat(key)
}

/// The row of memory.stat behind a key (with or without `total_`), known to memtide.
pub fn is_stat(key: &str) -> bool {
    let base = key.strip_prefix("total_").unwrap_or(key);
    let (names, starred) = &*NAMED;
    let named = || {
        let starts = |start: &&str| base.starts_with(start);
        names.contains(key) || names.contains(base) || starred.iter().any(starts)
    };
    let row = || rows::is_stat(key) && named();
    ALIASES.contains(&base) || base == "failcnt" || row()
}

/// Whether a row is in bytes: counts are not compared with sizes.
pub fn is_bytes(row: &str) -> bool {
    let base = row.strip_prefix("total_").unwrap_or(row);
    ALIASES.contains(&base)
        || (row.starts_with("node:") && !row.starts_with("node:HugePages_"))
        || Row::of(row).is_some_and(|row| row.unit == Unit::Bytes)
}

/// Whether a row is a part of the usage (of the machine's memory, for `node:`): not a limit, a peak,
/// swap, or what is not in use.
pub fn is_part(row: &str) -> bool {
    if let Some(key) = row.strip_prefix("node:") {
        return MEMINFO.contains(&key)
            && !["Swap", "Mem", "Commit", "Huge", "AnonHugePages"]
                .iter()
                .any(|other| key.starts_with(other));
    }
    let base = row.strip_prefix("total_").unwrap_or(row);
    is_stat(row)
        && is_bytes(row)
        && !is_limit(base)
        && !["usage", "max_", "working_set", "swap", "zswap", "hugetlb"]
            .iter()
            .any(|other| base.starts_with(other))
}

/// Whether a row is a limit, where "unlimited" is a value.
pub fn is_limit(row: &str) -> bool {
    row.contains("limit") || matches!(row, "memory.max" | "memory.high" | "memory.swap.max")
}

/// Whether a line of /proc/meminfo is called so.
pub fn is_meminfo(key: &str) -> bool {
    key.starts_with(|c: char| c.is_ascii_uppercase()) && MEMINFO.contains(&key)
}

/// The row in the name of one of cAdvisor's metrics.
pub fn of_metric(name: &str) -> &str {
    let row = name.trim_start_matches("container_memory_");
    row.trim_end_matches("_bytes")
}

/// A key that carries its unit (`MemFree_kb`): the name without it and its bytes.
pub fn with_unit(key: &str) -> Option<(&str, f64)> {
    let (base, suffix) = key.rsplit_once('_')?;
    let known = is_stat(base) || is_meminfo(base);
    known.then_some((base, super::number::unit(suffix)?))
}

/// The first kernel file named in `word` (a path, or a name with an ending), longest first.
pub fn file_in(word: &str) -> Option<&'static str> {
    let base = word.rsplit('/').next().unwrap_or(word);
    let dotted = || {
        let files = NUMBER_FILES.iter().chain(&LINE_FILES[..6]).copied();
        files
            .filter(|file| base.contains(file) && !continues(base, file))
            .max_by_key(|file| file.len())
    };
    // Most words of a log name no file at all.
    let dotted = base.contains("memory.").then(dotted).flatten();
    dotted.or_else(|| {
        LINE_FILES[6..]
            .iter()
            .copied()
            .find(|file| base.trim_end_matches(':') == *file)
    })
}

/// Whether the name goes on after `file` with more of a name, so that it is another file.
fn continues(base: &str, file: &str) -> bool {
    base.split_once(file).is_some_and(|(_, after)| {
        after.starts_with(|c: char| c.is_ascii_alphanumeric() || c == '_')
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_found_in_paths_and_under_endings() {
        for (word, want) in [
            (
                "/sys/fs/cgroup/memory/memory.usage_in_bytes",
                Some("memory.usage_in_bytes"),
            ),
            (
                "memory.max_usage_in_bytes:",
                Some("memory.max_usage_in_bytes"),
            ),
            ("memory.max", Some("memory.max")),
            ("pod1-memory.stat.txt", Some("memory.stat")),
            ("memory.stat.json", Some("memory.stat")),
            ("/proc/meminfo", Some("meminfo")),
            ("memory.maximum", None),
            ("memory", None),
            ("cgroups-talk", None),
        ] {
            assert_eq!(file_in(word), want, "{word}");
        }
    }

    #[test]
    fn units_in_names() {
        assert_eq!(with_unit("MemFree_kb"), Some(("MemFree", 1024.0)));
        assert_eq!(with_unit("anon_mb"), Some(("anon", 1e6)));
        assert_eq!(with_unit("anon_thp"), None);
        assert_eq!(with_unit("pgscan_millions"), None);
    }
}
