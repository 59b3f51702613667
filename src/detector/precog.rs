//! `precog`: from *Online Memory Leak Detection in the Cloud-based Infrastructures* (Jindal et al.,
//! arXiv 2101.09799).
//!
//! Taken from there: the past is cut at change points, where the difference of neighbouring points is
//! more than three standard deviations from the mean difference; of each piece that a line explains, the
//! slope and the time it lasted are remembered; what has come since the last change point is a leak if a
//! line explains it, reaches all of the memory within the critical time, and is steeper and lasts longer
//! than what the past has seen.
//!
//! Chosen here: what `lbr` chooses. The paper trains on a machine's past; a container's own past is all
//! that is used here, so no label and no other recording is seen, and a young container has next to none.

use std::collections::VecDeque;

use super::BuiltIn;
use super::lbr::{CRITICAL_S, LATEST_S, POINTS_MAX, POINTS_MIN, R2_MIN, leaks, wanted};
use super::leak::{OfFives, SeesFives};
use super::line::{Line, Sums};
use super::newest::Newest;
use crate::export::Metric;

/// A difference so many standard deviations from the mean is a change, if it is one of 1 % of the limit.
const CHANGE: f64 = 3.0;
const CHANGE_MIN: f64 = 0.01;
/// More than sums kept up to date are off by rounding.
const ROUNDING: f64 = 1e-8;

pub(super) const BUILT_IN: BuiltIn = BuiltIn {
    name: "precog",
    summary: "a line since the last change point, beyond the container's own past, reaches the limit within 4 hours (arXiv 2101.09799)",
    reads: &[Metric::WorkingSet, Metric::SpecLimit],
    new: || Box::new(OfFives::new(Precog::new(1))),
};

/// The detector, after a maximum filter of so many points.
pub(super) struct Precog {
    /// How many of the newest means a point is the maximum of.
    width: usize,
    raw: Vec<f64>,
    points: Newest<(f64, f64)>,
    known: Known,
}

/// Sums over the points, kept up to date, so that most points need no look at all the others.
#[derive(Default)]
struct Known {
    /// Of the points before each, the dropped ones included, from `origin` on; one more than points.
    sums: Vec<Sums>,
    origin: (f64, f64),
    /// Points that were dropped since `origin` was chosen.
    dropped: usize,
    /// The squares of the steps from point to point.
    squares: f64,
    /// Steps, by the number of the point behind them (dropped ones counted), that may be changes.
    large: VecDeque<usize>,
    /// The largest distance of a value from 0.
    largest: f64,
}

impl Known {
    /// Takes the newest of `points` in; `dropped` is the one that had to go for it.
    fn add(&mut self, points: &[(f64, f64)], dropped: Option<(f64, f64)>) {
        let oldest = dropped.zip(points.first());
        if let Some(((_, gone), (_, first))) = oldest {
            self.squares -= (first - gone).powi(2);
            self.dropped += 1;
        }
        if self.sums.len() <= 1 || self.dropped > POINTS_MAX {
            *self = Known::default();
            self.origin = points.first().copied().unwrap_or_default();
            self.sums.push(Sums::default());
            (1..=points.len()).for_each(|n| self.append(&points[..n]));
        } else {
            self.append(points);
        }
        while self.large.front().is_some_and(|n| *n <= self.dropped) {
            self.large.pop_front();
        }
    }

    fn append(&mut self, points: &[(f64, f64)]) {
        let Some((t, value)) = points.last() else {
            return;
        };
        let mut sums = self.sums.last().copied().unwrap_or_default();
        sums.add(t - self.origin.0, value - self.origin.1);
        self.sums.push(sums);
        self.largest = self.largest.max(value.abs());
        if let [.., (_, before), _] = points {
            let step = value - before;
            self.squares += step * step;
            if step.abs() > CHANGE_MIN / 2.0 {
                self.large.push_back(self.sums.len() - 2);
            }
        }
    }

    /// Where the newest piece begins; none where rounding could decide.
    fn newest_piece(&self, points: &[(f64, f64)]) -> Option<usize> {
        let steps = points.len().checked_sub(1).filter(|n| *n > 0)?;
        let mean = (points[steps].1 - points[0].1) / steps as f64;
        let deviation = (self.squares / steps as f64 - mean * mean).max(0.0).sqrt();
        let limit = (CHANGE * deviation).max(CHANGE_MIN);
        // With a mean this large small steps may be changes, too.
        if mean.abs() > 0.4 * CHANGE_MIN || self.largest > 10.0 {
            return None;
        }
        for n in self.large.iter().rev() {
            let behind = n - self.dropped;
            let off = (points[behind].1 - points[behind - 1].1 - mean).abs();
            if off > limit + ROUNDING {
                return Some(behind);
            } else if off > limit - ROUNDING {
                return None;
            }
        }
        Some(0)
    }

    /// Whether the newest piece may be a leak; false only where that is sure.
    fn may_leak(&self, points: &[(f64, f64)]) -> bool {
        let Some(((now, _), from)) = points.last().zip(self.newest_piece(points)) else {
            return true;
        };
        let newest = points.len() - from;
        let all = self.sums.len();
        let (Some(sums), true) = (self.sums.last(), now.abs() <= LATEST_S) else {
            return true;
        };
        let (first, value) = self.origin;
        let largest = (now - first, self.largest + value.abs());
        // The sums hold more than the piece, and are rounded by that.
        let exact = 4e-15 * (all * all) as f64 / newest as f64;
        let wanted = wanted(1.0 - value, now + CRITICAL_S - first, largest, exact);
        let piece = sums.since(&self.sums[from + self.dropped]);
        newest >= POINTS_MIN && piece.may_be(&wanted)
    }
}

impl Precog {
    /// A filter of width 1 changes nothing.
    pub(super) fn new(width: usize) -> Self {
        Precog {
            width,
            raw: Vec::new(),
            points: Newest::new(POINTS_MAX),
            known: Known::default(),
        }
    }

    fn add(&mut self, (t, used): (f64, f64)) {
        self.raw.push(used);
        if self.raw.len() > self.width {
            self.raw.remove(0);
        }
        let most = self.raw.iter().copied().fold(used, f64::max);
        let dropped = self.points.push((t, most));
        self.known.add(&self.points, dropped);
    }

    /// Where the pieces begin, the newest last.
    fn pieces(&self) -> Vec<usize> {
        let steps: Vec<f64> = self
            .points
            .windows(2)
            .map(|pair| pair[1].1 - pair[0].1)
            .collect();
        let n = steps.len().max(1) as f64;
        let mean = steps.iter().sum::<f64>() / n;
        let deviation = (steps.iter().map(|step| (step - mean).powi(2)).sum::<f64>() / n).sqrt();
        let changes = steps
            .iter()
            .enumerate()
            .filter(|(_, step)| (*step - mean).abs() > (CHANGE * deviation).max(CHANGE_MIN))
            .map(|(before, _)| before + 1);
        std::iter::once(0).chain(changes).collect()
    }

    fn is_leak(&self) -> bool {
        let starts = self.pieces();
        let (mut steepest, mut longest): (f64, f64) = (0.0, 0.0);
        for pair in starts.windows(2) {
            let piece = &self.points[pair[0]..pair[1]];
            let line =
                Line::through(piece).filter(|line| piece.len() >= POINTS_MIN && line.r2 >= R2_MIN);
            if let Some(line) = line {
                steepest = steepest.max(line.slope);
                longest = longest.max(lasted(piece));
            }
        }
        let newest = &self.points[starts.last().copied().unwrap_or(0)..];
        let line = leaks(newest).filter(|_| newest.len() >= POINTS_MIN);
        line.is_some_and(|line| line.slope > steepest && lasted(newest) > longest)
    }
}

/// Seconds from a piece's first point to its last.
fn lasted(piece: &[(f64, f64)]) -> f64 {
    let ends = piece.first().zip(piece.last());
    ends.map_or(0.0, |(first, last)| last.0 - first.0)
}

impl SeesFives for Precog {
    fn take(&mut self, point: (f64, f64)) -> bool {
        self.add(point);
        self.known.may_leak(&self.points) && self.is_leak()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::detector::leak::POINT_S;

    proptest::proptest! {
        #![proptest_config(proptest::prelude::ProptestConfig {
            cases: 64, ..proptest::prelude::ProptestConfig::default()
        })]
        #[test]
        fn what_is_kept_up_to_date_never_hides_a_leak(
            points in super::super::lbr::tests::points(), width in 1..4usize
        ) {
            let mut detector = Precog::new(width);
            for (n, point) in points.into_iter().enumerate() {
                detector.add(point);
                let may = detector.known.may_leak(&detector.points);
                proptest::prop_assert!(may || !detector.is_leak(), "{}", n);
            }
        }
    }

    #[test]
    fn a_jump_begins_a_piece_and_the_filter_keeps_the_tops() {
        let mut detector = Precog::new(1);
        let mut filtered = Precog::new(3);
        for i in 0..40 {
            let level = if i < 20 { 0.1 } else { 0.6 };
            let tooth = f64::from(i % 3) * 0.01;
            detector.add((f64::from(i) * POINT_S, level + tooth));
            filtered.add((f64::from(i) * POINT_S, level + tooth));
        }
        assert_eq!(detector.pieces(), [0, 20]);
        assert!(
            filtered.points[3..20]
                .iter()
                .all(|(_, used)| (*used - 0.12).abs() < 1e-9)
        );
    }
}
