//! `holt-winters`: Holt's linear smoothing (1957), what forecasters know as Holt-Winters (1960).
//!
//! Taken from there: level and trend, each smoothed exponentially; the two factors are those with which
//! the forecasts of one step would have erred least, as forecasting packages fit them. Chosen here: no
//! season (none shows within hours); working_set / limit, means of a minute, the last hour; factors from
//! a grid of five; all memory in use within four hours, forecast for five minutes.

use super::newest::Newest;
use super::resample::{Resample, utilization};
use super::{BuiltIn, Changes, Detector, Run, Scrape, Verdict};
use crate::export::Metric;
use crate::sys::wide;

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
            minutes: Newest::new(MINUTES + WAITING),
            waiting: Vec::with_capacity(WAITING + 1),
        })
    },
};

/// Nobody is woken before the forecast has passed the limit for [`HOLD_S`]. So one minute in which it does
/// not spares a look at those before it: a forecast is made when it could be the last that is missing.
struct HoltWinters {
    means: Resample,
    /// The last ones, the newest last.
    minutes: Newest<f64>,
    /// The newest minutes, as long as none is known not to pass: the time from which each counts, and
    /// whether it is known to pass.
    waiting: Vec<(f64, bool)>,
}

/// Minutes that fit into [`HOLD_S`], and one.
const WAITING: usize = 6;

/// All pairs of factors, in the order in which the first of equals wins; the last ones fill up.
const LANES: usize = 28;
const PAIRS: usize = FACTORS.len() * FACTORS.len();
static ALPHA: [f64; LANES] = lanes(true);
static BETA: [f64; LANES] = lanes(false);
static LESS_BETA: [f64; LANES] = less(&BETA);

const fn less(factors: &[f64; LANES]) -> [f64; LANES] {
    let mut all = [0.0; LANES];
    let mut lane = 0;
    while lane < LANES {
        all[lane] = 1.0 - factors[lane];
        lane += 1;
    }
    all
}

const fn lanes(alpha: bool) -> [f64; LANES] {
    let mut all = [0.0; LANES];
    let mut pair = 0;
    while pair < PAIRS {
        let factor = if alpha {
            pair / FACTORS.len()
        } else {
            pair % FACTORS.len()
        };
        all[pair] = FACTORS[factor];
        pair += 1;
    }
    all
}

/// Level and trend (a step) at the end, and the sum of the squared errors on the way, for all pairs at
/// once: the same steps for each, which a processor takes several of at a time.
fn smooth(values: &[f64]) -> Option<[[f64; LANES]; 3]> {
    let [first, second, rest @ ..] = values else {
        return None;
    };
    Some(wide::with_wide_vectors(
        #[inline(always)]
        || smooth_from(*first, *second, rest),
    ))
}

#[inline(always)]
fn smooth_from(first: f64, second: f64, rest: &[f64]) -> [[f64; LANES]; 3] {
    let (mut level, mut trend, mut errors) =
        ([second; LANES], [second - first; LANES], [0.0; LANES]);
    for value in rest {
        for lane in 0..LANES {
            let expected = level[lane] + trend[lane];
            let error = value - expected;
            errors[lane] += error * error;
            let next = expected + ALPHA[lane] * error;
            trend[lane] = BETA[lane] * (next - level[lane]) + LESS_BETA[lane] * trend[lane];
            level[lane] = next;
        }
    }
    [level, trend, errors]
}

/// The value so many steps ahead, by the factors that fit best.
fn forecast(values: &[f64], steps: f64) -> Option<f64> {
    let (first, rest) = values.split_first()?;
    if first.is_finite() && !rest.is_empty() && rest.iter().all(|value| value == first) {
        // No error, no trend.
        return Some(first + 0.0);
    }
    let [level, trend, errors] = smooth(values)?;
    let best = (0..PAIRS).min_by(|a, b| errors[*a].total_cmp(&errors[*b]))?;
    Some(level[best] + trend[best] * steps)
}

impl HoltWinters {
    /// Takes a minute in that counts from `t` on.
    fn add(&mut self, t: f64, used: f64) {
        self.minutes.push(used);
        if self.minutes.len() >= MINUTES_MIN {
            self.waiting.push((t, false));
        }
    }

    /// Whether the forecast has passed the limit for long enough at `t`.
    #[inline]
    fn fires(&mut self, t: f64) -> bool {
        self.is_time(t) && self.passes(t)
    }

    fn passes(&mut self, t: f64) -> bool {
        for back in 0..self.waiting.len() {
            let at = self.waiting.len() - 1 - back;
            if self.waiting[at].1 {
                continue;
            }
            let until = self.minutes.len() - back;
            let from = until.saturating_sub(MINUTES);
            let value = forecast(&self.minutes[from..until], AHEAD_MINUTES);
            if !value.is_some_and(|at| at > 1.0) {
                self.waiting.drain(..=at);
                return self.is_time(t);
            }
            self.waiting[at].1 = true;
        }
        // All pass: the first of them says since when.
        self.waiting.truncate(1);
        true
    }

    fn is_time(&self, t: f64) -> bool {
        let first = self.waiting.first();
        first.is_some_and(|(since, _)| t - since >= HOLD_S)
    }
}

impl Detector for HoltWinters {
    fn observe(&mut self, scrape: &Scrape) -> Verdict {
        let minute = utilization(scrape).and_then(|used| self.means.push(scrape.t, used));
        if let Some((_, used)) = minute {
            self.add(scrape.t, used);
        }
        Verdict::fire_if(self.fires(scrape.t))
    }

    fn observe_run(&mut self, run: &Run, changes: &mut Changes) {
        let mut minutes = run.minutes.iter().peekable();
        for (index, t) in run.t.iter().enumerate() {
            if let Some(minute) = minutes.next_if(|minute| minute.index == index) {
                self.add(*t, minute.point.1);
            }
            changes.set(index, self.fires(*t));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A forecast each minute, and the time for which it has passed the limit.
    #[derive(Default)]
    struct EachMinute {
        minutes: Vec<f64>,
        passes: Option<bool>,
    }

    impl EachMinute {
        fn add(&mut self, used: f64) {
            self.minutes.push(used);
            let from = self.minutes.len().saturating_sub(MINUTES);
            let known = self.minutes.len() >= MINUTES_MIN;
            self.passes = forecast(&self.minutes[from..], AHEAD_MINUTES)
                .filter(|_| known)
                .map(|at| at > 1.0);
        }
    }

    proptest::proptest! {
        #[test]
        fn a_forecast_that_waits_is_as_good(
            minutes in proptest::collection::vec((0..8u8, -1.0..1.0f64), 1..300),
            gap in 5..200u32
        ) {
            let mut held = crate::detector::held::Held::new(HOLD_S);
            let mut plain = EachMinute::default();
            let mut means = Resample::new(60.0);
            let mut detector = HoltWinters {
                means: Resample::new(60.0),
                minutes: Newest::new(MINUTES + WAITING),
                waiting: Vec::new(),
            };
            let (mut t, mut used) = (0.0, 0.3);
            for (kind, by) in minutes {
                used = (used + by / if kind < 6 { 2000.0 } else { 20.0 }).clamp(0.0, 0.99);
                for _ in 0..3 {
                    t += f64::from(gap);
                    if let Some((_, mean)) = means.push(t, used) {
                        plain.add(mean);
                        detector.add(t, mean);
                    }
                    let expected = held.observe(t, plain.passes);
                    proptest::prop_assert_eq!(detector.fires(t), expected, "{}", t);
                }
            }
        }
    }

    #[test]
    fn a_line_is_forecast_exactly() {
        let line: Vec<f64> = (0..20).map(|i| 1.0 + 0.5 * f64::from(i)).collect();
        let at = forecast(&line, 10.0).unwrap();
        assert!((at - (1.0 + 0.5 * 29.0)).abs() < 1e-9, "{at}");
    }

    /// One pair of factors after the other, as it is written in books.
    fn one(values: &[f64], alpha: f64, beta: f64) -> (f64, f64, f64) {
        let (mut level, mut trend, mut errors) = (values[1], values[1] - values[0], 0.0);
        for value in &values[2..] {
            let error = value - (level + trend);
            errors += error * error;
            let next = level + trend + alpha * error;
            trend = beta * (next - level) + (1.0 - beta) * trend;
            level = next;
        }
        (level, trend, errors)
    }

    proptest::proptest! {
        #[test]
        fn all_at_once_say_what_each_alone_says(
            values in proptest::collection::vec(0.0..2.0f64, 2..MINUTES), same in 0..60usize
        ) {
            let mut values = values;
            let level = values[0];
            values.iter_mut().take(same).for_each(|value| *value = level);
            let all = FACTORS.iter().flat_map(|alpha| FACTORS.map(|beta| (*alpha, beta)));
            let fits = all.map(|(alpha, beta)| one(&values, alpha, beta));
            let (level, trend, _) = fits.min_by(|a, b| a.2.total_cmp(&b.2)).unwrap();
            let expected = level + trend * AHEAD_MINUTES;
            proptest::prop_assert_eq!(forecast(&values, AHEAD_MINUTES), Some(expected));
        }
    }
}
