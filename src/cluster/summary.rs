//! What was collected as text for a terminal, and as Markdown for the page of a CI job.

use super::evaluate::Collected;
use crate::markup::cell;
use crate::report::{self, RunResult, Verdict};

/// For a terminal: each index with its pod's fate and its result.
pub fn text(collected: &[Collected], colour: bool) -> String {
    let mut text = String::new();
    for one in collected {
        let node = one.node.as_deref().unwrap_or("no node");
        text.push_str(&format!(
            "{}/{} on {node}: {}\n",
            one.job,
            one.index,
            one.fate()
        ));
        if !one.others.is_empty() {
            text.push_str(&format!("  {}\n", one.tries()));
        }
        text.push_str(&report::human::render(
            &one.result,
            report::human::Detail::All,
            colour,
        ));
        text.push('\n');
    }
    text
}

/// For a CI job's page: one table, what fell short first.
pub fn markdown(collected: &[Collected]) -> String {
    let runs: Vec<RunResult> = collected.iter().map(|c| c.result.clone()).collect();
    let mut text = format!(
        "# memtide in the cluster\n\n{}.\n\n| job/index | scenario | node | pod | result | why | \
         kernel |\n|---|---|---|---|---|---|---|\n",
        report::human::summary(&runs)
    );
    let mut ordered: Vec<&Collected> = collected.iter().collect();
    ordered.sort_by_key(|one| one.result.result != Verdict::Fail);
    for one in ordered {
        let result = match one.result.result {
            Verdict::Fail => "**fail**".into(),
            other => other.to_string(),
        };
        let kernel = one.read.as_ref().map(|read| {
            let host = &read.header.host;
            format!("{}, {}, {}", host.kernel, host.cgroup, host.lru)
        });
        let cells = [
            format!("{}/{}", one.job, one.index),
            one.result.scenario.clone(),
            one.node.clone().unwrap_or_else(|| "-".into()),
            one.fate(),
            result,
            [one.result.reason.clone(), one.tries()].join(" "),
            kernel.unwrap_or_else(|| "-".into()),
        ];
        let cells: Vec<String> = cells.iter().map(|text| cell(text.trim())).collect();
        text.push_str(&format!("| {} |\n", cells.join(" | ")));
    }
    text
}
