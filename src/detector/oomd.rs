//! `oomd`: the three conditions of oomd's `pressure_rising_beyond` (github.com/facebookincubator/oomd).
//!
//! Taken from there (docs/core_plugins.md, docs/configuration.md): the pressure of the last minute is
//! above a threshold, 5 % in the example of its docs, for longer than a duration, 15 s there; the pressure
//! of the last 10 s is above it, too; and it is not falling fast (`fast_fall_ratio` 0.85). Chosen here: the
//! kernel's averages are not scraped, so they are made from the counter, and the last 10 s are the time
//! since the last sample, which is longer. All tasks must wait (`full`). oomd kills; here it only fires.
//! cAdvisor has the counter on cgroup v2 only; elsewhere this detector is not judged.

use std::collections::VecDeque;

use super::held::Held;
use super::{BuiltIn, Detector, Scrape, Verdict};
use crate::export::Metric;

const THRESHOLD: f64 = 0.05;
const DURATION_S: f64 = 15.0;
const FAST_FALL: f64 = 0.85;
const MINUTE_S: f64 = 60.0;

pub(super) const BUILT_IN: BuiltIn = BuiltIn {
    name: "oomd",
    summary: "stalled on memory 5 % of the last minute and just now, and not recovering (cgroup v2)",
    reads: &[Metric::PressureStalled],
    new: || {
        Box::new(Oomd {
            samples: VecDeque::new(),
            now: 0.0,
            pressing: None,
            held: Held::new(DURATION_S),
        })
    },
};

struct Oomd {
    /// Seconds and the counter, from just before the last minute on.
    samples: VecDeque<(f64, f64)>,
    /// The share of the time before the newest sample.
    now: f64,
    pressing: Option<bool>,
    held: Held,
}

impl Oomd {
    fn add(&mut self, t: f64, stalled: f64) {
        let Some(&(last_t, last)) = self.samples.back() else {
            self.samples.push_back((t, stalled));
            return;
        };
        if t <= last_t {
            return;
        }
        if stalled < last {
            // A counter that fell was restarted.
            self.samples.clear();
            (self.now, self.pressing) = (0.0, None);
            self.samples.push_back((t, stalled));
            return;
        }
        self.samples.push_back((t, stalled));
        while self
            .samples
            .get(1)
            .is_some_and(|second| second.0 <= t - MINUTE_S)
        {
            self.samples.pop_front();
        }
        let before = self.now;
        self.now = (stalled - last) / (t - last_t);
        let minute = self.samples.front().filter(|first| first.0 <= t - MINUTE_S);
        self.pressing = minute.map(|(from_t, from)| {
            let falling = self.now < FAST_FALL * before;
            (stalled - from) / (t - from_t) > THRESHOLD && self.now > THRESHOLD && !falling
        });
    }
}

impl Detector for Oomd {
    fn observe(&mut self, scrape: &Scrape) -> Verdict {
        let stalled = scrape.reading.get(Metric::PressureStalled);
        if let Some(stalled) = stalled.filter(|stalled| stalled.is_finite()) {
            self.add(scrape.timestamp_ms as f64 / 1e3, stalled);
        }
        Verdict::fire_if(self.held.observe(scrape.t, self.pressing))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::detector::testing::first_fire;

    fn fire(stalled: impl Fn(f64) -> f64) -> Option<f64> {
        let scrapes = (0..80).map(|i| {
            (
                i as f64 * 15.0,
                vec![(Metric::PressureStalled, stalled(i as f64 * 15.0))],
            )
        });
        first_fire(&mut *(BUILT_IN.new)(), scrapes)
    }

    #[test]
    fn all_three_conditions_must_hold() {
        assert_eq!(fire(|t| 0.04 * t), None);
        // A minute, and the duration.
        assert_eq!(fire(|t| 0.06 * t), Some(75.0));
        // Over within a minute, and falling faster and faster.
        assert_eq!(fire(|t| 0.5 * t.min(30.0)), None);
        assert_eq!(fire(|t| 20.0 * (1.0 - (-t / 60.0).exp())), None);
        assert_eq!(fire(|_| 0.0), None);
    }
}
