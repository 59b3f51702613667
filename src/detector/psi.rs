//! `psi`: the share of time in which all tasks of the container waited for memory.
//!
//! cAdvisor has it on cgroup v2 only; elsewhere this detector has nothing to say.

use super::held::Held;
use super::{BuiltIn, Detector, Scrape, Verdict};
use crate::export::Metric;

/// Stalled more than this share of the time between two scrapes.
const SHARE: f64 = 0.1;
const HOLD_S: f64 = 60.0;

pub(super) const BUILT_IN: BuiltIn = BuiltIn {
    name: "psi",
    summary: "all tasks stalled on memory more than 10 % of the time for a minute (cgroup v2)",
    reads: &[Metric::PressureStalled],
    new: || {
        Box::new(Psi {
            last: None,
            share: None,
            held: Held::new(HOLD_S),
        })
    },
};

struct Psi {
    /// Time of the last sample (milliseconds) and its counter.
    last: Option<(i64, f64)>,
    /// The share of the time between the last two samples.
    share: Option<f64>,
    held: Held,
}

impl Detector for Psi {
    fn observe(&mut self, scrape: &Scrape) -> Verdict {
        let Some(stalled) = scrape.reading.get(Metric::PressureStalled) else {
            return Verdict::Quiet(None);
        };
        let now = scrape.timestamp_ms;
        // The same sample again tells nothing new: the share stays what it was.
        if self.last.is_none_or(|(then, _)| then != now) {
            self.share = self
                .last
                .replace((now, stalled))
                .and_then(|(then, before)| {
                    // A counter that fell was restarted.
                    let seconds = (now - then) as f64 / 1e3;
                    (seconds > 0.0 && stalled >= before).then(|| (stalled - before) / seconds)
                });
        }
        Verdict::fire_if(self.held.observe(scrape.t, self.share.map(|s| s > SHARE)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::detector::testing::first_fire;

    fn at_share(share: f64) -> Option<f64> {
        let scrapes = (0..40).map(|i| {
            let t = i as f64 * 15.0;
            (t, vec![(Metric::PressureStalled, share * t)])
        });
        first_fire(&mut *(BUILT_IN.new)(), scrapes)
    }

    #[test]
    fn it_fires_on_a_minute_of_stalls() {
        assert_eq!(at_share(0.05), None);
        // The second scrape is the first that gives a share.
        assert_eq!(at_share(0.2), Some(75.0));
    }
}
