//! The heap of `heap_churn`: pages of one anonymous mapping, cut into objects.
//!
//! Small objects share a page with others of their size class; larger ones take whole pages, which
//! need not lie side by side, so nothing is lost to gaps. All bookkeeping of objects lies in the
//! pages themselves: it is written when an object is made, so every page that is in use is touched,
//! and what lies beside them is 4 bytes a free page.
//!
//! A page's words: of small objects, 0 class and objects in use, 1 first free object, 2 objects ever
//! made, 3 its neighbours among the pages with room. Of a large object's first page, 0 the mark
//! [`LARGE`] and its pages, 1 its second page, 2 the link. Of its other pages, 0 the next page.

use std::io;

use nix::sys::mman::MmapAdvise;

use crate::sys::memory::{Anon, page_size};

/// Bytes at the start of a page of small objects.
const HEADER: usize = 32;

/// Stands in the place of a size class on a large object's first page.
const LARGE: u32 = u32::MAX;

/// No page.
const NONE: u32 = u32::MAX;

/// How many objects share a page, by size class, largest objects first.
const OBJECTS_A_PAGE: [usize; 19] = [
    1, 2, 3, 4, 5, 6, 8, 10, 12, 16, 20, 25, 32, 40, 50, 63, 84, 126, 254,
];

/// An object: its offset in the mapping, which is never 0 for a small one and is a page's start
/// for a large one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Object(pub usize);

/// Pages and the objects on them.
#[derive(Debug)]
pub struct Arena {
    map: Anon,
    page: usize,
    /// Bytes an object by class, smallest first.
    sizes: Vec<usize>,
    /// The first page with room by class.
    with_room: Vec<u32>,
    /// Pages from here on were never used.
    fresh: usize,
    /// Free pages that are still in memory, the coldest first.
    kept: Vec<u32>,
    /// Free pages that were given back.
    given_back: Vec<u32>,
    /// So many free pages are kept at most.
    keep: usize,
    /// So many pages may be in use at most.
    most: usize,
}

impl Arena {
    /// An arena without pages.
    ///
    /// # Errors
    /// As mmap(2).
    pub fn new() -> io::Result<Arena> {
        let page = page_size();
        let mut sizes: Vec<usize> = OBJECTS_A_PAGE
            .iter()
            .map(|objects| (page - HEADER) / objects / 16 * 16)
            .rev()
            .collect();
        sizes.dedup();
        let mut map = Anon::map(page)?;
        without_huge_pages(&mut map)?;
        Ok(Arena {
            map,
            page,
            with_room: vec![NONE; sizes.len()],
            sizes,
            // Page 0 is never used: 0 can stand for "no object" then.
            fresh: 1,
            kept: Vec::new(),
            given_back: Vec::new(),
            keep: 0,
            most: 0,
        })
    }

    /// From now on at most `most` bytes are in use, and `keep` bytes that are free stay in memory.
    ///
    /// # Errors
    /// As mremap(2).
    pub fn bound(&mut self, most: u64, keep: u64) -> io::Result<()> {
        self.most = usize::try_from(most).unwrap_or(usize::MAX) / self.page;
        self.keep = keep as usize / self.page;
        let needed = self.most.saturating_add(1).saturating_mul(self.page);
        if needed > self.map.len() {
            if needed / self.page > NONE as usize {
                return Err(io::ErrorKind::OutOfMemory.into());
            }
            self.map.grow(needed)?;
            without_huge_pages(&mut self.map)?;
        }
        Ok(())
    }

    /// Bytes that an object of `size` bytes takes: those of its class or whole pages.
    pub fn takes(&self, size: u64) -> u64 {
        match self.class(size) {
            Some(class) => self.sizes[class] as u64,
            None => size
                .div_ceil(self.page as u64)
                .saturating_mul(self.page as u64),
        }
    }

    /// Makes an object and touches every page of it; none if there is no room left.
    pub fn alloc(&mut self, size: u64) -> Option<Object> {
        match self.class(size) {
            Some(class) => self.alloc_small(class),
            None => self.alloc_large(usize::try_from(size.div_ceil(self.page as u64)).ok()?),
        }
    }

    /// Frees an object and says how many bytes it took, and how many the kernel was given back.
    ///
    /// # Errors
    /// As madvise(2).
    pub fn free(&mut self, object: Object) -> io::Result<(u64, u64)> {
        let page = object.0 / self.page;
        let (kind, count) = halves(self.word(page, 0));
        if object.0.is_multiple_of(self.page) {
            return Ok((
                u64::from(count) * self.page as u64,
                self.free_large(page, count)?,
            ));
        }
        Ok((
            self.sizes[kind as usize] as u64,
            self.free_small(page, kind, count, object)?,
        ))
    }

    /// The word of an object that its user may write.
    pub fn link(&self, object: Object) -> u64 {
        self.map.read(self.link_at(object))
    }

    /// Writes that word.
    pub fn set_link(&mut self, object: Object, link: u64) {
        self.map.write(self.link_at(object), link);
    }

    /// Bytes of all pages that are in memory: in use, or free and kept.
    #[cfg(test)]
    pub fn in_memory(&self) -> u64 {
        ((self.fresh - 1 - self.given_back.len()) * self.page) as u64
    }

    fn link_at(&self, object: Object) -> usize {
        if object.0.is_multiple_of(self.page) {
            object.0 + 16
        } else {
            object.0
        }
    }

    fn class(&self, size: u64) -> Option<usize> {
        let class = self.sizes.partition_point(|bytes| (*bytes as u64) < size);
        (class < self.sizes.len()).then_some(class)
    }

    fn alloc_small(&mut self, class: usize) -> Option<Object> {
        let page = match self.with_room[class] {
            NONE => self.page_with_room(class)?,
            page => page as usize,
        };
        let (_, used) = halves(self.word(page, 0));
        let free = self.word(page, 1);
        let object = if free == 0 {
            let made = self.word(page, 2);
            self.set_word(page, 2, made + 1);
            Object(page * self.page + HEADER + made as usize * self.sizes[class])
        } else {
            let object = Object(free as usize);
            let next = self.link(object);
            self.set_word(page, 1, next);
            object
        };
        self.set_word(page, 0, joined(class as u32, used + 1));
        if used as usize + 1 == self.capacity(class) {
            self.leave(page, class);
        }
        Some(object)
    }

    fn page_with_room(&mut self, class: usize) -> Option<usize> {
        let page = self.take_page()?;
        self.set_word(page, 0, joined(class as u32, 0));
        self.set_word(page, 1, 0);
        self.set_word(page, 2, 0);
        self.enter(page, class);
        Some(page)
    }

    fn free_small(
        &mut self,
        page: usize,
        class: u32,
        used: u32,
        object: Object,
    ) -> io::Result<u64> {
        let was_full = used as usize == self.capacity(class as usize);
        if used == 1 {
            if !was_full {
                self.leave(page, class as usize);
            }
            return self.put_page(page);
        }
        let free = self.word(page, 1);
        self.set_link(object, free);
        self.set_word(page, 1, object.0 as u64);
        self.set_word(page, 0, joined(class, used - 1));
        if was_full {
            self.enter(page, class as usize);
        }
        Ok(0)
    }

    fn alloc_large(&mut self, pages: usize) -> Option<Object> {
        if pages > self.most.saturating_sub(self.in_use()) || pages > u32::MAX as usize {
            return None;
        }
        // Linked from the last page on, so that each is written once.
        let mut next = 0;
        for _ in 1..pages {
            let page = self.take_page()?;
            self.set_word(page, 0, next);
            next = page as u64;
        }
        let first = self.take_page()?;
        self.set_word(first, 0, joined(LARGE, pages as u32));
        self.set_word(first, 1, next);
        Some(Object(first * self.page))
    }

    fn free_large(&mut self, first: usize, pages: u32) -> io::Result<u64> {
        let mut next = self.word(first, 1);
        let mut given_back = self.put_page(first)?;
        for _ in 1..pages {
            let page = next as usize;
            next = self.word(page, 0);
            given_back += self.put_page(page)?;
        }
        Ok(given_back)
    }

    fn in_use(&self) -> usize {
        self.fresh - 1 - self.kept.len() - self.given_back.len()
    }

    fn take_page(&mut self) -> Option<usize> {
        if self.in_use() >= self.most {
            return None;
        }
        if let Some(page) = self.kept.pop().or_else(|| self.given_back.pop()) {
            return Some(page as usize);
        }
        self.fresh += 1;
        Some(self.fresh - 1)
    }

    /// Keeps a free page; when there are too many, the colder half goes back to the kernel at once,
    /// as allocators do it: a call a page would cost more than the page.
    fn put_page(&mut self, page: usize) -> io::Result<u64> {
        self.kept.push(page as u32);
        if self.kept.len() <= self.keep {
            return Ok(0);
        }
        let mut batch: Vec<u32> = self.kept.drain(..self.keep / 2 + 1).collect();
        batch.sort_unstable();
        for run in batch.chunk_by(|a, b| a + 1 == *b) {
            let (at, len) = (run[0] as usize * self.page, run.len() * self.page);
            self.map.advise(at, len, MmapAdvise::MADV_DONTNEED)?;
        }
        self.given_back.extend_from_slice(&batch);
        Ok((batch.len() * self.page) as u64)
    }

    fn capacity(&self, class: usize) -> usize {
        (self.page - HEADER) / self.sizes[class]
    }

    /// Puts a page at the head of its class's list of those with room.
    fn enter(&mut self, page: usize, class: usize) {
        let head = std::mem::replace(&mut self.with_room[class], page as u32);
        self.set_word(page, 3, joined(NONE, head));
        if head != NONE {
            let (_, next) = halves(self.word(head as usize, 3));
            self.set_word(head as usize, 3, joined(page as u32, next));
        }
    }

    /// Takes a page out of that list.
    fn leave(&mut self, page: usize, class: usize) {
        let (before, after) = halves(self.word(page, 3));
        if before == NONE {
            self.with_room[class] = after;
        } else {
            let (prev, _) = halves(self.word(before as usize, 3));
            self.set_word(before as usize, 3, joined(prev, after));
        }
        if after != NONE {
            let (_, next) = halves(self.word(after as usize, 3));
            self.set_word(after as usize, 3, joined(before, next));
        }
    }

    fn word(&self, page: usize, word: usize) -> u64 {
        self.map.read(page * self.page + word * 8)
    }

    fn set_word(&mut self, page: usize, word: usize, value: u64) {
        self.map.write(page * self.page + word * 8, value);
    }
}

/// Pages are counted one by one, so none may come as part of a huge one. A kernel without huge
/// pages says EINVAL.
fn without_huge_pages(map: &mut Anon) -> io::Result<()> {
    match map.advise(0, map.len(), MmapAdvise::MADV_NOHUGEPAGE) {
        Err(error) if error.raw_os_error() != Some(nix::libc::EINVAL) => Err(error),
        _ => Ok(()),
    }
}

fn joined(low: u32, high: u32) -> u64 {
    u64::from(low) | u64::from(high) << 32
}

fn halves(word: u64) -> (u32, u32) {
    (word as u32, (word >> 32) as u32)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const MIB: u64 = 1 << 20;

    fn arena(most: u64) -> Arena {
        let mut arena = Arena::new().unwrap();
        arena.bound(most, MIB / 16).unwrap();
        arena
    }

    #[test]
    fn sizes_are_rounded_to_classes_and_pages() {
        let arena = arena(MIB);
        let page = page_size() as u64;
        assert_eq!(arena.takes(1), 16);
        assert_eq!(arena.takes(page - HEADER as u64), page - HEADER as u64);
        assert_eq!(arena.takes(page), page);
        assert_eq!(arena.takes(page + 1), 2 * page);
    }

    #[test]
    fn a_full_arena_says_so_and_goes_on_after_a_free() {
        let mut arena = arena(MIB);
        let page = page_size() as u64;
        assert_eq!(arena.alloc(MIB + page), None);
        let object = arena.alloc(MIB).unwrap();
        assert_eq!(arena.alloc(16), None);
        assert_eq!(arena.in_memory(), MIB);
        let (taken, given_back) = arena.free(object).unwrap();
        assert_eq!(taken, MIB);
        assert!(given_back >= MIB - MIB / 16, "{given_back}");
        assert!(arena.alloc(16).is_some());
    }

    proptest! {
        /// Objects never overlap, memory stays bounded, and all of it comes back.
        #[test]
        fn objects_are_apart(steps in prop::collection::vec((1u64..20_000, any::<u8>()), 1..400)) {
            let mut arena = arena(4 * MIB);
            let mut live: Vec<(Object, u64, u64)> = Vec::new();
            for (i, (size, pick)) in steps.into_iter().enumerate() {
                if pick % 3 == 0 && !live.is_empty() {
                    let (object, size, mark) = live.swap_remove(pick as usize % live.len());
                    prop_assert_eq!(arena.link(object), mark);
                    prop_assert_eq!(arena.free(object).unwrap().0, arena.takes(size));
                } else if let Some(object) = arena.alloc(size) {
                    arena.set_link(object, i as u64 + 1);
                    live.push((object, size, i as u64 + 1));
                }
                prop_assert!(arena.in_memory() <= 4 * MIB + MIB / 16);
            }
            for (object, _, mark) in &live {
                prop_assert_eq!(arena.link(*object), *mark);
            }
            for (object, ..) in live {
                arena.free(object).unwrap();
            }
            prop_assert_eq!(arena.in_use(), 0);
            prop_assert!(arena.with_room.iter().all(|page| *page == NONE));
        }
    }
}
