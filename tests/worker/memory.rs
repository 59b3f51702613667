//! `anon`, `release` and `rewrite`: what the kernel counts and what the truth counts are one.

use memtide::truth::Counter;
use memtide::worker::protocol::Status;
use memtide::workload::{Advice, Anon, Huge, Release, Rewrite, Workload};

use crate::support::{MIB, Worker, page_counters_lag};

fn anon(region: &str, size: u64) -> Anon {
    Anon {
        region: region.into(),
        size,
        rate: None,
        chunk: MIB,
        leak: false,
        huge: Huge::Never,
    }
}

fn release(advice: Advice, share: f64) -> Workload {
    Workload::Release(Release {
        region: "heap".into(),
        advice,
        share,
    })
}

fn rewrite(share: f64) -> Workload {
    Workload::Rewrite(Rewrite {
        region: "heap".into(),
        share,
    })
}

#[test]
fn every_page_that_is_claimed_is_touched() {
    let dir = tempfile::tempdir().unwrap();
    let steps = [
        Workload::Anon(anon("heap", 20 * MIB + 1)),
        Workload::Anon(Anon {
            chunk: 4096,
            leak: true,
            ..anon("heap", 3 * MIB)
        }),
        Workload::Anon(Anon {
            chunk: 5000,
            huge: Huge::System,
            ..anon("other", 2 * MIB)
        }),
    ];
    let mut worker = Worker::start(dir.path(), &steps);
    let mut claimed = 0;
    for size in [20 * MIB + 4096, 3 * MIB, 2 * MIB] {
        let before = worker.status("RssAnon");
        let report = worker.done();
        assert_eq!(report.achieved, size);
        claimed += size;
        assert_eq!(worker.get(Counter::Live), claimed);
        let grown = worker.status("RssAnon") - before;
        // The worker's own part is its list of mappings, 16 bytes each and doubled as it grows.
        let own = page_counters_lag() + size / 4096 * 32;
        assert!(grown.abs_diff(size) <= own, "{grown} for {size}");
    }
    assert_eq!(worker.get(Counter::Leaked), 3 * MIB);
    assert_eq!(worker.get(Counter::AllocatedTotal), claimed);
    // Exact, where the kernel looks at each page: all of it is there.
    let there = worker.smaps("Anonymous");
    assert!(
        there >= claimed && there < claimed + MIB + crate::support::RELOCATIONS,
        "{there} for {claimed}"
    );
    worker.finish();
}

#[test]
fn huge_pages_come_when_asked_for() {
    let thp = std::fs::read_to_string("/sys/kernel/mm/transparent_hugepage/enabled");
    if !thp.is_ok_and(|text| !text.contains("[never]")) {
        crate::common::skip("huge pages", "this kernel gives none");
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let step = Anon {
        huge: Huge::Always,
        ..anon("heap", 32 * MIB)
    };
    let mut worker = Worker::start(dir.path(), &[Workload::Anon(step)]);
    worker.done();
    let rollup = worker.smaps("AnonHugePages");
    // A fragmented machine may have none left; half is enough to know that it was asked for.
    assert!(rollup >= 16 * MIB, "{rollup}");
}

#[test]
fn a_rate_is_held() {
    let dir = tempfile::tempdir().unwrap();
    let step = Anon {
        rate: Some(40 * MIB),
        chunk: 64 << 10,
        ..anon("heap", 8 * MIB)
    };
    let mut worker = Worker::start(dir.path(), &[Workload::Anon(step)]);
    let start = std::time::Instant::now();
    worker.done();
    assert!(start.elapsed().as_millis() >= 195, "{:?}", start.elapsed());
}

/// What the truth must say of a region of 64 MiB after each step.
struct After {
    live: u64,
    lazy: u64,
    now: u64,
    cold: u64,
    released: u64,
}

fn check(worker: &Worker, step: usize, after: &After) {
    let seen = [
        Counter::Live,
        Counter::FreedLazy,
        Counter::FreedNow,
        Counter::Cold,
        Counter::ReleasedTotal,
    ]
    .map(|counter| worker.get(counter) / MIB);
    let expected = [
        after.live,
        after.lazy,
        after.now,
        after.cold,
        after.released,
    ];
    assert_eq!(
        seen, expected,
        "after step {step}: live, lazy, now, cold, released in MiB"
    );
    let balance = worker.get(Counter::AllocatedTotal) - worker.get(Counter::ReleasedTotal);
    assert_eq!(balance, worker.get(Counter::Live), "after step {step}");
}

#[test]
fn the_truth_follows_each_way_of_giving_back() {
    let dir = tempfile::tempdir().unwrap();
    let script = [
        (Workload::Anon(anon("heap", 64 * MIB)), [64, 0, 0, 0, 0]),
        (release(Advice::Free, 50.0), [32, 32, 0, 0, 32]),
        // What was freed already is not freed again.
        (release(Advice::Free, 75.0), [16, 48, 0, 0, 48]),
        (rewrite(25.0), [32, 32, 0, 0, 48]),
        (release(Advice::Dontneed, 50.0), [16, 16, 32, 0, 64]),
        (rewrite(100.0), [64, 0, 32, 0, 64]),
        (release(Advice::Cold, 50.0), [64, 0, 32, 32, 64]),
        (rewrite(25.0), [64, 0, 32, 16, 64]),
        (release(Advice::Dontneed, 100.0), [0, 0, 96, 0, 128]),
        (Workload::Anon(anon("heap", 16 * MIB)), [16, 0, 96, 0, 128]),
        (release(Advice::Unmap, 80.0), [16, 0, 96, 0, 128]),
        (release(Advice::Unmap, 100.0), [0, 0, 112, 0, 144]),
    ];
    let steps: Vec<_> = script.iter().map(|(step, _)| step.clone()).collect();
    let mut worker = Worker::start(dir.path(), &steps);
    let own = worker.status("RssAnon");
    for (i, (_, [live, lazy, now, cold, released])) in script.into_iter().enumerate() {
        let report = worker.step();
        if let Status::Skipped(reason) = report.status {
            crate::common::skip("every way to release", &reason);
            return;
        }
        assert_eq!(report.status, Status::Done, "{report:?}");
        check(
            &worker,
            i,
            &After {
                live,
                lazy,
                now,
                cold,
                released,
            },
        );
        // Lazily freed memory is in the process until the kernel needs it, and no pressure is here.
        let held = worker.status("RssAnon") - own;
        let expected = (live + lazy) * MIB;
        assert!(
            held.abs_diff(expected) <= page_counters_lag(),
            "{held} for {expected}, step {i}"
        );
    }
    worker.finish();
}

#[test]
fn lazily_freed_is_what_the_kernel_says() {
    let dir = tempfile::tempdir().unwrap();
    let steps = [
        Workload::Anon(anon("heap", 16 * MIB)),
        release(Advice::Free, 100.0),
        rewrite(50.0),
    ];
    let mut worker = Worker::start(dir.path(), &steps);
    worker.done();
    if let Status::Skipped(reason) = worker.step().status {
        crate::common::skip("lazily freed pages written again", &reason);
        return;
    }
    // A page counts once it has left its CPU's batch of pages to move between lists.
    let near = |seen: u64, bytes: u64| seen <= bytes && seen + page_counters_lag() >= bytes;
    let seen = worker.smaps("LazyFree");
    assert!(near(seen, 16 * MIB), "{seen}");
    worker.done();
    let seen = worker.smaps("LazyFree");
    assert!(near(seen, 8 * MIB), "{seen}");
    assert_eq!(worker.get(Counter::FreedLazy), 8 * MIB);
}

#[test]
fn leaked_memory_that_is_released_is_leaked_no_more() {
    let dir = tempfile::tempdir().unwrap();
    let steps = [
        Workload::Anon(Anon {
            leak: true,
            ..anon("heap", 8 * MIB)
        }),
        release(Advice::Dontneed, 50.0),
    ];
    let mut worker = Worker::start(dir.path(), &steps);
    worker.done();
    assert_eq!(worker.get(Counter::Leaked), 8 * MIB);
    worker.done();
    assert_eq!(worker.get(Counter::Leaked), 4 * MIB);
    assert_eq!(worker.get(Counter::Live), 4 * MIB);
}

#[test]
fn paging_out_keeps_it_wanted() {
    let dir = tempfile::tempdir().unwrap();
    let steps = [
        Workload::Anon(anon("heap", 8 * MIB)),
        release(Advice::Pageout, 100.0),
        rewrite(100.0),
    ];
    let mut worker = Worker::start(dir.path(), &steps);
    worker.done();
    if let Status::Skipped(reason) = worker.step().status {
        crate::common::skip("pages sent out and written again", &reason);
        return;
    }
    assert_eq!(worker.get(Counter::Live), 8 * MIB);
    let gone = worker.get(Counter::FreedNow);
    let left = worker.status("RssAnon");
    assert!(
        left + gone >= 8 * MIB && left + gone < 10 * MIB,
        "{left} left, {gone} gone"
    );
    worker.done();
    assert_eq!(worker.get(Counter::Live), 8 * MIB);
}

#[test]
fn an_unknown_region_fails_with_those_there_are() {
    let dir = tempfile::tempdir().unwrap();
    let steps = [
        release(Advice::Free, 100.0),
        Workload::Anon(anon("other", 4096)),
        rewrite(100.0),
        Workload::Anon(anon("big", 1 << 60)),
    ];
    let mut worker = Worker::start(dir.path(), &steps);
    assert!(worker.fails().1.contains("there are: none"));
    worker.done();
    assert!(worker.fails().1.contains("there are: other"));
    // More than there is address space: an error of mmap, not a crash. Mapped a MiB at a time it
    // would be killed first, so one chunk asks for all of it.
    drop(worker);
    let step = Anon {
        chunk: 1 << 60,
        ..anon("big", 1 << 60)
    };
    let mut worker = Worker::start(dir.path(), &[Workload::Anon(step)]);
    let (report, reason) = worker.fails();
    assert_eq!(report.achieved, 0);
    assert!(reason.contains("mapping"), "{reason}");
}
