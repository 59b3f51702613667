//! `file_read`.

use std::fs;
use std::io::Write;

use memtide::truth::Counter;
use memtide::workload::{FileRead, LogWrite, Rotate, RotateMode, Workload};

use crate::support::{MIB, Worker, log};

fn read(passes: u64, follow: Option<u64>) -> FileRead {
    FileRead {
        file: "app.log".into(),
        passes,
        chunk: 64 << 10,
        follow,
        rate: None,
    }
}

#[test]
fn passes_are_counted_in_bytes() {
    let dir = tempfile::tempdir().unwrap();
    let steps = [
        Workload::LogWrite(log(MIB + 5)),
        Workload::FileRead(read(3, None)),
        Workload::FileRead(FileRead {
            chunk: 1000,
            ..read(1, None)
        }),
        Workload::FileRead(read(0, None)),
    ];
    let mut worker = Worker::start(dir.path(), &steps);
    worker.done();
    for times in [3, 1, 0] {
        let report = worker.done();
        let bytes = times * (MIB + 5);
        assert_eq!(
            (report.target, report.achieved, report.unit.as_str()),
            (bytes, bytes, "bytes")
        );
    }
    assert_eq!(worker.get(Counter::FileRead), 4 * (MIB + 5));
    // Read with read(2), so nothing is mapped and nothing stays in the process.
    assert!(worker.status("RssFile") < 64 * MIB);
}

#[test]
fn a_missing_file_fails_with_the_path() {
    let dir = tempfile::tempdir().unwrap();
    let steps = [
        Workload::FileRead(read(1, None)),
        Workload::FileRead(FileRead {
            chunk: 0,
            ..read(1, None)
        }),
        Workload::FileRead(FileRead {
            chunk: u64::MAX,
            ..read(1, None)
        }),
    ];
    let mut worker = Worker::start(dir.path(), &steps);
    let (_, reason) = worker.fails();
    assert!(
        reason.contains("app.log") && reason.contains("must write it"),
        "{reason}"
    );
    assert!(worker.fails().1.contains("chunk"));
    assert!(worker.fails().1.contains("chunk"));
}

#[test]
fn a_follower_reads_what_is_written_across_rotation() {
    for mode in [RotateMode::Rename, RotateMode::CopyTruncate] {
        let dir = tempfile::tempdir().unwrap();
        let follow = Workload::FileRead(read(1, Some(3 * MIB)));
        let mut reader = Worker::start(dir.path(), &[follow]);
        reader.go();
        // Slow enough that a rotation finds the follower at the end of the file.
        let step = LogWrite {
            rate: Some(16 * MIB),
            rotate: Some(Rotate {
                size: MIB,
                mode,
                keep: 5,
            }),
            ..log(4 * MIB)
        };
        let mut writer = Worker::start(dir.path(), &[Workload::LogWrite(step)]);
        writer.done();
        // A copy-truncate drops what came after the follower's last read; another log's worth
        // makes up for it, and the last look at the old file is the reader's own affair.
        let mut file = fs::OpenOptions::new()
            .append(true)
            .open(dir.path().join("app.log"))
            .unwrap();
        file.write_all(&vec![b'x'; 3 * MIB as usize]).unwrap();
        let report = reader.report();
        assert_eq!(report.achieved, 3 * MIB, "{report:?}");
        assert_eq!(reader.get(Counter::FileRead), 3 * MIB);
    }
}

#[test]
fn a_rate_is_held() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("app.log"), vec![1; MIB as usize]).unwrap();
    let step = FileRead {
        rate: Some(4 * MIB),
        ..read(1, None)
    };
    let mut worker = Worker::start(dir.path(), &[Workload::FileRead(step)]);
    let start = std::time::Instant::now();
    worker.done();
    // All but the last chunk are waited for: 15 of 16.
    assert!(start.elapsed().as_millis() >= 230, "{:?}", start.elapsed());
}
