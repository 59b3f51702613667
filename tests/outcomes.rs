//! The outcome is right, whoever was killed and whoever waited for it: real cgroups, real kills.

mod common;

use std::path::Path;
use std::process::Output;

use memtide::recording::{self, Recording};
use memtide::scenario::Outcome;

/// Allocates and touches three times the limit, in a process of its own; without Python in dd's buffer.
const HOG: &str = "dd if=/dev/zero of=/dev/null bs=100M count=1 2>/dev/null";

fn record(dir: &Path, script: &str) -> (Output, Recording) {
    let file = dir.join("r.jsonl");
    let output = common::memtide()
        .args(["record", "--limit", "32MiB", "--interval", "1s", "--out"])
        .arg(&file)
        .args(["--", "sh", "-c", script])
        .output()
        .unwrap();
    let recording = recording::read_path(&file).unwrap();
    (output, recording)
}

fn outcome(recording: &Recording) -> (Outcome, String) {
    let footer = recording.footer.as_ref().expect("a footer");
    (footer.outcome, footer.reason.clone())
}

#[test]
fn a_parent_that_outlives_its_killed_child_does_not_hide_the_kill() {
    if !common::can_manage("kills of children") {
        return;
    }
    let dir = tempfile::tempdir_in("/var/tmp").unwrap();
    let cases = [
        // A shell that waits and says that all is well, one that fails, one that passes it on.
        (format!("{HOG}; exit 0"), 0),
        (format!("{HOG}; exit 3"), 3),
        (HOG.to_string() + "; exit $?", 137),
        // A child that nobody waits for: the shell ends once the child is gone.
        (
            format!("{HOG} & pid=$!; while kill -0 $pid 2>/dev/null; do :; done; exit 0"),
            0,
        ),
        // A supervisor that starts it anew.
        (format!("for i in 1 2 3; do {HOG}; done; exit 0"), 0),
        // A grandchild.
        (format!("sh -c '{HOG}; exit 0'; exit 0"), 0),
    ];
    for (script, code) in cases {
        let (output, recording) = record(dir.path(), &script);
        let (outcome, reason) = outcome(&recording);
        assert_eq!(outcome, Outcome::OomKilled, "{script}: {reason}");
        assert_eq!(output.status.code(), Some(code), "{script}");
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(said.contains("oom_killed"), "{script}: {said}");
        let containers = &recording.footer.as_ref().unwrap().containers;
        assert_eq!(containers.len(), 1, "{script}");
        assert_eq!(containers[0].outcome, Outcome::OomKilled, "{script}");
    }
}

#[test]
fn what_was_not_the_oom_killer_is_not_called_so() {
    if !common::can_manage("other ends") {
        return;
    }
    let dir = tempfile::tempdir_in("/var/tmp").unwrap();
    for (script, want) in [
        ("exit 0", Outcome::Survived),
        ("exit 3", Outcome::Failed),
        ("exit 137", Outcome::Failed),
        ("kill -KILL $$", Outcome::Killed),
        ("kill -TERM $$", Outcome::Failed),
        ("kill -SEGV $$", Outcome::Failed),
        // Its child's SIGKILL is the shell's own affair.
        ("sleep 60 & kill -KILL $!; wait; exit 0", Outcome::Survived),
    ] {
        let (_, recording) = record(dir.path(), script);
        let (outcome, reason) = outcome(&recording);
        assert_eq!(outcome, want, "{script}: {reason}");
    }
}

#[test]
fn each_of_two_containers_has_its_own_outcome() {
    if !common::can_manage("two containers") {
        return;
    }
    let dir = tempfile::tempdir_in("/var/tmp").unwrap();
    let file = dir.path().join("two.toml");
    let toml = r#"
title = "Two containers, and one of them is killed"
story = "For a test."
[truth]
class = "leak"
fire = true
onset = "greedy/main/grow"
why = "a test"
[[container]]
name = "quiet"
limit = "64MiB"
[[container.actor]]
name = "main"
[[container.actor.step]]
name = "hold"
say = "holds"
anon = { size = "8MiB" }
[[container]]
name = "greedy"
limit = "64MiB"
[[container.actor]]
name = "main"
[[container.actor.step]]
name = "grow"
say = "grows"
anon = { size = "200%" }
[[outcome]]
is = ["oom_killed"]
why = "twice the limit"
"#;
    std::fs::write(&file, toml).unwrap();
    let output = common::memtide()
        .args(["run", "--out"])
        .arg(dir.path())
        .arg(&file)
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(0), "{said}");
    let recording = recording::read_path(&dir.path().join("two.jsonl")).unwrap();
    let (outcome, reason) = outcome(&recording);
    assert_eq!(outcome, Outcome::OomKilled);
    assert!(reason.contains("greedy"), "{reason}");
    let footer = recording.footer.as_ref().unwrap();
    let of = |name: &str| {
        let of = footer.containers.iter().find(|c| c.container == name);
        of.map(|c| c.outcome)
    };
    assert_eq!(of("quiet"), Some(Outcome::Survived));
    assert_eq!(of("greedy"), Some(Outcome::OomKilled));
}

/// Shell parents, supervisors, children that nobody waits for, a service and a command that somebody
/// kills, two containers: the same files are run on cgroup v2 by scripts/kernels.
#[test]
fn the_files_of_other_kernels_end_here_as_they_say() {
    if !common::can_manage("outcomes of scenarios") {
        return;
    }
    let dir = tempfile::tempdir_in("/var/tmp").unwrap();
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/kernels");
    let mut names: Vec<String> = std::fs::read_dir(folder.clone())
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| name.starts_with("outcome-"))
        .collect();
    names.sort();
    assert!(names.len() >= 9, "{names:?}");
    let output = common::memtide()
        .args(["run", "--out"])
        .arg(dir.path())
        .args(names.iter().map(|name| folder.join(name)))
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    let shown = String::from_utf8_lossy(&output.stdout).into_owned();
    assert_eq!(output.status.code(), Some(0), "{said}{shown}");
    let of = |name: &str| {
        let file = dir.path().join(format!("outcome-{name}.jsonl"));
        let footer = recording::read_path(&file).unwrap().footer.unwrap();
        let containers: Vec<_> = footer
            .containers
            .iter()
            .map(|c| (c.container.clone(), c.outcome))
            .collect();
        (footer.reason, containers)
    };
    for (name, other) in [
        ("two-killed", Outcome::Killed),
        ("two-oom", Outcome::OomKilled),
    ] {
        let (reason, containers) = of(name);
        let want = [("quiet", Outcome::Survived), ("other", other)];
        assert_eq!(containers, want.map(|(n, o)| (n.to_string(), o)));
        assert!(reason.contains("other"), "{reason}");
    }
    let (reason, _) = of("service-killed");
    assert!(
        reason.contains("SIGKILL that memtide did not send"),
        "{reason}"
    );
    assert!(!reason.contains("OOM killer"), "{reason}");
}
