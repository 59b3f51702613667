//! Reclaim: what happens when a charge does not fit.

use super::{DENTRY, Full, LEAST, Memcg, PAGE, Shadow};
use crate::host::Lru;
use crate::model::lists::{Extent, LAZY};

/// Pages that reclaim wants at a time (`SWAP_CLUSTER_MAX`, include/linux/swap.h).
pub const WANTED: u64 = 32;
/// The smallest part of the lists that is looked at: one of two to the power of this (`DEF_PRIORITY`, include/linux/mmzone.h).
pub const FIRST_PRIORITY: u32 = 12;
/// Pages of a folio where they are large: what a write of 64 KiB makes.
const FOLIO: u64 = 16;
/// Names are dropped so many at a time (`alloc_super`, fs/super.c), or all, where there are fewer.
const NAMES_AT_ONCE: u64 = 1024;

impl Memcg {
    /// Charges in pieces, so that what is taken back and what comes stay in the kernel's order.
    pub(super) fn charge(
        &mut self,
        pages: u64,
        mut add: impl FnMut(&mut Self, u64),
    ) -> Result<(), Full> {
        let mut left = pages;
        while left > 0 {
            let room = self.limit.saturating_sub(self.usage().div_ceil(PAGE));
            let spare = room.saturating_sub(self.rules.gap);
            // A page of cache costs up to 1/32 of a page of kernel memory with it.
            let part = (spare - spare / 32).min(left);
            if part == left || part >= LEAST {
                add(self, part);
                left -= part;
                continue;
            }
            self.counts.at_limit += 1;
            // So much that what comes fits with its kernel memory, but no more than an eighth of the
            // list: then the lists' order is the kernel's, who takes a few pages at a time.
            let from = match self.rules.balances_at_once && self.lists.pages_of(0) < LEAST {
                true => self.lists.pages(),
                false => self.lists.pages_of(0),
            };
            let wanted = (left + left / 31 + 1).min(from / 8).max(LEAST);
            if self.reclaim(wanted) > 0 {
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

    /// The part of its lists that one pass of reclaim at `priority` looks at, pages: at most what is wanted, and at least
    /// a folio where it is any (`get_scan_count`, `isolate_lru_folios`, mm/vmscan.c); with generations a batch of 64
    /// (`scan_folios`, up to 6.12).
    pub fn part(&self, priority: u32) -> u64 {
        // An empty inactive list is filled from the active one.
        let inactive = match self.lists.pages_of(0) {
            0 => self.lists.pages(),
            inactive => inactive,
        };
        let (pages, least) = match self.rules.lru {
            Lru::Mglru => (self.lists.pages(), 64),
            Lru::Classic if self.rules.large_folios => (inactive, FOLIO),
            Lru::Classic => (inactive, 1),
        };
        match pages >> priority {
            0 => 0,
            part => part.min(WANTED).max(least),
        }
    }

    /// Takes up to `pages` back; returns how many it got. None only if nothing is left: what is in use
    /// stays or goes back to anon, and behind it there may be more.
    pub fn reclaim(&mut self, pages: u64) -> u64 {
        loop {
            let freed = self.shrink(pages);
            if freed > 0 || pages == 0 || self.lists.pages() == 0 {
                return freed;
            }
        }
    }

    fn shrink(&mut self, pages: u64) -> u64 {
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
                _ if oldest.young => self.keep(oldest),
                file => self.evict(file, oldest),
            }
        }
        if self.rules.lru == Lru::Mglru {
            self.end_generations();
        }
        self.forget_nodes();
        let freed = before - self.lists.pages() - back;
        split + freed
    }

    /// Reclaim that was asked for more than there is: with generations it makes a new one in the end
    /// (`get_nr_to_scan` at a priority below the first, mm/vmscan.c), so that three are left and new
    /// pages are inactive.
    pub fn look_in_vain(&mut self) {
        if self.rules.lru == Lru::Mglru && self.lists.count() <= 2 {
            self.lists.add_youngest();
        }
    }

    /// What the OOM killer's reclaim leaves: it found nothing, so that new pages are inactive. A writer of lines undoes that:
    /// while the victim goes, each page that it adds is found and taken, and the generation that this empties ends
    /// (seen in three of three runs on 6.1 and one of three on 6.12; beside nobody, and beside writes of 64 KiB, in
    /// none of four).
    pub fn killed(&mut self) {
        self.counts.oom_kills += 1;
        if self.since_lines > self.limit / 8 {
            self.look_in_vain();
        }
    }

    /// Tree nodes that hold nothing but shadows are kept up to an eighth of the cgroup's pages in number
    /// (`count_shadow_nodes`, mm/workingset.c); the oldest file's go first.
    fn forget_nodes(&mut self) {
        let listed = self.lists.pages();
        let cached = (listed - self.lazy).div_ceil(64);
        let most = (listed + self.anon + self.shmem + self.kernel_bytes() / PAGE) / 8;
        let mut over = self.node_count.saturating_sub(cached + most);
        if over == 0 {
            return;
        }
        self.node_count -= over;
        for nodes in &mut self.nodes {
            let part = over.min(nodes.count);
            nodes.count -= part;
            over -= part;
        }
    }

    /// Pages that reclaim meets and that were touched through a mapping: the first time they stay, the
    /// second they are active (`folio_check_references`, mm/vmscan.c); with generations they are of
    /// the youngest (`lru_gen_look_around`).
    fn keep(&mut self, e: Extent) {
        let (list, referenced) = match self.rules.lru {
            Lru::Classic => (usize::from(e.referenced), true),
            Lru::Mglru => (self.lists.count() - 1, e.referenced),
        };
        let young = false;
        self.lists.push(
            list,
            Extent {
                referenced,
                young,
                ..e
            },
        );
    }

    fn evict(&mut self, file: u32, e: Extent) {
        self.age += e.len;
        if !self.rules.refaults {
            return;
        }
        let age = self.age - e.len;
        let shadows = self.shadows.entry(file).or_default();
        match shadows.last_mut() {
            Some(last) if last.start + last.len == e.start && last.age + last.len == age => {
                last.len += e.len;
            }
            _ => shadows.push(Shadow {
                start: e.start,
                len: e.len,
                age,
            }),
        }
    }

    /// Lazily freed pages that were written again go back to anon; the others are gone.
    fn take_lazy(&mut self, pages: u64) -> u64 {
        let back = pages.min(self.reused);
        self.reused -= back;
        self.anon += back;
        self.lazy -= pages;
        back
    }

    /// Names are taken in twice the proportion of the lists, but not before that comes to a batch
    /// (`do_shrink_slab`, mm/shrinker.c): reclaim looks at a part of the lists that doubles until it has what it wants,
    /// and with a large cache that is a part too small to make a batch of names.
    fn shrink_dentries(&mut self, pages: u64, all: u64) {
        let names = self.dentries / DENTRY;
        // The priority: how often the lists are halved and still have what is wanted.
        let halved = (all / WANTED).checked_ilog2().map_or(0, |times| times + 1);
        let part = 2 * (names >> halved.min(FIRST_PRIORITY));
        if part < names.min(NAMES_AT_ONCE) {
            return;
        }
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
            let young = false;
            self.lists.push(
                0,
                Extent {
                    referenced,
                    young,
                    ..e
                },
            );
        }
    }

    /// Reclaim wants three generations (`should_run_aging`, mm/vmscan.c), of which the oldest has pages, and makes new youngest
    /// ones until it has; the first priority is content with a batch of large lists, however uneven.
    fn age_generations(&mut self) {
        self.end_generations();
        let all = self.lists.pages();
        let young = self.lists.pages_of(self.lists.count() - 1);
        let mut ages = all >> FIRST_PRIORITY == 0
            && self.lists.count() == 3
            && (young * 2 > all || self.lists.pages_of(0) * 4 < all);
        while all > 0 && (ages || self.lists.count() <= 2) {
            self.lists.add_youngest();
            // Ageing walks the page tables (`walk_mm`).
            self.lists.move_young();
            self.end_generations();
            ages = false;
        }
    }

    /// An empty oldest generation ends, until two are left (`try_to_inc_min_seq`, mm/vmscan.c).
    fn end_generations(&mut self) {
        while self.lists.count() > 2 && self.lists.end_oldest() {}
    }
}
