//! What `run`, `record` and `watch` promise, on the real kernel.

mod common;

use std::process::{Command, Stdio};
use std::time::Duration;

use memtide::recording::{self, EventKind};
use serde_json::Value;

fn json(arguments: &[&str]) -> (Option<i32>, Value) {
    let output = common::memtide()
        .args(arguments)
        .args(["--format", "json"])
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let error = String::from_utf8_lossy(&output.stderr).into_owned();
    let document = serde_json::from_str(&text).unwrap_or_else(|e| panic!("{e}: {text}{error}"));
    (output.status.code(), document)
}

#[test]
fn the_articles_four_pass_and_the_document_has_every_promised_field() {
    if !common::can_manage("the article's four") {
        return;
    }
    let dir = tempfile::tempdir_in("/var/tmp").unwrap();
    let (code, document) = json(&["run", "--out", dir.path().to_str().unwrap()]);
    let runs = document["runs"].as_array().unwrap();
    let names: Vec<_> = runs
        .iter()
        .map(|r| r["scenario"].as_str().unwrap())
        .collect();
    assert_eq!(
        names,
        [
            "log-write",
            "heap-churn",
            "release-free",
            "release-dontneed"
        ]
    );
    for run in runs {
        let name = run["scenario"].as_str().unwrap();
        assert_ne!(run["result"], "fail", "{name}: {:#}", run["expectations"]);
        assert!(
            run["reason"].is_string() && run["host"]["kernel"].is_string(),
            "{name}"
        );
        if run["result"] == "skip" {
            common::skip(name, run["reason"].as_str().unwrap());
            continue;
        }
        assert_eq!(run["outcome"], "survived", "{name}");
        assert!(
            recording::read_path(run["recording"].as_str().unwrap().as_ref())
                .unwrap()
                .complete
        );
        for step in run["steps"].as_array().unwrap() {
            assert!(step["name"].is_string() && step["t"].is_number(), "{name}");
            let rows = step["rows"].as_object().unwrap();
            assert!(rows.contains_key("inactive_file"), "{name}");
            assert!(step["formulas"]["cadvisor_working_set"].is_i64(), "{name}");
            assert!(step["truth"]["live"].is_u64(), "{name}");
        }
        let expectations = run["expectations"].as_array().unwrap();
        assert!(!expectations.is_empty(), "{name}");
        for e in expectations {
            assert!(e["text"].is_string() && e["expected"].is_string() && e["seen"].is_string());
            assert_eq!(e["pass"], true, "{name}: {e}");
        }
    }
    assert_eq!(code, Some(0));
}

#[test]
fn a_claim_that_does_not_hold_ends_with_1_and_is_a_junit_failure() {
    if !common::can_manage("a broken expectation") {
        return;
    }
    let dir = tempfile::tempdir_in("/var/tmp").unwrap();
    let file = dir.path().join("wrong.toml");
    let claim =
        "[[expect]]\nat = \"work\"\nvalue = \"rss\"\nat_least = \"90%\"\nwhy = \"it is not so\"\n";
    let toml = common::scenario("limit = \"64MiB\"", "anon = { size = \"10%\" }") + claim;
    std::fs::write(&file, toml).unwrap();
    let output = common::memtide()
        .arg("run")
        .arg(&file)
        .args(["--format", "junit"])
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(1));
    let xml = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(
        xml.contains("<failure") && xml.contains("failures=\"1\""),
        "{xml}"
    );
    assert!(xml.contains("expected at least 57.6 MiB"), "{xml}");
}

#[test]
fn a_step_that_its_kernel_or_machine_cannot_do_is_skipped_with_the_reason() {
    if !common::can_manage("a conditional step") {
        return;
    }
    let dir = tempfile::tempdir_in("/var/tmp").unwrap();
    let file = dir.path().join("never.toml");
    let toml = common::scenario(
        "limit = \"64MiB\"",
        "when = { kernel = \"< 2.6\" }\nsleep = \"10ms\"",
    );
    std::fs::write(&file, toml).unwrap();
    let (code, document) = json(&["run", file.to_str().unwrap()]);
    let step = &document["runs"][0]["steps"][0];
    assert_eq!(step["result"], "skipped", "{step:#}");
    assert!(
        step["reason"].as_str().unwrap().contains("needs kernel"),
        "{step:#}"
    );
    assert_eq!(code, Some(0));
}

#[test]
fn a_restarted_container_begins_with_nothing_and_its_files_stay() {
    if !common::can_manage("restart_container") {
        return;
    }
    let dir = tempfile::tempdir_in("/var/tmp").unwrap();
    let file = dir.path().join("restart.toml");
    let more = "[[step]]\nname = \"restart\"\nsay = \"again\"\nrestart_container = {}\n\
                [[step]]\nname = \"after\"\nsay = \"read\"\nfile_read = { passes = 1 }\n";
    let toml = common::scenario("limit = \"64MiB\"", "log_write = { total = \"20MiB\" }") + more;
    std::fs::write(&file, toml).unwrap();
    let (_, document) = json(&["run", file.to_str().unwrap()]);
    let run = &document["runs"][0];
    let usage = |step: usize| {
        let rows = &run["steps"][step]["rows"];
        rows["memory.usage_in_bytes"]
            .as_u64()
            .or(rows["memory.current"].as_u64())
            .unwrap()
    };
    assert!(usage(0) > 20 << 20, "the log is cached: {run:#}");
    // A worker's own memory and per-CPU stock: 64 pages a CPU and about 1 MiB.
    assert!(usage(1) < 8 << 20, "a new cgroup: {}", usage(1));
    assert_eq!(
        run["steps"][2]["result"], "done",
        "the file outlived the container"
    );
    assert_eq!(run["result"], "pass");
}

#[test]
fn record_passes_the_commands_streams_and_code_through() {
    if !common::can_manage("record") {
        return;
    }
    let dir = tempfile::tempdir_in("/var/tmp").unwrap();
    let file = dir.path().join("r.jsonl");
    let output = common::memtide()
        .args(["record", "--limit", "64MiB", "--interval", "10ms", "--out"])
        .arg(&file)
        .args(["--", "sh", "-c", "echo hello; sleep 0.2; exit 7"])
        .output()
        .unwrap();
    assert_eq!(
        output.status.code(),
        Some(7),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    assert_eq!(output.stdout, b"hello\n");
    assert!(String::from_utf8_lossy(&output.stderr).contains("peak usage"));
    let recording = recording::read_path(&file).unwrap();
    assert!(recording.complete && recording.tables.iter().any(|t| t.len() > 5));
}

#[test]
fn record_tells_an_oom_kill() {
    if !common::can_manage("record of an OOM kill") {
        return;
    }
    let dir = tempfile::tempdir_in("/var/tmp").unwrap();
    let file = dir.path().join("r.jsonl");
    let output = common::memtide()
        .args(["record", "--limit", "64MiB", "--interval", "10ms", "--out"])
        .arg(&file)
        // A shell variable that doubles until the kernel says no.
        .args(["--", "sh", "-c", "x=xxxxxxxx; while :; do x=$x$x; done"])
        .stderr(Stdio::piped())
        .output()
        .unwrap();
    assert_eq!(
        output.status.code(),
        Some(137),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let recording = recording::read_path(&file).unwrap();
    let footer = recording.footer.as_ref().unwrap();
    assert_eq!(footer.outcome.as_str(), "oom_killed");
    // However short the last burst was: on cgroup v1 and on v2 since 5.19 the kernel keeps the peak.
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    let columns = &recording.tables[recording.main_group()].columns;
    let kept = columns
        .iter()
        .any(|c| c == "memory.max_usage_in_bytes" || c == "memory.peak");
    assert_eq!(
        told.contains("the kernel's own peak of usage: 64.0 MiB"),
        kept,
        "{told}"
    );
}

#[test]
fn a_command_that_cannot_be_run_is_named_and_ends_as_env_would() {
    if !common::can_manage("a command that can't be run") {
        return;
    }
    let dir = tempfile::tempdir_in("/var/tmp").unwrap();
    let plain = dir.path().join("plain");
    std::fs::write(&plain, "no program").unwrap();
    let plain = plain.to_str().unwrap();
    for (program, code, says) in [
        ("memtide-no-such-command", 127, "no such command on PATH"),
        ("/memtide/no/such/file", 127, "there is no such file"),
        (plain, 126, "not executable"),
    ] {
        let output = common::memtide()
            .args(["record", "--limit", "64MiB", "--out"])
            .arg(dir.path().join("r.jsonl"))
            .args(["--", program])
            .output()
            .unwrap();
        let error = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(code), "{error}");
        assert!(error.contains(program) && error.contains(says), "{error}");
        assert!(!dir.path().join("r.jsonl").exists(), "{program}");
    }
}

#[test]
fn there_is_one_sample_a_tick_from_the_first_on() {
    if !common::can_manage("samples of a steady run") {
        return;
    }
    const INTERVAL: u64 = 400_000_000;
    let dir = tempfile::tempdir_in("/var/tmp").unwrap();
    let file = dir.path().join("r.jsonl");
    let output = common::memtide()
        .args(["record", "--limit", "64MiB", "--interval", "400ms", "--out"])
        .arg(&file)
        .args(["--", "sleep", "2"])
        .output()
        .unwrap();
    assert!(output.status.success());
    let recording = recording::read_path(&file).unwrap();
    let end = recording.events.iter().find_map(|event| match &event.kind {
        EventKind::StepEnd(end) => Some(end.work_done),
        _ => None,
    });
    let end = end.expect("the command's end is in the recording");
    let missed = recording.footer.as_ref().unwrap().harness.missed;
    let table = &recording.tables[recording.main_group()];
    // The command's end brings samples of its own, the first of them just before it is noticed:
    // those up to an interval before it are the clock's.
    let whole = end.saturating_sub(INTERVAL) / INTERVAL;
    let ticks: Vec<u64> = (table.t.iter().map(|t| t / INTERVAL))
        .filter(|tick| *tick < whole)
        .collect();
    assert!(
        ticks.windows(2).all(|pair| pair[0] < pair[1]),
        "two samples of one tick: {:?}",
        table.t
    );
    let served = ticks.len() as u64 + missed;
    assert!(
        whole >= 3 && served >= whole,
        "{whole} ticks were due, {missed} missed: {:?}",
        table.t
    );
}

#[test]
fn watch_prints_a_line_a_sample_and_changes_nothing() {
    let Ok(hierarchy) = memtide::cgroup::Hierarchy::discover() else {
        return common::skip("watch", "no memory cgroup can be found");
    };
    if !hierarchy.own.join("memory.stat").exists() {
        return common::skip("watch", "the own cgroup has no memory.stat");
    }
    let own = std::process::id().to_string();
    let output = common::memtide()
        .args(["watch", &own, "--interval", "20ms", "--duration", "300ms"])
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(
        output.status.success(),
        "{text}{}",
        String::from_utf8_lossy(&output.stderr)
    );
    assert!(text.contains("working_set"), "{text}");
    assert!(text.lines().count() > 8, "{text}");
    assert!(text.contains("peak rss"), "{text}");
}

/// How many ticks a busy machine misses is a bench's business (docs/performance.md runs the example);
/// that none is lost uncounted is a test's.
#[test]
fn at_a_hundred_samples_a_second_no_tick_is_lost_uncounted() {
    let example = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/examples/ticks.toml");
    let example = memtide::scenario::load(example.as_ref(), Default::default()).unwrap();
    assert_eq!(example.interval, Duration::from_millis(10));
    if !common::can_manage("a hundred samples a second") {
        return;
    }
    let dir = tempfile::tempdir_in("/var/tmp").unwrap();
    let file = dir.path().join("ticks.toml");
    let toml = common::scenario("limit = \"64MiB\"\ninterval = \"10ms\"", "sleep = \"3s\"");
    std::fs::write(&file, toml).unwrap();
    let (code, document) = json(&[
        "run",
        file.to_str().unwrap(),
        "--out",
        dir.path().to_str().unwrap(),
    ]);
    assert_eq!(code, Some(0), "{document:#}");
    let file = document["runs"][0]["recording"].as_str().unwrap();
    let recording = recording::read_path(file.as_ref()).unwrap();
    let rows = recording.tables[recording.main_group()].len() as u64;
    let cost = recording.footer.unwrap().harness;
    assert!(cost.samples + cost.missed >= 300, "{cost:?}");
    // A tick's sample is a row; a step's end and the run's have one more each.
    let extra = rows.saturating_sub(cost.samples);
    assert!(rows >= cost.samples && extra <= 4, "{rows} rows, {cost:?}");
    // What a tick costs cannot be less than what its reads take: a few system calls of a microsecond.
    assert!(cost.cpu_ns_mean > 1_000, "{cost:?}");
    assert!(cost.rss > 1 << 20, "{cost:?}");
}

/// `-` is stdout wherever a recording may go there, and never a file of that name.
#[test]
fn a_recording_to_stdout_has_stdout_for_itself() {
    let own = std::process::id().to_string();
    let hierarchy = memtide::cgroup::Hierarchy::discover();
    let Ok(top) = hierarchy.and_then(|h| h.cgroup_of(std::process::id() as i32)) else {
        common::skip("watch --out -", "this process has no memory cgroup");
        return;
    };
    let dir = tempfile::tempdir_in("/var/tmp").unwrap();
    let (top, recursive) = (top.display().to_string(), "--recursive");
    let watches: [&[&str]; 2] = [&[&own], &[recursive, &top]];
    for watch in watches {
        let output = common::memtide()
            .current_dir(dir.path())
            .arg("watch")
            .args(watch)
            .args(["--interval", "50ms", "--duration", "200ms", "--out", "-"])
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success(), "{said}");
        assert!(said.contains("working_set"), "{said}");
        assert!(recording::read_bytes(&output.stdout).unwrap().complete);
    }
    let output = common::memtide()
        .current_dir(dir.path())
        .args(["record", "--limit", "64MiB", "--out", "-", "--", "true"])
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(2), "{said}");
    assert!(said.contains("name a file"), "{said}");
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0);
}

/// How soon it comes is a measurement's business (docs/performance.md).
#[test]
fn samples_can_be_read_while_the_run_goes_on() {
    if !common::can_manage("samples while it runs") {
        return;
    }
    let mut child = common::memtide()
        .args(["run", "steady", "--out", "-"])
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let lines = std::io::BufRead::lines(std::io::BufReader::new(child.stdout.take().unwrap()));
    let first = lines.map_while(Result::ok).find(|l| l.starts_with('['));
    assert!(first.is_some());
    assert_eq!(child.try_wait().unwrap(), None, "it had ended");
    let pid = nix::unistd::Pid::from_raw(child.id() as i32);
    nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGTERM).unwrap();
    child.wait().unwrap();
}

#[test]
fn system_calls_that_old_kernels_lack_have_a_fallback() {
    let test = "Linux 3.10's system calls";
    if !common::can_manage(test) || !common::has_program(test, "strace") {
        return;
    }
    // What came after 3.10, refused as an old kernel does.
    let newer = "memfd_create,getrandom,statx,pidfd_open,pidfd_send_signal,clone3,close_range,\
                 copy_file_range,renameat2,faccessat2,openat2,execveat,preadv2,pwritev2,mlock2,rseq";
    let output = Command::new("strace")
        .args(["-f", "-qq", "-e", "trace=none", "-e"])
        .arg(format!("inject={newer}:error=ENOSYS"))
        .arg(env!("CARGO_BIN_EXE_memtide"))
        .args(["run", "steady", "--format", "json"])
        .output()
        .unwrap();
    let error = String::from_utf8_lossy(&output.stderr).into_owned();
    if error.contains("ptrace") && !output.status.success() {
        return common::skip(test, "strace may not trace here");
    }
    let document: Value =
        serde_json::from_slice(&output.stdout).unwrap_or_else(|e| panic!("{e}: {error}"));
    assert_eq!(document["runs"][0]["result"], "pass", "{document:#}");
}
