//! A robust trend over a sliding window: the window is cut into buckets, each bucket keeps one
//! number, and the slope is the median of the slopes between all pairs (Theil-Sen).
//!
//! Scrapes are autocorrelated and there may be thousands, so pairs of raw scrapes would cost much
//! and add nothing; [`BUCKETS`] buckets give at most 780 pairs, looked at once a bucket. Who only asks
//! whether the median slope is steep enough needs no median: [`Trend::reaches`] counts pairs.

use super::newest::Newest;
use super::pairs::{Beside, LANES, SEVERAL, rising_pairs};

/// How many buckets a window has.
pub const BUCKETS: usize = 40;
/// How many pairs a full window has.
const PAIRS: usize = BUCKETS * (BUCKETS - 1) / 2;
/// How much more than now, as a share of the limit, is looked at with it.
const CUSHION: f64 = 0.02;

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
    full: Newest<(f64, f64)>,
    /// Whether every bucket was later than the one before.
    in_order: bool,
    /// The values of the bucket that is filled; of those of which only the smallest counts, that one.
    filling: Vec<f64>,
    filling_since: Option<f64>,
    /// Buckets completed so far.
    completed: u64,
    certain: Option<Certain>,
    beside: Option<Beside>,
}

/// What was counted once, and is sure for a while: a bucket that comes brings as many pairs as there are
/// others, so that few steep ones do not become most of them at once.
#[derive(Debug, Clone, Copy)]
struct Certain {
    n: usize,
    ahead_s: f64,
    limit: f64,
    /// As long as what is asked about is no more than this,
    most: f64,
    /// and no more buckets are complete, it is not reached.
    until: u64,
}

impl Trend {
    /// A window of `window_s` seconds.
    pub fn new(window_s: f64, keep: Keep) -> Self {
        Trend {
            bucket_s: window_s / BUCKETS as f64,
            keep,
            full: Newest::new(BUCKETS),
            in_order: true,
            filling: Vec::new(),
            filling_since: None,
            completed: 0,
            certain: None,
            beside: None,
        }
    }

    /// Adds a value; true when that completed a bucket, which is when looking again is worth it.
    pub fn push(&mut self, t: f64, value: f64) -> bool {
        let since = *self.filling_since.get_or_insert(t);
        let complete = t - since >= self.bucket_s && !self.filling.is_empty();
        if complete {
            let kept = self.kept();
            let middle = since + self.bucket_s / 2.0;
            self.in_order &= self.full.last().is_none_or(|(before, _)| *before < middle);
            self.full.push((middle, kept));
            let in_order = self.in_order;
            let lost = |beside: &mut Beside| !in_order || !beside.push(middle, kept);
            self.beside.take_if(lost);
            self.filling.clear();
            self.filling_since = Some(t);
            self.completed += 1;
        }
        match (self.keep, self.filling.first_mut()) {
            (Keep::Lowest, Some(lowest)) => *lowest = lowest.min(value),
            (Keep::Lowest, None) => self.filling.push(f64::INFINITY.min(value)),
            (Keep::Median, _) => self.filling.push(value),
        }
        complete
    }

    fn kept(&mut self) -> f64 {
        median(&mut self.filling).unwrap_or(0.0)
    }

    /// The complete buckets: middle time (seconds) and value.
    pub fn buckets(&self) -> impl DoubleEndedIterator<Item = (f64, f64)> + ExactSizeIterator + '_ {
        self.full.iter().copied()
    }

    fn newest(&self, n: usize) -> &[(f64, f64)] {
        &self.full[self.full.len().saturating_sub(n)..]
    }

    /// Whether what is `from` now and changes by the median slope of the newest `n` buckets is above
    /// `limit` after `ahead_s` seconds; without a slope it stays what it is. The answer is that of
    /// [`Trend::slope`], found by counting.
    pub fn reaches(&mut self, n: usize, from: f64, ahead_s: f64, limit: f64) -> bool {
        let certain = self.certain.is_some_and(|known| {
            (known.n, known.ahead_s, known.limit) == (n, ahead_s, limit)
                && from <= known.most
                && self.completed <= known.until
        });
        if certain {
            return false;
        }
        self.certain = None;
        let counted = self.beside(n, from, ahead_s, limit).or_else(|| {
            let counted = self.counted(n, from, ahead_s, limit);
            let near = counted.is_some_and(|counted| counted != Counted::Below { far: true });
            let full = n == BUCKETS && self.full.len() == BUCKETS && self.in_order;
            let there = self
                .beside
                .as_ref()
                .is_some_and(|beside| beside.covers(from));
            if near && full && !there {
                self.beside = Beside::new(&self.full, from, ahead_s, limit);
            }
            counted
        });
        if counted == Some(Counted::Below { far: true }) {
            self.certain = self.look_ahead(n, from, ahead_s, limit);
            self.beside = None;
        }
        match counted {
            Some(counted) => counted == Counted::Reaches,
            None => from + self.slope(n).unwrap_or(0.0) * ahead_s > limit,
        }
    }

    /// What is known without a look at all pairs.
    fn beside(&self, n: usize, from: f64, ahead_s: f64, limit: f64) -> Option<Counted> {
        let beside = self.beside.as_ref().filter(|_| n == BUCKETS)?;
        let upper = PAIRS - PAIRS / 2;
        let (reaches, far) = beside.reaches(from, ahead_s, limit, upper)?;
        Some(match reaches {
            true => Counted::Reaches,
            false => Counted::Below { far },
        })
    }

    /// For how long it is sure that it is not reached, from a little more than `from`.
    fn look_ahead(&self, n: usize, from: f64, ahead_s: f64, limit: f64) -> Option<Certain> {
        let most = from + CUSHION * limit;
        let (left, margin) = self.less_line(n, most, ahead_s, limit)?;
        // Only a full window forgets as many pairs as come.
        let others = (left.len() == BUCKETS && n >= BUCKETS).then_some(BUCKETS - 1)?;
        let pairs = BUCKETS * others / 2;
        let room = (pairs - pairs / 2 - 1).checked_sub(rising_pairs(&left, -margin))?;
        Some(Certain {
            n,
            ahead_s,
            limit,
            most,
            until: self.completed + (room / others) as u64,
        })
    }

    /// The upper median is steep enough if the upper half of the pairs is. A pair is where its later
    /// value is above its earlier one once the line that just reaches the limit is taken off. None where
    /// rounding could decide, or where times are the same.
    fn counted(&self, n: usize, from: f64, ahead_s: f64, limit: f64) -> Option<Counted> {
        let (left, margin) = self.less_line(n, from, ahead_s, limit)?;
        let pairs = left.len() * (left.len() - 1) / 2;
        let upper = (pairs > 0).then_some(pairs - pairs / 2)?;
        let rising = rising_pairs(&left, -margin);
        if rising < upper {
            // A bucket brings as many pairs as there are others.
            let far = rising + SEVERAL * left.len() <= upper;
            return Some(Counted::Below { far });
        }
        (rising_pairs(&left, margin) >= upper).then_some(Counted::Reaches)
    }

    /// The newest buckets less that line, and by how much a difference of two may be off.
    fn less_line(&self, n: usize, from: f64, ahead_s: f64, limit: f64) -> Option<(Few, f64)> {
        let newest = self.newest(n.min(BUCKETS));
        let (first_t, _) = *newest.first()?;
        let (last_t, _) = *newest.last()?;
        let slope = (limit - from) / ahead_s;
        let mut left = Few::new(newest.len());
        // Several sums: one would have to wait for itself at each of its steps.
        let mut scales = [0.0; LANES];
        for (n, (t, value)) in newest.iter().enumerate() {
            let less = value - slope * (t - last_t);
            left.values[n] = less;
            scales[n % LANES] += value.abs() + less.abs();
        }
        let scale = from.abs() + limit.abs() + scales.iter().sum::<f64>();
        // Each of these numbers is off by a few units in its last place, 2e-16 of the largest.
        let margin = 1e-13 * scale;
        let sure = self.in_order && margin.is_finite() && last_t - first_t <= 4.0 * ahead_s;
        sure.then_some((left, margin))
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
        let rise = self.outline(n)?;
        // Most of the work is the slopes: a rise that is none already needs no second look.
        let slope = if rise.bytes > 0.0 {
            self.slope(n)?
        } else {
            0.0
        };
        Some(Rise {
            bytes: rise.bytes.min(slope * rise.seconds),
            ..rise
        })
    }

    /// The same without the slopes: `bytes` is last less first, and never less than that of the rise.
    pub fn outline(&self, n: usize) -> Option<Rise> {
        let from = self.full.len().checked_sub(n).filter(|_| n > 3)?;
        let value = |index: usize| self.full.get(from + index).copied();
        let ((t0, first), (t1, last)) = (value(0)?, value(n - 1)?);
        let (mut highest, mut fallen) = (first, 0.0f64);
        for (_, value) in &self.full[from..] {
            highest = value.max(highest);
            fallen = fallen.max(highest - value);
        }
        let mut least_third = f64::INFINITY;
        for third in 0..3 {
            let at = |part: usize| value(part * (n - 1) / 3);
            least_third = least_third.min(at(third + 1)?.1 - at(third)?.1);
        }
        Some(Rise {
            bytes: last - first,
            seconds: t1 - t0,
            fallen,
            least_third,
            share: self.rising(n, 0.0),
        })
    }

    /// Last less first of the newest `n` buckets; none where there are fewer, or none at all.
    pub fn risen(&self, n: usize) -> Option<f64> {
        let from = self.full.len().checked_sub(n)?;
        Some(self.full.last()?.1 - self.full.get(from)?.1)
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

/// What counting pairs says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Counted {
    /// Most pairs are steep enough.
    Reaches,
    /// They are not; `far` where several more buckets could not change that.
    Below { far: bool },
}

/// As many values as a window has buckets at most, without an allocation.
struct Few {
    values: [f64; BUCKETS],
    len: usize,
}

impl Few {
    /// Room for so many.
    fn new(len: usize) -> Self {
        Few {
            values: [0.0; BUCKETS],
            len: len.min(BUCKETS),
        }
    }
}

impl std::ops::Deref for Few {
    type Target = [f64];

    fn deref(&self) -> &[f64] {
        &self.values[..self.len]
    }
}

/// Up to so many values are put in order one by one: a bucket has a handful.
const HANDFUL: usize = 12;

/// The median; reorders the values.
fn median(values: &mut [f64]) -> Option<f64> {
    if values.is_empty() {
        return None;
    }
    if values.len() <= HANDFUL {
        for end in 1..values.len() {
            let mut at = end;
            while at > 0 && values[at].total_cmp(&values[at - 1]).is_lt() {
                values.swap(at, at - 1);
                at -= 1;
            }
        }
        return values.get(values.len() / 2).copied();
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

    /// Values of a few kinds: levels, saw teeth, rises, noise.
    fn values() -> impl proptest::strategy::Strategy<Value = Vec<f64>> {
        use proptest::prelude::*;
        let piece = (1..60usize, 0..4u8, -1.0..1.0f64);
        proptest::collection::vec(piece, 1..12).prop_map(|pieces| {
            let (mut all, mut level) = (Vec::new(), 100.0);
            for (n, kind, by) in pieces {
                for step in 0..n {
                    let noise = ((step * 7919) % 13) as f64 - 6.0;
                    match kind {
                        0 => {}
                        1 => level += by,
                        2 => level += 40.0 * by * noise,
                        _ => level = 100.0 + 30.0 * by * (step % 5) as f64,
                    }
                    all.push(level);
                }
            }
            all
        })
    }

    proptest::proptest! {
        /// Counting says what the median says, however near to it the limit is.
        #[test]
        fn counted_is_what_the_median_says(
            values in values(), limit in 50.0..400.0f64, exact in 0..3u8, ahead in 100.0..4000.0f64
        ) {
            let mut trend = Trend::new(400.0, Keep::Median);
            for (i, value) in values.iter().enumerate() {
                if !trend.push(i as f64 * 5.0, *value) {
                    continue;
                }
                let by_median = |trend: &Trend, limit: f64| {
                    value + trend.slope(BUCKETS).unwrap_or(0.0) * ahead > limit
                };
                // Now and then the limit is just what the median reaches.
                let reached = value + trend.slope(BUCKETS).unwrap_or(0.0) * ahead;
                let limit = if exact == 0 { reached } else { limit };
                let expected = by_median(&trend, limit);
                proptest::prop_assert_eq!(trend.reaches(BUCKETS, *value, ahead, limit), expected);
            }
        }
    }

    proptest::proptest! {
        #[test]
        fn side_by_side_is_one_by_one(
            values in proptest::collection::vec(-3i8..4, 0..=BUCKETS), margin in -1.5..1.5f64
        ) {
            let mut values: Vec<f64> = values.into_iter().map(|v| f64::from(v) / 2.0).collect();
            let pairs = (0..values.len()).flat_map(|later| (0..later).map(move |e| (e, later)));
            let rising = pairs.filter(|(e, later)| values[*e] < values[*later] - margin).count();
            proptest::prop_assert_eq!(rising_pairs(&values, margin), rising);
            let mut sorted = values.clone();
            sorted.sort_by(f64::total_cmp);
            let middle = sorted.get(values.len() / 2).copied();
            proptest::prop_assert_eq!(median(&mut values), middle);
        }
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
