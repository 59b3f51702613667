//! What `watch --recursive` costs for many cgroups, beside the least it could cost.
//!
//! It makes real, empty cgroups (root), reads their files bare once a second, then lets memtide
//! watch them at 1 s, and removes them. The floor is one `pread` of memory.stat and one of usage a
//! cgroup on descriptors that stay open: at one look a second the kernel's text of memory.stat is
//! most of the cost, and it is twice that of reading in a tight loop, since nothing is in the CPU's
//! caches any more. Expect under 20 ms a second (2 % of a core) for 1,000, at most twice the floor.
//!
//! `cargo bench --bench node_watch`.
//! Arguments: how many cgroups (default 500 1000 2000; only the first, and few ticks, with `--quick`).

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::Duration;

use memtide::cgroup::Hierarchy;
use memtide::rows::CgroupVersion;
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use nix::time::{ClockId, clock_gettime};

/// Ticks that are counted, at one a second.
fn ticks() -> u32 {
    if quick() { 2 } else { 15 }
}

/// Whether `--quick` is among the arguments, as criterion's benches know it.
fn quick() -> bool {
    std::env::args().any(|argument| argument == "--quick")
}

/// Before them: opening the files.
const WARM: Duration = Duration::from_secs(3);

struct Cgroups {
    top: PathBuf,
    all: Vec<PathBuf>,
}

impl Cgroups {
    fn make(hierarchy: &Hierarchy, count: usize) -> std::io::Result<Self> {
        let name = format!("memtide-bench-{}", std::process::id());
        let mut cgroups = Cgroups {
            top: hierarchy.mount.join(name),
            all: Vec::new(),
        };
        std::fs::create_dir(&cgroups.top)?;
        if hierarchy.version == CgroupVersion::V2 {
            std::fs::write(cgroups.top.join("cgroup.subtree_control"), "+memory")?;
        }
        for n in 0..count {
            let path = cgroups.top.join(format!("c{n:04}"));
            std::fs::create_dir(&path)?;
            cgroups.all.push(path);
        }
        Ok(cgroups)
    }
}

impl Drop for Cgroups {
    fn drop(&mut self) {
        for path in self.all.iter().chain([&self.top]) {
            let _ = std::fs::remove_dir(path);
        }
    }
}

fn thread_cpu() -> Duration {
    clock_gettime(ClockId::CLOCK_THREAD_CPUTIME_ID).map_or(Duration::ZERO, Duration::from)
}

/// CPU time a tick of bare reading.
fn floor(cgroups: &Cgroups, names: &[&str]) -> Duration {
    let paths = cgroups
        .all
        .iter()
        .flat_map(|c| names.iter().map(|n| c.join(n)));
    let files: Vec<File> = paths
        .map(|path| File::open(path).expect("a file"))
        .collect();
    let mut buffer = vec![0; 16 * 1024];
    let mut spent = Duration::ZERO;
    for tick in 0..=ticks() / 2 {
        let start = thread_cpu();
        for file in &files {
            file.read_at(&mut buffer, 0).expect("it is readable");
        }
        // The first one opens up the caches.
        spent += if tick > 0 {
            thread_cpu() - start
        } else {
            Duration::ZERO
        };
        sleep(Duration::from_secs(1));
    }
    spent / (ticks() / 2)
}

/// A child that is ended when dropped.
struct Watch(Child);

impl Watch {
    fn start(top: &Path, more: &[&str]) -> Self {
        let child = Command::new(env!("CARGO_BIN_EXE_memtide"))
            .args(["watch", "--recursive", "--interval", "1s"])
            .args(more)
            .arg(top)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn();
        Watch(child.expect("memtide starts"))
    }

    /// CPU time of all threads so far, to the nanosecond, and the parts in user and kernel mode,
    /// which are counted in clock ticks.
    fn cpu(&self) -> (Duration, u64, u64) {
        let proc = PathBuf::from(format!("/proc/{}", self.0.id()));
        let mut ns = 0;
        for task in std::fs::read_dir(proc.join("task"))
            .expect("it runs")
            .flatten()
        {
            let text = std::fs::read_to_string(task.path().join("schedstat")).unwrap_or_default();
            ns += text
                .split(' ')
                .next()
                .and_then(|n| n.parse().ok())
                .unwrap_or(0);
        }
        let stat = std::fs::read_to_string(proc.join("stat")).unwrap_or_default();
        let after = stat.rsplit(") ").next().unwrap_or_default();
        let mut fields = after.split(' ').skip(11).map(|n| n.parse().unwrap_or(0));
        let (user, system) = (fields.next().unwrap_or(0), fields.next().unwrap_or(0));
        (Duration::from_nanos(ns), user, system)
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn watch(cgroups: &Cgroups, more: &[&str]) -> (Duration, f64) {
    let watch = Watch::start(&cgroups.top, more);
    sleep(WARM);
    let (start, user, system) = watch.cpu();
    sleep(Duration::from_secs(ticks().into()));
    let (end, user_end, system_end) = watch.cpu();
    let (user, system) = (user_end - user, system_end - system);
    let share = system as f64 / (user + system).max(1) as f64;
    ((end - start) / ticks(), share)
}

fn measure(hierarchy: &Hierarchy, count: usize) -> std::io::Result<()> {
    let cgroups = Cgroups::make(hierarchy, count)?;
    let usage = match hierarchy.version {
        CgroupVersion::V1 => "memory.usage_in_bytes",
        CgroupVersion::V2 => "memory.current",
    };
    let ms = |time: Duration| time.as_secs_f64() * 1e3;
    let stat = floor(&cgroups, &["memory.stat"]);
    let both = floor(&cgroups, &["memory.stat", usage]);
    println!("{count} cgroups, CPU time a tick at 1 s:");
    println!("  bare pread of memory.stat         {:7.2} ms", ms(stat));
    println!("  bare pread of memory.stat, usage  {:7.2} ms", ms(both));
    let file = tempfile::NamedTempFile::new()?;
    let out = file.path().display().to_string();
    for (what, more) in [
        ("watch", &[][..]),
        (
            "watch --out --metrics-listen",
            &["--out", &out, "--metrics-listen", "127.0.0.1:0"],
        ),
    ] {
        let (time, system) = watch(&cgroups, more);
        println!(
            "  {what:32}  {:7.2} ms, {:.2} % of a core, {:.0} % of it in the kernel, {:.2} times the bare reads",
            ms(time),
            ms(time) / 10.0,
            system * 100.0,
            time.as_secs_f64() / both.as_secs_f64()
        );
    }
    Ok(())
}

fn main() {
    let hierarchy = match Hierarchy::discover() {
        Ok(hierarchy) => hierarchy,
        Err(error) => return println!("skipped: {error}"),
    };
    if let Ok((_, hard)) = getrlimit(Resource::RLIMIT_NOFILE) {
        let _ = setrlimit(Resource::RLIMIT_NOFILE, hard, hard);
    }
    // cargo adds `--bench`.
    let asked = std::env::args().skip(1).filter_map(|a| a.parse().ok());
    let mut counts: Vec<usize> = asked.collect();
    if counts.is_empty() {
        counts = if quick() {
            vec![500]
        } else {
            vec![500, 1000, 2000]
        };
    }
    for count in counts {
        if let Err(error) = measure(&hierarchy, count) {
            println!("skipped: {count} cgroups: {error}");
        }
    }
}
