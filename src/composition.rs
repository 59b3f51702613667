//! What usage is made of: the one answer, from a [`View`], for detectors, plots and `explain`.
//!
//! The kernel counts pages twice: by what they are (`rss`, `cache`) and by the list they are on.
//! Where the two differ, something follows that no row names:
//!
//! | pages | counted in | on the list |
//! |---|---|---|
//! | anonymous | rss | anonymous, or unevictable if mlocked |
//! | freed lazily (MADV_FREE) | rss | *file* |
//! | of files | cache | file, or unevictable if mlocked |
//! | of tmpfs, shared memory | cache, shmem | anonymous, or unevictable (noswap, mlocked) |
//! | of huge pages of which a part was unmapped | neither | anonymous |
//!
//! memory.stat is summed from per-CPU batches: an estimate below 64 pages a CPU means nothing.

use crate::rows::View;

/// Parts of usage that do not overlap, in bytes. A part whose rows are missing is none, not 0.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Composition {
    /// Everything charged.
    pub usage: Option<u64>,
    /// Anonymous memory in use, mlocked included. Where rss is missing: what is on the anonymous
    /// lists beside shmem.
    pub anon: Option<u64>,
    /// Anonymous memory freed lazily, or freed and in use again: only the kernel's next look tells.
    /// Mlocked pages of files make it too small, and so does tmpfs on kernels without the row shmem.
    pub lazily_freed: Option<u64>,
    /// Page cache of files on the active list.
    pub cache_active: Option<u64>,
    /// Page cache of files on the inactive list.
    pub cache_inactive: Option<u64>,
    /// Files in memory, wherever they are listed. On kernels without the row: what the cache has
    /// beyond the file lists, mlocked files included.
    pub shmem: Option<u64>,
    /// Page cache of files that reclaim never looks at (mlocked). Other unevictable memory is in
    /// `anon` and `shmem`.
    pub unevictable: Option<u64>,
    /// The kernel's own memory, as far as a row gives it.
    pub kernel: Option<u64>,
    /// Socket buffers, where they are counted apart (v2).
    pub sock: Option<u64>,
    /// Huge pages of which a part was unmapped: charged whole until the kernel splits them.
    pub hidden: Option<u64>,
    /// Usage that is in none of the rows; none where rss or the page cache is missing.
    pub unexplained: Option<u64>,
}

impl Composition {
    /// Takes a view apart.
    // Inlined everywhere: a detector that knows five rows of a million scrapes pays for five only.
    #[inline(always)]
    pub fn of(view: &View) -> Composition {
        let lists = sum(view.active_file, view.inactive_file);
        let anon_lists = sum(view.active_anon, view.inactive_anon);
        let lazily_freed = lists.zip(view.cache).map(|(lists, cache)| {
            let lazy = add(lists, view.shmem.unwrap_or(0)).saturating_sub(cache);
            lazy.min(view.rss.unwrap_or(u64::MAX))
        });
        // MADV_FREE puts pages on the inactive list; only what does not fit there is elsewhere.
        let lazy = lazily_freed.unwrap_or(0);
        let lazy_inactive = lazy.min(view.inactive_file.unwrap_or(0));
        let less = |list: Option<u64>, lazy: u64| list.map(|bytes| bytes.saturating_sub(lazy));
        let cache_inactive = less(view.inactive_file, lazy_inactive);
        let cache_active = less(view.active_file, lazy - lazy_inactive);
        // What is cache and on no file list: shmem, and files that are mlocked.
        let off_lists = (view.cache.zip(sum(cache_active, cache_inactive)))
            .map(|(cache, files)| cache.saturating_sub(files));
        let shmem = view.shmem.or(off_lists);
        let unevictable = off_lists
            .zip(shmem)
            .zip(view.unevictable)
            .map(|((off, shmem), most)| off.saturating_sub(shmem).min(most));
        let anon = match view.rss {
            Some(rss) => Some(rss.saturating_sub(lazy)),
            None => less(anon_lists, view.shmem.unwrap_or(0)),
        };
        let mut composition = Composition {
            usage: view.usage,
            anon,
            lazily_freed,
            cache_active,
            cache_inactive,
            shmem,
            unevictable,
            kernel: view.kernel,
            sock: view.sock,
            hidden: hidden(view),
            unexplained: None,
        };
        composition.unexplained = composition.rest(view);
        composition
    }

    /// Usage less every part that a row gives.
    #[inline(always)]
    fn rest(&self, view: &View) -> Option<u64> {
        let cache = match view.cache {
            Some(cache) => cache,
            None => add(view.shmem?, sum(self.cache_inactive, self.cache_active)?),
        };
        let parts = [
            Some(view.rss?),
            Some(cache),
            self.hidden,
            self.kernel,
            self.sock,
        ];
        let known = parts.into_iter().flatten();
        Some(known.fold(view.usage?, u64::saturating_sub))
    }

    /// Page cache that has a disk behind it and is on a list.
    #[inline]
    pub fn file_cache(&self) -> u64 {
        add(
            self.cache_active.unwrap_or(0),
            self.cache_inactive.unwrap_or(0),
        )
    }

    /// In none of the kinds a process asks for: the kernel's own, huge pages' hidden parts, the rest.
    pub fn not_of_processes(&self) -> Option<u64> {
        let parts = [self.hidden, self.kernel, self.sock, self.unexplained];
        self.unexplained?;
        parts.into_iter().flatten().reduce(add)
    }
}

/// Pages on any list that are counted neither as rss nor as cache.
///
/// `unevictable` is in the sum since mlocked pages and tmpfs of noswap are on that list alone;
/// where the row was cut the result is a lower bound.
#[inline(always)]
fn hidden(view: &View) -> Option<u64> {
    let lists = add(
        sum(view.active_anon, view.inactive_anon)?,
        sum(view.active_file, view.inactive_file)?,
    );
    let lists = add(lists, view.unevictable.unwrap_or(0));
    Some(lists.saturating_sub(add(view.rss?, view.cache?)))
}

#[inline(always)]
fn sum(a: Option<u64>, b: Option<u64>) -> Option<u64> {
    Some(add(a?, b?))
}

fn add(a: u64, b: u64) -> u64 {
    a.saturating_add(b)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// What a kernel counts for a container that holds these.
    #[derive(Debug, Clone, Copy)]
    struct Held {
        anon: u64,
        locked_anon: u64,
        lazy: u64,
        files: [u64; 2],
        locked_files: u64,
        shmem: u64,
        noswap: u64,
        kernel: u64,
        hidden: u64,
    }

    fn counted(h: Held) -> View {
        View {
            usage: Some(
                h.anon
                    + h.locked_anon
                    + h.lazy
                    + h.files[0]
                    + h.files[1]
                    + h.locked_files
                    + h.shmem
                    + h.noswap
                    + h.kernel
                    + h.hidden,
            ),
            rss: Some(h.anon + h.locked_anon + h.lazy),
            cache: Some(h.files[0] + h.files[1] + h.locked_files + h.shmem + h.noswap),
            shmem: Some(h.shmem + h.noswap),
            inactive_anon: Some(h.shmem + h.hidden),
            active_anon: Some(h.anon),
            inactive_file: Some(h.files[0] + h.lazy),
            active_file: Some(h.files[1]),
            unevictable: Some(h.locked_anon + h.locked_files + h.noswap),
            ..View::NONE
        }
    }

    prop_compose! {
        fn held()(
            p in proptest::collection::vec(0u64..1 << 32, 10),
            mlocks in any::<bool>(),
        ) -> Held {
            // The rows can't tell lazily freed pages from mlocked files beside them.
            let (lazy, locked_files) = if mlocks { (0, p[4]) } else { (p[4], 0) };
            Held {
                anon: p[0], locked_anon: p[1], lazy, files: [p[2], p[3]], locked_files,
                shmem: p[5], noswap: p[6], kernel: p[7], hidden: p[8],
            }
        }
    }

    proptest! {
        #[test]
        fn what_is_held_is_found_again_by_kind(h in held()) {
            let parts = Composition::of(&counted(h));
            prop_assert_eq!(parts.anon, Some(h.anon + h.locked_anon));
            prop_assert_eq!(parts.lazily_freed, Some(h.lazy));
            prop_assert_eq!([parts.cache_inactive, parts.cache_active], h.files.map(Some));
            prop_assert_eq!(parts.unevictable, Some(h.locked_files));
            prop_assert_eq!(parts.shmem, Some(h.shmem + h.noswap));
            prop_assert_eq!(parts.hidden, Some(h.hidden));
            prop_assert_eq!(parts.unexplained, Some(h.kernel));
        }

        /// A missing row takes parts away; it never makes one of what is not there.
        #[test]
        fn a_cut_row_overflows_nothing(
            values in proptest::collection::vec(proptest::option::of(any::<u64>()), View::NAMES.len()),
        ) {
            let mut view = View::NONE;
            for (name, value) in View::NAMES.iter().zip(values) {
                *view.counter_mut(name).unwrap() = value;
            }
            let parts = Composition::of(&view);
            prop_assert!(parts.unexplained.is_none_or(|rest| Some(rest) <= view.usage));
            prop_assert!(view.rss.is_none() || parts.anon <= view.rss);
        }
    }

    /// Rows of Linux 6.18, v1: a file of 60,002,304 bytes on a tmpfs mounted with noswap.
    #[test]
    fn a_noswap_tmpfs_is_shmem_although_no_anonymous_list_has_it() {
        let view = View {
            usage: Some(61_000_000),
            rss: Some(500_000),
            cache: Some(60_002_304),
            shmem: Some(60_002_304),
            inactive_anon: Some(0),
            active_anon: Some(500_000),
            inactive_file: Some(0),
            active_file: Some(0),
            unevictable: Some(60_002_304),
            ..View::NONE
        };
        let parts = Composition::of(&view);
        assert_eq!(parts.shmem, Some(60_002_304));
        assert_eq!((parts.lazily_freed, parts.hidden), (Some(0), Some(0)));
        assert_eq!(parts.unevictable, Some(0));
        assert_eq!(parts.unexplained, Some(497_696));
    }
}
