//! The parameters in which kernels differ.

use crate::host::Lru;

/// What one kernel does, as far as the model knows it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Card {
    /// The reclaim order.
    pub lru: Lru,
    /// Whether write(2) counts as a use of the page (`mark_page_accessed` in
    /// `generic_perform_write`, mm/filemap.c before 4.7).
    pub write_marks: bool,
    /// Whether MADV_FREE pages wait on the file lists (`lru_lazyfree_fn`, mm/swap.c from 4.12);
    /// else they go at once.
    pub lazyfree_list: bool,
    /// Whether a new file page goes to the generation after the oldest where that is not among the
    /// youngest two (`lru_gen_add_folio`, include/linux/mm_inline.h from 6.7).
    pub new_is_second: bool,
    /// Kernel memory of a page written through the cache, bytes: a buffer head of 104 and its
    /// owner's pointer (`alloc_buffer_head`, fs/buffer.c); 0 where kernel memory is not charged.
    pub written_page: u64,
    /// Kernel memory of 64 pages of a file, bytes: a tree node of 576 and its owner's pointer
    /// (lib/xarray.c).
    pub node: u64,
    /// Pages charged ahead and not used yet (`refill_stock`, mm/memcontrol.c), a mean that was measured.
    pub stock: u64,
    /// Pages by which usage stays below a limit that the cache fills; measured.
    pub gap: u64,
}

/// 6.x with the classic LRU on ext4: what 6.1 and 6.12 have in common.
pub const CLASSIC_6: Card = Card {
    lru: Lru::Classic,
    write_marks: false,
    lazyfree_list: true,
    new_is_second: false,
    written_page: 112,
    node: 584,
    stock: 46,
    gap: 36,
};

/// 6.1 with MGLRU.
pub const MGLRU_6_1: Card = Card {
    lru: Lru::Mglru,
    ..CLASSIC_6
};

/// 6.12 with MGLRU.
pub const MGLRU_6_12: Card = Card {
    new_is_second: true,
    ..MGLRU_6_1
};

/// 3.10: writes are uses, and kernel memory is not charged without a limit of its own.
pub const CLASSIC_3_10: Card = Card {
    write_marks: true,
    lazyfree_list: false,
    written_page: 0,
    node: 0,
    stock: 20,
    ..CLASSIC_6
};
