//! Killed at any moment: every recording stays readable, and the next start leaves nothing behind.

mod common;
#[path = "support/services.rs"]
mod services;

use std::path::Path;
use std::process::{Child, Stdio};
use std::time::Duration;

use memtide::recording::{self, EventKind};
use nix::sys::signal::Signal;
use rand::rngs::Xoshiro256PlusPlus;
use rand::{RngExt, SeedableRng};

/// Half a second of everything a run makes: two containers, logs, heap, a reader that waits.
const SCENARIO: &str = r#"
title = "A short run for killing"
story = "Writes, reads and holds for half a second."
interval = "10ms"
[truth]
class = "page_cache"
fire = false
why = "a test"
[[container]]
name = "writer"
limit = "64MiB"
[[container.step]]
name = "heap"
say = "heap"
anon = { size = "8MiB" }
[[container.step]]
name = "log"
say = "log"
log_write = { total = "24MiB", line = "128B", rate = "60MiB/s" }
[[container]]
name = "reader"
limit = "64MiB"
[[container.step]]
name = "read"
say = "read"
after = ["log"]
file_read = { file = "app.log", passes = 2 }
"#;

fn start(dir: &Path) -> Child {
    let scenario = dir.join("short.toml");
    std::fs::write(&scenario, SCENARIO).unwrap();
    common::memtide()
        .args(["run", "--placement", "managed", "--out"])
        .arg(dir.join("out"))
        .arg("--workdir")
        .arg(dir.join("work"))
        .arg(&scenario)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap()
}

#[test]
fn killed_at_100_random_moments_every_recording_is_readable_and_nothing_stays() {
    if !common::can_manage("SIGKILL at 100 moments") {
        return;
    }
    let dir = tempfile::tempdir_in("/var/tmp").unwrap();
    let work = dir.path().join("work");
    let mut random = Xoshiro256PlusPlus::seed_from_u64(20);
    let (mut pids, mut readable, mut cut) = (Vec::new(), 0, 0);
    let file = dir.path().join("out/short.jsonl");
    for round in 0..100 {
        let _ = std::fs::remove_file(&file);
        let mut child = start(dir.path());
        // Every other time not before the first line, however slow the machine: there must be something to read.
        if round % 2 == 1 {
            assert!(common::wait_until(Duration::from_secs(60), || file.exists()));
        }
        std::thread::sleep(Duration::from_millis(random.random_range(0..700)));
        common::signal(&child, Signal::SIGKILL);
        child.wait().unwrap();
        pids.push(child.id());
        // Killed before its first line, there is no recording.
        if file.exists() {
            let recording = recording::read_path(&file)
                .unwrap_or_else(|error| panic!("unreadable after a kill: {error}"));
            readable += 1;
            cut += u32::from(!recording.complete);
        }
    }
    assert!(
        readable >= 50 && cut >= 20,
        "{readable} recordings, {cut} cut: the moments missed the run"
    );
    // The next start.
    assert!(start(dir.path()).wait().unwrap().success());
    let left: Vec<_> = pids
        .iter()
        .flat_map(|pid| common::left_by(*pid, &work))
        .collect();
    assert!(left.is_empty(), "left behind: {left:?}");
    let workers = workers_in(&work);
    assert!(workers.is_empty(), "workers still run: {workers:?}");
}

/// Recordings that nobody asked to keep go, too, whichever command comes next.
#[test]
fn killed_without_out_the_next_start_removes_what_was_among_temporary_files() {
    if !common::can_manage("SIGKILL without --out") {
        return;
    }
    let own = std::process::id().to_string();
    let elsewhere = tempfile::tempdir_in("/var/tmp").unwrap();
    let kept = elsewhere.path().join("kept.jsonl").display().to_string();
    let run: &[&str] = &["run", "steady", "--placement", "managed"];
    let watch: &[&str] = &["watch", &own];
    for (killed, next) in [
        (run, &["run", "steady", "--out", "-"][..]),
        (run, &["watch", &own, "--duration", "100ms"]),
        (
            watch,
            &["record", "--limit", "64MiB", "--out", &kept, "--", "true"],
        ),
    ] {
        let temporary = tempfile::tempdir_in("/var/tmp").unwrap();
        let begin = |arguments: &[&str]| {
            common::memtide()
                .args(arguments)
                .env("TMPDIR", temporary.path())
                .stdout(Stdio::null())
                .stderr(Stdio::null())
                .spawn()
                .unwrap()
        };
        let left = || std::fs::read_dir(temporary.path()).unwrap().count();
        let mut child = begin(killed);
        assert!(
            common::wait_until(Duration::from_secs(60), || left() > 0),
            "{killed:?} made no folder"
        );
        common::signal(&child, Signal::SIGKILL);
        child.wait().unwrap();
        assert!(left() > 0, "{killed:?}: nothing was left to remove");
        assert!(begin(next).wait().unwrap().success(), "{next:?}");
        assert_eq!(left(), 0, "{next:?} after {killed:?}");
    }
}

/// Processes whose command line says worker and whose open files are below `work`.
fn workers_in(work: &Path) -> Vec<String> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir("/proc").unwrap().flatten() {
        let command = std::fs::read(entry.path().join("cmdline")).unwrap_or_default();
        if !command.windows(8).any(|w| w == b"__worker") {
            continue;
        }
        let files = std::fs::read_dir(entry.path().join("fd"))
            .into_iter()
            .flatten()
            .flatten();
        let ours = files
            .filter_map(|fd| std::fs::read_link(fd.path()).ok())
            .any(|target| target.starts_with(work));
        if ours {
            found.push(entry.file_name().to_string_lossy().into_owned());
        }
    }
    found
}

#[test]
fn interrupted_a_run_ends_and_is_clean() {
    if !common::can_manage("SIGINT and SIGTERM") {
        return;
    }
    for sent in [Signal::SIGINT, Signal::SIGTERM] {
        let dir = tempfile::tempdir_in("/var/tmp").unwrap();
        let file = dir.path().join("out/short.jsonl");
        let mut child = start(dir.path());
        let begun = |e: &recording::Event| matches!(e.kind, EventKind::StepStart(_));
        // A recording that is being written can be read at any moment.
        let working = || recording::read_path(&file).is_ok_and(|r| r.events.iter().any(begun));
        assert!(
            common::wait_until(Duration::from_secs(60), working),
            "the run never began its first step"
        );
        common::signal(&child, sent);
        let status = child.wait().unwrap();
        assert_eq!(status.code(), Some(130), "{sent}");
        let recording = recording::read_path(&file).unwrap();
        assert!(recording.complete, "{sent}: the footer is missing");
        assert_eq!(recording.footer.unwrap().reason, "interrupted");
        assert!(recording.events.iter().any(begun));
        let left = common::left_by(child.id(), &dir.path().join("work"));
        assert!(left.is_empty(), "{sent}: left behind: {left:?}");
    }
}

#[test]
fn two_runs_at_once_do_not_disturb_each_other() {
    if !common::can_manage("two runs at once") {
        return;
    }
    let dirs = [
        tempfile::tempdir_in("/var/tmp").unwrap(),
        tempfile::tempdir_in("/var/tmp").unwrap(),
    ];
    // The same work directory for both: each start sweeps it, and must leave the other's folder.
    let mut runs: Vec<Child> = dirs.iter().map(|dir| start(dir.path())).collect();
    for run in &mut runs {
        assert!(run.wait().unwrap().success());
    }
    for dir in &dirs {
        let recording = recording::read_path(&dir.path().join("out/short.jsonl")).unwrap();
        assert!(recording.complete);
        assert_eq!(recording.footer.unwrap().outcome.as_str(), "survived");
    }
}

/// Below no cgroup, so no start would find it: what the load has started ends with memtide itself.
#[test]
fn killed_with_a_load_nothing_of_it_goes_on() {
    if !common::can_manage("a killed recording with a load") {
        return;
    }
    let dir = tempfile::tempdir_in("/var/tmp").unwrap();
    let long = services::seconds(3);
    // The last writes the file: all that the load is runs then.
    let load = format!(
        "(setsid sh -c 'sleep {long}; true' &); sleep {long} & sh -c 'touch up; sleep {long}; true'"
    );
    let mut child = common::record_in(dir.path())
        .args(["--load", &load, "--", "sleep", "1000"])
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let longest = Duration::from_secs(60);
    assert!(common::wait_until(longest, || dir
        .path()
        .join("up")
        .exists()));
    common::signal(&child, Signal::SIGKILL);
    child.wait().unwrap();
    assert!(
        common::wait_until(longest, || !services::sleeps(&long)),
        "the load goes on"
    );
    let next = common::record_in(dir.path())
        .args(["--", "true"])
        .output()
        .unwrap();
    assert!(next.status.success());
    assert_eq!(
        common::left_by(child.id(), dir.path()),
        Vec::<std::path::PathBuf>::new()
    );
}
