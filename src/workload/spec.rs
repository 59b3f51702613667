//! What each workload is told. All sizes are resolved to bytes: a plan that reaches a worker has no
//! shares left in it.

use serde::{Deserialize, Serialize};

/// One step's work.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Workload {
    /// Appends lines to a log.
    LogWrite(LogWrite),
    /// Reads a file, in passes.
    FileRead(FileRead),
    /// Deletes files (a pattern's whole set: the log and its rotated copies).
    Unlink(Unlink),
    /// Maps and touches anonymous memory.
    Anon(Anon),
    /// Allocates and frees around a steady live set.
    HeapChurn(HeapChurn),
    /// Gives memory of a region back.
    Release(Release),
    /// Writes to memory of a region again.
    Rewrite(Rewrite),
    /// Waits.
    Sleep(Sleep),
    /// Runs a command.
    Exec(Exec),
    /// Kills the container's processes, makes its cgroup anew, and goes on in new ones.
    RestartContainer(RestartContainer),
    /// Makes and removes cgroups in the pod, one after the other.
    CgroupChurn(CgroupChurn),
    /// Fills a file in memory (tmpfs).
    TmpfsFill(TmpfsFill),
    /// Deletes a file in memory.
    TmpfsRemove(TmpfsRemove),
    /// Maps a file and touches every page of it.
    MmapScan(MmapScan),
    /// Looks up names that do not exist.
    Dentries(Dentries),
    /// Gives most of each huge page back.
    ThpRelease(ThpRelease),
    /// Asks the kernel to reclaim the container's memory.
    Reclaim(Reclaim),
    /// Tells the kernel what becomes of a file's cache.
    Fadvise(Fadvise),
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

/// See [`Workload::RestartContainer`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RestartContainer {
    /// Whether the run's files go, too, as they do when a pod (not only its container) is replaced.
    pub delete_files: bool,
}

/// See [`Workload::CgroupChurn`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CgroupChurn {
    /// How many cgroups come and go.
    pub count: u64,
    /// Bytes of a file that each writes and leaves behind.
    pub file: u64,
}

/// Numbers drawn for each line, object or lifetime.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Dist {
    /// Always the same.
    Fixed(u64),
    /// Any of `lo..=hi` alike.
    Uniform(u64, u64),
    /// Exponential with this mean.
    Exponential(f64),
    /// Log-normal by median and sigma of the logarithm.
    LogNormal(f64, f64),
}

/// See [`Workload::LogWrite`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LogWrite {
    /// File name in the pod's work directory.
    pub file: String,
    /// Bytes a line, its newline included.
    pub line: Dist,
    /// Bytes collected before one write(2); 0 writes every line by itself.
    pub buffer: u64,
    /// Bytes a second; none is as fast as it goes.
    pub rate: Option<u64>,
    /// Stop after these bytes (the last line may be cut to fit).
    pub total: Option<u64>,
    /// Stop after this time, milliseconds.
    pub duration_ms: Option<u64>,
    /// When fsync(2) is called.
    pub fsync: Fsync,
    /// When and how the log is rotated.
    pub rotate: Option<Rotate>,
    /// Keep the file open for the next step of this actor instead of closing it at the end.
    pub keep_open: bool,
}

/// When fsync(2) is called.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Fsync {
    /// Never.
    Never,
    /// Once, at the step's end.
    End,
    /// After every so many bytes.
    Every(u64),
}

/// Rotation by size.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Rotate {
    /// When the file has reached this size, bytes.
    pub size: u64,
    /// How.
    pub mode: RotateMode,
    /// How many old files are kept (`app.log.1` is the youngest).
    pub keep: u64,
}

/// How a log is rotated.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum RotateMode {
    /// `rename(2)` and a new file.
    Rename,
    /// Copy to the side and truncate in place.
    CopyTruncate,
}

/// See [`Workload::FileRead`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct FileRead {
    /// File name in the pod's work directory.
    pub file: String,
    /// How many times it is read from start to end.
    pub passes: u64,
    /// Bytes a read(2).
    pub chunk: u64,
    /// Go on at the end as the file grows, until this many bytes were read.
    pub follow: Option<u64>,
    /// Bytes a second; none is as fast as it goes.
    pub rate: Option<u64>,
}

/// See [`Workload::Unlink`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Unlink {
    /// File name in the pod's work directory; its rotated copies (`NAME.N`) go too.
    pub file: String,
}

/// See [`Workload::Anon`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Anon {
    /// The region's name; a second step on it makes it larger.
    pub region: String,
    /// Bytes to map and touch, every page of it.
    pub size: u64,
    /// Bytes a second; none is as fast as it goes.
    pub rate: Option<u64>,
    /// Bytes mapped and touched at a time.
    pub chunk: u64,
    /// Whether the program has lost it: counted as leaked.
    pub leak: bool,
    /// Which pages it asks for.
    pub huge: Huge,
}

/// Which page size an anonymous region asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Huge {
    /// MADV_NOHUGEPAGE: numbers add up in 4 KiB pages.
    Never,
    /// MADV_HUGEPAGE.
    Always,
    /// What the system does by itself.
    System,
}

/// See [`Workload::HeapChurn`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct HeapChurn {
    /// Bytes live at a time, about.
    pub live: u64,
    /// Bytes an object.
    pub size: Dist,
    /// Allocations an object lives through.
    pub lifetime: Dist,
    /// Stop after this many bytes were allocated in all.
    pub total: u64,
    /// Bytes a second allocated; none is as fast as it goes.
    pub rate: Option<u64>,
}

/// See [`Workload::Release`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Release {
    /// The region's name.
    pub region: String,
    /// How it is given back.
    pub advice: Advice,
    /// How much of it, percent from its start, in whole pages.
    pub share: f64,
}

/// How memory is given back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Advice {
    /// MADV_FREE: the kernel may take it, later.
    Free,
    /// MADV_DONTNEED: gone now.
    Dontneed,
    /// MADV_COLD: first in line for reclaim.
    Cold,
    /// MADV_PAGEOUT: reclaimed now where there is somewhere to put it.
    Pageout,
    /// munmap(2).
    Unmap,
    /// Nothing is said to the kernel: the program's allocator keeps it for its next allocations.
    Keep,
}

/// See [`Workload::Rewrite`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Rewrite {
    /// The region's name.
    pub region: String,
    /// How much of it, percent from its start, in whole pages.
    pub share: f64,
}

/// See [`Workload::Sleep`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Sleep {
    /// Milliseconds.
    pub duration_ms: u64,
}

/// See [`Workload::Exec`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Exec {
    /// Program and arguments; run in the pod's work directory.
    pub command: Vec<String>,
    /// Files put into the work directory first: name and text.
    #[serde(default)]
    pub files: Vec<(String, String)>,
    /// Variables added to its environment.
    pub env: Vec<(String, String)>,
    /// End it after this time (SIGTERM, then SIGKILL); reaching it is not a failure.
    pub duration_ms: Option<u64>,
}

/// See [`Workload::TmpfsFill`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TmpfsFill {
    /// File name in the run's folder on the tmpfs; a second step on it makes it larger.
    pub file: String,
    /// Bytes to write.
    pub size: u64,
    /// Bytes a second; none is as fast as it goes.
    pub rate: Option<u64>,
}

/// See [`Workload::TmpfsRemove`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TmpfsRemove {
    /// File name in the run's folder on the tmpfs.
    pub file: String,
}

/// See [`Workload::MmapScan`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct MmapScan {
    /// File name in the pod's work directory.
    pub file: String,
    /// How many times every page is touched.
    pub passes: u64,
    /// Keep it mapped until the actor ends.
    pub keep: bool,
}

/// See [`Workload::Dentries`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Dentries {
    /// How many names are looked up, each another one.
    pub lookups: u64,
    /// Look-ups a second; none is as fast as it goes.
    pub rate: Option<u64>,
}

/// See [`Workload::ThpRelease`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ThpRelease {
    /// The region's name; it must have been mapped with huge pages.
    pub region: String,
    /// Bytes at the start of each huge page that stay in use, in whole pages.
    pub keep: u64,
}

/// See [`Workload::Reclaim`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Reclaim {
    /// Bytes to ask for (v2); v1 knows only "all".
    pub amount: u64,
}

/// See [`Workload::Fadvise`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Fadvise {
    /// File name in the pod's work directory.
    pub file: String,
    /// What is said about all of it.
    pub advice: FileAdvice,
}

/// What posix_fadvise(2) is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum FileAdvice {
    /// POSIX_FADV_DONTNEED: drop what is clean and mapped by nobody.
    Dontneed,
    /// POSIX_FADV_WILLNEED: read it in.
    Willneed,
}
