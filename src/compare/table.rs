//! Several runs side by side: steps as rows, runs as columns, one sheet a value.

use super::{Reading, Run, RunError};
use crate::scenario::Outcome;

/// Several runs of one scenario side by side.
#[derive(Debug, Clone)]
pub struct Comparison {
    /// The scenario's name.
    pub scenario: String,
    /// The columns.
    pub runs: Vec<Run>,
    /// Which column the others are held against.
    pub baseline: usize,
    /// How far values may be apart, bytes.
    pub tolerance: u64,
    /// One a value.
    pub sheets: Vec<Sheet>,
    /// Whether an outcome differs from the baseline's, one a column.
    pub outcome_differs: Vec<bool>,
    /// What a reader should know before trusting the table (other limits, other scenario text).
    pub notes: Vec<String>,
}

/// One value over all steps and runs.
#[derive(Debug, Clone)]
pub struct Sheet {
    /// The value's name.
    pub value: String,
    /// One a step, in order.
    pub rows: Vec<Row>,
}

/// One step over all runs.
#[derive(Debug, Clone)]
pub struct Row {
    /// The step.
    pub step: String,
    /// One a run.
    pub cells: Vec<Cell>,
}

/// One value of one step of one run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cell {
    /// What was read.
    pub reading: Reading,
    /// Whether it is further from the baseline's than the tolerance, after the same work.
    pub differs: bool,
    /// Whether it is, and so is the work that had been done by then.
    pub other_work: bool,
}

impl Row {
    /// Whether any run differs from the baseline here.
    pub fn differs(&self) -> bool {
        self.cells.iter().any(|c| c.differs)
    }
}

impl Sheet {
    /// Whether any run differs from the baseline at any step.
    pub fn differs(&self) -> bool {
        self.rows.iter().any(Row::differs)
    }
}

/// How far apart two values may be and still count as the same: 2 % of the limit (dirty pages,
/// kernel metadata and reclaim's batches at the limit move that much between runs), and at least
/// 256 KiB a CPU (memory.stat lags by 64 pages a CPU).
pub fn tolerance(runs: &[Run]) -> u64 {
    let limit = runs.iter().filter_map(|r| r.limit).min().unwrap_or(0);
    let cpus = runs.iter().map(|r| r.host.cpus).max().unwrap_or(1);
    (limit / 50).max(cpus.saturating_mul(256 << 10))
}

impl Comparison {
    /// Puts runs side by side, `baseline` being the column that the others are held against.
    ///
    /// # Errors
    /// If a value is known to none of the runs.
    pub fn new(runs: Vec<Run>, baseline: usize) -> Result<Self, RunError> {
        let baseline = baseline.min(runs.len().saturating_sub(1));
        let tolerance = tolerance(&runs);
        let values = runs.first().map(|r| r.values.clone()).unwrap_or_default();
        let steps = all_steps(&runs);
        let sheets: Vec<Sheet> = values
            .iter()
            .map(|value| sheet(&runs, baseline, tolerance, value, &steps))
            .collect();
        if let Some(unknown) = sheets.iter().find(|s| nowhere(s)) {
            return Err(RunError::NoValue(unknown.value.clone()));
        }
        let first: Option<Option<Outcome>> = runs.get(baseline).map(|r| r.outcome);
        Ok(Comparison {
            scenario: runs.first().map(|r| r.scenario.clone()).unwrap_or_default(),
            outcome_differs: runs.iter().map(|r| Some(r.outcome) != first).collect(),
            notes: notes(&runs, baseline),
            baseline,
            tolerance,
            sheets,
            runs,
        })
    }

    /// Whether any value or outcome differs from the baseline's.
    pub fn differs(&self) -> bool {
        self.outcome_differs.contains(&true) || self.sheets.iter().any(Sheet::differs)
    }
}

/// The column that the others are best held against: the one with which most values agree, the
/// first of several. So what is marked is what is unusual, whichever set-up comes first.
pub fn most_typical(runs: &[Run]) -> usize {
    let marks = |baseline: usize| {
        let comparison = Comparison::new(runs.to_vec(), baseline).ok()?;
        let cells = comparison.sheets.iter().flat_map(|s| &s.rows);
        let values = cells.flat_map(|r| &r.cells).filter(|c| c.differs).count();
        let outcomes = comparison.outcome_differs.iter().filter(|d| **d).count();
        Some(values + outcomes)
    };
    (0..runs.len())
        .min_by_key(|&i| marks(i).unwrap_or(usize::MAX))
        .unwrap_or(0)
}

/// Every step of any run, in the order of the run that has most of them.
fn all_steps(runs: &[Run]) -> Vec<String> {
    let mut order: Vec<&Run> = runs.iter().collect();
    order.sort_by_key(|r| std::cmp::Reverse(r.steps.len()));
    let mut steps: Vec<String> = Vec::new();
    for step in order.iter().flat_map(|r| &r.steps) {
        if !steps.contains(&step.step) {
            steps.push(step.step.clone());
        }
    }
    steps
}

fn sheet(runs: &[Run], baseline: usize, tolerance: u64, value: &str, steps: &[String]) -> Sheet {
    let rows = steps
        .iter()
        .map(|step| {
            let readings: Vec<Reading> = runs.iter().map(|r| r.reading(step, value)).collect();
            let reference = readings[baseline].clone();
            let cells = readings.into_iter().zip(runs).map(|(reading, run)| {
                let apart = apart(&reading, &reference, tolerance);
                let other = run.other_work(&runs[baseline], step, tolerance).is_some();
                Cell {
                    differs: apart && !other,
                    other_work: apart && other,
                    reading,
                }
            });
            let cells = cells.collect();
            Row {
                step: step.clone(),
                cells,
            }
        })
        .collect();
    Sheet {
        value: value.into(),
        rows,
    }
}

fn apart(a: &Reading, b: &Reading, tolerance: u64) -> bool {
    match (a, b) {
        (Reading::Bytes(a), Reading::Bytes(b)) => a.abs_diff(*b) > tolerance,
        // The same step skipped for two reasons is still the same: nothing was measured.
        (Reading::Skipped(_), Reading::Skipped(_)) => false,
        (a, b) => a != b,
    }
}

/// Whether steps were done, and yet no run has the value.
fn nowhere(sheet: &Sheet) -> bool {
    let mut cells = sheet.rows.iter().flat_map(|r| &r.cells).peekable();
    let absent = |c: &Cell| c.reading == Reading::Absent;
    let (mut any, mut all) = (false, true);
    for cell in &mut cells {
        match cell.reading {
            Reading::Bytes(_) => all = false,
            _ if absent(cell) => any = true,
            _ => {}
        }
    }
    any && all
}

fn notes(runs: &[Run], baseline: usize) -> Vec<String> {
    let Some(base) = runs.get(baseline) else {
        return Vec::new();
    };
    let mut notes = Vec::new();
    for run in runs {
        if run.limit != base.limit {
            let limit = |r: &Run| r.limit.map_or("none".into(), crate::units::bytes_exact);
            notes.push(format!(
                "{} ran with a limit of {}, {} with {}: their sizes can't be compared directly",
                run.label,
                limit(run),
                base.label,
                limit(base)
            ));
        }
        if run.scenario != base.scenario {
            notes.push(format!(
                "{} is a run of {}, {} one of {}",
                run.label, run.scenario, base.label, base.scenario
            ));
        } else if run.scenario_hash != base.scenario_hash {
            notes.push(format!(
                "{} ran another text of the scenario than {}",
                run.label, base.label
            ));
        }
        if run.outcome.is_none() {
            notes.push(format!("the recording of {} was cut", run.label));
        }
    }
    notes
}
