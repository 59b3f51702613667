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
    /// Touched through a mapping since reclaim last looked (the page table's bit).
    pub young: bool,
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

    /// Whether another one that follows on a list is no other run. Of lazily freed memory only the
    /// amount matters.
    fn goes_on_in(&self, next: &Extent) -> bool {
        self.file == next.file
            && (self.end() == next.start || self.file == LAZY)
            && (self.referenced, self.written, self.young)
                == (next.referenced, next.written, next.young)
    }
}

/// A part of an extent: where it is, and its pages.
#[derive(Debug, Clone, Copy)]
pub struct Part {
    /// The list.
    pub list: usize,
    /// The extent's place on it, from the old end.
    index: usize,
    /// The pages of it, as they are on the list.
    pub pages: Extent,
}

/// One list; its newest extent is its last.
#[derive(Debug, Clone, Default)]
pub struct List {
    extents: VecDeque<Extent>,
    pages: u64,
    lazy: u64,
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

    fn count(&mut self, e: &Extent) {
        self.pages += e.len;
        self.lazy += if e.file == LAZY { e.len } else { 0 };
    }

    fn discount(&mut self, e: &Extent) {
        self.pages -= e.len;
        self.lazy -= if e.file == LAZY { e.len } else { 0 };
    }

    /// Puts what is left of an extent into its place, in order.
    fn replace(&mut self, index: usize, pieces: [Extent; 3]) {
        let mut at = index;
        for piece in pieces.into_iter().filter(|piece| piece.len > 0) {
            if at == index {
                self.extents[at] = piece;
            } else {
                self.extents.insert(at, piece);
            }
            at += 1;
        }
        if at == index {
            self.extents.remove(index);
        }
        for right in (index..=at).rev() {
            self.join(right);
        }
    }

    /// Makes an extent and the one before it one if they are alike.
    fn join(&mut self, right: usize) {
        let Some(left) = right.checked_sub(1) else {
            return;
        };
        let (Some(before), Some(after)) = (self.extents.get(left), self.extents.get(right)) else {
            return;
        };
        if before.goes_on_in(after) {
            let more = after.len;
            self.extents[left].len += more;
            self.extents.remove(right);
        }
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

    /// Pages on all of them but so many of the youngest.
    pub fn pages_of_all_but(&self, youngest: usize) -> u64 {
        let old = self.lists.len().saturating_sub(youngest);
        self.lists.iter().take(old).map(List::pages).sum()
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
        list.count(&new);
        match list.extents.back_mut() {
            Some(last) if last.goes_on_in(&new) => last.len += new.len,
            _ => list.extents.push_back(new),
        }
    }

    /// Takes up to `most` pages from a list's old end.
    pub fn pop(&mut self, list: usize, most: u64) -> Option<Extent> {
        let list = self.lists.get_mut(list).filter(|_| most > 0)?;
        let oldest = list.extents.front_mut()?;
        let taken = oldest.cut(oldest.start, oldest.start + most.min(oldest.len));
        oldest.start += taken.len;
        oldest.len -= taken.len;
        if oldest.len == 0 {
            list.extents.pop_front();
        }
        list.discount(&taken);
        self.forget(&taken);
        Some(taken)
    }

    fn forget(&mut self, e: &Extent) {
        self.pages -= e.len;
        self.written -= if e.written { e.len } else { 0 };
    }

    /// Finds the pages `from..to` of a file, youngest first on every list, since what was just written
    /// or read is asked for most; returns how many there are.
    pub fn find(&self, file: u32, from: u64, to: u64, parts: &mut Vec<Part>) -> u64 {
        parts.clear();
        let mut found = 0;
        let deepest = self.lists.iter().map(|list| list.extents.len()).max();
        for depth in 1..=deepest.unwrap_or(0) {
            for (list, one) in self.lists.iter().enumerate() {
                if found == to - from {
                    return found;
                }
                let Some(index) = one.extents.len().checked_sub(depth) else {
                    continue;
                };
                let e = one.extents[index];
                if e.file == file && e.start < to && e.end() > from {
                    let pages = e.cut(e.start.max(from), e.end().min(to));
                    found += pages.len;
                    parts.push(Part { list, index, pages });
                }
            }
        }
        found
    }

    /// Marks a part: used once, and touched through a mapping. Parts of one list are changed from young
    /// to old, as [`Lists::find`] gives them: then the places of the others stay right.
    pub fn mark(&mut self, part: &Part, referenced: bool, young: bool) {
        let marked = Extent {
            referenced,
            young,
            ..part.pages
        };
        if marked != part.pages {
            self.exchange(part, marked);
        }
    }

    /// Moves what was touched through a mapping since the last look to the youngest list.
    pub fn move_young(&mut self) {
        let youngest = self.lists.len() - 1;
        let mut moved = Vec::new();
        for index in 0..youngest {
            if !self.lists[index].iter().any(|e| e.young) {
                continue;
            }
            let (young, old) = self
                .take(index)
                .into_iter()
                .partition::<Vec<_>, _>(|e| e.young);
            moved.extend(young);
            old.into_iter().for_each(|e| self.push(index, e));
        }
        for e in moved {
            self.push(youngest, Extent { young: false, ..e });
        }
    }

    /// Takes a part off its list; in which order: see [`Lists::mark`].
    pub fn remove(&mut self, part: &Part) {
        let list = &mut self.lists[part.list];
        list.discount(&part.pages);
        self.forget(&part.pages);
        self.exchange(part, part.pages.cut(0, 0));
    }

    fn exchange(&mut self, part: &Part, new: Extent) {
        let list = &mut self.lists[part.list];
        let e = list.extents[part.index];
        // Most often all of it.
        if part.pages.len == e.len {
            if new.len > 0 {
                list.extents[part.index] = new;
                list.join(part.index + 1);
            } else {
                list.extents.remove(part.index);
            }
            list.join(part.index);
            return;
        }
        let (from, to) = (part.pages.start, part.pages.end());
        list.replace(part.index, [e.cut(e.start, from), new, e.cut(to, e.end())]);
    }

    /// Takes lazily freed pages off the lists, the oldest first; returns how many there were.
    pub fn remove_lazy(&mut self, pages: u64) -> u64 {
        let mut left = pages;
        for list in &mut self.lists {
            let mut index = 0;
            while left > 0 && list.lazy > 0 && index < list.extents.len() {
                let e = list.extents[index];
                index += 1;
                if e.file != LAZY {
                    continue;
                }
                let cut = e.cut(e.start, e.start + left.min(e.len));
                left -= cut.len;
                list.discount(&cut);
                self.pages -= cut.len;
                let none = e.cut(0, 0);
                let before = list.extents.len();
                list.replace(index - 1, [none, none, e.cut(cut.end(), e.end())]);
                index -= before - list.extents.len();
            }
        }
        pages - left
    }

    /// Takes all pages of a file off the lists.
    pub fn remove_file(&mut self, file: u32) {
        for index in 0..self.lists.len() {
            if self.lists[index].iter().any(|e| e.file == file) {
                let kept = self.take(index).into_iter().filter(|e| e.file != file);
                kept.for_each(|e| self.push(index, e));
            }
        }
    }

    /// Takes a list's extents, all of them; the sums follow.
    fn take(&mut self, list: usize) -> VecDeque<Extent> {
        let list = std::mem::take(&mut self.lists[list]);
        list.extents.iter().for_each(|e| self.forget(e));
        list.extents
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
        young: false,
    }
}
