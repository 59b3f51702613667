//! `exec`.

use std::time::{Duration, Instant};

use memtide::workload::{End, Exec, Workload};

use crate::support::Worker;

fn exec(command: &[&str], duration_ms: Option<u64>) -> Workload {
    Workload::Exec(Exec {
        folder: None,
        command: command.iter().map(|word| word.to_string()).collect(),
        files: Vec::new(),
        env: vec![("MEMTIDE_TEST".into(), "yes".into())],
        user: None,
        duration_ms,
    })
}

fn sh(script: &str) -> Workload {
    exec(&["sh", "-c", script], None)
}

#[test]
fn it_runs_in_the_work_directory_with_its_variables() {
    let dir = tempfile::tempdir().unwrap();
    let mut worker = Worker::start(dir.path(), &[sh("echo $MEMTIDE_TEST > said; cat")]);
    worker.done();
    assert_eq!(
        std::fs::read_to_string(dir.path().join("said")).unwrap(),
        "yes\n"
    );
}

#[test]
fn a_flood_of_output_does_not_stop_it_and_a_failure_shows_its_end() {
    let dir = tempfile::tempdir().unwrap();
    let flood = "i=0; while [ $i -lt 20000 ]; do echo line $i; i=$((i+1)); done; echo out of luck >&2; exit 3";
    let first = "echo out of luck >&2; i=0; while [ $i -lt 2000 ]; do echo line $i; i=$((i+1)); done; exit 3";
    let mut worker = Worker::start(dir.path(), &[sh(flood), sh(first), sh("kill -9 $$")]);
    let (report, reason) = worker.ends(End::Code(3));
    assert_eq!((report.achieved, report.unit.as_str()), (0, "ops"));
    for part in ["\"sh\"", "exit code 3", "line 19999", "out of luck"] {
        assert!(reason.contains(part), "{reason}");
    }
    assert!(reason.len() < 4500, "{} bytes", reason.len());
    // The reason is said first and a flood on the other output comes after it.
    let (_, reason) = worker.ends(End::Code(3));
    for part in ["line 1999", "out of luck"] {
        assert!(reason.contains(part), "{reason}");
    }
    let (_, reason) = worker.ends(End::Signal(9));
    assert!(reason.contains("SIGKILL"), "{reason}");
    worker.finish();
}

#[test]
fn its_time_is_no_failure_even_if_it_will_not_end() {
    let dir = tempfile::tempdir().unwrap();
    let stubborn = "trap '' TERM; while :; do sleep 0.05; done";
    let steps = [
        exec(&["sleep", "1000"], Some(100)),
        exec(&["sh", "-c", stubborn], Some(100)),
    ];
    let mut worker = Worker::start(dir.path(), &steps);
    for _ in 0..2 {
        let start = Instant::now();
        worker.done();
        let ms = start.elapsed().as_millis();
        // Far more than a busy machine needs, far less than a thousand seconds.
        assert!((100..60_000).contains(&ms), "{ms} ms");
    }
}

#[test]
fn what_it_started_ends_with_it() {
    let dir = tempfile::tempdir().unwrap();
    let mut worker = Worker::start(dir.path(), &[sh("sleep 1000 & echo $! > pid")]);
    let start = Instant::now();
    worker.done();
    assert!(start.elapsed() < Duration::from_secs(60));
    let pid = std::fs::read_to_string(dir.path().join("pid")).unwrap();
    let stat = format!("/proc/{}/stat", pid.trim());
    // Nobody may be there to collect it, so a zombie is an end too.
    while std::fs::read_to_string(&stat).is_ok_and(|text| !text.contains(") Z ")) {
        assert!(start.elapsed() < Duration::from_secs(60), "still there");
        std::thread::sleep(Duration::from_millis(2));
    }
}

#[test]
fn a_program_that_is_missing_fails_with_the_remedy() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("text"), "hello").unwrap();
    let text = dir.path().join("text");
    let steps = [
        exec(&["no-such-program"], None),
        exec(&[], None),
        exec(&[text.to_str().unwrap()], None),
    ];
    let mut worker = Worker::start(dir.path(), &steps);
    let (_, reason) = worker.fails();
    assert!(
        reason.contains("no-such-program") && reason.contains("install it"),
        "{reason}"
    );
    assert!(worker.fails().1.contains("command is empty"));
    assert!(worker.fails().1.contains("executable"));
    worker.finish();
}
