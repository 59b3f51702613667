//! A comparison as JSON.

use serde_json::{Value, json};

use super::{Cell, Comparison, Reading, Row, Sheet, sentences};

/// The comparison as a JSON object.
pub fn json(comparison: &Comparison) -> Value {
    let baseline = comparison.runs.get(comparison.baseline);
    let runs = (0..comparison.runs.len()).map(|column| run(comparison, column));
    json!({
        "scenario": comparison.scenario,
        "baseline": baseline.map_or("", |run| &run.label),
        "tolerance_bytes": comparison.tolerance,
        "differs": comparison.differs(),
        "runs": runs.collect::<Vec<_>>(),
        "values": comparison.sheets.iter().map(sheet).collect::<Vec<_>>(),
        "notes": comparison.notes,
    })
}

fn run(comparison: &Comparison, column: usize) -> Value {
    let run = &comparison.runs[column];
    json!({
        "label": run.label,
        "kernel": run.host.kernel,
        "cgroup": run.host.cgroup,
        "lru": run.host.lru,
        "group": run.group,
        "limit_bytes": run.limit,
        "outcome": run.outcome,
        "outcome_differs": comparison.outcome_differs[column],
        "sentences": sentences(comparison, column),
    })
}

fn sheet(sheet: &Sheet) -> Value {
    let step = |row: &Row| {
        let cells: Vec<_> = row.cells.iter().map(cell).collect();
        json!({ "step": row.step, "cells": cells })
    };
    json!({
        "value": sheet.value,
        "differs": sheet.differs(),
        "steps": sheet.rows.iter().map(step).collect::<Vec<_>>(),
    })
}

fn cell(cell: &Cell) -> Value {
    let (state, bytes) = match &cell.reading {
        Reading::Bytes(n) => ("value", Some(*n)),
        Reading::Absent => ("absent", None),
        Reading::Skipped(_) => ("skipped", None),
        Reading::NotReached => ("not_reached", None),
    };
    let mut value = json!({
        "state": state,
        "bytes": bytes,
        "differs": cell.differs,
        "other_work": cell.other_work,
    });
    if let Reading::Skipped(reason) = &cell.reading {
        value["reason"] = reason.as_str().into();
    }
    value
}
