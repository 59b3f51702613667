//! In a real limited cgroup: what the truth says is what the kernel charges.

use std::fs;

use memtide::cgroup::{Hierarchy, Limits, Managed, ManagedPod};
use memtide::rows::CgroupVersion;
use memtide::run_id::RunId;
use memtide::sys::process::Child;
use memtide::truth::Counter;
use memtide::workload::{Advice, Anon, Huge, Release, Sleep, Workload};

use crate::support::{MIB, Worker, log, unlink};

/// A pod with one container of 256 MiB, or none and a line that says why.
fn container() -> Option<(ManagedPod, Managed)> {
    let made = || {
        let hierarchy = Hierarchy::discover().map_err(|error| error.to_string())?;
        let run = RunId::new().map_err(|error| error.to_string())?;
        let pod = ManagedPod::create(&hierarchy, &run).map_err(|error| error.to_string())?;
        let limits = Limits {
            limit: 256 * MIB,
            high: None,
        };
        let container = pod
            .container("app", &limits)
            .map_err(|error| error.to_string())?;
        Ok((pod, container))
    };
    made()
        .map_err(|why: String| crate::common::skip("a worker in a container", &why))
        .ok()
}

fn usage(container: &Managed) -> u64 {
    let file = match container.version() {
        CgroupVersion::V1 => "memory.usage_in_bytes",
        CgroupVersion::V2 => "memory.current",
    };
    fs::read_to_string(container.path().join(file))
        .unwrap()
        .trim()
        .parse()
        .unwrap()
}

fn row(container: &Managed, v1: &str, v2: &str) -> u64 {
    let name = if container.version() == CgroupVersion::V1 {
        v1
    } else {
        v2
    };
    let text = fs::read_to_string(container.path().join("memory.stat")).unwrap();
    let line = text
        .lines()
        .find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
    line.unwrap().parse().unwrap()
}

/// What per-CPU batches may hide: 64 pages a CPU.
fn lag() -> u64 {
    let cpus = std::thread::available_parallelism().map_or(2, |cpus| cpus.get() as u64);
    64 * cpus * 4096
}

#[test]
fn the_kernel_charges_what_the_truth_says() {
    let Some((_pod, container)) = container() else {
        return;
    };
    let dir = tempfile::tempdir_in(".").unwrap();
    let steps = [
        Workload::Anon(Anon {
            region: "heap".into(),
            size: 100 * MIB,
            rate: None,
            chunk: MIB,
            leak: false,
            huge: Huge::Never,
        }),
        Workload::Sleep(Sleep { duration_ms: 200 }),
        Workload::LogWrite(log(32 * MIB)),
        Workload::Release(Release {
            region: "heap".into(),
            advice: Advice::Dontneed,
            share: 50.0,
        }),
        unlink(),
    ];
    let mut worker = Worker::start_with(dir.path(), &steps, |command| {
        Child::worker(container.procs()).prepare(command);
    });
    let members = container.pids().unwrap();
    assert!(
        members.visible.contains(&(worker.pid() as i32)),
        "the worker is not in its container"
    );
    let own = usage(&container);
    // Its program text is in the harness's page cache already; its heap, stack, page tables and
    // kernel objects are what is left.
    assert!(own < 2 * MIB, "an idle worker is charged {own} bytes");

    worker.done();
    worker.done();
    let rss = row(&container, "total_rss", "anon");
    println!(
        "{}",
        fs::read_to_string(container.path().join("memory.stat")).unwrap()
    );
    let live = worker.get(Counter::Live);
    assert_eq!(live, 100 * MIB);
    assert!(
        rss.abs_diff(live) <= lag() + MIB / 2 + crate::support::RELOCATIONS,
        "rss {rss} of {live}, held"
    );

    worker.done();
    let cache = row(&container, "total_cache", "file");
    // An idle-page reclaimer of the machine may take some of it at any time.
    assert!(
        cache <= 32 * MIB + lag() && cache >= 24 * MIB,
        "cache {cache} of 32 MiB of log"
    );

    worker.done();
    let rss = row(&container, "total_rss", "anon");
    assert!(
        rss.abs_diff(50 * MIB) <= lag() + MIB / 2 + crate::support::RELOCATIONS,
        "rss {rss} of 50 MiB left"
    );

    worker.done();
    let left = row(&container, "total_cache", "file");
    assert!(left <= lag(), "cache {left} after the log was deleted");
    worker.finish();
}

#[test]
fn it_goes_first_at_an_oom() {
    let dir = tempfile::tempdir().unwrap();
    let worker = Worker::start(dir.path(), &[]);
    let score = fs::read_to_string(format!("/proc/{}/oom_score_adj", worker.pid())).unwrap();
    assert_eq!(score.trim(), "1000");
}
