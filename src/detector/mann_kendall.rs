//! `mann-kendall`: the trend test of Mann (1945) and Kendall (1975), with Sen's slope (1968).
//!
//! Taken from there: S, the number of pairs that rise less those that fall; its variance with ties;
//! Z = (S - 1) / sqrt(var) for S > 0; Sen's slope is the median of the slopes of all pairs. Chosen here:
//! rss, medians of 90 s over an hour (scrapes are autocorrelated, and the test is not made for that);
//! 5 % of error on one side; and, since what rises is not always worth a look, at Sen's slope the limit is
//! reached within four hours.

use super::trend::{BUCKETS, Keep, Trend};
use super::{BuiltIn, Detector, Scrape, Verdict};
use crate::export::Metric;

const WINDOW_S: f64 = 3600.0;
/// A window that is less than half full says nothing yet.
const BUCKETS_MIN: usize = BUCKETS / 2;
/// The normal distribution's 95 % quantile.
const Z: f64 = 1.645;
const AHEAD_S: f64 = 4.0 * 3600.0;

pub(super) const BUILT_IN: BuiltIn = BuiltIn {
    name: "mann-kendall",
    summary: "rss rises by the Mann-Kendall test (5 %), and by Sen's slope reaches the limit within 4 hours",
    reads: &[Metric::Rss, Metric::SpecLimit],
    new: || {
        Box::new(MannKendall {
            trend: Trend::new(WINDOW_S, Keep::Median),
            firing: false,
        })
    },
};

struct MannKendall {
    trend: Trend,
    firing: bool,
}

/// The test's Z; 0 where all values are the same.
fn z(values: &[f64]) -> f64 {
    let n = values.len() as f64;
    let mut s = 0.0;
    for (later, value) in values.iter().enumerate() {
        for earlier in &values[..later] {
            s += f64::from(u8::from(value > earlier)) - f64::from(u8::from(value < earlier));
        }
    }
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let ties: f64 = sorted
        .chunk_by(|a, b| a == b)
        .map(|tied| tied.len() as f64)
        .map(|t| t * (t - 1.0) * (2.0 * t + 5.0))
        .sum();
    let variance = (n * (n - 1.0) * (2.0 * n + 5.0) - ties) / 18.0;
    if variance > 0.0 && s != 0.0 {
        (s - s.signum()) / variance.sqrt()
    } else {
        0.0
    }
}

impl Detector for MannKendall {
    fn observe(&mut self, scrape: &Scrape) -> Verdict {
        if let Some((rss, limit)) = scrape.reading.get(Metric::Rss).zip(scrape.reading.limit())
            && rss.is_finite()
            && self.trend.push(scrape.t, rss)
        {
            let values: Vec<f64> = self.trend.buckets().map(|(_, value)| value).collect();
            let rises = values.len() >= BUCKETS_MIN && z(&values) > Z;
            let slope = self.trend.slope(BUCKETS).filter(|_| rises).unwrap_or(0.0);
            self.firing = slope > 0.0 && rss + slope * AHEAD_S > limit;
        }
        Verdict::leak_if(self.firing)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// By hand: S = 10 of five values in order, variance 5*4*15/18.
    #[test]
    fn the_statistic_is_the_textbooks() {
        assert!((z(&[1.0, 2.0, 3.0, 4.0, 5.0]) - 9.0 / (300.0f64 / 18.0).sqrt()).abs() < 1e-12);
        assert!((z(&[5.0, 4.0, 3.0, 2.0, 1.0]) + 9.0 / (300.0f64 / 18.0).sqrt()).abs() < 1e-12);
        assert_eq!(z(&[2.0; 9]), 0.0);
        // Two tied values: S = 5, variance (4*3*13 - 2*1*9) / 18.
        assert!((z(&[1.0, 2.0, 2.0, 3.0]) - 4.0 / (138.0f64 / 18.0).sqrt()).abs() < 1e-12);
    }
}
