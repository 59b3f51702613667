//! What a detector's alarms over one pod's days were worth.

use crate::detector::{BuiltIn, Detector, Scrape, Verdict};

/// One detector on one pod.
pub struct Alarms {
    new: fn() -> Box<dyn Detector>,
    detector: Box<dyn Detector>,
    firing: bool,
    /// Alarms that began while nothing was wrong.
    pub false_alarms: u32,
    /// When an alarm first began while the fault was at work, seconds.
    pub hit: Option<f64>,
    /// Whether an alarm was on already when the fault began: whoever was woken found nothing.
    pub masked: bool,
}

impl Alarms {
    /// Starts to watch.
    pub fn new(built_in: &BuiltIn) -> Self {
        Alarms {
            new: built_in.new,
            detector: (built_in.new)(),
            firing: false,
            false_alarms: 0,
            hit: None,
            masked: false,
        }
    }

    /// A scrape; `troubled` says whether firing is right at its time, `begins` whether the fault has
    /// just begun.
    pub fn observe(&mut self, scrape: &Scrape, troubled: bool, begins: bool) {
        self.masked |= begins && self.firing;
        let firing = matches!(self.detector.observe(scrape), Verdict::Fire(_));
        if firing && !self.firing {
            match troubled {
                true => self.hit = self.hit.or(Some(scrape.t)),
                false => self.false_alarms += 1,
            }
        }
        self.firing = firing;
    }

    /// The container was restarted: another series, and its alarm is over.
    pub fn restart(&mut self) {
        self.detector = (self.new)();
        self.firing = false;
    }
}
