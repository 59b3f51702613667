//! One recording, reduced to the values at the end of each step.

use crate::formula;
use crate::host::HostFacts;
use crate::recording::{EventKind, Recording, StepId, StepResult};
use crate::scenario::{self, Outcome};
use crate::units;

/// One recording as a column of a comparison.
#[derive(Debug, Clone)]
pub struct Run {
    /// The set-up's name, or the file's where the recording names none.
    pub label: String,
    /// The scenario's name.
    pub scenario: String,
    /// The text it ran from, as a hash.
    pub scenario_hash: String,
    /// The machine.
    pub host: HostFacts,
    /// How it ended; none if the recording was cut.
    pub outcome: Option<Outcome>,
    /// The group the values are of.
    pub group: String,
    /// That group's memory limit, bytes.
    pub limit: Option<u64>,
    /// What was read, by name.
    pub values: Vec<String>,
    /// In the order in which they began.
    pub steps: Vec<StepValues>,
}

/// The values at the end of one step.
#[derive(Debug, Clone, PartialEq)]
pub struct StepValues {
    /// `step`, or `actor/step`, or `container/actor/step`: as short as it is unambiguous.
    pub step: String,
    /// One a value name.
    pub readings: Vec<Reading>,
    /// What the workers had done and held by then, one a name of [`WORK`].
    pub work: Vec<Reading>,
}

/// The truth that says whether two runs had done the same by the end of a step. A step that lasts
/// for a time does less on a slow machine, and what memory shows then is no news of the kernel.
pub const WORK: [&str; 5] = [
    "truth:live",
    "truth:freed_lazy",
    "truth:shmem_live",
    "truth:file_written",
    "truth:file_read",
];

/// What was found for one value at one step's end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reading {
    /// A value in bytes.
    Bytes(i64),
    /// This kernel has no such row.
    Absent,
    /// The step was not done there, because of this.
    Skipped(String),
    /// The run had ended before the step did.
    NotReached,
}

/// Why a recording can't be compared.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RunError {
    /// The recording has no group of that name.
    #[error("{label} has no group `{group}`; it has {have}")]
    NoGroup {
        /// Which recording.
        label: String,
        /// What was asked for.
        group: String,
        /// What there is.
        have: String,
    },
    /// No recording at all has anything of that name.
    #[error(
        "nothing is called `{name}`: {formulas}; or usage, rss, cache, active_file, ..., or a column of the \
         recording like `truth:live`",
        name = .0,
        formulas = formulas_like(.0)
    )]
    NoValue(String),
}

/// The formulas' names, with the nearest first.
fn formulas_like(name: &str) -> String {
    let names = || formula::FORMULAS.iter().map(|formula| formula.name);
    let hint = match scenario::nearest(name, names()) {
        Some(near) => format!("did you mean `{near}`? The"),
        None => "the".to_owned(),
    };
    let all: Vec<&str> = names().collect();
    format!("{hint} formulas are {}", all.join(", "))
}

impl Run {
    /// Reduces a recording to `values` of the group called `group` (none: its first container).
    pub fn new(
        label: impl Into<String>,
        recording: &Recording,
        group: Option<&str>,
        values: &[String],
    ) -> Result<Self, RunError> {
        let label = label.into();
        let index = match group {
            None => recording.main_group(),
            Some(name) => recording.group(name).ok_or_else(|| RunError::NoGroup {
                label: label.clone(),
                group: name.into(),
                have: recording.group_names(),
            })?,
        };
        if recording.header.groups.is_empty() {
            return Err(RunError::NoGroup {
                label,
                group: group.unwrap_or("pod").into(),
                have: "none".into(),
            });
        }
        let header = &recording.header;
        Ok(Run {
            label,
            scenario: header.scenario.clone(),
            scenario_hash: header.scenario_hash.clone(),
            host: header.host.clone(),
            outcome: recording.footer.as_ref().map(|f| f.outcome),
            group: header.groups[index].name.clone(),
            limit: header.groups[index].limit,
            values: values.to_vec(),
            steps: steps(recording, index, values),
        })
    }

    /// What was read for `value` at the end of `step`.
    pub fn reading(&self, step: &str, value: &str) -> Reading {
        let column = self.values.iter().position(|v| v == value);
        let row = self.steps.iter().find(|s| s.step == step);
        match (row, column) {
            (Some(row), Some(column)) => row.readings[column].clone(),
            (None, _) => Reading::NotReached,
            (_, None) => Reading::Absent,
        }
    }
}

impl Run {
    /// Which truth is further apart than `tolerance` from another run's at the end of a step.
    pub fn other_work(&self, other: &Run, step: &str, tolerance: u64) -> Option<String> {
        let of = |run: &Run| {
            let row = run.steps.iter().find(|s| s.step == step);
            row.map(|row| row.work.clone())
        };
        let (mine, theirs) = (of(self)?, of(other)?);
        let mut pairs = WORK.into_iter().zip(mine.into_iter().zip(theirs));
        pairs.find_map(|(name, pair)| match pair {
            (Reading::Bytes(a), Reading::Bytes(b)) if a.abs_diff(b) > tolerance => {
                let (a, b) = (units::signed_bytes(a), units::signed_bytes(b));
                Some(format!("{name} {a} against {b}"))
            }
            _ => None,
        })
    }
}
fn steps(recording: &Recording, group: usize, values: &[String]) -> Vec<StepValues> {
    let begun: Vec<&StepId> = recording
        .events
        .iter()
        .filter_map(|e| match &e.kind {
            EventKind::StepStart(id) => Some(id),
            // A skipped step has no start.
            EventKind::StepEnd(end) if matches!(end.result, StepResult::Skipped(_)) => {
                Some(&end.id)
            }
            _ => None,
        })
        .collect();
    let mut seen: Vec<&StepId> = Vec::new();
    for id in begun {
        if !seen.contains(&id) {
            seen.push(id);
        }
    }
    seen.iter()
        .map(|id| StepValues {
            step: short_name(id, &seen),
            readings: values
                .iter()
                .map(|value| reading(recording, group, id, value))
                .collect(),
            work: WORK
                .map(|value| reading(recording, group, id, value))
                .to_vec(),
        })
        .collect()
}

/// The step's name with as much of its index as distinguishes it from the others.
fn short_name(id: &StepId, all: &[&StepId]) -> String {
    let same_step = all.iter().filter(|o| o.step == id.step).count();
    let same_actor = all
        .iter()
        .filter(|o| o.step == id.step && o.actor == id.actor)
        .count();
    match (same_step, same_actor) {
        (..=1, _) => id.step.clone(),
        (_, ..=1) => format!("{}/{}", id.actor, id.step),
        _ => format!("{}/{}/{}", id.container, id.actor, id.step),
    }
}

fn reading(recording: &Recording, group: usize, id: &StepId, value: &str) -> Reading {
    let Some((t, end)) = recording.ends([&id.container, &id.actor, &id.step]).next() else {
        return Reading::NotReached;
    };
    if let StepResult::Skipped(reason) = &end.result {
        return Reading::Skipped(reason.clone());
    }
    let sample = recording.tables.get(group).and_then(|table| table.at(t));
    sample
        .and_then(|sample| value_at(recording, group, sample, value))
        .map_or(Reading::Absent, Reading::Bytes)
}

/// A formula, a counter under the name both cgroup versions share, or a column of the recording.
fn value_at(recording: &Recording, group: usize, sample: usize, name: &str) -> Option<i64> {
    let view = recording.view(group, &recording.view_index(group), sample);
    if let Some(formula) = formula::by_name(name) {
        return (formula.eval)(&view);
    }
    let table = &recording.tables[group];
    view.get(name)
        .or_else(|| table.get(sample, table.column(name)?))
        .and_then(|n| i64::try_from(n).ok())
}
