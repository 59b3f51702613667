//! docs/scorecards.md is what the command in it prints today.

mod common;

use std::path::Path;
use std::process::Command;

/// The line before the generated part.
const BEGIN: &str = "<!-- BEGIN: scorecards";
const END: &str = "<!-- END: scorecards -->";

#[test]
fn the_tables_are_what_the_command_prints() {
    if Command::new("promtool").arg("--version").output().is_err() {
        common::skip("docs/scorecards.md", "promtool is not installed");
        return;
    }
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let text = std::fs::read_to_string(root.join("docs/scorecards.md")).unwrap();
    let (command, rest) = text
        .split_once(BEGIN)
        .unwrap()
        .1
        .split_once(" -->\n")
        .unwrap();
    let shown = rest.split_once(END).unwrap().0;
    // The command stands in the comment: "(made by: memtide judge ...)".
    let words = command
        .split_once("made by: memtide ")
        .unwrap()
        .1
        .split_whitespace();
    let output = common::memtide()
        .args(words)
        .current_dir(root)
        .output()
        .unwrap();
    let printed = String::from_utf8(output.stdout).unwrap();
    assert!(
        shown.trim() == printed.trim(),
        "docs/scorecards.md is out of date: run scripts/scorecards; printed now:\n{printed}"
    );
}
