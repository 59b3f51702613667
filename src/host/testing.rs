//! The machine of tests that make recordings by hand.

use super::{HostFacts, Lru};
use crate::rows::CgroupVersion;

/// A cloud machine of 2 CPUs and 8 GiB with Debian 12's kernel.
pub fn host() -> HostFacts {
    HostFacts {
        kernel: "6.1.0-49-cloud-amd64".into(),
        arch: "x86_64".into(),
        cgroup: CgroupVersion::V2,
        lru: Lru::Classic,
        page_size: 4096,
        cpus: 2,
        mem_total: 8 << 30,
        swap_total: 0,
        thp: Some("madvise".into()),
        psi: true,
        madv_free: true,
        filesystem: Some("ext4".into()),
        block_size: Some(4096),
        placement: "managed".into(),
        setup: None,
    }
}
