//! The scripts that boot other kernels: clean by shellcheck, clear about wrong commands, and
//! fed by set-up files that say what they must.

mod common;

use std::path::{Path, PathBuf};
use std::process::Command;

fn scripts() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("scripts/kernels")
}

fn run(args: &[&str]) -> (Option<i32>, String, String) {
    let output = Command::new(scripts().join("run"))
        .args(args)
        .output()
        .unwrap();
    (
        output.status.code(),
        String::from_utf8_lossy(&output.stdout).into(),
        String::from_utf8_lossy(&output.stderr).into(),
    )
}

#[test]
fn a_wrong_scenario_is_told_before_anything_boots() {
    if !common::has_program("a wrong scenario for other kernels", "qemu-system-x86_64") {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("wrong.toml");
    std::fs::write(&file, "limt = 3").unwrap();
    let out = dir.path().join("out");
    let (code, _, err) = run(&[
        "--memtide",
        env!("CARGO_BIN_EXE_memtide"),
        "--out",
        out.to_str().unwrap(),
        file.to_str().unwrap(),
    ]);
    assert_eq!(code, Some(2), "{err}");
    assert!(
        err.contains("wrong.toml:1:1") && err.contains("limt"),
        "{err}"
    );
    assert!(!err.contains("start"), "{err}");
}

#[test]
fn shellcheck_has_nothing_to_say() {
    let files = ["run", "record", "guest/init"].map(|name| scripts().join(name));
    let Ok(output) = Command::new("shellcheck").arg("-x").args(files).output() else {
        common::skip(
            "scripts/kernels by shellcheck",
            "it is not installed (Debian package shellcheck)",
        );
        return;
    };
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stdout)
    );
}

#[test]
fn a_wrong_command_ends_with_2_and_says_what_would_be_right() {
    for (args, part) in [
        (&["--setup", "6.2-v3", "leak"][..], "6.12-v2-mglru"),
        (&["--jobs", "none", "leak"], "whole number"),
        (&["--jobs"], "needs a value"),
        (&["--colour", "red"], "no option --colour"),
        (&["./no-such.toml"], "no-such.toml"),
    ] {
        let (code, out, err) = run(args);
        assert_eq!(code, Some(2), "{args:?}: {err}");
        assert!(err.contains(part) && out.is_empty(), "{args:?}: {err}");
    }
    let (code, out, _) = run(&["--help"]);
    assert_eq!(code, Some(0));
    assert!(out.contains("--setup NAME"), "{out}");
}

/// A set-up that is a folder of recordings without a recipe can't be booted, and that is said.
#[test]
fn a_set_up_that_is_data_is_refused_in_words() {
    let recordings = Path::new(env!("CARGO_MANIFEST_DIR")).join("recordings");
    let mut refused = 0;
    for entry in std::fs::read_dir(&recordings).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap();
        // The host's own recordings are of a machine, not of a recipe: they are data elsewhere.
        if !path.is_dir() || scripts().join("setups").join(name).exists() {
            continue;
        }
        let (code, out, err) = run(&["--setup", name, "leak"]);
        assert_eq!(code, Some(2), "{name}: {err}");
        for part in [name, "is data", "no recipe"] {
            assert!(err.contains(part), "{name}: no {part:?} in {err}");
        }
        assert!(out.is_empty(), "{name}: {out}");
        refused += 1;
    }
    assert!(
        refused > 0,
        "every set-up can be booted: this test checks nothing"
    );
}

#[test]
fn every_set_up_says_which_kernel_and_which_memory_controller() {
    for entry in std::fs::read_dir(scripts().join("setups")).unwrap() {
        let path = entry.unwrap().path();
        let text = std::fs::read_to_string(&path).unwrap();
        assert!(
            text.starts_with("# "),
            "{path:?} has no line that says what it is"
        );
        if text.contains("where=host") {
            continue;
        }
        assert!(
            text.contains("\npackage=") || text.contains("\nkernel="),
            "{path:?} names no kernel"
        );
        assert!(
            text.contains("\ncgroup=v") && text.contains("\nlru="),
            "{path:?}"
        );
    }
}

/// What runs only where it is asked for can be asked for by name, and says how.
#[test]
fn set_ups_that_are_asked_for_are_known_by_name() {
    let mut asked = Vec::new();
    for entry in std::fs::read_dir(scripts().join("setups")).unwrap() {
        let path = entry.unwrap().path();
        let text = std::fs::read_to_string(&path).unwrap();
        if !text.lines().any(|line| line == "asked=1") {
            continue;
        }
        let name = path.file_name().unwrap().to_str().unwrap().to_string();
        assert!(text.contains(&format!("--setup {name}")), "{name}: {text}");
        let (code, out, err) = run(&["--setup", &name, "./no-such.toml"]);
        assert_eq!(code, Some(2), "{name}: {err}");
        assert!(
            err.contains("no-such.toml") && out.is_empty(),
            "{name}: {err}"
        );
        assert!(!err.contains("no set-up"), "{name}: {err}");
        asked.push(name);
    }
    for name in ["6.12-v2-group-kill", "6.12-v2-noswap"] {
        assert!(asked.iter().any(|one| one == name), "{asked:?}");
    }
}
