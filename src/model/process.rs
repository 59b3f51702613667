//! What a worker process holds: its regions, its heap, and the truth about them.

use std::collections::BTreeMap;

use super::memcg::PAGE;
use crate::truth::{COUNTERS, Counter};

/// What became of a page of a region.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// In use.
    Live,
    /// MADV_COLD.
    Cold,
    /// MADV_FREE.
    Lazy,
    /// Free for the program and nothing to the kernel.
    Kept,
    /// Given back.
    Gone,
}

/// Pages by state.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Were {
    /// In use.
    pub live: u64,
    /// MADV_COLD.
    pub cold: u64,
    /// MADV_FREE.
    pub lazy: u64,
    /// Kept by the allocator.
    pub kept: u64,
    /// Given back.
    pub gone: u64,
}

/// Anonymous memory of one name, as runs of pages in order.
#[derive(Debug, Clone, Default)]
pub struct Region {
    runs: Vec<(State, u64)>,
    /// Pages that the program has lost.
    pub leaked: u64,
}

impl Region {
    /// All its pages.
    pub fn pages(&self) -> u64 {
        self.runs.iter().map(|(_, pages)| pages).sum()
    }

    /// More pages in use.
    pub fn grow(&mut self, pages: u64) {
        match self.runs.last_mut() {
            Some((State::Live, last)) => *last += pages,
            _ => self.runs.push((State::Live, pages)),
        }
    }

    /// Changes the state of pages `from..to`; returns what they were.
    pub fn set(&mut self, from: u64, to: u64, become_: impl Fn(State) -> State) -> Were {
        let mut were = Were::default();
        let mut runs: Vec<(State, u64)> = Vec::new();
        let mut push = |state, pages| match runs.last_mut() {
            _ if pages == 0 => {}
            Some((last, more)) if *last == state => *more += pages,
            _ => runs.push((state, pages)),
        };
        let mut at = 0;
        for (state, pages) in std::mem::take(&mut self.runs) {
            let (a, b) = (at.max(from).min(at + pages), (at + pages).min(to).max(at));
            push(state, a - at);
            if b > a {
                *match state {
                    State::Live => &mut were.live,
                    State::Cold => &mut were.cold,
                    State::Lazy => &mut were.lazy,
                    State::Kept => &mut were.kept,
                    State::Gone => &mut were.gone,
                } += b - a;
                push(become_(state), b - a);
            }
            push(state, at + pages - b.max(a));
            at += pages;
        }
        self.runs = runs;
        were
    }

    /// Takes the first pages away.
    pub fn unmap_front(&mut self, pages: u64) {
        let mut rest = Region::default();
        let mut at = 0;
        for (state, len) in &self.runs {
            let keep = (at + len).saturating_sub(pages.max(at)).min(*len);
            if keep > 0 {
                rest.runs.push((*state, keep));
            }
            at += len;
        }
        self.runs = rest.runs;
    }

    /// What of it is held, and what is lazily freed.
    pub fn held(&self) -> Were {
        self.clone().set(0, u64::MAX, |state| state)
    }
}

/// One worker.
#[derive(Debug, Clone)]
pub struct Process {
    /// Its container.
    pub container: usize,
    /// Its name.
    pub actor: String,
    /// Which cgroup it is in.
    pub memcg: usize,
    /// Whether it runs.
    pub alive: bool,
    /// Anonymous pages charged for it that are not lazily freed.
    pub anon: u64,
    /// Its regions.
    pub regions: BTreeMap<String, Region>,
    /// Pages of the heap of `heap_churn`.
    pub heap: u64,
    /// Pages in huge pages.
    pub huge: u64,
    /// Page tables, bytes.
    pub tables: u64,
    /// Files that it holds open, by number.
    pub open: Vec<u32>,
    /// Files that it has mapped, with their pages.
    pub maps: Vec<(u32, u64)>,
    /// What it knows, in the order of [`COUNTERS`].
    pub truth: [u64; COUNTERS.len()],
    /// Nanoseconds that it still has to wait.
    pub wait_ns: f64,
}

/// A worker's own anonymous pages; measured.
pub const OWN_PAGES: u64 = 51;
/// A worker's own kernel memory, bytes; measured.
pub const OWN_KERNEL: u64 = 76 << 10;

impl Process {
    /// One that has not touched anything.
    pub fn new(container: usize, actor: &str, memcg: usize) -> Self {
        Process {
            container,
            actor: actor.into(),
            memcg,
            alive: true,
            anon: 0,
            regions: BTreeMap::new(),
            heap: 0,
            huge: 0,
            tables: 0,
            open: Vec::new(),
            maps: Vec::new(),
            truth: [0; COUNTERS.len()],
            wait_ns: 0.0,
        }
    }

    /// A counter of the truth.
    pub fn get(&self, counter: Counter) -> u64 {
        self.truth[counter as usize]
    }

    /// Adds to it.
    pub fn add(&mut self, counter: Counter, bytes: u64) {
        self.truth[counter as usize] += bytes;
    }

    /// Takes from it.
    pub fn sub(&mut self, counter: Counter, bytes: u64) {
        let slot = &mut self.truth[counter as usize];
        *slot = slot.saturating_sub(bytes);
    }

    /// Sets it.
    pub fn set(&mut self, counter: Counter, bytes: u64) {
        self.truth[counter as usize] = bytes;
    }

    /// Lazily freed pages of all its regions.
    pub fn lazy_pages(&self) -> u64 {
        self.regions.values().map(|region| region.held().lazy).sum()
    }

    /// Counts pages of a region as given back or kept (`workload/release.rs` does the same).
    pub fn given_back(&mut self, were: Were, to: State) {
        let wanted = (were.live + were.cold) * PAGE;
        self.sub(Counter::Live, wanted);
        self.sub(Counter::Cold, were.cold * PAGE);
        self.add(Counter::ReleasedTotal, wanted);
        match to {
            State::Lazy => self.add(Counter::FreedLazy, wanted),
            State::Kept => {}
            _ => {
                self.sub(Counter::FreedLazy, were.lazy * PAGE);
                self.add(Counter::FreedNow, wanted + were.lazy * PAGE);
            }
        }
    }
}
