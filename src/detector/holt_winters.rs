//! `holt-winters`: Holt's linear smoothing (1957), what forecasters know as Holt-Winters (1960).
//!
//! Taken from there: level and trend, each smoothed exponentially; the two factors are those with which
//! the forecasts of one step would have erred least, as forecasting packages fit them. Chosen here: no
//! season (none shows within hours); working_set / limit, means of a minute, the last hour; factors from
//! a grid of five; all memory in use within four hours, forecast for five minutes.

use std::collections::VecDeque;

use super::held::Held;
use super::resample::{Resample, utilization};
use super::{BuiltIn, Detector, Scrape, Verdict};
use crate::export::Metric;

const MINUTES: usize = 60;
const MINUTES_MIN: usize = 10;
const FACTORS: [f64; 5] = [0.1, 0.3, 0.5, 0.7, 0.9];
const AHEAD_MINUTES: f64 = 240.0;
const HOLD_S: f64 = 300.0;

pub(super) const BUILT_IN: BuiltIn = BuiltIn {
    name: "holt-winters",
    summary: "level and trend of working_set, smoothed with the factors that fit, pass the limit within 4 hours",
    reads: &[Metric::WorkingSet, Metric::SpecLimit],
    new: || {
        Box::new(HoltWinters {
            means: Resample::new(60.0),
            minutes: VecDeque::new(),
            passes: None,
            held: Held::new(HOLD_S),
        })
    },
};

struct HoltWinters {
    means: Resample,
    minutes: VecDeque<f64>,
    passes: Option<bool>,
    held: Held,
}

/// Level and trend (a step) at the end, and the sum of the squared errors on the way.
fn smooth(values: &VecDeque<f64>, alpha: f64, beta: f64) -> Option<(f64, f64, f64)> {
    let (first, second) = (values.front()?, values.get(1)?);
    let (mut level, mut trend, mut errors) = (*second, second - first, 0.0);
    for value in values.iter().skip(2) {
        let error = value - (level + trend);
        errors += error * error;
        let next = level + trend + alpha * error;
        trend = beta * (next - level) + (1.0 - beta) * trend;
        level = next;
    }
    Some((level, trend, errors))
}

/// The value so many steps ahead, by the factors that fit best.
fn forecast(values: &VecDeque<f64>, steps: f64) -> Option<f64> {
    let all = FACTORS
        .iter()
        .flat_map(|alpha| FACTORS.map(|beta| (*alpha, beta)));
    let fits = all.filter_map(|(alpha, beta)| smooth(values, alpha, beta));
    let (level, trend, _) = fits.min_by(|a, b| a.2.total_cmp(&b.2))?;
    Some(level + trend * steps)
}

impl Detector for HoltWinters {
    fn observe(&mut self, scrape: &Scrape) -> Verdict {
        let minute = utilization(scrape).and_then(|used| self.means.push(scrape.t, used));
        if let Some((_, used)) = minute {
            if self.minutes.len() == MINUTES {
                self.minutes.pop_front();
            }
            self.minutes.push_back(used);
            let known = self.minutes.len() >= MINUTES_MIN;
            self.passes = forecast(&self.minutes, AHEAD_MINUTES)
                .filter(|_| known)
                .map(|at| at > 1.0);
        }
        if self.held.observe(scrape.t, self.passes) {
            Verdict::Fire(None)
        } else {
            Verdict::Quiet(None)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_forecast_exactly() {
        let line: VecDeque<f64> = (0..20).map(|i| 1.0 + 0.5 * f64::from(i)).collect();
        let at = forecast(&line, 10.0).unwrap();
        assert!((at - (1.0 + 0.5 * 29.0)).abs() < 1e-9, "{at}");
    }
}
