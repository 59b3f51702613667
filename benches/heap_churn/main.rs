//! What a heap costs that allocates and frees all the time, and what its allocator's purging adds.
//!
//! memtide's `heap_churn` places its objects itself, so that the truth is known to the byte; here it
//! stands beside the allocators programs use: glibc's, and with `--features allocators` (they need a
//! C compiler and make) jemalloc and mimalloc, each told to purge at once with `MADV_FREE` and with
//! `MADV_DONTNEED`.

#[path = "../support/mod.rs"]
mod support;

mod allocators;

use std::hint::black_box;

use allocators::{Allocator, Block, allocators};
use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use memtide::workload::{Dist, HeapChurn, Workload};
use rand::rngs::Xoshiro256PlusPlus;
use rand::{RngExt, SeedableRng};
use support::{MIB, actor, skipped, step};

const LIVE: u64 = 16 * MIB;
const TOTAL: u64 = 64 * MIB;

const SIZES: [(&str, Dist); 4] = [
    ("64 B", Dist::Fixed(64)),
    ("1 KiB", Dist::Fixed(1024)),
    ("16 B to 4 KiB", Dist::Uniform(16, 4096)),
    ("256 KiB", Dist::Fixed(256 << 10)),
];

/// Objects of an allocator around a live set: a new one takes the place of any other.
struct Objects {
    allocator: &'static Allocator,
    live: Vec<Block>,
}

impl Objects {
    fn fill(allocator: &'static Allocator, size: &Dist, rng: &mut Xoshiro256PlusPlus) -> Objects {
        let (mut live, mut bytes) = (Vec::new(), 0);
        while bytes < LIVE {
            let size = draw(size, rng);
            live.push(allocator.block(size));
            bytes += size as u64;
        }
        Objects { allocator, live }
    }

    fn churn(&mut self, size: &Dist, rng: &mut Xoshiro256PlusPlus) {
        let mut bytes = 0;
        while bytes < TOTAL {
            let size = draw(size, rng);
            let place = rng.random_range(0..self.live.len());
            let old = std::mem::replace(&mut self.live[place], self.allocator.block(size));
            self.allocator.free(old);
            bytes += size as u64;
        }
    }

    fn empty(&mut self) {
        for block in self.live.drain(..) {
            self.allocator.free(block);
        }
    }
}

impl Drop for Objects {
    fn drop(&mut self) {
        self.empty();
    }
}

fn draw(size: &Dist, rng: &mut Xoshiro256PlusPlus) -> usize {
    match *size {
        Dist::Uniform(low, high) => rng.random_range(low..=high) as usize,
        Dist::Fixed(size) => size as usize,
        _ => unreachable!("the sizes above are of these two kinds"),
    }
}

/// 64 MiB allocated around a live set of 16 MiB, each object touched. Expect some tens of
/// nanoseconds an object: a steady heap asks the kernel for nothing, so nothing shows outside.
/// `memtide` also keeps the truth and the order of deaths.
fn steady(criterion: &mut Criterion) {
    for (sizes, dist) in SIZES {
        let mut group = criterion.benchmark_group(format!("heap_churn: steady, {sizes}"));
        group.sample_size(10).throughput(Throughput::Bytes(TOTAL));
        let dir = tempfile::tempdir().expect("there is a temporary folder");
        let churn = Workload::HeapChurn(HeapChurn {
            live: LIVE,
            size: dist.clone(),
            lifetime: Dist::Exponential(1000.0),
            total: TOTAL,
            rate: None,
        });
        let mut context = actor(dir.path());
        step(&mut context, &churn);
        group.bench_function("memtide", |b| b.iter(|| step(&mut context, &churn)));
        for allocator in allocators().iter().filter(|a| a.purging.is_none()) {
            let mut rng = Xoshiro256PlusPlus::seed_from_u64(1);
            let mut objects = Objects::fill(allocator, &dist, &mut rng);
            group.bench_function(allocator.name, |b| {
                b.iter(|| objects.churn(&dist, &mut rng));
            });
        }
        group.finish();
    }
}

/// A live set that comes and goes: 16 MiB of objects of 16 KiB, all freed, then made again. Expect
/// purging with DONTNEED to be the dearest (every page faults in again each time), FREE to cost the
/// calls only, and an allocator that keeps what it has to win: what `rss` shows is what that costs.
fn coming_and_going(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("heap_churn: coming and going");
    group.sample_size(10).throughput(Throughput::Bytes(LIVE));
    for allocator in allocators() {
        group.bench_function(allocator.title(), |b| {
            allocator.begin();
            let mut rng = Xoshiro256PlusPlus::seed_from_u64(1);
            b.iter_batched(
                || (),
                |()| {
                    let dist = Dist::Fixed(16 << 10);
                    black_box(Objects::fill(allocator, &dist, &mut rng)).empty();
                    allocator.purge();
                },
                BatchSize::PerIteration,
            );
        });
    }
    group.finish();
    if cfg!(not(feature = "allocators")) {
        let why = "cargo bench --features allocators builds them (needs a C compiler and make)";
        skipped("heap_churn: jemalloc and mimalloc", why);
    }
}

criterion_group! {
    name = benches;
    config = support::config();
    targets = steady, coming_and_going
}
criterion_main!(benches);
