//! `cusum`: the tabular cumulative sum of Page (1954), as control charts use it.
//!
//! Taken from there: C = max(0, C + x - (mean + k)), and an alarm when C is above h, with the usual
//! k = 0.5 and h = 5 standard deviations. Chosen here: working_set / limit, means of a minute; mean and
//! deviation are those of the container's first twenty minutes, the deviation at least 0.2 % of the limit
//! (counters lag behind by some pages).

use super::resample::{Resample, utilization};
use super::{BuiltIn, Changes, Detector, Run, Scrape, Verdict};
use crate::export::Metric;

/// Minutes from which mean and deviation are taken.
const FIRST: usize = 20;
const K: f64 = 0.5;
const H: f64 = 5.0;
const DEVIATION_MIN: f64 = 0.002;

pub(super) const BUILT_IN: BuiltIn = BuiltIn {
    name: "cusum",
    summary: "the cumulative sum of working_set above its first 20 minutes passes 5 standard deviations",
    reads: &[Metric::WorkingSet, Metric::SpecLimit],
    new: || {
        Box::new(Cusum {
            means: Resample::new(60.0),
            first: Vec::new(),
            normal: None,
            sum: 0.0,
        })
    },
};

struct Cusum {
    means: Resample,
    first: Vec<f64>,
    /// Mean and standard deviation of the first minutes.
    normal: Option<(f64, f64)>,
    /// In standard deviations.
    sum: f64,
}

impl Cusum {
    fn add(&mut self, used: f64) {
        if let Some((mean, deviation)) = self.normal {
            self.sum = (self.sum + (used - mean) / deviation - K).max(0.0);
            return;
        }
        self.first.push(used);
        if self.first.len() == FIRST {
            let n = FIRST as f64;
            let mean = self.first.iter().sum::<f64>() / n;
            let squares: f64 = self.first.iter().map(|used| (used - mean).powi(2)).sum();
            let deviation = (squares / (n - 1.0)).sqrt().max(DEVIATION_MIN);
            self.normal = Some((mean, deviation));
        }
    }
}

impl Detector for Cusum {
    fn observe(&mut self, scrape: &Scrape) -> Verdict {
        let minute = utilization(scrape).and_then(|used| self.means.push(scrape.t, used));
        if let Some((_, used)) = minute {
            self.add(used);
        }
        Verdict::fire_if(self.sum > H)
    }

    fn observe_run(&mut self, run: &Run, changes: &mut Changes) {
        for mean in &run.minutes {
            self.add(mean.point.1);
            changes.set(mean.index, self.sum > H);
        }
    }
}
