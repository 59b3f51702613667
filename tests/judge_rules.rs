//! Prometheus rules are judged by the real engine: promtool. What it says agrees with the built-in
//! detectors that do the same sums, and its absence or refusal is told for what it is.

mod common;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

fn rules(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("docs/examples/rules")
        .join(name)
}

fn has_promtool(what: &str) -> bool {
    let there = std::process::Command::new("promtool")
        .arg("--version")
        .output()
        .is_ok();
    if !there {
        common::skip(what, "promtool is not installed");
    }
    there
}

/// `memtide judge` with time enough for promtool on a busy machine.
fn judge() -> std::process::Command {
    let mut judge = common::memtide();
    judge.args(["judge", "--timeout", "10m"]);
    judge
}

/// When each recording's first alert came, by detector.
fn fired(args: &[&str]) -> Vec<BTreeMap<String, Option<f64>>> {
    let output = judge()
        .args(["--format", "json"])
        .args(["--setup", "6.1-v2", "--setup", "6.18-v1"])
        .args(args)
        .output()
        .unwrap();
    let stderr = String::from_utf8_lossy(&output.stderr);
    let card: serde_json::Value =
        serde_json::from_slice(&output.stdout).unwrap_or_else(|e| panic!("{e}: {stderr}"));
    let detectors = card["detectors"].as_array().unwrap();
    let rows = |d: &serde_json::Value| {
        let rows = d["rows"].as_array().unwrap().iter();
        rows.map(|r| {
            (
                r["recording"].as_str().unwrap().to_owned(),
                r["fired_at_s"].as_f64(),
            )
        })
        .collect()
    };
    detectors.iter().map(rows).collect()
}

#[test]
fn promtool_and_the_built_in_detectors_agree_to_the_scrape() {
    if !has_promtool("rules against built-in detectors") {
        return;
    }
    for (rule, built_in) in [
        ("working-set.yaml", "threshold"),
        ("rss.yaml", "rss-threshold"),
    ] {
        let path = rules(rule);
        let both = fired(&["--detector", built_in, "--rules", path.to_str().unwrap()]);
        assert!(
            both[0].values().any(Option::is_some),
            "{built_in} fired nowhere"
        );
        assert!(
            both[0].values().any(Option::is_none),
            "{built_in} fired everywhere"
        );
        assert_eq!(both[0], both[1], "{rule} and {built_in}");
    }
}

#[test]
fn an_alerts_class_label_is_its_class() {
    if !has_promtool("the class of an alert") {
        return;
    }
    let path = rules("predict-linear.yaml");
    let output = judge()
        .args([
            "--format",
            "json",
            "--setup",
            "6.1-v2",
            "--scenario",
            "leak",
            "--rules",
        ])
        .arg(&path)
        .output()
        .unwrap();
    let card: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(card["detectors"][0]["rows"][0]["said"], "leak");
}

#[test]
fn a_time_scale_can_be_given_and_is_shown() {
    if !has_promtool("the time scale of rules") {
        return;
    }
    let path = rules("working-set.yaml");
    let output = judge()
        .args([
            "--setup",
            "6.1-v2",
            "--scenario",
            "leak",
            "--time-scale",
            "60",
            "--rules",
        ])
        .arg(&path)
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(
        text.contains("--time-scale 60: one recorded second is 60 s"),
        "{text}"
    );
    // A leak that takes seconds at 60 a second is over before `for: 5m` is: never fired in time.
    assert_eq!(output.status.code(), Some(1), "{text}");
}

#[test]
fn without_promtool_the_message_says_how_to_get_it() {
    let empty = tempfile::tempdir().unwrap();
    let output = common::memtide()
        .args(["judge", "--rules"])
        .arg(rules("rss.yaml"))
        .env("PATH", empty.path())
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(3));
    let text = String::from_utf8_lossy(&output.stderr);
    assert!(
        text.contains("promtool is not on PATH") && text.contains("prometheus"),
        "{text}"
    );
}

#[test]
fn rules_that_promtool_refuses_are_a_wrong_file() {
    if !has_promtool("refused rules") {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("bad.yaml");
    std::fs::write(
        &path,
        "groups: [{name: a, rules: [{alert: X, expr: 'foo >'}]}]\n",
    )
    .unwrap();
    let output = common::memtide()
        .args(["judge", "--rules"])
        .arg(&path)
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(2));
    let text = String::from_utf8_lossy(&output.stderr);
    assert!(
        text.contains("bad.yaml") && text.contains("unexpected end of input"),
        "{text}"
    );
}

#[test]
fn a_metric_that_no_recording_has_is_named() {
    if !has_promtool("unknown metrics") {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("node.yaml");
    let rule = "groups: [{name: a, rules: [{alert: X, expr: 'node_memory_MemFree_bytes < 1'}]}]\n";
    std::fs::write(&path, rule).unwrap();
    let output = judge()
        .args(["--setup", "6.1-v2", "--scenario", "steady", "--rules"])
        .arg(&path)
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stderr);
    assert!(
        text.contains("no recording has node_memory_MemFree_bytes"),
        "{text}"
    );
}
