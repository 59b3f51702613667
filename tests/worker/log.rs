//! `log_write` and `unlink`.

use std::fs;

use memtide::truth::Counter;
use memtide::workload::{Dist, Fsync, LogWrite, Unlink, Workload};

use crate::support::{MIB, Worker};

fn log(total: u64) -> LogWrite {
    LogWrite {
        file: "app.log".into(),
        line: Dist::Fixed(128),
        buffer: 0,
        rate: None,
        total: Some(total),
        duration_ms: None,
        fsync: Fsync::Never,
        rotate: None,
        keep_open: false,
    }
}

fn unlink() -> Workload {
    Workload::Unlink(Unlink {
        file: "app.log".into(),
    })
}

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
