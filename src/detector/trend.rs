//! A robust trend over a sliding window: the window is cut into buckets, each bucket keeps one
//! number, and the slope is the median of the slopes between all pairs (Theil-Sen).
//!
//! Scrapes are autocorrelated and there may be thousands, so pairs of raw scrapes would cost much
//! and add nothing; [`BUCKETS`] buckets give at most 780 pairs, looked at once a bucket.

use std::collections::VecDeque;

/// How many buckets a window has.
pub const BUCKETS: usize = 40;

/// What a bucket keeps of the values that fell into it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Keep {
    /// The median: outliers count for nothing.
    Median,
    /// The smallest: what stays when the garbage collector has run.
    Lowest,
}

/// A rise over some buckets.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Rise {
    /// What it comes to: the smaller of last less first, and the median slope over all the time. A
    /// jump counts in the one and not in the other.
    pub bytes: f64,
    /// From the first bucket's middle to the last one's.
    pub seconds: f64,
    /// The deepest fall on the way.
    pub fallen: f64,
    /// What the third with the least of it has of it.
    pub least_third: f64,
    /// The share of neighbouring buckets that rise.
    pub share: f64,
}

/// The buckets of a window, the newest last.
#[derive(Debug, Clone)]
pub struct Trend {
    bucket_s: f64,
    keep: Keep,
    full: VecDeque<(f64, f64)>,
    filling: Vec<f64>,
    filling_since: Option<f64>,
}

impl Trend {
    /// A window of `window_s` seconds.
    pub fn new(window_s: f64, keep: Keep) -> Self {
        Trend {
            bucket_s: window_s / BUCKETS as f64,
            keep,
            full: VecDeque::new(),
            filling: Vec::new(),
            filling_since: None,
        }
    }

    /// Adds a value; true when that completed a bucket, which is when looking again is worth it.
    pub fn push(&mut self, t: f64, value: f64) -> bool {
        let since = *self.filling_since.get_or_insert(t);
        let complete = t - since >= self.bucket_s && !self.filling.is_empty();
        if complete {
            let kept = self.kept();
            self.full.push_back((since + self.bucket_s / 2.0, kept));
            if self.full.len() > BUCKETS {
                self.full.pop_front();
            }
            self.filling.clear();
            self.filling_since = Some(t);
        }
        self.filling.push(value);
        complete
    }

    fn kept(&mut self) -> f64 {
        match self.keep {
            Keep::Lowest => self.filling.iter().copied().fold(f64::INFINITY, f64::min),
            Keep::Median => median(&mut self.filling).unwrap_or(0.0),
        }
    }

    /// The complete buckets: middle time (seconds) and value.
    pub fn buckets(&self) -> impl DoubleEndedIterator<Item = (f64, f64)> + ExactSizeIterator + '_ {
        self.full.iter().copied()
    }

    /// The median slope of all pairs of the newest `n` buckets, in units a second.
    pub fn slope(&self, n: usize) -> Option<f64> {
        let from = self.full.len().saturating_sub(n);
        let mut slopes = Vec::with_capacity(BUCKETS * BUCKETS / 2);
        for later in from + 1..self.full.len() {
            for earlier in from..later {
                let ((t0, v0), (t1, v1)) = (self.full[earlier], self.full[later]);
                if t1 > t0 {
                    slopes.push((v1 - v0) / (t1 - t0));
                }
            }
        }
        median(&mut slopes)
    }

    /// How the newest `n` buckets rise; none where there are fewer, or fewer than four.
    pub fn rise(&self, n: usize) -> Option<Rise> {
        let from = self.full.len().checked_sub(n).filter(|_| n > 3)?;
        let value = |index: usize| self.full.get(from + index).copied();
        let ((t0, first), (t1, last)) = (value(0)?, value(n - 1)?);
        let (mut highest, mut fallen) = (first, 0.0f64);
        for (_, value) in self.full.range(from..) {
            highest = value.max(highest);
            fallen = fallen.max(highest - value);
        }
        let mut least_third = f64::INFINITY;
        for third in 0..3 {
            let at = |part: usize| value(part * (n - 1) / 3);
            least_third = least_third.min(at(third + 1)?.1 - at(third)?.1);
        }
        // Most of the work is the slopes: a rise that is none already needs no second look.
        let slope = if last > first { self.slope(n)? } else { 0.0 };
        Some(Rise {
            bytes: (last - first).min(slope * (t1 - t0)),
            seconds: t1 - t0,
            fallen,
            least_third,
            share: self.rising(n, 0.0),
        })
    }

    /// The share of pairs of neighbouring buckets, among the newest `n`, that rise by more than
    /// `step`.
    pub fn rising(&self, n: usize, step: f64) -> f64 {
        let from = self.full.len().saturating_sub(n);
        let pairs = self.full.len().saturating_sub(from + 1);
        let rising = (from + 1..self.full.len())
            .filter(|i| self.full[*i].1 > self.full[*i - 1].1 + step)
            .count();
        if pairs == 0 {
            0.0
        } else {
            rising as f64 / pairs as f64
        }
    }
}

/// The median; reorders the values.
fn median(values: &mut [f64]) -> Option<f64> {
    if values.is_empty() {
        return None;
    }
    let middle = values.len() / 2;
    let (_, median, _) = values.select_nth_unstable_by(middle, f64::total_cmp);
    Some(*median)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_slope_of_a_line_is_found_through_outliers() {
        let mut trend = Trend::new(400.0, Keep::Median);
        for i in 0..400 {
            let outlier = if i % 17 == 0 { 1e6 } else { 0.0 };
            trend.push(i as f64, 3.0 * i as f64 + outlier);
        }
        let slope = trend.slope(BUCKETS).unwrap();
        assert!((slope - 3.0).abs() < 0.1, "{slope}");
    }

    #[test]
    fn a_jump_is_no_rise_and_what_becomes_slower_has_a_small_third() {
        let trend = |value: &dyn Fn(f64) -> f64| {
            let mut trend = Trend::new(400.0, Keep::Lowest);
            for i in 0..=400 {
                trend.push(i as f64, value(i as f64));
            }
            trend.rise(30).unwrap()
        };
        let even = trend(&|t| 2.0 * t);
        assert_eq!(
            (even.bytes, even.seconds, even.fallen, even.share),
            (580.0, 290.0, 0.0, 1.0)
        );
        assert!(even.least_third > 0.3 * even.bytes, "{even:?}");
        let jump = trend(&|t| if t < 110.0 { 0.0 } else { 500.0 });
        assert_eq!((jump.bytes, jump.least_third), (0.0, 0.0));
        let warm_up = trend(&|t| 500.0 * (1.0 - (-t / 80.0).exp()));
        assert!(warm_up.least_third < 0.2 * warm_up.bytes, "{warm_up:?}");
        assert_eq!(Trend::new(400.0, Keep::Lowest).rise(30), None);
    }

    #[test]
    fn the_lowest_of_a_saw_tooth_is_flat() {
        let mut trend = Trend::new(400.0, Keep::Lowest);
        for i in 0..400 {
            trend.push(i as f64, 100.0 + (i % 7) as f64);
        }
        assert_eq!(trend.slope(BUCKETS), Some(0.0));
    }

    #[test]
    fn the_window_forgets() {
        let mut trend = Trend::new(40.0, Keep::Median);
        for i in 0..1000 {
            trend.push(i as f64, i as f64);
        }
        assert_eq!(trend.buckets().len(), BUCKETS);
    }
}
