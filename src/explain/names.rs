//! The names that mean something in a paste: kernel files, their rows, and common spellings.

/// Kernel files that hold one number.
pub const NUMBER_FILES: [&str; 24] = [
    "memory.memsw.max_usage_in_bytes",
    "memory.memsw.usage_in_bytes",
    "memory.memsw.limit_in_bytes",
    "memory.memsw.failcnt",
    "memory.kmem.max_usage_in_bytes",
    "memory.kmem.tcp.usage_in_bytes",
    "memory.kmem.usage_in_bytes",
    "memory.kmem.limit_in_bytes",
    "memory.kmem.failcnt",
    "memory.soft_limit_in_bytes",
    "memory.max_usage_in_bytes",
    "memory.usage_in_bytes",
    "memory.limit_in_bytes",
    "memory.failcnt",
    "memory.swap.current",
    "memory.swap.peak",
    "memory.swap.max",
    "memory.zswap.current",
    "memory.current",
    "memory.peak",
    "memory.high",
    "memory.max",
    "memory.low",
    "memory.min",
];

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

/// Rows of memory.stat in bytes, both versions, without v1's `total_`.
pub const STAT_BYTES: [&str; 45] = [
    "cache",
    "rss",
    "rss_huge",
    "shmem",
    "mapped_file",
    "dirty",
    "writeback",
    "swap",
    "swapcached",
    "inactive_anon",
    "active_anon",
    "inactive_file",
    "active_file",
    "unevictable",
    "hierarchical_memory_limit",
    "hierarchical_memsw_limit",
    "anon",
    "file",
    "kernel",
    "kernel_stack",
    "pagetables",
    "sec_pagetables",
    "percpu",
    "sock",
    "vmalloc",
    "zswap",
    "zswapped",
    "file_mapped",
    "file_dirty",
    "file_writeback",
    "anon_thp",
    "file_thp",
    "shmem_thp",
    "slab_reclaimable",
    "slab_unreclaimable",
    "slab",
    "hugetlb",
    // Not rows, but what people and APIs call the files.
    "usage",
    "limit",
    "usage_in_bytes",
    "limit_in_bytes",
    "max_usage_in_bytes",
    "max_usage",
    "working_set",
    "kernel_usage",
];

/// Rows of memory.stat that count events or pages.
const STAT_COUNTS: [&str; 11] = [
    "pgpgin",
    "pgpgout",
    "pgfault",
    "pgmajfault",
    "pgscan",
    "pgsteal",
    "pgrefill",
    "pgactivate",
    "pgdeactivate",
    "pglazyfree",
    "failcnt",
];

/// Beginnings of counters that kernels keep adding to.
const EVENTS: [&str; 12] = [
    "workingset_",
    "pgscan_",
    "pgsteal_",
    "pgdemote_",
    "pgpromote_",
    "pglazyfreed",
    "thp_fault_",
    "thp_collapse_",
    "thp_swpout",
    "zswpin",
    "zswpout",
    "zswpwb",
];

/// Lines of /proc/meminfo that say something about a node.
const MEMINFO: [&str; 29] = [
    "MemTotal",
    "MemFree",
    "MemAvailable",
    "Buffers",
    "Cached",
    "SwapCached",
    "Active",
    "Inactive",
    "Active(anon)",
    "Inactive(anon)",
    "Active(file)",
    "Inactive(file)",
    "Unevictable",
    "Mlocked",
    "SwapTotal",
    "SwapFree",
    "Dirty",
    "Writeback",
    "AnonPages",
    "Mapped",
    "Shmem",
    "KReclaimable",
    "Slab",
    "SReclaimable",
    "SUnreclaim",
    "KernelStack",
    "PageTables",
    "FileHugePages",
    "AnonHugePages",
];

/// Lines of smaps_rollup that memory.stat cannot give.
pub const SMAPS: [&str; 4] = ["Rss", "Pss", "Anonymous", "LazyFree"];

/// The row of memory.stat behind a key (with or without `total_`), known to memtide.
pub fn is_stat(key: &str) -> bool {
    let base = key.strip_prefix("total_").unwrap_or(key);
    STAT_BYTES.contains(&base)
        || STAT_COUNTS.contains(&base)
        || EVENTS.iter().any(|prefix| base.starts_with(prefix))
}

/// Whether a row is in bytes: counts are not compared with sizes.
pub fn is_bytes(row: &str) -> bool {
    let base = row.strip_prefix("total_").unwrap_or(row);
    STAT_BYTES.contains(&base)
        || (NUMBER_FILES.contains(&row) && !row.ends_with("failcnt"))
        || row.starts_with("node:")
}

/// Whether a row is a limit, where "unlimited" is a value.
pub fn is_limit(row: &str) -> bool {
    row.contains("limit") || matches!(row, "memory.max" | "memory.high" | "memory.swap.max")
}

/// Whether a line of /proc/meminfo is called so.
pub fn is_meminfo(key: &str) -> bool {
    MEMINFO.contains(&key)
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
    let dotted = NUMBER_FILES.iter().chain(&LINE_FILES[..6]);
    dotted
        .copied()
        .find(|file| base.contains(file) && !continues(base, file))
        .or_else(|| {
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
