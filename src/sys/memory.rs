//! Memory the allocator knows nothing of: anonymous mappings and pages shared between processes.
#![allow(unsafe_code)]

use std::io;
use std::num::NonZeroUsize;
use std::ptr::NonNull;
use std::sync::atomic::AtomicU64;

use memmap2::{MmapOptions, MmapRaw};
use nix::sys::mman::{MapFlags, MmapAdvise, ProtFlags, madvise, mmap_anonymous, munmap};

/// How many bytes of the pages from `start` on are in memory, by mincore(2); asked for as many pages at once as there
/// are `flags`.
///
/// # Errors
/// As mincore(2).
pub(super) fn in_memory(start: *mut u8, len: usize, flags: &mut [u8]) -> io::Result<usize> {
    let page = page_size();
    let mut pages = 0;
    let mut at = 0;
    while at < len {
        let bytes = (len - at).min(flags.len() * page);
        // SAFETY: nothing is read at the address, which may be any; `flags` has one byte for each page, the last,
        // begun one included.
        let answer = unsafe {
            nix::libc::mincore(
                start.wrapping_add(at).cast(),
                bytes,
                flags.as_mut_ptr().cast(),
            )
        };
        nix::errno::Errno::result(answer)?;
        let seen = &flags[..bytes.div_ceil(page)];
        pages += seen.iter().filter(|flag| **flag & 1 == 1).count();
        at += bytes;
    }
    Ok(pages * page)
}

/// Bytes a page on this machine, as a length.
pub fn page_size() -> usize {
    super::process::page_size() as usize
}

/// A private anonymous mapping. Private, because MADV_FREE on a shared one is EINVAL.
///
/// Its pages hold nothing the program needs: they may be given back at any time, so they are only
/// ever reached by volatile access, and reading one that was given back may give zero.
#[derive(Debug)]
pub struct Anon {
    start: NonNull<u8>,
    len: usize,
}

// SAFETY: the mapping belongs to this value alone; nothing in it is tied to a thread.
unsafe impl Send for Anon {}

impl Anon {
    /// Maps `len` bytes, rounded up to whole pages. No page is touched yet.
    ///
    /// # Errors
    /// As mmap(2): ENOMEM where the address space or the overcommit limit ends.
    pub fn map(len: usize) -> io::Result<Anon> {
        let len = round_up(len.max(1), page_size())?;
        let length = NonZeroUsize::new(len).ok_or(io::ErrorKind::InvalidInput)?;
        // SAFETY: no address is asked for, so no existing mapping is replaced.
        let start = unsafe {
            mmap_anonymous(
                None,
                length,
                ProtFlags::PROT_READ | ProtFlags::PROT_WRITE,
                MapFlags::MAP_PRIVATE | MapFlags::MAP_NORESERVE,
            )
        }?;
        Ok(Anon {
            start: start.cast(),
            len,
        })
    }

    /// As [`Anon::map`], starting at a multiple of `align` (a power of two): a huge page is only
    /// given for a whole aligned 2 MiB.
    ///
    /// # Errors
    /// As [`Anon::map`].
    pub fn map_aligned(len: usize, align: usize) -> io::Result<Anon> {
        let mut map = Anon::map(len.checked_add(align).ok_or(io::ErrorKind::OutOfMemory)?)?;
        let skip = (map.start.as_ptr() as usize).wrapping_neg() & (align - 1);
        map.unmap_front(skip)?;
        map.unmap_back(map.len - round_up(len.max(1), page_size())?)?;
        Ok(map)
    }

    /// Bytes mapped.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether all of it was unmapped.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Makes the mapping `len` bytes long (rounded up to whole pages); it may move, so callers keep
    /// offsets and no addresses. A mapping that is as long already stays as it is.
    ///
    /// # Errors
    /// As mremap(2).
    pub fn grow(&mut self, len: usize) -> io::Result<()> {
        let len = round_up(len, page_size())?;
        if len <= self.len {
            return Ok(());
        }
        // SAFETY: the old range is this mapping, all of it, to which no reference exists; the new
        // one replaces it here in the same step.
        let moved = unsafe {
            nix::libc::mremap(
                self.start.as_ptr().cast(),
                self.len,
                len,
                nix::libc::MREMAP_MAYMOVE,
            )
        };
        if moved == nix::libc::MAP_FAILED {
            return Err(io::Error::last_os_error());
        }
        self.start = NonNull::new(moved.cast()).ok_or(io::ErrorKind::OutOfMemory)?;
        self.len = len;
        Ok(())
    }

    /// Writes one word to every page of a range, so that each is backed by memory of its own.
    /// The range is cut to the mapping. The word differs from page to page and is not 0.
    pub fn touch(&mut self, offset: usize, len: usize) {
        let page = page_size();
        let end = offset.saturating_add(len).min(self.len);
        let mut at = offset - offset % page;
        while at < end {
            // SAFETY: `at` is a multiple of the page size below `self.len`, itself a multiple of
            // it, so these 8 bytes lie inside the mapping and are aligned.
            unsafe {
                self.start
                    .add(at)
                    .cast::<u64>()
                    .write_volatile(at as u64 | 1)
            };
            at += page;
        }
    }

    /// Gives the kernel advice about whole pages of the mapping.
    ///
    /// # Errors
    /// As madvise(2): EINVAL where the kernel doesn't know the advice. A range outside the mapping
    /// is EINVAL too.
    pub fn advise(&mut self, offset: usize, len: usize, advice: MmapAdvise) -> io::Result<()> {
        self.check(offset, len)?;
        if len == 0 {
            return Ok(());
        }
        // SAFETY: the range was checked to be inside this mapping, whose contents nobody relies on
        // (see the type), so losing them breaks nothing.
        unsafe { madvise(self.start.add(offset).cast(), len, advice) }?;
        Ok(())
    }

    /// Unmaps `len` bytes (whole pages, at most all) from the start.
    ///
    /// # Errors
    /// As munmap(2); EINVAL for a length that is not whole pages of the mapping.
    pub fn unmap_front(&mut self, len: usize) -> io::Result<()> {
        self.check(0, len)?;
        if len > 0 {
            // SAFETY: the range is the front of this mapping, and `start` and `len` move past it,
            // so nothing reaches it again. At the very end `start` may dangle, with a `len` of 0.
            unsafe {
                munmap(self.start.cast(), len)?;
                self.start = self.start.add(len);
            }
            self.len -= len;
        }
        Ok(())
    }

    fn unmap_back(&mut self, len: usize) -> io::Result<()> {
        self.check(0, len)?;
        if len > 0 {
            // SAFETY: the range is the back of this mapping, and `len` shrinks before it.
            unsafe { munmap(self.start.add(self.len - len).cast(), len) }?;
            self.len -= len;
        }
        Ok(())
    }

    /// How many bytes of a range the process has in memory now, by mincore(2): for private
    /// anonymous memory, the pages in its page table.
    ///
    /// # Errors
    /// As mincore(2); EINVAL for a range that is not whole pages of the mapping.
    pub fn resident(&self, offset: usize, len: usize) -> io::Result<usize> {
        self.check(offset, len)?;
        // A fixed buffer, because what asks is itself charged for what it allocates.
        let start = self.start.as_ptr().wrapping_add(offset);
        in_memory(start, len, &mut [0; 1024])
    }

    /// Reads the word at an offset.
    ///
    /// # Panics
    /// If the offset is not a multiple of 8 inside the mapping: that is a defect of the caller.
    #[inline]
    pub fn read(&self, offset: usize) -> u64 {
        assert!(
            offset.is_multiple_of(8) && offset < self.len,
            "read at {offset} of {}",
            self.len
        );
        // SAFETY: checked above: aligned (the mapping starts at a page) and inside.
        unsafe { self.start.add(offset).cast::<u64>().read_volatile() }
    }

    /// Writes the word at an offset.
    ///
    /// # Panics
    /// As [`Anon::read`].
    #[inline]
    pub fn write(&mut self, offset: usize, word: u64) {
        assert!(
            offset.is_multiple_of(8) && offset < self.len,
            "write at {offset} of {}",
            self.len
        );
        // SAFETY: checked above: aligned (the mapping starts at a page) and inside.
        unsafe { self.start.add(offset).cast::<u64>().write_volatile(word) };
    }

    fn check(&self, offset: usize, len: usize) -> io::Result<()> {
        let page = page_size();
        let whole = offset.is_multiple_of(page) && len.is_multiple_of(page);
        let inside = offset.checked_add(len).is_some_and(|end| end <= self.len);
        if whole && inside {
            Ok(())
        } else {
            Err(io::ErrorKind::InvalidInput.into())
        }
    }
}

impl Drop for Anon {
    fn drop(&mut self) {
        let _ = self.unmap_front(self.len);
    }
}

/// Gives the kernel advice about whole pages of several mappings, each with where the range begins
/// in it and its length. Ranges that lie side by side in memory take one call: a call has a price of
/// its own (it empties the CPUs' batches of pages), which would be most of it for small mappings.
///
/// # Errors
/// As [`Anon::advise`]. Ranges before the one in error have been advised.
pub fn advise_all<'a>(
    parts: impl Iterator<Item = (&'a mut Anon, usize, usize)>,
    advice: MmapAdvise,
) -> io::Result<()> {
    let mut joined: Option<(NonNull<u8>, usize)> = None;
    let give = |(start, len): (NonNull<u8>, usize)| {
        // SAFETY: the range is made of ranges inside mappings that are borrowed until this function
        // returns, and whose contents nobody relies on.
        unsafe { madvise(start.cast(), len, advice) }
    };
    for (map, offset, len) in parts {
        map.check(offset, len)?;
        // SAFETY: inside the mapping, by the check above.
        let start = unsafe { map.start.add(offset) };
        joined = match joined {
            // The kernel places a new mapping right below the one before.
            Some((low, n)) if start.addr().get() + len == low.addr().get() => {
                Some((start, n + len))
            }
            Some((low, n)) if low.addr().get() + n == start.addr().get() => Some((low, n + len)),
            Some(range) => {
                give(range)?;
                Some((start, len))
            }
            None => Some((start, len)),
        };
    }
    match joined {
        Some(range) => Ok(give(range)?),
        None => Ok(()),
    }
}

/// `n` rounded up to a multiple of `unit`.
fn round_up(n: usize, unit: usize) -> io::Result<usize> {
    n.checked_next_multiple_of(unit)
        .ok_or_else(|| io::ErrorKind::OutOfMemory.into())
}

/// Words of a file mapped shared: another process that maps the file sees each change at once.
#[derive(Debug)]
pub struct SharedWords {
    map: MmapRaw,
}

impl SharedWords {
    /// Maps the first `words` words of a file that is at least as long.
    ///
    /// # Errors
    /// As mmap(2); UnexpectedEof if the file is shorter, because touching past its end would kill
    /// the process (SIGBUS).
    pub fn map(file: &std::fs::File, words: usize) -> io::Result<SharedWords> {
        let bytes = words * size_of::<u64>();
        if file.metadata()?.len() < bytes as u64 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        let map = MmapOptions::new().len(bytes).map_raw(file)?;
        Ok(SharedWords { map })
    }

    /// The words.
    pub fn words(&self) -> &[AtomicU64] {
        // SAFETY: the mapping starts at a page, so it is aligned for u64, and is as long as said.
        // Other processes change it meanwhile, which is what atomics allow; the slice lives no
        // longer than the mapping.
        unsafe {
            std::slice::from_raw_parts(
                self.map.as_ptr().cast::<AtomicU64>(),
                self.map.len() / size_of::<u64>(),
            )
        }
    }
}
