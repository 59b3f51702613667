//! Disks that fill up and break in the middle, calls that are cut short: each is told with the path
//! and how far it came, and the truth stays right.

use memtide::truth::Counter;
use memtide::workload::{Fsync, LogWrite, Workload};

use crate::support::{Worker, log, unlink};

/// Starts a log of 1,000 lines whose file's calls are tampered with, and the file's path.
fn troubled(dir: &tempfile::TempDir, step: LogWrite, inject: &str) -> Option<Worker> {
    let path = dir.path().join("app.log");
    let inject = format!("inject={inject}");
    let strace = ["-P", path.to_str().unwrap(), "-e", &inject];
    Worker::tampered(dir.path(), &[Workload::LogWrite(step), unlink()], &strace)
}

#[test]
fn an_error_in_the_middle_says_how_far_it_came() {
    for (error, words) in [
        ("ENOSPC", "No space left"),
        ("EDQUOT", "quota"),
        ("EIO", "Input/output error"),
    ] {
        let dir = tempfile::tempdir().unwrap();
        let inject = format!("write:error={error}:when=101+");
        let Some(mut worker) = troubled(&dir, log(128_000), &inject) else {
            return;
        };
        let (report, reason) = worker.fails();
        assert_eq!((report.target, report.achieved), (128_000, 12_800));
        for part in [words, "app.log", "after 12.5 KiB"] {
            assert!(reason.contains(part), "{reason}");
        }
        assert_eq!(worker.get(Counter::FileWritten), 12_800);
        assert_eq!(worker.get(Counter::FileLive), 12_800);
        worker.done();
        assert_eq!(worker.get(Counter::FileLive), 0);
        worker.finish();
    }
}

#[test]
fn a_failed_fsync_fails_the_step() {
    let dir = tempfile::tempdir().unwrap();
    let step = LogWrite {
        fsync: Fsync::End,
        ..log(128_000)
    };
    let Some(mut worker) = troubled(&dir, step, "fsync:error=EIO") else {
        return;
    };
    let (report, reason) = worker.fails();
    assert_eq!(report.achieved, 128_000);
    assert!(
        reason.contains("fsync of") && reason.contains("app.log"),
        "{reason}"
    );
}

#[test]
fn an_interrupted_write_is_done_again() {
    let dir = tempfile::tempdir().unwrap();
    let Some(mut worker) = troubled(&dir, log(128_000), "write:error=EINTR:when=3+7") else {
        return;
    };
    worker.done();
    assert_eq!(
        std::fs::metadata(dir.path().join("app.log")).unwrap().len(),
        128_000
    );
    worker.done();
}

#[test]
fn fsync_comes_as_often_as_asked_for() {
    // Every 10,000 bytes of 128,000 is 12 times (each after the line that reaches it, at 10,112);
    // the 13th would be the first to fail.
    let dir = tempfile::tempdir().unwrap();
    let step = LogWrite {
        fsync: Fsync::Every(10_000),
        ..log(128_000)
    };
    let Some(mut worker) = troubled(&dir, step, "fsync:error=EIO:when=13+") else {
        return;
    };
    worker.done();
    worker.finish();
    let dir = tempfile::tempdir().unwrap();
    let step = LogWrite {
        fsync: Fsync::Every(10_000),
        ..log(128_000)
    };
    let Some(mut worker) = troubled(&dir, step, "fsync:error=EIO:when=12+") else {
        return;
    };
    assert_eq!(worker.fails().0.achieved, 12 * 10_112);
}
