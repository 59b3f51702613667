//! A cluster that plays one folder of answers after the other, by `tests/data/kubectl/standin`, and the
//! objects of a real API server (1.36) to answer with.
#![allow(dead_code)]

use super::common;

use std::path::{Path, PathBuf};
use std::process::Output;

use memtide::report::human::Detail::Line;
use memtide::shipped;
use serde_json::{Value, json};

/// The UIDs of two Jobs of one name, one after the other.
pub const FIRST: &str = "4b7b2f0e-6a0c-4b57-9a51-1f0f3b1d9a01";
pub const SECOND: &str = "c0ffee00-9a51-4b57-6a0c-1f0f3b1d9a02";

pub fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// A shipped recording's lines as a container's log has them.
pub fn log(scenario: &str, share: f64) -> Vec<u8> {
    let packed = shipped::find("6.1-v2", scenario).unwrap().packed;
    let mut text = String::new();
    std::io::Read::read_to_string(&mut flate2::read::GzDecoder::new(packed), &mut text).unwrap();
    let lines: Vec<&str> = text.lines().collect();
    let kept = (lines.len() as f64 * share) as usize;
    let mut log = format!("[1/1] {scenario}: begins\n");
    log.push_str(&lines[..kept].join("\n"));
    log.push('\n');
    log.into_bytes()
}

/// What memtide says where it can't run a scenario.
pub fn without_a_disk(scenario: &str) -> Vec<u8> {
    let result = memtide::report::unseen(scenario, "no disk for the log".into());
    let line = memtide::report::human::render(&result, Line, false);
    let sum = memtide::report::human::summary(std::slice::from_ref(&result));
    format!("{line}\n{sum}\n").into_bytes()
}

pub fn job(uid: &str, scenarios: &[&str], status: Value) -> Value {
    let mut args = vec![
        "run",
        "--out=-",
        "--pick=$(MEMTIDE_INDEX)",
        "--placement=ambient",
    ];
    args.extend(scenarios);
    json!({
        "apiVersion": "batch/v1", "kind": "Job",
        "metadata": {"name": "memtide", "namespace": "n", "uid": uid,
            "creationTimestamp": "2026-11-28T08:00:00Z"},
        "spec": {"completionMode": "Indexed", "completions": scenarios.len(), "parallelism": 1,
            "backoffLimitPerIndex": 1, "suspend": false,
            "template": {"metadata": {"creationTimestamp": null}, "spec": {"containers": [
                {"name": "memtide", "args": args}]}}},
        "status": status
    })
}

/// A pod of the Job, running unless `status` says otherwise.
pub fn pod(uid: &str, index: usize, name: &str, scenarios: &[&str], status: Value) -> Value {
    let mut args = vec!["run", "--out=-"];
    args.extend(scenarios);
    let key = "batch.kubernetes.io/job-completion-index";
    json!({
        "apiVersion": "v1", "kind": "Pod",
        "metadata": {"name": name, "namespace": "n", "uid": format!("{uid}-{name}"),
            "creationTimestamp": format!("2026-11-28T08:00:{:02}Z", name.len()),
            "annotations": {key: index.to_string()},
            "labels": {key: index.to_string(), "job-name": "memtide",
                "batch.kubernetes.io/job-name": "memtide",
                "batch.kubernetes.io/controller-uid": uid},
            "ownerReferences": [{"apiVersion": "batch/v1", "kind": "Job", "name": "memtide",
                "uid": uid, "controller": true}]},
        // What a mesh puts beside it comes first.
        "spec": {"nodeName": "worker-1", "containers": [
            {"name": "istio-proxy", "args": ["proxy", "sidecar"]}, {"name": "memtide", "args": args}]},
        "status": status
    })
}

pub fn ended(phase: &str, code: i32, reason: &str) -> Value {
    json!({"phase": phase, "containerStatuses": [
        {"name": "istio-proxy", "state": {"terminated": {"exitCode": 0, "reason": "Completed"}}},
        {"name": "memtide", "restartCount": 0, "state": {"terminated": {
            "exitCode": code, "reason": reason}}}]})
}

/// A pod of the first Job that has ended well, `memtide-INDEX-abcde`.
pub fn succeeded(index: usize, scenarios: &[&str]) -> Value {
    let name = format!("memtide-{index}-abcde");
    pod(
        FIRST,
        index,
        &name,
        scenarios,
        ended("Succeeded", 0, "Completed"),
    )
}

/// The status of a Job of which these indexes, and all, have succeeded.
pub fn complete(indexes: &str) -> Value {
    json!({"completedIndexes": indexes, "conditions": [{"type": "Complete", "status": "True"}]})
}

pub fn running() -> Value {
    json!({"phase": "Running", "containerStatuses": [
        {"name": "memtide", "restartCount": 0, "state": {"running": {}}}]})
}

pub fn waiting(reason: &str, message: &str) -> Value {
    json!({"phase": "Pending",
        "conditions": [{"type": "PodScheduled", "status": "True"}],
        "containerStatuses": [{"name": "memtide", "state": {"waiting": {
            "reason": reason, "message": message}}}]})
}

/// A cluster that plays one folder of answers after the other.
pub struct Cluster {
    pub dir: tempfile::TempDir,
}

impl Cluster {
    pub fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let standin = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/kubectl/standin");
        std::os::unix::fs::symlink(standin, dir.path().join("kubectl")).unwrap();
        Cluster { dir }
    }

    /// What is answered from the time on that a Job was asked for `at` times.
    pub fn at(&self, at: usize, job: Option<&Value>, pods: &[Value]) -> &Self {
        if let Some(job) = job {
            self.file(at, "job.json", job.to_string());
        }
        let list = json!({"apiVersion": "v1", "kind": "List", "items": pods});
        self.file(at, "pods.json", list.to_string())
    }

    pub fn file(&self, at: usize, name: &str, bytes: impl AsRef<[u8]>) -> &Self {
        let folder = self.dir.path().join(at.to_string());
        std::fs::create_dir_all(&folder).unwrap();
        std::fs::write(folder.join(name), bytes).unwrap();
        self
    }

    /// Begins to play anew, with other answers.
    pub fn again(&self) -> &Self {
        for entry in std::fs::read_dir(self.dir.path()).unwrap().flatten() {
            let name = entry.file_name().to_string_lossy().into_owned();
            if name.parse::<usize>().is_ok() {
                std::fs::remove_dir_all(entry.path()).unwrap();
            }
        }
        let _ = std::fs::remove_file(self.dir.path().join("count"));
        self
    }

    pub fn collect(&self, more: &[&str]) -> Output {
        let path = std::env::var("PATH").unwrap();
        let patience = match more.contains(&"--patience") {
            true => &[][..],
            false => &["--patience", "400ms"],
        };
        common::memtide()
            .args(["collect", "--job", "memtide", "--out"])
            .arg(self.out())
            .args(patience)
            .args(more)
            .env("PATH", format!("{}:{path}", self.dir.path().display()))
            .env("ANSWERS", self.dir.path())
            .output()
            .unwrap()
    }

    pub fn out(&self) -> PathBuf {
        self.dir.path().join("out")
    }

    /// What was kept of a pod's log.
    pub fn kept(&self, file: &str) -> Option<Vec<u8>> {
        std::fs::read(self.out().join("logs").join(file)).ok()
    }
}

/// The results as they were written.
pub fn runs(cluster: &Cluster) -> Vec<Value> {
    let json = std::fs::read(cluster.out().join("results.json")).unwrap();
    let document: Value = serde_json::from_slice(&json).unwrap();
    document["runs"].as_array().unwrap().clone()
}

pub fn assert_result(cluster: &Cluster, output: &Output, expected: &[(&str, &str, &str)]) {
    let runs = runs(cluster);
    let said = format!("{}{}", text(&output.stdout), text(&output.stderr));
    assert_eq!(runs.len(), expected.len(), "{said}");
    for (run, (scenario, result, reason)) in runs.iter().zip(expected) {
        let why = run["reason"].as_str().unwrap();
        assert_eq!(
            (
                run["scenario"].as_str().unwrap(),
                run["result"].as_str().unwrap()
            ),
            (*scenario, *result),
            "{why}: {said}"
        );
        assert!(why.contains(reason), "{why}: {said}");
    }
    let fell_short = expected.iter().any(|(_, result, _)| *result == "fail");
    if output.status.code() != Some(3) {
        assert_eq!(output.status.code(), Some(i32::from(fell_short)), "{said}");
    }
}

pub const THREE: [&str; 3] = ["log-write", "steady", "heap-churn"];
