//! `tmpfs_fill`, `mmap_scan`, `dentries`, `thp_release` and kept memory: what they leave behind is
//! what the truth says.

use memtide::truth::Counter;
use memtide::worker::protocol::Status;
use memtide::workload::{
    Advice, Anon, Dentries, Exec, Fadvise, FileAdvice, Huge, LogWrite, MmapScan, Release, Rewrite,
    ThpRelease, TmpfsFill, TmpfsRemove, Workload, tmpfs_folder,
};

use crate::support::{MIB, Worker, log, page_counters_lag};

fn anon(size: u64, huge: Huge) -> Workload {
    Workload::Anon(Anon {
        region: "heap".into(),
        size,
        rate: None,
        chunk: MIB,
        leak: false,
        huge,
    })
}

fn write(total: u64) -> Workload {
    Workload::LogWrite(LogWrite {
        buffer: MIB,
        ..log(total)
    })
}

#[test]
fn a_file_in_memory_is_there_until_it_is_removed() {
    let dir = tempfile::tempdir().unwrap();
    let fill = |size| {
        Workload::TmpfsFill(TmpfsFill {
            file: "data".into(),
            size,
            rate: None,
        })
    };
    let remove = Workload::TmpfsRemove(TmpfsRemove {
        file: "data".into(),
    });
    let steps = [fill(3 * MIB + 1), fill(MIB), remove.clone(), remove];
    let mut worker = Worker::start(dir.path(), &steps);
    let report = worker.step();
    if let Status::Skipped(reason) = report.status {
        crate::common::skip("files in a tmpfs", &reason);
        return;
    }
    worker.done();
    let folder = tmpfs_folder(dir.path()).unwrap();
    let file = folder.join("data");
    assert_eq!(file.metadata().unwrap().len(), 4 * MIB + 1);
    assert_eq!(worker.get(Counter::ShmemLive), 4 * MIB + 1);
    worker.done();
    assert!(!file.exists());
    assert_eq!(worker.get(Counter::ShmemLive), 0);
    let (_, reason) = worker.fails();
    assert!(reason.contains("data"), "{reason}");
    std::fs::remove_dir_all(folder).unwrap();
}

#[test]
fn every_page_of_a_mapped_file_is_touched_and_stays_mapped_if_told_to() {
    let dir = tempfile::tempdir().unwrap();
    let scan = |keep| {
        Workload::MmapScan(MmapScan {
            file: "app.log".into(),
            passes: 3,
            keep,
        })
    };
    let steps = [write(8 * MIB), scan(false), scan(true)];
    let mut worker = Worker::start(dir.path(), &steps);
    worker.done();
    let before = worker.status("RssFile");
    let report = worker.done();
    assert_eq!(report.achieved, 24 * MIB);
    assert_eq!(worker.get(Counter::MappedFileLive), 0);
    worker.done();
    assert_eq!(worker.get(Counter::MappedFileLive), 8 * MIB);
    assert_eq!(worker.get(Counter::FileRead), 48 * MIB);
    let mapped = worker.status("RssFile") - before;
    assert!(
        mapped.abs_diff(8 * MIB) <= page_counters_lag(),
        "{mapped} mapped"
    );
}

#[test]
fn a_file_that_is_not_there_cannot_be_mapped_nor_advised_about() {
    let dir = tempfile::tempdir().unwrap();
    let steps = [
        Workload::MmapScan(MmapScan {
            file: "none".into(),
            passes: 1,
            keep: false,
        }),
        Workload::Fadvise(Fadvise {
            file: "none".into(),
            advice: FileAdvice::Dontneed,
        }),
    ];
    let mut worker = Worker::start(dir.path(), &steps);
    for _ in 0..2 {
        let (_, reason) = worker.fails();
        assert!(reason.contains("none"), "{reason}");
    }
}

#[test]
fn fadvise_syncs_and_drops_without_touching_the_file() {
    let dir = tempfile::tempdir().unwrap();
    let advise = |advice| {
        Workload::Fadvise(Fadvise {
            file: "app.log".into(),
            advice,
        })
    };
    let steps = [
        write(MIB),
        advise(FileAdvice::Dontneed),
        advise(FileAdvice::Willneed),
    ];
    let mut worker = Worker::start(dir.path(), &steps);
    for _ in 0..3 {
        worker.done();
    }
    let file = dir.path().join("app.log");
    assert_eq!(file.metadata().unwrap().len(), MIB);
}

#[test]
fn every_look_up_is_another_name_and_none_of_them_is_made() {
    let dir = tempfile::tempdir().unwrap();
    let step = Workload::Dentries(Dentries {
        lookups: 1000,
        rate: None,
    });
    let mut worker = Worker::start(dir.path(), &[step.clone(), step]);
    worker.done();
    worker.done();
    assert_eq!(worker.get(Counter::Ops), 2000);
    let names = std::fs::read_dir(dir.path()).unwrap();
    let made = names.filter(|n| {
        let name = n.as_ref().unwrap().file_name();
        name.to_string_lossy().starts_with("none-")
    });
    assert_eq!(made.count(), 0);
}

#[test]
fn of_each_huge_page_only_the_start_stays() {
    let dir = tempfile::tempdir().unwrap();
    let release = Workload::ThpRelease(ThpRelease {
        region: "heap".into(),
        keep: 4096,
    });
    let steps = [anon(16 * MIB, Huge::Always), release];
    let mut worker = Worker::start(dir.path(), &steps);
    worker.done();
    if worker.smaps("AnonHugePages") < 16 * MIB {
        crate::common::skip("a part of a huge page released", "no huge pages here");
        return;
    }
    let before = worker.status("RssAnon");
    worker.done();
    assert_eq!(worker.get(Counter::Live), 8 * 4096);
    assert_eq!(worker.get(Counter::FreedNow), 16 * MIB - 8 * 4096);
    let fell = before - worker.status("RssAnon");
    assert!(
        fell.abs_diff(16 * MIB - 8 * 4096) <= page_counters_lag(),
        "{fell}"
    );
}

#[test]
fn a_region_without_a_whole_huge_page_has_none_to_release() {
    let dir = tempfile::tempdir().unwrap();
    let release = Workload::ThpRelease(ThpRelease {
        region: "heap".into(),
        keep: 4096,
    });
    let mut worker = Worker::start(dir.path(), &[anon(MIB, Huge::Never), release]);
    worker.done();
    let (_, reason) = worker.fails();
    assert!(reason.contains("no whole huge page"), "{reason}");
}

#[test]
fn kept_memory_is_free_for_the_program_and_mapped_for_the_kernel() {
    let dir = tempfile::tempdir().unwrap();
    let keep = Workload::Release(Release {
        region: "heap".into(),
        advice: Advice::Keep,
        share: 75.0,
    });
    let again = Workload::Rewrite(Rewrite {
        region: "heap".into(),
        share: 100.0,
    });
    let mut worker = Worker::start(dir.path(), &[anon(8 * MIB, Huge::Never), keep, again]);
    worker.done();
    let before = worker.status("RssAnon");
    worker.done();
    assert_eq!(worker.get(Counter::Live), 2 * MIB);
    assert_eq!(
        worker.get(Counter::FreedNow),
        0,
        "nothing went to the kernel"
    );
    assert_eq!(worker.get(Counter::ReleasedTotal), 6 * MIB);
    let moved = worker.status("RssAnon").abs_diff(before);
    assert!(moved <= page_counters_lag(), "{moved}");
    worker.done();
    assert_eq!(worker.get(Counter::Live), 8 * MIB);
}

#[test]
fn a_command_finds_the_files_it_was_given() {
    let dir = tempfile::tempdir().unwrap();
    let step = Workload::Exec(Exec {
        folder: None,
        command: ["sh", "given.sh"].map(String::from).into(),
        files: vec![("given.sh".into(), "echo done > result\n".into())],
        env: Vec::new(),
        user: None,
        duration_ms: None,
    });
    let mut worker = Worker::start(dir.path(), &[step]);
    worker.done();
    let result = std::fs::read_to_string(dir.path().join("result")).unwrap();
    assert_eq!(result, "done\n");
}
