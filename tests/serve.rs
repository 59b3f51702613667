//! Services in scenarios: readiness, stop, daemons, loads outside, what they say of themselves; and
//! a clear end, with nothing left, of those that misbehave.

mod common;

use std::path::Path;

use memtide::recording::{self, EventKind, Recording, StepResult};
use memtide::scenario::Outcome;

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

fn outcome(recording: &Recording) -> (Outcome, String) {
    let footer = recording.footer.as_ref().expect("a footer");
    (footer.outcome, footer.reason.clone())
}

/// Seconds that no other process sleeps.
fn seconds(n: u32) -> String {
    format!(
        "{}",
        1_000_000_000 + u64::from(std::process::id()) * 10 + u64::from(n)
    )
}

fn sleeps(seconds: &str) -> bool {
    let processes = std::fs::read_dir("/proc").unwrap();
    processes.filter_map(Result::ok).any(|entry| {
        let line = std::fs::read(entry.path().join("cmdline")).unwrap_or_default();
        String::from_utf8_lossy(&line).contains(seconds)
    })
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

/// `memtide record` with these options and command; its code, what it said, and the recording.
fn record(dir: &Path, options: &[&str], command: &[&str]) -> (Option<i32>, String, Recording) {
    let file = dir.join("r.jsonl");
    let output = common::memtide()
        .args(["record", "--limit", "64MiB", "--workdir"])
        .arg(dir)
        .arg("--out")
        .arg(&file)
        .args(options)
        .arg("--")
        .args(command)
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    let read = recording::read_path(&file).unwrap_or_else(|e| panic!("{e}: {said}"));
    std::fs::remove_file(&file).unwrap();
    (output.status.code(), said, read)
}

#[test]
fn record_gives_a_command_another_users_rights_and_keeps_its_output() {
    if !common::can_manage("another user") {
        return;
    }
    let dir = tempfile::tempdir_in("/var/tmp").unwrap();
    let kept = dir.path().join("said");
    let kept_text = kept.to_str().unwrap();
    let output = || std::fs::read_to_string(&kept).unwrap();
    if nix::unistd::geteuid().is_root() {
        let options = ["--user", "nobody", "--output", kept_text];
        let (code, said, _) = record(dir.path(), &options, &["sh", "-c", "id -un; id -u >&2"]);
        assert_eq!(code, Some(0), "{said}");
        assert_eq!(output().lines().next(), Some("nobody"));
        // A service has the same rights, and so has what it starts.
        let serve = "id -un; touch here; (id -un); sleep 1000";
        let options = ["--user", "nobody", "--load", "sleep 0.2"];
        let (code, said, read) = record(dir.path(), &options, &["sh", "-c", serve]);
        assert_eq!(
            (code, outcome(&read).0),
            (Some(0), Outcome::Survived),
            "{said}"
        );
    }
    let (code, _, read) = record(
        dir.path(),
        &["--output", kept_text],
        &["sh", "-c", "echo one; echo two >&2; exit 7"],
    );
    assert_eq!(code, Some(7));
    assert_eq!(output(), "one\ntwo\n");
    let (_, reason) = outcome(&read);
    assert!(
        reason.contains("two"),
        "the output's end is not told: {reason}"
    );
    let (code, said, _) = {
        let none = ["--user", "no-such-user"];
        let output = common::memtide()
            .args(["record", "--limit", "64MiB"])
            .args(none)
            .args(["--", "true"])
            .output()
            .unwrap();
        (
            output.status.code(),
            String::from_utf8_lossy(&output.stderr).into_owned(),
            (),
        )
    };
    assert_ne!(code, Some(0));
    assert!(said.contains("no user no-such-user"), "{said}");
}

#[test]
fn record_gives_a_free_port_and_stops_with_the_signal_asked_for() {
    if !common::can_manage("a recorded service") {
        return;
    }
    let dir = tempfile::tempdir_in("/var/tmp").unwrap();
    let seen = dir.path().join("seen");
    let script = format!(
        "trap 'echo int >> {seen}; exit 0' INT; echo $PORT > {seen}; echo up; while :; do sleep 0.1; done",
        seen = seen.display()
    );
    let load = format!("echo $PORT >> {}", seen.display());
    let options = [
        "--env-port",
        "PORT",
        "--stop-signal",
        "INT",
        "--ready",
        "line:up",
        "--load",
        &load,
    ];
    let (code, said, read) = record(dir.path(), &options, &["sh", "-c", &script]);
    assert_eq!(code, Some(0), "{said}");
    assert_eq!(outcome(&read).0, Outcome::Survived);
    let text = std::fs::read_to_string(&seen).unwrap();
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(lines.len(), 3, "{text}");
    assert!(lines[0].parse::<u16>().is_ok_and(|port| port > 0), "{text}");
    assert_eq!((lines[0], lines[2]), (lines[1], "int"));
}

/// A shell without job control starts what is in the background with SIGINT ignored, and children inherit that.
#[test]
fn a_service_of_a_background_job_hears_its_stop_signal_and_its_output_is_kept() {
    if !common::can_manage("a service of a background job") {
        return;
    }
    let dir = tempfile::tempdir_in("/var/tmp").unwrap();
    let script =
        "trap 'echo stopped; exit 0' INT; echo up; echo why >&2; while :; do sleep 0.1; done";
    let record = |output: &str| {
        let out = std::process::Command::new("sh")
            .args(["-c", "trap '' INT QUIT; exec \"$@\"", "sh"])
            .arg(env!("CARGO_BIN_EXE_memtide"))
            .args(["record", "--limit", "64MiB", "--stop-signal", "INT"])
            .args(["--ready", "line:up", "--load", "true", "--output", output])
            .args(["--workdir", ".", "--out", "r.jsonl", "--", "sh", "-c"])
            .arg(script)
            .current_dir(dir.path())
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&out.stderr).into_owned();
        (out.status.code(), said)
    };
    let (code, said) = record("said");
    assert_eq!(code, Some(0), "{said}");
    assert!(!said.contains("did not stop"), "{said}");
    let kept = std::fs::read_to_string(dir.path().join("said")).unwrap();
    let mut lines: Vec<&str> = kept.lines().collect();
    lines.sort_unstable();
    assert_eq!(lines, ["stopped", "up", "why"]);
    // A file that can't be made is told before anything runs.
    let (code, said) = record("none/said");
    assert_ne!(code, Some(0));
    assert!(said.contains("making the output's file"), "{said}");
}

#[test]
fn a_recorded_service_that_misbehaves_comes_to_a_clear_end() {
    if !common::can_manage("hostile recorded services") {
        return;
    }
    let dir = tempfile::tempdir_in("/var/tmp").unwrap();
    let long = seconds(5);
    let sleep = format!("sleep {long}");
    let full = "echo up; dd if=/dev/zero of=/dev/full";
    let away = format!("setsid sleep {long} >/dev/null 2>&1 & exit 0");
    let failed = Outcome::Failed;
    let mute = format!("echo no configuration >&2; exec {sleep}");
    let cases: [(&str, &str, Outcome, &str); 8] = [
        (
            &mute,
            "port:{port}",
            failed,
            "end of its output: no configuration",
        ),
        (
            &mute,
            "line:up",
            failed,
            "end of its output: no configuration",
        ),
        (&sleep, "port:{port}", failed, "nothing listens"),
        ("exit 5", "port:{port}", failed, "exit code 5"),
        ("kill -KILL $$", "line:up", Outcome::Killed, "SIGKILL"),
        (full, "line:up", failed, "No space left"),
        (
            "echo up; sleep 0.2; exit 0",
            "line:up",
            failed,
            "ended while it should serve",
        ),
        (&away, "cmd:true", Outcome::Survived, ""),
    ];
    for (script, ready, want, expected) in cases {
        let options = [
            "--ready",
            ready,
            "--ready-within",
            "1s",
            "--load",
            "sleep 1",
        ];
        let (_, said, read) = record(dir.path(), &options, &["sh", "-c", script]);
        let (got, reason) = outcome(&read);
        assert_eq!(got, want, "{script}: {reason}: {said}");
        assert!(reason.contains(expected), "{script}: {reason}");
        assert!(!sleeps(&long), "{script}: it is left");
    }
}

/// It would be ready at once, its load would go to somebody else, and all of it would look well.
#[test]
fn a_port_that_others_listen_on_is_no_readiness() {
    if !common::can_manage("a port in use") {
        return;
    }
    let dir = tempfile::tempdir_in("/var/tmp").unwrap();
    let other = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let ready = format!("port:{}", other.local_addr().unwrap().port());
    let began = dir.path().join("began");
    let script = format!("touch {}; sleep 1000", began.display());
    let options = ["--ready", &ready, "--load", "sleep 0.1"];
    let (code, said, read) = record(dir.path(), &options, &["sh", "-c", &script]);
    assert_eq!(code, Some(1), "{said}");
    let (got, reason) = outcome(&read);
    assert_eq!(got, Outcome::Failed);
    assert!(
        reason.contains("something else listens on port"),
        "{reason}"
    );
    assert!(!began.exists(), "the service was started");
}

#[test]
fn what_a_recording_lacks_is_said() {
    if !common::can_manage("a silent truth") {
        return;
    }
    let dir = tempfile::tempdir_in("/var/tmp").unwrap();
    let asked = dir.path().join("asked");
    std::fs::create_dir(&asked).unwrap();
    let asked = asked.display();
    let truths = [
        ("five", "echo 5", ""),
        ("bad", "echo out of order >&2; exit 1", ""),
        ("none", "echo nothing", ",match=used:"),
    ]
    .map(|(name, does, after)| {
        format!("{name}=cmd:echo >> {asked}/{name}; {does}{after},every=10ms")
    });
    // A second question comes when the first answer is known.
    let twice =
        |name: &str| format!("until test $(wc -l < {asked}/{name}) -ge 2; do sleep 0.05; done");
    let load = ["five", "bad", "none"].map(twice).join("; ");
    let mut options = vec!["--load", &load];
    for truth in &truths {
        options.extend(["--truth", truth.as_str()]);
    }
    let (code, said, read) = record(dir.path(), &options, &["sleep", "1000"]);
    assert_eq!(code, Some(0), "{said}");
    let warned = |word: &str| {
        said.lines()
            .any(|l| l.contains("warning:") && l.contains(word))
    };
    assert!(
        warned("truth:bad has no value") && warned("out of order"),
        "{said}"
    );
    assert!(warned("truth:none has no value"), "{said}");
    assert!(!warned("truth:five"), "{said}");
    let codes = read.events.iter().filter_map(|event| match &event.kind {
        EventKind::Warning { code, .. } => Some(code.as_str()),
        _ => None,
    });
    assert_eq!(codes.collect::<Vec<_>>(), ["no_truth"; 2]);

    // A daemon that a command leaves is ended with it, and that is told.
    let long = seconds(7);
    let script = format!("setsid sleep {long} >/dev/null 2>&1 & sleep 0.2; exit 0");
    let (code, said, _) = record(dir.path(), &[], &["sh", "-c", &script]);
    assert_eq!(code, Some(0), "{said}");
    assert!(
        said.contains("processes that the command left running"),
        "{said}"
    );
    assert!(!sleeps(&long), "it is left");
    let (_, said, _) = record(dir.path(), &[], &["sleep", "0.1"]);
    assert!(!said.contains("left running"), "{said}");
}
