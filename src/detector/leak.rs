//! The way from scrapes to detectors that know leaks alone and look at one series each, one scrape or many at
//! a time.

use super::resample::{Resample, utilization};
use super::run::Mean;
use super::{Changes, Detector, Run, Scrape, Verdict};
use crate::export::Metric;

/// Looks at rss.
pub trait SeesRss {
    /// Takes rss and the limit (bytes) at a time (seconds). Whether it fires from then on; none where nothing
    /// was decided anew.
    fn take(&mut self, t: f64, rss: f64, limit: f64) -> Option<bool>;
}

/// Shows a detector each scrape's rss.
pub struct OfRss<T> {
    rule: T,
    firing: bool,
}

impl<T: SeesRss> OfRss<T> {
    /// Quiet until the rule says otherwise.
    pub fn new(rule: T) -> Self {
        OfRss {
            rule,
            firing: false,
        }
    }

    fn take(&mut self, t: f64, rss: f64, limit: f64) {
        self.firing = self.rule.take(t, rss, limit).unwrap_or(self.firing);
    }
}

impl<T: SeesRss> Detector for OfRss<T> {
    fn observe(&mut self, scrape: &Scrape) -> Verdict {
        if let Some((rss, limit)) = scrape.reading.get(Metric::Rss).zip(scrape.reading.limit()) {
            self.take(scrape.t, rss, limit);
        }
        Verdict::leak_if(self.firing)
    }

    fn observe_run(&mut self, run: &Run, changes: &mut Changes) {
        for (index, (t, row)) in run.t.iter().zip(&run.rows).enumerate() {
            self.take(*t, row.rss, run.limit);
            changes.set(index, self.firing);
        }
    }
}

/// Seconds that a point of [`OfFives`] covers.
pub const POINT_S: f64 = 300.0;

/// Looks at means of working_set / limit over [`POINT_S`].
pub trait SeesFives {
    /// Takes the next point: its middle (seconds) and its mean. Whether it fires from then on.
    fn take(&mut self, point: (f64, f64)) -> bool;
}

/// Shows a detector the mean of each [`POINT_S`].
pub struct OfFives<T> {
    means: Resample,
    rule: T,
    firing: bool,
}

impl<T: SeesFives> OfFives<T> {
    /// Quiet until the rule says otherwise.
    pub fn new(rule: T) -> Self {
        OfFives {
            means: Resample::new(POINT_S),
            rule,
            firing: false,
        }
    }
}

impl<T: SeesFives> Detector for OfFives<T> {
    fn observe(&mut self, scrape: &Scrape) -> Verdict {
        let point = utilization(scrape).and_then(|used| self.means.push(scrape.t, used));
        if let Some(point) = point {
            self.firing = self.rule.take(point);
        }
        Verdict::leak_if(self.firing)
    }

    fn observe_run(&mut self, run: &Run, changes: &mut Changes) {
        for Mean { index, point } in &run.fives {
            self.firing = self.rule.take(*point);
            changes.set(*index, self.firing);
        }
    }
}
