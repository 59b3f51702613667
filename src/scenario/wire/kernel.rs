//! Workloads about one thing the kernel does, as they are written.

use schemars::JsonSchema;

use super::{At, WireRate, WireSize};
use crate::workload::FileAdvice;

/// Fills a file in memory (tmpfs): it counts as cache and as shmem, and stays until it is deleted.
#[derive(Debug, serde::Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "TmpfsFill")]
pub struct WireTmpfsFill {
    /// File name in the run's folder on the tmpfs; a second step makes it larger.
    pub file: At<String>,
    /// How much.
    pub size: At<WireSize>,
    /// Bytes a second. Default as fast as it goes.
    pub rate: Option<At<WireRate>>,
}

/// Deletes a file in memory.
#[derive(Debug, serde::Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "TmpfsRemove")]
pub struct WireTmpfsRemove {
    /// File name in the run's folder on the tmpfs.
    pub file: At<String>,
}

/// Maps a file and touches every page of it.
#[derive(Debug, serde::Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "MmapScan")]
pub struct WireMmapScan {
    /// File name in the work directory. Default `app.log`.
    pub file: Option<At<String>>,
    /// How many times. Default 1.
    pub passes: Option<At<u64>>,
    /// Keep it mapped until the actor ends. Default false.
    #[serde(default)]
    pub keep: bool,
}

/// Looks up names that do not exist, each another one.
#[derive(Debug, serde::Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Dentries")]
pub struct WireDentries {
    /// How many.
    pub lookups: At<u64>,
    /// Look-ups a second. Default as fast as it goes.
    pub rate: Option<At<u64>>,
}

/// Gives all but the start of each huge page of a region back.
#[derive(Debug, serde::Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "ThpRelease")]
pub struct WireThpRelease {
    /// The region's name. Default `heap`.
    pub region: Option<At<String>>,
    /// How much of each huge page stays in use. Default 4KiB.
    pub keep: Option<At<WireSize>>,
}

/// Asks the kernel to take back what it can of the container's memory, now.
#[derive(Debug, serde::Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Reclaim")]
pub struct WireReclaim {
    /// How much to ask for (cgroup v2; v1 knows only all). Default all of the limit.
    pub amount: Option<At<WireSize>>,
}

/// Tells the kernel what becomes of a file's cache (posix_fadvise).
#[derive(Debug, serde::Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Fadvise")]
pub struct WireFadvise {
    /// File name in the work directory. Default `app.log`.
    pub file: Option<At<String>>,
    /// What is said.
    pub advice: FileAdvice,
}

/// Kills the container's processes and makes its cgroup anew.
#[derive(Debug, serde::Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "RestartContainer")]
pub struct WireRestartContainer {
    /// Whether the run's files go, too, as they do when a pod is replaced. Default false.
    #[serde(default)]
    pub delete_files: bool,
}

/// A controller that restarts a container when working_set is above a threshold: its actors begin
/// again with their first step.
#[derive(Debug, serde::Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "RestartPolicy")]
pub struct WireRestartPolicy {
    /// cadvisor_working_set above which it restarts.
    pub above: At<WireSize>,
    /// How many times at the most, 1 to 100.
    pub times: At<u64>,
    /// Whether the run's files go, too, as they do when a pod is replaced. Default true.
    pub delete_files: Option<bool>,
}

/// Makes and removes cgroups, each with a process that writes a file and ends.
#[derive(Debug, serde::Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "CgroupChurn")]
pub struct WireCgroupChurn {
    /// How many, 1 to 10,000.
    pub count: At<u64>,
    /// What each writes and leaves in the work directory. Default 64KiB.
    pub file: Option<At<WireSize>>,
}
