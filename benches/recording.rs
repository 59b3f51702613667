//! What a recording costs to write, to read back and to keep.
//!
//! The subject is sampled here: two groups (the own cgroup twice, as a pod and a container would
//! be) with the truth's columns and one worker. Expect at most 5 us to write a sample to a file and
//! 500,000 samples a second and more to read; gzip adds its decoding to the latter.

use std::hint::black_box;
use std::io::Write;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use memtide::cgroup::Hierarchy;
use memtide::host::{HostFacts, Lru};
use memtide::recording::{GroupKind, Header, Writer, compressed, read_bytes};
use memtide::sampler::{GroupSource, Sampler};
use memtide::truth::COUNTERS;

const SAMPLES: usize = 20_000;
const BEST_OF: usize = 20;

fn sampler(hierarchy: &Hierarchy) -> Sampler {
    let source = |name: &str, kind| GroupSource {
        name: name.into(),
        kind,
        path: hierarchy.own.clone(),
        version: hierarchy.version,
        limit: None,
        actors: vec!["self".into()],
        truth: true,
    };
    let sources = vec![
        source("pod", GroupKind::Pod),
        source("app", GroupKind::Container),
    ];
    let mut sampler = Sampler::open(sources, true).expect("the own cgroup is readable");
    let truth = |out: &mut [u64; COUNTERS.len()]| out.fill(123 << 20);
    sampler.attach(1, "self", std::process::id() as i32, Some(Arc::new(truth)));
    sampler
}

fn header(hierarchy: &Hierarchy, sampler: &Sampler) -> Header {
    let host = HostFacts {
        kernel: "6.1.0".into(),
        arch: "x86_64".into(),
        cgroup: hierarchy.version,
        lru: Lru::Classic,
        page_size: 4096,
        cpus: 2,
        mem_total: hierarchy.ram,
        swap_total: 0,
        thp: None,
        psi: true,
        madv_free: true,
        filesystem: None,
        block_size: None,
        placement: "managed".into(),
        setup: None,
    };
    Header {
        memtide: "0.1.0".into(),
        host,
        scenario: "bench".into(),
        scenario_text: String::new(),
        scenario_hash: String::new(),
        seed: 1,
        rng: String::new(),
        interval_ns: 10_000_000,
        time_scale: 1.0,
        model: None,
        started: "2026-11-25T00:00:00Z".into(),
        groups: sampler.groups(),
    }
}

#[derive(Clone, Default)]
struct Memory(Arc<Mutex<Vec<u8>>>);

impl Write for Memory {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0
            .lock()
            .expect("nobody panics with it")
            .extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

fn recorded(sampler: &mut Sampler, header: &Header) -> Vec<u8> {
    let memory = Memory::default();
    let mut writer =
        Writer::to("memory", Box::new(memory.clone()), header).expect("memory takes all");
    for index in 0..SAMPLES {
        let group = index % 2;
        let cost = sampler.sample(group).cost_ns;
        let values = sampler.values(group);
        writer
            .sample(group, index as u64 * 5_000_000, cost, values)
            .expect("memory takes all");
    }
    drop(writer);
    Arc::try_unwrap(memory.0)
        .expect("the writer is gone")
        .into_inner()
        .expect("nobody panicked")
}

fn thread_cpu() -> Duration {
    use nix::time::{ClockId, clock_gettime};
    let time = clock_gettime(ClockId::CLOCK_THREAD_CPUTIME_ID).expect("every kernel has it");
    time.into()
}

/// Samples a second of CPU time, in the best of some readings: whoever else is busy.
fn best_rate(bytes: &[u8]) -> f64 {
    let seconds = (0..BEST_OF).map(|_| {
        let start = thread_cpu();
        black_box(read_bytes(bytes).expect("whole"));
        (thread_cpu() - start).as_secs_f64()
    });
    SAMPLES as f64 / seconds.fold(f64::INFINITY, f64::min)
}

fn recording(criterion: &mut Criterion) {
    let hierarchy = match Hierarchy::discover() {
        Ok(hierarchy) => hierarchy,
        Err(error) => return println!("skipped: {error}"),
    };
    let mut sampler = sampler(&hierarchy);
    let header = header(&hierarchy, &sampler);
    let text = recorded(&mut sampler, &header);
    let packed = compressed(&text).expect("memory takes all");
    println!(
        "{SAMPLES} samples of {} and {} columns: {} B a sample, {} B packed (of an idle cgroup)",
        sampler.columns(0).len(),
        sampler.columns(1).len(),
        text.len() / SAMPLES,
        packed.len() / SAMPLES,
    );

    println!(
        "read, best of {BEST_OF} by CPU time: {:.0} samples/s plain, {:.0} samples/s from gzip",
        best_rate(&text),
        best_rate(&packed),
    );

    let mut group = criterion.benchmark_group("recording");
    let file = tempfile::NamedTempFile::new().expect("there is a temporary folder");
    let mut writer = Writer::create(file.path(), &header).expect("it takes a header");
    let values = sampler.values(1).to_vec();
    group.throughput(Throughput::Elements(1));
    group.bench_function("write a sample to a file", |bencher| {
        bencher.iter(|| {
            writer
                .sample(1, 1, 2, black_box(&values))
                .expect("the disk is not full")
        });
    });
    group
        .sample_size(20)
        .throughput(Throughput::Elements(SAMPLES as u64));
    group.bench_function("read", |bencher| {
        bencher.iter_batched(
            || (),
            |()| read_bytes(&text).expect("whole"),
            BatchSize::PerIteration,
        );
    });
    group.bench_function("read gzip", |bencher| {
        bencher.iter_batched(
            || (),
            |()| read_bytes(&packed).expect("whole"),
            BatchSize::PerIteration,
        );
    });
    group.finish();
}

criterion_group!(benches, recording);
criterion_main!(benches);
