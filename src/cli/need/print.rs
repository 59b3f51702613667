//! How a measured need is shown: tables for people, a document for programs.

use std::fmt::Write as _;

use serde_json::json;

use super::Found;
use crate::need::{self, By, Measured, Tried, Verdict};
use crate::report::{Align, Style, Table};
use crate::units;

/// What was found, in two sentences: the need, and what to do.
pub fn sentences(name: &str, measured: &Measured) -> [String; 2] {
    let (above, most) = measured.interval;
    let advice = need::advice(measured);
    let needs = format!(
        "{name} needs {} (above {}, at most {}): the smallest limit at which {}",
        units::bytes(measured.need),
        units::bytes(above),
        units::bytes(most),
        as_good(measured),
    );
    let set = format!(
        "set requests.memory to {}Mi and limits.memory to {}Mi: {}",
        advice.request >> 20,
        advice.limit >> 20,
        advice.why
    );
    [needs, set]
}

/// Everything, for people.
pub fn human(found: &Found, colour: bool) -> String {
    let measured = &found.measured;
    let [needs, set] = sentences(&found.name, measured);
    let mut out = format!("{needs}\n{set}\n");
    if let Some(known) = found.known {
        let word = if found.is_wrong() { "WRONG" } else { "right" };
        let known = units::bytes(known);
        let _ = writeln!(out, "by construction it needs {known}: {word}");
    }
    out.push('\n');
    out.push_str(&curve(measured).render(2, colour));
    match measured.knee() {
        Some((low, high)) => {
            let (low, high) = (units::bytes(low), units::bytes(high));
            let _ = writeln!(
                out,
                "  the knee: its time rises most between {high} and {low}"
            );
        }
        None => out.push_str(
            "  no knee: its time does not rise with less memory, as long as it does its work\n",
        ),
    }
    out.push('\n');
    out.push_str(&errors(measured).render(2, colour));
    for note in &found.notes {
        let _ = writeln!(out, "  note: {note}");
    }
    out
}

/// What a limit must give to fit, in words.
pub fn as_good(measured: &Measured) -> String {
    let (loss, max) = (
        100.0 * measured.wanted.loss,
        units::bytes(measured.wanted.max),
    );
    let base = measured.baseline_cost;
    match measured.wanted.by {
        By::Time => format!("it is within {loss:.0} % of its {base:.2} s at {max}"),
        By::Refaults => format!(
            "it reads again at most {loss:.0} % of {max} more than at {max} ({} there)",
            units::bytes((base * measured.wanted.max as f64) as u64)
        ),
        By::Less | By::More => format!("it is within {loss:.0} % of its {base} at {max}"),
    }
}

/// A line a limit, the highest first.
pub fn curve(measured: &Measured) -> Table {
    // On v1 there is no pressure; what a thread waits for the disk is another quantity, by its own name.
    let mut runs = measured.curve.iter().flat_map(|tried| &tried.runs);
    let stalled = match runs.any(|run| run.waited_for_disk.is_some()) {
        true => "waits for the disk",
        false => "stalled",
    };
    let mut runs = measured.curve.iter().flat_map(|tried| &tried.runs);
    let has_full = runs.any(|run| run.stalled_full.is_some());
    let mut headings = vec!["limit", "time", stalled];
    if has_full {
        headings.push("all of it stalled");
    }
    headings.extend(["refaults", "major faults"]);
    let is_number = matches!(measured.wanted.by, By::Less | By::More);
    if is_number {
        headings.push("measured");
    }
    headings.push("");
    let mut table = Table::new(headings.into_iter().map(|h| (h, Align::Right)));
    for tried in &measured.curve {
        let last = tried.runs.last();
        let number = |n: Option<u64>| n.map_or("-".to_string(), |n| n.to_string());
        let seconds = |s: Option<f64>| s.map_or("-".to_string(), |s| format!("{s:.2} s"));
        let style = match tried.verdict {
            Verdict::Fits => Style::Plain,
            _ => Style::Dim,
        };
        let mut cells = vec![
            units::bytes(tried.limit),
            seconds(tried.seconds),
            seconds(last.and_then(|run| run.stalled_some.or(run.waited_for_disk))),
        ];
        if has_full {
            cells.push(seconds(last.and_then(|run| run.stalled_full)));
        }
        cells.push(number(last.and_then(|run| run.refaults)));
        cells.push(number(last.and_then(|run| run.major_faults)));
        if is_number {
            cells.push(tried.cost.map_or("-".into(), |cost| cost.to_string()));
        }
        cells.push(said(tried, measured.wanted.by));
        table.row(cells.into_iter().map(|cell| (cell, style)));
    }
    table
}

/// What the runs under a limit say together, in two words.
pub fn said(tried: &Tried, by: By) -> String {
    let bad = tried.runs.iter().find(|run| !run.is_done());
    match (tried.verdict, bad) {
        (_, Some(run)) if run.cut_off => "cut off".into(),
        (_, Some(run)) => run.outcome.to_string(),
        (Verdict::Fits, _) if by == By::Time => "as fast".into(),
        (Verdict::Fits, _) => "as good".into(),
        (Verdict::TooSmall, _) if by == By::Time => "slower".into(),
        (Verdict::TooSmall, _) if by == By::Refaults => "reads again".into(),
        (Verdict::TooSmall, _) => "worse".into(),
        (Verdict::Unclear { .. }, _) => "some runs worse".into(),
    }
}

/// What each formula would have said at the highest limit.
pub fn errors(measured: &Measured) -> Table {
    let max = units::bytes(measured.wanted.max);
    let headings = [
        ("formula".to_string(), Align::Left),
        (format!("at {max}"), Align::Right),
        ("against the need".to_string(), Align::Left),
    ];
    let mut table = Table::new(headings);
    for error in need::formula_errors(measured) {
        let words = match error.percent {
            _ if error.right => "right".into(),
            p if p >= 0.5 => format!("{p:.0} % too much"),
            p if p <= -0.5 => format!("{:.0} % too little", -p),
            _ => "right".into(),
        };
        let said = units::signed_bytes(error.said);
        table.plain(&[error.formula.to_string(), said, words]);
    }
    table
}

/// Everything, for programs.
pub fn document(found: &Found) -> serde_json::Value {
    let measured = &found.measured;
    json!({
        "name": found.name,
        "need_bytes": measured.need,
        "interval_bytes": [measured.interval.0, measured.interval.1],
        "max_bytes": measured.wanted.max,
        "loss_percent": 100.0 * measured.wanted.loss,
        "runs": measured.wanted.runs,
        "by": measured.wanted.by,
        "baseline_seconds": measured.baseline,
        "baseline": measured.baseline_cost,
        "knee_bytes": measured.knee().map(|(low, high)| [low, high]),
        "curve": measured.curve,
        "reads_its_limit_at_bytes": measured.reads_its_limit,
        "formulas": need::formula_errors(measured),
        "suggested": need::advice(measured),
        "known": found.known.map(|known| json!({ "bytes": known, "right": !found.is_wrong() })),
        "notes": found.notes,
    })
}

/// The same of a program without a number; that is wrong where it has one by construction.
pub fn no_number(name: &str, known: Option<u64>, why: &str) -> serde_json::Value {
    json!({
        "name": name,
        "none_because": why,
        "known": known.map(|known| json!({ "bytes": known, "right": false })),
    })
}
