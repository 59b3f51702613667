//! Taking and writing a sample allocates nothing once everything is open: a sampler that allocates
//! would change what it measures, and in the ambient placement it lives inside the limit.

mod common;
#[path = "support/header.rs"]
mod header;

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::sync::Arc;

use memtide::cgroup::Hierarchy;
use memtide::recording::{GroupKind, Writer};
use memtide::sampler::{Clock, GroupSource, Sampler};
use memtide::truth::COUNTERS;

struct Counting;

thread_local! {
    static ALLOCATIONS: Cell<u64> = const { Cell::new(0) };
}

// SAFETY: every call goes to the system's allocator unchanged; counting touches a thread-local
// without a destructor, which needs no allocation.
#[allow(unsafe_code)]
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.with(|count| count.set(count.get() + 1));
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, at: *mut u8, layout: Layout) {
        unsafe { System.dealloc(at, layout) }
    }

    unsafe fn realloc(&self, at: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        ALLOCATIONS.with(|count| count.set(count.get() + 1));
        unsafe { System.realloc(at, layout, size) }
    }
}

#[global_allocator]
static COUNTING: Counting = Counting;

#[test]
fn a_thousand_samples_allocate_nothing() {
    let hierarchy = match Hierarchy::discover() {
        Ok(hierarchy) => hierarchy,
        Err(error) => return common::skip("a thousand samples", &error.to_string()),
    };
    let source = GroupSource {
        name: "own".into(),
        kind: GroupKind::Container,
        path: hierarchy.own.clone(),
        version: hierarchy.version,
        limit: None,
        actors: vec!["self".into()],
        truth: true,
    };
    let mut sampler = Sampler::open(vec![source], true).unwrap();
    let truth = |out: &mut [u64; COUNTERS.len()]| out.fill(1);
    sampler.attach(0, "self", std::process::id() as i32, Some(Arc::new(truth)));
    let file = tempfile::NamedTempFile::new().unwrap();
    let header = header::header(hierarchy.version, sampler.groups());
    let mut writer = Writer::create(file.path(), &header).unwrap();
    let mut clock = Clock::start(std::time::Duration::from_micros(100)).unwrap();

    let before = ALLOCATIONS.with(Cell::get);
    let mut grown = 0;
    for _ in 0..1000 {
        clock.wait().unwrap();
        let t = clock.now_ns();
        let reading = sampler.sample(0);
        // A row that appears for the first time is the one case that allocates.
        grown += u64::from(reading.grown);
        writer
            .sample(0, t, reading.cost_ns, sampler.values(0))
            .unwrap();
    }
    let allocations = ALLOCATIONS.with(Cell::get) - before;
    assert_eq!((allocations, grown), (0, 0));
    // The counter does count.
    drop(std::hint::black_box(vec![1u8; 10]));
    assert!(ALLOCATIONS.with(Cell::get) > before);
}
