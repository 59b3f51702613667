//! The truth of a group: the counters of its workers, added up.

use std::sync::Arc;

use super::columns::Columns;
use crate::truth::{COUNTERS, Counter, Page};

/// Where the counters of one worker are read; a page of shared memory, in a run.
pub trait TruthSource: Send + Sync {
    /// Reads all counters, in the order of [`COUNTERS`]. Must not allocate or block.
    fn read_into(&self, out: &mut [u64; COUNTERS.len()]);
}

impl<F: Fn(&mut [u64; COUNTERS.len()]) + Send + Sync> TruthSource for F {
    fn read_into(&self, out: &mut [u64; COUNTERS.len()]) {
        self(out);
    }
}

impl TruthSource for Page {
    fn read_into(&self, out: &mut [u64; COUNTERS.len()]) {
        self.read_all(out);
    }
}

/// The counters that speak of the process's own memory: they are 0 once it has ended, whatever
/// stands in its page. Files and totals outlive it.
const ENDS_WITH_PROCESS: [Counter; 5] = [
    Counter::Live,
    Counter::Leaked,
    Counter::FreedLazy,
    Counter::MappedFileLive,
    Counter::Cold,
];

/// A worker's counters, and whether it still runs.
pub(super) struct Told {
    pub source: Arc<dyn TruthSource>,
    pub running: bool,
}

/// Sums of the counters.
pub(super) struct Sums(pub [u64; COUNTERS.len()]);

impl Sums {
    pub fn new() -> Self {
        Sums([0; COUNTERS.len()])
    }

    pub fn add(&mut self, told: &Told) {
        let mut counters = [0; COUNTERS.len()];
        told.source.read_into(&mut counters);
        if !told.running {
            ENDS_WITH_PROCESS
                .iter()
                .for_each(|counter| counters[*counter as usize] = 0);
        }
        for (sum, counter) in self.0.iter_mut().zip(counters) {
            *sum = sum.saturating_add(counter);
        }
    }
}

/// Reserves the truth's columns, which stand side by side; returns the index of the first.
pub(super) fn reserve(columns: &mut Columns) -> usize {
    let indices = COUNTERS.map(|name| columns.index(&format!("truth:{name}")));
    indices[0]
}
