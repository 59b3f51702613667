//! Expectations and the conditions they depend on, as they are written.

use schemars::JsonSchema;
use serde::Deserialize;

use super::{At, Names};
use crate::host::Lru;
use crate::rows::CgroupVersion;
use crate::scenario::spec::Pick;

wire! {
    /// A claim about one number at one moment.
    WireExpectation as "Expectation" {
        /// After this step, once the counters have settled; or `end`: the last sample, after all actors ended.
        pub at: Option<At<String>>,
        /// Over this step, or from the start of the first to the end of the second; needs `pick`.
        pub during: Option<Names>,
        /// Which of the values of `during`.
        pub pick: Option<At<Pick>>,
        /// A formula, a counter that formulas read, a kernel row, or `truth:NAME`.
        pub value: At<String>,
        /// `pod` or a container; the step's container if not given.
        pub group: Option<At<String>>,
        /// Subtract the value after this step.
        pub since: Option<At<String>>,
        /// The right value: `100MiB`, `40%` of the limit, `truth:live`, `0.5 * rss`, `rss @ step`.
        pub near: Option<At<String>>,
        /// How far off `near` it may be. Default 2% of the limit.
        pub tolerance: Option<At<String>>,
        /// The value is not below this.
        pub at_least: Option<At<String>>,
        /// The value is not above this.
        pub at_most: Option<At<String>>,
        /// The kernel does not give this row here.
        pub absent: Option<At<bool>>,
        /// Where it holds; everywhere if not given.
        pub when: Option<At<WireCondition>>,
        /// Why it holds there.
        pub why: String,
    }

    /// Facts of the host. All given ones must hold.
    WireCondition as "Condition" {
        /// The version of the memory controller.
        pub cgroup: Option<CgroupVersion>,
        /// The reclaim order.
        pub lru: Option<Lru>,
        /// Kernel versions, all of which must hold: `>= 4.7`, or `>= 4.7, < 6.12`.
        pub kernel: Option<At<String>>,
        /// Whether there is swap.
        pub swap: Option<bool>,
        /// Who made the cgroup.
        pub placement: Option<WirePlacement>,
        /// The transparent huge page setting: `always`, `madvise` or `never`, or several.
        pub thp: Option<Names>,
        /// Whether MADV_FREE works.
        pub madv_free: Option<bool>,
        /// Programs that must be on PATH.
        pub programs: Option<Names>,
        /// The work directory's file system, or several.
        pub filesystem: Option<Names>,
    }
}

/// Who made the cgroup.
#[derive(Debug, Clone, Copy, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(rename = "Placement")]
pub enum WirePlacement {
    /// memtide did.
    Managed,
    /// It was there: a container's own.
    Ambient,
}
