//! The reclaim lists of one cgroup, as runs of pages, and the sums that rows are made of.

use std::collections::VecDeque;

/// Whose pages stand for lazily freed memory: no file has this number.
pub const LAZY: u32 = u32::MAX;

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

impl Extent {
    /// The part from one page to before another.
    pub fn cut(self, from: u64, to: u64) -> Extent {
        Extent {
            start: from,
            len: to.saturating_sub(from),
            ..self
        }
    }

    /// The page after the last.
    pub fn end(self) -> u64 {
        self.start + self.len
    }
}

/// One list; its newest extent is its last.
#[derive(Debug, Clone, Default)]
pub struct List {
    extents: VecDeque<Extent>,
    pages: u64,
}

impl List {
    /// Pages on it.
    pub fn pages(&self) -> u64 {
        self.pages
    }

    /// Its extents, oldest first.
    pub fn iter(&self) -> impl Iterator<Item = &Extent> {
        self.extents.iter()
    }
}

/// All lists of a cgroup, by generation, youngest last; with the classic LRU there are two, inactive
/// and active.
#[derive(Debug, Clone)]
pub struct Lists {
    lists: VecDeque<List>,
    pages: u64,
    written: u64,
}

impl Lists {
    /// So many empty ones.
    pub fn new(count: usize) -> Self {
        Lists {
            lists: vec![List::default(); count].into(),
            pages: 0,
            written: 0,
        }
    }

    /// How many lists there are.
    pub fn count(&self) -> usize {
        self.lists.len()
    }

    /// Pages on one of them; 0 where there is none.
    pub fn pages_of(&self, list: usize) -> u64 {
        self.lists.get(list).map_or(0, List::pages)
    }

    /// Pages on all of them, lazily freed ones included.
    pub fn pages(&self) -> u64 {
        self.pages
    }

    /// Pages that were written through the cache.
    pub fn written(&self) -> u64 {
        self.written
    }

    /// The extents of one list, oldest first.
    pub fn of(&self, list: usize) -> impl Iterator<Item = &Extent> {
        self.lists.get(list).into_iter().flat_map(List::iter)
    }

    /// All extents.
    pub fn extents(&self) -> impl Iterator<Item = &Extent> {
        self.lists.iter().flat_map(List::iter)
    }

    /// Puts an extent at a list's young end; neighbours that are alike become one.
    pub fn push(&mut self, list: usize, new: Extent) {
        let Some(list) = self.lists.get_mut(list).filter(|_| new.len > 0) else {
            return;
        };
        self.pages += new.len;
        self.written += if new.written { new.len } else { 0 };
        list.pages += new.len;
        match list.extents.back_mut() {
            Some(last)
                if (last.file, last.end()) == (new.file, new.start)
                    && (last.referenced, last.written) == (new.referenced, new.written) =>
            {
                last.len += new.len;
            }
            _ => list.extents.push_back(new),
        }
    }

    /// Takes up to `most` pages from a list's old end.
    pub fn pop(&mut self, list: usize, most: u64) -> Option<Extent> {
        let list = self.lists.get_mut(list).filter(|_| most > 0)?;
        let mut oldest = list.extents.pop_front()?;
        let taken = oldest.cut(oldest.start, oldest.start + most.min(oldest.len));
        oldest.start += taken.len;
        oldest.len -= taken.len;
        if oldest.len > 0 {
            list.extents.push_front(oldest);
        }
        list.pages -= taken.len;
        self.pages -= taken.len;
        self.written -= if taken.written { taken.len } else { 0 };
        Some(taken)
    }

    /// Takes pages of a file from a list's young end, if they are the newest there.
    pub fn pop_newest(&mut self, list: usize, file: u32, from: u64, to: u64) -> Option<Extent> {
        let list = self.lists.get_mut(list).filter(|_| from < to)?;
        let newest = list.extents.back_mut()?;
        if (newest.file, newest.end()) != (file, to) || newest.start > from {
            return None;
        }
        let taken = newest.cut(from, to);
        newest.len -= taken.len;
        if newest.len == 0 {
            list.extents.pop_back();
        }
        list.pages -= taken.len;
        self.pages -= taken.len;
        self.written -= if taken.written { taken.len } else { 0 };
        Some(taken)
    }

    /// Takes a list's extents, all of them; the sums follow.
    pub fn take(&mut self, list: usize) -> VecDeque<Extent> {
        let Some(list) = self.lists.get_mut(list) else {
            return VecDeque::new();
        };
        let taken = std::mem::take(list);
        self.pages -= taken.pages;
        let written = taken.iter().filter(|e| e.written).map(|e| e.len);
        self.written -= written.sum::<u64>();
        taken.extents
    }

    /// A new youngest list.
    pub fn add_youngest(&mut self) {
        self.lists.push_back(List::default());
    }

    /// Ends the oldest list if it is empty.
    pub fn end_oldest(&mut self) -> bool {
        let empty = self.lists.front().is_some_and(|list| list.pages == 0);
        if empty {
            self.lists.pop_front();
        }
        empty
    }
}

/// What of `from..to` is in none of the ranges.
pub fn gaps(mut here: Vec<(u64, u64)>, from: u64, to: u64) -> Vec<(u64, u64)> {
    here.sort_unstable();
    let mut gaps = Vec::new();
    let mut at = from;
    for (a, b) in here {
        if a > at {
            gaps.push((at, a));
        }
        at = at.max(b);
    }
    if at < to {
        gaps.push((at, to));
    }
    gaps
}

/// A run of pages that nobody has used since it came.
pub fn extent(file: u32, start: u64, len: u64, written: bool) -> Extent {
    Extent {
        file,
        start,
        len,
        referenced: false,
        written,
    }
}
