//! `resin`: the bucketed trend of *RESIN: A Holistic Service for Dealing with Memory Leaks in Production
//! Cloud Infrastructure* (Lou et al., OSDI 2022).
//!
//! Taken from there: memory is cut into buckets, and what is looked at is not the number of bytes but in
//! which bucket it lies and whether that moves up, so that noise within a bucket counts for nothing.
//!
//! Not taken, since one container can't have it: RESIN counts the hosts of a fleet in each bucket and
//! looks for buckets in which there are suddenly more (its pivot), and takes heap snapshots of what it
//! suspects. That is most of its precision. Chosen here: buckets of a twenty-fifth of the limit; the median
//! bucket of each ten minutes; three moves up in a row are a leak.

use super::resample::utilization;
use super::{BuiltIn, Changes, Detector, Run, Scrape, Verdict};
use crate::export::Metric;

/// Buckets a limit.
const BUCKETS: f64 = 25.0;
/// Seconds a window.
const WINDOW_S: f64 = 600.0;
/// So many windows in a row, each higher than the one before.
const MOVES: usize = 3;

pub(super) const BUILT_IN: BuiltIn = BuiltIn {
    name: "resin",
    summary: "working_set moves up a twenty-fifth of the limit in each of three times ten minutes (OSDI 2022, without a fleet)",
    reads: &[Metric::WorkingSet, Metric::SpecLimit],
    new: || Box::new(Resin::default()),
};

#[derive(Default)]
struct Resin {
    since: Option<f64>,
    looks: Vec<f64>,
    last: Option<f64>,
    moves: usize,
}

impl Resin {
    fn take(&mut self, t: f64, used: f64) {
        let since = *self.since.get_or_insert(t);
        if t - since >= WINDOW_S && !self.looks.is_empty() {
            let middle = self.looks.len() / 2;
            let (_, median, _) = self.looks.select_nth_unstable_by(middle, f64::total_cmp);
            let bucket = *median;
            let up = self.last.replace(bucket).is_some_and(|last| bucket > last);
            self.moves = if up { self.moves + 1 } else { 0 };
            self.looks.clear();
            self.since = Some(t);
        }
        self.looks.push(bucket(used * BUCKETS));
    }
}

/// The whole number below; what is small and not negative needs no call of the library for it.
fn bucket(at: f64) -> f64 {
    if (0.0..1e9).contains(&at) {
        f64::from(at as u32)
    } else {
        at.floor()
    }
}

impl Detector for Resin {
    fn observe(&mut self, scrape: &Scrape) -> Verdict {
        if let Some(used) = utilization(scrape).filter(|used| used.is_finite()) {
            self.take(scrape.t, used);
        }
        Verdict::leak_if(self.moves >= MOVES)
    }

    fn observe_run(&mut self, run: &Run, changes: &mut Changes) {
        for (index, (t, used)) in run.t.iter().zip(&run.utilization).enumerate() {
            if used.is_finite() {
                self.take(*t, *used);
            }
            changes.set(index, self.moves >= MOVES);
        }
    }
}
