//! One memory cgroup: what is charged to it, and in which order it would be taken back.

mod reclaim;

use std::collections::BTreeMap;

use super::card::Rules;
use super::lists::{Extent, LAZY, Lists, Part, extent, gaps};
use crate::host::Lru;

pub use reclaim::{FIRST_PRIORITY, WANTED};

/// Bytes of a page.
pub const PAGE: u64 = 4096;

/// Kernel memory of a name that was looked up, bytes: a dentry of 192 and its owner's pointer.
const DENTRY: u64 = 200;

/// The least that reclaim takes at a time, pages (SWAP_CLUSTER_MAX, doubled by the charge batch).
pub const LEAST: u64 = 64;

/// How a page of a file comes into memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum By {
    /// By read(2): that is its first use.
    Read,
    /// By a touch of a mapping.
    Touch,
    /// Read ahead, and used by nobody.
    Ahead,
}

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

/// The tree nodes of a file.
#[derive(Debug, Clone, Copy)]
struct Nodes {
    file: u32,
    /// The page after the last that has one.
    known: u64,
    count: u64,
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
    /// In the order of files.
    nodes: Vec<Nodes>,
    node_count: u64,
    lists: Lists,
    shadows: BTreeMap<u32, Vec<Shadow>>,
    /// Evictions and activations so far (`nonresident_age`, mm/workingset.c).
    age: u64,
    /// Anonymous pages charged since a page was last written to a file in lines; more than any limit where none was.
    since_lines: u64,
    /// Room for what a read finds, kept so that none is asked for each time.
    found: Vec<Part>,
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
            nodes: Vec::new(),
            node_count: 0,
            lists: Lists::new(lists),
            shadows: BTreeMap::new(),
            age: 0,
            since_lines: u64::MAX / 2,
            found: Vec::new(),
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
        self.lists.pages_of_all_but(self.active_lists()) * PAGE
    }

    /// `active_file`, bytes.
    pub fn active_file(&self) -> u64 {
        self.file_lists().1
    }

    /// `inactive_file` and `active_file`, bytes.
    pub fn file_lists(&self) -> (u64, u64) {
        let inactive = self.inactive_file();
        (inactive, self.lists.pages() * PAGE - inactive)
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

    /// Charges kernel memory that nothing can take back, bytes.
    pub fn add_kernel(&mut self, bytes: u64) {
        self.kernel += bytes;
    }

    /// Gives such kernel memory back, bytes.
    pub fn drop_kernel(&mut self, bytes: u64) {
        self.kernel = self.kernel.saturating_sub(bytes);
    }

    /// Charges the kernel's memory of names that were looked up; reclaim can take it.
    pub fn add_dentries(&mut self, names: u64) {
        self.dentries += names * DENTRY;
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
        self.since_lines += pages;
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
        let pages = pages.min(self.lazy);
        if reused {
            self.reused -= pages.min(self.reused);
        }
        self.lazy -= self.lists.remove_lazy(pages);
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
        if twice {
            self.since_lines = 0;
        }
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

    /// Whether a read of what is cached changes anything: with generations it moves nothing.
    pub fn reads_move(&self) -> bool {
        self.rules.lru == Lru::Classic && self.rules.read_promotes
    }

    /// Reads pages that are cached here, once each, in order; returns the ranges that are not.
    pub fn read(&mut self, file: u32, start: u64, pages: u64) -> Vec<(u64, u64)> {
        let uses = self.reads_move();
        self.with(file, start, pages, |memcg, parts| {
            if uses {
                memcg.use_again(parts);
            }
        })
    }

    /// Touches pages that are cached here through a mapping; returns the ranges that are not.
    pub fn touch(&mut self, file: u32, start: u64, pages: u64) -> Vec<(u64, u64)> {
        self.with(file, start, pages, |memcg, parts| {
            for part in parts {
                memcg.lists.mark(part, part.pages.referenced, true);
            }
        })
    }

    /// The ranges of a file that are not cached here; nothing is used by asking.
    pub fn missing(&mut self, file: u32, start: u64, pages: u64) -> Vec<(u64, u64)> {
        self.with(file, start, pages, |_, _| {})
    }

    /// Ends a mapping of pages: what was touched since reclaim last looked counts as used once
    /// (`zap_pte_range`, mm/memory.c).
    pub fn unmap(&mut self, file: u32, start: u64, pages: u64) {
        let uses = self.rules.lru == Lru::Classic;
        self.with(file, start, pages, |memcg, parts| {
            let young: Vec<Part> = parts.iter().filter(|p| p.pages.young).copied().collect();
            for part in &young {
                memcg.lists.mark(part, part.pages.referenced, false);
            }
            // The places have changed with the marks.
            let ranges = young.into_iter().map(|p| (p.pages.start, p.pages.len));
            for (start, len) in ranges.filter(|_| uses) {
                let mut again = Vec::new();
                memcg.lists.find(file, start, start + len, &mut again);
                memcg.use_again(&again);
            }
        });
    }

    fn with(
        &mut self,
        file: u32,
        start: u64,
        pages: u64,
        change: impl FnOnce(&mut Self, &[Part]),
    ) -> Vec<(u64, u64)> {
        let (from, to) = (start, start + pages);
        let mut parts = std::mem::take(&mut self.found);
        let found = self.lists.find(file, from, to, &mut parts);
        change(self, &parts);
        let missing = match found == pages {
            true => Vec::new(),
            false => {
                let here = parts
                    .iter()
                    .map(|part| (part.pages.start, part.pages.end()));
                gaps(here.collect(), from, to)
            }
        };
        self.found = parts;
        missing
    }

    /// A use of pages on the classic lists: the first marks an inactive page, the second makes it
    /// active.
    fn use_again(&mut self, parts: &[Part]) {
        let mut promoted = Vec::new();
        for part in parts {
            if part.list == 0 && part.pages.referenced {
                self.lists.remove(part);
                promoted.push(part.pages);
            } else {
                self.lists.mark(part, true, part.pages.young);
            }
        }
        promoted.sort_unstable_by_key(|e| e.start);
        for e in promoted {
            self.age += e.len;
            let referenced = false;
            self.lists.push(1, Extent { referenced, ..e });
        }
    }

    /// Reads pages of a file from the disk.
    ///
    /// # Errors
    /// As [`Memcg::add_anon`].
    pub fn read_in(&mut self, file: u32, start: u64, pages: u64, by: By) -> Result<(), Full> {
        let refaulted = self.refault(file, start, pages);
        let classic = self.rules.lru == Lru::Classic;
        let nodes = !self.rules.large_folios;
        let mut at = start;
        self.charge(pages, |memcg, part| {
            let mut new = extent(file, at, part, false);
            new.referenced = classic && by == By::Read;
            new.young = by == By::Touch;
            let active = at >= refaulted;
            let list = match (classic, by) {
                (true, _) => usize::from(active),
                // A page fault adds to the youngest generation.
                (false, By::Touch) => memcg.lists.count() - 1,
                (false, _) => memcg.new_list(false),
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
        if let Ok(at) = self.nodes.binary_search_by_key(&file, |nodes| nodes.file) {
            self.node_count -= self.nodes.remove(at).count;
        }
        self.shadows.remove(&file);
        self.lists.remove_file(file);
    }

    /// The lists, for checks.
    pub fn lists(&self) -> &Lists {
        &self.lists
    }

    fn grow_nodes(&mut self, file: u32, from: u64, to: u64) {
        let last = self.nodes.len().wrapping_sub(1);
        // Most often the newest file grows.
        let at = match self.nodes.get(last) {
            Some(nodes) if nodes.file == file => last,
            _ => self.nodes_of(file, from),
        };
        let nodes = &mut self.nodes[at];
        if to > nodes.known {
            let more = to.div_ceil(64) - nodes.known.div_ceil(64);
            self.node_count += more;
            nodes.count += more;
            nodes.known = to;
        }
    }

    /// The place of a file's nodes, made where there are none before the page `from`.
    fn nodes_of(&mut self, file: u32, from: u64) -> usize {
        let found = self.nodes.binary_search_by_key(&file, |nodes| nodes.file);
        found.unwrap_or_else(|at| {
            let known = from / 64 * 64;
            let count = 0;
            self.nodes.insert(at, Nodes { file, known, count });
            at
        })
    }

    /// The page of the range from which on what is read back counts as active: it was reclaimed so
    /// short a time ago that it would have stayed on lists as long as the active one.
    fn refault(&mut self, file: u32, start: u64, pages: u64) -> u64 {
        let to = start + pages;
        let Some(shadows) = self.shadows.get_mut(&file) else {
            return u64::MAX;
        };
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
}
