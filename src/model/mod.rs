//! What a kernel would count, without a kernel: one memory cgroup's pages by rule.
//!
//! This is the mechanics only: charges, the two LRUs, lazily freed memory, huge pages, kernel memory
//! and reclaim. Nothing on the command line uses it yet. It makes no Linux call. Pages are kept as
//! [`Extent`]s, runs of pages of one file in list order, so that a cost follows the number of changes
//! and not the amount of memory.
//!
//! Left out, because it is chance or needs a disk: MGLRU's tiers, dirty pages at the list's end,
//! mapped files under pressure, refaults, swap, other reclaimers.

mod card;
mod list;
mod memcg;
#[cfg(test)]
mod tests;

pub use card::{CLASSIC_3_10, CLASSIC_6, Card, MGLRU_6_1, MGLRU_6_12};
pub use list::Extent;
pub use memcg::{Full, Memcg};
