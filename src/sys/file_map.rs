//! A file mapped for reading.
#![allow(unsafe_code)]

use std::fs::File;
use std::io;

use memmap2::{MmapOptions, MmapRaw};

use super::memory::{in_memory, page_size};

/// A file mapped shared and read-only. What it holds is of no interest, only that it is touched.
#[derive(Debug)]
pub struct FileMap {
    map: MmapRaw,
}

impl FileMap {
    /// Maps all of a file as it is now.
    ///
    /// # Errors
    /// As mmap(2); an empty file can't be mapped.
    pub fn of(file: &File) -> io::Result<FileMap> {
        let len = usize::try_from(file.metadata()?.len())
            .map_err(|_| io::Error::from(io::ErrorKind::FileTooLarge))?;
        if len == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        let map = MmapOptions::new().len(len).map_raw_read_only(file)?;
        Ok(FileMap { map })
    }

    /// Bytes mapped.
    pub fn len(&self) -> usize {
        self.map.len()
    }

    /// Never: an empty file can't be mapped.
    pub fn is_empty(&self) -> bool {
        self.map.len() == 0
    }

    /// How many bytes of the file are in the page cache now, by mincore(2).
    ///
    /// Since Linux 5.2 the kernel says "all of it" of a file that the caller neither owns nor may
    /// write to.
    ///
    /// # Errors
    /// As mincore(2).
    pub fn resident(&self) -> io::Result<u64> {
        let mut flags = vec![0; 1 << 16];
        let bytes = in_memory(self.map.as_mut_ptr(), self.map.len(), &mut flags)?;
        Ok(bytes as u64)
    }

    /// Reads one byte of every page of a range, cut to the mapping.
    ///
    /// Where another process has cut the file short meanwhile, touching what is gone kills this one
    /// (SIGBUS): it is only called for files in a run's own folder, and scenarios do not do both.
    pub fn touch(&self, offset: usize, len: usize) {
        let page = page_size();
        let end = offset.saturating_add(len).min(self.map.len());
        let mut at = offset - offset % page;
        while at < end {
            // SAFETY: `at` is below the mapping's length, and a byte is always aligned. Volatile,
            // because another process may write to the file, and so that it is not left out.
            unsafe { self.map.as_ptr().add(at).read_volatile() };
            at += page;
        }
    }
}
