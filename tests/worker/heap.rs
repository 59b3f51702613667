//! `heap_churn`.

use memtide::truth::Counter;
use memtide::workload::{Dist, HeapChurn, Workload};

use crate::support::{MIB, Worker, page_counters_lag};

fn churn(live: u64, size: Dist, lifetime: Dist) -> HeapChurn {
    HeapChurn {
        live,
        size,
        lifetime,
        total: 10 * live,
        rate: None,
    }
}

#[test]
fn the_live_set_is_steady_and_memory_is_bounded() {
    for (size, lifetime) in [
        (Dist::LogNormal(200.0, 1.5), Dist::Exponential(10_000.0)),
        (Dist::Uniform(16, 64 << 10), Dist::LogNormal(500.0, 2.0)),
        (Dist::Fixed(100_000), Dist::Fixed(1)),
        (Dist::Exponential(3000.0), Dist::Uniform(1, 1_000_000)),
    ] {
        let live = 16 * MIB;
        let dir = tempfile::tempdir().unwrap();
        let step = churn(live, size.clone(), lifetime.clone());
        let mut worker = Worker::start(
            dir.path(),
            &[
                Workload::HeapChurn(step.clone()),
                Workload::HeapChurn(HeapChurn {
                    live: live / 2,
                    ..step
                }),
            ],
        );
        let own = worker.status("RssAnon");
        for target in [live, live / 2] {
            let report = worker.done();
            assert!(
                report.achieved >= 10 * live && report.achieved < 11 * live,
                "{report:?}"
            );
            let seen = worker.get(Counter::Live);
            // The largest object that can be drawn here is some 100 KiB; as much is missing at most.
            assert!(
                seen <= target && seen >= target - target / 10,
                "{seen} of {target}: {size:?}"
            );
            let rss = worker.status("RssAnon") - own;
            // Live, half as much again for pages that are not full, what is kept free (a
            // sixteenth), the spare MiB, and 4 bytes a page of lists.
            let bound = live + live / 2 + live / 16 + MIB + live / 512 + page_counters_lag();
            assert!(
                rss + page_counters_lag() >= seen && rss <= bound,
                "{rss} for {seen}: {size:?}"
            );
            let balance = worker.get(Counter::AllocatedTotal) - worker.get(Counter::ReleasedTotal);
            assert_eq!(balance, seen);
            println!("{size:?} {lifetime:?}: live {seen}, rss {rss}");
        }
        worker.finish();
    }
}

#[test]
fn the_same_seed_does_the_same() {
    let dir = tempfile::tempdir().unwrap();
    let step = churn(
        2 * MIB,
        Dist::LogNormal(200.0, 1.5),
        Dist::Exponential(1000.0),
    );
    let run = || {
        let mut worker = Worker::start(dir.path(), &[Workload::HeapChurn(step.clone())]);
        worker.done();
        let mut all = [0; memtide::truth::COUNTERS.len()];
        worker.truth.read_all(&mut all);
        all
    };
    assert_eq!(run(), run());
}

#[test]
fn a_heap_can_grow_from_step_to_step() {
    let dir = tempfile::tempdir().unwrap();
    let step = |live| {
        Workload::HeapChurn(churn(
            live,
            Dist::Exponential(500.0),
            Dist::Exponential(1000.0),
        ))
    };
    let mut worker = Worker::start(dir.path(), &[step(MIB), step(8 * MIB), step(2 * MIB)]);
    for live in [MIB, 8 * MIB, 2 * MIB] {
        worker.done();
        let seen = worker.get(Counter::Live);
        assert!(seen <= live && seen > live - MIB / 8, "{seen} of {live}");
    }
}

#[test]
fn what_makes_no_sense_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let bad = churn(MIB, Dist::Uniform(9, 3), Dist::Fixed(1));
    let huge = churn(1 << 60, Dist::Fixed(1), Dist::Fixed(1));
    let mut worker = Worker::start(
        dir.path(),
        &[Workload::HeapChurn(bad), Workload::HeapChurn(huge)],
    );
    assert!(worker.fails().1.contains("empty"));
    let (_, reason) = worker.fails();
    assert!(reason.contains("mapping the heap"), "{reason}");
    worker.finish();
}
