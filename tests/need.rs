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

/// A scenario of these steps, each `NAME = { ... }` of TOML.
fn scenario(dir: &Path, steps: &[&str]) -> String {
    let file = dir.join("known.toml");
    let (first, rest) = steps.split_first().unwrap();
    let mut text = common::scenario("limit = \"96MiB\"", first);
    for (n, step) in rest.iter().enumerate() {
        text += &format!("[[step]]\nname = \"more {n}\"\nsay = \"works on\"\n{step}\n");
    }
    std::fs::write(&file, text).unwrap();
    file.to_str().unwrap().to_string()
}

/// Judged by what is read again and by kills: how fast the machine is, and what else it does, must
/// not decide.
const QUIETLY: [&str; 7] = [
    "--by",
    "refaults",
    "--loss=5%",
    "--runs",
    "1",
    "--format",
    "json",
];

/// The resolution is 2 % of the limit, a worker is charged about 1 MiB for itself, and the kernel's
/// records of what is written are 3 % of it.
fn within(found: &Value, bytes: u64) {
    let limit = found["max_bytes"].as_u64().unwrap();
    let need = found["need_bytes"].as_u64().unwrap();
    let tolerance = (limit * 3 / 100).max(4 * MIB);
    assert!(need.abs_diff(bytes) <= tolerance, "{need}: {found:#}");
    let interval = &found["interval_bytes"];
    assert!(interval[0].as_u64().unwrap() < need && interval[1].as_u64().unwrap() >= need);
    // Every curve begins at the highest limit, with all formulas that say "used".
    assert!(found["curve"].as_array().unwrap().len() <= 8);
    let formulas = found["formulas"].as_array().unwrap();
    let has = |name: &str| formulas.iter().any(|f| f["formula"] == name);
    assert!(has("cadvisor_working_set") && has("rss"));
    let advice = &found["suggested"];
    assert!(advice["limit"].as_u64() > advice["request"].as_u64());
}

fn of_steps(steps: &[&str]) -> Value {
    let dir = tempfile::tempdir_in("/var/tmp").unwrap();
    let file = scenario(dir.path(), steps);
    found(&[&[file.as_str()], &QUIETLY[..]].concat())
}

/// How much more than the need a formula said.
fn percent(found: &Value, formula: &str) -> f64 {
    let formulas = found["formulas"].as_array().unwrap();
    let one = formulas.iter().find(|f| f["formula"] == formula).unwrap();
    one["percent"].as_f64().unwrap()
}

#[test]
fn a_heap_needs_what_it_touches_in_turn() {
    if !common::can_manage("the need of a heap") {
        return;
    }
    let heap = "anon = { size = \"48MiB\", rate = \"2GiB/s\" }";
    let again = "rewrite = { region = \"heap\" }";
    within(&of_steps(&[heap, again]), 49 * MIB);
}

#[test]
fn tmpfs_needs_all_that_it_holds() {
    if !common::can_manage("the need of tmpfs") {
        return;
    }
    let fill = "tmpfs_fill = { file = \"data\", size = \"40MiB\", rate = \"2GiB/s\" }";
    within(&of_steps(&[fill]), 41 * MIB);
}

#[test]
fn two_phases_that_do_not_overlap_need_the_larger() {
    if !common::can_manage("the need of two phases") {
        return;
    }
    let found = of_steps(&[
        "anon = { size = \"32MiB\", rate = \"2GiB/s\" }",
        "release = { advice = \"dontneed\" }",
        "anon = { region = \"second\", size = \"48MiB\", rate = \"2GiB/s\" }",
    ]);
    within(&found, 49 * MIB);
}

/// Three times 24 MiB are touched and freed lazily, and the last is written again: at most 24 MiB of
/// them are needed at a time.
#[test]
fn lazily_freed_memory_needs_what_is_written_again() {
    if !common::can_manage("the need of lazily freed memory") {
        return;
    }
    let mut steps = Vec::new();
    for region in ["a", "b", "c"] {
        let size = "size = \"24MiB\", rate = \"2GiB/s\"";
        steps.push(format!("anon = {{ region = \"{region}\", {size} }}"));
        steps.push(format!(
            "release = {{ region = \"{region}\", advice = \"free\" }}"
        ));
    }
    steps.push("rewrite = { region = \"c\" }".into());
    let steps: Vec<&str> = steps.iter().map(String::as_str).collect();
    let found = of_steps(&steps);
    within(&found, 25 * MIB);
    let kept = percent(&found, "usage");
    // Where the kernel drops such pages at once (before 4.12) there is nothing to be seen.
    assert!(kept > 100.0 || percent(&found, "rss") < 50.0, "{found:#}");
}

#[test]
fn a_log_that_nobody_reads_needs_next_to_nothing() {
    if !common::can_manage("the need of a log") {
        return;
    }
    let log = "log_write = { total = \"120MiB\", buffer = \"1MiB\", rate = \"400MiB/s\" }";
    let found = of_steps(&[log]);
    let need = found["need_bytes"].as_u64().unwrap();
    assert!(need <= 8 * MIB, "{need}: {found:#}");
    // Usage at the highest limit was that limit: the number to size by is another one.
    assert!(percent(&found, "usage") > 500.0, "{found:#}");
}

/// The file was written, and so is charged to somebody else; the command is charged for all of it,
/// since it is cold before each trial.
#[test]
fn a_file_read_in_a_loop_needs_its_size_whoever_had_read_it_before() {
    if !common::can_manage("the need of a file") {
        return;
    }
    let dir = tempfile::tempdir_in("/var/tmp").unwrap();
    let file = dir.path().join("data");
    std::fs::write(&file, vec![1u8; 48 << 20]).unwrap();
    let file = file.to_str().unwrap();
    // The kernel's records of a file's pages are 3 % of it.
    let bytes = 48 * MIB * 103 / 100 + MIB;
    let limit = ["--limit", "96MiB"];
    let named = ["--", "cat", file, file, file, file, file, file];
    within(&found(&[&limit, &QUIETLY[..], &named[..]].concat()), bytes);
    // Not named, but seen open.
    let script = format!("for i in 1 2 3 4 5 6; do cat '{file}'; done");
    let opened = ["--", "sh", "-c", &script];
    within(&found(&[&limit, &QUIETLY[..], &opened[..]].concat()), bytes);
}

#[test]
fn what_is_left_running_is_ended_and_told() {
    if !common::can_manage("a command that leaves a daemon") {
        return;
    }
    let script = "setsid sleep 1000 & exec dd if=/dev/zero of=/dev/null bs=1M count=300";
    let arguments = ["--limit", "64MiB", "--", "sh", "-c", script];
    let (options, rest) = arguments.split_at(2);
    let found = found(&[options, &QUIETLY[..], rest].concat());
    let notes = found["notes"].to_string();
    assert!(notes.contains("left 1 processes running"), "{notes}");
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
        (&["--load", "true", "steady"], "--load"),
        (
            &["--limit=1GiB", "--measure", "(", "--", "true"],
            "--measure",
        ),
        (
            &["--limit=1GiB", "--better", "more", "--", "true"],
            "--measure",
        ),
    ] {
        let output = need(arguments);
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {said}");
        assert!(said.contains(word), "{arguments:?}: {said}");
    }
}
