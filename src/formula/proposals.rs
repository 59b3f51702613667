//! What people who watch memory use or proposed instead of working_set alone.

use super::{Formula, Kind, cadvisor, clamped, signed};

/// The larger of `cadvisor_working_set` and `rss`: the safe reading beside MADV_FREE.
///
/// Lazily freed pages that are written again stay on the inactive file list until reclaim looks
/// at them: working_set reads near 0 while the memory is in use, rss does not.
pub const MAX_WORKING_SET_RSS: Formula = Formula {
    name: "max_working_set_rss",
    expression: "max(cadvisor_working_set, rss)",
    kind: Kind::Used,
    used_by: "guards of mail servers",
    eval: |view| {
        let rss = signed(view.rss? as i128)?;
        Some(cadvisor::working_set(view)?.max(rss))
    },
    tools: &[],
};

/// `cadvisor_working_set - mapped_file`, signed (PromQL does not clamp).
pub const WORKING_SET_MINUS_MAPPED: Formula = Formula {
    name: "working_set_minus_mapped",
    expression: "cadvisor_working_set - mapped_file (v1) or file_mapped (v2)",
    kind: Kind::Used,
    used_by: "dashboards of programs that map their data files",
    eval: |view| signed(cadvisor::working_set(view)? as i128 - view.mapped_file? as i128),
    tools: &[],
};

/// `rss + mapped_file`: what the processes have mapped, without unmapped page cache.
pub const RSS_PLUS_MAPPED: Formula = Formula {
    name: "rss_plus_mapped",
    expression: "rss + mapped_file (v1) or file_mapped (v2)",
    kind: Kind::Used,
    used_by: "dashboards of programs that map their data files",
    eval: |view| signed(view.rss? as i128 + view.mapped_file? as i128),
    tools: &[],
};

/// `cadvisor_working_set - slab_reclaimable`, not below 0, v2 only.
///
/// Proposed to cAdvisor for containers whose dentries dwarf the rest. v1's memory.stat has no slab
/// rows: none there. The slab rows are not multiples of a page.
pub const WORKING_SET_MINUS_SLAB: Formula = Formula {
    name: "working_set_minus_slab",
    expression: "cadvisor_working_set - slab_reclaimable (v2), not below 0",
    kind: Kind::Used,
    used_by: "proposals to cAdvisor",
    eval: |view| clamped(cadvisor::working_set(view)? as i128 - view.slab_reclaimable? as i128),
    tools: &[],
};
