//! The same scenario on several set-ups: one table a scenario, for any formula.

use std::fmt::Write as _;

use serde_json::{Map, Value, json};

use super::Entry;
use super::text::{mib_cell, script_json, table};
use crate::compare::{Comparison, Reading, Run, sentences};
use crate::formula::FORMULAS;
use crate::markup::escape;

/// What is shown until the reader chooses another one.
const FIRST: &str = "cadvisor_working_set";

/// A section for each scenario that was recorded more than once.
pub fn comparisons(entries: &[Entry]) -> String {
    let mut done: Vec<&str> = Vec::new();
    let mut out = String::new();
    for entry in entries {
        let name = entry.scenario_name();
        if done.contains(&name) {
            continue;
        }
        done.push(name);
        let same: Vec<&Entry> = entries
            .iter()
            .filter(|e| e.scenario_name() == name && !e.recording.header.groups.is_empty())
            .collect();
        if same.len() > 1 {
            out.push_str(&section(&same, done.len()));
        }
    }
    out
}

/// The runs side by side, the first one as the baseline.
fn comparison(entries: &[&Entry], values: &[String]) -> Option<Comparison> {
    let runs = entries
        .iter()
        .map(|e| Run::new(e.setup(), &e.recording, None, values))
        .collect::<Result<Vec<_>, _>>()
        .ok()?;
    Comparison::new(runs, 0).ok()
}

fn section(entries: &[&Entry], number: usize) -> String {
    // A formula that has no value on any of these set-ups has no table either.
    let sheets: Vec<(&str, Comparison)> = FORMULAS
        .iter()
        .filter_map(|f| Some((f.name, comparison(entries, &[f.name.to_string()])?)))
        .collect();
    let Some((_, first)) = sheets.iter().find(|(name, _)| *name == FIRST) else {
        return String::new();
    };
    let mut out = format!(
        "<section class=compare aria-labelledby=\"c{number}\">\n<h2 id=\"c{number}\">{} \
         <small>across set-ups</small></h2>\n<label>Formula <select>\n",
        escape(&first.scenario)
    );
    for (name, _) in &sheets {
        let selected = if *name == FIRST { " selected" } else { "" };
        let _ = writeln!(out, "<option{selected}>{name}</option>");
    }
    out.push_str("</select></label>\n");
    out.push_str(&grid(first));
    for column in 1..first.runs.len() {
        for sentence in sentences(first, column) {
            let known = sentence
                .known
                .map(|k| format!(" {}", escape(&k)))
                .unwrap_or_default();
            let _ = writeln!(out, "<p>{}.{known}</p>", escape(&sentence.text));
        }
    }
    for note in &first.notes {
        let _ = writeln!(out, "<p class=none>{}</p>", escape(note));
    }
    let _ = writeln!(
        out,
        "<script type=\"application/json\">{}</script>\n</section>",
        script_json(&values(&sheets))
    );
    out
}

fn grid(comparison: &Comparison) -> String {
    let mut head = String::from("<th scope=col>step");
    for run in &comparison.runs {
        let _ = write!(head, "<th scope=col class=n>{}", escape(&run.label));
    }
    let mut out = String::new();
    for row in comparison.sheets.iter().flat_map(|s| &s.rows) {
        let _ = write!(out, "<tr><th scope=row>{}</th>", escape(&row.step));
        for cell in &row.cells {
            let text = mib_cell(bytes(&cell.reading));
            out.push_str(&match cell.differs {
                true => text.replacen("class=n", "class=\"n differs\"", 1),
                false => text,
            });
        }
        out.push_str("</tr>\n");
    }
    out.push_str("<tr><th scope=row>outcome</th>");
    for (run, differs) in comparison.runs.iter().zip(&comparison.outcome_differs) {
        let class = if *differs { "n differs" } else { "n" };
        let outcome = run.outcome.map_or("cut", |o| o.as_str());
        let _ = write!(out, "<td class=\"{class}\">{outcome}</td>");
    }
    out.push_str("</tr>\n");
    let caption = "MiB when each step had settled; bold where it differs from the first set-up";
    table(caption, &head, &out)
}

/// Every formula's table: a step a row, a set-up a cell, `[bytes, differs]`.
fn values(sheets: &[(&str, Comparison)]) -> Value {
    let rows = |comparison: &Comparison| -> Value {
        comparison
            .sheets
            .iter()
            .flat_map(|s| &s.rows)
            .map(|row| {
                row.cells
                    .iter()
                    .map(|c| json!([bytes(&c.reading), c.differs]))
                    .collect()
            })
            .collect::<Vec<Value>>()
            .into()
    };
    Value::Object(
        sheets
            .iter()
            .map(|(n, c)| (n.to_string(), rows(c)))
            .collect::<Map<_, _>>(),
    )
}

fn bytes(reading: &Reading) -> Option<i64> {
    match reading {
        Reading::Bytes(bytes) => Some(*bytes),
        _ => None,
    }
}
