//! The same scenario on several set-ups: one table a scenario, for any formula.

use std::fmt::Write as _;

use serde_json::{Map, Value, json};

use super::Entry;
use super::text::{escape, mib_cell, script_json};
use crate::formula::{FORMULAS, Formula};
use crate::recording::{EventKind, Recording, StepId};

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
            .filter(|e| e.scenario_name() == name)
            .collect();
        if same.len() > 1 {
            out.push_str(&section(name, &same, done.len()));
        }
    }
    out
}

fn section(name: &str, entries: &[&Entry], number: usize) -> String {
    let steps = steps(entries);
    let mut out = format!(
        "<section class=compare aria-labelledby=\"c{number}\">\n<h2 id=\"c{number}\">{} <small>across set-ups</small></h2>\n\
         <label>Formula <select>\n",
        escape(name)
    );
    for formula in FORMULAS {
        let selected = if formula.name == FIRST {
            " selected"
        } else {
            ""
        };
        let _ = writeln!(out, "<option{selected}>{}</option>", formula.name);
    }
    out.push_str(
        "</select></label>\n<div class=scroll><table><caption>MiB when each step had settled</caption>\n\
         <thead><tr><th scope=col>step",
    );
    for entry in entries {
        let _ = write!(out, "<th scope=col class=n>{}", escape(&entry.setup()));
    }
    out.push_str("</tr></thead>\n<tbody>\n");
    let first = FORMULAS.iter().find(|f| f.name == FIRST);
    for step in &steps {
        let _ = write!(out, "<tr><th scope=row>{}</th>", escape(&step.step));
        for entry in entries {
            let value = first.and_then(|f| at_end(&entry.recording, step, f));
            out.push_str(&mib_cell(value));
        }
        out.push_str("</tr>\n");
    }
    let _ = writeln!(
        out,
        "</tbody></table></div>\n<script type=\"application/json\">{}</script>\n</section>",
        script_json(&values(entries, &steps))
    );
    out
}

/// Every formula's value: formula, then step, then set-up.
fn values(entries: &[&Entry], steps: &[StepId]) -> Value {
    let of = |formula: &Formula| -> Value {
        steps
            .iter()
            .map(|step| {
                entries
                    .iter()
                    .map(|e| json!(at_end(&e.recording, step, formula)))
                    .collect::<Value>()
            })
            .collect()
    };
    Value::Object(
        FORMULAS
            .iter()
            .map(|f| (f.name.to_string(), of(f)))
            .collect::<Map<_, _>>(),
    )
}

/// The steps of all recordings, in the order in which the first one that has them ended them.
fn steps(entries: &[&Entry]) -> Vec<StepId> {
    let mut steps: Vec<StepId> = Vec::new();
    for entry in entries {
        for event in &entry.recording.events {
            if let EventKind::StepEnd(end) = &event.kind
                && !steps.contains(&end.id)
            {
                steps.push(end.id.clone());
            }
        }
    }
    steps
}

fn at_end(recording: &Recording, step: &StepId, formula: &Formula) -> Option<i64> {
    let t = recording
        .events
        .iter()
        .find_map(|event| match &event.kind {
            EventKind::StepEnd(end) if end.id == *step => Some(event.t),
            _ => None,
        })?;
    let group = recording.group(&step.container)?;
    let sample = recording.tables[group].at(t)?;
    (formula.eval)(&recording.view(group, &recording.view_index(group), sample))
}
