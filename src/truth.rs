//! The truth: what the workers know and the kernel can't tell.
//!
//! Workers keep it in a page of shared memory; the sampler reads it without a system call. Each
//! counter is one `AtomicU64`, so a reader never sees half a number. The page of one worker has
//! one slot per counter, in the order of [`COUNTERS`].

/// The counters, by the name they carry in recordings after `truth:`. All in bytes.
///
/// `live` is what a heap profiler would call in use; the rest says where other memory went.
pub const COUNTERS: [&str; 13] = [
    "live",
    "leaked",
    "freed_lazy",
    "freed_now",
    "file_written",
    "file_read",
    "file_live",
    "shmem_live",
    "mapped_file_live",
    "cold",
    "allocated_total",
    "released_total",
    "ops",
];

/// One counter; its number is its slot in the page.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(usize)]
pub enum Counter {
    /// Anonymous bytes mapped, touched and still wanted (leaked ones included: a heap profiler
    /// counts what is reachable *and* what was lost; `leaked` tells them apart).
    Live = 0,
    /// Bytes of `live` that the program will never use or release again.
    Leaked,
    /// Bytes given back with MADV_FREE and not written again.
    FreedLazy,
    /// Bytes given back with MADV_DONTNEED, MADV_PAGEOUT or munmap, in all.
    FreedNow,
    /// Bytes written to files, in all.
    FileWritten,
    /// Bytes read from files, in all.
    FileRead,
    /// Bytes in files of this worker that exist now (what could be page cache).
    FileLive,
    /// Bytes in tmpfs files that exist now.
    ShmemLive,
    /// Bytes of file mappings that were touched and are still mapped.
    MappedFileLive,
    /// Bytes marked MADV_COLD and not touched since.
    Cold,
    /// Anonymous bytes ever allocated.
    AllocatedTotal,
    /// Anonymous bytes ever released by any means.
    ReleasedTotal,
    /// Operations done: lines, objects or look-ups. A count, not bytes.
    Ops,
}
