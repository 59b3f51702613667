//! The set-ups a fleet's nodes can have.

use crate::model::{CLASSIC_3_10, CLASSIC_6, Card, MGLRU_6_1, MGLRU_6_12};
use crate::rows::CgroupVersion;

/// A kernel card with its cgroup version, by the name of its set-up.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Setup {
    /// The name, as a folder of `recordings/` has it.
    pub name: &'static str,
    /// What the kernel does.
    pub card: Card,
    /// The version: v2 has memory.high and its events.
    pub cgroup: CgroupVersion,
}

/// All of them. 6.1 and 6.12 do the same with the classic LRU.
pub const SETUPS: [Setup; 5] = [
    Setup {
        name: "3.10-v1",
        card: CLASSIC_3_10,
        cgroup: CgroupVersion::V1,
    },
    Setup {
        name: "6.1-v2",
        card: CLASSIC_6,
        cgroup: CgroupVersion::V2,
    },
    Setup {
        name: "6.1-v2-mglru",
        card: MGLRU_6_1,
        cgroup: CgroupVersion::V2,
    },
    Setup {
        name: "6.12-v2",
        card: CLASSIC_6,
        cgroup: CgroupVersion::V2,
    },
    Setup {
        name: "6.12-v2-mglru",
        card: MGLRU_6_12,
        cgroup: CgroupVersion::V2,
    },
];

/// The set-up of that name.
pub fn setup(name: &str) -> Option<&'static Setup> {
    SETUPS.iter().find(|setup| setup.name == name)
}
