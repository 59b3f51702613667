//! Memory of a region given back and written again.

use super::memcg::PAGE;
use super::process::{Region, State, Were};
use super::task::Task;
use super::world::{Killed, World};
use crate::truth::Counter;
use crate::workload::{Advice, Release, Rewrite, ThpRelease};

/// Pages of a huge page.
const HUGE: u64 = 512;

impl Task<'_> {
    /// The first pages of a region by share, in whole pages.
    fn share(&self, world: &World, name: &str, percent: f64) -> u64 {
        let region = world.processes[self.who].regions.get(name);
        let pages = region.map_or(0, Region::pages);
        // The small part more makes up for shares such as 33.3 that have no exact binary form.
        (pages as f64 * (percent / 100.0).clamp(0.0, 1.0) + 1e-6) as u64
    }

    pub(super) fn release(&mut self, world: &mut World, w: &Release) -> Result<(), Killed> {
        let pages = self.share(world, &w.region, w.share);
        let lazy_list = world.lazyfree_list();
        let to = match w.advice {
            Advice::Free if lazy_list => State::Lazy,
            Advice::Free | Advice::Dontneed | Advice::Unmap => State::Gone,
            Advice::Keep => State::Kept,
            // Without swap nothing comes of it.
            Advice::Cold | Advice::Pageout => State::Cold,
        };
        let process = &mut world.processes[self.who];
        let Some(region) = process.regions.get_mut(&w.region) else {
            return Ok(());
        };
        let were = match to {
            State::Cold if w.advice == Advice::Pageout => Default::default(),
            State::Lazy | State::Kept => region.set(0, pages, |state| match state {
                State::Live | State::Cold => to,
                same => same,
            }),
            State::Cold => region.set(0, pages, |state| match state {
                State::Live => State::Cold,
                same => same,
            }),
            _ => region.set(0, pages, |_| State::Gone),
        };
        if to == State::Cold {
            process.add(Counter::Cold, were.live * PAGE);
            return Ok(());
        }
        let wanted = region.held();
        let leaked = region.leaked.min(wanted.live + wanted.cold);
        let lost = (region.leaked - leaked) * PAGE;
        region.leaked = leaked;
        let unmapped = (w.advice == Advice::Unmap).then_some(pages);
        if let Some(pages) = unmapped {
            region.unmap_front(pages);
        }
        process.sub(Counter::Leaked, lost);
        process.given_back(were, to);
        world.release(self.who, were, to);
        if let Some(pages) = unmapped {
            world.unmap_tables(self.who, pages);
        }
        Ok(())
    }

    pub(super) fn rewrite(&mut self, world: &mut World, w: &Rewrite) -> Result<bool, Killed> {
        let pages = self.share(world, &w.region, w.share);
        let from = self.rewritten;
        self.rewritten += self.fits(0.0, None, pages.saturating_sub(from));
        let Some(region) = world.processes[self.who].regions.get_mut(&w.region) else {
            self.done = self.target;
            return Ok(true);
        };
        let were = region.set(from, self.rewritten, |_| State::Live);
        world.write_again(self.who, were)?;
        let process = &mut world.processes[self.who];
        let back = (were.lazy + were.gone + were.kept) * PAGE;
        process.add(Counter::Live, back);
        process.add(Counter::AllocatedTotal, back);
        process.sub(Counter::FreedLazy, were.lazy * PAGE);
        process.sub(Counter::Cold, were.cold * PAGE);
        let over = self.rewritten >= pages;
        self.done = if over { self.target } else { self.done };
        Ok(over)
    }

    pub(super) fn thp_release(&mut self, world: &mut World, w: &ThpRelease) -> Result<(), Killed> {
        let keep = w.keep.div_ceil(PAGE).min(HUGE);
        let process = &mut world.processes[self.who];
        let Some(region) = process.regions.get_mut(&w.region) else {
            return Ok(());
        };
        let mut all = Were::default();
        for huge in 0..region.pages() / HUGE {
            let were = region.set(huge * HUGE + keep, (huge + 1) * HUGE, |_| State::Gone);
            all.live += were.live;
            all.cold += were.cold;
            all.lazy += were.lazy;
        }
        process.given_back(all, State::Gone);
        process.huge = 0;
        world.hide(self.who, all.live + all.cold);
        Ok(())
    }
}
