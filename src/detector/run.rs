//! Many scrapes of one container at once, column by column: what a fleet of days hands over.
//!
//! A detector that only knows [`Detector::observe`](super::Detector::observe) is fed scrape by scrape. One that
//! overrides [`Detector::observe_run`](super::Detector::observe_run) says the same, faster; a test holds it to that.

use super::Scrape;
use super::leak::POINT_S;
use super::resample::Resample;
use crate::export::{Labels, Metric, Reading};

/// One scrape's values, bytes; every scrape shows a new sample.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Row {
    /// Everything charged.
    pub usage: f64,
    /// Less inactive_file.
    pub working_set: f64,
    /// Anonymous memory.
    pub rss: f64,
    /// Page cache, files in memory included.
    pub cache: f64,
    /// The inactive file list.
    pub inactive_file: f64,
    /// The active file list.
    pub active_file: f64,
    /// Times throttled at memory.high, where that is counted.
    pub events_high: Option<f64>,
}

/// The mean of a time that a scrape completed.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Mean {
    /// Which scrape of the run completed it.
    pub index: usize,
    /// Its middle (seconds), and working_set / limit.
    pub point: (f64, f64),
}

/// Scrapes in time order, and what several detectors make of them. Means go on from run to run until
/// [`Run::restart`].
#[derive(Debug, Clone)]
pub struct Run {
    /// Whose memory it is.
    pub labels: Labels,
    /// The limit, bytes; above 0.
    pub limit: f64,
    /// The detector's times, seconds.
    pub t: Vec<f64>,
    /// The values at each.
    pub rows: Vec<Row>,
    /// working_set / limit at each.
    pub utilization: Vec<f64>,
    /// The largest working_set and the largest rss in it.
    pub most: (f64, f64),
    /// Means of working_set / limit over a minute.
    pub minutes: Vec<Mean>,
    /// Means over five minutes (`leak::POINT_S`).
    pub fives: Vec<Mean>,
    resample: (Resample, Resample),
}

impl Run {
    /// An empty one, for a container that begins.
    pub fn new(labels: Labels, limit: f64) -> Self {
        Run {
            labels,
            limit,
            t: Vec::new(),
            rows: Vec::new(),
            utilization: Vec::new(),
            most: (0.0, 0.0),
            minutes: Vec::new(),
            fives: Vec::new(),
            resample: (Resample::new(60.0), Resample::new(POINT_S)),
        }
    }

    /// Adds a scrape.
    pub fn push(&mut self, t: f64, row: Row) {
        let (index, used) = (self.t.len(), row.working_set / self.limit);
        self.t.push(t);
        self.rows.push(row);
        self.utilization.push(used);
        self.most.0 = self.most.0.max(row.working_set);
        self.most.1 = self.most.1.max(row.rss);
        let (minute, five) = &mut self.resample;
        if let Some(point) = minute.push(t, used) {
            self.minutes.push(Mean { index, point });
        }
        if let Some(point) = five.push(t, used) {
            self.fives.push(Mean { index, point });
        }
    }

    /// Forgets the scrapes; the container goes on.
    pub fn clear(&mut self) {
        self.t.clear();
        self.rows.clear();
        self.utilization.clear();
        self.most = (0.0, 0.0);
        self.minutes.clear();
        self.fives.clear();
    }

    /// Forgets everything: another container begins.
    pub fn restart(&mut self) {
        self.clear();
        self.resample = (Resample::new(60.0), Resample::new(POINT_S));
    }

    /// A scrape as any detector takes it.
    pub fn scrape(&self, index: usize) -> Option<Scrape<'_>> {
        let (t, row) = (*self.t.get(index)?, self.rows.get(index)?);
        let mut reading = Reading::default();
        for (metric, value) in [
            (Metric::Usage, row.usage),
            (Metric::WorkingSet, row.working_set),
            (Metric::Rss, row.rss),
            (Metric::Cache, row.cache),
            (Metric::InactiveFile, row.inactive_file),
            (Metric::ActiveFile, row.active_file),
            (Metric::SpecLimit, self.limit),
        ] {
            reading.set(metric, Some(value));
        }
        reading.set(Metric::EventsHigh, row.events_high);
        Some(Scrape {
            t,
            timestamp_ms: (t * 1e3) as i64,
            labels: &self.labels,
            reading,
        })
    }
}

/// When a detector began to fire, and when it stopped: indexes of a run's scrapes.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Changes {
    firing: bool,
    /// Each scrape at which it changed, and whether it fires from then on.
    pub at: Vec<(usize, bool)>,
}

impl Changes {
    /// Whether it fires.
    pub fn firing(&self) -> bool {
        self.firing
    }

    /// It fires, or it does not, from this scrape on.
    pub fn set(&mut self, index: usize, firing: bool) {
        if self.firing != firing {
            self.firing = firing;
            self.at.push((index, firing));
        }
    }
}
