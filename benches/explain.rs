//! What explaining a pasted number costs, by what was pasted.
//!
//! Expect well under a millisecond for what a person pastes, and a few for a page of metrics: its
//! price is finding out what each line is. All input is captured from real tools and reports.

use std::hint::black_box;
use std::path::Path;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use memtide::explain::explain;
use memtide::explain::input::{Select, read_bytes};

const INPUTS: [(&str, &str); 5] = [
    ("files of a cgroup", "measured-v1-madv-free.txt"),
    ("an OOM report", "containerd-7102-oom-dump.txt"),
    ("meminfo of a node", "kubernetes-118916-node-meminfo.txt"),
    ("the kubelet's summary", "real-kubelet-stats-summary.json"),
    ("a page of cAdvisor", "real-kubelet-metrics-cadvisor.txt"),
];

/// From the text to findings and what is not known, without printing it.
fn explaining(criterion: &mut Criterion) {
    let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures");
    let mut group = criterion.benchmark_group("explain");
    for (name, file) in INPUTS {
        let bytes = std::fs::read(fixtures.join(file)).expect("the fixture is in the tree");
        group.throughput(Throughput::Bytes(bytes.len() as u64));
        let select = Select::default();
        group.bench_function(name, |b| {
            b.iter(|| {
                let readings = read_bytes(black_box(&bytes), file, Some(file), &select);
                black_box(readings.map(explain).expect("it is understood"));
            });
        });
    }
    // A log as long as people dare to paste: the report of a kill again and again.
    let report = std::fs::read(fixtures.join("containerd-7102-oom-dump.txt"))
        .expect("the fixture is in the tree");
    let log: Vec<u8> = report.iter().copied().cycle().take(1 << 20).collect();
    group.throughput(Throughput::Bytes(log.len() as u64));
    group.bench_function("a log of 1 MiB", |b| {
        b.iter(|| {
            black_box(
                read_bytes(black_box(&log), "log", None, &Select::default())
                    .map(explain)
                    .is_ok(),
            )
        });
    });
    group.finish();
}

criterion_group!(benches, explaining);
criterion_main!(benches);
