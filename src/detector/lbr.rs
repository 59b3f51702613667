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

use super::BuiltIn;
use super::leak::{OfFives, POINT_S, SeesFives};
use super::line::{Line, Sums, Wanted};
use super::newest::Newest;
use crate::export::Metric;

/// What a line must explain to count.
pub(super) const R2_MIN: f64 = 0.75;
/// All memory is in use within this time at the line's slope, seconds.
pub(super) const CRITICAL_S: f64 = 4.0 * 3600.0;
/// After three years of seconds the book's own rounding counts, and everything goes by it.
pub(super) const LATEST_S: f64 = 1e8;
/// Fewer points are no trend.
pub(super) const POINTS_MIN: usize = 6;
/// A day of points is looked back on.
pub(super) const POINTS_MAX: usize = 288;

pub(super) const BUILT_IN: BuiltIn = BuiltIn {
    name: "lbr",
    summary: "linear backward regression: a line that ends now reaches the limit within 4 hours (arXiv 2106.08938)",
    reads: &[Metric::WorkingSet, Metric::SpecLimit],
    new: || Box::new(OfFives::new(Lbr::new())),
};

struct Lbr {
    points: Newest<(f64, f64)>,
    /// Their lowest and highest value.
    range: Option<(f64, f64)>,
}

impl Lbr {
    fn new() -> Self {
        Lbr {
            points: Newest::new(POINTS_MAX),
            range: None,
        }
    }

    fn add(&mut self, point: (f64, f64)) {
        let value = point.1;
        let dropped = self.points.push(point);
        // As long as neither end of it goes, a look at the new one is enough.
        let kept = self.range.filter(|(lowest, highest)| {
            dropped.is_none_or(|(_, gone)| *lowest < gone && gone < *highest)
        });
        self.range = match kept {
            Some((lowest, highest)) => Some((lowest.min(value), highest.max(value))),
            None => range(&self.points),
        };
    }

    fn leaks(&self) -> bool {
        self.range
            .is_some_and(|range| any_leaks(&self.points, range))
    }
}

/// Whether a line through these points is a leak's by the paper's three conditions.
pub(super) fn leaks(points: &[(f64, f64)]) -> Option<Line> {
    let (now, _) = *points.last()?;
    Line::through(points).filter(|line| {
        let full = line.reaches(1.0);
        line.r2 >= R2_MIN && full.is_some_and(|at| at - now <= CRITICAL_S)
    })
}

/// What [`leaks`] asks for, seen from an origin.
pub(super) fn wanted(value: f64, at: f64, largest: (f64, f64), exact: f64) -> Wanted {
    Wanted {
        r2: R2_MIN,
        at,
        value,
        largest,
        exact,
    }
}

/// The lowest and the highest value of points.
fn range(points: &[(f64, f64)]) -> Option<(f64, f64)> {
    let (_, first) = *points.first()?;
    let values = points.iter().map(|(_, value)| *value);
    Some(values.fold((first, first), |(lowest, highest), value| {
        (lowest.min(value), highest.max(value))
    }))
}

/// More of the newest points than this can't be a leak's. Points at equal distances whose values are
/// between `lowest` and `highest` have no line steeper than the one through a step from the one to the
/// other in their middle, 1.5 n / (n^2 - 1) of the range a distance.
fn longest(points: &[(f64, f64)], (lowest, highest): (f64, f64)) -> usize {
    let n = points.len();
    let (Some((now, _)), Some((first, _))) = (points.last(), points.first()) else {
        return 0;
    };
    let even = now - first <= (n as f64 - 1.0) * POINT_S * 1.000_000_001;
    let range = (highest - lowest) * 1.000_001 + 1e-9;
    let steepest = |n: f64| 1.5 * range * n / ((n * n - 1.0) * POINT_S);
    let reaches = |n: f64| highest + steepest(n) * (CRITICAL_S + (n - 1.0) * POINT_S / 2.0);
    if !even || n < POINTS_MIN || highest.is_nan() || highest > 1e6 || lowest < -1e6 {
        return n;
    }
    // It falls with n: half of what is left goes at each look.
    let (mut can, mut cannot) = (POINTS_MIN - 1, n + 1);
    while cannot - can > 1 {
        let middle = can.midpoint(cannot);
        match reaches(middle as f64) >= 1.0 - 1e-6 {
            true => can = middle,
            false => cannot = middle,
        }
    }
    can
}

/// Whether a line through any number of the newest points is a leak's. From the newest backward, sums
/// say of nearly every line that it is none.
fn any_leaks(points: &[(f64, f64)], (lowest, highest): (f64, f64)) -> bool {
    let (Some((now, used)), Some((first, _))) = (points.last(), points.first()) else {
        return false;
    };
    // A hundredth of the value itself: by the book it is rounded where it stands.
    let most = (used.abs() / 100.0).max(highest - used).max(used - lowest);
    if now.abs() > LATEST_S {
        return (POINTS_MIN..=points.len()).any(|n| leaks(&points[points.len() - n..]).is_some());
    }
    let wanted = wanted(1.0 - used, CRITICAL_S, (now - first, most), 1e-13);
    let mut sums = Sums::default();
    for (back, (t, value)) in points
        .iter()
        .rev()
        .take(longest(points, (lowest, highest)))
        .enumerate()
    {
        sums.add(t - now, value - used);
        if back + 1 >= POINTS_MIN
            && sums.may_be(&wanted)
            && leaks(&points[points.len() - 1 - back..]).is_some()
        {
            return true;
        }
    }
    false
}

impl SeesFives for Lbr {
    fn take(&mut self, point: (f64, f64)) -> bool {
        self.add(point);
        self.leaks()
    }
}

#[cfg(test)]
pub(super) mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Points with jumps, rises, levels and noise, up to near all memory.
    pub(in crate::detector) fn points() -> impl Strategy<Value = Vec<(f64, f64)>> {
        let piece = (1..80usize, 0..4u8, -1.0..1.0f64);
        let gap = prop_oneof![Just(300.0), Just(300.0), Just(315.0), 300.0..900.0f64];
        (proptest::collection::vec(piece, 1..12), gap, 0.0..1.0f64).prop_map(
            |(pieces, gap, from)| {
                let (mut all, mut t, mut used) = (Vec::new(), 150.0, from);
                for (n, kind, by) in pieces {
                    used += if kind == 3 { by / 3.0 } else { 0.0 };
                    for step in 0..n {
                        let noise = ((step * 7919) % 13) as f64 / 6.0 - 1.0;
                        used += match kind {
                            0 | 3 => 0.0,
                            1 => by / 40.0,
                            _ => by * noise / 20.0,
                        };
                        used = used.clamp(0.0, 1.0);
                        all.push((t, used));
                        t += gap
                            + if kind == 2 {
                                300.0 * (noise + 1.0)
                            } else {
                                0.0
                            };
                    }
                }
                all
            },
        )
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]
        #[test]
        fn sums_say_what_every_line_says(points in points()) {
            // Each look by the book is at every length: now and then is enough.
            let mut lbr = Lbr::new();
            for (until, point) in (1..).zip(&points) {
                lbr.add(*point);
                if until % 17 != points.len() % 17 {
                    continue;
                }
                let newest = &points[until.saturating_sub(POINTS_MAX)..until];
                let every = (POINTS_MIN..=newest.len())
                    .any(|n| leaks(&newest[newest.len() - n..]).is_some());
                prop_assert_eq!(lbr.leaks(), every, "{}", until);
            }
        }
    }
}
