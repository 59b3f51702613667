//! The allocators, each called by its own name: a program has only one global one.
#![allow(unsafe_code, reason = "allocators are called directly")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::ptr::NonNull;

/// A block, and how long it is.
pub struct Block(NonNull<u8>, usize);

/// How an allocator gives memory back.
#[cfg_attr(not(feature = "allocators"), allow(dead_code))]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purging {
    Free,
    Dontneed,
}

pub struct Allocator {
    pub name: &'static str,
    /// At once with this advice; none is the allocator's own default.
    pub purging: Option<Purging>,
    malloc: unsafe fn(usize) -> *mut u8,
    free: unsafe fn(*mut u8, usize),
    set: fn(Option<Purging>),
    purge: fn(),
}

impl Allocator {
    /// Its name with its setting.
    pub fn title(&self) -> String {
        match self.purging {
            None => format!("{}, default", self.name),
            Some(Purging::Free) => format!("{}, FREE at once", self.name),
            Some(Purging::Dontneed) => format!("{}, DONTNEED at once", self.name),
        }
    }

    /// Makes its setting the current one.
    pub fn begin(&self) {
        (self.set)(self.purging);
    }

    /// Has what is free purged now, where the setting says so.
    pub fn purge(&self) {
        if self.purging.is_some() {
            (self.purge)();
        }
    }

    /// A block with every page of it written.
    pub fn block(&self, size: usize) -> Block {
        // SAFETY: the size is not 0.
        let start = NonNull::new(unsafe { (self.malloc)(size) }).expect("there is memory");
        for at in (0..size).step_by(4096) {
            // SAFETY: inside the block.
            unsafe { start.add(at).write_volatile(1) };
        }
        Block(start, size)
    }

    pub fn free(&self, block: Block) {
        // SAFETY: a block comes from this allocator, and is gone with this call.
        unsafe { (self.free)(block.0.as_ptr(), block.1) };
    }
}

const SYSTEM: Allocator = Allocator {
    name: "system",
    purging: None,
    malloc: |size| unsafe { System.alloc(layout(size)) },
    free: |at, size| unsafe { System.dealloc(at, layout(size)) },
    set: |_| {},
    purge: || {},
};

fn layout(size: usize) -> Layout {
    Layout::from_size_align(size, 16).expect("sizes are small")
}

/// All there are in this build.
pub fn allocators() -> &'static [Allocator] {
    #[cfg(feature = "allocators")]
    return &peers::ALL;
    #[cfg(not(feature = "allocators"))]
    return &[SYSTEM];
}

#[cfg(feature = "allocators")]
mod peers {
    use std::ffi::CString;
    use std::ptr;

    use super::{Allocator, Purging, SYSTEM};

    pub static ALL: [Allocator; 7] = [
        SYSTEM,
        jemalloc(None),
        jemalloc(Some(Purging::Free)),
        jemalloc(Some(Purging::Dontneed)),
        mimalloc(None),
        mimalloc(Some(Purging::Free)),
        mimalloc(Some(Purging::Dontneed)),
    ];

    const fn jemalloc(purging: Option<Purging>) -> Allocator {
        Allocator {
            name: "jemalloc",
            purging,
            malloc: |size| unsafe { tikv_jemalloc_sys::malloc(size).cast() },
            free: |at, _| unsafe { tikv_jemalloc_sys::free(at.cast()) },
            set: |purging| {
                // Free pages go from "dirty" to "muzzy" with MADV_FREE, from there with DONTNEED;
                // a muzzy time of 0 skips the first. 10 s and 0 are jemalloc's own.
                let (dirty, muzzy) = match purging {
                    None => (10_000, 0),
                    Some(Purging::Free) => (0, -1),
                    Some(Purging::Dontneed) => (0, 0),
                };
                // The muzzy time first: dirty pages go at once when theirs is set.
                for (kind, time) in [("muzzy", muzzy), ("dirty", dirty)] {
                    assert!(control(&format!("arenas.{kind}_decay_ms"), time));
                    // Arenas that are not there refuse it; a thread's own is one of the first.
                    for arena in 0..64 {
                        control(&format!("arena.{arena}.{kind}_decay_ms"), time);
                    }
                }
            },
            // With a time of 0 they are gone when they are freed; the thread's cache is flushed.
            purge: || unsafe {
                let name = c"thread.tcache.flush".as_ptr();
                let nothing = ptr::null_mut();
                tikv_jemalloc_sys::mallctl(name, nothing, ptr::null_mut(), nothing, 0);
            },
        }
    }

    /// Whether jemalloc took the setting.
    fn control(name: &str, mut value: isize) -> bool {
        let name = CString::new(name).expect("names have no zero byte");
        // SAFETY: these settings are of type ssize_t, read during the call.
        let failed = unsafe {
            tikv_jemalloc_sys::mallctl(
                name.as_ptr(),
                ptr::null_mut(),
                ptr::null_mut(),
                (&raw mut value).cast(),
                size_of::<isize>(),
            )
        };
        failed == 0
    }

    const fn mimalloc(purging: Option<Purging>) -> Allocator {
        Allocator {
            name: "mimalloc",
            purging,
            malloc: |size| unsafe { libmimalloc_sys::mi_malloc(size).cast() },
            free: |at, _| unsafe { libmimalloc_sys::mi_free(at.cast()) },
            set: |purging| {
                // Numbers of mi_option_purge_decommits and mi_option_purge_delay in mimalloc.h.
                const DECOMMITS: i32 = 5;
                const DELAY_MS: i32 = 15;
                let (decommits, delay) = match purging {
                    None => (1, 10),
                    Some(Purging::Free) => (0, 0),
                    Some(Purging::Dontneed) => (1, 0),
                };
                // SAFETY: plain settings of a library without threads of its own.
                unsafe {
                    libmimalloc_sys::mi_option_set(DECOMMITS, decommits);
                    libmimalloc_sys::mi_option_set(DELAY_MS, delay);
                }
            },
            purge: || unsafe { libmimalloc_sys::mi_collect(true) },
        }
    }
}
