//! The names a value can have: formulas, the counters formulas read, the truth, and kernel rows.

use crate::formula;
use crate::scenario::suggest;
use crate::truth;

/// Counters under one name for both cgroup versions, so that one expectation holds on v1 and v2:
/// `cache` is `total_cache` on v1 and `file` on v2. `anon_lru` is inactive_anon + active_anon: which
/// of the two lists holds anonymous memory depends on the reclaim order.
///
/// `usage` and `rss` are formulas; they are here for the case that a formula is renamed.
pub const COUNTERS: &[&str] = &[
    "usage",
    "limit",
    "rss",
    "cache",
    "shmem",
    "mapped_file",
    "inactive_anon",
    "active_anon",
    "anon_lru",
    "inactive_file",
    "active_file",
    "slab_reclaimable",
    "sock",
    "kernel",
];

/// How often the container was restarted up to the moment.
const RESTARTS: &str = "restarts";

/// Rows of memory.stat that may be named without further ado, of v1 (where `total_` may stand before
/// them) and v2, 3.10 to 6.18. Any other row is written `row:NAME`.
const STAT_ROWS: &[&str] = &[
    "cache",
    "rss",
    "rss_huge",
    "shmem",
    "mapped_file",
    "dirty",
    "writeback",
    "swap",
    "swapcached",
    "pgpgin",
    "pgpgout",
    "pgfault",
    "pgmajfault",
    "inactive_anon",
    "active_anon",
    "inactive_file",
    "active_file",
    "unevictable",
    "workingset_refault_anon",
    "workingset_refault_file",
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
    "workingset_activate_anon",
    "workingset_activate_file",
    "workingset_restore_anon",
    "workingset_restore_file",
    "workingset_nodereclaim",
    "pgscan",
    "pgsteal",
    "pgactivate",
    "pgdeactivate",
    "pglazyfree",
    "pglazyfreed",
    "pgrefill",
    "thp_fault_alloc",
    "thp_collapse_alloc",
];

/// Rows of a worker's `smaps_rollup` (4.14 and later), read at the end of each step: `smaps:LazyFree`
/// tells memory that was freed lazily from memory that is in use again, which memory.stat can't.
const SMAPS_ROWS: [&str; 8] = [
    "Rss",
    "Pss",
    "Private_Clean",
    "Private_Dirty",
    "Anonymous",
    "LazyFree",
    "AnonHugePages",
    "Swap",
];

/// Whether `name` can be the name of a value; if not, what may have been meant.
pub fn check(name: &str) -> Result<(), Option<String>> {
    if let Some(counter) = name.strip_prefix("truth:") {
        return match truth::COUNTERS.contains(&counter) {
            true => Ok(()),
            false => Err(suggest::help(
                counter,
                "the truth's counters are",
                &truth::COUNTERS,
            )),
        };
    }
    if let Some(row) = name.strip_prefix("smaps:") {
        return match SMAPS_ROWS.contains(&row) {
            true => Ok(()),
            false => Err(suggest::help(row, "rows of smaps_rollup are", &SMAPS_ROWS)),
        };
    }
    // A file's name, `file:key`, `proc:`, `node:` and `row:` say themselves that they are rows.
    if name.contains(['.', ':']) && !name.ends_with([':', '.']) {
        return Ok(());
    }
    let stat = name.strip_prefix("total_").unwrap_or(name);
    if name == RESTARTS
        || formula::by_name(name).is_some()
        || COUNTERS.contains(&name)
        || STAT_ROWS.contains(&stat)
    {
        return Ok(());
    }
    let formulas = formula::FORMULAS.iter().map(|f| f.name);
    let known = formulas.chain(COUNTERS.iter().copied());
    let nearest = suggest::nearest(name, known.chain(STAT_ROWS.iter().copied()));
    Err(Some(match nearest {
        Some(nearest) => format!("did you mean `{nearest}`?"),
        None => "a value is a formula, a row of memory.stat, `file:key`, `truth:NAME`, or \
                 `row:NAME` for any other row"
            .into(),
    }))
}
