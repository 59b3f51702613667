//! Questions that only the kernel can answer, asked with a real page.
#![allow(unsafe_code)]

use memmap2::{MmapMut, UncheckedAdvice};

use crate::named::named;

/// Whether madvise(MADV_FREE) works: a touched private anonymous page is given back with it.
/// Kernels without it answer EINVAL; versions don't tell (a 3.10 with backports has it).
pub fn madv_free() -> bool {
    let Ok(mut page) = MmapMut::map_anon(super::memory::page_size()) else {
        return false;
    };
    page[0] = 1;
    // SAFETY: the advice may turn the page into zeroes. It is ours alone, nothing refers into it,
    // and it is unmapped right after.
    unsafe { page.unchecked_advise(UncheckedAdvice::Free) }.is_ok()
}

named! {
    /// What madvise(MADV_FREE) does with a page.
    MadvFree, words {
        /// EINVAL: kernels before 4.5.
        Refused = "the kernel refuses it (EINVAL; before 4.5)",
        /// The page is gone at once, as with MADV_DONTNEED: 4.5 to 4.11 where there is no swap, and
        /// older kernels with that code as a backport.
        AtOnce = "frees at once, like MADV_DONTNEED (before 4.12 without swap)",
        /// The page stays until the kernel needs it: from 4.12, and 4.5 to 4.11 with swap.
        Lazily = "lazy: a freed page stays in rss until it is needed",
    }
}

impl MadvFree {
    /// From what became of a touched page: whether the advice was taken, and how many of its bytes were
    /// still in memory after it.
    fn seen(taken: bool, left: u64) -> Self {
        match (taken, left) {
            (false, _) => MadvFree::Refused,
            (true, 0) => MadvFree::AtOnce,
            (true, _) => MadvFree::Lazily,
        }
    }
}

/// Tries MADV_FREE on one touched page and looks, by mincore(2), whether the page is still there.
/// None where no page could be had or asked about.
pub fn madv_free_kind() -> Option<MadvFree> {
    tried(nix::sys::mman::MmapAdvise::MADV_FREE)
}

fn tried(advice: nix::sys::mman::MmapAdvise) -> Option<MadvFree> {
    let len = super::memory::page_size();
    let mut page = super::memory::Anon::map(len).ok()?;
    page.touch(0, len);
    let taken = page.advise(0, len, advice).is_ok();
    let left = page.resident(0, len).ok()?;
    Some(MadvFree::seen(taken, left as u64))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_ways_of_asking_for_madv_free_agree() {
        let kind = madv_free_kind().expect("one page can be had");
        assert_eq!(kind != MadvFree::Refused, madv_free());
    }

    /// What this kernel does with other advice stands for what others do with MADV_FREE: a page that
    /// goes at once, one that stays, one that the kernel refuses to take advice on.
    #[test]
    fn each_of_the_three_cases_is_told_by_what_became_of_the_page() {
        use nix::sys::mman::MmapAdvise;
        let told = |advice| tried(advice).map(|kind| kind.to_string());
        let at_once = told(MmapAdvise::MADV_DONTNEED).unwrap();
        assert!(at_once.contains("at once"), "{at_once}");
        let stays = told(MmapAdvise::MADV_NORMAL).unwrap();
        assert!(stays.contains("lazy"), "{stays}");
        // MADV_REMOVE wants a shared mapping: EINVAL on this private one.
        let refused = told(MmapAdvise::MADV_REMOVE).unwrap();
        assert!(refused.contains("EINVAL"), "{refused}");
    }
}
