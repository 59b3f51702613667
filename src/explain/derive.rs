//! What follows from rows although it was not among them.
//!
//! Pastes are cut. Only what must be so is derived, and a lower bound is called one.

use crate::formula::cadvisor;
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
    // Pages on the lists are charged too; they tell more where one of the two sums was cut.
    let known = sum([view.rss, view.cache]);
    let pages = match (view.rss, view.cache) {
        (Some(_), Some(_)) => known,
        _ => known.max(lists(&view)),
    };
    sum([Some(pages?), kernel, view.sock])
}

/// All pages on the reclaim lists.
fn lists(view: &View) -> Option<u64> {
    sum([
        view.inactive_anon,
        view.active_anon,
        view.inactive_file,
        view.active_file,
    ])
}

/// The sum of those that are there; none if none is.
fn sum<const N: usize>(values: [Option<u64>; N]) -> Option<u64> {
    values.into_iter().flatten().reduce(u64::saturating_add)
}

/// The working set, also where the usage is not known but cannot matter: it is at most all of the
/// machine's memory, and if that is not above inactive_file, the formula gives 0 for every usage.
pub fn working_set(view: &View) -> Option<i64> {
    let most = View {
        usage: view.node_capacity,
        ..*view
    };
    cadvisor::working_set(view).or_else(|| cadvisor::working_set(&most).filter(|ws| *ws == 0))
}

/// The rows that `kernel` sums up, as far as they are there. Without `slab` its two halves.
pub fn kernel_parts(rows: &Rows) -> Option<u64> {
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
    let found = PARTS.iter().filter_map(|p| rows.get(p)).chain(slab);
    found.reduce(u64::saturating_add)
}

/// Fills in a missing shmem where there is no cache at all: shmem is a part of the cache.
pub fn complete(view: View) -> View {
    View {
        shmem: view.shmem.or(view.cache.filter(|cache| *cache == 0)),
        ..view
    }
}
