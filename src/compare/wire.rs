//! A comparison as JSON.

use serde::Serialize;
use serde_json::Value;

use super::{Cell, Comparison, Reading, Sentence, sentences};

#[derive(Serialize)]
struct WireComparison<'a> {
    scenario: &'a str,
    baseline: &'a str,
    tolerance_bytes: u64,
    differs: bool,
    runs: Vec<WireRun<'a>>,
    values: Vec<WireSheet<'a>>,
    notes: &'a [String],
}

#[derive(Serialize)]
struct WireRun<'a> {
    label: &'a str,
    kernel: &'a str,
    cgroup: String,
    lru: String,
    group: &'a str,
    limit_bytes: Option<u64>,
    outcome: Option<&'static str>,
    outcome_differs: bool,
    sentences: Vec<Sentence>,
}

#[derive(Serialize)]
struct WireSheet<'a> {
    value: &'a str,
    differs: bool,
    steps: Vec<WireRow<'a>>,
}

#[derive(Serialize)]
struct WireRow<'a> {
    step: &'a str,
    cells: Vec<WireCell<'a>>,
}

#[derive(Serialize)]
struct WireCell<'a> {
    /// `value`, `absent`, `skipped` or `not_reached`.
    state: &'static str,
    bytes: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'a str>,
    differs: bool,
    other_work: bool,
}

/// The comparison as one JSON object: runs, and per value the steps with a cell a run.
pub fn json(comparison: &Comparison) -> Value {
    let wire = WireComparison {
        scenario: &comparison.scenario,
        baseline: label(comparison, comparison.baseline),
        tolerance_bytes: comparison.tolerance,
        differs: comparison.differs(),
        runs: (0..comparison.runs.len())
            .map(|i| run(comparison, i))
            .collect(),
        values: comparison
            .sheets
            .iter()
            .map(|sheet| WireSheet {
                value: &sheet.value,
                differs: sheet.differs(),
                steps: sheet
                    .rows
                    .iter()
                    .map(|row| WireRow {
                        step: &row.step,
                        cells: row.cells.iter().map(cell).collect(),
                    })
                    .collect(),
            })
            .collect(),
        notes: &comparison.notes,
    };
    // Only maps with string keys are in there, so this can't fail.
    serde_json::to_value(wire).unwrap_or(Value::Null)
}

fn label(comparison: &Comparison, column: usize) -> &str {
    comparison.runs.get(column).map_or("", |r| r.label.as_str())
}

fn run(comparison: &Comparison, column: usize) -> WireRun<'_> {
    let run = &comparison.runs[column];
    WireRun {
        label: &run.label,
        kernel: &run.host.kernel,
        cgroup: run.host.cgroup.to_string(),
        lru: run.host.lru.to_string(),
        group: &run.group,
        limit_bytes: run.limit,
        outcome: run.outcome.map(|o| o.as_str()),
        outcome_differs: comparison.outcome_differs[column],
        sentences: sentences(comparison, column),
    }
}

fn cell(cell: &Cell) -> WireCell<'_> {
    let (state, bytes, reason) = match &cell.reading {
        Reading::Bytes(n) => ("value", Some(*n), None),
        Reading::Absent => ("absent", None, None),
        Reading::Skipped(reason) => ("skipped", None, Some(reason.as_str())),
        Reading::NotReached => ("not_reached", None, None),
    };
    WireCell {
        state,
        bytes,
        reason,
        differs: cell.differs,
        other_work: cell.other_work,
    }
}
