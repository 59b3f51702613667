//! Rules as people write them are judged fairly: what can't fire here is no miss, and what fired
//! says on what.

mod common;
#[path = "support/synthetic.rs"]
mod synthetic;

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use memtide::rows::CgroupVersion;
use proptest::prelude::*;
use serde_json::Value;

fn has_promtool() -> bool {
    common::has_program("fair rules", "promtool")
}

fn public(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/fixtures")
        .join(name)
}

fn judge(args: &[&str]) -> Output {
    let mut judge = common::memtide();
    judge.arg("judge").args(args);
    // However busy the machine is: what is tested is not how fast promtool is.
    if !args.contains(&"--timeout") {
        judge.args(["--timeout", "10m"]);
    }
    judge.output().unwrap()
}

const TWO: [&str; 6] = [
    "--setup",
    "6.1-v2",
    "--scenario",
    "leak",
    "--scenario",
    "steady",
];

/// The card of a public rule on a leak and a steady service.
fn card(name: &str, more: &[&str]) -> (Value, String) {
    let path = public(name);
    let rules = ["--format", "json", "--rules", path.to_str().unwrap()];
    let output = judge(&[&TWO[..], &rules, more].concat());
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    let card = serde_json::from_slice(&output.stdout).unwrap_or_else(|e| panic!("{e}: {said}"));
    (card, said)
}

fn totals(card: &Value) -> &Value {
    &card["detectors"][0]["totals"]
}

#[test]
fn a_label_that_no_recording_has_is_no_miss_and_the_remedy_works() {
    if !has_promtool() {
        return;
    }
    let (without, said) = card("J1-label-selects-nothing.yaml", &[]);
    assert_eq!(totals(&without)["not_judged"], 2);
    assert_eq!(totals(&without)["misses"], 0);
    assert!(
        said.contains("no recording has namespace=\"payments\""),
        "{said}"
    );
    assert!(said.contains(":4: Payments:"), "the file's line: {said}");
    let remedy = said.split("judge with ").nth(1).unwrap().trim();
    let words: Vec<&str> = remedy.split(' ').collect();
    let (with, said) = card("J1-label-selects-nothing.yaml", &words);
    assert_eq!(totals(&with)["not_judged"], 0, "{said}");
    assert_eq!(with["set"][0][1], "payments");
}

/// An alert that must hold for longer than a recording can't fire on it: that it is quiet is no hit.
#[test]
fn an_alert_that_must_hold_for_longer_than_the_recording_is_not_judged() {
    if !has_promtool() {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("long.yaml");
    let rule = "groups:\n- name: a\n  rules:\n  - alert: Long\n    expr: container_memory_working_set_bytes > 1\n    for: 2h\n";
    std::fs::write(&file, rule).unwrap();
    let rules = ["--format", "json", "--rules", file.to_str().unwrap()];
    let run = |more: &[&str]| {
        let output = judge(&[&TWO[..], &rules, more].concat());
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        let card: Value = serde_json::from_slice(&output.stdout).unwrap();
        (totals(&card)["not_judged"].clone(), said)
    };
    let (not_judged, said) = run(&[]);
    assert_eq!(not_judged, 2, "{said}");
    assert!(said.contains("it must hold for 7200 s (`for`)"), "{said}");
    // The remedy of the shorter of both is enough for either.
    let scales = said.split("--time-scale ").skip(1).filter_map(|rest| {
        let number: String = rest.chars().take_while(char::is_ascii_digit).collect();
        number.parse::<u64>().ok()
    });
    let scale = scales.max().expect("a remedy").to_string();
    let (not_judged, said) = run(&["--time-scale", &scale, "--scrape-interval", "1m"]);
    assert_eq!(not_judged, 0, "{said}");
}

#[test]
fn the_pods_own_series_no_longer_divides_by_0() {
    if !has_promtool() {
        return;
    }
    let path = public("J2-pod-series-has-no-limit.yaml");
    let output = judge(&[
        "--setup",
        "6.1-v2",
        "--scenario",
        "log-shipper",
        "--scenario",
        "file-scan",
        "--format",
        "json",
        "--rules",
        path.to_str().unwrap(),
    ]);
    let card: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(totals(&card)["quiet"], 2, "{card}");
}

#[test]
fn why_a_rule_fired_is_in_every_format() {
    if !has_promtool() {
        return;
    }
    let (json, _) = card("J3-why-it-fired.yaml", &[]);
    let rows = json["detectors"][0]["rows"].as_array().unwrap();
    let why = rows.iter().find_map(|row| row["why"].as_object()).unwrap();
    assert_eq!(why["alert"], "ContainerMemoryUsage");
    let comparison = why["comparison"].as_str().unwrap();
    let (value, threshold) = comparison.split_once(" > ").unwrap();
    assert_eq!(threshold, "80");
    assert!(value.parse::<f64>().unwrap() > 80.0);
    let path = public("J3-why-it-fired.yaml");
    for format in ["human", "markdown", "junit"] {
        let args = [
            &TWO[..],
            &["--format", format, "--rules", path.to_str().unwrap()],
        ]
        .concat();
        let text = String::from_utf8(judge(&args).stdout).unwrap();
        let text = text.replace("&gt;", ">");
        // A hit is not among what was wrong.
        assert!(
            format == "markdown" || text.contains(comparison),
            "{format}: {text}"
        );
    }
}

/// A rule that divides by a limit that nobody set is told so.
#[test]
fn what_divides_by_a_limit_of_0_says_so() {
    if !has_promtool() {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("inf.yaml");
    let rule = "- alert: Inf\n  expr: container_memory_usage_bytes / container_spec_memory_reservation_limit_bytes > 2\n";
    std::fs::write(&path, rule).unwrap();
    let args = [&TWO[..], &["--rules", path.to_str().unwrap()]].concat();
    let text = String::from_utf8(judge(&args).stdout).unwrap();
    assert!(text.contains("+Inf > 2"), "{text}");
    assert!(
        text.contains("divides by 0")
            && text.contains("add `> 0` to `container_spec_memory_reservation_limit_bytes`"),
        "{text}"
    );
}

#[test]
fn a_bare_list_joins_with_kube_state_metrics() {
    if !has_promtool() {
        return;
    }
    let (card, said) = card("J4-bare-list.yaml", &[]);
    assert_eq!(
        (&totals(&card)["errors"], &totals(&card)["not_judged"]),
        (&0.into(), &0.into()),
        "{said}"
    );
    assert_eq!(totals(&card)["quiet"], 1);
}

#[test]
fn bytes_that_no_recording_reaches_are_no_miss_and_scaling_helps() {
    if !has_promtool() {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("big.yaml");
    std::fs::write(
        &path,
        "- alert: Big\n  expr: container_memory_rss{container!=\"\"} > 3 * 1024 * 1024 * 1024\n",
    )
    .unwrap();
    let run = |more: &[&str]| {
        let args = [
            &TWO[..],
            &["--format", "json", "--rules", path.to_str().unwrap()],
            more,
        ]
        .concat();
        let output = judge(&args);
        let card: Value = serde_json::from_slice(&output.stdout).unwrap();
        (card, String::from_utf8_lossy(&output.stderr).into_owned())
    };
    let (plain, said) = run(&[]);
    assert_eq!(totals(&plain)["not_judged"], 2);
    assert!(
        said.contains("3.0 GiB") && said.contains("--scale-to 4GiB"),
        "{said}"
    );
    let (scaled, _) = run(&["--scale-to", "4GiB"]);
    assert_eq!(totals(&scaled)["hits"], 1, "{scaled}");
    assert_eq!(scaled["scale_to"], 4u64 << 30);
    let text = String::from_utf8(
        judge(
            &[
                &TWO[..],
                &["--rules", path.to_str().unwrap(), "--scale-to", "4GiB"],
            ]
            .concat(),
        )
        .stdout,
    )
    .unwrap();
    assert!(text.contains("scaled to a limit of 4.0 GiB"), "{text}");
}

#[test]
fn rules_come_from_standard_input_and_from_folders() {
    if !has_promtool() {
        return;
    }
    let rules = std::fs::read_to_string(public("J4-bare-list.yaml")).unwrap();
    let mut child = Command::new(env!("CARGO_BIN_EXE_memtide"))
        .args(["judge", "--format", "json", "--rules", "-"])
        .args(TWO)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    child
        .stdin
        .take()
        .unwrap()
        .write_all(rules.as_bytes())
        .unwrap();
    let output = child.wait_with_output().unwrap();
    let card: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(card["detectors"][0]["detector"], "standard input");
    // An alert in one file reads what another one of the folder records.
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("a.yaml"), "- alert: A\n  expr: x:rss > 0\n").unwrap();
    std::fs::write(
        dir.path().join("b.yml"),
        "- record: x:rss\n  expr: container_memory_rss{container!=\"\"}\n",
    )
    .unwrap();
    std::fs::write(dir.path().join("values.yaml"), "replicas: 2\n").unwrap();
    // What can't be read is named, and the others are judged all the same.
    let template = "- alert: T\n  expr: x > {{ .Values.most }}\n";
    std::fs::write(dir.path().join("t.yaml"), template).unwrap();
    let output = judge(
        &[
            &TWO[..],
            &["--format", "json", "--rules", dir.path().to_str().unwrap()],
        ]
        .concat(),
    );
    let said = String::from_utf8_lossy(&output.stderr);
    for part in ["t.yaml:2", "Helm", "left out"] {
        assert!(said.contains(part), "{said}");
    }
    let card: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(card["detectors"].as_array().unwrap().len(), 1);
    assert_eq!(
        (&totals(&card)["early"], &totals(&card)["false_alarms"]),
        (&1.into(), &1.into())
    );
}

/// Each has a clear end, with the place and what to do.
#[test]
fn bad_rule_files_end_clearly() {
    if !has_promtool() {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("bad.yaml");
    let said = |text: &str, more: &[&str]| {
        std::fs::write(&path, text).unwrap();
        let output = judge(&[&TWO[..], &["--rules", path.to_str().unwrap()], more].concat());
        assert_eq!(output.status.code(), Some(2), "{text:.80}");
        String::from_utf8_lossy(&output.stderr).into_owned()
    };
    let long = "- alert: A\n  expr: up\n".repeat(500_000);
    for (text, words) in [
        (long.as_str(), ["bad.yaml", "4.0 MiB", "split it"]),
        (
            "- alert: A\n  expr: |\n    up >\n",
            ["bad.yaml:", "A: at column", "missing at its end"],
        ),
        (
            "- alert: A\n  expr: frobnicate(up)\n",
            ["bad.yaml:2", "frobnicate", "newer"],
        ),
        (
            "- record: a:b\n  expr: up\n",
            ["bad.yaml", "recording rules only", "alerts"],
        ),
        ("spec: {a: 1}\n", ["bad.yaml", "no rule", "PrometheusRule"]),
    ] {
        let said = said(text, &[]);
        for word in words {
            assert!(said.contains(word), "{said}");
        }
    }
    let none = said("- alert: A\n  expr: up\n", &["--alert", "B.*"]);
    assert!(
        none.contains("--alert \"B.*\"") && none.contains("there are: A"),
        "{none}"
    );
}

/// Rules that take forever are given up as a detector that hangs is.
#[test]
fn rules_that_take_forever_are_given_up() {
    if !has_promtool() {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("slow.yaml");
    // Each doubles the work of the one before.
    let mut rules = "- record: x:0\n  expr: container_memory_rss\n".to_owned();
    for nth in 1..2000 {
        rules += &format!(
            "- record: x:{nth}\n  expr: sum(quantile_over_time(0.5, container_memory_rss[1h])) + x:{}\n",
            nth - 1
        );
    }
    std::fs::write(&path, rules + "- alert: A\n  expr: x:1999 < 0\n").unwrap();
    let output = judge(&[
        "--setup",
        "6.1-v2",
        "--format",
        "json",
        "--timeout",
        "200ms",
        "--rules",
        path.to_str().unwrap(),
    ]);
    let card: Value = serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|e| panic!("{e}: {}", String::from_utf8_lossy(&output.stderr)));
    assert_eq!(totals(&card)["errors"], 3, "{}", totals(&card));
    let rows = card["detectors"][0]["rows"].as_array().unwrap();
    assert!(
        rows[0]["error"]
            .as_str()
            .unwrap()
            .contains("promtool had not ended")
    );
    assert!(rows[5]["not_judged"].as_str().unwrap().contains("given up"));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 4, failure_persistence: None, ..ProptestConfig::default() })]

    /// Judging with `--set` and with the rule's own label replaced gives the same.
    #[test]
    fn setting_a_label_is_as_writing_another(
        (label, own) in proptest::sample::select(vec![
            ("namespace", "default"), ("pod", "app-0"), ("container", "c1"), ("image", "app:1"),
            ("node", "node-1"), ("job", "kubelet"), ("metrics_path", "/metrics/cadvisor"),
        ]),
        value in "[a-z][a-z0-9-]{0,8}",
        matcher in proptest::sample::select(vec!["=", "=~"]),
        over_limit in proptest::sample::select(vec![
            "container_memory_working_set_bytes@ / container_spec_memory_limit_bytes@",
            "container_memory_rss@ / container_spec_memory_limit_bytes@",
            "max by (pod) (container_memory_usage_bytes@) / max by (pod) (container_spec_memory_limit_bytes@ > 0)",
        ]),
        percent in 5u32..100,
    ) {
        if !has_promtool() {
            return Ok(());
        }
        let dir = tempfile::tempdir().unwrap();
        for (name, rate) in [("slow", 5.0), ("fast", 40.0)] {
            let limit = 256.0 * synthetic::MIB;
            let (recording, onset) = synthetic::leak(CgroupVersion::V2, limit, rate * synthetic::MIB);
            synthetic::write(&recording, &dir.path().join(format!("{name}.jsonl")));
            let truth = format!("class = \"leak\"\nfire = true\nonset = \"{onset}s\"\n");
            std::fs::write(dir.path().join(format!("{name}.truth.toml")), truth).unwrap();
        }
        let rule = |value: &str| {
            let chosen = format!("{{{label}{matcher}\"{value}\",container!=\"\"}}");
            let expression = over_limit.replace('@', &chosen);
            format!("- alert: A\n  expr: {expression} > 0.{percent:02}\n  for: 1m\n")
        };
        let rows = |rule: String, more: &[&str]| {
            let path = dir.path().join("rules.yaml");
            std::fs::write(&path, rule).unwrap();
            let recordings = dir.path().to_str().unwrap();
            let output = judge(&[&["--no-shipped", "--recordings", recordings, "--format", "json", "--rules", path.to_str().unwrap()], more].concat());
            let card: Value = serde_json::from_slice(&output.stdout).unwrap();
            let rows = card["detectors"][0]["rows"].as_array().unwrap().clone();
            rows.into_iter().map(|row| (row["verdict"].clone(), row["fired_at_s"].clone())).collect::<Vec<_>>()
        };
        let set = format!("{label}={value}");
        let with = rows(rule(&value), &["--set", &set]);
        let replaced = rows(rule(own), &[]);
        prop_assert!(with.iter().all(|(verdict, _)| verdict != "not_judged"));
        prop_assert_eq!(with, replaced);
    }
}
