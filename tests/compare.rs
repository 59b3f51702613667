//! `memtide compare` and `memtide recordings` on the shipped recordings, and the page made of them.

use std::path::Path;

use assert_cmd::Command;
use serde_json::Value;

fn memtide(args: &[&str]) -> assert_cmd::assert::Assert {
    Command::cargo_bin("memtide").unwrap().args(args).assert()
}

fn stdout(args: &[&str]) -> String {
    let output = memtide(args).success().get_output().clone();
    String::from_utf8(output.stdout).unwrap()
}

fn comparison(args: &[&str]) -> Value {
    let document: Value = serde_json::from_str(&stdout(args)).unwrap();
    document["comparisons"][0].clone()
}

/// One recording of the binary as a file, as a user's own run would be.
fn exported(dir: &Path, setup: &str, scenario: &str) -> String {
    let to = dir.to_str().unwrap();
    stdout(&[
        "recordings",
        "--setup",
        setup,
        "--scenario",
        scenario,
        "--export",
        to,
    ]);
    format!("{to}/{setup}/{scenario}.jsonl.gz")
}

#[test]
fn a_log_that_is_read_twice_differs_by_lru_and_nothing_else() {
    let c = comparison(&[
        "compare",
        "--scenario",
        "log-read-twice",
        "--format",
        "json",
    ]);
    let runs = c["runs"].as_array().unwrap();
    let sheet = &c["values"][0];
    assert_eq!(sheet["value"], "cadvisor_working_set");
    let step = |name: &str| {
        let steps = sheet["steps"].as_array().unwrap();
        steps.iter().find(|s| s["step"] == name).unwrap()["cells"].clone()
    };
    let limit = runs[0]["limit_bytes"].as_f64().unwrap();
    for (i, run) in runs.iter().enumerate() {
        let old = run["kernel"].as_str().unwrap().starts_with("3.");
        let share = |name: &str| step(name)[i]["bytes"].as_f64().unwrap() / limit;
        // The scenario reads a log of 40 % of the limit.
        assert_eq!(share("read twice") > 0.3, run["lru"] == "classic", "{run}");
        assert_eq!(share("read once") > 0.3, old, "{run}");
    }
}

#[test]
fn a_run_is_held_against_the_nearest_set_up() {
    let dir = tempfile::tempdir().unwrap();
    let file = exported(dir.path(), "6.1-v2", "log-read-twice");
    let c = comparison(&["compare", &file, "--against", "shipped", "--format", "json"]);
    assert_eq!(c["baseline"], "6.1-v2");
    assert_eq!(c["differs"], false);
    assert_eq!(c["runs"][1]["sentences"], serde_json::json!([]));
    let text = stdout(&["compare", &file, "--against", "shipped"]);
    assert!(text.contains("behaves as 6.1-v2 does"), "{text}");
    // Against a set-up that is chosen to be wrong, it says where, and exits 1 if asked to.
    let args = [
        "compare",
        &file,
        "--against",
        "shipped",
        "--setup",
        "6.1-v2-mglru",
    ];
    let text = stdout(&args);
    assert!(
        text.contains("after `read twice`: cadvisor_working_set 10"),
        "{text}"
    );
    assert!(text.contains("known of `read twice`: "), "{text}");
    memtide(&[&args[..], &["--check"]].concat()).code(1);
}

#[test]
fn before_and_after_are_told_apart_by_their_paths() {
    let (before, after) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let a = exported(before.path(), "6.1-v2", "leak");
    let b = exported(after.path(), "6.1-v2", "leak");
    let c = comparison(&["compare", &a, &b, "--check", "--format", "json"]);
    assert_eq!(c["runs"][0]["label"], a.as_str());
    assert_eq!(c["runs"][1]["label"], b.as_str());
    assert_eq!(c["differs"], false);
}

#[test]
fn wrong_commands_exit_with_2_and_say_what_would_be_right() {
    for (args, part) in [
        (&["compare"][..], "RECORDING"),
        (&["compare", "/no/such.jsonl"], "/no/such.jsonl"),
        (&["compare", "--scenario", "leek"], "leek"),
        (
            &["compare", "--scenario", "leak", "--setup", "9.9"],
            "6.1-v2",
        ),
        (
            &["compare", "--scenario", "leak", "--baseline", "9.9"],
            "6.1-v2",
        ),
        (
            &["compare", "--scenario", "leak", "--value", "wroking_set"],
            "wroking_set",
        ),
        (
            &["compare", "--scenario", "leak", "--group", "sidecar"],
            "sidecar",
        ),
        (&["recordings", "--setup", "9.9"], "6.1-v2"),
        (&["recordings", "--scenario", "leek"], "leek"),
    ] {
        let output = memtide(args).code(2).get_output().clone();
        let text = String::from_utf8(output.stderr).unwrap();
        assert!(text.contains(part), "{args:?}: {text}");
    }
}

#[test]
fn the_list_counts_what_is_there() {
    let list: Value = serde_json::from_str(&stdout(&["recordings", "--format", "json"])).unwrap();
    let list = list["recordings"].as_array().unwrap();
    let text = stdout(&["recordings"]);
    assert!(
        text.contains(&format!("{} recordings of", list.len())),
        "{text}"
    );
    for setup in [
        "6.1-v1",
        "6.1-v2",
        "6.1-v2-mglru",
        "6.12-v2",
        "6.12-v2-mglru",
    ] {
        assert!(list.iter().any(|r| r["setup"] == setup), "{setup}");
        assert!(text.contains(&format!("\n{setup} ")), "{text}");
    }
    for r in list {
        // A recording says itself which set-up it is of, under the name of its folder.
        assert_eq!(r["host"]["setup"], r["setup"], "{}", r["path"]);
    }
}

#[test]
fn docs_kernels_md_is_what_the_recordings_give() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/kernels.md");
    let kept = std::fs::read_to_string(file).unwrap();
    assert!(
        kept == stdout(&["generate", "kernels-doc"]),
        "docs/kernels.md is not current: memtide generate kernels-doc > docs/kernels.md"
    );
}
