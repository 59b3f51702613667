//! A comparison as text: for a terminal and as Markdown.

use std::fmt::Write;

use super::words::outcome;
use super::{Cell, Comparison, Reading, Sheet, WORK, sentences};
use crate::markup::table;
use crate::units::{bytes, signed_mib};

/// Which of the values are shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Show {
    /// The first, and those that differ somewhere.
    Differing,
    /// Every step, equal or not.
    All,
}

/// How a cell compares with the baseline's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Mark {
    /// Within the tolerance.
    Same,
    /// Further away, after the same work.
    Differs,
    /// Further away, after other work.
    OtherWork,
}

impl Mark {
    fn of(cell: &Cell) -> Self {
        match (cell.differs, cell.other_work) {
            (true, _) => Mark::Differs,
            (false, true) => Mark::OtherWork,
            (false, false) => Mark::Same,
        }
    }
}

/// The comparison for a terminal. Cells that differ from the baseline carry a `*`.
pub fn human(comparison: &Comparison, show: Show) -> String {
    let mut out = format!("{}\n", comparison.scenario);
    for sheet in shown(comparison, show) {
        out.push('\n');
        out.push_str(&align(&grid(comparison, sheet, |text, mark| {
            let mark = match mark {
                Mark::Same => " ",
                Mark::Differs => "*",
                Mark::OtherWork => "~",
            };
            format!("{text}{mark}")
        })));
    }
    out.push('\n');
    for line in remarks(comparison, show) {
        let _ = writeln!(out, "{line}");
    }
    for line in in_words(comparison) {
        let _ = writeln!(out, "{line}");
    }
    out
}

/// Two columns: each difference as a sentence. More: the table says it, and the words say why.
fn in_words(comparison: &Comparison) -> Vec<String> {
    let all = (0..comparison.runs.len()).flat_map(|column| sentences(comparison, column));
    let mut lines: Vec<String> = Vec::new();
    for sentence in all {
        if comparison.runs.len() == 2 {
            lines.push(format!("- {}", sentence.text));
        }
        if let Some(known) = sentence.known {
            let line = format!("  known of `{}`: {known}", sentence.step);
            if !lines.contains(&line) {
                lines.push(line);
            }
        }
    }
    lines
}

/// The comparison as Markdown. Cells that differ from the baseline are bold.
pub fn markdown(comparison: &Comparison, show: Show) -> String {
    let mut out = format!("## {}\n", comparison.scenario);
    for sheet in shown(comparison, show) {
        out.push('\n');
        let rows = grid(comparison, sheet, markdown_mark);
        out.push_str(&markdown_table(rows));
    }
    out.push('\n');
    for line in remarks(comparison, show) {
        let line = line
            .replacen("* ", "Bold: ", 1)
            .replacen("~ ", "Italic: ", 1);
        let _ = writeln!(out, "{line}\n");
    }
    out
}

/// Bold for what differs, italic for what can't be compared.
pub(super) fn markdown_mark(text: &str, mark: Mark) -> String {
    match mark {
        Mark::Same => text.to_string(),
        Mark::Differs => format!("**{text}**"),
        Mark::OtherWork => format!("*{text}*"),
    }
}

/// A Markdown table whose first row is its head; columns after the first are right-aligned.
pub(super) fn markdown_table(rows: Vec<Vec<String>>) -> String {
    let escaped = |row: Vec<String>| row.iter().map(|c| c.replace('|', "\\|")).collect();
    let mut rows = rows.into_iter().map(escaped);
    table(rows.next().unwrap_or_default(), rows, 1)
}

fn shown(comparison: &Comparison, show: Show) -> impl Iterator<Item = &Sheet> {
    comparison
        .sheets
        .iter()
        .enumerate()
        .filter(move |(i, sheet)| *i == 0 || show == Show::All || sheet.differs())
        .map(|(_, sheet)| sheet)
}

/// Head, steps and (below the first sheet) the outcome, as text.
pub(super) fn grid(
    comparison: &Comparison,
    sheet: &Sheet,
    mark: impl Fn(&str, Mark) -> String,
) -> Vec<Vec<String>> {
    let mut head = vec![format!("{}, MiB", sheet.value)];
    head.extend(comparison.runs.iter().map(|r| r.label.clone()));
    let mut rows = vec![head];
    for row in &sheet.rows {
        let mut line = vec![row.step.clone()];
        line.extend(row.cells.iter().map(|c| mark(&cell(c), Mark::of(c))));
        rows.push(line);
    }
    if comparison.sheets.first().map(|s| &s.value) == Some(&sheet.value) {
        let mut line = vec!["(outcome)".to_string()];
        let outcomes = comparison.runs.iter().zip(&comparison.outcome_differs);
        line.extend(outcomes.map(|(run, differs)| {
            let how = if *differs { Mark::Differs } else { Mark::Same };
            mark(outcome(run), how)
        }));
        rows.push(line);
    }
    rows
}

fn cell(cell: &Cell) -> String {
    match &cell.reading {
        Reading::Bytes(n) => signed_mib(*n),
        Reading::Absent => "absent".into(),
        Reading::Skipped(_) => "skipped".into(),
        Reading::NotReached => "-".into(),
    }
}

/// What the marks mean, which values are the same everywhere, and the notes.
fn remarks(comparison: &Comparison, show: Show) -> Vec<String> {
    let mut lines = Vec::new();
    let base = comparison.runs.get(comparison.baseline);
    let label = base.map_or("", |r| r.label.as_str());
    lines.push(format!(
        "* more than {} from {label} (2 % of the limit, at least 256 KiB a CPU)",
        bytes(comparison.tolerance)
    ));
    let mut cells = comparison
        .sheets
        .iter()
        .flat_map(|s| &s.rows)
        .flat_map(|r| &r.cells);
    if cells.any(|c| c.other_work) {
        lines.push(format!(
            "~ as far away, and so is the work that had been done by then (a step that lasts for \
             a time does less on a slow machine): no difference of kernels; see truth:{{{}}}",
            WORK.map(|name| name.trim_start_matches("truth:")).join(",")
        ));
    }
    let same: Vec<&str> = comparison
        .sheets
        .iter()
        .filter(|s| {
            s.rows
                .iter()
                .flat_map(|r| &r.cells)
                .all(|c| Mark::of(c) == Mark::Same)
        })
        .map(|s| s.value.as_str())
        .collect();
    if !same.is_empty() && show == Show::Differing {
        lines.push(format!("the same on all: {}", same.join(", ")));
    }
    lines.extend(comparison.notes.iter().map(|n| format!("note: {n}")));
    lines
}

/// Columns of equal width: the first to the left, the others to the right.
fn align(rows: &[Vec<String>]) -> String {
    let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
    let width = |c: usize| {
        let cells = rows.iter().filter_map(|r| r.get(c));
        cells
            .map(|s| s.trim_end().chars().count() + 1)
            .max()
            .unwrap_or(0)
    };
    let widths: Vec<usize> = (0..columns).map(width).collect();
    let mut out = String::new();
    for (i, row) in rows.iter().enumerate() {
        let mut line = String::new();
        for (c, cell) in row.iter().enumerate() {
            // The head has no place for a mark of its own, so it gets one to stay in line.
            let cell = if i == 0 && c > 0 {
                format!("{cell} ")
            } else {
                cell.clone()
            };
            let _ = match c {
                0 => write!(line, "{cell:<w$}", w = widths[c]),
                _ => write!(line, "  {cell:>w$}", w = widths[c]),
            };
        }
        let _ = writeln!(out, "{}", line.trim_end());
    }
    out
}
