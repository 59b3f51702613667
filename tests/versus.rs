//! `scripts/versus`: a short real run, a wrong command, and a peer that is missing.

use std::path::PathBuf;
use std::process::{Command, Output};
use std::sync::OnceLock;

/// The driver as cargo builds it beside this test, unoptimized: what it measures is not looked at.
fn driver() -> PathBuf {
    static BUILT: OnceLock<()> = OnceLock::new();
    // A plain `cargo test` has built it; with only this test asked for it has not.
    BUILT.get_or_init(|| {
        let mut build = Command::new(env!("CARGO"));
        build.args(["build", "--quiet", "--example", "versus"]);
        if !cfg!(debug_assertions) {
            build.arg("--release");
        }
        let built = build.current_dir(env!("CARGO_MANIFEST_DIR")).status();
        assert!(built.unwrap().success());
    });
    let own = std::env::current_exe().unwrap();
    own.parent().unwrap().join("../examples/versus")
}

fn versus(path: Option<&str>, args: &[&str]) -> Output {
    let program = driver();
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/scripts/versus");
    let mut command = Command::new(script);
    command.arg("--program").arg(program).args(args);
    if let Some(path) = path {
        command.env("PATH", path);
    }
    command.output().unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[test]
fn a_short_run_gives_a_table_a_subject() {
    let work = env!("CARGO_TARGET_TMPDIR");
    let output = versus(None, &["--runs", "1", "--hold", "1", "--workdir", work]);
    let (said, noted) = (text(&output.stdout), text(&output.stderr));
    assert!(output.status.success(), "{noted}");
    for part in [
        "memtide 0.",
        "## Writing a log",
        "## Anonymous memory",
        "## One sample",
        "## Holding 200 MiB for 1 s",
        "## Judging",
        "| heap churn",
    ] {
        assert!(said.contains(part), "no {part:?} in\n{said}\n{noted}");
    }
    // All rows have the header's columns, and bare loops are never missing.
    let rows = said.lines().filter(|line| line.starts_with('|'));
    rows.for_each(|row| assert_eq!(row.matches('|').count(), 8, "{row}"));
    let bare = said.lines().filter(|line| line.contains("| a bare loop |"));
    assert!(bare.clone().count() >= 5, "{said}");
    bare.for_each(|row| assert!(row.contains(" to "), "no figures in {row}"));
}

#[test]
fn a_missing_peer_is_named_and_the_rest_is_measured() {
    // Enough for the script, and no fio.
    let tools = tempfile::tempdir().unwrap();
    for tool in ["bash", "dirname", "grep", "env", "stat"] {
        let found = Command::new("sh")
            .args(["-c", "command -v \"$0\"", tool])
            .output()
            .unwrap();
        std::os::unix::fs::symlink(text(&found.stdout).trim(), tools.path().join(tool)).unwrap();
    }
    let work = env!("CARGO_TARGET_TMPDIR");
    let args = ["--runs", "1", "--only", "log", "--workdir", work];
    let output = versus(tools.path().to_str(), &args);
    let (said, noted) = (text(&output.stdout), text(&output.stderr));
    assert!(output.status.success(), "{noted}");
    let missing = "fio is missing (Debian package fio)";
    assert!(said.contains(&format!("| {missing} |")), "{said}");
    assert!(noted.contains(missing), "{noted}");
    let loops = said
        .lines()
        .filter(|line| line.contains("| a loop around write(2) |"));
    assert_eq!(
        loops.filter(|row| row.contains(" to ")).count(),
        2,
        "{said}"
    );
    assert!(!said.contains("## Judging"), "{said}");
}

#[test]
fn a_wrong_command_is_refused() {
    for (args, word) in [
        (&["--runs", "0"][..], "--runs"),
        (&["--only", "weather"], "weather"),
        (&["--workdir", "/no/such/folder"], "/no/such/folder"),
        (&["--no-such-flag"], "--no-such-flag"),
    ] {
        let output = versus(None, args);
        assert_eq!(output.status.code(), Some(2), "{args:?}");
        assert!(
            text(&output.stderr).contains(word),
            "{}",
            text(&output.stderr)
        );
    }
}
