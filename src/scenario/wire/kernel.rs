//! Workloads about one thing the kernel does, as they are written.

use super::{At, WireRate, WireSize};
use crate::workload::FileAdvice;

wire! {
    /// Fills a file in memory (tmpfs): it counts as cache and as shmem, and stays until it is deleted.
    WireTmpfsFill as "TmpfsFill" {
        /// File name in the run's folder on the tmpfs; a second step makes it larger.
        pub file: At<String>,
        /// How much.
        pub size: At<WireSize>,
        /// Bytes a second. Default as fast as it goes.
        pub rate: Option<At<WireRate>>,
    }

    /// Deletes a file in memory.
    WireTmpfsRemove as "TmpfsRemove" {
        /// File name in the run's folder on the tmpfs.
        pub file: At<String>,
    }

    /// Maps a file and touches every page of it.
    WireMmapScan as "MmapScan" {
        /// File name in the work directory. Default `app.log`.
        pub file: Option<At<String>>,
        /// How many times. Default 1.
        pub passes: Option<At<u64>>,
        /// Keep it mapped until the actor ends. Default false.
        #[serde(default)]
        pub keep: bool,
    }

    /// Looks up names that do not exist, each another one.
    WireDentries as "Dentries" {
        /// How many.
        pub lookups: At<u64>,
        /// Look-ups a second. Default as fast as it goes.
        pub rate: Option<At<u64>>,
    }

    /// Gives all but the start of each huge page of a region back.
    WireThpRelease as "ThpRelease" {
        /// The region's name. Default `heap`.
        pub region: Option<At<String>>,
        /// How much of each huge page stays in use. Default 4KiB.
        pub keep: Option<At<WireSize>>,
    }

    /// Asks the kernel to take back what it can of the container's memory, now.
    WireReclaim as "Reclaim" {
        /// How much to ask for (cgroup v2; v1 knows only all). Default all of the limit.
        pub amount: Option<At<WireSize>>,
    }

    /// Tells the kernel what becomes of a file's cache (posix_fadvise).
    WireFadvise as "Fadvise" {
        /// File name in the work directory. Default `app.log`.
        pub file: Option<At<String>>,
        /// What is said.
        pub advice: FileAdvice,
    }

    /// Kills the container's processes and makes its cgroup anew.
    WireRestartContainer as "RestartContainer" {
        /// Whether the run's files go, too, as they do when a pod is replaced. Default false.
        #[serde(default)]
        pub delete_files: bool,
    }

    /// A controller that restarts a container when working_set is above a threshold: its actors begin
    /// again with their first step.
    WireRestartPolicy as "RestartPolicy" {
        /// cadvisor_working_set above which it restarts.
        pub above: At<WireSize>,
        /// How many times at the most, 1 to 100.
        pub times: At<u64>,
        /// Whether the run's files go, too, as they do when a pod is replaced. Default true.
        pub delete_files: Option<bool>,
    }

    /// Makes and removes cgroups, each with a process that writes a file and ends.
    WireCgroupChurn as "CgroupChurn" {
        /// How many, 1 to 10,000.
        pub count: At<u64>,
        /// What each writes and leaves in the work directory. Default 64KiB.
        pub file: Option<At<WireSize>>,
    }
}
