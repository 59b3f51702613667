//! `export --promtool` writes unit tests that real promtool passes for a rule that is right, and
//! fails for rules that are wrong in either way.

mod common;

use std::path::Path;
use std::process::{Command, Output};

const SCENARIOS: [&str; 4] = ["leak", "log-write", "log-read-twice", "steady"];

/// The tests of some recordings with `rule` beside them, run by promtool.
fn test_rules(dir: &Path, expr: &str) -> Output {
    let rules = format!(
        "groups:\n- name: a\n  rules:\n  - alert: Memory\n    expr: {expr}\n    for: 30s\n"
    );
    std::fs::write(dir.join("alerts.yaml"), rules).unwrap();
    let mut tests: Vec<_> = std::fs::read_dir(dir)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.file_name().unwrap() != "alerts.yaml")
        .collect();
    tests.sort();
    assert_eq!(tests.len(), SCENARIOS.len() * 2);
    Command::new("promtool")
        .args(["test", "rules"])
        .args(tests)
        .output()
        .unwrap()
}

fn export(dir: &Path) {
    let mut command = common::memtide();
    command.args(["export", "--promtool"]).arg(dir);
    for setup in ["6.1-v2", "6.18-v1"] {
        command.args(["--setup", setup]);
    }
    for scenario in SCENARIOS {
        command.args(["--scenario", scenario]);
    }
    let output = command.output().unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
}

#[test]
fn a_right_rule_passes_and_wrong_ones_fail() {
    if Command::new("promtool").arg("--version").output().is_err() {
        common::skip("exported promtool tests", "promtool is not installed");
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    export(dir.path());
    let limit =
        "on (namespace, pod, container) kube_pod_container_resource_limits{resource=\"memory\"}";
    let right = test_rules(
        dir.path(),
        &format!("'container_memory_rss{{container!=\"\"}} / {limit} > 0.7'"),
    );
    let said = |o: &Output| {
        String::from_utf8_lossy(&o.stdout).into_owned() + &String::from_utf8_lossy(&o.stderr)
    };
    assert!(right.status.success(), "{}", said(&right));
    // Takes the cache for a leak where the classic LRU made it active.
    let share = format!("'container_memory_working_set_bytes{{container!=\"\"}} / {limit} > 0.35'");
    let false_alarm = test_rules(dir.path(), &share);
    assert!(!false_alarm.status.success(), "{}", said(&false_alarm));
    let never = test_rules(dir.path(), "'container_memory_rss < 0'");
    assert!(!never.status.success(), "{}", said(&never));
    let failures = said(&never).matches("FAILED").count();
    assert_eq!(
        failures,
        2,
        "only the leaks want an alert: {}",
        said(&never)
    );
}

#[test]
fn recordings_of_one_scenario_are_a_test_each() {
    let dir = tempfile::tempdir().unwrap();
    let export = common::memtide()
        .args([
            "recordings",
            "--setup",
            "6.1-v2",
            "--scenario",
            "leak",
            "--export",
        ])
        .arg(dir.path())
        .output()
        .unwrap();
    assert!(export.status.success());
    let folder = dir.path().join("6.1-v2");
    std::fs::copy(
        folder.join("leak.jsonl.gz"),
        folder.join("leak-again.jsonl.gz"),
    )
    .unwrap();
    let tests = dir.path().join("tests");
    let output = common::memtide()
        .args(["export", "--promtool"])
        .arg(&tests)
        .arg(&folder)
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(said.contains("2 tests written"), "{said}");
    assert_eq!(
        std::fs::read_dir(&tests).unwrap().count(),
        2,
        "none over the other"
    );
}
