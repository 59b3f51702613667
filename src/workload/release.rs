//! `release`: gives memory of a region back to the kernel, in one of the ways programs do.

use serde::{Deserialize, Serialize};
use std::io;

use nix::sys::mman::MmapAdvise;

use super::region::{Region, State, Were};
use super::{Context, Needs, Reached, Unit, Work, WorkError};
use crate::truth::{Counter, Page};

/// See [`Workload::Release`](super::Workload::Release).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Release {
    /// The region's name.
    pub region: String,
    /// How it is given back.
    pub advice: Advice,
    /// How much of it, percent from its start, in whole pages.
    pub share: f64,
}

/// How memory is given back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Advice {
    /// MADV_FREE: the kernel may take it, later.
    Free,
    /// MADV_DONTNEED: gone now.
    Dontneed,
    /// MADV_COLD: first in line for reclaim.
    Cold,
    /// MADV_PAGEOUT: reclaimed now where there is somewhere to put it.
    Pageout,
    /// munmap(2).
    Unmap,
    /// Nothing is said to the kernel: the program's allocator keeps it for its next allocations.
    Keep,
}

impl Work for Release {
    fn run(&self, context: &mut Context) -> Result<Reached, WorkError> {
        let (region, truth, bytes) = context.share_of(&self.region, self.share)?;
        let reached = |done| Reached::new(bytes, done, Unit::Bytes);
        let done = match self.advice {
            Advice::Free => region.advise(0, bytes, MmapAdvise::MADV_FREE),
            Advice::Dontneed => region.advise(0, bytes, MmapAdvise::MADV_DONTNEED),
            Advice::Cold => region.advise(0, bytes, MmapAdvise::MADV_COLD),
            Advice::Pageout => return page_out(region, bytes, truth),
            // The states are counted before the bytes they belong to are gone.
            Advice::Unmap => {
                give_back(region, bytes, State::Gone, truth);
                region.unmap_front(bytes)
            }
            Advice::Keep => Ok(()),
        };
        done.map_err(|error| self.advice.trouble(&self.region, error, reached(0)))?;
        match self.advice {
            Advice::Free => give_back(region, bytes, State::Lazy, truth),
            Advice::Cold => mark_cold(region, bytes, truth),
            Advice::Dontneed => give_back(region, bytes, State::Gone, truth),
            Advice::Keep => keep(region, bytes, truth),
            Advice::Pageout | Advice::Unmap => {}
        }
        Ok(reached(bytes))
    }

    fn needs(&self) -> Needs {
        Needs::NOTHING
    }
}

/// Counts the first bytes of a region as given back. What was given back before only changes its
/// kind: lazily freed memory that is given back for good.
fn give_back(region: &mut Region, bytes: u64, to: State, truth: &Page) {
    let were = region.pages.set(0, bytes, |state| match state {
        State::Live | State::Cold => to,
        State::Lazy | State::Gone if to == State::Gone => State::Gone,
        same => same,
    });
    let wanted = were.live + were.cold;
    truth.sub(Counter::Live, wanted);
    truth.sub(Counter::Cold, were.cold);
    truth.add(Counter::ReleasedTotal, wanted);
    if to == State::Lazy {
        truth.add(Counter::FreedLazy, wanted);
    } else {
        truth.sub(Counter::FreedLazy, were.lazy);
        truth.add(Counter::FreedNow, wanted + were.lazy);
    }
    // Leaked memory is part of the live memory; what is no longer live is no longer leaked.
    let leaked = region.leaked.min(region.pages.wanted());
    truth.sub(Counter::Leaked, region.leaked - leaked);
    region.leaked = leaked;
}

/// Free for the program and its heap profiler, and nothing to the kernel: the pages stay as they
/// are until the allocator hands them out again (`rewrite`).
fn keep(region: &mut Region, bytes: u64, truth: &Page) {
    let were = region.pages.set(0, bytes, |state| match state {
        State::Live | State::Cold => State::Gone,
        same => same,
    });
    truth.sub(Counter::Live, were.live + were.cold);
    truth.sub(Counter::Cold, were.cold);
    truth.add(Counter::ReleasedTotal, were.live + were.cold);
}

fn mark_cold(region: &mut Region, bytes: u64, truth: &Page) {
    let Were { live, .. } = region.pages.set(0, bytes, |state| match state {
        State::Live => State::Cold,
        same => same,
    });
    truth.add(Counter::Cold, live);
}

/// The memory stays wanted: its contents go to swap. How much went is asked of the kernel, because
/// without swap nothing does.
fn page_out(region: &mut Region, bytes: u64, truth: &Page) -> Result<Reached, WorkError> {
    let reached = |done| Reached::new(bytes, done, Unit::Bytes);
    let trouble =
        |region: &Region, error| Advice::Pageout.trouble(region.name(), error, reached(0));
    let before = region
        .resident(0, bytes)
        .map_err(|error| trouble(region, error))?;
    region
        .advise(0, bytes, MmapAdvise::MADV_PAGEOUT)
        .map_err(|error| trouble(region, error))?;
    let after = region
        .resident(0, bytes)
        .map_err(|error| trouble(region, error))?;
    truth.add(Counter::FreedNow, before.saturating_sub(after));
    Ok(reached(bytes))
}

impl Advice {
    /// The call by name, and the kernel that has had it since.
    fn call(self) -> (&'static str, &'static str) {
        match self {
            Advice::Free => ("MADV_FREE", "4.5"),
            Advice::Dontneed => ("MADV_DONTNEED", "2.4"),
            Advice::Cold => ("MADV_COLD", "5.4"),
            Advice::Pageout => ("MADV_PAGEOUT", "5.4"),
            Advice::Unmap => ("munmap", "1.0"),
            Advice::Keep => ("free", "1.0"),
        }
    }

    /// EINVAL is how a kernel says that it doesn't know an advice; anything else went wrong.
    fn trouble(self, region: &str, error: io::Error, reached: Reached) -> WorkError {
        let (call, since) = self.call();
        let newer = matches!(self, Advice::Free | Advice::Cold | Advice::Pageout);
        if newer && error.raw_os_error() == Some(nix::libc::EINVAL) {
            return reached.skipped(format_args!(
                "this kernel has no {call} ({since} and later have it)"
            ));
        }
        reached.failed(format_args!("{call} on region {region:?}: {error}"))
    }
}
