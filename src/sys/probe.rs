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
