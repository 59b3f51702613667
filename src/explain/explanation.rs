//! Everything there is to say about one reading.

use super::account::Account;
use super::answer::{self, Answer, Case};
use super::consistency::{self, Contradiction};
use super::findings::{self, Facts, Finding};
use super::parts::{Parts, Reclaimable};
use super::unknown::{self, Unknown};
use super::{Reading, Readings, Scope, derive};
use crate::formula::{FORMULAS, Formula};
use crate::rows::{CgroupVersion, View};

/// One formula's value, and what the tools that use it would print.
pub struct Evaluated {
    /// The formula.
    pub formula: &'static Formula,
    /// Bytes; none where a row is missing.
    pub value: Option<i64>,
    /// What it would be at least, where only the usage is missing.
    pub at_least: Option<i64>,
    /// Its least and its most within the account's bounds.
    pub bounds: Option<(Option<i64>, Option<i64>)>,
    /// (tool, text).
    pub printed: Vec<(&'static str, String)>,
}

/// The explanation of one reading.
pub struct Explanation {
    /// The verdict, and the next step.
    pub answer: Answer,
    /// The reading.
    pub reading: Reading,
    /// Labels of the other readings of the same input.
    pub others: Vec<String>,
    /// All readings of the input.
    pub readings: Vec<Reading>,
    /// Its limit in bytes, where it has one.
    pub limit: Option<u64>,
    /// What it is made of.
    pub parts: Parts,
    /// The least and the most each quantity can be.
    pub account: Account,
    /// What cannot all be true.
    pub contradictions: Vec<Contradiction>,
    /// What the kernel could take back.
    pub reclaimable: Reclaimable,
    /// Every formula.
    pub formulas: Vec<Evaluated>,
    /// What follows.
    pub findings: Vec<Finding>,
    /// What does not.
    pub unknown: Vec<Unknown>,
}

/// Explains the chosen reading.
pub fn explain(mut readings: Readings) -> Explanation {
    if readings.all.is_empty() {
        readings.all.push(Reading::default());
    }
    let chosen = readings.chosen.min(readings.all.len() - 1);
    let settled: Vec<Contradiction> = match readings.all.get_mut(chosen) {
        Some(reading) => consistency::settle(reading),
        None => Vec::new(),
    };
    let reading = readings.all[chosen].clone();
    let facts = Facts::of(&reading, settled);
    let findings = findings::find(&facts);
    let answer = readings.whole.take().unwrap_or_else(|| {
        answer::of(&Case {
            all: &readings.all,
            facts: &facts,
            findings: &findings,
            picked: readings.picked,
        })
    });
    let others = readings
        .all
        .iter()
        .enumerate()
        .filter(|(index, _)| *index != chosen);
    Explanation {
        answer,
        others: others.map(|(_, other)| other.label.clone()).collect(),
        limit: facts.limit,
        parts: facts.parts,
        reclaimable: facts.parts.reclaimable(&reading),
        formulas: FORMULAS.iter().map(|f| evaluate(f, &facts)).collect(),
        unknown: unknown::find(&facts),
        findings,
        contradictions: facts.contradictions.clone(),
        account: facts.account.clone(),
        readings: readings.all,
        reading,
    }
}

fn evaluate(formula: &'static Formula, facts: &Facts) -> Evaluated {
    let (reading, view) = (facts.reading, &facts.view);
    // A source that gives the working set itself (the kubelet) needs no usage for these.
    const FROM_WORKING_SET: [&str; 4] = [
        "cadvisor_working_set",
        "docker_stats",
        "kubectl_top",
        "kubelet_memory_available",
    ];
    let reported = reading
        .working_set
        .filter(|_| FROM_WORKING_SET.contains(&formula.name))
        // docker gives the usage itself where the working set stops at 0.
        .filter(|ws| *ws > 0 || formula.name != "docker_stats")
        .map(|ws| View {
            usage: Some(ws),
            inactive_file: Some(0),
            ..*view
        });
    let no_matter = derive::working_set(view)
        .filter(|ws| *ws == 0 && formula.name != "docker_stats")
        .filter(|_| FROM_WORKING_SET.contains(&formula.name))
        .map(|_| View {
            usage: view.node_capacity,
            ..*view
        });
    let view = match (formula.eval)(view) {
        Some(_) => *view,
        None => reported.or(no_matter).unwrap_or(*view),
    };
    let value = (formula.eval)(&view);
    let version = reading.version.unwrap_or(CgroupVersion::V1);
    let bounded = View {
        // A working set bounds the usage from below too.
        usage: derive::usage_lower_bound(&reading.rows, version).max(reading.working_set),
        ..view
    };
    Evaluated {
        formula,
        value,
        at_least: (value.is_none() && view.usage.is_none())
            .then(|| (formula.eval)(&bounded))
            .flatten(),
        bounds: match value {
            Some(value) => Some((Some(value), Some(value))),
            None => facts.account.formula(formula, &facts.view),
        },
        printed: printed(formula, reading, &view),
    }
}

/// What the tools print; of a node only those that show nodes.
fn printed(formula: &Formula, reading: &Reading, view: &View) -> Vec<(&'static str, String)> {
    const OF_NODES: [&str; 4] = ["container_memory_", "kubelet", "kubectl", "node"];
    // A machine's OOM report has no number a tool would have shown.
    if reading.scope == Scope::Node && reading.oom().is_some() {
        return Vec::new();
    }
    let mut printed = formula.display(view);
    if reading.scope == Scope::Node {
        printed.retain(|(tool, _)| OF_NODES.iter().any(|known| tool.starts_with(known)));
    }
    printed
}
