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
            held: Held::new(HOLD_S),
        })
    },
};

struct Psi {
    last: Option<(f64, f64)>,
    held: Held,
}

impl Detector for Psi {
    fn observe(&mut self, scrape: &Scrape) -> Verdict {
        let Some(stalled) = scrape.reading.get(Metric::PressureStalled) else {
            return Verdict::Quiet(None);
        };
        let share = match self.last.replace((scrape.t, stalled)) {
            // A counter that fell was restarted; two looks at one sample say nothing.
            Some((t, before)) if scrape.t > t && stalled >= before => {
                Some((stalled - before) / (scrape.t - t))
            }
            _ => None,
        };
        if self.held.observe(scrape.t, share.map(|s| s > SHARE)) {
            Verdict::Fire(None)
        } else {
            Verdict::Quiet(None)
        }
    }
}
