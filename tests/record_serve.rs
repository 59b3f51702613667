//! Services that `memtide record` starts, loads and stops: whose rights they have, what they print, and a clear end
//! of those that misbehave.

mod common;
#[path = "support/services.rs"]
mod services;

use std::path::Path;
use std::process::Child;
use std::time::Duration;

use memtide::recording::{self, EventKind, Recording};
use memtide::scenario::Outcome;
use nix::sys::signal::Signal;
use services::{outcome, seconds, sleeps};

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
    assert!(
        said.contains("making the output's file: none/said"),
        "{said}"
    );
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

/// A script beside the service, its configuration, `./load.sh`: all is found where `record` was called.
#[test]
fn a_service_its_load_and_what_is_asked_run_where_they_were_called() {
    if !common::can_manage("services with relative names") {
        return;
    }
    let dir = tempfile::tempdir_in("/var/tmp").unwrap();
    let here = dir.path().join("here");
    let work = dir.path().join("work");
    for folder in [&here, &work] {
        std::fs::create_dir(folder).unwrap();
    }
    for (name, does) in [
        ("serve", "pwd > served; echo up; exec sleep 1000"),
        ("ready", "test -e served && pwd > asked"),
        ("says", "pwd > told; echo 5"),
        // Until both truths were asked for.
        (
            "load",
            "until test -e told; do sleep 0.05; done; echo 7 > held; sleep 0.3; pwd > loaded",
        ),
    ] {
        use std::os::unix::fs::OpenOptionsExt;
        let mut script = std::fs::OpenOptions::new();
        let script = script.write(true).create(true).mode(0o755);
        let text = format!("#!/bin/sh\n{does}\n");
        std::io::Write::write_all(&mut script.open(here.join(name)).unwrap(), text.as_bytes())
            .unwrap();
    }
    let output = common::memtide()
        .args(["record", "--limit", "64MiB", "--workdir"])
        .arg(&work)
        .args([
            "--ready", "./ready", "--ready", "line:up", "--load", "./load",
        ])
        .args(["--truth", "said=cmd:./says,every=50ms"])
        .args(["--truth", "held=file:held,every=50ms"])
        .args(["--out", "r.jsonl", "--", "./serve"])
        .current_dir(&here)
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(0), "{said}");
    assert!(!said.contains("has no value"), "{said}");
    for told in ["served", "asked", "told", "loaded"] {
        let folder = std::fs::read_to_string(here.join(told)).unwrap();
        assert_eq!(Path::new(folder.trim_end()), here, "{told}");
    }
}

/// A load may go on for ever against a service that is gone.
#[test]
fn a_run_ends_with_its_service_however_long_the_load_would_go_on() {
    if !common::can_manage("services that end below a load") {
        return;
    }
    let dir = tempfile::tempdir_in("/var/tmp").unwrap();
    let long = seconds(1);
    let load = format!("sleep {long}; sleep {long}");
    let eats = "python3 -c 'x=bytearray(200<<20)'";
    for (script, want, expected) in [
        ("sleep 0.3; exit 5", Outcome::Failed, "exit code 5"),
        (
            "sleep 0.3; exit 0",
            Outcome::Failed,
            "ended while it should",
        ),
        ("sleep 0.3; kill -KILL $$", Outcome::Killed, "SIGKILL"),
        (eats, Outcome::OomKilled, "OOM killer"),
    ] {
        let (code, said, read) = record(dir.path(), &["--load", &load], &["sh", "-c", script]);
        let (got, reason) = outcome(&read);
        assert_eq!((code, got), (Some(1), want), "{script}: {reason}: {said}");
        assert!(reason.contains(expected), "{script}: {reason}");
        assert!(!sleeps(&long), "{script}: its load is left");
    }
}

/// No cgroup takes along what a load leaves.
#[test]
fn what_a_load_has_started_ends_with_it() {
    if !common::can_manage("what a load leaves") {
        return;
    }
    let dir = tempfile::tempdir_in("/var/tmp").unwrap();
    let long = seconds(2);
    for leaves in [
        format!("sleep {long} & exit 0"),
        format!("setsid sleep {long} & sleep 0.1; exit 0"),
        format!("(setsid sh -c 'sleep {long}; true' &) ; sleep 0.1; exit 0"),
    ] {
        let (code, said, _) = record(dir.path(), &["--load", &leaves], &["sleep", "1000"]);
        assert_eq!(code, Some(0), "{leaves}: {said}");
        assert!(!sleeps(&long), "{leaves}: it is left");
    }
}

#[test]
fn how_long_a_service_may_take_to_stop_can_be_said() {
    if !common::can_manage("a service that does not stop") {
        return;
    }
    let dir = tempfile::tempdir_in("/var/tmp").unwrap();
    let script = "trap '' TERM; echo up; while :; do sleep 0.1; done";
    let options = [
        "--stop-within",
        "300ms",
        "--ready",
        "line:up",
        "--load",
        "true",
    ];
    let (code, said, read) = record(dir.path(), &options, &["sh", "-c", script]);
    assert_eq!(code, Some(0), "{said}");
    assert_eq!(outcome(&read).0, Outcome::Survived);
    let told = "did not stop within 300 ms of SIGTERM and was killed; give another --stop-signal or a longer --stop-within";
    assert!(said.contains(told), "{said}");
}

/// What is served may be somebody's database.
#[test]
fn an_interrupted_recording_lets_its_service_stop() {
    if !common::can_manage("Ctrl-C while a service serves") {
        return;
    }
    let longest = Duration::from_secs(60);
    // `then` is done when the service has heard its signal.
    let stops = |script: &str, options: &[&str], then: &dyn Fn(&Child, &Path)| {
        let dir = tempfile::tempdir_in("/var/tmp").unwrap();
        let said = dir.path().join("said");
        let mut child = common::record_in(dir.path())
            .args(["--ready", "line:up", "--load", "touch loaded; sleep 1000"])
            .args(options)
            .args(["--", "sh", "-c", script])
            .stderr(std::fs::File::create(&said).unwrap())
            .spawn()
            .unwrap();
        let is_there = |name: &str| dir.path().join(name).exists();
        let loaded = common::wait_until(longest, || is_there("loaded"));
        common::signal(&child, Signal::SIGINT);
        if loaded && common::wait_until(longest, || is_there("stopping")) {
            then(&child, dir.path());
        }
        let code = child.wait().unwrap().code();
        let text = std::fs::read_to_string(&said).unwrap();
        assert!(loaded, "{text}");
        assert_eq!(code, Some(130), "{text}");
        let read = recording::read_path(&dir.path().join("memtide-sh.jsonl")).unwrap();
        assert_eq!(read.footer.unwrap().reason, "interrupted", "{text}");
        (is_there("stopped"), text)
    };
    let script = |last: &str| {
        format!("trap 'touch stopping; {last}' TERM; echo up; while :; do sleep 0.05; done")
    };
    let nothing = |_: &Child, _: &Path| {};
    // It takes longer than one look at it, and shorter than it may.
    let (stopped, text) = stops(&script("sleep 0.5; touch stopped; exit 0"), &[], &nothing);
    assert!(stopped && !text.contains("did not stop"), "{text}");
    let (_, text) = stops(&script("true"), &["--stop-within", "300ms"], &nothing);
    assert!(
        text.contains("did not stop within 300 ms of SIGTERM"),
        "{text}"
    );
    // Who asks twice does not want to wait: here an hour.
    let hour = ["--stop-within", "1h"];
    let again = |child: &Child, _: &Path| common::signal(child, Signal::SIGINT);
    let (_, text) = stops(&script("true"), &hour, &again);
    assert!(!text.contains("did not stop"), "{text}");
    // Who waits is told for what, and how to wait no longer.
    let when_told = |_: &Child, dir: &Path| {
        // Its own time, and what the kernel needs to take down what is killed then.
        let most = 3600 + memtide::descendants::PATIENCE.as_secs();
        let line =
            format!("waiting for what runs to stop, {most} s at most; Ctrl-C again kills it");
        let is_told = || {
            let said = std::fs::read_to_string(dir.join("said")).unwrap();
            said.contains(&line)
        };
        if common::wait_until(longest, is_told) {
            std::fs::write(dir.join("stopped"), "").unwrap();
        }
        std::fs::write(dir.join("enough"), "").unwrap();
    };
    let waits = script("until test -e enough; do sleep 0.05; done; exit 0");
    let (told, text) = stops(&waits, &hour, &when_told);
    assert!(told, "{text}");
}

/// As time(1) does: a command has its own end, whoever interrupts.
#[test]
fn an_interrupted_command_comes_to_its_own_end() {
    if !common::can_manage("a signal while a command runs") {
        return;
    }
    let ends = |script: &str, signals: &[Signal]| {
        let dir = tempfile::tempdir_in("/var/tmp").unwrap();
        let mut child = common::record_in(dir.path())
            .args(["--", "sh", "-c", script])
            .stderr(std::process::Stdio::null())
            .spawn()
            .unwrap();
        // Each is sent when what the one before leads to has happened.
        let mut all_came = true;
        for (signal, file) in signals.iter().zip(["up", "stopping"]) {
            let came = || dir.path().join(file).exists();
            all_came &= common::wait_until(Duration::from_secs(60), came);
            common::signal(&child, *signal);
        }
        let status = child.wait().unwrap();
        assert!(all_came, "{script}");
        let read = recording::read_path(&dir.path().join("memtide-sh.jsonl")).unwrap();
        assert_eq!(read.footer.unwrap().reason, "interrupted", "{script}");
        (status.code(), dir.path().join("stopped").exists())
    };
    let works = "touch up; while :; do sleep 0.05; done";
    let own = format!("trap 'sleep 0.5; touch stopped; exit 7' INT TERM; {works}");
    assert_eq!(ends(&own, &[Signal::SIGTERM]), (Some(7), true));
    assert_eq!(ends(&own, &[Signal::SIGINT]), (Some(7), true));
    assert_eq!(ends(works, &[Signal::SIGTERM]), (Some(128 + 15), false));
    // Who asks twice does not want to wait.
    let never = format!("trap 'touch stopping' TERM; {works}");
    assert_eq!(ends(&never, &[Signal::SIGTERM; 2]), (Some(130), false));
}
