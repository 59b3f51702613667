//! `theil-sen`: a steady rise of rss, whatever its level: the classic slope-based leak detector.

use super::BuiltIn;
use super::leak::{OfRss, SeesRss};
use super::trend::{BUCKETS, Keep, Trend};
use crate::export::Metric;

/// The window over which a rise must be seen, seconds.
const WINDOW_S: f64 = 1800.0;
/// A window that is less than half full says nothing yet.
const BUCKETS_MIN: usize = BUCKETS / 2;
/// Fires when at this slope the limit is reached within this time, seconds.
const AHEAD_S: f64 = 4.0 * 3600.0;

pub(super) const BUILT_IN: BuiltIn = BuiltIn {
    name: "theil-sen",
    summary: "the median slope of rss over 30 minutes reaches the limit within 4 hours",
    reads: &[Metric::Rss, Metric::SpecLimit],
    new: || {
        Box::new(OfRss::new(TheilSen {
            trend: Trend::new(WINDOW_S, Keep::Median),
        }))
    },
};

struct TheilSen {
    trend: Trend,
}

impl SeesRss for TheilSen {
    fn take(&mut self, t: f64, rss: f64, limit: f64) -> Option<bool> {
        self.trend.push(t, rss).then(|| {
            let enough = self.trend.buckets().len() >= BUCKETS_MIN;
            enough && self.trend.reaches(BUCKETS, rss, AHEAD_S, limit)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::detector::testing::first_fire;

    fn at_rate(rate: f64) -> Option<f64> {
        let scrapes = (0..240).map(|i| {
            let t = i as f64 * 15.0;
            (
                t,
                vec![(Metric::Rss, 1e8 + rate * t), (Metric::SpecLimit, 1e9)],
            )
        });
        first_fire(&mut *(BUILT_IN.new)(), scrapes)
    }

    #[test]
    fn it_fires_on_a_steady_rise_and_not_on_a_level() {
        assert_eq!(at_rate(0.0), None);
        // 20 buckets of 45 s.
        assert_eq!(at_rate(100_000.0), Some(900.0));
    }
}
