//! The course shows what its commands print: every ```console block of docs/course.md is run.
//! `MEMTIDE_UPDATE=1 cargo test --test course` writes the blocks anew.

use std::path::Path;
use std::process::Command;

const COURSE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/course.md");
const OPEN: &str = "```console\n";
const CLOSE: &str = "```\n";

/// What a line of a block prints, with this build as `memtide`.
fn run(command: &str) -> String {
    let bin = Path::new(env!("CARGO_BIN_EXE_memtide")).parent().unwrap();
    let path = std::env::var("PATH").unwrap_or_default();
    let out = Command::new("sh")
        .args(["-c", command])
        .env("PATH", format!("{}:{path}", bin.display()))
        .env("TERM", "dumb")
        .output()
        .unwrap();
    assert!(out.status.success(), "{command}: {out:?}");
    let text = String::from_utf8(out.stdout).unwrap();
    let lines: Vec<&str> = text.lines().map(str::trim_end).collect();
    format!("{}\n", lines.join("\n").trim_end())
}

#[test]
fn the_course_shows_what_its_commands_print() {
    let text = std::fs::read_to_string(COURSE).unwrap();
    let mut fresh = String::new();
    let mut blocks = 0;
    for (i, part) in text.split(OPEN).enumerate() {
        if i == 0 {
            fresh += part;
            continue;
        }
        let (block, rest) = part.split_once(CLOSE).expect("a block is closed");
        let command = block
            .lines()
            .next()
            .unwrap()
            .strip_prefix("$ ")
            .expect("a block has a command");
        fresh += &format!("{OPEN}$ {command}\n{}{CLOSE}{rest}", run(command));
        blocks += 1;
    }
    assert!(blocks >= 6, "{blocks}");
    if std::env::var_os("MEMTIDE_UPDATE").is_some() {
        std::fs::write(COURSE, &fresh).unwrap();
    }
    let now = std::fs::read_to_string(COURSE).unwrap();
    for (is, should) in now.lines().zip(fresh.lines()) {
        assert_eq!(is, should, "run this test with MEMTIDE_UPDATE=1");
    }
    assert_eq!(now, fresh);
}

/// Commands and scenarios that the course only names.
#[test]
fn what_the_course_refers_to_is_there() {
    let text = std::fs::read_to_string(COURSE).unwrap();
    let docs = Path::new(COURSE).parent().unwrap();
    for link in text.split("](").skip(1) {
        let target = link.split(')').next().unwrap();
        assert!(docs.join(target).exists(), "{target}");
    }
    for command in text.split("memtide show ").skip(1) {
        let name = command.split([' ', '`']).next().unwrap();
        assert!(memtide::scenario::find(name).is_some(), "{name}");
    }
    for command in text.split("memtide demo ").skip(1) {
        let mut words = command.split_whitespace();
        let name = words.next().unwrap();
        if let Some("--setup") = words.next() {
            let setup = words.next().unwrap();
            assert!(
                memtide::shipped::find(setup, name).is_some(),
                "{setup}/{name}"
            );
        }
    }
}
