//! What the workloads themselves cost, each against the effect it is there to show.
//!
//! Two figures a workload, printed as a table. *Memory*: the most its own bookkeeping took from the
//! allocator during the step, against the bytes that the step makes the kernel charge. It is charged
//! to the container too, so it must stay under 1 %, and this program fails if it does not. *Time*:
//! the step against a bare loop of the same system calls and page faults, in turns, median of the
//! turns' ratios; above 1.00 the workload is slower. Expect 1.00 within what the machine's noise
//! allows. `-` is a workload for which a bare loop would be the same code.

mod support;

use std::alloc::{GlobalAlloc, Layout, System};
use std::fs::{File, OpenOptions};
use std::io::{Read, Write};
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::time::Instant;

use memtide::sys::memory::Anon;
use memtide::workload::{
    Advice, Context, Dist, FileRead, Fsync, HeapChurn, Huge, LogWrite, MmapScan, TmpfsFill,
    Workload,
};
use nix::sys::mman::MmapAdvise;
use support::{MIB, actor, anon, release, rewrite, step};

/// Counts what the allocator holds, and the most it held.
struct Counting;

static HELD: AtomicUsize = AtomicUsize::new(0);
static MOST: AtomicUsize = AtomicUsize::new(0);

// SAFETY: every call goes to the system's allocator unchanged; counting needs no allocation.
#[allow(unsafe_code)]
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        MOST.fetch_max(
            HELD.fetch_add(layout.size(), Relaxed) + layout.size(),
            Relaxed,
        );
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, at: *mut u8, layout: Layout) {
        HELD.fetch_sub(layout.size(), Relaxed);
        unsafe { System.dealloc(at, layout) }
    }
}

#[global_allocator]
static COUNTING: Counting = Counting;

const EFFECT: u64 = 64 * MIB;

/// A workload, what comes before it unmeasured, and the bare loop that does the same.
struct Subject {
    name: &'static str,
    before: Vec<Workload>,
    workload: Workload,
    bare: fn(&Path) -> f64,
}

fn log(line: u64, buffer: u64) -> Workload {
    Workload::LogWrite(LogWrite {
        file: "app.log".into(),
        line: Dist::Fixed(line),
        buffer,
        rate: None,
        total: Some(EFFECT),
        duration_ms: None,
        fsync: Fsync::Never,
        rotate: None,
        keep_open: false,
    })
}

fn subject(
    name: &'static str,
    before: Vec<Workload>,
    workload: Workload,
    bare: fn(&Path) -> f64,
) -> Subject {
    Subject {
        name,
        before,
        workload,
        bare,
    }
}

fn subjects() -> Vec<Subject> {
    let heap = || anon(EFFECT, MIB, Huge::Never);
    let read = Workload::FileRead(FileRead {
        file: "app.log".into(),
        passes: 1,
        chunk: 64 << 10,
        follow: None,
        rate: None,
    });
    let scan = Workload::MmapScan(MmapScan {
        file: "app.log".into(),
        passes: 1,
        keep: false,
    });
    let fill = Workload::TmpfsFill(TmpfsFill {
        file: "filled".into(),
        size: EFFECT,
        rate: None,
    });
    let churn = Workload::HeapChurn(HeapChurn {
        live: EFFECT,
        size: Dist::Uniform(16, 4096),
        lifetime: Dist::Exponential(1000.0),
        total: 2 * EFFECT,
        rate: None,
    });
    let dontneed = || release(Advice::Dontneed);
    vec![
        subject("anon, 1 MiB at a time", vec![], heap(), |_| touch_bare().1),
        subject(
            "anon, 64 KiB at a time",
            vec![],
            anon(EFFECT, 64 << 10, Huge::Never),
            |_| touch_bare().1,
        ),
        subject("release, free", vec![heap()], release(Advice::Free), |_| {
            advise_bare(MmapAdvise::MADV_FREE)
        }),
        subject("release, dontneed", vec![heap()], dontneed(), |_| {
            advise_bare(MmapAdvise::MADV_DONTNEED)
        }),
        subject("rewrite", vec![heap(), dontneed()], rewrite(), |_| {
            let mut map = touch_bare().0;
            timed(|| map.advise(0, EFFECT as usize, MmapAdvise::MADV_DONTNEED));
            timed(|| map.touch(0, EFFECT as usize))
        }),
        subject("log_write, 128 B", vec![], log(128, 0), |dir| {
            write_bare(dir, 128)
        }),
        subject("log_write, 4 KiB", vec![], log(128, 4096), |dir| {
            write_bare(dir, 4096)
        }),
        subject("file_read", vec![log(128, MIB)], read, read_bare),
        subject("mmap_scan", vec![log(128, MIB)], scan, |_| f64::NAN),
        subject("tmpfs_fill", vec![], fill, |_| f64::NAN),
        subject("heap_churn", vec![], churn, |_| f64::NAN),
    ]
}

fn timed<R>(run: impl FnOnce() -> R) -> f64 {
    let start = Instant::now();
    std::hint::black_box(run());
    start.elapsed().as_secs_f64()
}

/// One mapping, each page written once.
fn touch_bare() -> (Anon, f64) {
    let size = EFFECT as usize;
    let start = Instant::now();
    let mut map = Anon::map(size).expect("there is address space");
    let _ = map.advise(0, size, MmapAdvise::MADV_NOHUGEPAGE);
    map.touch(0, size);
    (map, start.elapsed().as_secs_f64())
}

fn advise_bare(advice: MmapAdvise) -> f64 {
    let mut map = touch_bare().0;
    timed(|| map.advise(0, EFFECT as usize, advice))
}

fn write_bare(dir: &Path, size: usize) -> f64 {
    let line = vec![b'x'; size];
    let mut how = OpenOptions::new();
    how.append(true).create(true);
    timed(|| {
        let mut file = how
            .open(dir.join("app.log"))
            .expect("the folder is writable");
        for _ in 0..EFFECT as usize / size {
            file.write_all(&line).expect("the disk is not full");
        }
    })
}

fn read_bare(dir: &Path) -> f64 {
    if !dir.join("app.log").exists() {
        write_bare(dir, 1 << 20);
    }
    let mut buffer = vec![0; 64 << 10];
    let mut file = File::open(dir.join("app.log")).expect("it was written");
    timed(|| while file.read(&mut buffer).expect("it was written") > 0 {})
}

fn workdir() -> tempfile::TempDir {
    tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).expect("the project is writable")
}

/// Seconds of the step, and the most it held of the allocator's memory.
fn measured(subject: &Subject) -> (f64, usize) {
    let dir = workdir();
    let mut context: Context = actor(dir.path());
    for workload in &subject.before {
        step(&mut context, workload);
    }
    let held = HELD.load(Relaxed);
    MOST.store(held, Relaxed);
    let seconds = timed(|| step(&mut context, &subject.workload));
    let own = MOST.load(Relaxed) - held;
    (seconds, own)
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

fn main() {
    let quick = std::env::args().any(|argument| argument == "--quick");
    let turns = if quick { 5 } else { 21 };
    println!("effect: {} MiB each, {turns} turns", EFFECT / MIB);
    println!(
        "{:<24} {:>12} {:>8} {:>10} {:>8}",
        "workload", "own memory", "share", "time", "x bare"
    );
    let mut heavy = Vec::new();
    for subject in subjects() {
        let (mut times, mut ratios, mut own) = (Vec::new(), Vec::new(), 0);
        for _ in 0..turns {
            let (seconds, held) = measured(&subject);
            let bare = (subject.bare)(workdir().path());
            times.push(seconds);
            ratios.push(seconds / bare);
            own = own.max(held);
        }
        let share = 100.0 * own as f64 / EFFECT as f64;
        let ratio = match median(ratios) {
            ratio if ratio.is_nan() => "-".into(),
            ratio => format!("{ratio:.2}"),
        };
        println!(
            "{:<24} {:>8.1} KiB {share:>6.2} % {:>7.2} ms {ratio:>8}",
            subject.name,
            own as f64 / 1024.0,
            1000.0 * median(times),
        );
        if share >= 1.0 {
            heavy.push(subject.name);
        }
    }
    assert!(heavy.is_empty(), "over 1 % of the effect: {heavy:?}");
}
