//! Pairs of a window's values of which the later one is above the earlier one.

use super::newest::Newest;
use crate::sys::wide;

/// Values that are looked at side by side.
pub const LANES: usize = 4;

/// Of an earlier value in the same group of lanes: which lanes are later.
const LATER: [[u64; LANES]; LANES] = [[0, 1, 1, 1], [0, 0, 1, 1], [0, 0, 0, 1], [0; LANES]];

/// Pairs of which the later one is above the earlier one by more than `margin`.
pub fn rising_pairs(values: &[f64], margin: f64) -> usize {
    wide::with_wide_vectors(
        #[inline(always)]
        || {
            let (groups, rest) = values.as_chunks::<LANES>();
            let mut counts = [0; LANES];
            for (n, group) in groups.iter().enumerate() {
                let below = group.map(|value| value - margin);
                for earlier in &values[..n * LANES] {
                    for lane in 0..LANES {
                        counts[lane] += u64::from(*earlier < below[lane]);
                    }
                }
                for (earlier, later) in group.iter().zip(&LATER) {
                    for lane in 0..LANES {
                        counts[lane] += u64::from(*earlier < below[lane]) & later[lane];
                    }
                }
            }
            let mut count = counts.iter().sum::<u64>() as usize;
            let first = values.len() - rest.len();
            for (at, value) in rest.iter().enumerate() {
                let below = value - margin;
                count += values[..first + at].iter().filter(|v| **v < below).count();
            }
            count
        },
    )
}

/// How far the lines are to either side of what they were made for, as a share of the limit.
const ASIDE: f64 = 0.12;
/// With room for so many values that come, nothing needs to be kept up to date for a while.
pub const SEVERAL: usize = 5;
/// More than any of the numbers is off by rounding, as a share of the limit.
const MARGIN: f64 = 1e-11;
/// Larger values than so many limits would be off by more.
const LARGEST: f64 = 16.0;
/// So many times ahead from the origin of the times they would be, too.
const FARTHEST: f64 = 4.0;

/// How many pairs of a full window rise more than a line does, kept up to date for two lines: one steeper and one
/// flatter than those that are asked about. A value that comes or goes is compared with the others, and not all
/// with all.
#[derive(Debug, Clone)]
pub struct Beside {
    ahead_s: f64,
    limit: f64,
    /// The lines reach the limit from here.
    from: (f64, f64),
    /// Times are counted from here, seconds.
    origin: f64,
    /// Pairs that surely rise more than the steeper line, and those that may rise more than the flatter one.
    steep: Above,
    flat: Above,
}

/// Pairs above one line.
#[derive(Debug, Clone)]
struct Above {
    slope: f64,
    margin: f64,
    /// Values less the line.
    left: Newest<f64>,
    pairs: usize,
}

impl Above {
    fn new(window: &[(f64, f64)], slope: f64, margin: f64) -> Self {
        let origin = window.first().map_or(0.0, |(t, _)| *t);
        let mut left = Newest::new(window.len());
        for (t, value) in window {
            left.push(value - slope * (t - origin));
        }
        Above {
            slope,
            margin,
            pairs: rising_pairs(&left, margin),
            left,
        }
    }

    fn push(&mut self, t: f64, value: f64) {
        let newest = value - self.slope * t;
        let (margin, below) = (self.margin, newest - self.margin);
        let Some(oldest) = self.left.first().copied() else {
            return;
        };
        let (groups, rest) = self.left.as_chunks::<LANES>();
        let (come, gone) = wide::with_wide_vectors(
            #[inline(always)]
            || {
                let (mut come, mut gone) = ([0u64; LANES], [0u64; LANES]);
                for group in groups {
                    for lane in 0..LANES {
                        come[lane] += u64::from(group[lane] < below);
                        gone[lane] += u64::from(oldest < group[lane] - margin);
                    }
                }
                for (lane, value) in rest.iter().enumerate() {
                    come[lane] += u64::from(*value < below);
                    gone[lane] += u64::from(oldest < value - margin);
                }
                (come.iter().sum::<u64>(), gone.iter().sum::<u64>())
            },
        );
        // The oldest goes as the newest comes, and is no pair with itself.
        let come = come - u64::from(oldest < below);
        let gone = gone - u64::from(oldest < oldest - margin);
        self.pairs = self.pairs + come as usize - gone as usize;
        self.left.push(newest);
    }
}

impl Beside {
    /// Two lines beside the one that reaches `limit` from `from` after `ahead_s` seconds, over a full window in the
    /// order of time; none where rounding could decide.
    pub fn new(window: &[(f64, f64)], from: f64, ahead_s: f64, limit: f64) -> Option<Self> {
        let (first, _) = *window.first()?;
        let (last, _) = *window.last()?;
        let fits = limit > 0.0
            && limit.is_finite()
            && from.abs() <= LARGEST * limit
            && last - first <= FARTHEST * ahead_s
            && window
                .iter()
                .all(|(_, value)| value.abs() <= LARGEST * limit);
        let (low, high) = (from - ASIDE * limit, from + ASIDE * limit);
        let slope = |from: f64| (limit - from) / ahead_s;
        fits.then(|| Beside {
            ahead_s,
            limit,
            from: (low, high),
            origin: first,
            steep: Above::new(window, slope(low), MARGIN * limit),
            flat: Above::new(window, slope(high), -MARGIN * limit),
        })
    }

    /// Takes the newest value in; false where the lines can't be used any more.
    pub fn push(&mut self, t: f64, value: f64) -> bool {
        let t = t - self.origin;
        let fits = t <= FARTHEST * self.ahead_s && value.abs() <= LARGEST * self.limit;
        if fits {
            self.steep.push(t, value);
            self.flat.push(t, value);
        }
        fits
    }

    /// Whether the lines are beside the one from here.
    pub fn covers(&self, from: f64) -> bool {
        self.from.0 <= from && from <= self.from.1
    }

    /// Whether `upper` pairs or more rise more than the line from `from`, and where they do not, whether far fewer do:
    /// several values that come could not change it. None where the lines do not say.
    pub fn reaches(
        &self,
        from: f64,
        ahead_s: f64,
        limit: f64,
        upper: usize,
    ) -> Option<(bool, bool)> {
        let asked = (ahead_s, limit) == (self.ahead_s, self.limit) && self.covers(from);
        match asked {
            true if self.steep.pairs >= upper => Some((true, false)),
            true if self.flat.pairs < upper => Some((
                false,
                self.flat.pairs + SEVERAL * self.flat.left.len() <= upper,
            )),
            _ => None,
        }
    }
}
