//! A straight line through points, by least squares.

/// `intercept + slope * t`, and how much of the points it explains.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Line {
    /// Units a second.
    pub slope: f64,
    /// The value at t = 0.
    pub intercept: f64,
    /// The coefficient of determination, from 0 to 1; 0 where all values are the same.
    pub r2: f64,
}

impl Line {
    /// The line through `(t, value)`; none through fewer than two different times.
    pub fn through(points: &[(f64, f64)]) -> Option<Line> {
        let n = points.len() as f64;
        let mean = |of: fn(&(f64, f64)) -> f64| points.iter().map(of).sum::<f64>() / n;
        let (t_mean, v_mean) = (mean(|p| p.0), mean(|p| p.1));
        let (mut tt, mut tv, mut vv) = (0.0, 0.0, 0.0);
        for (t, v) in points {
            tt += (t - t_mean) * (t - t_mean);
            tv += (t - t_mean) * (v - v_mean);
            vv += (v - v_mean) * (v - v_mean);
        }
        if tt.is_nan() || tt <= 0.0 || !tv.is_finite() {
            return None;
        }
        let slope = tv / tt;
        Some(Line {
            slope,
            intercept: v_mean - slope * t_mean,
            r2: if vv > 0.0 {
                (slope * tv / vv).clamp(0.0, 1.0)
            } else {
                0.0
            },
        })
    }

    /// The time at which a rising line reaches `value`.
    pub fn reaches(&self, value: f64) -> Option<f64> {
        (self.slope > 0.0).then(|| (value - self.intercept) / self.slope)
    }
}

/// Sums over points, for a quick look at the line through them before it is computed by the book.
///
/// Times and values are taken from an origin near the newest point, so that little is lost to rounding.
#[derive(Debug, Clone, Copy, Default)]
pub struct Sums {
    n: f64,
    t: f64,
    v: f64,
    tt: f64,
    tv: f64,
    vv: f64,
}

/// What a line must be to be worth computing.
#[derive(Debug, Clone, Copy)]
pub struct Wanted {
    /// What it explains at the least.
    pub r2: f64,
    /// A time after the origin, seconds, at which it must be at `value` (from the origin) or above.
    pub at: f64,
    /// See `at`.
    pub value: f64,
    /// The largest distances from the origin among the points: of times, and of values.
    pub largest: (f64, f64),
    /// How exact the sums are, relative to the largest that could have been in them.
    pub exact: f64,
}

impl Sums {
    /// Adds a point.
    pub fn add(&mut self, t: f64, v: f64) {
        self.n += 1.0;
        self.t += t;
        self.v += v;
        self.tt += t * t;
        self.tv += t * v;
        self.vv += v * v;
    }

    /// What came after `earlier` was taken of the same sums.
    pub fn since(&self, earlier: &Sums) -> Sums {
        Sums {
            n: self.n - earlier.n,
            t: self.t - earlier.t,
            v: self.v - earlier.v,
            tt: self.tt - earlier.tt,
            tv: self.tv - earlier.tv,
            vv: self.vv - earlier.vv,
        }
    }

    /// Whether the line through the points may rise and be what is wanted; false only where it is sure
    /// that it is not, whatever rounding did.
    pub fn may_be(&self, wanted: &Wanted) -> bool {
        let (t_most, v_most) = wanted.largest;
        let slack = wanted.exact * self.n * self.n;
        let tv = self.n * self.tv - self.t * self.v + slack * t_most * v_most;
        let tt = self.n * self.tt - self.t * self.t;
        let vv = self.n * self.vv - self.v * self.v - slack * v_most * v_most;
        let tt_least = tt - slack * t_most * t_most;
        if tv <= 0.0 || tv * tv < 0.999_999 * wanted.r2 * tt_least.max(0.0) * vv.max(0.0) {
            return false;
        }
        // The line's value there, times n and the spread of the times.
        let reach = self.v * tt + tv * (self.n * wanted.at - self.t);
        let margin = (slack * 10.0 + 1e-9 * self.n) * (tt.abs() + t_most * t_most) * (v_most + 1.0);
        // Not by "less than": what is no number is computed by the book.
        let short = reach + margin < self.n * tt * wanted.value;
        tt_least <= 0.0 || !short
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_found_and_a_level_explains_nothing() {
        let points: Vec<(f64, f64)> = (0..10)
            .map(|i| (f64::from(i), 3.0 + 2.0 * f64::from(i)))
            .collect();
        let line = Line::through(&points).unwrap();
        assert!(
            (line.slope - 2.0).abs() < 1e-12 && line.r2 > 0.999,
            "{line:?}"
        );
        assert_eq!(line.reaches(23.0).map(f64::round), Some(10.0));
        let level = Line::through(&[(0.0, 1.0), (1.0, 1.0), (2.0, 1.0)]).unwrap();
        assert_eq!(
            (level.slope, level.r2, level.reaches(2.0)),
            (0.0, 0.0, None)
        );
        assert_eq!(Line::through(&[(1.0, 1.0), (1.0, 2.0)]), None);
    }
}
