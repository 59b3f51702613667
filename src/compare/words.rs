//! A comparison in words: where one run behaves otherwise than the baseline.

use super::{Comparison, Reading, Run, differences};
use crate::units::signed_bytes;

/// Where one run differs from the baseline, and why if that is known.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Sentence {
    /// The step, or `outcome`.
    pub step: String,
    /// What differs.
    pub text: String,
    /// What is known of this difference between kernels.
    pub known: Option<String>,
}

/// Where the run in `column` differs from the baseline, step by step; empty if nowhere.
pub fn sentences(comparison: &Comparison, column: usize) -> Vec<Sentence> {
    let (Some(run), Some(base)) = (
        comparison.runs.get(column),
        comparison.runs.get(comparison.baseline),
    ) else {
        return Vec::new();
    };
    let mut sentences: Vec<Sentence> = steps(comparison)
        .into_iter()
        .filter_map(|step| {
            let parts = differing(comparison, column, &step);
            (!parts.is_empty()).then(|| Sentence {
                text: format!(
                    "after `{step}`: {} ({} against {})",
                    parts.join("; "),
                    run.label,
                    base.label
                ),
                known: known(comparison, column, &step),
                step,
            })
        })
        .collect();
    if comparison.outcome_differs[column] {
        sentences.push(Sentence {
            step: "outcome".into(),
            text: format!(
                "it ended {} on {} and {} on {}",
                outcome(run),
                run.label,
                outcome(base),
                base.label
            ),
            known: known(comparison, column, "outcome"),
        });
    }
    sentences
}

/// The outcome's name, or `cut` for a recording without an end.
pub(super) fn outcome(run: &Run) -> &'static str {
    run.outcome.map_or("cut", |o| o.as_str())
}

fn steps(comparison: &Comparison) -> Vec<String> {
    let sheet = comparison.sheets.first();
    sheet
        .map(|s| s.rows.iter().map(|r| r.step.clone()).collect())
        .unwrap_or_default()
}

/// `cadvisor_working_set 103.2 MiB against 3.2 MiB`, one a value that differs at this step.
fn differing(comparison: &Comparison, column: usize, step: &str) -> Vec<String> {
    comparison
        .sheets
        .iter()
        .filter_map(|sheet| {
            let row = sheet.rows.iter().find(|r| r.step == step)?;
            let (cell, base) = (&row.cells[column], &row.cells[comparison.baseline]);
            cell.differs.then(|| {
                format!(
                    "{} {} against {}",
                    sheet.value,
                    reading(&cell.reading),
                    reading(&base.reading)
                )
            })
        })
        .collect()
}

fn reading(reading: &Reading) -> String {
    match reading {
        Reading::Bytes(n) => signed_bytes(*n),
        Reading::Absent => "absent".into(),
        Reading::Skipped(reason) => format!("skipped ({reason})"),
        Reading::NotReached => "not reached".into(),
    }
}

fn known(comparison: &Comparison, column: usize, step: &str) -> Option<String> {
    let label = |i: usize| comparison.runs[i].label.as_str();
    let (run, base) = (label(column), label(comparison.baseline));
    let shown = [run, base];
    let found: Vec<String> = differences()
        .iter()
        .filter(|d| d.is_about(&comparison.scenario, step, run, base))
        .map(|d| {
            let of = d.setups.iter().filter(|s| shown.contains(&s.as_str()));
            let of: Vec<&str> = of.map(String::as_str).collect();
            let of = match of.is_empty() {
                true => String::new(),
                false => format!("on {}: ", of.join(", ")),
            };
            format!("{of}{} [{}]", d.why, d.source)
        })
        .collect();
    (!found.is_empty()).then(|| found.join(" "))
}
