//! The truth: what the workers know and the kernel can't tell.
//!
//! Workers keep it in a page of shared memory; the sampler reads it without a system call. Each
//! counter is one `AtomicU64`, so a reader never sees half a number. The page of one worker has
//! one slot per counter, in the order of [`COUNTERS`].

use std::fs::File;
use std::io;
use std::os::fd::OwnedFd;
use std::path::Path;
use std::sync::atomic::Ordering;

use crate::named::named;
use crate::sys::memory::SharedWords;

/// The counters, by the name they carry in recordings after `truth:`. All in bytes.
///
/// `live` is what a heap profiler would call in use; the rest says where other memory went.
pub const COUNTERS: [&str; 13] = Counter::WORDS;

named! {
    /// One counter; its number is its slot in the page.
    Counter, name {
        /// Anonymous bytes mapped, touched and still wanted (leaked ones included: a heap profiler
        /// counts what is reachable *and* what was lost; `leaked` tells them apart).
        Live = "live",
        /// Bytes of `live` that the program will never use or release again.
        Leaked = "leaked",
        /// Bytes given back with MADV_FREE and not written again.
        FreedLazy = "freed_lazy",
        /// Bytes given back with MADV_DONTNEED or munmap, in all; and what MADV_PAGEOUT put out of
        /// memory, although that stays `live`: it is still wanted, from swap.
        FreedNow = "freed_now",
        /// Bytes written to files, in all.
        FileWritten = "file_written",
        /// Bytes read from files, in all.
        FileRead = "file_read",
        /// Bytes in files of this worker that exist now (what could be page cache). A file that was
        /// deleted while open exists until it is closed.
        FileLive = "file_live",
        /// Bytes in tmpfs files that exist now.
        ShmemLive = "shmem_live",
        /// Bytes of file mappings that were touched and are still mapped.
        MappedFileLive = "mapped_file_live",
        /// Bytes marked MADV_COLD and not touched since.
        Cold = "cold",
        /// Anonymous bytes ever allocated; memory that was given back and is written again counts
        /// again, so that `live` is always this less `released_total`.
        AllocatedTotal = "allocated_total",
        /// Anonymous bytes ever released by any means.
        ReleasedTotal = "released_total",
        /// Operations done: lines, objects or look-ups. A count, not bytes.
        Ops = "ops",
    }
}

/// Bytes of the file behind a page: one page on every machine we know would do, and the counters
/// need far less.
const FILE_BYTES: u64 = 4096;

/// One worker's counters in shared memory.
///
/// Only that worker writes to it. That is why [`Page::add`] can do with a plain load and a store,
/// which cost a log line nothing; the sampler may read at any time.
#[derive(Debug)]
pub struct Page {
    words: SharedWords,
}

impl Page {
    /// Makes a page of zeros for a worker, and the descriptor to pass to it.
    ///
    /// It is an unlinked file (memfd_create(2) needs Linux 3.17): in `/dev/shm` where that works,
    /// because there it is never written back, else in `dir`.
    ///
    /// # Errors
    /// Fails if neither place takes a file of one page.
    pub fn create(dir: &Path) -> io::Result<(Page, OwnedFd)> {
        Page::create_in(Path::new("/dev/shm")).or_else(|_| Page::create_in(dir))
    }

    fn create_in(dir: &Path) -> io::Result<(Page, OwnedFd)> {
        let file = tempfile::tempfile_in(dir)?;
        file.set_len(FILE_BYTES)?;
        let page = Page::map(&file)?;
        // Touched here first, so that the harness's cgroup is charged for it and the container's
        // is not. A full disk would show as SIGBUS here without the write before it.
        io::Write::write_all(&mut &file, &[0; FILE_BYTES as usize])?;
        page.words
            .words()
            .iter()
            .for_each(|word| word.store(0, Ordering::Relaxed));
        Ok((page, file.into()))
    }

    /// Maps the page that the harness passed.
    ///
    /// # Errors
    /// Fails if the descriptor is not such a page.
    pub fn open(fd: OwnedFd) -> io::Result<Page> {
        Page::map(&File::from(fd))
    }

    fn map(file: &File) -> io::Result<Page> {
        SharedWords::map(file, COUNTERS.len()).map(|words| Page { words })
    }

    /// The counter's value.
    #[inline]
    pub fn get(&self, counter: Counter) -> u64 {
        self.words.words()[counter as usize].load(Ordering::Relaxed)
    }

    /// Replaces the counter's value.
    #[inline]
    pub fn set(&self, counter: Counter, value: u64) {
        self.words.words()[counter as usize].store(value, Ordering::Relaxed);
    }

    /// Raises the counter.
    #[inline]
    pub fn add(&self, counter: Counter, by: u64) {
        self.set(counter, self.get(counter).wrapping_add(by));
    }

    /// Lowers the counter, not below 0.
    #[inline]
    pub fn sub(&self, counter: Counter, by: u64) {
        self.set(counter, self.get(counter).saturating_sub(by));
    }

    /// Reads all counters, in the order of [`COUNTERS`].
    pub fn read_all(&self, out: &mut [u64; COUNTERS.len()]) {
        for (slot, word) in out.iter_mut().zip(self.words.words()) {
            *slot = word.load(Ordering::Relaxed);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_one_side_writes_the_other_reads() {
        let dir = tempfile::tempdir().unwrap();
        for made in [Page::create(dir.path()), Page::create_in(dir.path())] {
            let (harness, fd) = made.unwrap();
            let worker = Page::open(fd).unwrap();
            worker.add(Counter::Live, 10);
            worker.sub(Counter::Live, 3);
            worker.sub(Counter::Leaked, 1);
            worker.set(Counter::Ops, u64::MAX);
            let mut all = [1; COUNTERS.len()];
            harness.read_all(&mut all);
            assert_eq!((all[0], all[1], all[12]), (7, 0, u64::MAX));
            assert_eq!(COUNTERS[Counter::Ops as usize], "ops");
        }
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0);
    }

    #[test]
    fn a_file_that_is_no_page_is_refused() {
        let file = tempfile::tempfile().unwrap();
        let error = Page::open(file.into()).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::UnexpectedEof);
    }
}
