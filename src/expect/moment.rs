//! Which samples an expectation looks at.

use crate::recording::{Recording, StepResult, Table};
use crate::scenario::{Moment, Pick, Scenario, StepRef};

/// The samples of one group that are meant, and which of their values.
#[derive(Debug)]
pub struct Samples {
    indices: Vec<usize>,
    pick: Pick,
    /// The step they were taken after, if it is one sample after a step.
    pub after: Option<StepRef>,
}

/// What was found for a moment.
pub enum Found {
    /// At least one sample.
    Samples(Samples),
    /// A step was skipped; why.
    Skipped(String),
    /// A step did not reach its target, or there is no sample.
    Failed(String),
    /// The run was over first.
    Cut(String),
}

impl Samples {
    fn one(index: usize, after: Option<StepRef>) -> Found {
        Found::Samples(Samples {
            indices: vec![index],
            pick: Pick::Last,
            after,
        })
    }

    /// The picked one of the values; none if any of them is missing: a maximum over what is left
    /// would be a claim about samples nobody saw.
    pub fn pick(&self, value: impl Fn(usize) -> Option<i64>) -> Option<i64> {
        let values: Option<Vec<i64>> = self.indices.iter().map(|i| value(*i)).collect();
        let mut values = values?;
        let last = *values.last()?;
        values.sort_unstable();
        let (low, high) = (*values.first()?, *values.last()?);
        Some(match self.pick {
            Pick::Max => high,
            Pick::Min => low,
            // The lower of the two middle ones: a value that was really seen.
            Pick::Median => values[(values.len() - 1) / 2],
            Pick::Last => last,
            Pick::Range => high.saturating_sub(low),
        })
    }
}

/// Finds the samples of `group` that `moment` means.
pub fn find(scenario: &Scenario, recording: &Recording, moment: &Moment, group: usize) -> Found {
    let table = &recording.tables[group];
    let Some(last) = table.len().checked_sub(1) else {
        return Found::Failed("there is no sample".into());
    };
    match moment {
        Moment::End => Samples::one(last, None),
        Moment::At(step) => match Step::find(scenario, recording, *step) {
            Step::Ended { end, .. } => match table.at(end) {
                Some(sample) => Samples::one(sample, Some(*step)),
                None => Found::Failed("there is no sample up to that step's end".into()),
            },
            Step::Running { name, .. } => Found::Cut(format!("`{name}` had not ended")),
            Step::Other(found) => found,
        },
        Moment::During { from, to, pick } => {
            let start = match Step::find(scenario, recording, *from) {
                Step::Ended { start, .. } | Step::Running { start, .. } => start,
                Step::Other(found) => return found,
            };
            let end = match Step::find(scenario, recording, *to) {
                Step::Ended { end, .. } => end,
                // Killed in the middle of it: what comes later says nothing about the step.
                Step::Running { .. } => {
                    let exit = recording.exits(scenario.names(*to)).next();
                    exit.unwrap_or(table.t[last])
                }
                Step::Other(found) => return found,
            };
            Found::Samples(Samples {
                indices: between(table, start, end),
                pick: *pick,
                after: None,
            })
        }
    }
}

/// The samples from `start` to `end`; in a span shorter than the interval, the first one after it.
fn between(table: &Table, start: u64, end: u64) -> Vec<usize> {
    let first = table.t.partition_point(|t| *t < start);
    let beyond = table.t.partition_point(|t| *t <= end);
    match first < beyond {
        true => (first..beyond).collect(),
        false => vec![first.min(table.len().saturating_sub(1))],
    }
}

/// A row of the worker's `smaps_rollup` as it stood at the end of a step, bytes.
pub fn smaps(scenario: &Scenario, recording: &Recording, at: StepRef, row: &str) -> Option<i64> {
    let mut ends = recording.ends(scenario.names(at));
    let value = ends.find_map(|(_, end)| end.smaps.get(row))?;
    i64::try_from(value).ok()
}

/// How far a step came.
enum Step {
    Ended { start: u64, end: u64 },
    Running { start: u64, name: String },
    Other(Found),
}

impl Step {
    fn find(scenario: &Scenario, recording: &Recording, at: StepRef) -> Step {
        let names = scenario.names(at);
        let name = names[2];
        let start = recording.starts(names).next();
        let end = recording.ends(names).next();
        let end = end.map(|(t, end)| (t, &end.result));
        match (start, end) {
            (start, Some((end, StepResult::Done))) => Step::Ended {
                start: start.unwrap_or(end),
                end,
            },
            (_, Some((_, StepResult::Skipped(why)))) => {
                Step::Other(Found::Skipped(format!("`{name}` was skipped: {why}")))
            }
            (_, Some((_, StepResult::Failed(why)))) => {
                Step::Other(Found::Failed(format!("`{name}` failed: {why}")))
            }
            (Some(start), None) => Step::Running {
                start,
                name: name.into(),
            },
            (None, None) => Step::Other(Found::Cut(format!("`{name}` had not begun"))),
        }
    }
}
