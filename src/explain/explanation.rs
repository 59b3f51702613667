//! Everything there is to say about one reading.

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
    /// (tool, text).
    pub printed: Vec<(&'static str, String)>,
}

/// The explanation of one reading.
pub struct Explanation {
    /// The reading.
    pub reading: Reading,
    /// Labels of the other readings of the same input.
    pub others: Vec<String>,
    /// Its limit in bytes, where it has one.
    pub limit: Option<u64>,
    /// What it is made of.
    pub parts: Parts,
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
    let chosen = readings.chosen.min(readings.all.len().saturating_sub(1));
    let reading = if readings.all.is_empty() {
        Reading::default()
    } else {
        readings.all.remove(chosen)
    };
    let facts = Facts::of(&reading);
    let (limit, parts) = (facts.limit, facts.parts);
    Explanation {
        others: readings
            .all
            .iter()
            .map(|other| other.label.clone())
            .collect(),
        limit,
        parts,
        reclaimable: parts.reclaimable(&reading),
        formulas: FORMULAS
            .iter()
            .map(|f| evaluate(f, &reading, &facts.view))
            .collect(),
        findings: findings::find(&facts),
        unknown: unknown::find(&facts),
        reading,
    }
}

fn evaluate(formula: &'static Formula, reading: &Reading, view: &View) -> Evaluated {
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
        usage: derive::usage_lower_bound(&reading.rows, version),
        ..view
    };
    Evaluated {
        formula,
        value,
        at_least: (value.is_none() && view.usage.is_none())
            .then(|| (formula.eval)(&bounded))
            .flatten(),
        printed: printed(formula, reading, &view),
    }
}

/// What the tools print; of a node only those that show nodes.
fn printed(formula: &Formula, reading: &Reading, view: &View) -> Vec<(&'static str, String)> {
    const OF_NODES: [&str; 4] = ["container_memory_", "kubelet", "kubectl", "node"];
    let mut printed = formula.display(view);
    if reading.scope == Scope::Node {
        printed.retain(|(tool, _)| OF_NODES.iter().any(|known| tool.starts_with(known)));
    }
    printed
}
