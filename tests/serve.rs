//! Services in scenarios: readiness, stop, daemons, loads outside, what they say of themselves; and
//! a clear end, with nothing left, of those that misbehave.

mod common;
#[path = "support/services.rs"]
mod services;

use std::path::Path;

use memtide::recording::{self, Event, EventKind, Recording, StepResult};
use memtide::scenario::Outcome;
use services::{outcome, seconds, sleeps};

/// A scenario with one service (the inside of `[actor.step.serve]`) and one client outside.
fn scenario(serve: &str, client: &str) -> String {
    format!(
        r#"
title = "A service"
story = "For a test."
limit = "64MiB"
deadline = "60s"
[truth]
class = "healthy"
fire = false
why = "a test"
[[actor]]
name = "service"
[[actor.step]]
name = "serve"
[actor.step.serve]
{serve}
[[actor]]
name = "client"
outside = true
[[actor.step]]
name = "use"
after = "service/serve"
{client}
[[expect]]
value = "usage"
at = "end"
at_most = "100%"
why = "a test"
"#
    )
}

/// Runs it; a number that is in no other command line tells what is left of it.
fn run(dir: &Path, text: &str) -> Recording {
    let file = dir.join("s.toml");
    std::fs::write(&file, text).unwrap();
    // Every test has a folder of its own.
    let folder = dir.join("out");
    let out = folder.join("s.jsonl");
    let output = common::memtide()
        .args(["run", "--out"])
        .arg(&folder)
        .arg("--workdir")
        .arg(dir)
        .arg(&file)
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(out.exists(), "{said}");
    let recording = recording::read_path(&out).unwrap();
    std::fs::remove_dir_all(&folder).unwrap();
    recording
}

#[test]
fn a_service_serves_until_its_client_is_done_and_its_row_shows_it_serving() {
    if !common::can_manage("a service") {
        return;
    }
    let dir = tempfile::tempdir_in("/var/tmp").unwrap();
    let long = seconds(0);
    let script = format!("echo 4321 > said; echo almost; echo it is ready; sleep {long}");
    let serve = format!(
        r#"command = ["sh", "-c", "{script}"]
ready = {{ line = "is ready", command = ["test", "-e", "said"] }}
truth.held = {{ file = "said", unit = "1KiB", every = "50ms" }}"#
    );
    let recording = run(dir.path(), &scenario(&serve, "sleep = \"1s\""));
    let (outcome, reason) = outcome(&recording);
    assert_eq!(outcome, Outcome::Survived, "{reason}");
    assert!(!sleeps(&long), "the service is left");
    let columns = recording.header.groups.iter().flat_map(|g| &g.columns);
    let later = recording.tables.iter().flat_map(|t| &t.columns);
    assert!(
        columns.chain(later).any(|c| c == "truth:held"),
        "what it says of itself has no column"
    );
    let ends: Vec<&str> = recording
        .events
        .iter()
        .filter_map(|event| match &event.kind {
            EventKind::StepEnd(end) => {
                assert_eq!(end.result, StepResult::Done, "{}", end.id.step);
                Some(end.id.step.as_str())
            }
            EventKind::Warning { code, text } => {
                assert_ne!(code, "stop_ignored", "{text}");
                None
            }
            _ => None,
        })
        .collect();
    assert_eq!(ends, ["use", "serve"]);
}

#[test]
fn a_service_that_is_never_ready_or_dies_at_once_ends_the_run_with_its_reason() {
    if !common::can_manage("services that fail") {
        return;
    }
    let dir = tempfile::tempdir_in("/var/tmp").unwrap();
    let long = seconds(1);
    let sleep = format!("command = [\"sleep\", \"{long}\"]");
    let late = "within = \"200ms\"";
    let cases = [
        (
            format!("{sleep}\nready = {{ port = \"{{port}}\", {late} }}"),
            "nothing listens on port",
        ),
        (
            format!("{sleep}\nready = {{ line = \"never\", {late} }}"),
            "line that was awaited",
        ),
        (
            format!("{sleep}\nready = {{ command = [\"false\"], {late} }}"),
            "\"false\"",
        ),
        (
            "command = [\"sh\", \"-c\", \"echo bad config; exit 3\"]\nready = { port = \"{port}\" }".into(),
            "bad config",
        ),
        (
            "command = [\"/no/such/server\"]\nready = { port = \"{port}\" }".into(),
            "cannot start",
        ),
        (
            "command = [\"true\"]\nready = { port = \"{port}\" }".into(),
            "ended before it was ready",
        ),
        (
            "command = [\"true\"]\nuser = \"no-such-user\"".into(),
            "no user no-such-user",
        ),
    ];
    for (serve, expected) in cases {
        let recording = run(dir.path(), &scenario(&serve, "sleep = \"1h\""));
        let (outcome, reason) = outcome(&recording);
        assert_eq!(outcome, Outcome::Failed, "{serve}: {reason}");
        assert!(reason.contains(expected), "{serve}: {reason}");
        assert!(!sleeps(&long), "{serve}: it is left");
    }
}

#[test]
fn a_service_that_dies_while_it_serves_or_has_no_room_is_a_failure() {
    if !common::can_manage("services that die") {
        return;
    }
    let dir = tempfile::tempdir_in("/var/tmp").unwrap();
    for (script, expected) in [
        ("sleep 0.3; dd if=/dev/zero of=/dev/full", "No space left"),
        ("sleep 0.3; kill -SEGV $$", "SIGSEGV"),
        ("sleep 0.3", "ended while it should serve"),
    ] {
        let serve = format!("command = [\"sh\", \"-c\", \"{script}\"]");
        let recording = run(dir.path(), &scenario(&serve, "sleep = \"2s\""));
        let (outcome, reason) = outcome(&recording);
        assert_eq!(outcome, Outcome::Failed, "{script}: {reason}");
        assert!(reason.contains(expected), "{script}: {reason}");
    }
}

#[test]
fn a_service_that_ignores_its_stop_signal_is_killed_and_that_is_told() {
    if !common::can_manage("a service that ignores signals") {
        return;
    }
    let dir = tempfile::tempdir_in("/var/tmp").unwrap();
    let long = seconds(2);
    let script = format!("trap '' TERM; echo ready; while :; do sleep {long}; done");
    let serve = format!(
        "command = [\"sh\", \"-c\", \"{script}\"]\nready.line = \"ready\"\nstop_within = \"300ms\""
    );
    let recording = run(dir.path(), &scenario(&serve, "sleep = \"100ms\""));
    let (outcome, reason) = outcome(&recording);
    assert_eq!(outcome, Outcome::Survived, "{reason}");
    let told = recording.events.iter().any(
        |event| matches!(&event.kind, EventKind::Warning { code, .. } if code == "stop_ignored"),
    );
    assert!(told, "nothing tells that it had to be killed");
    assert!(!sleeps(&long), "it is left");
}

#[test]
fn a_daemon_that_forks_away_is_followed_and_stopped() {
    if !common::can_manage("a daemon") {
        return;
    }
    let dir = tempfile::tempdir_in("/var/tmp").unwrap();
    let long = seconds(3);
    // A session of its own, its parent gone: what every classic daemon does.
    let script = format!("setsid sleep {long} >/dev/null 2>&1 & exit 0");
    let serve = format!("command = [\"sh\", \"-c\", \"{script}\"]");
    let client = format!(
        "exec = {{ command = [\"sh\", \"-c\", \"sleep 1; cat /proc/[0-9]*/cmdline 2>/dev/null | grep -q -a {long}\"] }}"
    );
    let recording = run(dir.path(), &scenario(&serve, &client));
    let (outcome, reason) = outcome(&recording);
    assert_eq!(outcome, Outcome::Survived, "{reason}");
    assert!(!sleeps(&long), "the daemon is left");
}

#[test]
fn what_works_outside_is_not_charged_to_the_container() {
    if !common::can_manage("a client outside") {
        return;
    }
    let dir = tempfile::tempdir_in("/var/tmp").unwrap();
    let serve = "command = [\"sleep\", \"100\"]";
    // Half as much again as the container may hold.
    let recording = run(dir.path(), &scenario(serve, "anon = { size = \"96MiB\" }"));
    let (outcome, reason) = outcome(&recording);
    assert_eq!(outcome, Outcome::Survived, "{reason}");
}

/// A shell that holds 20 MB and then says so; its parent has ended by then, as a daemon's has.
fn holder(long: &str) -> String {
    format!(
        "(x=$(head -c 20000000 /dev/zero | tr '\\\\0' a); echo holds; sleep {long}; echo ${{#x}}) & exit 0"
    )
}

#[test]
fn smaps_and_proc_are_those_of_the_service_and_not_of_its_worker() {
    if !common::can_manage("smaps of a service") {
        return;
    }
    let dir = tempfile::tempdir_in("/var/tmp").unwrap();
    let long = seconds(4);
    let serve = format!(
        r#"command = ["sh", "-c", "{}"]
ready.line = "holds"
truth.resident = {{ proc = "status", match = "VmRSS:", unit = "1KiB", every = "50ms" }}"#,
        holder(&long)
    );
    let recording = run(dir.path(), &scenario(&serve, "sleep = \"1s\""));
    let (outcome, reason) = outcome(&recording);
    assert_eq!(outcome, Outcome::Survived, "{reason}");
    assert!(!sleeps(&long), "it is left");
    let least = 19_000_000;
    let held = recording.tables.iter().find_map(|table| {
        let column = table.column("truth:resident")?;
        (0..table.len())
            .filter_map(|at| table.get(at, column))
            .max()
    });
    assert!(held.is_some_and(|bytes| bytes >= least), "{held:?}");
    let smaps = recording.events.iter().find_map(|event| match &event.kind {
        EventKind::StepEnd(end) if end.id.step == "serve" => Some(&end.smaps),
        _ => None,
    });
    let smaps = smaps.expect("the service's step ended");
    // Linux before 4.14 has no smaps_rollup.
    if Path::new("/proc/self/smaps_rollup").exists() {
        assert!(
            smaps.get("Rss").is_some_and(|rss| rss >= least),
            "{smaps:?}"
        );
    }
}

fn marks(recording: &Recording) -> Vec<&str> {
    let kinds = recording.events.iter().map(|event| &event.kind);
    kinds
        .filter_map(|kind| match kind {
            EventKind::Mark { text } => Some(text.as_str()),
            _ => None,
        })
        .collect()
}

#[test]
fn a_mark_of_the_load_is_in_the_recording_and_is_the_onset() {
    if !common::can_manage("marks") {
        return;
    }
    let dir = tempfile::tempdir_in("/var/tmp").unwrap();
    let memtide = env!("CARGO_BIN_EXE_memtide");
    let script = format!("sleep 0.5; {memtide} mark 'load on'; {memtide} mark second");
    let client = format!("exec = {{ command = [\"sh\", \"-c\", \"{script}\"] }}");
    let text = scenario("command = [\"sleep\", \"100\"]", &client).replace(
        "class = \"healthy\"\nfire = false",
        "class = \"leak\"\nfire = true\nonset = \"mark:load on\"",
    );
    let recording = run(dir.path(), &text);
    assert_eq!(marks(&recording), ["load on", "second"]);
    let at = recording.events.iter().find_map(|event| match &event.kind {
        EventKind::Mark { .. } => Some(event.t),
        _ => None,
    });
    let parsed = memtide::scenario::parse(&text, "s.toml", "s").unwrap();
    let truth = memtide::judge::truth::from_scenario(&parsed, &recording).unwrap();
    assert_eq!(Some(truth.onset_ns), at);
    assert!(truth.onset_ns >= 500_000_000, "{}", truth.onset_ns);
    let lacks = |recording: &Recording| {
        let is_said = |event: &Event| matches!(&event.kind, EventKind::Warning { text, .. } if text.contains("did not come"));
        recording.events.iter().any(is_said)
    };
    assert!(!lacks(&recording));
    let other = run(dir.path(), &text.replace("mark:load on", "mark:load off"));
    assert!(lacks(&other), "nothing tells that its onset is missing");

    // The same from a recorded command itself, by another name of its environment it is not.
    let file = dir.path().join("m.jsonl");
    let output = common::memtide()
        .args(["record", "--limit", "64MiB", "--out"])
        .arg(&file)
        .args(["--", "sh", "-c"])
        .arg(format!("{memtide} mark from-inside; {memtide} mark ''"))
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{said}");
    assert!(said.contains("1 to 200 bytes"), "{said}");
    assert_eq!(
        marks(&recording::read_path(&file).unwrap()),
        ["from-inside"]
    );
}

#[test]
fn a_mark_outside_of_a_run_says_what_it_is_for() {
    for (variable, expected) in [
        (None, "MEMTIDE_MARK is not set"),
        (Some("memtide-0-0-0-mark"), "has it ended?"),
    ] {
        let mut command = common::memtide();
        command.args(["mark", "x"]).env_remove("MEMTIDE_MARK");
        command.envs(variable.map(|name| ("MEMTIDE_MARK", name)));
        let output = command.output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(3), "{said}");
        assert!(said.contains(expected), "{said}");
    }
}
