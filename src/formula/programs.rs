//! Programs that read their own cgroup to decide when they have used too much.

use super::{Formula, Kind, display, signed, tool};

/// `usage - inactive_file - active_file`, signed.
///
/// Ray's memory monitor (and others that found active page cache counted as theirs). shmem stays
/// in: it is on the anonymous lists, or on the unevictable one.
pub const USAGE_MINUS_FILE_LRU: Formula = Formula {
    name: "usage_minus_file_lru",
    expression: "usage - inactive_file - active_file",
    kind: Kind::Used,
    used_by: "Ray and others",
    eval: |view| {
        let file_lru = view.inactive_file? as i128 + view.active_file? as i128;
        signed(view.usage? as i128 - file_lru)
    },
    tools: &[tool("Ray out-of-memory message", display::gib_called_gb)],
};

/// `anon + sock + kernel - slab_reclaimable`, v2 only, signed.
///
/// ClickHouse's memory worker. Older versions leave slab_reclaimable in; on v1 it reads `rss`. The
/// row `kernel` came with Linux 5.18: before it this gives none.
pub const ANON_SOCK_KERNEL: Formula = Formula {
    name: "anon_sock_kernel",
    expression: "anon + sock + kernel - slab_reclaimable (v2)",
    kind: Kind::Used,
    used_by: "ClickHouse",
    eval: |view| {
        // `sock` exists on v2 only, so v1's kernel memory never gets here.
        let held = view.rss? as i128 + view.sock? as i128 + view.kernel? as i128;
        signed(held - view.slab_reclaimable? as i128)
    },
    tools: &[tool("ClickHouse log", display::readable_iec)],
};
