//! A recording that is shown: a finished one, or one that is being written.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use super::live::Live;
use crate::plot::layers::{self, Layers};
use crate::plot::steps::{self, Mark, StepBand};
use crate::recording::{self, Recording};
use crate::scenario::{self, Scenario};

/// A growing file is not read again before this time.
const LOOK_AGAIN_MIN: Duration = Duration::from_millis(200);
/// Nor before this many times of what reading it last cost: the show stays below 5 % of a core.
const LOOK_AGAIN_COSTS: u32 = 40;

/// A recording and what the show needs of it.
pub struct Tape {
    /// What was recorded so far.
    pub recording: Recording,
    /// Its scenario, if it has one that can be read.
    pub scenario: Option<Scenario>,
    /// Its steps.
    pub bands: Vec<StepBand>,
    /// OOM kills and restarts.
    pub marks: Vec<Mark>,
    /// Seconds at its end so far.
    pub end: f64,
    /// `live`, or the set-up it was recorded on.
    pub label: String,
    growing: Option<Growing>,
}

struct Growing {
    live: Live,
    path: PathBuf,
    size: u64,
    next: Instant,
}

impl Tape {
    /// Shows a finished recording.
    pub fn finished(recording: Recording, label: String) -> Self {
        let mut tape = Tape {
            scenario: scenario_of(&recording),
            recording,
            bands: Vec::new(),
            marks: Vec::new(),
            end: 0.0,
            label,
            growing: None,
        };
        tape.derive();
        tape
    }

    /// Shows a run while it goes; `first` is what its file held when it had begun.
    pub fn live(first: Recording, live: Live) -> Self {
        let host = &first.header.host;
        let label = format!("live on {} {} {}", host.kernel, host.cgroup, host.lru);
        let path = live.recording();
        let mut tape = Tape::finished(first, label);
        tape.growing = Some(Growing {
            live,
            path,
            size: 0,
            next: Instant::now(),
        });
        tape
    }

    /// Whether more may come.
    pub fn is_growing(&self) -> bool {
        self.growing.is_some()
    }

    /// Whether it is, or was, a run on this machine.
    pub fn is_live(&self) -> bool {
        self.label.starts_with("live")
    }

    /// Reads what was written since the last look; gives whether anything is new.
    pub fn refresh(&mut self) -> bool {
        let Some(growing) = &mut self.growing else {
            return false;
        };
        let now = Instant::now();
        if now < growing.next {
            return false;
        }
        // Asked before the file is read: what a run wrote before it ended is then in it.
        let ended = growing.live.has_ended();
        let size = std::fs::metadata(&growing.path).map_or(0, |m| m.len());
        let grown = size != growing.size;
        if grown && let Ok(recording) = recording::read_path(&growing.path) {
            growing.size = size;
            self.recording = recording;
        }
        growing.next = now + LOOK_AGAIN_MIN.max(now.elapsed() * LOOK_AGAIN_COSTS);
        if ended {
            self.growing = None;
        }
        if grown {
            self.derive();
        }
        grown || ended
    }

    fn derive(&mut self) {
        self.bands = steps::bands(&self.recording, self.scenario.as_ref());
        self.marks = steps::marks(&self.recording);
        self.end = steps::end(&self.recording);
    }

    /// The sample of a group that stood at a recorded second.
    pub fn sample(&self, group: usize, seconds: f64) -> Option<usize> {
        self.recording
            .tables
            .get(group)?
            .at((seconds * 1e9).round() as u64)
    }

    /// The largest value a chart of the group shows, bytes.
    pub fn top(&self, group: usize) -> u64 {
        let limit = layers::limit(&self.recording, group);
        limit.unwrap_or_else(|| {
            let samples = self.recording.tables.get(group).map_or(0, |t| t.len());
            let all: Vec<usize> = (0..samples).collect();
            Layers::new(&self.recording, group, &all).top.max(1)
        })
    }
}

fn scenario_of(recording: &Recording) -> Option<Scenario> {
    let header = &recording.header;
    scenario::parse(
        &header.scenario_text,
        "the recording's header",
        &header.scenario,
    )
    .ok()
}
