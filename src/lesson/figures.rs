//! The figures of a page: one value by step on every set-up, and all of them on one.

use crate::expect::Source;
use crate::markup::table;
use crate::recording::Recording;
use crate::scenario::{Scenario, StepRef};
use crate::units;

/// What the full table shows: heading and value.
const COLUMNS: [(&str, &str); 8] = [
    ("usage", "usage"),
    ("rss", "rss"),
    ("inactive_file", "inactive_file"),
    ("active_file", "active_file"),
    ("cache", "cache"),
    ("shmem", "shmem"),
    ("working_set", "cadvisor_working_set"),
    ("heap in use", "truth:live"),
];

/// One row of a table: a step, and the moment it is looked at.
struct Row {
    at: StepRef,
    label: String,
    /// Nanoseconds from the start.
    t: u64,
}

/// working_set after each step, a column for each set-up.
pub fn across(scenario: &Scenario, runs: &[(&'static str, Recording)]) -> String {
    let mut rows = Vec::new();
    for step in all_steps(scenario) {
        let cells = runs
            .iter()
            .map(|(_, recording)| match row(scenario, recording, step) {
                Some(row) => cell(scenario, recording, &row, "cadvisor_working_set"),
                None => "-".into(),
            });
        let killed = |(_, r): &(&str, Recording)| {
            row(scenario, r, step).is_some_and(|row| row.label.ends_with(')'))
        };
        let note = if runs.iter().any(killed) {
            " (highest before the kill)"
        } else {
            ""
        };
        rows.push(line(format!("{}{note}", label(scenario, step)), cells));
    }
    let outcomes = runs.iter().map(|(_, r)| {
        let footer = r.footer.as_ref();
        footer.map_or("cut".into(), |f| f.outcome.to_string())
    });
    rows.push(line("outcome".into(), outcomes));
    let names = runs.iter().map(|(setup, _)| setup.to_string());
    format!(
        "working_set after each step, MiB, by kernel and cgroup version:\n\n{}\n",
        table(line("after".into(), names), rows, 1)
    )
}

/// Every column after each step of one run.
pub fn in_full(scenario: &Scenario, setup: &str, recording: &Recording) -> String {
    let host = &recording.header.host;
    let rows = all_steps(scenario)
        .filter_map(|step| row(scenario, recording, step))
        .map(|row| {
            let cells = COLUMNS.map(|(_, value)| cell(scenario, recording, &row, value));
            line(row.label, cells)
        });
    let headings = COLUMNS.map(|(heading, _)| heading.to_string());
    format!(
        "On `{setup}` (kernel {}, cgroup {}, {}), MiB:\n\n{}\n",
        host.kernel,
        host.cgroup,
        match host.lru {
            crate::host::Lru::Classic => "classic LRU",
            crate::host::Lru::Mglru => "MGLRU",
        },
        table(line("after".into(), headings), rows, 1)
    )
}

/// What a line of a table is of, and its cells.
fn line(label: String, cells: impl IntoIterator<Item = String>) -> Vec<String> {
    std::iter::once(label).chain(cells).collect()
}

fn all_steps(scenario: &Scenario) -> impl Iterator<Item = StepRef> + '_ {
    let containers = scenario.containers.iter().enumerate();
    containers.flat_map(|(container, c)| {
        c.actors.iter().enumerate().flat_map(move |(actor, a)| {
            (0..a.steps.len()).map(move |step| StepRef {
                container,
                actor,
                step,
            })
        })
    })
}

fn label(scenario: &Scenario, at: StepRef) -> String {
    let [container, _, step] = scenario.names(at);
    match scenario.containers.len() {
        1 => step.into(),
        _ => format!("{container}: {step}"),
    }
}

/// A step that ended, or one that its actor did not live to end; none for one that never began or
/// was skipped.
fn row(scenario: &Scenario, recording: &Recording, at: StepRef) -> Option<Row> {
    let step = scenario.names(at);
    if let Some((t, end)) = recording.ends(step).next() {
        let done = end.result == crate::recording::StepResult::Done;
        return done.then(|| Row {
            at,
            label: label(scenario, at),
            t,
        });
    }
    let start = recording.starts(step).next_back()?;
    let exit = recording.exits(step).next_back()?;
    let t = peak(recording, group(scenario, recording, at)?, start, exit)?;
    Some(Row {
        at,
        label: format!("{} (highest before the kill)", label(scenario, at)),
        t,
    })
}

/// When usage was highest between two times.
fn peak(recording: &Recording, group: usize, start: u64, end: u64) -> Option<u64> {
    let usage = Source::new(recording, group, "usage");
    let times = &recording.tables[group].t;
    let within = (0..times.len()).filter(|i| (start..=end).contains(&times[*i]));
    let highest = within.max_by_key(|i| usage.at(*i))?;
    Some(times[highest])
}

fn group(scenario: &Scenario, recording: &Recording, at: StepRef) -> Option<usize> {
    let named = recording.group(&scenario.containers[at.container].name);
    named.or((!recording.tables.is_empty()).then(|| recording.main_group()))
}

fn cell(scenario: &Scenario, recording: &Recording, row: &Row, value: &str) -> String {
    let number = group(scenario, recording, row.at).and_then(|group| {
        let sample = recording.tables[group].at(row.t)?;
        Source::new(recording, group, value).at(sample)
    });
    match number {
        Some(bytes) => units::mib(bytes.max(0).unsigned_abs()),
        None => "-".into(),
    }
}
