//! `memtide need` finds the need of programs that need a known amount, and says clearly when there is
//! no number. Losses are wide here: what is told apart is killed from not, and a machine that does
//! other work too must not decide a test.

mod common;

use std::path::Path;
use std::process::Output;

use serde_json::Value;

const MIB: u64 = 1 << 20;

fn need(arguments: &[&str]) -> Output {
    let need = common::memtide().arg("need").args(arguments).output();
    need.unwrap()
}

/// The one need of a JSON result.
fn found(arguments: &[&str]) -> Value {
    let output = need(arguments);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(0), "{said}");
    let document: Value = serde_json::from_slice(&output.stdout).unwrap();
    document["needs"][0].clone()
}

/// A scenario of one step.
fn scenario(dir: &Path, work: &str) -> String {
    let file = dir.join("known.toml");
    std::fs::write(&file, common::scenario("limit = \"192MiB\"", work)).unwrap();
    file.to_str().unwrap().to_string()
}

/// The resolution is 2 % of the limit, a worker is charged about 1 MiB for itself, and the kernel's
/// records of what is written are 3 % of it.
fn within(found: &Value, bytes: u64) {
    let limit = found["max_bytes"].as_u64().unwrap();
    let need = found["need_bytes"].as_u64().unwrap();
    let tolerance = (limit * 3 / 100).max(4 * MIB);
    assert!(need.abs_diff(bytes) <= tolerance, "{need}: {found:#}");
    let interval = &found["interval_bytes"];
    assert!(interval[0].as_u64().unwrap() < need && interval[1].as_u64().unwrap() >= need);
}

#[test]
fn a_heap_needs_what_it_touches_and_tmpfs_what_it_holds() {
    if !common::can_manage("known needs") {
        return;
    }
    let dir = tempfile::tempdir_in("/var/tmp").unwrap();
    let options = ["--loss", "400%", "--runs", "1", "--format", "json"];
    for (work, bytes) in [
        ("anon = { size = \"96MiB\", rate = \"400MiB/s\" }", 96 * MIB),
        (
            "tmpfs_fill = { file = \"data\", size = \"80MiB\", rate = \"400MiB/s\" }",
            80 * MIB,
        ),
    ] {
        let file = scenario(dir.path(), work);
        let found = found(&[&[file.as_str()], &options[..]].concat());
        within(&found, bytes + MIB);
        // Every curve begins at the highest limit, with all formulas that say "used".
        assert!(found["curve"].as_array().unwrap().len() <= 8);
        let formulas = found["formulas"].as_array().unwrap();
        assert!(
            formulas
                .iter()
                .any(|f| f["formula"] == "cadvisor_working_set")
        );
        let advice = &found["suggested"];
        assert!(advice["limit"].as_u64() > advice["request"].as_u64());
    }
}

#[test]
fn a_log_that_nobody_reads_needs_next_to_nothing() {
    if !common::can_manage("the need of a log") {
        return;
    }
    let dir = tempfile::tempdir_in("/var/tmp").unwrap();
    let work = "log_write = { total = \"220MiB\", buffer = \"1MiB\", rate = \"200MiB/s\" }";
    let file = scenario(dir.path(), work);
    let found = found(&[&file, "--loss", "900%", "--runs", "1", "--format", "json"]);
    let need = found["need_bytes"].as_u64().unwrap();
    assert!(need <= 12 * MIB, "{need}: {found:#}");
    // Usage at the highest limit was that limit: the number to size by is another one.
    let usage = found["formulas"].as_array().unwrap();
    let usage = usage.iter().find(|f| f["formula"] == "usage").unwrap();
    assert!(usage["percent"].as_f64().unwrap() > 500.0, "{found:#}");
}

#[test]
fn where_there_is_no_number_it_says_why() {
    if !common::can_manage("no need") {
        return;
    }
    let hog = "dd if=/dev/zero of=/dev/null bs=100M count=1; exit 1";
    for (limit, command, word) in [
        ("64MiB", vec!["true"], "too short"),
        (
            "64MiB",
            vec!["sh", "-c", "sleep 0.2; exit 3"],
            "fails at the highest limit",
        ),
        (
            "32MiB",
            vec!["sh", "-c", hog],
            "killed at the highest limit",
        ),
        (
            "64MiB",
            vec!["no-such-command"],
            "fails at the highest limit",
        ),
    ] {
        let output = need(&[&["--limit", limit, "--"], &command[..]].concat());
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(1), "{command:?}: {said}");
        assert!(said.contains(word), "{command:?}: {said}");
        assert!(output.stdout.is_empty(), "{command:?}");
    }
}

#[test]
fn a_wrong_command_line_says_what_to_type() {
    for (arguments, word) in [
        (&[][..], "nothing to measure"),
        (&["--", "true"], "--limit"),
        (&["no-such-scenario"], "memtide list"),
        (&["--loss=much", "steady"], "--loss"),
        (&["--runs", "0", "steady"], "--runs"),
    ] {
        let output = need(arguments);
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {said}");
        assert!(said.contains(word), "{arguments:?}: {said}");
    }
}
