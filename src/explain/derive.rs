//! What follows from rows although it was not among them.
//!
//! Pastes are cut. Only what must be so is derived, and a lower bound is called one.

use crate::rows::{CgroupVersion, Rows, View};

/// The least the usage can be, from rows that are charged and do not overlap; none without any.
///
/// v1: rss, cache, swap cache is in cache; kernel memory only where its file was read. v2: anon,
/// file, sock, and `kernel`, or before Linux 5.18 the rows it sums up.
pub fn usage_lower_bound(rows: &Rows, version: CgroupVersion) -> Option<u64> {
    let view = rows.view(version);
    let kernel = match version {
        CgroupVersion::V1 => view.kernel,
        CgroupVersion::V2 => view.kernel.or_else(|| kernel_parts(rows)),
    };
    let parts = [view.rss, view.cache, kernel, view.sock];
    if view.rss.is_none() && view.cache.is_none() {
        return None;
    }
    Some(parts.into_iter().flatten().fold(0, u64::saturating_add))
}

/// The rows that `kernel` sums up, as far as they are there. Without `slab` its two halves.
fn kernel_parts(rows: &Rows) -> Option<u64> {
    const PARTS: [&str; 5] = [
        "kernel_stack",
        "pagetables",
        "sec_pagetables",
        "percpu",
        "vmalloc",
    ];
    let slab = rows.get("slab").or_else(|| {
        rows.get("slab_reclaimable")?
            .checked_add(rows.get("slab_unreclaimable")?)
    });
    let found: Vec<u64> = PARTS
        .iter()
        .filter_map(|p| rows.get(p))
        .chain(slab)
        .collect();
    (!found.is_empty()).then(|| found.into_iter().fold(0, u64::saturating_add))
}

/// Fills in a missing shmem where there is no cache at all: shmem is a part of the cache.
pub fn complete(view: View) -> View {
    View {
        shmem: view.shmem.or(view.cache.filter(|cache| *cache == 0)),
        ..view
    }
}
