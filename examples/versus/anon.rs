//! Touching, releasing and touching again; and a churning heap.

use std::path::Path;
use std::process::Command;
use std::time::Instant;

use memtide::sys::memory::Anon;
use memtide::workload::{Advice, Dist, HeapChurn, Huge, Workload};
use nix::sys::mman::MmapAdvise;

use crate::series::{Comparison, Measured, Side, Table, output};
use crate::support::{MIB, actor, anon, release, rewrite, step};

const SIZE: u64 = 256 * MIB;
const BARE: &str = "a bare loop";

/// Throughput is what people ask for, so higher is better in all of this table but one row.
pub fn compare(dir: &Path, runs: u32) -> Table {
    let mut table = Table::new("Anonymous memory, 256 MiB in 4 KiB pages");
    let goals = &[(BARE, ">= 0.97")][..];
    for (what, chunk) in [
        ("first touch, 1 MiB at a time", MIB),
        ("first touch, 64 KiB at a time", 64 << 10),
    ] {
        table.add(
            Comparison {
                what,
                unit: "MiB/s",
                goals,
                memtide: Side::new("memtide", || {
                    let mut context = actor(dir);
                    rate(|| step(&mut context, &anon(SIZE, chunk, Huge::Never)))
                }),
                peers: vec![Side::new(BARE, || rate(touched))],
            },
            runs,
        );
    }
    table.add(
        Comparison {
            what: "first touch, a page",
            unit: "ns, lower is better",
            goals: &[],
            memtide: Side::new("memtide", || {
                let mut context = actor(dir);
                let start = Instant::now();
                step(&mut context, &anon(SIZE, MIB, Huge::Never));
                Ok(start.elapsed().as_nanos() as f64 / (SIZE / 4096) as f64)
            }),
            peers: vec![Side::new("stress-ng --fault", fault)],
        },
        runs,
    );
    for (what, ours, theirs) in [
        ("release, FREE", Advice::Free, MmapAdvise::MADV_FREE),
        (
            "release, DONTNEED",
            Advice::Dontneed,
            MmapAdvise::MADV_DONTNEED,
        ),
    ] {
        released(&mut table, dir, runs, what, (ours, theirs));
    }
    table.add(
        Comparison {
            what: "touch again after DONTNEED",
            unit: "MiB/s",
            goals,
            memtide: Side::new("memtide", || {
                let mut context = actor(dir);
                step(&mut context, &anon(SIZE, MIB, Huge::Never));
                step(&mut context, &release(Advice::Dontneed));
                rate(|| step(&mut context, &rewrite()))
            }),
            peers: vec![Side::new(BARE, || {
                let mut map = touched()?;
                advise(&mut map, MmapAdvise::MADV_DONTNEED)?;
                rate(|| map.touch(0, SIZE as usize))
            })],
        },
        runs,
    );
    churn(&mut table, dir, runs);
    table
}

fn released(table: &mut Table, dir: &Path, runs: u32, what: &str, how: (Advice, MmapAdvise)) {
    table.add(
        Comparison {
            what,
            unit: "MiB/s",
            goals: &[(BARE, ">= 0.97")],
            memtide: Side::new("memtide", || {
                let mut context = actor(dir);
                step(&mut context, &anon(SIZE, MIB, Huge::Never));
                rate(|| step(&mut context, &release(how.0)))
            }),
            peers: vec![Side::new(BARE, || {
                let mut map = touched()?;
                rate(|| advise(&mut map, how.1))
            })],
        },
        runs,
    );
}

/// stress-ng's heap stressors count in "bogo ops", which are no unit: the peer is malloc itself.
fn churn(table: &mut Table, dir: &Path, runs: u32) {
    const LIVE: u64 = 64 * MIB;
    const TOTAL: u64 = 256 * MIB;
    const OBJECT: u64 = 1024;
    let workload = Workload::HeapChurn(HeapChurn {
        live: LIVE,
        size: Dist::Fixed(OBJECT),
        lifetime: Dist::Fixed(100),
        total: TOTAL,
        rate: None,
    });
    table.add(
        Comparison {
            what: "heap churn, objects of 1 KiB",
            unit: "million objects/s",
            goals: &[],
            memtide: Side::new("memtide", || {
                let mut context = actor(dir);
                step(&mut context, &workload);
                let start = Instant::now();
                step(&mut context, &workload);
                Ok((TOTAL / OBJECT) as f64 / start.elapsed().as_secs_f64() / 1e6)
            }),
            peers: vec![Side::new("a loop around malloc", || {
                let object = || {
                    let mut object = Vec::<u8>::with_capacity(OBJECT as usize);
                    object.push(1);
                    Some(std::hint::black_box(object))
                };
                let mut live: Vec<_> = (0..LIVE / OBJECT).map(|_| object()).collect();
                let start = Instant::now();
                for n in 0..(TOTAL / OBJECT) as usize {
                    let place = n % live.len();
                    live[place] = None;
                    live[place] = object();
                }
                Ok((TOTAL / OBJECT) as f64 / start.elapsed().as_secs_f64() / 1e6)
            })],
        },
        runs,
    );
}

fn rate<R>(work: impl FnOnce() -> R) -> Measured {
    let start = Instant::now();
    let kept = std::hint::black_box(work());
    let seconds = start.elapsed().as_secs_f64();
    drop(kept);
    Ok((SIZE / MIB) as f64 / seconds)
}

fn touched() -> Result<Anon, String> {
    let mut map = Anon::map(SIZE as usize).map_err(|error| error.to_string())?;
    advise(&mut map, MmapAdvise::MADV_NOHUGEPAGE)?;
    map.touch(0, SIZE as usize);
    Ok(map)
}

fn advise(map: &mut Anon, advice: MmapAdvise) -> Result<(), String> {
    map.advise(0, SIZE as usize, advice)
        .map_err(|error| format!("{advice:?}: {error}"))
}

/// The one stressor of page faults that reports a unit. Its faults are of files, too.
fn fault() -> Measured {
    let said = output(
        Command::new("stress-ng").args(["--fault", "1", "-t", "1", "--metrics"]),
        "stress-ng",
    )?;
    let line = said
        .lines()
        .find(|line| line.contains("nanosecs per page fault"));
    let words = line
        .unwrap_or_default()
        .split_whitespace()
        .collect::<Vec<_>>();
    let unit = words.iter().position(|word| *word == "nanosecs");
    unit.and_then(|unit| words.get(unit.checked_sub(1)?)?.parse().ok())
        .ok_or_else(|| "this stress-ng gives no time a page fault".into())
}
