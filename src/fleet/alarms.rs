//! What a detector's alarms over one pod's days were worth.

use crate::detector::{BuiltIn, Changes, Detector, Run};

/// One detector on one pod.
pub struct Alarms {
    new: fn() -> Box<dyn Detector>,
    detector: Box<dyn Detector>,
    changes: Changes,
    /// Alarms that began while nothing was wrong.
    pub false_alarms: u32,
    /// The scrape at which an alarm first began while the fault was at work.
    pub hit: Option<u64>,
    /// Whether an alarm was on already when the fault began: whoever was woken found nothing.
    pub masked: bool,
}

/// The scrapes of a pod, by number, while its fault is at work.
#[derive(Debug, Clone, Copy, Default)]
pub struct Trouble {
    /// The first of them, if it has begun.
    pub onset: Option<u64>,
    /// Whether it was over before the scrapes that are looked at.
    pub over: bool,
}

impl Trouble {
    fn at_work(self, scrape: u64) -> bool {
        !self.over && self.onset.is_some_and(|onset| scrape >= onset)
    }
}

impl Alarms {
    /// Starts to watch.
    pub fn new(built_in: &BuiltIn) -> Self {
        Alarms {
            new: built_in.new,
            detector: (built_in.new)(),
            changes: Changes::default(),
            false_alarms: 0,
            hit: None,
            masked: false,
        }
    }

    /// Scrapes of a container that goes on; `first` is the number of the first of them.
    pub fn observe(&mut self, run: &Run, first: u64, trouble: Trouble) {
        let mut firing = self.changes.firing();
        self.changes.at.clear();
        self.detector.observe_run(run, &mut self.changes);
        let mut onset = trouble.onset.filter(|onset| {
            let begins = onset.checked_sub(first);
            begins.is_some_and(|at| at < run.t.len() as u64)
        });
        for (index, fires) in &self.changes.at {
            let scrape = first + *index as u64;
            if onset.take_if(|onset| *onset <= scrape).is_some() {
                self.masked |= firing;
            }
            firing = *fires;
            match (firing, trouble.at_work(scrape)) {
                (true, true) => self.hit = self.hit.or(Some(scrape)),
                (true, false) => self.false_alarms += 1,
                (false, _) => {}
            }
        }
        self.masked |= onset.is_some() && firing;
    }

    /// The container was restarted or deployed: another series, and its alarm is over. A detector may keep
    /// what it knows of the workload.
    pub fn restart(&mut self) {
        if !self.detector.begin_again() {
            self.detector = (self.new)();
        }
        self.changes = Changes::default();
    }

    /// The container was killed: what was known of it was wrong.
    pub fn kill(&mut self) {
        self.detector = (self.new)();
        self.changes = Changes::default();
    }
}
