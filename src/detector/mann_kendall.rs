//! `mann-kendall`: the trend test of Mann (1945) and Kendall (1975), with Sen's slope (1968).
//!
//! Taken from there: S, the number of pairs that rise less those that fall; its variance with ties;
//! Z = (S - 1) / sqrt(var) for S > 0; Sen's slope is the median of the slopes of all pairs. Chosen here:
//! rss, medians of 90 s over an hour (scrapes are autocorrelated, and the test is not made for that);
//! 5 % of error on one side; and, since what rises is not always worth a look, at Sen's slope the limit is
//! reached within four hours.

use super::BuiltIn;
use super::leak::{OfRss, SeesRss};
use super::newest::Newest;
use super::trend::{BUCKETS, Keep, Trend};
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
        Box::new(OfRss::new(MannKendall {
            trend: Trend::new(WINDOW_S, Keep::Median),
            pairs: Pairs::default(),
        }))
    },
};

struct MannKendall {
    trend: Trend,
    pairs: Pairs,
}

/// The pairs of the newest values, kept up to date: a value that comes or goes is compared with the
/// others, and not all with all.
struct Pairs {
    values: Newest<f64>,
    /// Pairs that rise less pairs that fall.
    s: i64,
    /// Of groups of t equal values, t (t - 1) (2 t + 5).
    ties: i64,
}

/// What a group of `t` equal values takes from the variance.
fn tied(t: i64) -> i64 {
    t * (t - 1) * (2 * t + 5)
}

/// How many of the others are below a value, and how many are the same.
fn beside(others: &[f64], value: f64) -> (i64, i64) {
    let below = others.iter().filter(|v| **v < value).count();
    let equal = others.iter().filter(|v| **v == value).count();
    (below as i64, equal as i64)
}

impl Default for Pairs {
    fn default() -> Self {
        Pairs {
            values: Newest::new(BUCKETS),
            s: 0,
            ties: 0,
        }
    }
}

impl Pairs {
    fn push(&mut self, value: f64) {
        let full = self.values.len() == BUCKETS;
        let mut others = &self.values[..];
        if let (true, [oldest, rest @ ..]) = (full, others) {
            let (below, equal) = beside(rest, *oldest);
            let above = rest.len() as i64 - below - equal;
            self.s -= above - below;
            self.ties -= tied(equal + 1) - tied(equal);
            others = rest;
        }
        let (below, equal) = beside(others, value);
        let above = others.len() as i64 - below - equal;
        self.s += below - above;
        self.ties += tied(equal + 1) - tied(equal);
        self.values.push(value);
    }

    /// The test's Z; 0 where all values are the same.
    fn z(&self) -> f64 {
        let (n, s) = (self.values.len() as f64, self.s as f64);
        let variance = (n * (n - 1.0) * (2.0 * n + 5.0) - self.ties as f64) / 18.0;
        if variance > 0.0 && s != 0.0 {
            (s - s.signum()) / variance.sqrt()
        } else {
            0.0
        }
    }
}

impl SeesRss for MannKendall {
    fn take(&mut self, t: f64, rss: f64, limit: f64) -> Option<bool> {
        (rss.is_finite() && self.trend.push(t, rss)).then(|| {
            if let Some((_, value)) = self.trend.buckets().next_back() {
                self.pairs.push(value);
            }
            let rises = self.pairs.values.len() >= BUCKETS_MIN && self.pairs.z() > Z;
            rises
                && self.trend.reaches(BUCKETS, rss, AHEAD_S, limit)
                // Above the limit already, a slope that is none reaches it, too.
                && (rss <= limit || self.trend.slope(BUCKETS).is_some_and(|slope| slope > 0.0))
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::strategy::Strategy;

    use super::*;

    /// The textbook's, over all pairs.
    fn z_of_all(values: &[f64]) -> f64 {
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

    fn z(values: &[f64]) -> f64 {
        let mut pairs = Pairs::default();
        values.iter().for_each(|value| pairs.push(*value));
        pairs.z()
    }

    /// By hand: S = 10 of five values in order, variance 5*4*15/18.
    #[test]
    fn the_statistic_is_the_textbooks() {
        assert!((z(&[1.0, 2.0, 3.0, 4.0, 5.0]) - 9.0 / (300.0f64 / 18.0).sqrt()).abs() < 1e-12);
        assert!((z(&[5.0, 4.0, 3.0, 2.0, 1.0]) + 9.0 / (300.0f64 / 18.0).sqrt()).abs() < 1e-12);
        assert_eq!(z(&[2.0; 9]), 0.0);
        // Two tied values: S = 5, variance (4*3*13 - 2*1*9) / 18.
        assert!((z(&[1.0, 2.0, 2.0, 3.0]) - 4.0 / (138.0f64 / 18.0).sqrt()).abs() < 1e-12);
    }

    proptest::proptest! {
        /// A few levels, so that many values are the same; longer than the window.
        #[test]
        fn what_is_kept_up_to_date_is_what_all_pairs_say(
            values in proptest::collection::vec(proptest::prelude::prop_oneof![
                (0..5u8).prop_map(f64::from), 0.0..4.0f64], 0..120)
        ) {
            let newest = &values[values.len().saturating_sub(BUCKETS)..];
            proptest::prop_assert_eq!(z(&values).to_bits(), z_of_all(newest).to_bits());
        }
    }
}
