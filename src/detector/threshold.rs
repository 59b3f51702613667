//! `threshold`: working_set above 80 % of the limit for 5 minutes, the commonest alert there is.

use super::held::Held;
use super::{BuiltIn, Changes, Detector, Run, Scrape, Verdict};
use crate::export::Metric;

/// The share of the limit that the usual public rules take.
pub const SHARE: f64 = 0.8;
/// How long it must hold, seconds.
pub const HOLD_S: f64 = 300.0;

pub(super) const BUILT_IN: BuiltIn = BuiltIn {
    name: "threshold",
    summary: "working_set above 80 % of the limit for 5 minutes",
    reads: &[Metric::WorkingSet, Metric::SpecLimit],
    new: || Box::new(Threshold::new(&[Metric::WorkingSet])),
};

/// Fires while the largest of some series is above a share of the limit.
pub struct Threshold {
    series: &'static [Metric],
    held: Held,
}

impl Threshold {
    /// Watches the largest of `series`.
    pub fn new(series: &'static [Metric]) -> Self {
        Threshold {
            series,
            held: Held::new(HOLD_S),
        }
    }
}

impl Detector for Threshold {
    fn observe(&mut self, scrape: &Scrape) -> Verdict {
        let largest = self
            .series
            .iter()
            .filter_map(|m| scrape.reading.get(*m))
            .reduce(f64::max);
        let above = largest
            .zip(scrape.reading.limit())
            .map(|(value, limit)| value > SHARE * limit);
        Verdict::fire_if(self.held.observe(scrape.t, above))
    }

    fn observe_run(&mut self, run: &Run, changes: &mut Changes) {
        let (ws, rss) = (
            self.series.contains(&Metric::WorkingSet),
            self.series.contains(&Metric::Rss),
        );
        let limit = SHARE * run.limit;
        let below = (!ws || run.most.0 <= limit) && (!rss || run.most.1 <= limit);
        if below && (ws || rss) && !run.t.is_empty() {
            self.held.observe(run.t[0], Some(false));
            changes.set(0, false);
            return;
        }
        for (index, (t, row)) in run.t.iter().zip(&run.rows).enumerate() {
            let above = ws && row.working_set > limit || rss && row.rss > limit;
            changes.set(index, self.held.observe(*t, Some(above)));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::detector::testing::first_fire;

    fn scrapes(share: f64) -> impl Iterator<Item = (f64, Vec<(Metric, f64)>)> {
        (0..100).map(move |i| {
            let values = vec![(Metric::WorkingSet, share * 1e9), (Metric::SpecLimit, 1e9)];
            (i as f64 * 15.0, values)
        })
    }

    #[test]
    fn it_waits_five_minutes() {
        let mut detector = Threshold::new(&[Metric::WorkingSet]);
        assert_eq!(first_fire(&mut detector, scrapes(0.81)), Some(300.0));
        let mut detector = Threshold::new(&[Metric::WorkingSet]);
        assert_eq!(first_fire(&mut detector, scrapes(0.79)), None);
    }

    #[test]
    fn without_a_limit_it_stays_quiet() {
        let mut detector = Threshold::new(&[Metric::WorkingSet]);
        let unlimited = scrapes(2.0).map(|(t, v)| (t, v[..1].to_vec()));
        assert_eq!(first_fire(&mut detector, unlimited), None);
    }
}
