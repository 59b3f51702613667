//! One memory cgroup: what is charged to it, and in which order it would be taken back.

use std::collections::{BTreeMap, VecDeque};

use super::Card;
use super::list::{Extent, List};
use crate::host::Lru;

/// Bytes of a page.
const PAGE: u64 = 4096;

/// The least that reclaim takes at a time, pages (SWAP_CLUSTER_MAX, doubled by the charge batch).
const LEAST: u64 = 64;

/// Whose pages stand for lazily freed memory: no file has this number.
const LAZY: u32 = u32::MAX;

/// A charge that did not fit although everything that could be taken was: the OOM killer's turn.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{missing} pages more than the limit allows")]
pub struct Full {
    /// Pages that were not charged.
    pub missing: u64,
}

/// A cgroup's pages. Lists are by generation, youngest last; with the classic LRU there are two,
/// inactive and active. A list's newest extent is its last.
#[derive(Debug, Clone)]
pub struct Memcg {
    card: Card,
    limit: u64,
    anon: u64,
    lazy: u64,
    /// Of `lazy`, pages written again since: reclaim finds them in use.
    reused: u64,
    hidden: u64,
    shmem: u64,
    kernel: u64,
    nodes: BTreeMap<u32, u64>,
    /// Tree nodes of all files: what `nodes` sums up to.
    node_count: u64,
    lists: VecDeque<List>,
}

impl Memcg {
    /// An empty cgroup with a limit in bytes.
    pub fn new(card: Card, limit: u64) -> Self {
        let lists = if card.lru == Lru::Classic { 2 } else { 4 };
        Memcg {
            card,
            limit: limit / PAGE,
            anon: 0,
            lazy: 0,
            reused: 0,
            hidden: 0,
            shmem: 0,
            kernel: 0,
            nodes: BTreeMap::new(),
            node_count: 0,
            lists: vec![List::default(); lists].into(),
        }
    }

    /// memory.current, bytes.
    pub fn usage(&self) -> u64 {
        let pages = self.anon + self.lazy + self.hidden + self.shmem + self.file_pages();
        (pages + self.card.stock) * PAGE + self.kernel_bytes()
    }

    /// `anon` of memory.stat, bytes: lazily freed pages are part of it until they are taken.
    pub fn anon(&self) -> u64 {
        (self.anon + self.lazy) * PAGE
    }

    /// `file` of memory.stat, bytes, shmem included.
    pub fn file(&self) -> u64 {
        (self.file_pages() + self.shmem) * PAGE
    }

    /// `kernel` of memory.stat, bytes.
    pub fn kernel_bytes(&self) -> u64 {
        let written: u64 = self.lists.iter().map(List::written).sum();
        self.kernel + self.node_count * self.card.node + written * self.card.written_page
    }

    /// `inactive_file`, bytes: the inactive list, or all but the two youngest generations.
    pub fn inactive_file(&self) -> u64 {
        let old = self.lists.len().saturating_sub(self.active_lists());
        self.lists.iter().take(old).map(List::pages).sum::<u64>() * PAGE
    }

    /// `active_file`, bytes.
    pub fn active_file(&self) -> u64 {
        (self.file_pages() + self.lazy) * PAGE - self.inactive_file()
    }

    /// Charges kernel memory that nothing can take back, bytes.
    pub fn add_kernel(&mut self, bytes: u64) {
        self.kernel += bytes;
    }

    /// Charges pages of anonymous memory.
    ///
    /// # Errors
    /// When nothing is left to take; what fitted is charged.
    pub fn add_anon(&mut self, pages: u64) -> Result<(), Full> {
        self.charge(pages, |memcg, part| memcg.anon += part)
    }

    /// Charges pages of a file in memory.
    ///
    /// # Errors
    /// As [`Memcg::add_anon`].
    pub fn add_shmem(&mut self, pages: u64) -> Result<(), Full> {
        self.charge(pages, |memcg, part| memcg.shmem += part)
    }

    /// Gives pages of anonymous memory back for good.
    pub fn drop_anon(&mut self, pages: u64) {
        self.anon = self.anon.saturating_sub(pages);
    }

    /// Gives pieces of huge pages back: they stay charged until reclaim splits the huge pages.
    pub fn hide(&mut self, pages: u64) {
        let part = pages.min(self.anon);
        self.anon -= part;
        self.hidden += part;
    }

    /// MADV_FREE: the pages stay in anon and go to the file pages' cold list.
    pub fn free_lazily(&mut self, pages: u64) {
        // What is in use again stands on its list still: it only stops being in use.
        let again = pages.min(self.reused);
        self.reused -= again;
        let part = (pages - again).min(self.anon);
        self.anon -= part;
        if self.card.lazyfree_list {
            let start = self.lazy;
            self.lazy += part;
            let list = self.new_list(false);
            self.push(list, extent(LAZY, start, part, false));
        }
    }

    /// Lazily freed pages that are neither taken nor in use again.
    pub fn idle_lazy(&self) -> u64 {
        self.lazy - self.reused
    }

    /// Writes to lazily freed pages again: nothing moves until reclaim meets them.
    pub fn reuse(&mut self, pages: u64) {
        self.reused = (self.reused + pages).min(self.lazy);
    }

    /// Appends pages to a file with writes of `unit` bytes.
    ///
    /// # Errors
    /// As [`Memcg::add_anon`].
    pub fn write(&mut self, file: u32, start: u64, pages: u64, unit: u64) -> Result<(), Full> {
        // Before 4.7 each write is a use: a page's second one makes it active.
        let twice = self.card.write_marks && unit < PAGE;
        let mut at = start;
        self.charge(pages, |memcg, part| {
            let mut new = extent(file, at, part, true);
            new.referenced = memcg.card.write_marks;
            let list = memcg.new_list(twice);
            memcg.push(list, new);
            at += part;
            let known = memcg.nodes.entry(file).or_default();
            let before = known.div_ceil(64);
            *known = (*known).max(at);
            memcg.node_count += known.div_ceil(64) - before;
        })
    }

    /// Reads pages that are cached, once each, in order. Those that are not are left out.
    pub fn read(&mut self, file: u32, start: u64, pages: u64) {
        if self.card.lru == Lru::Mglru {
            return;
        }
        let range = (start, start + pages);
        let mut promoted = Vec::new();
        for list in 0..2 {
            if !self.lists[list].iter().any(|e| overlaps(e, file, range)) {
                continue;
            }
            let old = std::mem::take(&mut self.lists[list]);
            for e in old {
                if !overlaps(&e, file, range) {
                    self.push(list, e);
                    continue;
                }
                let (from, to) = (e.start.max(range.0), (e.start + e.len).min(range.1));
                self.push(list, cut(e, e.start, from));
                let read = cut(e, from, to);
                match list == 0 && e.referenced {
                    true => promoted.push(read),
                    false => self.push(
                        list,
                        Extent {
                            referenced: true,
                            ..read
                        },
                    ),
                }
                self.push(list, cut(e, to, e.start + e.len));
            }
        }
        promoted.sort_by_key(|e| e.start);
        for e in promoted {
            self.push(
                1,
                Extent {
                    referenced: false,
                    ..e
                },
            );
        }
    }

    /// Drops a file's pages and records: unlink, truncate, or DONTNEED of clean pages.
    pub fn drop_file(&mut self, file: u32) {
        let known = self.nodes.remove(&file).unwrap_or(0);
        self.node_count -= known.div_ceil(64);
        for list in &mut self.lists {
            list.drop_file(file);
        }
    }

    /// Pages on the lists, lazily freed ones included.
    fn listed(&self) -> u64 {
        self.lists.iter().map(List::pages).sum()
    }

    fn file_pages(&self) -> u64 {
        self.listed() - self.lazy
    }

    fn active_lists(&self) -> usize {
        if self.card.lru == Lru::Classic { 1 } else { 2 }
    }

    /// Where a page that is new to the lists goes.
    fn new_list(&self, active: bool) -> usize {
        match self.card.lru {
            Lru::Classic => usize::from(active),
            Lru::Mglru => usize::from(self.card.new_is_second && self.lists.len() > 3),
        }
    }

    fn push(&mut self, list: usize, new: Extent) {
        if let Some(list) = self.lists.get_mut(list) {
            list.push(new);
        }
    }

    /// Charges in pieces, so that what is taken back and what comes stay in the kernel's order.
    fn charge(&mut self, pages: u64, mut add: impl FnMut(&mut Self, u64)) -> Result<(), Full> {
        let mut left = pages;
        while left > 0 {
            let room = self.limit.saturating_sub(self.usage().div_ceil(PAGE));
            let spare = room.saturating_sub(self.card.gap);
            // A page of cache costs up to 1/32 of a page of kernel memory with it.
            let part = (spare - spare / 32).min(left);
            if part > 0 {
                add(self, part);
                left -= part;
                continue;
            }
            let piece = (self.lists.front().map_or(0, List::pages) / 8).max(LEAST);
            if self.reclaim(piece.min(left.max(LEAST))) > 0 {
                continue;
            }
            let part = room.min(left);
            add(self, part);
            left -= part;
            if left > 0 {
                return Err(Full { missing: left });
            }
        }
        Ok(())
    }

    /// Takes up to `pages` back; says how many it got.
    pub fn reclaim(&mut self, pages: u64) -> u64 {
        let split = std::mem::take(&mut self.hidden);
        let before = self.listed() + self.reused;
        self.age(pages);
        let mut left = pages;
        while left > 0 {
            let Some(mut oldest) = self.lists.front_mut().and_then(List::pop_oldest) else {
                break;
            };
            let part = left.min(oldest.len);
            if oldest.file == LAZY {
                self.take_lazy(part);
            }
            left -= part;
            oldest.start += part;
            oldest.len -= part;
            if oldest.len > 0 {
                self.lists[0].put_oldest(oldest);
            }
        }
        let after = self.listed() + self.reused;
        split + before.saturating_sub(after)
    }

    /// Lazily freed pages that were written again go back to anon; the others are gone.
    fn take_lazy(&mut self, pages: u64) {
        let back = pages.min(self.reused);
        self.reused -= back;
        self.anon += back;
        self.lazy -= pages;
    }

    fn age(&mut self, pages: u64) {
        if self.card.lru == Lru::Mglru {
            self.age_generations();
            return;
        }
        let (inactive, active) = (self.lists[0].pages(), self.lists[1].pages());
        // The ratio of `inactive_is_low` for less than 10 GiB: floor(sqrt(10 x GiB)), 1 below 1 GiB.
        let gib = ((inactive + active) * PAGE) >> 30;
        let ratio = (10 * gib).isqrt().max(1);
        if inactive * ratio >= active {
            return;
        }
        let balance = (active - inactive * ratio) / (1 + ratio) + 1;
        let share = (pages * active)
            .checked_div(inactive)
            .unwrap_or(active / 32);
        let mut left = balance.min(share.max(LEAST));
        while left > 0 {
            let Some(mut e) = self.lists[1].pop_oldest() else {
                return;
            };
            let part = left.min(e.len);
            self.push(
                0,
                Extent {
                    referenced: false,
                    ..cut(e, e.start, e.start + part)
                },
            );
            left -= part;
            e.start += part;
            e.len -= part;
            if e.len > 0 {
                self.lists[1].put_oldest(e);
            }
        }
    }

    /// An empty oldest generation ends until two are left; then reclaim makes a new youngest one
    /// first (`try_to_inc_min_seq`, `should_run_aging`, mm/vmscan.c).
    fn age_generations(&mut self) {
        while self.lists.len() > 2 && self.lists[0].is_empty() {
            self.lists.pop_front();
        }
        let all: u64 = self.listed();
        let young = self.lists.back().map_or(0, List::pages);
        let uneven = self.lists.len() == 3 && (young * 2 > all || self.lists[0].pages() * 4 < all);
        if all > 0 && (self.lists.len() <= 2 || uneven) {
            self.lists.push_back(List::default());
        }
    }
}

fn overlaps(e: &Extent, file: u32, range: (u64, u64)) -> bool {
    e.file == file && e.start.max(range.0) < (e.start + e.len).min(range.1)
}

fn extent(file: u32, start: u64, len: u64, written: bool) -> Extent {
    Extent {
        file,
        start,
        len,
        referenced: false,
        written,
    }
}

/// The part of an extent from one page to before another.
fn cut(e: Extent, from: u64, to: u64) -> Extent {
    Extent {
        start: from,
        len: to.saturating_sub(from),
        ..e
    }
}
