//! When each step ran, and what else happened: bands and marks along the time axis.

use crate::recording::{EventKind, Recording, StepId, StepResult};
use crate::scenario::Scenario;

/// One step's time.
#[derive(Debug, Clone, PartialEq)]
pub struct StepBand {
    /// Which step.
    pub id: StepId,
    /// Seconds from the start.
    pub start: f64,
    /// Seconds from the start to where the counters had settled; the last sample if it never ended.
    pub end: f64,
    /// The row it is drawn in: one per actor, from 0.
    pub lane: usize,
    /// How it went; none if it never ended.
    pub result: Option<StepResult>,
    /// What the scenario tells the audience about it; empty if unknown.
    pub say: String,
}

/// Something to mark on the time axis.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
pub struct Mark {
    /// Seconds from the start.
    pub t: f64,
    /// `OOM kill`, `restart`, ...
    pub label: &'static str,
    /// A sentence.
    pub text: String,
}

/// Seconds at the end of the recording.
pub fn end(recording: &Recording) -> f64 {
    let events = recording.events.iter().map(|e| e.t);
    let last = recording.last_sample().into_iter().chain(events).max();
    last.map_or(0.0, |t| t as f64 / 1e9)
}

/// The bands of all steps, in the order they began.
pub fn bands(recording: &Recording, scenario: Option<&Scenario>) -> Vec<StepBand> {
    let mut bands: Vec<StepBand> = Vec::new();
    let mut lanes: Vec<(String, String)> = Vec::new();
    let last = end(recording);
    for event in &recording.events {
        let t = event.t as f64 / 1e9;
        match &event.kind {
            EventKind::StepStart(id) => {
                let key = (id.container.clone(), id.actor.clone());
                let lane = lanes.iter().position(|l| *l == key).unwrap_or_else(|| {
                    lanes.push(key);
                    lanes.len() - 1
                });
                let say = scenario.and_then(|s| say(s, id)).unwrap_or_default();
                bands.push(StepBand {
                    id: id.clone(),
                    start: t,
                    end: last,
                    lane,
                    result: None,
                    say,
                });
            }
            EventKind::StepEnd(end) => {
                let open = bands
                    .iter_mut()
                    .rev()
                    .find(|b| b.id == end.id && b.result.is_none());
                if let Some(band) = open {
                    band.end = t;
                    band.result = Some(end.result.clone());
                }
            }
            _ => {}
        }
    }
    bands
}

/// The `say` line of a step.
pub fn say(scenario: &Scenario, id: &StepId) -> Option<String> {
    let container = scenario
        .containers
        .iter()
        .find(|c| c.name == id.container)?;
    let actor = container.actors.iter().find(|a| a.name == id.actor)?;
    actor
        .steps
        .get(id.index)
        .filter(|s| s.name == id.step)
        .map(|s| s.say.clone())
}

/// OOM kills and restarts, in time order.
pub fn marks(recording: &Recording) -> Vec<Mark> {
    recording
        .events
        .iter()
        .filter_map(|event| {
            let (label, text) = mark(&event.kind)?;
            Some(Mark {
                t: event.t as f64 / 1e9,
                label,
                text,
            })
        })
        .collect()
}

fn mark(kind: &EventKind) -> Option<(&'static str, String)> {
    match kind {
        EventKind::ActorExit {
            container,
            actor,
            oom_killed: true,
            ..
        } => Some((
            "OOM kill",
            format!("the kernel's OOM killer ended {actor} in {container}"),
        )),
        EventKind::Mark { text } => Some(("mark", text.clone())),
        EventKind::Restart { container, reason } => {
            Some(("restart", format!("{container} was restarted: {reason}")))
        }
        _ => None,
    }
}
