//! `anon`: maps anonymous memory and touches every page of it.

use super::pace::Pace;
use super::region::State;
use super::{Context, Needs, Reached, Unit, Work, WorkError};
use crate::sys::memory::page_size;
use crate::truth::Counter;
use serde::{Deserialize, Serialize};

/// See [`Workload::Anon`](super::Workload::Anon).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Anon {
    /// The region's name; a second step on it makes it larger.
    pub region: String,
    /// Bytes to map and touch, every page of it.
    pub size: u64,
    /// Bytes a second; none is as fast as it goes.
    pub rate: Option<u64>,
    /// Bytes mapped and touched at a time.
    pub chunk: u64,
    /// Whether the program has lost it: counted as leaked.
    pub leak: bool,
    /// Which pages it asks for.
    pub huge: Huge,
}

/// Which page size an anonymous region asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Huge {
    /// MADV_NOHUGEPAGE: numbers add up in 4 KiB pages.
    Never,
    /// MADV_HUGEPAGE.
    Always,
    /// What the system does by itself.
    System,
}

/// Mapped at a time at least. Not the whole step: where the system grants no more address space than
/// there is memory, a leak that is to end in an OOM kill could not even begin.
const MAP_BYTES: u64 = 32 << 20;

impl Work for Anon {
    fn run(&self, context: &mut Context) -> Result<Reached, WorkError> {
        let page = page_size() as u64;
        // Truth counts what is held, and that is whole pages.
        let target = self.size.next_multiple_of(page);
        let chunk = self
            .chunk
            .clamp(page, target.max(page))
            .next_multiple_of(page);
        let reached = |done| Reached::new(self.size, done, Unit::Bytes);
        let region = context.regions.get_or_new(&self.region);
        // A huge page needs a mapping that holds all of it, so there the chunks can't be maps. Small
        // chunks share one: a mapping costs as much as touching a dozen pages, and memory that is
        // mapped but not touched is charged to nobody.
        let map_at_a_time = if self.huge == Huge::Never {
            chunk * (MAP_BYTES / chunk).max(1)
        } else {
            target
        };
        let mut pace = Pace::start(self.rate);
        let mut done = 0;
        while done < target {
            pace.wait(done, u64::MAX);
            if done.is_multiple_of(map_at_a_time) {
                let map = map_at_a_time.min(target - done);
                region.grow(map as usize, self.huge).map_err(|error| {
                    reached(done).failed(format_args!(
                        "mapping {} more for region {:?}: {error}; make the step smaller or raise the limit on address space",
                        crate::units::bytes(map),
                        self.region
                    ))
                })?;
            }
            let part = chunk.min(target - done);
            let at = done % map_at_a_time;
            region.touch_last(at, part);
            let offset = region.len() - map_at_a_time.min(target - (done - at)) + at;
            region.pages.set(offset, part, |_| State::Live);
            context.truth.add(Counter::AllocatedTotal, part);
            context.truth.add(Counter::Live, part);
            if self.leak {
                region.leaked += part;
                context.truth.add(Counter::Leaked, part);
            }
            done += part;
        }
        Ok(reached(done))
    }

    fn needs(&self) -> Needs {
        Needs::NOTHING
    }
}
