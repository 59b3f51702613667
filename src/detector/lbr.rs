//! `lbr`: linear backward regression, from *Memory Leak Detection Algorithms in the Cloud-based
//! Infrastructure* (Jindal et al., arXiv 2106.08938).
//!
//! Taken from there: memory utilization alone is looked at; from the newest point backward, lines are
//! put through ever longer windows; one that explains its points (R²), rises, and reaches all of the
//! memory within the critical time is a leak.
//!
//! Chosen here: utilization is working_set / limit (theirs is of whole virtual machines); means of five
//! minutes; R² of at least 0.75; at least half an hour of points; a critical time of four hours, as
//! `predict-linear` has it, where machines that live for weeks are asked about days.

use super::line::Line;
use super::resample::{Resample, utilization};
use super::{BuiltIn, Detector, Scrape, Verdict};
use crate::export::Metric;

/// Seconds a point stands for.
pub(super) const POINT_S: f64 = 300.0;
/// What a line must explain to count.
pub(super) const R2_MIN: f64 = 0.75;
/// All memory is in use within this time at the line's slope, seconds.
pub(super) const CRITICAL_S: f64 = 4.0 * 3600.0;
/// Fewer points are no trend.
pub(super) const POINTS_MIN: usize = 6;
/// A day of points is looked back on.
pub(super) const POINTS_MAX: usize = 288;

pub(super) const BUILT_IN: BuiltIn = BuiltIn {
    name: "lbr",
    summary: "linear backward regression: a line that ends now reaches the limit within 4 hours (arXiv 2106.08938)",
    reads: &[Metric::WorkingSet, Metric::SpecLimit],
    new: || {
        Box::new(Lbr {
            means: Resample::new(POINT_S),
            points: Vec::new(),
            firing: false,
        })
    },
};

struct Lbr {
    means: Resample,
    points: Vec<(f64, f64)>,
    firing: bool,
}

/// Whether a line through these points is a leak's by the paper's three conditions.
pub(super) fn leaks(points: &[(f64, f64)]) -> Option<Line> {
    let (now, _) = *points.last()?;
    Line::through(points).filter(|line| {
        let full = line.reaches(1.0);
        line.r2 >= R2_MIN && full.is_some_and(|at| at - now <= CRITICAL_S)
    })
}

impl Detector for Lbr {
    fn observe(&mut self, scrape: &Scrape) -> Verdict {
        let point = utilization(scrape).and_then(|used| self.means.push(scrape.t, used));
        if let Some(point) = point {
            if self.points.len() == POINTS_MAX {
                self.points.remove(0);
            }
            self.points.push(point);
            let lengths = POINTS_MIN..=self.points.len();
            let newest = |length: usize| &self.points[self.points.len() - length..];
            self.firing = lengths
                .into_iter()
                .any(|length| leaks(newest(length)).is_some());
        }
        Verdict::leak_if(self.firing)
    }
}
