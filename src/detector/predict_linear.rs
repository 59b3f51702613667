//! `predict-linear`: where a straight line through the last hour of working_set will be in 4 h,
//! the way `predict_linear(container_memory_working_set_bytes[1h], 4 * 3600) > limit` does it.

use std::collections::VecDeque;

use super::held::Held;
use super::{BuiltIn, Changes, Detector, Run, Scrape, Verdict};
use crate::export::Metric;

const WINDOW_S: f64 = 3600.0;
const AHEAD_S: f64 = 4.0 * 3600.0;
const HOLD_S: f64 = 300.0;

pub(super) const BUILT_IN: BuiltIn = BuiltIn {
    name: "predict-linear",
    summary: "a line through the last hour of working_set passes the limit within 4 hours",
    reads: &[Metric::WorkingSet, Metric::SpecLimit],
    new: || Box::new(PredictLinear::default()),
};

/// Sums over the window, kept up to date so that a scrape costs the same however long it is.
#[derive(Default)]
struct PredictLinear {
    window: VecDeque<(f64, f64)>,
    sum_x: f64,
    sum_y: f64,
    sum_xx: f64,
    sum_xy: f64,
    held: Option<Held>,
}

impl PredictLinear {
    fn add(&mut self, (x, y): (f64, f64), sign: f64) {
        self.sum_x += sign * x;
        self.sum_y += sign * y;
        self.sum_xx += sign * x * x;
        self.sum_xy += sign * x * y;
    }

    /// The line's value at `x`; none before two different times are known.
    fn predict(&self, x: f64) -> Option<f64> {
        let n = self.window.len() as f64;
        let spread = n * self.sum_xx - self.sum_x * self.sum_x;
        if self.window.len() < 2 || spread <= 0.0 {
            return None;
        }
        let slope = (n * self.sum_xy - self.sum_x * self.sum_y) / spread;
        Some((self.sum_y - slope * self.sum_x) / n + slope * x)
    }
}

impl PredictLinear {
    fn take(&mut self, t: f64, value: Option<f64>, limit: Option<f64>) -> bool {
        if let Some(value) = value {
            self.window.push_back((t, value));
            self.add((t, value), 1.0);
        }
        while let Some(old) = self.window.front().copied()
            && old.0 < t - WINDOW_S
        {
            self.window.pop_front();
            self.add(old, -1.0);
        }
        let passes = self
            .predict(t + AHEAD_S)
            .zip(limit)
            .map(|(value, limit)| value > limit);
        let held = self.held.get_or_insert_with(|| Held::new(HOLD_S));
        held.observe(t, passes)
    }
}

impl Detector for PredictLinear {
    fn observe(&mut self, scrape: &Scrape) -> Verdict {
        let value = scrape.reading.get(Metric::WorkingSet);
        if self.take(scrape.t, value, scrape.reading.limit()) {
            Verdict::Fire(None)
        } else {
            Verdict::Quiet(None)
        }
    }

    fn observe_run(&mut self, run: &Run, changes: &mut Changes) {
        for (index, (t, row)) in run.t.iter().zip(&run.rows).enumerate() {
            let firing = self.take(*t, Some(row.working_set), Some(run.limit));
            changes.set(index, firing);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::detector::testing::first_fire;

    fn growing(rate: f64) -> impl Iterator<Item = (f64, Vec<(Metric, f64)>)> {
        (0..400).map(move |i| {
            let t = i as f64 * 15.0;
            (
                t,
                vec![(Metric::WorkingSet, rate * t), (Metric::SpecLimit, 1e9)],
            )
        })
    }

    #[test]
    fn it_fires_when_four_hours_at_this_rate_pass_the_limit() {
        let mut detector = PredictLinear::default();
        // 1e9 / 14,400 s is 69,444 B/s; the second scrape is the first that gives a line.
        assert_eq!(first_fire(&mut detector, growing(70_000.0)), Some(315.0));
        let mut detector = PredictLinear::default();
        assert_eq!(first_fire(&mut detector, growing(40_000.0)), None);
    }
}
