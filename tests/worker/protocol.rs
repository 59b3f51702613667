//! Start, orders, end.

use std::io::Write;
use std::os::fd::AsFd;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use memtide::truth::Page;
use memtide::worker;
use memtide::workload::{Sleep, Workload};

use crate::support::Worker;

fn sleep(ms: u64) -> Workload {
    Workload::Sleep(Sleep { duration_ms: ms })
}

#[test]
fn it_ends_when_stdin_does() {
    let dir = tempfile::tempdir().unwrap();
    let mut worker = Worker::start(dir.path(), &[sleep(1)]);
    let report = worker.done();
    assert!(report.achieved >= 1 && report.unit == "ms", "{report:?}");
    worker.finish();
}

#[test]
fn a_step_that_is_not_in_the_plan_fails() {
    let dir = tempfile::tempdir().unwrap();
    let mut worker = Worker::start(dir.path(), &[]);
    let (_, reason) = worker.fails();
    assert!(reason.contains("no step 0"), "{reason}");
    worker.finish();
}

#[test]
fn holding_costs_no_cpu() {
    let dir = tempfile::tempdir().unwrap();
    let mut worker = Worker::start(
        dir.path(),
        &[sleep(500), sleep(500), sleep(500), sleep(500)],
    );
    // 0.1 % of 500 ms is 0.5 ms; reading the order and writing the report in a build without
    // optimisation is most of what is seen here. The least of four: another's work beside it can make
    // one dearer (cold caches: 0.9 ms seen), and a worker that polls is dear in each.
    let spent = (0..4).map(|_| {
        let before = worker.cpu_ns();
        worker.done();
        worker.cpu_ns() - before
    });
    let least = spent.min().expect("there are four");
    assert!(least < 500_000, "{least} ns of CPU for 500 ms of sleep");
}

#[test]
fn it_stays_small() {
    let dir = tempfile::tempdir().unwrap();
    let worker = Worker::start(dir.path(), &[sleep(1)]);
    let anon = worker.status("RssAnon");
    // Measured 0.3 MiB of heap, stack and relocations; what grows beyond 1 MiB is a defect, since
    // the container is charged for it.
    assert!(
        anon < (1 << 20) + crate::support::RELOCATIONS,
        "{anon} bytes"
    );
}

#[test]
fn what_is_not_the_protocol_ends_it_with_code_2() {
    let dir = tempfile::tempdir().unwrap();
    let (_truth, fd) = Page::create(dir.path()).unwrap();
    for (text, expected) in [("hello\n", "plan"), ("", "")] {
        let program = Path::new(env!("CARGO_BIN_EXE_memtide"));
        let mut command = worker::command(program, fd.as_fd()).unwrap();
        let mut child = command.stderr(Stdio::piped()).spawn().unwrap();
        child
            .stdin
            .take()
            .unwrap()
            .write_all(text.as_bytes())
            .unwrap();
        let output = child.wait_with_output().unwrap();
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!(
            output.status.code(),
            Some(if text.is_empty() { 0 } else { 2 }),
            "{said}"
        );
        assert!(said.contains(expected), "{said}");
    }
}

#[test]
fn by_hand_it_says_what_it_is() {
    for arguments in [
        vec!["__worker"],
        vec!["__worker", "7"],
        vec!["__worker", "-1"],
    ] {
        let output = Command::new(env!("CARGO_BIN_EXE_memtide"))
            .args(arguments)
            .output()
            .unwrap();
        assert_eq!(output.status.code(), Some(2));
        assert!(String::from_utf8_lossy(&output.stderr).contains("not by hand"));
    }
}

#[test]
fn it_dies_with_the_thread_that_started_it() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().to_path_buf();
    let (mut child, _truth) = std::thread::spawn(move || {
        let (truth, fd) = Page::create(&path).unwrap();
        let program = Path::new(env!("CARGO_BIN_EXE_memtide"));
        (
            worker::command(program, fd.as_fd())
                .unwrap()
                .spawn()
                .unwrap(),
            truth,
        )
    })
    .join()
    .unwrap();
    let start = Instant::now();
    let status = loop {
        if let Some(status) = child.try_wait().unwrap() {
            break status;
        }
        assert!(start.elapsed() < Duration::from_secs(60), "still there");
        std::thread::sleep(Duration::from_millis(2));
    };
    assert_eq!(
        std::os::unix::process::ExitStatusExt::signal(&status),
        Some(9)
    );
}
