//! The worker needs nothing that Linux 3.10 lacks: every workload, with each newer call that this
//! binary or its libraries could make answering ENOSYS, and each newer advice EINVAL.

use memtide::truth::Counter;
use memtide::worker::protocol::Status;
use memtide::workload::{
    Advice, Anon, Dentries, Dist, Exec, Fadvise, FileAdvice, FileRead, HeapChurn, Huge, LogWrite,
    MmapScan, Release, Rewrite, Rotate, RotateMode, Sleep, Workload,
};

use crate::support::{MIB, Worker, log, unlink};

/// Calls from Linux 3.11 on, with the version that brought them.
const NEWER: &str = "inject=renameat2,getrandom,memfd_create,execveat,membarrier,userfaultfd,mlock2,\
    copy_file_range,preadv2,pwritev2,statx,rseq,pidfd_open,pidfd_send_signal,clone3,close_range,\
    openat2,pidfd_getfd,faccessat2,epoll_pwait2,process_madvise,sched_setattr,sched_getattr,seccomp,bpf\
    :error=ENOSYS";

fn release(advice: Advice) -> Workload {
    Workload::Release(Release {
        region: "heap".into(),
        advice,
        share: 50.0,
    })
}

fn anon(huge: Huge) -> Workload {
    Workload::Anon(Anon {
        region: "heap".into(),
        size: MIB,
        rate: None,
        chunk: MIB,
        leak: false,
        huge,
    })
}

#[test]
fn every_workload_runs_without_the_newer_calls() {
    let dir = tempfile::tempdir().unwrap();
    let rotate = |mode| {
        Some(Rotate {
            size: MIB,
            mode,
            keep: 2,
        })
    };
    let steps = [
        Workload::LogWrite(LogWrite {
            rotate: rotate(RotateMode::Rename),
            ..log(3 * MIB)
        }),
        Workload::LogWrite(LogWrite {
            rotate: rotate(RotateMode::CopyTruncate),
            ..log(3 * MIB + 1000)
        }),
        Workload::FileRead(FileRead {
            file: "app.log".into(),
            passes: 2,
            chunk: 65_536,
            follow: None,
            rate: Some(100 * MIB),
        }),
        Workload::MmapScan(MmapScan {
            file: "app.log".into(),
            passes: 2,
            keep: false,
        }),
        Workload::Fadvise(Fadvise {
            file: "app.log".into(),
            advice: FileAdvice::Dontneed,
        }),
        unlink(),
        Workload::Dentries(Dentries {
            lookups: 1000,
            rate: None,
        }),
        anon(Huge::Never),
        release(Advice::Dontneed),
        Workload::Rewrite(Rewrite {
            region: "heap".into(),
            share: 100.0,
        }),
        Workload::HeapChurn(HeapChurn {
            live: MIB,
            size: Dist::LogNormal(200.0, 1.0),
            lifetime: Dist::Exponential(100.0),
            total: 4 * MIB,
            rate: None,
        }),
        Workload::Sleep(Sleep { duration_ms: 1 }),
        Workload::Exec(Exec {
            folder: None,
            command: vec!["true".into()],
            files: vec![("note".into(), "hello".into())],
            env: vec![],
            user: None,
            duration_ms: None,
        }),
        release(Advice::Unmap),
    ];
    let Some(mut worker) = Worker::tampered(dir.path(), &steps, &["-e", NEWER]) else {
        return;
    };
    for _ in &steps {
        worker.done();
    }
    worker.finish();
}

#[test]
fn advice_that_the_kernel_does_not_know_is_skipped_with_the_reason() {
    let dir = tempfile::tempdir().unwrap();
    let steps = [
        // MADV_NOHUGEPAGE is EINVAL too, and that stops nothing: there are no huge pages then.
        anon(Huge::Never),
        release(Advice::Free),
        release(Advice::Cold),
        release(Advice::Pageout),
        release(Advice::Dontneed),
        anon(Huge::Always),
    ];
    let inject = ["-e", "inject=madvise:error=EINVAL"];
    let Some(mut worker) = Worker::tampered(dir.path(), &steps, &inject) else {
        return;
    };
    worker.done();
    for (call, since) in [
        ("MADV_FREE", "4.5"),
        ("MADV_COLD", "5.4"),
        ("MADV_PAGEOUT", "5.4"),
    ] {
        let report = worker.step();
        let expected = format!("this kernel has no {call} ({since} and later have it)");
        assert_eq!(report.status, Status::Skipped(expected));
        assert_eq!((report.target, report.achieved), (MIB / 2, 0));
    }
    // Every kernel has this one, so here it is a failure.
    assert!(
        worker
            .fails()
            .1
            .contains("MADV_DONTNEED on region \"heap\"")
    );
    assert_eq!(worker.get(Counter::Live), MIB);
    assert_eq!(worker.get(Counter::ReleasedTotal), 0);
    worker.step();
    worker.finish();
}
