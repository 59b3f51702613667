//! Questions that only the kernel can answer, asked with a real page.
#![allow(unsafe_code)]

use memmap2::{MmapMut, UncheckedAdvice};

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

/// What madvise(MADV_FREE) does with a page.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MadvFree {
    /// EINVAL: kernels before 4.5.
    Refused,
    /// The page is gone at once, as with MADV_DONTNEED: 4.5 to 4.11 where there is no swap, and
    /// older kernels with that code as a backport.
    AtOnce,
    /// The page stays until the kernel needs it: from 4.12, and 4.5 to 4.11 with swap.
    Lazily,
}

/// Tries MADV_FREE on one touched page and looks, by mincore(2), whether the page is still there.
/// None where no page could be had or asked about.
pub fn madv_free_kind() -> Option<MadvFree> {
    let len = super::memory::page_size();
    let mut page = super::memory::Anon::map(len).ok()?;
    page.touch(0, len);
    if page
        .advise(0, len, nix::sys::mman::MmapAdvise::MADV_FREE)
        .is_err()
    {
        return Some(MadvFree::Refused);
    }
    Some(match page.resident(0, len).ok()? {
        0 => MadvFree::AtOnce,
        _ => MadvFree::Lazily,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_ways_of_asking_for_madv_free_agree() {
        let kind = madv_free_kind().expect("one page can be had");
        assert_eq!(kind != MadvFree::Refused, madv_free());
    }
}
