//! What one sample costs, beside the least it could cost.
//!
//! The floor is one bare `pread` a file on descriptors that stay open; opening, reading and closing
//! each file every time is what most agents do. `memtide` reads the same files and has every row
//! parsed and ready to write. Expect at most 1.3 times the floor and at most half of opening each
//! time: the kernel's own formatting is most of the cost, so a faster parser would not show.
//!
//! The ratios printed first come from turns of all variants in one run, medians over the turns:
//! a busy machine slows all of them alike. Criterion's figures follow.

use std::fs::File;
use std::hint::black_box;
use std::io::Read;
use std::os::unix::fs::FileExt;
use std::path::PathBuf;
use std::time::Instant;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use memtide::cgroup::{Hierarchy, ManagedPod};
use memtide::recording::GroupKind;
use memtide::run_id::RunId;
use memtide::sampler::{GroupSource, Sampler, file_names};

/// Turns of each variant, and samples a turn.
const TURNS: usize = 101;
const SAMPLES: u32 = 50;

struct Subjects {
    kept: Vec<File>,
    paths: Vec<PathBuf>,
    sampler: Sampler,
    buffer: Vec<u8>,
}

impl Subjects {
    fn open(hierarchy: &Hierarchy, with_self: bool) -> Self {
        let names = file_names(hierarchy.version).map(|name| hierarchy.own.join(name));
        let mut paths: Vec<PathBuf> = names.filter(|path| std::fs::read(path).is_ok()).collect();
        let source = GroupSource {
            name: "own".into(),
            kind: GroupKind::Container,
            path: hierarchy.own.clone(),
            version: hierarchy.version,
            limit: None,
            actors: Vec::new(),
            truth: with_self,
        };
        let mut sampler = Sampler::open(vec![source], false).expect("the own cgroup is readable");
        if with_self {
            sampler.attach(0, "self", std::process::id() as i32, None);
            paths.push("/proc/self/status".into());
            sampler.sample(0);
        }
        Subjects {
            kept: paths
                .iter()
                .map(|path| File::open(path).expect("it was readable"))
                .collect(),
            paths,
            sampler,
            buffer: vec![0; 16 * 1024],
        }
    }

    fn bare(&mut self) {
        for file in &self.kept {
            black_box(file.read_at(&mut self.buffer, 0).expect("it was readable"));
        }
    }

    fn open_each(&mut self) {
        for path in &self.paths {
            let mut file = File::open(path).expect("it was readable");
            black_box(file.read(&mut self.buffer).expect("it was readable"));
        }
    }

    fn memtide(&mut self) {
        black_box(self.sampler.sample(0));
    }
}

type Variant = (&'static str, fn(&mut Subjects));
const VARIANTS: [Variant; 3] = [
    ("bare pread", Subjects::bare),
    ("open, read, close", Subjects::open_each),
    ("memtide", Subjects::memtide),
];

/// Nanoseconds a sample of each variant, median over turns.
fn medians(subjects: &mut Subjects) -> [f64; 3] {
    let mut times = [const { Vec::new() }; 3];
    for _ in 0..TURNS {
        for ((_, run), times) in VARIANTS.iter().zip(&mut times) {
            let start = Instant::now();
            (0..SAMPLES).for_each(|_| run(subjects));
            times.push(start.elapsed().as_nanos() as f64 / f64::from(SAMPLES));
        }
    }
    times.map(|mut times| {
        times.sort_by(f64::total_cmp);
        times[times.len() / 2]
    })
}

fn sample(criterion: &mut Criterion) {
    let hierarchy = match Hierarchy::discover() {
        Ok(hierarchy) => hierarchy,
        Err(error) => return println!("skipped: {error}"),
    };
    for (what, with_self) in [("cgroup", false), ("cgroup and one worker", true)] {
        let mut subjects = Subjects::open(&hierarchy, with_self);
        let [bare, open, ours] = medians(&mut subjects);
        println!(
            "{what}, {} files of cgroup {}: bare {bare:.0} ns, opened each time {open:.0} ns, \
             memtide {ours:.0} ns = {:.2} x bare, {:.2} x opened each time",
            subjects.kept.len(),
            hierarchy.version,
            ours / bare,
            ours / open,
        );
        let mut group = criterion.benchmark_group(format!("sample: {what}"));
        for (name, run) in VARIANTS {
            group.bench_function(name, |bencher| bencher.iter(|| run(&mut subjects)));
        }
        group.finish();
    }
}

/// One sample of each of 10, 100 and 1,000 cgroups, as `watch --recursive` takes them. Expect time
/// in proportion: descriptors stay open, and nothing is searched for.
fn many(criterion: &mut Criterion) {
    let pod = Hierarchy::discover()
        .map_err(|error| error.to_string())
        .and_then(|hierarchy| {
            let run = RunId::new().map_err(|error| error.to_string())?;
            ManagedPod::create(&hierarchy, &run)
                .map(|pod| (hierarchy, pod))
                .map_err(|error| error.to_string())
        });
    let (hierarchy, pod) = match pod {
        Ok(made) => made,
        Err(why) => return println!("skipped: sample: many cgroups: {why}"),
    };
    use nix::sys::resource::{Resource, getrlimit, setrlimit};
    let raised = getrlimit(Resource::RLIMIT_NOFILE)
        .and_then(|(_, hard)| setrlimit(Resource::RLIMIT_NOFILE, hard, hard));
    if let Err(error) = raised {
        println!("few files may be open, so some will be opened each time: {error}");
    }
    let mut group = criterion.benchmark_group("sample: many cgroups");
    group.sample_size(10);
    let mut sources = Vec::new();
    for count in [10, 100, 1000] {
        while sources.len() < count {
            let name = format!("c{}", sources.len());
            let path = pod.path().join(&name);
            std::fs::create_dir(&path).expect("the pod takes containers");
            sources.push(GroupSource {
                name,
                kind: GroupKind::Container,
                path,
                version: hierarchy.version,
                limit: None,
                actors: Vec::new(),
                truth: false,
            });
        }
        let mut sampler = match Sampler::open(sources.clone(), false) {
            Ok(sampler) => sampler,
            // Eight files a cgroup, and RLIMIT_NOFILE may be small.
            Err(error) => {
                println!("skipped: sample: {count} cgroups: {error}");
                continue;
            }
        };
        group.throughput(Throughput::Elements(count as u64));
        group.bench_function(count.to_string(), |bencher| {
            bencher.iter(|| {
                for index in 0..count {
                    black_box(sampler.sample(index));
                }
            });
        });
    }
    group.finish();
}

criterion_group!(benches, sample, many);
criterion_main!(benches);
