//! What it costs to give memory back and to use it again.
//!
//! A program that frees a heap can tell the kernel in several ways. `MADV_DONTNEED` gives the pages
//! back now, and the next use pays a page fault and a zeroed page each. `MADV_FREE` only marks them: the next use finds them still there, without a
//! fault, unless the kernel needed them meanwhile. Go went from the first to the second in 1.12 for
//! that reason, and came back in 1.16: until there is pressure nothing shows as freed, so `rss`
//! looked like a leak to everyone who watched it.

mod support;

use criterion::measurement::WallTime;
use criterion::{
    BatchSize, BenchmarkGroup, Criterion, Throughput, criterion_group, criterion_main,
};
use memtide::truth::Counter;
use memtide::workload::{Advice, Context, Huge};
use support::{Inside, MIB, actor, anon, release, rewrite, skipped, step};

const SIZE: u64 = 64 * MIB;

const ADVICE: [(&str, Advice); 3] = [
    ("free", Advice::Free),
    ("dontneed", Advice::Dontneed),
    ("cold", Advice::Cold),
];

const PAGES: [(&str, Huge); 2] = [("4k", Huge::Never), ("thp", Huge::Always)];

fn touched(dir: &std::path::Path, huge: Huge) -> Context {
    let mut context = actor(dir);
    step(&mut context, &anon(SIZE, MIB, huge));
    assert_eq!(context.truth.get(Counter::Live), SIZE);
    context
}

fn group<'a>(criterion: &'a mut Criterion, name: &str) -> BenchmarkGroup<'a, WallTime> {
    let mut group = criterion.benchmark_group(name);
    group.sample_size(10).throughput(Throughput::Bytes(SIZE));
    group
}

/// The call alone. Expect `free` to be no cheaper than `dontneed`: marking a page and moving it to
/// another list costs what freeing it costs. `cold` only moves it. With huge pages all of them have
/// 32 entries to look at instead of 16,384.
fn the_call(criterion: &mut Criterion) {
    let dir = tempfile::tempdir().expect("there is a temporary folder");
    let mut group = group(criterion, "release: the call");
    for (pages, huge) in PAGES {
        for (name, advice) in ADVICE {
            group.bench_function(format!("{name} {pages}"), |bencher| {
                bencher.iter_batched(
                    || touched(dir.path(), huge),
                    |mut context| {
                        step(&mut context, &release(advice));
                        context
                    },
                    BatchSize::PerIteration,
                );
            });
        }
    }
    group.finish();
}

/// Writing to it again, nobody having needed memory meanwhile. Expect `free` and `cold` to cost about
/// a tenth of the first touch (the pages are there), and `dontneed` as much as it: a fault a page.
/// That is what Go gained. A huge page is one fault in 2 MiB, so there the zeroing is what is left.
fn touching_again(criterion: &mut Criterion) {
    let dir = tempfile::tempdir().expect("there is a temporary folder");
    let mut group = group(criterion, "release: touched again");
    for (pages, huge) in PAGES {
        group.bench_function(format!("first touch {pages}"), |bencher| {
            bencher.iter_batched(
                || actor(dir.path()),
                |mut context| {
                    step(&mut context, &anon(SIZE, MIB, huge));
                    context
                },
                BatchSize::PerIteration,
            );
        });
        for (name, advice) in ADVICE {
            group.bench_function(format!("{name} {pages}"), |bencher| {
                bencher.iter_batched(
                    || {
                        let mut context = touched(dir.path(), huge);
                        step(&mut context, &release(advice));
                        context
                    },
                    |mut context| {
                        step(&mut context, &rewrite());
                        context
                    },
                    BatchSize::PerIteration,
                );
            });
        }
    }
    group.finish();
}

/// The same under pressure: in a container of twice the size, so that another 96 MiB do not fit
/// beside what was released. Measured is the touching of those 96 MiB. Expect `dontneed` to be the
/// cheapest here: its pages are free already. After `free` the kernel has to find and free each page
/// first: the price was not saved, only put off. `cold` pages hold data and, without swap, can't go
/// anywhere: so they are not part of this group.
fn under_pressure(criterion: &mut Criterion) {
    let inside = match Inside::enter(2 * SIZE) {
        Ok(inside) => inside,
        Err(why) => return skipped("release: under pressure", &why),
    };
    let dir = tempfile::tempdir().expect("there is a temporary folder");
    let mut group = group(criterion, "release: under pressure");
    for (name, advice) in [("free", Advice::Free), ("dontneed", Advice::Dontneed)] {
        group.bench_function(name, |bencher| {
            bencher.iter_batched(
                || {
                    let mut context = touched(dir.path(), Huge::Never);
                    step(&mut context, &release(advice));
                    context
                },
                |mut context| {
                    step(&mut context, &anon(SIZE * 3 / 2, MIB, Huge::Never));
                    context
                },
                BatchSize::PerIteration,
            );
        });
    }
    group.finish();
    drop(inside);
}

criterion_group! {
    name = benches;
    config = support::config();
    targets = the_call, touching_again, under_pressure
}
criterion_main!(benches);
