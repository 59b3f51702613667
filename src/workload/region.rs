//! Named anonymous regions, and what became of each of their pages.

use std::io;

use nix::sys::mman::MmapAdvise;

use super::Huge;
use crate::sys::memory::{Anon, advise_all, page_size};

/// The size of a huge page here, as mmap's alignment: right on x86-64 and on arm64 with 4 KiB pages.
pub const HUGE_BYTES: usize = 2 << 20;

/// The regions of one actor by name. A handful, so a list.
#[derive(Debug, Default)]
pub struct Regions(Vec<Region>);

impl Regions {
    /// The region of that name.
    pub fn get(&mut self, name: &str) -> Option<&mut Region> {
        self.0.iter_mut().find(|region| region.name == name)
    }

    /// The region of that name, made if need be.
    pub fn get_or_new(&mut self, name: &str) -> &mut Region {
        let at = self
            .0
            .iter()
            .position(|region| region.name == name)
            .unwrap_or_else(|| {
                self.0.push(Region::new(name));
                self.0.len() - 1
            });
        &mut self.0[at]
    }

    /// The names there are, for messages.
    pub fn names(&self) -> String {
        let names: Vec<&str> = self.0.iter().map(|region| region.name.as_str()).collect();
        if names.is_empty() {
            "none".into()
        } else {
            names.join(", ")
        }
    }
}

/// Anonymous memory under one name: mappings in the order in which they were made.
#[derive(Debug)]
pub struct Region {
    name: String,
    maps: Vec<Anon>,
    /// What became of its bytes, in the same order.
    pub pages: Pages,
    /// Bytes of it that count as leaked.
    pub leaked: u64,
}

impl Region {
    fn new(name: &str) -> Self {
        Region {
            name: name.into(),
            maps: Vec::new(),
            pages: Pages::default(),
            leaked: 0,
        }
    }

    /// The name that steps call it by.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Bytes mapped.
    pub fn len(&self) -> u64 {
        self.pages.len()
    }

    /// Maps `len` more bytes (whole pages) at its end. They are not touched yet.
    ///
    /// # Errors
    /// As mmap(2) and madvise(2).
    pub fn grow(&mut self, len: usize, huge: Huge) -> io::Result<()> {
        let map = match huge {
            Huge::Never => {
                let mut map = Anon::map(len)?;
                // EINVAL: a kernel without huge pages, which gives none anyway.
                match map.advise(0, map.len(), MmapAdvise::MADV_NOHUGEPAGE) {
                    Err(error) if error.raw_os_error() != Some(nix::libc::EINVAL) => {
                        return Err(error);
                    }
                    _ => map,
                }
            }
            Huge::Always => {
                let mut map = Anon::map_aligned(len, HUGE_BYTES)?;
                map.advise(0, map.len(), MmapAdvise::MADV_HUGEPAGE)?;
                map
            }
            Huge::System => Anon::map_aligned(len, HUGE_BYTES)?,
        };
        self.pages.push(map.len() as u64, State::Gone);
        self.maps.push(map);
        Ok(())
    }

    /// Touches every page of a range.
    pub fn touch(&mut self, offset: u64, len: u64) {
        for (map, at, len) in self.parts(offset, len) {
            map.touch(at, len);
        }
    }

    /// Touches every page of a part of the mapping made last: what grows by small mappings needs
    /// no search through all of them.
    pub fn touch_last(&mut self, at: u64, len: u64) {
        if let Some(map) = self.maps.last_mut() {
            map.touch(at as usize, len as usize);
        }
    }

    /// Gives the kernel advice about a range of whole pages.
    ///
    /// # Errors
    /// As madvise(2).
    pub fn advise(&mut self, offset: u64, len: u64, advice: MmapAdvise) -> io::Result<()> {
        advise_all(self.parts(offset, len), advice)
    }

    /// Bytes of a range that are in memory now.
    ///
    /// # Errors
    /// As mincore(2).
    pub fn resident(&mut self, offset: u64, len: u64) -> io::Result<u64> {
        self.parts(offset, len)
            .map(|(map, at, len)| map.resident(at, len).map(|bytes| bytes as u64))
            .sum()
    }

    /// Unmaps `len` bytes (whole pages) from its start.
    ///
    /// # Errors
    /// As munmap(2).
    pub fn unmap_front(&mut self, len: u64) -> io::Result<()> {
        let mut left = len;
        let mut whole = 0;
        for map in &mut self.maps {
            let part = left.min(map.len() as u64);
            map.unmap_front(part as usize)?;
            self.pages.remove_front(part);
            left -= part;
            if !map.is_empty() {
                break;
            }
            whole += 1;
        }
        self.maps.drain(..whole);
        Ok(())
    }

    /// The first bytes of the region that are `percent` of it, in whole pages.
    pub fn share(&self, percent: f64) -> u64 {
        let page = page_size() as u64;
        let pages = (self.len() / page) as f64 * (percent / 100.0).clamp(0.0, 1.0);
        // The small part more makes up for shares such as 33.3 that have no exact binary form.
        (pages + 1e-6) as u64 * page
    }

    /// Each mapping's part of a range, in order: where it begins in the mapping, and its length.
    fn parts(&mut self, offset: u64, len: u64) -> impl Iterator<Item = (&mut Anon, usize, usize)> {
        let (mut skip, mut left) = (offset, len);
        self.maps.iter_mut().filter_map(move |map| {
            let size = map.len() as u64;
            let from = skip.min(size);
            let part = left.min(size - from);
            skip -= from;
            left -= part;
            (part > 0).then_some((map, from as usize, part as usize))
        })
    }
}

/// What became of a page.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// Touched and wanted.
    Live,
    /// Wanted, and marked MADV_COLD since it was last touched.
    Cold,
    /// Given back with MADV_FREE and not written since.
    Lazy,
    /// Given back for good, kept free by the allocator, or never touched.
    Gone,
}

/// Bytes by state, as [`Pages::set`] found them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Were {
    /// Were [`State::Live`].
    pub live: u64,
    /// Were [`State::Cold`].
    pub cold: u64,
    /// Were [`State::Lazy`].
    pub lazy: u64,
    /// Were [`State::Gone`].
    pub gone: u64,
}

/// The state of a region's bytes, as runs: steps work on ranges, so there are few.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Pages {
    runs: Vec<(u64, State)>,
}

impl Pages {
    /// Bytes in all.
    pub fn len(&self) -> u64 {
        self.runs.iter().map(|(len, _)| len).sum()
    }

    /// Bytes that are touched and wanted.
    pub fn wanted(&self) -> u64 {
        let wanted = |state| matches!(state, State::Live | State::Cold);
        self.runs
            .iter()
            .filter(|(_, state)| wanted(*state))
            .map(|(len, _)| len)
            .sum()
    }

    /// Adds bytes at the end.
    pub fn push(&mut self, len: u64, state: State) {
        match self.runs.last_mut() {
            Some((last, same)) if *same == state => *last += len,
            _ if len > 0 => self.runs.push((len, state)),
            _ => {}
        }
    }

    /// Changes the state of a range by `change` and says what it was before.
    pub fn set(&mut self, offset: u64, len: u64, change: impl Fn(State) -> State) -> Were {
        let mut were = Were::default();
        let mut new = Pages::default();
        let mut at = 0;
        let end = offset.saturating_add(len);
        for (run, state) in &self.runs {
            let stop = at + run;
            let from = offset.clamp(at, stop);
            let to = end.clamp(from, stop);
            new.push(from - at, *state);
            new.push(to - from, change(*state));
            new.push(stop - to, *state);
            match state {
                State::Live => were.live += to - from,
                State::Cold => were.cold += to - from,
                State::Lazy => were.lazy += to - from,
                State::Gone => were.gone += to - from,
            }
            at = stop;
        }
        *self = new;
        were
    }

    /// Removes bytes from the start.
    pub fn remove_front(&mut self, len: u64) {
        let mut left = len;
        self.runs.retain_mut(|(run, _)| {
            let part = left.min(*run);
            *run -= part;
            left -= part;
            *run > 0
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn state(number: u8) -> State {
        [State::Live, State::Cold, State::Lazy, State::Gone][usize::from(number) % 4]
    }

    proptest! {
        /// Runs say the same as one state a byte would.
        #[test]
        fn runs_are_as_good_as_a_state_each(
            steps in prop::collection::vec((0u8..5, 0u64..100, 0u64..100), 1..60)
        ) {
            let (mut runs, mut each) = (Pages::default(), Vec::new());
            for (what, a, b) in steps {
                match what {
                    0 => {
                        runs.push(a, state(b as u8));
                        each.extend(std::iter::repeat_n(state(b as u8), a as usize));
                    }
                    1 => {
                        runs.remove_front(a);
                        each.drain(..(a as usize).min(each.len()));
                    }
                    to => {
                        let were = runs.set(a, b, |_| state(to));
                        let from = (a as usize).min(each.len());
                        let end = (from + b as usize).min(each.len());
                        let count = |s| each[from..end].iter().filter(|x| **x == s).count() as u64;
                        let expected = Were {
                            live: count(State::Live),
                            cold: count(State::Cold),
                            lazy: count(State::Lazy),
                            gone: count(State::Gone),
                        };
                        prop_assert_eq!(were, expected);
                        each[from..end].fill(state(to));
                    }
                }
                prop_assert_eq!(runs.len(), each.len() as u64);
                let wanted = each.iter().filter(|s| matches!(s, State::Live | State::Cold)).count();
                prop_assert_eq!(runs.wanted(), wanted as u64);
            }
        }
    }

    #[test]
    fn a_share_is_whole_pages_from_the_start() {
        let mut regions = Regions::default();
        let region = regions.get_or_new("heap");
        region.grow(10 * page_size(), Huge::Never).unwrap();
        let pages = |percent| region.share(percent) / page_size() as u64;
        assert_eq!(
            [
                pages(0.0),
                pages(10.0),
                pages(19.9),
                pages(70.0),
                pages(100.0)
            ],
            [0, 1, 1, 7, 10]
        );
        assert_eq!([pages(1000.0), pages(-5.0), pages(f64::NAN)], [10, 0, 0]);
    }
}
