//! What evaluating formulas costs.
//!
//! Pure functions of one view: expect nanoseconds each, and a whole recording of an hour in
//! milliseconds. What costs is making the view of a sample, which is why readers make an index of
//! its columns once.

#[path = "../tests/support/synthetic.rs"]
mod synthetic;

use std::hint::black_box;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use memtide::formula::FORMULAS;
use memtide::recording::Recording;
use memtide::rows::CgroupVersion;
use synthetic::{MIB, Model};

/// An hour of a growing heap and cache at a sample a second.
fn hour() -> Recording {
    let mut model = Model::new(CgroupVersion::V2, 1024.0 * MIB, 1000);
    model.pass(3600.0, |m, dt| {
        m.anon += 0.1 * MIB * dt;
        m.active_file += 0.1 * MIB * dt;
    });
    model.finish(1.0)
}

/// One sample: the view alone, by index and by name, and all formulas on it. Expect the index to
/// be several times cheaper than the names, and all formulas cheaper than either.
fn one_sample(criterion: &mut Criterion) {
    let recording = hour();
    let main = recording.main_group();
    let index = recording.view_index(main);
    let view = recording.view(main, &index, 100);
    let mut group = criterion.benchmark_group("formula: one sample");
    group.bench_function("view by index", |b| {
        b.iter(|| recording.view(main, &index, black_box(100)));
    });
    let table = &recording.tables[main];
    group.bench_function("view by names", |b| {
        b.iter(|| table.rows(black_box(100)).view(CgroupVersion::V2));
    });
    group.bench_function(format!("all {}", FORMULAS.len()), |b| {
        b.iter(|| {
            for formula in FORMULAS {
                black_box((formula.eval)(black_box(&view)));
            }
        });
    });
    group.bench_function("all, as their tools print them", |b| {
        b.iter(|| {
            for formula in FORMULAS {
                black_box(formula.display(black_box(&view)));
            }
        });
    });
    group.finish();
}

/// All formulas over an hour of 1 s samples, as a report or an export does it. Expect about a
/// millisecond: no reason to store derived figures.
fn one_hour(criterion: &mut Criterion) {
    let recording = hour();
    let main = recording.main_group();
    let samples = recording.tables[main].len();
    let mut group = criterion.benchmark_group("formula: an hour at 1 s");
    group.throughput(Throughput::Elements(samples as u64));
    group.bench_function("all", |b| {
        b.iter(|| {
            let index = recording.view_index(main);
            for sample in 0..samples {
                let view = recording.view(main, &index, sample);
                for formula in FORMULAS {
                    black_box((formula.eval)(&view));
                }
            }
        });
    });
    group.finish();
}

criterion_group!(benches, one_sample, one_hour);
criterion_main!(benches);
