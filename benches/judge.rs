//! What judging costs: an hour of 1 s samples by each built-in detector, and the whole shipped
//! corpus from its packed bytes to a scorecard.
//!
//! Expect well under 5 ms for an hour and under a second for the corpus: a detector has to be
//! cheaper than the scrape it looks at, and a suite has to be run on every commit.

#[path = "../tests/support/synthetic.rs"]
mod synthetic;

use criterion::{Criterion, criterion_group, criterion_main};
use memtide::detector::{self, BUILT_IN};
use memtide::judge::builtin;
use memtide::judge::corpus::Corpus;
use memtide::judge::feed::{Feed, Scraping};
use memtide::judge::panel::{Candidate, judge};
use memtide::rows::CgroupVersion;
use synthetic::{MIB, Model};

/// An hour of a service with a saw-tooth heap, log traffic and a slow leak: every branch is taken.
fn hour() -> memtide::recording::Recording {
    let mut model = Model::new(CgroupVersion::V2, 1024.0 * MIB, 1000);
    let mut t = 0.0;
    model.pass(3600.0, |m, dt| {
        t += dt;
        m.anon = (200.0 + 0.05 * t + 100.0 * (t % 120.0) / 120.0) * MIB;
        m.active_file += 0.3 * MIB * dt;
        m.shmem = 20.0 * MIB;
    });
    model.finish(1.0)
}

fn one_hour(c: &mut Criterion) {
    let recording = hour();
    let scraping = Scraping {
        interval_s: 1.0,
        ..Scraping::default()
    };
    let mut group = c.benchmark_group("judge_hour_at_1s");
    group.bench_function("feed", |b| b.iter(|| Feed::new(&recording, &scraping, "x")));
    let feed = Feed::new(&recording, &scraping, "x");
    for detector in &BUILT_IN {
        group.bench_function(detector.name, |b| {
            b.iter(|| builtin::run(&detector.new, &feed))
        });
    }
    group.finish();
}

fn corpus(c: &mut Criterion) {
    let mut group = c.benchmark_group("judge_corpus");
    group.sample_size(10);
    let candidate = [Candidate::BuiltIn(
        detector::by_name("cache-aware").unwrap(),
    )];
    group.bench_function("unpack_and_judge", |b| {
        b.iter(|| {
            let mut corpus = Corpus::default();
            corpus.add_shipped(&|_, _| true);
            judge(&candidate, &corpus, &Scraping::default(), 2, &|_| {}).unwrap()
        });
    });
    group.finish();
}

criterion_group!(benches, one_hour, corpus);
criterion_main!(benches);
