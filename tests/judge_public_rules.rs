//! Rules in the shapes public collections have them: joins, recording rules, manifests, charts,
//! metrics nobody scraped. Each is judged or told apart in plain words.

mod common;

use std::fs;
use std::process::Output;

use serde_json::Value;

fn has_promtool() -> bool {
    let version = std::process::Command::new("promtool")
        .arg("--version")
        .output();
    if version.is_err() {
        common::skip("public rules", "promtool is not installed");
    }
    version.is_ok()
}

fn judged(rules: &str, args: &[&str]) -> Output {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("rules.yaml");
    fs::write(&path, rules).unwrap();
    common::memtide()
        // However busy the machine is: what is tested is not how fast promtool is.
        .args(["judge", "--format", "json", "--timeout", "10m"])
        .args(args)
        .arg("--rules")
        .arg(&path)
        .output()
        .unwrap()
}

fn totals(output: &Output) -> Value {
    let card: Value = serde_json::from_slice(&output.stdout).unwrap_or_else(|error| {
        panic!("{error}: {}", String::from_utf8_lossy(&output.stderr));
    });
    card["detectors"][0]["totals"].clone()
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

const LEAKS: [&str; 6] = [
    "--setup",
    "6.1-v1",
    "--scenario",
    "leak",
    "--scenario",
    "steady",
];

/// As the Kubernetes monitoring mixin writes it: recording rules with joins on the pod's phase and
/// node, and an alert on what they recorded.
const MIXIN: &str = r#"
groups:
- name: mixin
  rules:
  - record: node_namespace_pod_container:container_memory_rss
    expr: |
      container_memory_rss{job="kubelet", metrics_path="/metrics/cadvisor", image!=""}
      * on (namespace, pod) group_left(node) topk by (namespace, pod) (1,
        max by (namespace, pod, node) (kube_pod_info{node!=""}))
  - record: cluster:namespace:pod_memory:active:kube_pod_container_resource_limits
    expr: |
      kube_pod_container_resource_limits{resource="memory", job="kube-state-metrics"}
      * on (namespace, pod) group_left() max by (namespace, pod) (
        kube_pod_status_phase{phase=~"Pending|Running"} == 1)
  - alert: ContainerNearLimit
    expr: |
      sum by (namespace, pod, container) (node_namespace_pod_container:container_memory_rss)
        / on (namespace, pod, container)
      sum by (namespace, pod, container) (cluster:namespace:pod_memory:active:kube_pod_container_resource_limits)
        > 0.6
    for: 1m
    keep_firing_for: 5m
    annotations:
      description: '{{ $labels.container }} is at {{ $value | humanizePercentage }}'
"#;

#[test]
fn joins_recording_rules_and_manifests_work_alike() {
    if !has_promtool() {
        return;
    }
    let plain = judged(MIXIN, &LEAKS);
    assert_eq!(totals(&plain)["hits"], 1, "{}", said(&plain));
    assert_eq!(totals(&plain)["quiet"], 1);
    assert!(
        !said(&plain).contains("no recording has"),
        "{}",
        said(&plain)
    );
    let indented: String = MIXIN.lines().map(|line| format!("  {line}\n")).collect();
    let manifest = format!(
        "apiVersion: monitoring.coreos.com/v1\nkind: PrometheusRule\nmetadata:\n  name: m\nspec:\n{indented}"
    );
    let wrapped = judged(&manifest, &LEAKS);
    assert_eq!(totals(&wrapped), totals(&plain), "{}", said(&wrapped));
}

/// The longest recording there is, for far more alerts than promtool's sample limit lets one
/// question ask about.
#[test]
fn many_alerts_on_a_long_recording_are_one_question_too_many_for_promtool_and_are_asked_in_parts() {
    if !has_promtool() {
        return;
    }
    let mut rules = "groups:\n- name: many\n  rules:\n".to_owned();
    for nth in 0..20 {
        rules += &format!(
            "  - alert: A{nth}\n    expr: container_memory_usage_bytes{{container!=\"\"}} > {nth}\n"
        );
    }
    let output = judged(
        &rules,
        &["--setup", "6.12-v2", "--scenario", "leak-under-cache"],
    );
    let totals = totals(&output);
    assert_eq!(
        (&totals["early"], &totals["errors"]),
        (&1.into(), &0.into()),
        "{}",
        said(&output)
    );
}

#[test]
fn a_rule_the_engine_cannot_evaluate_is_an_error_of_that_recording() {
    if !has_promtool() {
        return;
    }
    let output = judged(
        "groups:\n- name: x\n  rules:\n  - alert: Many\n    expr: container_memory_rss / on(pod) kube_pod_status_phase > 0.5\n",
        &LEAKS,
    );
    let card: Value = serde_json::from_slice(&output.stdout).unwrap();
    let error = card["detectors"][0]["rows"][0]["error"].as_str().unwrap();
    assert!(
        error.starts_with("rule: Many: ") && !error.contains("[{"),
        "{error}"
    );
    assert_eq!(output.status.code(), Some(1));
}

#[test]
fn what_no_recording_has_is_said_with_its_consequence() {
    if !has_promtool() {
        return;
    }
    let rule = |expr: &str| {
        format!("groups:\n- name: x\n  rules:\n  - alert: A\n    for: 1m\n    expr: {expr}\n")
    };
    let seen = judged(&rule("absent(container_last_seen)"), &LEAKS);
    assert_eq!(totals(&seen)["false_alarms"], 0, "cAdvisor always has it");
    let stale = judged(&rule("time() - container_last_seen > 60"), &LEAKS);
    assert_eq!(totals(&stale)["false_alarms"], 0, "samples are fresh");
    let gone = said(&judged(&rule("absent(node_load1)"), &LEAKS));
    assert!(gone.contains("node_load1: absent() of it fires"), "{gone}");
    let never = said(&judged(&rule("node_load1 > 5"), &LEAKS));
    assert!(
        never.contains("node_load1: what reads it can't fire here"),
        "{never}"
    );
}

#[test]
fn a_charts_template_is_called_one() {
    if !has_promtool() {
        return;
    }
    let output = judged(
        "groups:\n- name: x\n  rules:\n  - alert: {{ .Values.name }}\n    expr: up\n",
        &LEAKS,
    );
    assert_eq!(output.status.code(), Some(2));
    let said = said(&output);
    assert!(
        said.contains("rules.yaml") && said.contains("helm template"),
        "{said}"
    );
}

#[test]
fn a_missing_file_is_told_once_and_a_card_that_cannot_be_saved_at_once() {
    let output = common::memtide()
        .args(["judge", "--rules", "/no/such.yaml"])
        .output()
        .unwrap();
    assert_eq!(
        said(&output).matches("No such file").count(),
        1,
        "{}",
        said(&output)
    );
    let output = common::memtide()
        .args([
            "judge",
            "--detector",
            "sleep 9",
            "--save",
            "/no/such/card.json",
        ])
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert!(said(&output).contains("cannot write /no/such/card.json"));
    assert!(output.stdout.is_empty(), "nothing was judged for nothing");
}

#[test]
fn one_alert_of_a_large_file_can_be_judged() {
    if !has_promtool() {
        return;
    }
    let rules = "groups:\n- name: x\n  rules:\n  - alert: Always\n    expr: vector(1)\n  - alert: MemoryNever\n    expr: vector(1) > 2\n";
    let all = judged(rules, &LEAKS);
    assert_eq!(totals(&all)["quiet"], 0, "{}", said(&all));
    let one = judged(rules, &[&LEAKS[..], &["--alert", "Memory.*"]].concat());
    assert_eq!(totals(&one)["quiet"], 1, "{}", said(&one));
    assert_eq!(totals(&one)["misses"], 1);
}
