//! Whatever a detector program does, the judge ends in bounded time, says what was wrong, goes on
//! with the rest, and leaves no process.

mod common;
#[path = "support/synthetic.rs"]
mod synthetic;

use std::path::Path;
use std::process::{Command, Output};
use std::time::{Duration, Instant};

use memtide::rows::CgroupVersion;

/// Far more than a busy machine needs, far less than what each of these would take if left alone.
const PATIENCE: Duration = Duration::from_secs(60);

/// A folder with one recording of a leak and its truth. The recording is repeated so that the feed
/// is larger than a pipe's buffer (64 KiB).
fn suite() -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    let limit = 256.0 * synthetic::MIB;
    let (recording, onset) = synthetic::leak(CgroupVersion::V1, limit, 20.0 * synthetic::MIB);
    for name in ["one", "two"] {
        synthetic::write(&recording, &dir.path().join(format!("{name}.jsonl")));
        let truth = format!("class = \"leak\"\nfire = true\nonset = \"{onset}s\"\n");
        std::fs::write(dir.path().join(format!("{name}.truth.toml")), truth).unwrap();
    }
    dir
}

fn judge(dir: &Path, detector: &str, more: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_memtide"))
        .args(["judge", "--no-shipped", "--format", "json", "--recordings"])
        .arg(dir)
        .args(["--detector", detector])
        .args(more)
        .output()
        .unwrap()
}

/// Every row's verdict and error, and how long it took.
fn verdicts(detector: &str, more: &[&str]) -> (Vec<(String, String)>, Duration) {
    let dir = suite();
    let start = Instant::now();
    let output = judge(dir.path(), detector, more);
    let took = start.elapsed();
    let stderr = String::from_utf8_lossy(&output.stderr);
    let card: serde_json::Value =
        serde_json::from_slice(&output.stdout).unwrap_or_else(|e| panic!("{e}: {stderr}"));
    let rows = card["detectors"][0]["rows"].as_array().unwrap().clone();
    let text = |v: &serde_json::Value| v.as_str().unwrap_or_default().to_owned();
    let rows = rows
        .iter()
        .map(|r| (text(&r["verdict"]), text(&r["error"])));
    (rows.collect(), took)
}

/// After three recordings in a row a detector that hangs is given up, and the rest says so.
#[test]
fn one_that_hangs_is_given_up_unless_asked_to_go_on() {
    let dir = suite();
    for name in ["three", "four", "five"] {
        for end in ["jsonl", "truth.toml"] {
            let to = dir.path().join(format!("{name}.{end}"));
            std::fs::copy(dir.path().join(format!("one.{end}")), to).unwrap();
        }
    }
    let verdicts = |more: &[&str]| {
        let limits = ["--jobs", "1", "--timeout", "300ms"];
        let output = judge(dir.path(), "sleep 1000", &[&limits[..], more].concat());
        let card: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
        let rows = card["detectors"][0]["rows"].as_array().unwrap().clone();
        let totals = card["detectors"][0]["totals"].clone();
        (rows, totals)
    };
    let (rows, totals) = verdicts(&[]);
    assert_eq!(
        (&totals["errors"], &totals["not_judged"]),
        (&3.into(), &2.into())
    );
    let reason = rows[4]["not_judged"].as_str().unwrap();
    assert!(
        reason.contains("3 recordings in a row") && reason.contains("--keep-going"),
        "{reason}"
    );
    let (_, totals) = verdicts(&["--keep-going"]);
    assert_eq!(
        (&totals["errors"], &totals["not_judged"]),
        (&5.into(), &0.into())
    );
}

fn all_errors(detector: &str, more: &[&str], word: &str) -> Duration {
    let (rows, took) = verdicts(detector, more);
    assert_eq!(rows.len(), 2, "the rest went on");
    for (verdict, error) in rows {
        assert_eq!(verdict, "error", "{detector}");
        assert!(error.contains(word), "{detector}: {error}");
    }
    took
}

/// Whether a process whose command line has `mark` is alive anywhere.
fn alive(mark: &str) -> bool {
    std::fs::read_dir("/proc").unwrap().flatten().any(|entry| {
        let pid = entry.file_name();
        let is_pid = pid.to_string_lossy().chars().all(|c| c.is_ascii_digit());
        let own = pid.to_string_lossy() == std::process::id().to_string();
        is_pid
            && !own
            && std::fs::read(entry.path().join("cmdline"))
                .is_ok_and(|text| String::from_utf8_lossy(&text).contains(mark))
    })
}

#[test]
fn one_that_exits_at_once() {
    all_errors("exit 0", &[], "unread");
    all_errors(
        "echo no >&2; exit 3",
        &[],
        "exit code 3; its last words: no",
    );
    all_errors("kill -SEGV $$", &[], "signal 11");
    all_errors("./no-such-detector", &[], "exit code 127");
}

#[test]
fn one_that_never_reads() {
    let took = all_errors(
        "sleep 1000",
        &["--timeout", "500ms"],
        "had not ended after 500 ms",
    );
    assert!(took < PATIENCE, "{took:?}");
}

#[test]
fn one_that_reads_and_never_ends() {
    let detector = "cat >/dev/null; while :; do :; done";
    let took = all_errors(detector, &["--timeout", "500ms"], "had not ended");
    assert!(took < PATIENCE, "{took:?}");
}

#[test]
fn one_that_ignores_every_signal_it_can() {
    let detector = "trap '' TERM INT HUP PIPE; exec 1>&-; while :; do sleep 1; done";
    all_errors(detector, &["--timeout", "500ms"], "had not ended");
}

#[test]
fn one_that_prints_a_gigabyte() {
    // With line feeds, so that no single line is too long; and blank, so that none is no answer.
    let detector = "yes '' | head -c 1000000000";
    all_errors(detector, &[], "wrote more than 1.0 MiB");
    all_errors("head -c 1000000000 /dev/zero", &[], "no answer");
}

#[test]
fn one_that_writes_something_else() {
    all_errors(
        "cat >/dev/null; echo ready",
        &[],
        "line 1 of its output is no answer",
    );
    all_errors("cat", &[], "missing field `fire`");
    let late = r#"cat >/dev/null; echo '{"fire":true,"t":1e9}'"#;
    all_errors(late, &[], "not within the feed's");
}

#[test]
fn one_that_forks_leaves_nothing() {
    let mark = format!("34567.{}", std::process::id());
    // Out of the process group and the session, its parent gone: a daemon.
    let detector = format!("(setsid sh -c 'sleep {mark} & sleep {mark}' &) ; cat >/dev/null");
    let (rows, _) = verdicts(&detector, &[]);
    assert!(
        rows.iter().all(|(verdict, _)| verdict == "miss"),
        "{rows:?}"
    );
    assert!(!alive(&mark), "a daemon was left");
}

#[test]
fn one_that_kills_its_supervisor_leaves_nothing() {
    let mark = format!("45678.{}", std::process::id());
    let detector = format!("sleep {mark} & kill -KILL $PPID; sleep {mark}");
    all_errors(&detector, &["--timeout", "2s"], "killed itself");
    assert!(!alive(&mark), "an orphan was left");
}

#[test]
fn one_that_forks_without_end() {
    let mark = format!("56789.{}", std::process::id());
    let detector = format!("while :; do sleep {mark} & done");
    let took = all_errors(
        &detector,
        &["--timeout", "5s", "--jobs", "1"],
        "processes, more than 64",
    );
    assert!(took < PATIENCE, "{took:?}");
    assert!(!alive(&mark), "a process was left");
}

#[test]
fn one_that_takes_all_memory() {
    let detector = "exec python3 -c 'x = bytearray(1 << 31); input()'";
    // Refused by the limit on its data, or killed for what it holds.
    let (rows, _) = verdicts(detector, &["--memory", "128MiB"]);
    for (verdict, error) in rows {
        assert_eq!(verdict, "error");
        assert!(
            error.contains("MemoryError") || error.contains("held"),
            "{error}"
        );
    }
}

#[test]
fn when_the_judge_is_killed_the_detector_goes_too() {
    let mark = format!("67890.{}", std::process::id());
    let dir = suite();
    let mut child = Command::new(env!("CARGO_BIN_EXE_memtide"))
        .args(["judge", "--no-shipped", "--recordings"])
        .arg(dir.path())
        .args([
            "--detector",
            &format!("sleep {mark}; sleep {mark}"),
            "--timeout",
            "60s",
        ])
        .spawn()
        .unwrap();
    wait_until(|| alive(&mark));
    child.kill().unwrap();
    child.wait().unwrap();
    wait_until(|| !alive(&mark));
}

fn wait_until(condition: impl Fn() -> bool) {
    assert!(common::wait_until(PATIENCE, condition), "waited in vain");
}

#[test]
fn one_that_is_right_is_told_so() {
    let detector = r#"cat >/dev/null; echo '{"fire":true,"t":2500,"class":"leak"}'"#;
    let (rows, _) = verdicts(detector, &[]);
    assert!(
        rows.iter()
            .all(|(verdict, error)| verdict == "hit" && error.is_empty()),
        "{rows:?}"
    );
}

#[test]
fn a_judge_that_is_interrupted_leaves_no_file() {
    let mark = format!("78901.{}", std::process::id());
    let dir = suite();
    let scratch = tempfile::tempdir().unwrap();
    let mut child = Command::new(env!("CARGO_BIN_EXE_memtide"))
        .args(["judge", "--no-shipped", "--recordings"])
        .arg(dir.path())
        .args(["--detector", &format!("sleep {mark}"), "--timeout", "60s"])
        .env("TMPDIR", scratch.path())
        .spawn()
        .unwrap();
    wait_until(|| alive(&mark));
    let pid = nix::unistd::Pid::from_raw(child.id() as i32);
    let asked = Instant::now();
    nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGINT).unwrap();
    child.wait().unwrap();
    wait_until(|| !alive(&mark));
    assert!(asked.elapsed() < PATIENCE, "{:?}", asked.elapsed());
    assert_eq!(std::fs::read_dir(scratch.path()).unwrap().count(), 0);
}
