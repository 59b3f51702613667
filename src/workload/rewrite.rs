//! `rewrite`: writes to memory of a region again, whatever became of it.

use super::region::State;
use super::{Context, Needs, Reached, Unit, Work, WorkError};
use crate::truth::Counter;
use serde::{Deserialize, Serialize};

/// See [`Workload::Rewrite`](super::Workload::Rewrite).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Rewrite {
    /// The region's name.
    pub region: String,
    /// How much of it, percent from its start, in whole pages.
    pub share: f64,
}

/// Bytes written between two updates of the truth.
const CHUNK: u64 = 1 << 20;

impl Work for Rewrite {
    fn run(&self, context: &mut Context) -> Result<Reached, WorkError> {
        let (region, truth, bytes) = context.share_of(&self.region, self.share)?;
        let mut done = 0;
        while done < bytes {
            let part = CHUNK.min(bytes - done);
            region.touch(done, part);
            let were = region.pages.set(done, part, |_| State::Live);
            let back = were.lazy + were.gone;
            truth.add(Counter::Live, back);
            truth.add(Counter::AllocatedTotal, back);
            truth.sub(Counter::FreedLazy, were.lazy);
            truth.sub(Counter::Cold, were.cold);
            done += part;
        }
        Ok(Reached::new(bytes, done, Unit::Bytes))
    }

    fn needs(&self) -> Needs {
        Needs::NOTHING
    }
}
