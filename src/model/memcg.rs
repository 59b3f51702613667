//! One memory cgroup: what is charged to it, and in which order it would be taken back.

use std::collections::BTreeMap;

use super::card::Rules;
use super::lists::{Extent, LAZY, Lists, extent, gaps};
use crate::host::Lru;

/// Bytes of a page.
pub const PAGE: u64 = 4096;

/// The least that reclaim takes at a time, pages (SWAP_CLUSTER_MAX, doubled by the charge batch).
const LEAST: u64 = 64;

/// A charge that did not fit although everything that could be taken was: the OOM killer's turn.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{missing} pages more than the limit allows")]
pub struct Full {
    /// Pages that were not charged.
    pub missing: u64,
}

/// Pages of a file that were reclaimed, and when: the `age` of the first of them.
#[derive(Debug, Clone, Copy)]
struct Shadow {
    start: u64,
    len: u64,
    age: u64,
}

/// What has been counted since the cgroup was made.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    /// Pages read back that had been reclaimed.
    pub refaults: u64,
    /// Charges that met the limit.
    pub at_limit: u64,
    /// Charges above memory.high.
    pub above_high: u64,
    /// Processes that the OOM killer ended.
    pub oom_kills: u64,
}

/// A cgroup's pages.
#[derive(Debug, Clone)]
pub struct Memcg {
    rules: Rules,
    limit: u64,
    anon: u64,
    lazy: u64,
    /// Of `lazy`, pages written again since: reclaim finds them in use.
    reused: u64,
    hidden: u64,
    shmem: u64,
    kernel: u64,
    dentries: u64,
    /// By file, the page after the last that has a tree node, and how many nodes there are.
    nodes: BTreeMap<u32, (u64, u64)>,
    node_count: u64,
    lists: Lists,
    shadows: BTreeMap<u32, Vec<Shadow>>,
    /// Evictions and activations so far (`nonresident_age`, mm/workingset.c).
    age: u64,
    /// What was counted.
    pub counts: Counts,
}

impl Memcg {
    /// An empty cgroup with a limit in bytes.
    pub fn new(rules: Rules, limit: u64) -> Self {
        let lists = if rules.lru == Lru::Classic { 2 } else { 4 };
        Memcg {
            rules,
            limit: limit / PAGE,
            anon: 0,
            lazy: 0,
            reused: 0,
            hidden: 0,
            shmem: 0,
            kernel: 0,
            dentries: 0,
            nodes: BTreeMap::new(),
            node_count: 0,
            lists: Lists::new(lists),
            shadows: BTreeMap::new(),
            age: 0,
            counts: Counts::default(),
        }
    }

    /// memory.current, bytes.
    pub fn usage(&self) -> u64 {
        let pages = self.anon + self.hidden + self.shmem + self.lists.pages();
        (pages + self.rules.stock) * PAGE + self.kernel_bytes()
    }

    /// `anon` of memory.stat, bytes: lazily freed pages are part of it until they are taken.
    pub fn anon(&self) -> u64 {
        (self.anon + self.lazy) * PAGE
    }

    /// `file` of memory.stat, bytes, shmem included.
    pub fn file(&self) -> u64 {
        (self.lists.pages() - self.lazy + self.shmem) * PAGE
    }

    /// `shmem` of memory.stat, bytes.
    pub fn shmem(&self) -> u64 {
        self.shmem * PAGE
    }

    /// `kernel` of memory.stat, bytes; 0 where kernel memory is not charged.
    pub fn kernel_bytes(&self) -> u64 {
        let cache =
            self.node_count * self.rules.node + self.lists.written() * self.rules.written_page;
        let other = match self.rules.kernel_charged {
            true => self.kernel + self.dentries,
            false => 0,
        };
        cache + other
    }

    /// `inactive_file`, bytes: the inactive list, or all but the two youngest generations.
    pub fn inactive_file(&self) -> u64 {
        let old = self.lists.count().saturating_sub(self.active_lists());
        (0..old).map(|list| self.lists.pages_of(list)).sum::<u64>() * PAGE
    }

    /// `active_file`, bytes.
    pub fn active_file(&self) -> u64 {
        self.lists.pages() * PAGE - self.inactive_file()
    }

    /// Lazily freed pages that are not in use again, and that reclaim has not taken.
    pub fn lazy_pages(&self) -> u64 {
        self.lazy - self.reused
    }

    /// Lazily freed pages that are in use again and that reclaim has not met yet.
    pub fn reused_pages(&self) -> u64 {
        self.reused
    }

    /// Pieces of huge pages that were given back and are charged still, bytes.
    pub fn hidden(&self) -> u64 {
        self.hidden * PAGE
    }

    /// Lazily freed pages on the lists, in use again or not, bytes.
    pub fn listed_lazy(&self) -> u64 {
        self.lazy * PAGE
    }

    /// The parts of a range of a file that are not cached here; nothing is used by asking.
    pub fn missing(&self, file: u32, start: u64, pages: u64) -> Vec<(u64, u64)> {
        let (from, to) = (start, start + pages);
        let here = self.lists.extents().filter(|e| e.file == file);
        let here = here.map(|e| (e.start.max(from), e.end().min(to)));
        gaps(here.filter(|(a, b)| a < b).collect(), from, to)
    }

    /// Charges kernel memory that nothing can take back, bytes.
    pub fn add_kernel(&mut self, bytes: u64) {
        self.kernel += bytes;
    }

    /// Gives such kernel memory back, bytes.
    pub fn drop_kernel(&mut self, bytes: u64) {
        self.kernel = self.kernel.saturating_sub(bytes);
    }

    /// Charges the kernel's memory of names that were looked up, bytes; reclaim can take it.
    pub fn add_dentries(&mut self, bytes: u64) {
        self.dentries += bytes;
        let over = self.usage().saturating_sub(self.limit * PAGE);
        if over > 0 {
            self.reclaim(over.div_ceil(PAGE));
        }
    }

    /// Drops the names that nobody uses.
    pub fn drop_dentries(&mut self) {
        self.dentries = 0;
    }

    /// Charges pages of anonymous memory.
    ///
    /// # Errors
    /// When nothing is left to take; what fitted is charged.
    pub fn add_anon(&mut self, pages: u64) -> Result<(), Full> {
        self.charge(pages, |memcg, part| memcg.anon += part)
    }

    /// Charges pages of a file in memory, whose records grow from `had` pages.
    ///
    /// # Errors
    /// As [`Memcg::add_anon`].
    pub fn add_shmem(&mut self, had: u64, pages: u64) -> Result<(), Full> {
        let node = self.rules.node;
        let mut at = had;
        self.charge(pages, |memcg, part| {
            memcg.shmem += part;
            memcg.kernel += ((at + part).div_ceil(64) - at.div_ceil(64)) * node;
            at += part;
        })
    }

    /// Gives pages of a file in memory back, the first of it.
    pub fn drop_shmem(&mut self, pages: u64) {
        self.shmem = self.shmem.saturating_sub(pages);
        self.drop_kernel(pages.div_ceil(64) * self.rules.node);
    }

    /// Gives pages of anonymous memory back for good.
    pub fn drop_anon(&mut self, pages: u64) {
        let listed = pages.saturating_sub(self.anon);
        self.anon = self.anon.saturating_sub(pages);
        if listed > 0 {
            self.drop_lazy(listed.min(self.reused), true);
        }
    }

    /// Gives pieces of huge pages back: they stay charged until reclaim splits the huge pages.
    pub fn hide(&mut self, pages: u64) {
        let part = pages.min(self.anon);
        self.anon -= part;
        if self.rules.thp_stays_whole {
            self.hidden += part;
        }
    }

    /// MADV_FREE: the pages stay in anon and go to the file pages' cold list; where the kernel has no
    /// such list they are gone.
    pub fn free_lazily(&mut self, pages: u64) {
        // What is in use again is on its list still: it only stops being in use.
        let again = pages.min(self.reused);
        self.reused -= again;
        let len = (pages - again).min(self.anon);
        self.anon -= len;
        if self.rules.lazyfree_list {
            let start = self.lazy;
            self.lazy += len;
            let list = self.new_list(false);
            self.lists.push(list, extent(LAZY, start, len, false));
        }
    }

    /// Writes to lazily freed pages again: nothing moves until reclaim meets them.
    pub fn reuse(&mut self, pages: u64) {
        self.reused = (self.reused + pages).min(self.lazy);
    }

    /// Gives lazily freed pages back for good; those in use again first if `reused`.
    pub fn drop_lazy(&mut self, pages: u64, reused: bool) {
        let mut left = pages.min(self.lazy);
        if reused {
            self.reused -= left.min(self.reused);
        }
        for list in 0..self.lists.count() {
            for e in self.lists.take(list) {
                let cut = if e.file == LAZY { left.min(e.len) } else { 0 };
                left -= cut;
                self.lazy -= cut;
                self.lists.push(list, e.cut(e.start + cut, e.end()));
            }
        }
        self.reused = self.reused.min(self.lazy);
    }

    /// Appends pages to a file with write(2). `twice`: each page is met by more than one write, which
    /// before 4.7 makes it active at once. `large`: so many bytes a write that large folios need no
    /// tree nodes.
    ///
    /// # Errors
    /// As [`Memcg::add_anon`].
    pub fn write(
        &mut self,
        file: u32,
        start: u64,
        pages: u64,
        twice: bool,
        large: bool,
    ) -> Result<(), Full> {
        let mut at = start;
        let nodes = !(large && self.rules.large_folios);
        self.charge(pages, |memcg, part| {
            let mut new = extent(file, at, part, true);
            new.referenced = memcg.rules.write_marks && !twice;
            let list = memcg.new_list(memcg.rules.write_marks && twice);
            memcg.lists.push(list, new);
            at += part;
            if nodes {
                memcg.grow_nodes(file, at - part, at);
            }
        })
    }

    /// Reads pages that are cached here, once each, in order; returns the ranges that are not.
    pub fn read(&mut self, file: u32, start: u64, pages: u64) -> Vec<(u64, u64)> {
        let (from, to) = (start, start + pages);
        if self.read_newest(file, from, to) {
            return Vec::new();
        }
        let mut here: Vec<(u64, u64)> = Vec::new();
        let mut promoted = Vec::new();
        let classic = self.rules.lru == Lru::Classic;
        for list in 0..self.lists.count() {
            let touched = self.lists_have(list, file, from, to);
            if !touched {
                continue;
            }
            for e in self.lists.take(list) {
                let (a, b) = (e.start.max(from), e.end().min(to));
                if e.file != file || a >= b {
                    self.lists.push(list, e);
                    continue;
                }
                here.push((a, b));
                self.lists.push(list, e.cut(e.start, a));
                let read = e.cut(a, b);
                if classic && list == 0 && e.referenced {
                    promoted.push(read);
                } else {
                    let referenced = e.referenced || classic;
                    self.lists.push(list, Extent { referenced, ..read });
                }
                self.lists.push(list, e.cut(b, e.end()));
            }
        }
        promoted.sort_by_key(|e| e.start);
        for e in promoted {
            self.age += e.len;
            let referenced = false;
            self.lists.push(1, Extent { referenced, ..e });
        }
        gaps(here, from, to)
    }

    /// The same where the pages are the newest of a list, as the end of a log is: no need to look at the
    /// others.
    fn read_newest(&mut self, file: u32, from: u64, to: u64) -> bool {
        for list in 0..self.lists.count() {
            let Some(read) = self.lists.pop_newest(list, file, from, to) else {
                continue;
            };
            let classic = self.rules.lru == Lru::Classic;
            let promoted = classic && list == 0 && read.referenced;
            self.age += if promoted { read.len } else { 0 };
            let referenced = !promoted && (classic || read.referenced);
            let list = if promoted { 1 } else { list };
            self.lists.push(list, Extent { referenced, ..read });
            return true;
        }
        false
    }

    /// Reads pages of a file from the disk.
    ///
    /// # Errors
    /// As [`Memcg::add_anon`].
    pub fn read_in(&mut self, file: u32, start: u64, pages: u64, mapped: bool) -> Result<(), Full> {
        let refaulted = self.refault(file, start, pages);
        let classic = self.rules.lru == Lru::Classic;
        let nodes = !self.rules.large_folios;
        let mut at = start;
        self.charge(pages, |memcg, part| {
            let mut new = extent(file, at, part, false);
            new.referenced = classic && !mapped;
            let active = at >= refaulted;
            let list = match (classic, mapped) {
                (true, _) => usize::from(active),
                // A page fault adds to the youngest generation.
                (false, true) => memcg.lists.count() - 1,
                (false, false) => memcg.new_list(false),
            };
            if active && classic {
                memcg.age += part;
            }
            memcg.lists.push(list, new);
            at += part;
            if nodes {
                memcg.grow_nodes(file, at - part, at);
            }
        })
    }

    /// Drops a file's pages and records: unlink, truncate, or DONTNEED of clean pages.
    pub fn drop_file(&mut self, file: u32) {
        if let Some((_, nodes)) = self.nodes.remove(&file) {
            self.node_count -= nodes;
        }
        self.shadows.remove(&file);
        for list in 0..self.lists.count() {
            if !self.lists_have(list, file, 0, u64::MAX) {
                continue;
            }
            for e in self.lists.take(list) {
                if e.file != file {
                    self.lists.push(list, e);
                }
            }
        }
    }

    /// The lists, for checks.
    pub fn lists(&self) -> &Lists {
        &self.lists
    }

    fn lists_have(&self, list: usize, file: u32, from: u64, to: u64) -> bool {
        self.lists
            .of(list)
            .any(|e| e.file == file && e.start < to && e.end() > from)
    }

    fn grow_nodes(&mut self, file: u32, from: u64, to: u64) {
        let (known, nodes) = self.nodes.entry(file).or_insert((from / 64 * 64, 0));
        if to > *known {
            let more = to.div_ceil(64) - known.div_ceil(64);
            self.node_count += more;
            *nodes += more;
            *known = to;
        }
    }

    /// The page of the range from which on what is read back counts as active: it was reclaimed so
    /// short a time ago that it would have stayed on lists as long as the active one.
    fn refault(&mut self, file: u32, start: u64, pages: u64) -> u64 {
        let to = start + pages;
        let Some(shadows) = self.shadows.get_mut(&file) else {
            return u64::MAX;
        };
        if !self.rules.refaults {
            return u64::MAX;
        }
        let active = self.lists.pages_of(1);
        let mut first = u64::MAX;
        let mut kept = Vec::new();
        for s in std::mem::take(shadows) {
            let (a, b) = (s.start.max(start), (s.start + s.len).min(to));
            if a >= b {
                kept.push(s);
                continue;
            }
            self.counts.refaults += b - a;
            // Page p went at age s.age + (p - s.start): its distance is now - that.
            let near = s.start + (self.age.saturating_sub(active)).saturating_sub(s.age);
            if near < b {
                first = first.min(near.max(a));
            }
            if s.start < a {
                kept.push(Shadow {
                    len: a - s.start,
                    ..s
                });
            }
            if b < s.start + s.len {
                kept.push(Shadow {
                    start: b,
                    len: s.start + s.len - b,
                    age: s.age + (b - s.start),
                });
            }
        }
        *shadows = kept;
        first
    }

    fn active_lists(&self) -> usize {
        if self.rules.lru == Lru::Classic { 1 } else { 2 }
    }

    /// Where a page that is new to the lists goes.
    fn new_list(&self, active: bool) -> usize {
        match self.rules.lru {
            Lru::Classic => usize::from(active),
            Lru::Mglru => usize::from(self.rules.new_is_second && self.lists.count() > 3),
        }
    }

    /// Charges in pieces, so that what is taken back and what comes stay in the kernel's order.
    fn charge(&mut self, pages: u64, mut add: impl FnMut(&mut Self, u64)) -> Result<(), Full> {
        let mut left = pages;
        while left > 0 {
            let room = self.limit.saturating_sub(self.usage().div_ceil(PAGE));
            let spare = room.saturating_sub(self.rules.gap);
            // A page of cache costs up to 1/32 of a page of kernel memory with it.
            let part = (spare - spare / 32).min(left);
            if part > 0 {
                add(self, part);
                left -= part;
                continue;
            }
            self.counts.at_limit += 1;
            let piece = (self.lists.pages_of(0) / 8).max(LEAST);
            let listed = self.lists.pages();
            let freed = self.reclaim(piece.min(left.max(LEAST)));
            // What was in use again left the lists without being freed, and behind it there may be more.
            if freed > 0 || self.lists.pages() < listed {
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

    /// Takes up to `pages` back; returns how many it got.
    pub fn reclaim(&mut self, pages: u64) -> u64 {
        let split = std::mem::take(&mut self.hidden);
        let before = self.lists.pages();
        self.shrink_dentries(pages, before);
        self.age_lists(pages);
        let (mut left, mut back) = (pages, 0);
        while left > 0 {
            let Some(oldest) = self.lists.pop(0, left) else {
                break;
            };
            left -= oldest.len;
            match oldest.file {
                LAZY => back += self.take_lazy(oldest.len),
                file => self.evict(file, oldest),
            }
        }
        let freed = before - self.lists.pages() - back;
        split + freed
    }

    fn evict(&mut self, file: u32, e: Extent) {
        let shadows = self.shadows.entry(file).or_default();
        match shadows.last_mut() {
            Some(last) if last.start + last.len == e.start && last.age + last.len == self.age => {
                last.len += e.len;
            }
            _ => shadows.push(Shadow {
                start: e.start,
                len: e.len,
                age: self.age,
            }),
        }
        self.age += e.len;
    }

    /// Lazily freed pages that were written again go back to anon; the others are gone.
    fn take_lazy(&mut self, pages: u64) -> u64 {
        let back = pages.min(self.reused);
        self.reused -= back;
        self.anon += back;
        self.lazy -= pages;
        back
    }

    /// Names are taken in twice the proportion of the lists (`do_shrink_slab`, mm/shrinker.c).
    fn shrink_dentries(&mut self, pages: u64, all: u64) {
        let share = (2 * pages).min(all.max(1));
        self.dentries -= self.dentries * share / all.max(1);
    }

    fn age_lists(&mut self, pages: u64) {
        if self.rules.lru == Lru::Mglru {
            self.age_generations();
            return;
        }
        let (inactive, active) = (self.lists.pages_of(0), self.lists.pages_of(1));
        // The ratio of `inactive_is_low`: floor(sqrt(10 x GiB)), 1 below 1 GiB.
        let gib = ((inactive + active) * PAGE) >> 30;
        let ratio = (10 * gib).isqrt().max(1);
        if inactive * ratio >= active {
            return;
        }
        let balance = (active - inactive * ratio) / (1 + ratio) + 1;
        let share = match (self.rules.balances_at_once, inactive < LEAST) {
            (true, true) => pages.saturating_sub(inactive),
            (true, false) => balance,
            (false, _) => (pages * active)
                .checked_div(inactive)
                .unwrap_or(active / 32)
                .max(LEAST),
        };
        let mut left = balance.min(share);
        while let Some(e) = self.lists.pop(1, left) {
            left -= e.len;
            let referenced = false;
            self.lists.push(0, Extent { referenced, ..e });
        }
    }

    /// An empty oldest generation ends until two are left; then reclaim makes a new youngest one
    /// first (`try_to_inc_min_seq`, `should_run_aging`, mm/vmscan.c).
    fn age_generations(&mut self) {
        while self.lists.count() > 2 && self.lists.end_oldest() {}
        let all = self.lists.pages();
        let young = self.lists.pages_of(self.lists.count() - 1);
        let uneven =
            self.lists.count() == 3 && (young * 2 > all || self.lists.pages_of(0) * 4 < all);
        if all > 0 && (self.lists.count() <= 2 || uneven) {
            self.lists.add_youngest();
        }
        // With only the youngest generations left the oldest may be empty still.
        while self.lists.count() > 2 && self.lists.end_oldest() {}
    }
}
