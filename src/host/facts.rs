//! The facts themselves, as recordings keep them.

use serde::{Deserialize, Serialize};

use crate::named::named;
use crate::rows::CgroupVersion;

named! {
    /// How the kernel orders pages for reclaim.
    #[derive(Serialize, Deserialize, schemars::JsonSchema)]
    #[serde(rename_all = "lowercase")]
    Lru, as_str {
        /// Active and inactive lists.
        Classic = "classic",
        /// Multi-generational LRU (`/sys/kernel/mm/lru_gen/enabled` is not 0).
        Mglru = "mglru",
    }
}

/// What a run found on its machine. Unknown facts are absent, never guessed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct HostFacts {
    /// `uname -r`.
    pub kernel: String,
    /// `uname -m`.
    pub arch: String,
    /// Which controller the memory rows came from.
    pub cgroup: CgroupVersion,
    /// The reclaim order.
    pub lru: Lru,
    /// Bytes a page.
    pub page_size: u64,
    /// CPUs online: per-CPU batches grow with it.
    pub cpus: u64,
    /// MemTotal, bytes.
    pub mem_total: u64,
    /// SwapTotal, bytes.
    pub swap_total: u64,
    /// The word chosen in `/sys/kernel/mm/transparent_hugepage/enabled`.
    #[serde(default)]
    pub thp: Option<String>,
    /// Whether `/proc/pressure/memory` is there.
    pub psi: bool,
    /// Whether the kernel took MADV_FREE (asked with a real page, not from the version).
    pub madv_free: bool,
    /// File system of the work directory (`ext4`, `xfs`, `tmpfs`, ...).
    #[serde(default)]
    pub filesystem: Option<String>,
    /// Block size of that file system, bytes.
    #[serde(default)]
    pub block_size: Option<u64>,
    /// `managed` or `ambient`.
    pub placement: String,
    /// The set-up's name where the run was given one (`6.1-v2-mglru`), from MEMTIDE_SETUP.
    #[serde(default)]
    pub setup: Option<String>,
}

impl HostFacts {
    /// Whether no kernel was asked: the set-up of a model's recording begins with `model:`.
    pub fn is_model(&self) -> bool {
        let setup = self.setup.as_deref();
        setup.is_some_and(|setup| setup.starts_with("model:"))
    }

    /// Kernel version as numbers, for comparing: `6.1.0-49-cloud` gives (6, 1, 0).
    pub fn kernel_version(&self) -> (u32, u32, u32) {
        parse_kernel_version(&self.kernel)
    }
}

/// The leading numbers of a release string; what is missing is 0.
pub fn parse_kernel_version(release: &str) -> (u32, u32, u32) {
    let mut parts = release
        .split(|c: char| !c.is_ascii_digit())
        .map(|part| part.parse().unwrap_or(0));
    let mut next = || parts.next().unwrap_or(0);
    (next(), next(), next())
}
