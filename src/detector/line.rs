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
