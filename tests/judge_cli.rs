//! `memtide judge` as a command: formats, baselines, truth beside recordings, exit codes.

mod common;
#[path = "support/synthetic.rs"]
mod synthetic;

use std::path::Path;
use std::process::Output;

use memtide::rows::CgroupVersion;

const MIB: f64 = synthetic::MIB;

fn judge(args: &[&str]) -> Output {
    common::memtide().arg("judge").args(args).output().unwrap()
}

fn stdout(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// One leak of one's own, with the truth beside it or without; when its kill came, ms.
fn own(dir: &Path, truth: Option<&str>) -> u64 {
    let (recording, _) = synthetic::leak(CgroupVersion::V2, 256.0 * MIB, 20.0 * MIB);
    synthetic::write(&recording, &dir.join("mine.jsonl"));
    if let Some(truth) = truth {
        std::fs::write(dir.join("mine.truth.toml"), truth).unwrap();
    }
    memtide::judge::truth::oom_kill(&recording).unwrap() / 1_000_000
}

#[test]
fn a_detector_that_is_right_everywhere_ends_with_0_and_one_that_is_not_with_1() {
    let right = judge(&["--detector", "cache-aware", "--scenario", "leak"]);
    assert_eq!(right.status.code(), Some(0), "{}", stdout(&right));
    let wrong = judge(&["--detector", "psi", "--setup", "6.1-v1"]);
    assert_eq!(wrong.status.code(), Some(1), "{}", stdout(&wrong));
}

#[test]
fn a_wrong_command_ends_with_2_and_says_what_is_right() {
    for (args, word) in [
        (&["--detector", " "][..], "built-in"),
        (&[][..], "memtide detectors"),
        (
            &["--detector", "psi", "--scrape-interval", "0s"],
            "longer than 0",
        ),
        (&["--detector", "psi", "--time-scale", "0"], "0.001"),
        (&["--detector", "psi", "--setup", "no-such"], "no recording"),
        (
            &["--detector", "psi", "--recordings", "/no/such"],
            "/no/such",
        ),
        (&["--rules", "/no/such.yaml"], "/no/such.yaml"),
        (
            &["--detector", "psi", "--baseline", "/no/such.json"],
            "/no/such.json",
        ),
    ] {
        let output = judge(args);
        assert_eq!(
            output.status.code(),
            Some(2),
            "{args:?}: {}",
            stderr(&output)
        );
        assert!(
            stderr(&output).contains(word),
            "{args:?}: {}",
            stderr(&output)
        );
    }
}

#[test]
fn a_baseline_fails_only_when_a_row_got_worse() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("card.json");
    let path = file.to_str().unwrap();
    // The same command line stands for an older and a newer version of a detector.
    let detector = dir.path().join("detector");
    let become_detector = |text: &str| {
        std::fs::write(&detector, format!("#!/bin/sh\ncat >/dev/null\n{text}\n")).unwrap();
        let mode = std::os::unix::fs::PermissionsExt::from_mode(0o755);
        std::fs::set_permissions(&detector, mode).unwrap();
    };
    let args = [
        "--detector",
        detector.to_str().unwrap(),
        "--setup",
        "6.1-v2",
        "--scenario",
        "leak",
    ];
    let fires = |t: u32| format!("echo '{{\"fire\":true,\"t\":{t},\"class\":\"leak\"}}'");
    become_detector(&fires(1500));
    let saved = judge(&[&args[..], &["--save", path]].concat());
    assert_eq!(saved.status.code(), Some(0), "{}", stdout(&saved));
    let again = || judge(&[&args[..], &["--baseline", path]].concat());
    assert_eq!(again().status.code(), Some(0));
    become_detector(&fires(1600));
    let later = again();
    assert_eq!(later.status.code(), Some(1));
    assert!(stderr(&later).contains("6.1-v2/leak") && stderr(&later).contains("of lead"));
    become_detector("");
    let missed = again();
    assert_eq!(missed.status.code(), Some(1));
    assert!(
        stderr(&missed).contains("hit before, now miss"),
        "{}",
        stderr(&missed)
    );
    // A saved miss that stays a miss is no regression, though the scorecard has one.
    judge(&[&args[..], &["--save", path]].concat());
    assert_eq!(again().status.code(), Some(0));
}

#[test]
fn a_baseline_of_something_else_is_no_pass() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("card.json");
    let path = file.to_str().unwrap();
    judge(&["--detector", "psi", "--scenario", "leak", "--save", path]);
    let other = judge(&[
        "--detector",
        "threshold",
        "--scenario",
        "leak",
        "--baseline",
        path,
    ]);
    assert_eq!(other.status.code(), Some(2));
    assert!(
        stderr(&other).contains("nothing can be compared"),
        "{}",
        stderr(&other)
    );
}

#[test]
fn the_truth_beside_a_recording_decides() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().to_str().unwrap();
    let run = || {
        judge(&[
            "--detector",
            "cache-aware",
            "--no-shipped",
            "--recordings",
            path,
        ])
    };
    let killed = own(
        dir.path(),
        Some("class = \"leak\"\nfire = true\nonset = \"1s\"\n"),
    );
    let leak = run();
    assert_eq!(leak.status.code(), Some(0), "{}", stdout(&leak));
    let from = |ms: u64| format!("class = \"leak\"\nfire = true\nonset = \"{ms}ms\"\n");
    own(dir.path(), Some(&from(killed - 1)));
    let early = run();
    assert_eq!(early.status.code(), Some(1));
    assert!(stdout(&early).contains("false alarm"), "{}", stdout(&early));
    // After its kill there is nothing to fire at.
    own(dir.path(), Some(&from(killed + 1000)));
    let late = run();
    assert_eq!(late.status.code(), Some(2));
    let said = stderr(&late);
    assert!(said.contains("no detector could be right"), "{said}");
    // It was killed: no truth can call that healthy.
    own(dir.path(), Some("class = \"healthy\"\nfire = false\n"));
    let refused = run();
    assert_eq!(refused.status.code(), Some(2));
    let said = format!("{}{}", stdout(&refused), stderr(&refused));
    assert!(said.contains("fire = true"), "{said}");
}

#[test]
fn a_recording_without_truth_or_with_a_broken_one_is_skipped_and_named() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().to_str().unwrap();
    let args = [
        "--detector",
        "psi",
        "--scenario",
        "leak",
        "--setup",
        "6.1-v1",
        "--recordings",
        path,
    ];
    own(dir.path(), None);
    let without = judge(&[&args[..4], &args[6..]].concat());
    assert!(
        stderr(&without).contains("mine.truth.toml"),
        "{}",
        stderr(&without)
    );
    own(dir.path(), Some("class = \"leek\"\nfire = true\n"));
    let broken = judge(&[&args[..4], &args[6..]].concat());
    assert!(stderr(&broken).contains("leek"), "{}", stderr(&broken));
    assert!(stdout(&broken).contains("skipped"), "{}", stdout(&broken));
}

#[test]
fn every_format_has_the_verdicts() {
    let never = "cat > /dev/null";
    let args = |format| ["--detector", never, "--setup", "6.1-v1", "--format", format];
    let human = stdout(&judge(&args("human")));
    assert!(
        human.contains("miss") && human.contains("quiet as it should"),
        "{human}"
    );
    let json: serde_json::Value = serde_json::from_str(&stdout(&judge(&args("json")))).unwrap();
    assert_eq!(json["format"], "memtide.scorecard/1");
    assert_eq!(json["detectors"][0]["totals"]["hits"], 0);
    let rows = json["detectors"][0]["rows"].as_array().unwrap().len();
    let junit = stdout(&judge(&args("junit")));
    assert_eq!(junit.matches("<testcase ").count(), rows);
    assert!(
        junit.contains("<failure") && junit.contains("expected fire (leak)"),
        "{junit}"
    );
    let markdown = stdout(&judge(&args("markdown")));
    assert!(
        markdown.contains("| cat > /dev/null | - | 0 % | 0.00 |"),
        "{markdown}"
    );
    assert!(
        markdown.contains("| leak | fire | **miss** 1 |"),
        "{markdown}"
    );
}

#[test]
fn corpora_are_told_apart_and_pressure_is_not_judged_where_there_is_none() {
    let args = [
        "--detector",
        "psi",
        "--detector",
        "cache-aware",
        "--setup",
        "6.1-v1",
    ];
    let output = stdout(&judge(
        &[&args[..], &["--format", "markdown-corpora"]].concat(),
    ));
    assert!(output.contains("| detector | lessons |"), "{output}");
    let line = |name: &str| {
        let found = output
            .lines()
            .find(|line| line.starts_with(&format!("| {name} |")));
        found
            .unwrap_or_else(|| panic!("no {name}: {output}"))
            .to_owned()
    };
    assert!(line("psi").starts_with("| psi | not judged |"), "{output}");
    assert!(line("cache-aware").contains(" to 1.00), "), "{output}");
    let none = judge(&[
        "--detector",
        "psi",
        "--setup",
        "6.1-v1",
        "--corpus",
        "services",
    ]);
    assert_eq!(none.status.code(), Some(2), "{}", stdout(&none));
    let wrong = judge(&["--detector", "psi", "--corpus", "lesson"]);
    assert!(
        stderr(&wrong).contains("lessons, runtimes"),
        "{}",
        stderr(&wrong)
    );
}

#[test]
fn detectors_lists_them_all() {
    let output = common::memtide()
        .args(["detectors", "--format", "json"])
        .output()
        .unwrap();
    let all: Vec<serde_json::Value> = serde_json::from_slice(&output.stdout).unwrap();
    let names: Vec<&str> = all.iter().map(|d| d["name"].as_str().unwrap()).collect();
    let want = [
        "threshold",
        "rss-threshold",
        "max-ws-rss",
        "predict-linear",
        "theil-sen",
        "psi",
        "lbr",
        "precog",
        "precog-mf",
        "resin",
        "mann-kendall",
        "cusum",
        "holt-winters",
        "oomd",
        "cache-aware",
    ];
    assert_eq!(names, want);
    assert!(
        all.iter()
            .all(|d| !d["reads"].as_array().unwrap().is_empty())
    );
}

#[test]
fn a_recording_that_would_never_end_is_skipped_and_named() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().to_str().unwrap();
    own(dir.path(), Some("class = \"leak\"\nfire = true\n"));
    let file = dir.path().join("mine.jsonl");
    let text = std::fs::read_to_string(&file).unwrap();
    for (scale, word) in [
        ("1e300", "scrapes"),
        ("0.0", "time_scale is 0"),
        ("-5.0", "time_scale"),
    ] {
        let changed = text.replacen(
            "\"time_scale\":300.0",
            &format!("\"time_scale\":{scale}"),
            1,
        );
        assert_ne!(changed, text, "the header has a time scale");
        std::fs::write(&file, changed).unwrap();
        let args = [
            "--detector",
            "psi",
            "--scenario",
            "model",
            "--recordings",
            path,
        ];
        let output = judge(&args);
        assert_eq!(
            output.status.code(),
            Some(2),
            "{scale}: {}",
            stdout(&output)
        );
        assert!(
            stderr(&output).contains(word),
            "{scale}: {}",
            stderr(&output)
        );
    }
}

#[test]
fn a_misspelt_detector_is_told_before_it_fails_everywhere() {
    let output = common::memtide()
        .args(["judge", "--detector", "cache_aware"])
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(2));
    assert!(said.contains("did you mean `cache-aware`?"), "{said}");
}

#[test]
fn the_table_fits_120_columns_and_tells_an_error_below() {
    let args = ["judge", "--setup", "6.12-v2-mglru", "--detector"];
    let wide = common::memtide()
        .args(args)
        .arg("cache-aware")
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&wide.stdout).into_owned();
    let longest = text
        .lines()
        .max_by_key(|line| line.chars().count())
        .unwrap();
    assert!(longest.chars().count() <= 120, "{longest}");
    let broken = common::memtide().args(args).arg("echo {").output().unwrap();
    let text = String::from_utf8_lossy(&broken.stdout).into_owned();
    assert!(
        text.contains("error 1: line 1 of its output is no answer"),
        "{text}"
    );
    assert!(text.contains("`{`"), "as it was written: {text}");
}

const FLEET: &str = r#"
pods = 30
days = 0.3
scrape = "1m"
seed = 3
cards = ["6.1-v2", "6.12-v2-mglru"]
"#;

/// The pods that `fleet` keeps are recordings like any other, with what is true of them beside them.
#[test]
fn the_worst_pods_of_a_fleet_are_judged_explained_and_plotted() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(
        dir.path().join("fleet.toml"),
        format!("{FLEET}{}", common::LEAKY_API),
    )
    .unwrap();
    let run = |args: &[&str]| {
        let output = common::memtide()
            .args(args)
            .current_dir(dir.path())
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        (
            output.status.code(),
            String::from_utf8_lossy(&output.stdout).into_owned(),
            said,
        )
    };
    let (code, _, said) = run(&["fleet", "fleet.toml", "--keep", "worst"]);
    assert_eq!(code, Some(0), "{said}");
    let kept: Vec<String> = std::fs::read_dir(dir.path().join("worst"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned())
        .filter(|name| name.ends_with(".jsonl"))
        .collect();
    assert_eq!(kept.len(), 10, "{kept:?}");
    let (code, card, said) = run(&[
        "judge",
        "--no-shipped",
        "--recordings",
        "worst",
        "--detector",
        "threshold",
        "--format",
        "json",
        "--scrape-interval",
        "1m",
    ]);
    assert!(matches!(code, Some(0 | 1)), "{said}");
    let card: serde_json::Value = serde_json::from_str(&card).unwrap();
    let rows = card["detectors"][0]["rows"].as_array().unwrap();
    assert_eq!(rows.len(), 10, "{said}");
    assert!(
        rows.iter().any(|row| row["expected"]["fire"] == true),
        "{card}"
    );
    for name in &kept {
        let path = format!("worst/{name}");
        let (code, text, said) = run(&["explain", &path]);
        assert_eq!(code, Some(0), "{name}: {said}");
        // What the model counts is nothing that a kernel would be blamed for.
        assert!(text.contains("held at most"), "{name}: {text}");
        assert!(
            !text.contains("counter is wrong") && !text.contains("leaks."),
            "{name}: {text}"
        );
    }
    let (code, _, said) = run(&["plot", &format!("worst/{}", kept[0]), "--output", "one.svg"]);
    if cfg!(feature = "plot") {
        assert_eq!(code, Some(0), "{said}");
        let svg = std::fs::read_to_string(dir.path().join("one.svg")).unwrap();
        assert!(svg.contains("<svg"));
    }
}

#[test]
fn commands_and_rules_are_judged_on_drawn_pods_of_a_fleet() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(
        dir.path().join("fleet.toml"),
        format!("{FLEET}{}", common::LEAKY_API),
    )
    .unwrap();
    let fleet = |more: &[&str]| {
        let mut command = common::memtide();
        command.args(["fleet", "fleet.toml", "--drawn", "4", "--format", "json"]);
        command.args(more).current_dir(dir.path()).output().unwrap()
    };
    let output = fleet(&["--detector", "threshold", "cat > /dev/null"]);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{said}");
    let lines: Vec<serde_json::Value> = String::from_utf8_lossy(&output.stdout)
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(lines[0]["format"], "memtide.fleet/1");
    assert_eq!(
        lines[1]["detectors"][0]["detector"], "cat > /dev/null",
        "{said}"
    );
    assert_eq!(
        lines[1]["detectors"][0]["rows"].as_array().unwrap().len(),
        4
    );
    let wrong = fleet(&["--detector", "treshold"]);
    let said = String::from_utf8_lossy(&wrong.stderr).into_owned();
    assert!(
        !wrong.status.success() && said.contains("did you mean `threshold`"),
        "{said}"
    );
    let sharded = fleet(&["--detector", "cat > /dev/null", "--shard", "0/2"]);
    assert!(!sharded.status.success());
    if !common::has_program("fleet-rules", "promtool") {
        return;
    }
    let rules = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/docs/examples/rules/working-set.yaml"
    );
    let output = fleet(&["--rules", rules]);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{said}");
    let card: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(
        card["detectors"][0]["rows"].as_array().unwrap().len(),
        4,
        "{card}"
    );
}

/// Between two scrapes nothing is seen: each detector would be right or wrong by default, whatever it is.
#[test]
fn a_recording_without_a_scrape_is_not_judged() {
    let dir = tempfile::tempdir().unwrap();
    own(
        dir.path(),
        Some("class = \"leak\"\nfire = true\nonset = \"1s\"\n"),
    );
    let program = "cat > /dev/null";
    for detector in ["threshold", program] {
        let output = judge(&[
            "--no-shipped",
            "--recordings",
            dir.path().to_str().unwrap(),
            "--detector",
            detector,
            "--time-scale",
            "0.001",
        ]);
        let said = stderr(&output);
        assert_eq!(output.status.code(), Some(2), "{detector}: {said}");
        assert!(
            said.contains("no scrape falls into it"),
            "{detector}: {said}"
        );
        assert!(said.contains("--scrape-interval"), "{detector}: {said}");
    }
}

/// Nothing should fire and nothing does: that is no F1 of 0.
#[test]
fn where_nothing_should_fire_there_is_no_f1() {
    let output = judge(&[
        "--detector",
        "psi",
        "--setup",
        "6.1-v2",
        "--scenario",
        "steady",
    ]);
    let said = stdout(&output);
    assert_eq!(output.status.code(), Some(0), "{said}");
    assert!(said.contains("recall -, F1 -;"), "{said}");
}
