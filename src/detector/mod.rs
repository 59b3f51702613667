//! Detectors: whatever reads container memory and decides.
//!
//! A detector sees what a Prometheus scrape of cAdvisor sees, and nothing else: no truth, no
//! scenario name. One instance watches one container. To write one in Rust, implement
//! [`Detector`]; to judge one in any other language, see `docs/detectors.md`.
//!
//! ```
//! use memtide::detector::{Detector, Scrape, Verdict};
//! use memtide::export::Metric;
//! use memtide::scenario::Class;
//!
//! /// Fires when rss passes a fixed number of bytes.
//! struct Fixed(f64);
//!
//! impl Detector for Fixed {
//!     fn observe(&mut self, scrape: &Scrape) -> Verdict {
//!         match scrape.reading.get(Metric::Rss) {
//!             Some(rss) if rss > self.0 => Verdict::Fire(Some(Class::Leak)),
//!             _ => Verdict::Quiet(None),
//!         }
//!     }
//! }
//! ```

mod anatomy;
mod cache_aware;
mod cusum;
mod far;
mod held;
mod holt_winters;
mod lbr;
mod leak;
mod line;
mod mann_kendall;
mod max_ws_rss;
mod newest;
mod oomd;
mod pairs;
mod precog;
mod precog_mf;
mod predict_linear;
mod psi;
mod recent;
mod resample;
mod resin;
mod rss_threshold;
mod run;
#[cfg(test)]
mod tests;
mod theil_sen;
mod threshold;
mod trend;

pub use run::{Changes, Mean, Row, Run};

use crate::export::{Labels, Metric, Reading};
use crate::scenario::Class;

/// One scrape of one container.
#[derive(Debug, Clone)]
pub struct Scrape<'a> {
    /// The detector's time, seconds from the first possible scrape; never falls.
    pub t: f64,
    /// When the values were sampled, milliseconds since 1970. It lags behind, and a scrape may
    /// show the same sample as the one before.
    pub timestamp_ms: i64,
    /// Whose values they are.
    pub labels: &'a Labels,
    /// The values; absent is absent.
    pub reading: Reading,
}

/// What a detector says after a scrape.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// Nothing to wake anyone for; what the memory is made of, if the detector knows.
    Quiet(Option<Class>),
    /// Somebody should look now; and why, if the detector knows.
    Fire(Option<Class>),
}

impl Verdict {
    /// Of a detector that knows no more than that.
    fn fire_if(firing: bool) -> Verdict {
        match firing {
            true => Verdict::Fire(None),
            false => Verdict::Quiet(None),
        }
    }

    /// Of a detector that knows leaks alone.
    fn leak_if(firing: bool) -> Verdict {
        match firing {
            true => Verdict::Fire(Some(Class::Leak)),
            false => Verdict::Quiet(None),
        }
    }
}

/// Reads one container's scrapes in time order and decides after each.
///
/// The judge makes a fresh instance for every container of every recording, so state needs no
/// reset; [`Detector::begin_again`] is for who watches a workload over its restarts. A verdict holds until the next scrape: a detector that has fired and says `Quiet` has
/// resolved its alarm. `observe` must not block, and it should take well under a microsecond: an
/// hour of 1 s scrapes is judged in milliseconds.
pub trait Detector {
    /// Takes the next scrape. Scrapes may be missing, late, or show the same sample twice.
    fn observe(&mut self, scrape: &Scrape) -> Verdict;

    /// Takes many scrapes at once: says what [`Detector::observe`] says of each. A detector is fed by one of
    /// the two from its first scrape on.
    fn observe_run(&mut self, run: &Run, changes: &mut Changes) {
        for index in 0..run.t.len() {
            if let Some(scrape) = run.scrape(index) {
                let firing = matches!(self.observe(&scrape), Verdict::Fire(_));
                changes.set(index, firing);
            }
        }
    }

    /// The container was begun anew by who runs it, by a restart or a deployment and not by a kill: what
    /// follows are scrapes of another life of the same workload, its time from there on. Says whether the
    /// detector goes on with what it knows; one that does not is made anew.
    fn begin_again(&mut self) -> bool {
        false
    }
}

/// A detector that comes with memtide.
pub struct BuiltIn {
    /// Its name on the command line and in scorecards.
    pub name: &'static str,
    /// What it does, in a line.
    pub summary: &'static str,
    /// The metrics it reads.
    pub reads: &'static [Metric],
    /// Makes an instance for one container.
    pub new: fn() -> Box<dyn Detector>,
}

/// All built-in detectors: what people run today, what the literature proposes, and our own last.
pub static BUILT_IN: [BuiltIn; 15] = [
    threshold::BUILT_IN,
    rss_threshold::BUILT_IN,
    max_ws_rss::BUILT_IN,
    predict_linear::BUILT_IN,
    theil_sen::BUILT_IN,
    psi::BUILT_IN,
    lbr::BUILT_IN,
    precog::BUILT_IN,
    precog_mf::BUILT_IN,
    resin::BUILT_IN,
    mann_kendall::BUILT_IN,
    cusum::BUILT_IN,
    holt_winters::BUILT_IN,
    oomd::BUILT_IN,
    cache_aware::BUILT_IN,
];

/// The built-in detector of that name.
pub fn by_name(name: &str) -> Option<&'static BuiltIn> {
    BUILT_IN.iter().find(|d| d.name == name)
}

#[cfg(test)]
pub(crate) mod testing {
    use super::*;

    /// Some container's.
    pub fn labels() -> Labels {
        Labels {
            container: "c1".into(),
            pod: "app-0".into(),
            namespace: "default".into(),
            id: "/c1".into(),
            image: "app:1".into(),
            name: "c1".into(),
        }
    }

    /// Feeds `(t, values)` to a detector; gives the time of its first fire.
    pub fn first_fire(
        detector: &mut dyn Detector,
        scrapes: impl IntoIterator<Item = (f64, Vec<(Metric, f64)>)>,
    ) -> Option<f64> {
        let labels = labels();
        scrapes.into_iter().find_map(|(t, values)| {
            let mut reading = Reading::default();
            for (metric, value) in values {
                reading.set(metric, Some(value));
            }
            let scrape = Scrape {
                t,
                timestamp_ms: (t * 1e3) as i64,
                labels: &labels,
                reading,
            };
            matches!(detector.observe(&scrape), Verdict::Fire(_)).then_some(t)
        })
    }
}
