//! What the memory is made of.

use super::{Facts, sized};
use crate::explain::Scope;
use crate::explain::number::percent;
use crate::explain::said::Said;
use crate::rows::CgroupVersion;
use crate::units;

/// So little that the floor of an empty cgroup explains it.
pub fn near_empty(facts: &Facts) -> Option<String> {
    let usage = facts.view.usage?;
    if usage == 0 {
        return Some("Usage 0: nothing was ever charged here, or nothing could be read. It is no sign of health."
                .into());
    }
    (usage < 1 << 20 && !facts.is_inconsistent()).then(|| format!(
            "{} is what an empty cgroup with one sleeping process reads (0.25 to 0.5 MiB: per-CPU stock); a \
             cgroup that was just made, or whose processes are gone, looks the same.",
            units::bytes(usage)
        ))
}

/// Heap and stacks.
pub fn anon_heap(facts: &Facts) -> Option<String> {
    let anon = facts.parts.anon?;
    let by = match (facts.parts.anon_by_lists, facts.view.shmem) {
        (true, None) => " or tmpfs (both are on the anonymous lists; rss and shmem were not given)",
        (true, Some(_)) => " (by the anonymous lists; rss was not given)",
        (false, _) => "",
    };
    facts.parts.matters(anon, 30).then(|| format!(
            "{} is anonymous memory{by}: the programs' own heaps and stacks. The kernel can't take it back \
             without swap. Whether it is live data, an allocator's reserve or a leak can't be seen here.",
            sized(facts, anon)
        ))
}

/// MADV_FREE.
pub fn lazy_free(facts: &Facts) -> Option<String> {
    let lazy = facts.parts.lazy_free;
    if !facts.parts.matters(lazy, 5) || facts.is_inconsistent() {
        return None;
    }
    let told = match facts.reading.rows.get("smaps:LazyFree") {
        Some(free) => Some(free.min(lazy)).said(
            " LazyFree in smaps says @ of it is still free to take; the rest was written again.",
        ),
        None => " If the program wrote to it again, it is in use and can't be taken: memory.stat looks the \
                 same in both cases until reclaim meets the pages."
            .into(),
    };
    let held = facts.parts.unreclaimable(facts.reading);
    let room = facts.limit.map(|limit| limit.saturating_sub(held));
    let risk = room.said(" In that case only @ are left below the limit.");
    Some(format!(
        "About {} was released with MADV_FREE (Go 1.12 to 1.15, jemalloc and others do that): it is still in rss \
             but on the inactive file list, so working_set leaves it out.{told}{risk}",
        sized(facts, lazy)
    ))
}

/// Huge pages mapped in part.
pub fn thp_hidden(facts: &Facts) -> Option<String> {
    let hidden = facts.parts.thp_hidden;
    let or_swap = if facts.reading.has_swap() {
        " Or they are unmapped pages in the swap cache, which look the same: swap is in use here."
    } else {
        ""
    };
    // Less than one huge page is rounding.
    (hidden >= 2 << 20 && facts.parts.matters(hidden, 5) && !facts.is_inconsistent()).then(|| format!(
            "About {} is on the anonymous lists but in no process's rss: huge pages of which only parts are \
             still mapped. They stay charged until the kernel splits them, which it does under pressure.{or_swap}",
            sized(facts, hidden)
        ))
}

/// Cache that working_set counts.
pub fn page_cache_active(facts: &Facts) -> Option<String> {
    let cache = facts.parts.cache_active?;
    if !facts.parts.matters(cache, 20) || facts.is_inconsistent() {
        return None;
    }
    let limit = facts.limit.filter(|limit| *limit > 0);
    let share = limit.map_or(String::new(), |limit| {
        let percent = percent(cache, limit);
        format!(" That alone is {percent:.0} % of the limit in every alert on working_set.")
    });
    let counted = match facts.reading.scope {
        Scope::Cgroup => {
            "working_set counts it although the kernel takes it back before it kills anything"
        }
        Scope::Node => "the node's working set counts it although it can be taken back",
    };
    Some(format!(
        "{} is page cache on the active list: files read again, or written in pieces smaller than a page \
             on kernels before 4.7. {counted}.{share}",
        sized(facts, cache)
    ))
}

/// Memory that is in no row, or kernel memory of which v1 says nothing but the size.
pub fn unknown_kernel_memory(facts: &Facts) -> Option<String> {
    if facts.is_inconsistent() || facts.reading.scope == Scope::Node {
        return None;
    }
    let rest = facts.parts.unexplained?;
    let is_v1 = facts.reading.cgroup() != Some(CgroupVersion::V2);
    let kmem = facts.parts.kernel.filter(|_| is_v1).unwrap_or(0);
    let unknown = rest.saturating_add(kmem);
    facts.parts.matters(unknown, 10).then(|| {
        let why = match facts.reading.cgroup() {
            Some(CgroupVersion::V1) => {
                "cgroup v1 does not say what its kernel memory is: dentries of missing files, socket \
                 buffers, page tables and charges the kernel keeps in stock all look like this"
            }
            Some(CgroupVersion::V2) => {
                "no row of memory.stat accounts for it: memory a driver or the kernel charged without a \
                 row, charges kept in stock, or rows cut from the paste"
            }
            None => "most likely kernel memory, which these numbers do not name",
        };
        format!(
                "{} is neither rss nor cache: {why}. Take working_set from usage, never from a sum of rows.",
                sized(facts, unknown)
            )
    })
}

/// Memory on disk.
pub fn swapped(facts: &Facts) -> Option<String> {
    let swap = facts.reading.in_swap();
    let swap = units::bytes(swap.filter(|swap| facts.parts.matters(*swap, 10))?);
    Some(format!(
        "{swap} more is in swap: not in usage, but still the programs' memory."
    ))
}

/// A part that is worth a sentence from a share of the total on.
struct Plain {
    code: &'static str,
    size: fn(&Facts) -> Option<u64>,
    percent: u64,
    /// Whether numbers that contradict each other make it worthless.
    trusting: bool,
    text: &'static str,
}

#[rustfmt::skip]
const PLAIN: [Plain; 6] = [
    Plain { code: "page_cache_inactive", size: |f| f.parts.cache_inactive, percent: 20, trusting: false, text: "is page cache on the inactive list: files that were written or read, once as a rule. The kernel takes it back first and by itself; working_set leaves it out." },
    Plain { code: "dirty_cache", size: |f| Some(f.parts.reclaimable(f.reading).after_writing), percent: 20, trusting: false, text: "of the page cache is not on disk yet: the kernel must write it before it can take it back, so a slow disk makes the program wait at the limit." },
    Plain { code: "tmpfs", size: |f| f.parts.shmem, percent: 10, trusting: true, text: "is tmpfs or shared memory (/dev/shm, emptyDir with medium Memory, memfd). It counts as cache but needs swap to be taken back, and it stays, in the pod, after the process or container ends, until the files are deleted." },
    Plain { code: "slab", size: |f| f.view.slab_reclaimable, percent: 10, trusting: true, text: "is reclaimable slab: mostly dentries and inodes of files that were looked up, found or not. working_set counts it; the kernel drops it under pressure." },
    Plain { code: "socket_buffers", size: |f| f.parts.sock, percent: 10, trusting: true, text: "is socket buffers: data that was sent or received and that nobody has taken yet." },
    Plain { code: "kernel_memory", size: |f| Some(f.parts.kernel?.saturating_sub(f.view.slab_reclaimable.unwrap_or(0))), percent: 10, trusting: true, text: "is kernel memory charged to the cgroup (page tables, stacks, slab objects). It is in no process's rss." },
];

/// The sentence about a part that needs no more than its size.
pub fn plain(facts: &Facts, code: &str) -> Option<String> {
    let known = PLAIN.iter().find(|known| known.code == code)?;
    let size = (known.size)(facts)?;
    let told =
        facts.parts.matters(size, known.percent) && (known.trusting || !facts.is_inconsistent());
    told.then(|| format!("{} {}", sized(facts, size), known.text))
}
