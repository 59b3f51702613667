//! `predict-linear`: where a straight line through the last hour of working_set will be in 4 h,
//! the way `predict_linear(container_memory_working_set_bytes[1h], 4 * 3600) > limit` does it.

use super::held::Held;
use super::newest::Queue;
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

#[derive(Default)]
struct PredictLinear {
    window: Queue<(f64, f64)>,
    sums: Sums,
    held: Option<Held>,
}

/// Sums over the window, kept up to date so that a scrape costs the same however long it is.
#[derive(Default, Clone, Copy)]
struct Sums {
    x: f64,
    y: f64,
    xx: f64,
    xy: f64,
}

impl Sums {
    #[inline]
    fn add(&mut self, (x, y): (f64, f64), sign: f64) {
        self.x += sign * x;
        self.y += sign * y;
        self.xx += sign * x * x;
        self.xy += sign * x * y;
    }

    /// The line's value at `at`, of so many points; none before two different times are known.
    #[inline]
    fn predict(&self, points: usize, at: f64) -> Option<f64> {
        let n = points as f64;
        let spread = n * self.xx - self.x * self.x;
        if points < 2 || spread <= 0.0 {
            return None;
        }
        let slope = (n * self.xy - self.x * self.y) / spread;
        Some((self.y - slope * self.x) / n + slope * at)
    }

    /// Moves the window on to `t`; whether the line passes the limit then.
    #[inline]
    fn take(
        &mut self,
        window: &mut Queue<(f64, f64)>,
        t: f64,
        value: Option<f64>,
        limit: Option<f64>,
    ) -> Option<bool> {
        if let Some(value) = value {
            window.push((t, value));
            self.add((t, value), 1.0);
        }
        while let Some(old) = window.first().copied()
            && old.0 < t - WINDOW_S
        {
            window.drop_first();
            self.add(old, -1.0);
        }
        let value = self.predict(window.len(), t + AHEAD_S);
        value.zip(limit).map(|(value, limit)| value > limit)
    }
}

impl Detector for PredictLinear {
    fn observe(&mut self, scrape: &Scrape) -> Verdict {
        let value = scrape.reading.get(Metric::WorkingSet);
        let limit = scrape.reading.limit();
        let passes = self.sums.take(&mut self.window, scrape.t, value, limit);
        let held = self.held.get_or_insert_with(|| Held::new(HOLD_S));
        Verdict::fire_if(held.observe(scrape.t, passes))
    }

    fn observe_run(&mut self, run: &Run, changes: &mut Changes) {
        // Of its own, so that the sums stay in registers.
        let mut sums = self.sums;
        let held = self.held.get_or_insert_with(|| Held::new(HOLD_S));
        for (index, (t, row)) in run.t.iter().zip(&run.rows).enumerate() {
            let value = Some(row.working_set);
            let passes = sums.take(&mut self.window, *t, value, Some(run.limit));
            changes.set(index, held.observe(*t, passes));
        }
        self.sums = sums;
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
