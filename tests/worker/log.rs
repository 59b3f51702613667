//! `log_write` and `unlink`.

use std::fs;
use std::os::unix::fs::symlink;
use std::time::Instant;

use memtide::truth::Counter;
use memtide::workload::{Dist, Fsync, LogWrite, Workload};

use crate::support::{MIB, Worker, log, unlink};

#[test]
fn lines_are_written_one_by_one_to_the_byte() {
    let dir = tempfile::tempdir().unwrap();
    let mut worker = Worker::start(dir.path(), &[Workload::LogWrite(log(MIB + 100)), unlink()]);
    let report = worker.done();
    assert_eq!((report.target, report.achieved), (MIB + 100, MIB + 100));
    let text = fs::read(dir.path().join("app.log")).unwrap();
    assert_eq!(text.len() as u64, MIB + 100);
    assert!(
        text.chunks(128)
            .take(8192)
            .all(|line| line[127] == b'\n' && line[0] == b'2')
    );
    assert_eq!(worker.get(Counter::FileWritten), MIB + 100);
    assert_eq!(worker.get(Counter::FileLive), MIB + 100);
    assert_eq!(worker.get(Counter::Ops), 8192);
    worker.done();
    assert_eq!(worker.get(Counter::FileLive), 0);
    assert_eq!(worker.get(Counter::FileWritten), MIB + 100);
    worker.finish();
}

/// The system calls a step makes, as strace sees them: the sizes of the writes to the log.
fn writes(step: LogWrite) -> Option<Vec<usize>> {
    if !crate::common::has_program("single writes of a log", "strace") {
        return None;
    }
    let dir = tempfile::tempdir().unwrap();
    let mut worker = Worker::start(dir.path(), &[Workload::LogWrite(step)]);
    let trace = dir.path().join("trace");
    let mut strace = std::process::Command::new("strace")
        .args(["-qq", "-y", "-e", "trace=write", "-o"])
        .arg(&trace)
        .args(["-p", &worker.pid().to_string()])
        .spawn()
        .unwrap();
    let traced = || {
        let status = fs::read_to_string(format!("/proc/{}/status", worker.pid())).unwrap();
        !status.contains("TracerPid:\t0")
    };
    let start = Instant::now();
    while !traced() {
        if strace.try_wait().unwrap().is_some() || start.elapsed().as_secs() > 5 {
            crate::common::skip(
                "single writes of a log",
                "strace may not attach to a process here",
            );
            return None;
        }
        std::thread::yield_now();
    }
    worker.done();
    worker.finish();
    strace.wait().unwrap();
    let text = fs::read_to_string(trace).unwrap();
    let sizes = text
        .lines()
        .filter(|line| line.contains("app.log>"))
        .map(|line| line.rsplit("= ").next().unwrap().trim().parse().unwrap())
        .collect();
    Some(sizes)
}

#[test]
fn without_a_buffer_each_line_is_a_write() {
    let Some(sizes) = writes(log(128 * 50 + 10)) else {
        return;
    };
    assert_eq!(sizes.len(), 51);
    assert!(
        sizes[..50].iter().all(|size| *size == 128) && sizes[50] == 10,
        "{sizes:?}"
    );
}

#[test]
fn a_page_of_buffer_gives_whole_pages() {
    let line = Dist::Uniform(20, 500);
    let Some(sizes) = writes(LogWrite {
        line,
        buffer: 4096,
        ..log(4096 * 20)
    }) else {
        return;
    };
    assert_eq!(sizes, [4096; 20]);
}

#[test]
fn drawn_lines_are_whole_and_follow_the_seed() {
    let dir = tempfile::tempdir().unwrap();
    let sizes = Dist::LogNormal(150.0, 0.8);
    let step = LogWrite {
        line: sizes,
        buffer: 1000,
        ..log(300_000)
    };
    let mut logs = Vec::new();
    for _ in 0..2 {
        let mut worker = Worker::start(dir.path(), &[Workload::LogWrite(step.clone()), unlink()]);
        worker.done();
        let text = fs::read(dir.path().join("app.log")).unwrap();
        assert_eq!(text.len(), 300_000);
        let lines = text.iter().filter(|byte| **byte == b'\n').count() as u64;
        assert_eq!(worker.get(Counter::Ops), lines);
        logs.push(text);
        worker.done();
    }
    assert!(logs[0] == logs[1]);
}

#[test]
fn a_rate_is_held() {
    let dir = tempfile::tempdir().unwrap();
    // A thousand lines a second: so few that a busy machine has the time for them.
    let rate = MIB / 8;
    let by_total = LogWrite {
        rate: Some(rate),
        ..log(rate / 4)
    };
    let by_time = LogWrite {
        rate: Some(rate),
        total: None,
        duration_ms: Some(250),
        ..log(0)
    };
    let steps = [Workload::LogWrite(by_total), Workload::LogWrite(by_time)];
    let mut worker = Worker::start(dir.path(), &steps);
    let start = Instant::now();
    worker.done();
    let ms = start.elapsed().as_millis();
    // Never early but for the last millisecond's worth; a busy machine may be late.
    assert!(ms >= 245, "{ms} ms for 250 ms of log");
    let report = worker.done();
    assert_eq!((report.unit.as_str(), report.target), ("bytes", rate / 4));
    // Not more than the rate allows, and the millisecond that may be written ahead.
    assert!(
        report.achieved <= rate / 4 + rate / 1000 + 128,
        "{report:?}"
    );
}

#[test]
fn a_time_without_a_rate_is_kept() {
    let dir = tempfile::tempdir().unwrap();
    let step = LogWrite {
        total: Some(1 << 40),
        duration_ms: Some(50),
        ..log(0)
    };
    let mut worker = Worker::start(dir.path(), &[Workload::LogWrite(step), unlink()]);
    let report = worker.done();
    assert_eq!((report.unit.as_str(), report.target), ("ms", 50));
    assert!((50..1000).contains(&report.achieved), "{report:?}");
    worker.done();
}

#[test]
fn every_fsync_policy_writes_it_all() {
    let dir = tempfile::tempdir().unwrap();
    for fsync in [Fsync::End, Fsync::Every(100_000)] {
        let step = LogWrite { fsync, ..log(MIB) };
        let mut worker = Worker::start(dir.path(), &[Workload::LogWrite(step), unlink()]);
        worker.done();
        worker.done();
    }
}

#[test]
fn a_full_disk_fails_with_the_path_and_how_far_it_came() {
    let dir = tempfile::tempdir().unwrap();
    symlink("/dev/full", dir.path().join("app.log")).unwrap();
    let steps = [
        Workload::LogWrite(log(MIB)),
        Workload::LogWrite(LogWrite {
            buffer: 4096,
            ..log(MIB)
        }),
    ];
    let mut worker = Worker::start(dir.path(), &steps);
    for _ in &steps {
        let (report, reason) = worker.fails();
        assert_eq!((report.target, report.achieved), (MIB, 0));
        for part in [
            "app.log",
            "No space left",
            "after 0 B",
            "another work directory",
        ] {
            assert!(reason.contains(part), "{reason}");
        }
    }
    worker.finish();
}

#[test]
fn what_makes_no_sense_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let cases = [
        (
            LogWrite {
                total: None,
                ..log(0)
            },
            "never end",
        ),
        (
            LogWrite {
                line: Dist::Fixed(0),
                ..log(10)
            },
            "line of 0 bytes",
        ),
        (
            LogWrite {
                line: Dist::Uniform(9, 3),
                ..log(10)
            },
            "empty",
        ),
        (
            LogWrite {
                line: Dist::Exponential(-1.0),
                ..log(10)
            },
            "above 0",
        ),
        (
            LogWrite {
                buffer: 1 << 40,
                ..log(10)
            },
            "buffer",
        ),
        (
            LogWrite {
                file: "../x".into(),
                ..log(10)
            },
            "leads out",
        ),
        (
            LogWrite {
                file: "/etc/x".into(),
                ..log(10)
            },
            "leads out",
        ),
        (
            LogWrite {
                file: String::new(),
                ..log(10)
            },
            "leads out",
        ),
    ];
    let steps: Vec<_> = cases
        .iter()
        .map(|(step, _)| Workload::LogWrite(step.clone()))
        .collect();
    let mut worker = Worker::start(dir.path(), &steps);
    for (_, part) in &cases {
        let (_, reason) = worker.fails();
        assert!(reason.contains(part), "{reason} has no {part:?}");
    }
    worker.finish();
}

#[test]
fn deleting_what_is_not_there_fails_with_the_path() {
    let dir = tempfile::tempdir().unwrap();
    let mut worker = Worker::start(dir.path(), &[unlink()]);
    let (_, reason) = worker.fails();
    assert!(
        reason.contains("app.log") && reason.contains("No such file"),
        "{reason}"
    );
}

#[test]
fn a_log_deleted_while_open_lives_until_it_is_closed() {
    let dir = tempfile::tempdir().unwrap();
    let open = LogWrite {
        keep_open: true,
        ..log(MIB)
    };
    let steps = [
        Workload::LogWrite(open.clone()),
        unlink(),
        Workload::LogWrite(open),
        Workload::LogWrite(log(0)),
    ];
    let mut worker = Worker::start(dir.path(), &steps);
    for live in [MIB, MIB, 2 * MIB, 0] {
        worker.done();
        assert_eq!(worker.get(Counter::FileLive), live);
        assert_eq!(
            dir.path().join("app.log").exists(),
            live == MIB && worker.steps_done() == 1
        );
    }
    worker.finish();
}
