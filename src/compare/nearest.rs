//! The set-up that is most like a machine.

use std::cmp::Reverse;

use crate::host::HostFacts;

/// The index of the candidate most like `host`: first by cgroup version, then by LRU, both of
/// which decide what memory numbers mean; then by kernel version, the nearest, and of two as near
/// the newer.
pub fn nearest(host: &HostFacts, candidates: &[&HostFacts]) -> Option<usize> {
    (0..candidates.len()).min_by_key(|&i| {
        let other = candidates[i];
        let version = ordinal(other);
        (
            other.cgroup != host.cgroup,
            other.lru != host.lru,
            version.abs_diff(ordinal(host)),
            Reverse(version),
            i,
        )
    })
}

/// Versions on one line, so that 4.19 is nearer to 5.4 than to 3.10. A major version has about 20
/// minor ones.
fn ordinal(host: &HostFacts) -> u64 {
    let (major, minor, _) = host.kernel_version();
    u64::from(major) * 20 + u64::from(minor)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::compare::testing::host;
    use crate::host::Lru::{Classic, Mglru};
    use crate::rows::CgroupVersion::{V1, V2};

    #[test]
    fn cgroup_and_lru_count_more_than_the_version() {
        let shipped = [
            host("6.18.5", V1, Classic),
            host("6.1.0-56", V1, Classic),
            host("6.1.0-56", V2, Classic),
            host("6.1.0-56", V2, Mglru),
            host("6.12.117", V2, Mglru),
            host("3.10.0-1160", V1, Classic),
        ];
        let shipped: Vec<&HostFacts> = shipped.iter().collect();
        for (kernel, cgroup, lru, want) in [
            ("6.11.0", V2, Classic, 2),
            ("6.11.0", V2, Mglru, 4),
            ("6.2.0", V2, Mglru, 3),
            ("3.10.0-514", V1, Classic, 5),
            ("5.15.0", V1, Classic, 1),
            ("7.0", V1, Classic, 0),
            ("7.0", V1, Mglru, 0),
        ] {
            assert_eq!(
                nearest(&host(kernel, cgroup, lru), &shipped),
                Some(want),
                "{kernel} {cgroup} {lru}"
            );
        }
        assert_eq!(nearest(&host("6.1", V2, Mglru), &[]), None);
    }
}
