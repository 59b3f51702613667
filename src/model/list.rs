//! One list of file pages, oldest first, with its sums kept as counters: a cgroup is asked for them at
//! every charge, and its lists may be long.

use std::collections::{VecDeque, vec_deque};

/// A run of pages of one file, in list order: the lowest page is the oldest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Extent {
    /// The file's number.
    pub file: u32,
    /// The first page.
    pub start: u64,
    /// How many pages.
    pub len: u64,
    /// Used once since it came to its list.
    pub referenced: bool,
    /// Written through the cache, so it has a buffer head.
    pub written: bool,
}

/// Extents in list order, and how many pages they have.
#[derive(Debug, Clone, Default)]
pub struct List {
    extents: VecDeque<Extent>,
    pages: u64,
    written: u64,
}

impl List {
    /// Pages on it.
    pub fn pages(&self) -> u64 {
        self.pages
    }

    /// Pages on it that were written through the cache.
    pub fn written(&self) -> u64 {
        self.written
    }

    /// Whether nothing is on it.
    pub fn is_empty(&self) -> bool {
        self.pages == 0
    }

    /// From the oldest on.
    pub fn iter(&self) -> impl Iterator<Item = &Extent> {
        self.extents.iter()
    }

    /// Adds the newest; joined with the one before it where nothing tells the two apart.
    pub fn push(&mut self, new: Extent) {
        if new.len == 0 {
            return;
        }
        self.count(&new);
        match self.extents.back_mut() {
            Some(last)
                if (last.file, last.start + last.len) == (new.file, new.start)
                    && (last.referenced, last.written) == (new.referenced, new.written) =>
            {
                last.len += new.len;
            }
            _ => self.extents.push_back(new),
        }
    }

    /// Takes the oldest off.
    pub fn pop_oldest(&mut self) -> Option<Extent> {
        let oldest = self.extents.pop_front()?;
        self.discount(&oldest);
        Some(oldest)
    }

    /// Puts what is left of the oldest back.
    pub fn put_oldest(&mut self, extent: Extent) {
        self.count(&extent);
        self.extents.push_front(extent);
    }

    /// Drops all of a file's pages.
    pub fn drop_file(&mut self, file: u32) {
        let (mut pages, mut written) = (0, 0);
        self.extents.retain(|e| {
            if e.file == file {
                pages += e.len;
                written += if e.written { e.len } else { 0 };
            }
            e.file != file
        });
        self.pages -= pages;
        self.written -= written;
    }

    fn count(&mut self, extent: &Extent) {
        self.pages += extent.len;
        self.written += if extent.written { extent.len } else { 0 };
    }

    fn discount(&mut self, extent: &Extent) {
        self.pages -= extent.len;
        self.written -= if extent.written { extent.len } else { 0 };
    }
}

impl IntoIterator for List {
    type Item = Extent;
    type IntoIter = vec_deque::IntoIter<Extent>;

    fn into_iter(self) -> Self::IntoIter {
        self.extents.into_iter()
    }
}
