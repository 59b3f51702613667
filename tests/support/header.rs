//! The header of recordings made by hand: a test names what it cares about, the rest has one home.

use memtide::host::{HostFacts, Lru};
use memtide::recording::{Group, Header};
use memtide::rows::CgroupVersion;

/// A run on a machine of 2 CPUs and 8 GiB with one sample a second.
pub fn header(cgroup: CgroupVersion, groups: Vec<Group>) -> Header {
    Header {
        memtide: "0.1.0".into(),
        host: HostFacts {
            kernel: "6.1.0".into(),
            arch: "x86_64".into(),
            cgroup,
            lru: Lru::Classic,
            page_size: 4096,
            cpus: 2,
            mem_total: 8 << 30,
            swap_total: 0,
            thp: None,
            psi: false,
            madv_free: true,
            filesystem: None,
            block_size: None,
            placement: "managed".into(),
            setup: None,
        },
        scenario: "by-hand".into(),
        scenario_text: String::new(),
        scenario_hash: String::new(),
        seed: 1,
        rng: "none".into(),
        interval_ns: 1_000_000_000,
        time_scale: 1.0,
        model: None,
        started: "2026-01-01T00:00:00Z".into(),
        groups,
    }
}
