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

use super::lbr::{POINT_S, POINTS_MAX, POINTS_MIN, R2_MIN, leaks};
use super::line::Line;
use super::resample::{Resample, utilization};
use super::{BuiltIn, Detector, Scrape, Verdict};
use crate::export::Metric;

/// A difference so many standard deviations from the mean is a change, if it is one of 1 % of the limit.
const CHANGE: f64 = 3.0;
const CHANGE_MIN: f64 = 0.01;

pub(super) const BUILT_IN: BuiltIn = BuiltIn {
    name: "precog",
    summary: "a line since the last change point, beyond the container's own past, reaches the limit within 4 hours (arXiv 2101.09799)",
    reads: &[Metric::WorkingSet, Metric::SpecLimit],
    new: || Box::new(Precog::new(1)),
};

/// The detector, after a maximum filter of so many points.
pub(super) struct Precog {
    means: Resample,
    /// How many of the newest means a point is the maximum of.
    width: usize,
    raw: Vec<f64>,
    points: Vec<(f64, f64)>,
    firing: bool,
}

impl Precog {
    /// A filter of width 1 changes nothing.
    pub(super) fn new(width: usize) -> Self {
        Precog {
            means: Resample::new(POINT_S),
            width,
            raw: Vec::new(),
            points: Vec::new(),
            firing: false,
        }
    }

    fn add(&mut self, (t, used): (f64, f64)) {
        self.raw.push(used);
        if self.raw.len() > self.width {
            self.raw.remove(0);
        }
        if self.points.len() == POINTS_MAX {
            self.points.remove(0);
        }
        let most = self.raw.iter().copied().fold(used, f64::max);
        self.points.push((t, most));
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

impl Detector for Precog {
    fn observe(&mut self, scrape: &Scrape) -> Verdict {
        let point = utilization(scrape).and_then(|used| self.means.push(scrape.t, used));
        if let Some(point) = point {
            self.add(point);
            self.firing = self.is_leak();
        }
        Verdict::leak_if(self.firing)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
