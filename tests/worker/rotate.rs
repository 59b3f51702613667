//! Rotation: what is on disk, and that the truth's `file_live` says so.

use std::fs;
use std::path::Path;

use memtide::truth::Counter;
use memtide::workload::{LogWrite, Rotate, RotateMode, Workload};

use crate::support::{MIB, Worker, log, unlink};

/// The files of the directory with their sizes, by name.
fn files(dir: &Path) -> Vec<(String, u64)> {
    let mut files: Vec<_> = fs::read_dir(dir)
        .unwrap()
        .map(|entry| {
            let entry = entry.unwrap();
            (
                entry.file_name().into_string().unwrap(),
                entry.metadata().unwrap().len(),
            )
        })
        .collect();
    files.sort();
    files
}

fn rotated(mode: RotateMode, keep: u64, total: u64) -> LogWrite {
    LogWrite {
        rotate: Some(Rotate {
            size: MIB,
            mode,
            keep,
        }),
        ..log(total)
    }
}

#[test]
fn both_ways_keep_so_many() {
    for mode in [RotateMode::Rename, RotateMode::CopyTruncate] {
        for (keep, expected) in [
            (0, vec![("app.log", MIB / 2)]),
            (1, vec![("app.log", MIB / 2), ("app.log.1", MIB)]),
            (
                2,
                vec![("app.log", MIB / 2), ("app.log.1", MIB), ("app.log.2", MIB)],
            ),
        ] {
            let dir = tempfile::tempdir().unwrap();
            let step = rotated(mode, keep, 4 * MIB + MIB / 2);
            let mut worker = Worker::start(dir.path(), &[Workload::LogWrite(step), unlink()]);
            let report = worker.done();
            assert_eq!(report.achieved, 4 * MIB + MIB / 2);
            let expected: Vec<_> = expected
                .into_iter()
                .map(|(name, bytes)| (name.to_string(), bytes))
                .collect();
            assert_eq!(files(dir.path()), expected, "{mode:?} {keep}");
            let bytes: u64 = expected.iter().map(|(_, bytes)| bytes).sum();
            assert_eq!(worker.get(Counter::FileLive), bytes, "{mode:?} {keep}");
            let copied = if mode == RotateMode::CopyTruncate && keep > 0 {
                4 * MIB
            } else {
                0
            };
            assert_eq!(worker.get(Counter::FileRead), copied);
            assert_eq!(worker.get(Counter::FileWritten), report.achieved + copied);
            assert_eq!(worker.done().achieved, 1 + keep);
            assert_eq!(worker.get(Counter::FileLive), 0);
            assert!(files(dir.path()).is_empty());
        }
    }
}

#[test]
fn a_log_deleted_while_open_is_rotated_into_a_new_one() {
    let dir = tempfile::tempdir().unwrap();
    let steps = [
        Workload::LogWrite(LogWrite {
            keep_open: true,
            ..log(MIB / 2)
        }),
        unlink(),
        Workload::LogWrite(rotated(RotateMode::Rename, 2, MIB)),
    ];
    let mut worker = Worker::start(dir.path(), &steps);
    worker.done();
    worker.done();
    worker.done();
    // Half a MiB went on into the deleted file until it was full, the rest into the new one.
    assert_eq!(files(dir.path()), [("app.log".to_string(), MIB / 2)]);
    assert_eq!(worker.get(Counter::FileLive), MIB / 2);
}

#[test]
fn rotation_that_is_not_possible_fails_with_the_path() {
    let dir = tempfile::tempdir().unwrap();
    fs::create_dir_all(dir.path().join("app.log.1/x")).unwrap();
    let step = rotated(RotateMode::Rename, 1, 2 * MIB);
    let mut worker = Worker::start(dir.path(), &[Workload::LogWrite(step)]);
    let (report, reason) = worker.fails();
    assert_eq!(report.achieved, MIB);
    assert!(
        reason.contains("rotating") && reason.contains("app.log"),
        "{reason}"
    );
}
