//! A recording seen as the pages a scraper would have fetched from it.

use crate::recording::{EventKind, GroupKind, Recording};

use super::cadvisor::{Mapper, Metric, Reading, pod_limit};
use super::dress::Dress;
use super::labels::{Labels, Naming, WATCHED, pairs};

/// Gives, for each group and sample of one recording, what cAdvisor would have shown.
pub struct Pages<'a> {
    recording: &'a Recording,
    /// One a group, in the order of the header.
    pub labels: Vec<Labels>,
    mappers: Vec<Mapper>,
    /// Starts of each group's container, nanoseconds from the recording's start, rising.
    starts: Vec<Vec<u64>>,
    anchor_ms: i64,
    time_scale: f64,
    /// What every amount of memory is multiplied by.
    size_scale: f64,
    /// The labels that a scrape adds to cAdvisor's own.
    pub scraped: Vec<(String, String)>,
}

impl<'a> Pages<'a> {
    /// Prepares a recording. `time_scale` is in detector seconds a recorded second.
    pub fn new(recording: &'a Recording, naming: Naming, time_scale: f64) -> Self {
        let groups = &recording.header.groups;
        let mappers = groups
            .iter()
            .zip(&recording.tables)
            .map(|(group, table)| Mapper::new(recording.version(), &table.columns, group.limit))
            .collect();
        let starts = groups
            .iter()
            .map(|group| starts_of(recording, &group.name))
            .collect();
        Pages {
            recording,
            labels: Labels::of(recording, naming),
            mappers,
            starts,
            anchor_ms: started_ms(recording),
            time_scale,
            size_scale: 1.0,
            scraped: Labels::SCRAPED
                .iter()
                .map(|(k, v)| ((*k).to_owned(), (*v).to_owned()))
                .collect(),
        }
    }

    /// The same pages with other labels and sizes.
    pub fn dressed(mut self, dress: &Dress) -> Self {
        for (nth, labels) in numbered(&mut self.labels) {
            dress.container_labels(labels, nth);
        }
        dress.scraped_labels(&mut self.scraped);
        self.size_scale = dress.size_scale(self.recording).unwrap_or(1.0);
        self
    }

    /// Labels of a scrape that were set, and that the feed of a program would not have otherwise.
    pub fn added_labels(&self) -> impl Iterator<Item = (&str, &str)> {
        let usual = |name: &str, value: &str| Labels::SCRAPED.contains(&(name, value));
        pairs(&self.scraped).filter(move |(name, value)| !usual(name, value))
    }

    /// What every amount of memory is multiplied by.
    pub fn size_scale(&self) -> f64 {
        self.size_scale
    }

    /// The recording behind the pages.
    pub fn recording(&self) -> &'a Recording {
        self.recording
    }

    /// Detector seconds a recorded second.
    pub fn time_scale(&self) -> f64 {
        self.time_scale
    }

    /// Detector's time of a recorded time: seconds from nanoseconds.
    pub fn seconds(&self, t_ns: u64) -> f64 {
        t_ns as f64 / 1e9 * self.time_scale
    }

    /// The recorded time of a detector's time: nanoseconds from seconds.
    pub fn nanoseconds(&self, t_s: f64) -> u64 {
        (t_s.max(0.0) / self.time_scale * 1e9).round() as u64
    }

    /// The wall clock at a detector's time, milliseconds since 1970.
    pub fn timestamp_ms(&self, t_s: f64) -> i64 {
        self.anchor_ms.saturating_add((t_s * 1e3).round() as i64)
    }

    /// The detector's time of the last sample of all groups, seconds.
    pub fn end(&self) -> f64 {
        self.seconds(self.recording.last_sample().unwrap_or(0))
    }

    /// What cAdvisor would have shown of a group, had it looked when this sample was taken.
    pub fn read(&self, group: usize, sample: usize) -> Reading {
        let table = &self.recording.tables[group];
        let t = table.t.get(sample).copied().unwrap_or(0);
        let starts = &self.starts[group];
        let running = starts.partition_point(|s| *s <= t).saturating_sub(1);
        let started = starts.get(running).map(|s| {
            // cAdvisor shows whole seconds.
            (self.timestamp_ms(self.seconds(*s)) / 1000) as f64
        });
        let mut reading = self.mappers[group].read(|column| table.get(sample, column), started);
        self.as_the_kubelet_sets(group, t, &mut reading);
        // Seconds spent waiting are seconds of the clock that the reader goes by: all of a recorded
        // second stalled is all of the detector's seconds that it represents.
        for metric in [Metric::PressureStalled, Metric::PressureWaiting] {
            reading.set(metric, reading.get(metric).map(|s| s * self.time_scale));
        }
        if self.size_scale != 1.0 {
            reading.scale_amounts(self.size_scale);
        }
        reading
    }

    /// A pod that memtide made has the limit that a kubelet would have given it, and what memtide
    /// made has no reservation.
    fn as_the_kubelet_sets(&self, group: usize, t: u64, reading: &mut Reading) {
        let header = &self.recording.header;
        if header.host.placement == WATCHED {
            return;
        }
        if reading.get(Metric::SpecReservation).is_none() {
            reading.set(Metric::SpecReservation, Some(0.0));
        }
        if header.groups[group].kind != GroupKind::Pod || reading.limit().is_some() {
            return;
        }
        let containers = header.groups.iter().enumerate();
        let limits = containers
            .filter(|(_, other)| other.kind == GroupKind::Container)
            .map(|(other, _)| self.limit_at(other, t));
        if let Some(sum) = pod_limit(limits) {
            reading.set(Metric::SpecLimit, Some(sum));
        }
    }

    /// A group's limit at a recorded time, bytes as recorded.
    fn limit_at(&self, group: usize, t: u64) -> Option<f64> {
        let table = &self.recording.tables[group];
        let sample = table.at(t).unwrap_or(0);
        let reading = self.mappers[group].read(|column| table.get(sample, column), None);
        reading.limit()
    }
}

/// The labels with the number of the container among them; none for a pod's own.
fn numbered(labels: &mut [Labels]) -> impl Iterator<Item = (Option<usize>, &mut Labels)> {
    let mut containers = 0;
    labels.iter_mut().map(move |labels| {
        let nth = (!labels.container.is_empty() || !labels.name.is_empty()).then(|| {
            containers += 1;
            containers - 1
        });
        (nth, labels)
    })
}

fn starts_of(recording: &Recording, group: &str) -> Vec<u64> {
    let restarts = recording.events.iter().filter_map(|event| {
        matches!(&event.kind, EventKind::Restart { container, .. } if container == group)
            .then_some(event.t)
    });
    std::iter::once(0).chain(restarts).collect()
}

/// The wall clock at t = 0, milliseconds since 1970; 0 where the header's is not a time.
fn started_ms(recording: &Recording) -> i64 {
    recording
        .header
        .started
        .parse::<jiff::Timestamp>()
        .map_or(0, |t| t.as_millisecond())
}
