//! memtide's own: two kinds of memory that no row names, estimated from rows that disagree.
//!
//! Both compare the LRU lists, which count pages, with `rss`/`cache`, which count mappings and the
//! page cache. memory.stat is summed from per-CPU batches: values up to 256 KiB a CPU mean nothing.

use super::{Formula, Kind, clamped};

/// `active_file + inactive_file + shmem - cache`, not below 0: lazily freed anonymous memory.
///
/// MADV_FREE moves anonymous pages to the inactive *file* list while the page cache does not grow,
/// so the file lists hold more than the cache they should be. Pages that were written again after
/// MADV_FREE look the same until reclaim meets them; `LazyFree` in smaps_rollup tells them apart.
/// Unevictable (mlocked) page cache makes it too small.
pub const LAZYFREE: Formula = Formula {
    name: "lazyfree_estimate",
    expression: "active_file + inactive_file + shmem - cache, not below 0",
    kind: Kind::Part,
    used_by: "memtide",
    eval: |view| {
        let lists = view.active_file? as i128 + view.inactive_file? as i128;
        clamped(lists + view.shmem? as i128 - view.cache? as i128)
    },
    tools: &[],
};

/// All pages on lists less `rss` and `cache`, not below 0: huge pages that are mapped in part.
///
/// MADV_DONTNEED of part of a huge page lowers rss at once; the page stays whole on the list, and
/// charged, until the kernel splits it. All lists count: lazily freed
/// pages are on the file lists, mlocked ones and a tmpfs of noswap on the unevictable one. Pages in
/// swap cache make it too small.
pub const THP_HIDDEN: Formula = Formula {
    name: "thp_hidden_estimate",
    expression: "inactive_anon + active_anon + inactive_file + active_file + unevictable - rss - cache, not below 0",
    kind: Kind::Part,
    used_by: "memtide",
    eval: |view| {
        let anon = view.inactive_anon? as i128 + view.active_anon? as i128;
        let file = view.inactive_file? as i128 + view.active_file? as i128;
        let lists = anon + file + view.unevictable? as i128;
        clamped(lists - view.rss? as i128 - view.cache? as i128)
    },
    tools: &[],
};
