//! Each workload's parameters. All sizes are resolved to bytes: a plan that reaches a worker has no
//! shares left in it.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::{
    Anon, CgroupChurn, Dentries, Fadvise, FileRead, HeapChurn, LogWrite, MmapScan, Reclaim,
    Release, RestartContainer, Rewrite, ThpRelease, Unlink, Work,
};

macro_rules! workloads {
    ($($(#[$doc:meta])* $name:ident,)+) => {
        /// One step's work.
        #[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
        #[serde(rename_all = "snake_case")]
        pub enum Workload {
            $($(#[$doc])* $name($name),)+
        }

        impl Workload {
            /// The parameters as what they do.
            pub fn work(&self) -> &dyn Work {
                match self {
                    $(Workload::$name(work) => work,)+
                }
            }
        }
    };
}

workloads! {
    /// Appends lines to a log.
    LogWrite,
    /// Reads a file, in passes.
    FileRead,
    /// Deletes files (a pattern's whole set: the log and its rotated copies).
    Unlink,
    /// Maps and touches anonymous memory.
    Anon,
    /// Allocates and frees around a steady live set.
    HeapChurn,
    /// Gives memory of a region back.
    Release,
    /// Writes to memory of a region again.
    Rewrite,
    /// Waits and touches nothing.
    Sleep,
    /// Runs a command.
    Exec,
    /// Runs a service until it is asked to stop.
    Serve,
    /// Kills the container's processes, makes its cgroup anew, and goes on in new ones.
    RestartContainer,
    /// Makes and removes cgroups in the pod, one after the other.
    CgroupChurn,
    /// Fills a file in memory (tmpfs).
    TmpfsFill,
    /// Deletes a file in memory.
    TmpfsRemove,
    /// Maps a file and touches every page of it.
    MmapScan,
    /// Looks up names that do not exist.
    Dentries,
    /// Gives most of each huge page back.
    ThpRelease,
    /// Asks the kernel to reclaim the container's memory.
    Reclaim,
    /// Tells the kernel what becomes of a file's cache.
    Fadvise,
}

/// What the harness does itself, because the worker can't: it would not outlive it.
impl Workload {
    /// Whether it is done from outside the container.
    pub fn by_harness(&self) -> bool {
        matches!(
            self,
            Workload::RestartContainer(_) | Workload::CgroupChurn(_)
        )
    }
}

/// See [`Workload::Sleep`](super::Workload::Sleep).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Sleep {
    /// How long, milliseconds.
    pub duration_ms: u64,
}

/// See [`Workload::Exec`](super::Workload::Exec).
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Exec {
    /// Program and arguments.
    pub command: Vec<String>,
    /// Where it runs; none is the pod's work directory.
    #[serde(default)]
    pub folder: Option<PathBuf>,
    /// Files put into the work directory first: name and text.
    #[serde(default)]
    pub files: Vec<(String, String)>,
    /// Variables added to its environment.
    pub env: Vec<(String, String)>,
    /// Whose rights it has; the worker's own if there is none. The work directory becomes theirs.
    #[serde(default)]
    pub user: Option<String>,
    /// End it after this time (SIGTERM, then SIGKILL); reaching it is not a failure.
    pub duration_ms: Option<u64>,
}

/// See [`Workload::Serve`](super::Workload::Serve).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Serve {
    /// The command; it has no duration.
    pub run: Exec,
    /// It serves only after this text was in its output.
    pub line: Option<String>,
    /// The number of the signal that asks it to stop.
    pub stop_signal: i32,
    /// How long it may take to stop before it is killed, ms.
    pub stop_ms: u64,
    /// A file that is there already and takes what it prints, as an absolute path.
    pub output: Option<PathBuf>,
}

/// See [`Workload::TmpfsFill`](super::Workload::TmpfsFill).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TmpfsFill {
    /// File name in the run's folder on the tmpfs; a second step on it makes it larger.
    pub file: String,
    /// Bytes to write.
    pub size: u64,
    /// Bytes a second; none is as fast as it goes.
    pub rate: Option<u64>,
}

/// See [`Workload::TmpfsRemove`](super::Workload::TmpfsRemove).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TmpfsRemove {
    /// File name in the run's folder on the tmpfs.
    pub file: String,
}
