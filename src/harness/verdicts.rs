//! The kernel's counters of verdicts: a rise of one is an event.

use crate::recording::{EventKind, MISSING};
use crate::rows::Rows;

/// How often somebody was made to wait at memory.high.
pub(super) const HIGH: &str = "memory.events:high";
/// How often a charge did not fit, on v1.
pub(super) const FAILCNT: &str = "memory.failcnt";
/// The end of the counter's name on v1 and v2: how many processes the OOM killer has killed.
pub(super) const OOM_KILL: &str = ":oom_kill";

/// By column, and whether every rise is reported. `failcnt` and `max` rise by thousands at the limit,
/// so only their first rise is reported; their final values are in the footer.
const COUNTERS: [(&str, bool); 7] = [
    ("memory.oom_control:oom_kill", true),
    ("memory.events:oom_kill", true),
    ("memory.events:oom", true),
    (FAILCNT, false),
    ("memory.events:max", false),
    (HIGH, false),
    ("memory.events:low", false),
];

/// The counters of one cgroup.
#[derive(Debug, Default)]
pub(super) struct Verdicts {
    counters: Vec<Counter>,
    begun: bool,
}

#[derive(Debug)]
struct Counter {
    column: usize,
    name: &'static str,
    every: bool,
    last: u64,
}

/// One counter that has risen.
pub(super) struct Rise {
    pub what: &'static str,
    pub value: u64,
    /// By how much.
    pub by: u64,
    /// Whether it is worth an event.
    pub reported: bool,
}

impl Rise {
    /// The event of it.
    pub fn event(&self, group: &str) -> EventKind {
        EventKind::Kernel {
            group: group.into(),
            what: self.what.into(),
            value: self.value,
        }
    }
}

impl Verdicts {
    /// Finds the counters among `columns`; values seen before are kept.
    pub fn find(&mut self, columns: &[String]) {
        let known = std::mem::take(&mut self.counters);
        let last = |name: &str| known.iter().find(|c| c.name == name).map_or(0, |c| c.last);
        self.counters = COUNTERS
            .iter()
            .filter_map(|(name, every)| {
                Some(Counter {
                    column: columns.iter().position(|c| c == name)?,
                    name,
                    every: *every,
                    last: last(name),
                })
            })
            .collect();
    }

    /// Takes the first sample of a cgroup that was there before memtide: what it counted until then
    /// is not this run's. Later ones change nothing.
    pub fn begin(&mut self, values: &[u64]) {
        if std::mem::replace(&mut self.begun, true) {
            return;
        }
        for counter in &mut self.counters {
            let value = values.get(counter.column).copied();
            counter.last = value.filter(|v| *v != MISSING).unwrap_or(0);
        }
    }

    /// What has risen in a sample; one that it has not is as it was. Allocates only for a rise.
    pub fn rises(&mut self, values: &[u64]) -> Vec<Rise> {
        let mut rises = Vec::new();
        for counter in &mut self.counters {
            let value = values.get(counter.column).copied().unwrap_or(MISSING);
            if value == MISSING || value <= counter.last {
                continue;
            }
            rises.push(Rise {
                what: counter.name,
                value,
                by: value - counter.last,
                reported: counter.every || counter.last == 0,
            });
            counter.last = value;
        }
        rises
    }

    /// They begin anew with their cgroup.
    pub fn forget(&mut self) {
        self.counters.iter_mut().for_each(|c| c.last = 0);
    }

    /// The counter's last value, if this kernel has one whose name ends so.
    pub fn last(&self, end: &str) -> Option<u64> {
        let mut counters = self.counters.iter();
        counters.find(|c| c.name.ends_with(end)).map(|c| c.last)
    }

    /// All last values, for the footer.
    pub fn rows(&self) -> Rows {
        self.counters.iter().map(|c| (c.name, c.last)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_rise_of_failcnt_is_told_and_every_oom_kill() {
        let columns = ["memory.failcnt", "memory.oom_control:oom_kill"].map(String::from);
        let mut verdicts = Verdicts::default();
        verdicts.find(&columns);
        let mut reported = |values: [u64; 2]| -> Vec<(&str, u64)> {
            let rises = verdicts.rises(&values).into_iter();
            rises
                .filter(|r| r.reported)
                .map(|r| (r.what, r.value))
                .collect()
        };
        assert_eq!(reported([0, 0]), []);
        assert_eq!(reported([5, MISSING]), [("memory.failcnt", 5)]);
        assert_eq!(reported([9, 1]), [("memory.oom_control:oom_kill", 1)]);
        assert_eq!(reported([MISSING, MISSING]), []);
        assert_eq!(reported([9, 2]), [("memory.oom_control:oom_kill", 2)]);
        assert_eq!(verdicts.last(":oom_kill"), Some(2));
        verdicts.find(&columns[1..]);
        assert!(verdicts.rises(&[2]).is_empty());
        verdicts.forget();
        assert_eq!(verdicts.rises(&[1]).len(), 1);
        let mut found = Verdicts::default();
        found.find(&columns);
        found.begin(&[3, 2]);
        found.begin(&[0, 0]);
        assert!(found.rises(&[3, 2]).is_empty());
        let by: Vec<u64> = found.rises(&[5, 3]).iter().map(|rise| rise.by).collect();
        assert_eq!(by, [1, 2]);
    }
}
