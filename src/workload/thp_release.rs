//! `thp_release`: gives all but the start of each huge page back, as an allocator does that frees
//! small objects and keeps a few.

use nix::sys::mman::MmapAdvise;
use serde::{Deserialize, Serialize};

use super::region::{HUGE_BYTES, State};
use super::{Context, Needs, Reached, Unit, Work, WorkError};
use crate::sys::memory::page_size;
use crate::truth::Counter;

/// See [`Workload::ThpRelease`](super::Workload::ThpRelease).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ThpRelease {
    /// The region's name; it must have been mapped with huge pages.
    pub region: String,
    /// Bytes at the start of each huge page that stay in use, in whole pages.
    pub keep: u64,
}

impl Work for ThpRelease {
    /// The kernel unmaps the released part at once, but a huge page of which one small page is still
    /// mapped stays whole: rss falls, the charge does not, until reclaim splits it.
    fn run(&self, context: &mut Context) -> Result<Reached, WorkError> {
        let (region, truth, _) = context.share_of(&self.region, 100.0)?;
        let huge = HUGE_BYTES as u64;
        let keep = self.keep.next_multiple_of(page_size() as u64).min(huge);
        let pages = region.len() / huge;
        let target = pages * (huge - keep);
        let reached = |done| Reached::new(target, done, Unit::Bytes);
        if pages == 0 {
            return Err(reached(0).failed(format_args!(
                "region {:?} holds no whole huge page of {}; make it larger",
                self.region,
                crate::units::bytes(huge)
            )));
        }
        let mut done = 0;
        for page in 0..pages {
            let (offset, len) = (page * huge + keep, huge - keep);
            region
                .advise(offset, len, MmapAdvise::MADV_DONTNEED)
                .map_err(|error| reached(done).failed(format_args!("MADV_DONTNEED: {error}")))?;
            let were = region.pages.set(offset, len, |_| State::Gone);
            let wanted = were.live + were.cold;
            truth.sub(Counter::Live, wanted);
            truth.sub(Counter::Cold, were.cold);
            truth.sub(Counter::FreedLazy, were.lazy);
            truth.add(Counter::FreedNow, wanted + were.lazy);
            truth.add(Counter::ReleasedTotal, wanted);
            done += len;
        }
        Ok(reached(done))
    }

    fn needs(&self) -> Needs {
        Needs::NOTHING
    }
}
