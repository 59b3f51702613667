//! Verdicts as objects of the cluster, for whoever looks there.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::evaluate::Collected;
use super::kept::Snapshot;
use super::summary::markdown;
use crate::report::Verdict;

/// What a ConfigMap may hold is 1 MiB in all; a summary is cut before that.
const SUMMARY_BYTES: usize = 512 << 10;
/// The API's own limit for an event's message, characters.
const MESSAGE: usize = 1024;

/// A ConfigMap `memtide-results` with `summary.md` and, for programs, `verdicts.json`.
pub fn config_map(collected: &[Collected]) -> Vec<u8> {
    let verdicts: Vec<Value> = collected
        .iter()
        .map(|one| {
            json!({"job": one.job, "index": one.index, "scenario": one.result.scenario,
                "node": one.node, "result": one.result.result, "reason": one.result.reason})
        })
        .collect();
    let mut summary = markdown(collected);
    let end = (0..=SUMMARY_BYTES.min(summary.len())).rev();
    let end = end.into_iter().find(|end| summary.is_char_boundary(*end));
    summary.truncate(end.unwrap_or(0));
    let object = json!({
        "apiVersion": "v1", "kind": "ConfigMap",
        "metadata": {"name": "memtide-results", "labels": {"app.kubernetes.io/name": "memtide"}},
        "data": {"summary.md": summary, "verdicts.json": Value::from(verdicts).to_string()}
    });
    object.to_string().into_bytes()
}

/// An event for each index, about its Job. `now` is RFC 3339.
pub fn events(collected: &[Collected], snapshot: &Snapshot, now: &str) -> Vec<u8> {
    let of = |one: &Collected| {
        let job = snapshot.jobs.iter().find(|job| job.name == one.job)?;
        let namespace = job.identity.namespace.as_deref().unwrap_or("default");
        let message = format!("{} {}", one.result.scenario, one.result.reason);
        let message: String = message.trim().chars().take(MESSAGE).collect();
        let failed = one.result.result == Verdict::Fail;
        let (initial, rest) = one.result.result.word().split_at(1);
        Some(json!({
            "apiVersion": "v1", "kind": "Event",
            "metadata": {"generateName": "memtide-", "namespace": namespace},
            "involvedObject": {"apiVersion": "batch/v1", "kind": "Job", "name": one.job,
                "namespace": namespace, "uid": job.identity.uid},
            "type": if failed { "Warning" } else { "Normal" },
            "reason": format!("Memtide{}{rest}", initial.to_uppercase()),
            "message": message,
            "source": {"component": "memtide"}, "reportingComponent": "memtide",
            "firstTimestamp": now, "lastTimestamp": now, "count": 1
        }))
    };
    let items: Vec<Value> = collected.iter().filter_map(of).collect();
    let list = json!({"apiVersion": "v1", "kind": "List", "items": items});
    list.to_string().into_bytes()
}

/// The label that tells of what kind a node is.
pub const NODE_KIND: &str = "memtide/kind";
/// What a label's value may hold, characters.
const LABEL: usize = 63;

/// By node: its kind as the value of [`NODE_KIND`], kernel, cgroup version and LRU as its recordings
/// tell them.
pub fn node_kinds(collected: &[Collected]) -> BTreeMap<String, String> {
    let of = |one: &Collected| {
        let host = &one.read.as_ref()?.header.host;
        let kind = format!("{}-{}-{}", host.cgroup, host.lru, host.kernel);
        let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
        let kind: String = kind.chars().filter(|c| fits(*c)).take(LABEL).collect();
        // A value ends, and begins, with a letter or a number.
        let kind = kind.trim_matches(|c: char| !c.is_ascii_alphanumeric());
        Some((one.node.clone()?, kind.to_string()))
    };
    collected.iter().filter_map(of).collect()
}
