//! What the memory of one reading is made of, and what of it the kernel could take back.

use super::account::{Account, Quantity};
use super::{Reading, Scope, derive, names, number};
use crate::composition::Composition;
use crate::rows::{CgroupVersion, Row, View, is_unlimited};

const DIRTY: &Row = Row::named("dirty");
const WRITEBACK: &Row = Row::named("writeback");

/// Usage split into parts that do not overlap. Bytes; none where rows for it are missing.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Serialize)]
pub struct Parts {
    /// Usage, or the least it can be.
    pub total: u64,
    /// Whether `total` is a lower bound because no usage was given.
    #[serde(rename = "total_is_lower_bound")]
    pub at_least: bool,
    /// Anonymous memory: heap, stacks, private mappings. Lazily freed pages are not in it.
    pub anon: Option<u64>,
    /// Whether `anon` comes from the lists because rss was not given; tmpfs may be in it then.
    #[serde(skip)]
    pub anon_by_lists: bool,
    /// Anonymous pages released with MADV_FREE (or written again since: the rows can't tell).
    pub lazy_free: u64,
    /// Page cache on the inactive list.
    #[serde(rename = "page_cache_inactive")]
    pub cache_inactive: Option<u64>,
    /// Page cache on the active list.
    #[serde(rename = "page_cache_active")]
    pub cache_active: Option<u64>,
    /// tmpfs, /dev/shm, SysV shared memory, memfd.
    #[serde(rename = "tmpfs")]
    pub shmem: Option<u64>,
    /// Parts of huge pages that no process maps any more.
    pub thp_hidden: u64,
    /// Kernel memory, as far as a row gives it.
    pub kernel: Option<u64>,
    /// Socket buffers (v2).
    pub sock: Option<u64>,
    /// Usage that is in none of the rows; none where rows are missing for the sum.
    pub unexplained: Option<u64>,
}

/// What the kernel could take back under pressure, bytes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Serialize)]
pub struct Reclaimable {
    /// At once: clean page cache.
    pub at_once: u64,
    /// After it was written out: dirty page cache.
    pub after_writing: u64,
    /// At once if it was not written again since MADV_FREE.
    pub lazy_free: u64,
    /// Kernel objects that can be dropped (v2 slab_reclaimable).
    pub slab: u64,
    /// Only with swap: anonymous memory and tmpfs.
    #[serde(rename = "with_swap_only")]
    pub with_swap: u64,
    /// Never: what is left of usage.
    pub never: u64,
}

impl Parts {
    /// Splits a reading.
    pub fn of(reading: &Reading) -> Parts {
        let view = reading.view();
        let version = reading.version.unwrap_or(CgroupVersion::V1);
        let bound = derive::usage_lower_bound(&reading.rows, version);
        // No part is larger than the whole.
        let largest = reading
            .rows
            .iter()
            .filter(|(name, _)| names::is_part(name))
            .map(|(_, value)| value)
            .max();
        let largest = largest.filter(|most| !is_unlimited(*most) && reading.scope == Scope::Cgroup);
        let bound = match reading.scope {
            Scope::Cgroup => {
                let least = Account::of(reading).get(Quantity::Usage).least;
                bound.max((least > 0 && view.usage.is_none()).then_some(least))
            }
            Scope::Node => bound.max(node_lists(reading)),
        };
        let bound = bound.max(largest).max(reading.working_set);
        // Below a MiB it is pages on their way to a list (batches of each CPU), not a finding.
        let found = |bytes: Option<u64>| bytes.filter(|bytes| *bytes >= 1 << 20).unwrap_or(0);
        let composition = Composition::of(&view);
        let lazy_free = found(composition.lazily_freed);
        // It is charged: no more than the rows leave of the usage.
        let rows = view
            .rss
            .unwrap_or(0)
            .saturating_add(view.cache.unwrap_or(0));
        let left = view
            .usage
            .map_or(u64::MAX, |usage| usage.saturating_sub(rows));
        let total = view.usage.or(bound).unwrap_or(0);
        // No part is larger than the least of the whole, where lists and sums contradict each other.
        let thp_hidden = found(composition.hidden).min(left).min(total);
        let in_lists = |list: Option<u64>, lazy: u64| list.map(|bytes| bytes.saturating_sub(lazy));
        // MADV_FREE puts pages on the inactive list; only what does not fit there is elsewhere.
        let lazy_inactive = lazy_free.min(view.inactive_file.unwrap_or(0));
        let parts = Parts {
            total,
            at_least: view.usage.is_none(),
            anon: view
                .rss
                .map(|rss| rss.saturating_sub(lazy_free))
                // tmpfs is on these lists too, as far as it fits into the account.
                .or_else(|| {
                    Some(anon_lists(&view)?.min(Account::of(reading).get(Quantity::Anon).most))
                }),
            anon_by_lists: view.rss.is_none(),
            lazy_free,
            cache_inactive: in_lists(view.inactive_file, lazy_inactive),
            cache_active: in_lists(view.active_file, lazy_free - lazy_inactive),
            shmem: view.shmem,
            thp_hidden,
            kernel: reading.kernel_in_usage(),
            sock: view.sock,
            unexplained: None,
        };
        Parts {
            unexplained: parts.rest(&view),
            ..parts
        }
    }

    /// Usage less every part that a row gives. Needs at least rss and the page cache.
    fn rest(&self, view: &View) -> Option<u64> {
        let usage = view.usage?;
        let cache = match view.cache {
            Some(cache) => cache,
            None => view
                .shmem?
                .saturating_add(self.cache_inactive?)
                .saturating_add(self.cache_active?),
        };
        let known = [
            view.rss?,
            cache,
            self.thp_hidden,
            self.kernel.unwrap_or(0),
            self.sock.unwrap_or(0),
        ];
        Some(known.into_iter().fold(usage, u64::saturating_sub))
    }

    /// Kernel memory and what is in no row: most of that is the kernel's, too.
    pub fn kernel_or_in_no_row(&self) -> u64 {
        let unexplained = self.unexplained.unwrap_or(0);
        self.kernel.unwrap_or(0).saturating_add(unexplained)
    }

    /// Page cache that is backed by files on a disk.
    pub fn file_cache(&self) -> u64 {
        self.cache_inactive
            .unwrap_or(0)
            .saturating_add(self.cache_active.unwrap_or(0))
    }

    /// A part's share of the total in percent.
    pub fn share(&self, part: u64) -> f64 {
        number::percent(part, self.total)
    }

    /// Whether a part is worth a sentence: at least 1 MiB and `percent` of the total. Below that
    /// per-CPU batches (256 KiB a CPU) and the floor of an empty cgroup (some 0.5 MiB) drown it.
    pub fn matters(&self, part: u64, percent: u64) -> bool {
        part >= 1 << 20 && number::reaches(part, self.total, percent)
    }

    /// What the kernel could take back of it.
    pub fn reclaimable(&self, reading: &Reading) -> Reclaimable {
        let view = reading.view();
        let get = |row: &str| reading.rows.get(row);
        let either = |row: &Row, of_node| row.of_either(get).max(get(of_node)).unwrap_or(0);
        let dirty = either(DIRTY, "node:Dirty").saturating_add(either(WRITEBACK, "node:Writeback"));
        // free and top give what is available in place of the lists.
        let available = get("node:MemAvailable").zip(get("node:MemFree"));
        let cache = match (self.cache_inactive, self.cache_active, available) {
            (None, None, Some((available, free))) => available.saturating_sub(free),
            _ => self.file_cache(),
        }
        .min(self.total);
        let after_writing = dirty.min(cache);
        let slab = view.slab_reclaimable.unwrap_or(0);
        let movable = self
            .anon
            .unwrap_or(0)
            .saturating_add(self.shmem.unwrap_or(0));
        let with_swap = if reading.swap_is_full() { 0 } else { movable };
        let taken = [cache, self.lazy_free, slab, with_swap];
        Reclaimable {
            at_once: cache - after_writing,
            after_writing,
            lazy_free: self.lazy_free,
            slab,
            with_swap,
            never: taken.into_iter().fold(self.total, u64::saturating_sub),
        }
    }

    /// What stays charged whatever the kernel does without swap. Lazily freed memory counts as
    /// staying: whether it was written again is not known, and an OOM kill is the dearer mistake.
    pub fn unreclaimable(&self, reading: &Reading) -> u64 {
        let slab = reading.view().slab_reclaimable.unwrap_or(0);
        self.total
            .saturating_sub(self.file_cache())
            .saturating_sub(slab)
    }
}

/// The least a machine has in use: the pages on its lists and its kernel objects.
fn node_lists(reading: &Reading) -> Option<u64> {
    let view = reading.view();
    let rows = [
        reading.rows.get("node:SUnreclaim"),
        view.slab_reclaimable,
        view.inactive_anon,
        view.active_anon,
        view.inactive_file,
        view.active_file,
    ];
    let lists = rows.into_iter().flatten().reduce(u64::saturating_add);
    lists.max(view.cache).max(view.rss).max(view.shmem)
}

/// Anonymous pages by the lists, where rss was cut. Shared memory is on them too.
fn anon_lists(view: &View) -> Option<u64> {
    let lists = view.inactive_anon?.saturating_add(view.active_anon?);
    Some(lists.saturating_sub(view.shmem.unwrap_or(0)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn reading(version: CgroupVersion, rows: &[(&str, u64)]) -> Reading {
        Reading {
            version: Some(version),
            rows: rows.iter().copied().collect(),
            ..Reading::default()
        }
    }

    #[test]
    fn lazily_freed_pages_are_neither_cache_nor_heap() {
        let reading = reading(
            CgroupVersion::V1,
            &[
                ("memory.usage_in_bytes", 134_742_016),
                ("total_cache", 4096),
                ("total_rss", 134_328_320),
                ("total_shmem", 0),
                ("total_inactive_file", 134_221_824),
                ("total_active_file", 0),
            ],
        );
        let parts = Parts::of(&reading);
        assert_eq!(parts.lazy_free, 134_217_728);
        assert_eq!(parts.cache_inactive, Some(4096));
        assert_eq!(parts.anon, Some(110_592));
        assert_eq!(parts.unreclaimable(&reading), 134_742_016 - 4096);
    }

    #[test]
    fn lists_above_their_sums_hide_no_more_than_the_whole() {
        let rows = [
            ("anon", 0),
            ("file", 0),
            ("inactive_anon", 7 << 30),
            ("active_file", 20 << 30),
        ];
        let reading = reading(CgroupVersion::V2, &rows);
        let parts = Parts::of(&reading);
        assert!(
            parts.at_least && parts.thp_hidden <= parts.total,
            "{parts:?}"
        );
    }

    proptest! {
        #[test]
        fn parts_never_exceed_what_they_are_parts_of(
            values in proptest::collection::vec(prop_oneof![0u64..1 << 40, any::<u64>()], 9),
            present in proptest::collection::vec(any::<bool>(), 9),
        ) {
            let names = ["memory.current", "anon", "file", "shmem", "inactive_file", "active_file", "kernel", "slab_reclaimable", "file_dirty"];
            let rows: Vec<_> = names.into_iter().zip(values).zip(present).filter_map(|(row, is)| is.then_some(row)).collect();
            let reading = reading(CgroupVersion::V2, &rows);
            let parts = Parts::of(&reading);
            let back = parts.reclaimable(&reading);
            prop_assert!(parts.unexplained.is_none_or(|rest| rest <= parts.total));
            prop_assert!(back.never <= parts.total);
            prop_assert!(parts.unreclaimable(&reading) <= parts.total);
        }
    }
}
