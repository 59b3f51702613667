//! `anon` and what is done to its regions.

use memtide::truth::Counter;
use memtide::workload::{Anon, Huge, Workload};

use crate::support::{MIB, Worker};

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
        // The worker's own: its list of mappings, 16 bytes a mapping, and the counters of
        // resident pages that each CPU keeps back (64 pages a CPU of 2 at the least).
        let own = 128 * 4096 + size / 4096 * 16;
        assert!(grown.abs_diff(size) <= own, "{grown} for {size}");
    }
    assert_eq!(worker.get(Counter::Leaked), 3 * MIB);
    assert_eq!(worker.get(Counter::AllocatedTotal), claimed);
    worker.finish();
}
