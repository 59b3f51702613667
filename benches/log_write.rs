//! What writing a log costs, by the size of a write, and what a memory limit adds.
//!
//! Every byte goes into the page cache and is charged to the container. Small writes pay for the
//! system call, large ones for copying and for the pages; fsync pays for the disk.

mod support;

use std::fs::OpenOptions;
use std::io::Write;
use std::path::Path;

use criterion::measurement::WallTime;
use criterion::{
    BatchSize, BenchmarkGroup, Criterion, Throughput, criterion_group, criterion_main,
};
use memtide::workload::{Dist, Fsync, LogWrite, Unlink, Workload};
use support::{Inside, MIB, actor, skipped, step};

const SIZES: [(&str, u64); 4] = [
    ("128 B", 128),
    ("4 KiB", 4096),
    ("64 KiB", 64 << 10),
    ("1 MiB", MIB),
];

/// Bytes of lines, each its own write.
fn log(line: u64, total: u64, fsync: Fsync) -> Workload {
    Workload::LogWrite(LogWrite {
        file: "app.log".into(),
        line: Dist::Fixed(line),
        buffer: 0,
        rate: None,
        total: Some(total),
        duration_ms: None,
        fsync,
        rotate: None,
        keep_open: false,
    })
}

/// Files of the benches lie beside the build, not on a tmpfs that `/tmp` may be: pages of a tmpfs
/// are no page cache.
fn workdir() -> tempfile::TempDir {
    tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).expect("the project is writable")
}

fn writes(
    group: &mut BenchmarkGroup<'_, WallTime>,
    name: &str,
    dir: &Path,
    total: u64,
    workload: &Workload,
) {
    let unlink = Workload::Unlink(Unlink {
        file: "app.log".into(),
    });
    group.sample_size(10).throughput(Throughput::Bytes(total));
    group.bench_function(name, |bencher| {
        bencher.iter_batched(
            || {
                let mut context = actor(dir);
                let _ = std::fs::remove_file(dir.join("app.log"));
                step(&mut context, &log(128, 128, Fsync::Never));
                context
            },
            |mut context| {
                step(&mut context, workload);
                context
            },
            BatchSize::PerIteration,
        );
    });
    step(&mut actor(dir), &unlink);
}

/// As fast as it goes into the page cache. Expect about a microsecond a write at 128 B, which is
/// the system call, and a rate of GiB a second from 64 KiB on, which is the copying.
fn buffered(criterion: &mut Criterion) {
    let dir = workdir();
    let mut group = criterion.benchmark_group("log_write: buffered");
    for (name, line) in SIZES {
        let total = if line < 4096 { 4 * MIB } else { 32 * MIB };
        writes(
            &mut group,
            name,
            dir.path(),
            total,
            &log(line, total, Fsync::Never),
        );
    }
    group.finish();
}

/// What O_APPEND costs over a plain write, with nothing of memtide: expect next to nothing. The
/// workload appends, since that is what a service's logger does.
fn append_or_not(criterion: &mut Criterion) {
    let dir = workdir();
    let mut group = criterion.benchmark_group("log_write: bare, 128 B");
    let total = 4 * MIB;
    group.sample_size(10).throughput(Throughput::Bytes(total));
    for (name, append) in [("append", true), ("at the offset", false)] {
        let path = dir.path().join(name);
        group.bench_function(name, |bencher| {
            bencher.iter_batched(
                || {
                    let _ = std::fs::remove_file(&path);
                    let mut how = OpenOptions::new();
                    how.create(true).append(append).write(true);
                    how.open(&path).expect("the folder is writable")
                },
                |mut file| {
                    for _ in 0..total / 128 {
                        file.write_all(&[b'x'; 128]).expect("the disk is not full");
                    }
                },
                BatchSize::PerIteration,
            );
        });
    }
    group.finish();
}

/// With an fsync after each MiB and after each 4 KiB. Expect the disk's own speed, and at 4 KiB a
/// small part of it: each call waits for the disk. This is why loggers do not do it.
fn fsync(criterion: &mut Criterion) {
    let dir = workdir();
    let mut group = criterion.benchmark_group("log_write: fsync");
    for (name, total, every) in [
        ("4 KiB, each MiB", 4 * MIB, MIB),
        ("4 KiB, each", 64 << 10, 4096),
    ] {
        let workload = log(4096, total, Fsync::Every(every));
        writes(&mut group, name, dir.path(), total, &workload);
    }
    group.finish();
}

/// In a container whose limit is full of its own log already: each new page needs an old one freed
/// first. Expect a writer that is slower by the cost of reclaim (and by the disk, once the pages
/// to be freed are dirty), and no OOM kill: the limit is a price here, not an end.
fn at_the_limit(criterion: &mut Criterion) {
    const LIMIT: u64 = 64 * MIB;
    let inside = match Inside::enter(LIMIT) {
        Ok(inside) => inside,
        Err(why) => return skipped("log_write: at a limit of 64 MiB", &why),
    };
    let dir = workdir();
    let other = workdir();
    step(
        &mut actor(other.path()),
        &log(64 << 10, 2 * LIMIT, Fsync::End),
    );
    let mut group = criterion.benchmark_group("log_write: at a limit of 64 MiB");
    for (name, line) in SIZES {
        let total = if line < 4096 { 4 * MIB } else { 32 * MIB };
        writes(
            &mut group,
            name,
            dir.path(),
            total,
            &log(line, total, Fsync::Never),
        );
    }
    group.finish();
    drop(inside);
}

criterion_group! {
    name = benches;
    config = support::config();
    targets = buffered, append_or_not, fsync, at_the_limit
}
criterion_main!(benches);
