//! Holding 200 MiB for some seconds in a container: what it costs, and how exactly it is held.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::os::fd::AsFd;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use memtide::cgroup::{Hierarchy, Limits, Managed, ManagedPod};
use memtide::rows::CgroupVersion;
use memtide::run_id::RunId;
use memtide::sys::process;
use memtide::truth::Page;
use memtide::worker;
use memtide::worker::protocol::{Order, Plan, PlannedStep};
use memtide::workload::{Huge, Sleep, Workload};

use crate::series::{Comparison, Side, Table};
use crate::support::{MIB, anon};

const SIZE: u64 = 200 * MIB;

/// CPU time in percent of the time, and what is held above 200 MiB, in KiB.
struct Held {
    cpu_percent: f64,
    error_kib: f64,
}

pub fn compare(dir: &Path, seconds: u64, runs: u32) -> Table {
    let mut table = Table::new(&format!("Holding 200 MiB for {seconds} s"));
    let cpus = std::thread::available_parallelism().map_or(1, |cpus| cpus.get());
    let bound = format!("memtide's <= {} (64 pages a CPU)", 64 * 4 * cpus);
    const PEER: &str = "stress-ng --vm-keep --vm-hang";
    // Each turn of a side fills the figures of both rows.
    let (mut ours, mut theirs) = (Vec::new(), Vec::new());
    for _ in 0..runs {
        ours.push(in_container(|container| memtide(dir, container, seconds)));
        if theirs.last().is_none_or(Result::is_ok) {
            theirs.push(in_container(|container| stress_ng(container, seconds)));
        }
    }
    for (what, unit, goal, pick) in [
        (
            "CPU time of the process",
            "% of one CPU",
            "memtide's < 0.1",
            (|held: &Held| held.cpu_percent) as fn(&Held) -> f64,
        ),
        (
            "charged as rss above 200 MiB",
            "KiB",
            bound.as_str(),
            |held: &Held| held.error_kib,
        ),
    ] {
        let mut ours = ours
            .iter()
            .map(|held| held.as_ref().map(pick).map_err(String::clone));
        let mut theirs = theirs
            .iter()
            .map(|held| held.as_ref().map(pick).map_err(String::clone));
        let none = || Err("no more turns".to_string());
        table.add(
            Comparison {
                what,
                unit,
                goals: &[(PEER, goal)],
                memtide: Side::new("memtide", move || ours.next().unwrap_or_else(none)),
                peers: vec![Side::new(PEER, move || theirs.next().unwrap_or_else(none))],
            },
            runs,
        );
    }
    table
}

fn in_container(hold: impl FnOnce(&Managed) -> Result<Held, String>) -> Result<Held, String> {
    let said = |error: &dyn std::fmt::Display| error.to_string();
    let hierarchy = Hierarchy::discover().map_err(|e| said(&e))?;
    let run = RunId::new().map_err(|e| said(&e))?;
    let pod = ManagedPod::create(&hierarchy, &run).map_err(|e| said(&e))?;
    let limits = Limits {
        limit: 300 * MIB,
        high: None,
    };
    hold(&pod.container("hold", &limits).map_err(|e| said(&e))?)
}

fn memtide(dir: &Path, container: &Managed, seconds: u64) -> Result<Held, String> {
    let (truth, fd) = Page::create(dir).map_err(|error| error.to_string())?;
    let program = std::env::current_exe().map_err(|error| error.to_string())?;
    let command = worker::command(&program, fd.as_fd()).map_err(|error| error.to_string())?;
    let mut worker = spawn(command, container)?;
    let step = |name: &str, workload| PlannedStep {
        name: name.into(),
        workload,
    };
    let plan = Plan {
        cpu: None,
        outside: false,
        actor: "app".into(),
        seed: 1,
        workdir: dir.into(),
        steps: vec![
            step("touch", anon(SIZE, MIB, Huge::Never)),
            step(
                "hold",
                Workload::Sleep(Sleep {
                    duration_ms: 1000 * seconds + 500,
                }),
            ),
        ],
    };
    let (Some(mut orders), Some(answers)) = (worker.0.stdin.take(), worker.0.stdout.take()) else {
        return Err("the worker has no pipes".into());
    };
    let mut answers = BufReader::new(answers);
    let mut say = |line: Result<String, serde_json::Error>| {
        let line = line.map_err(|error| error.to_string())?;
        writeln!(orders, "{line}").map_err(|error| error.to_string())
    };
    say(serde_json::to_string(&plan))?;
    say(serde_json::to_string(&Order::Go(0)))?;
    // The worker is ready, then it has touched all.
    for _ in 0..2 {
        answers
            .read_line(&mut String::new())
            .map_err(|error| error.to_string())?;
    }
    say(serde_json::to_string(&Order::Go(1)))?;
    let held = observe(container, seconds);
    drop(truth);
    held
}

fn stress_ng(container: &Managed, seconds: u64) -> Result<Held, String> {
    let mut command = Command::new("stress-ng");
    command
        .args([
            "--vm",
            "1",
            "--vm-bytes",
            "200M",
            "--vm-keep",
            "--vm-hang",
            "0",
        ])
        .args(["--vm-method", "zero-one", "--timeout"])
        .arg(format!("{}s", seconds + 30))
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    let _stress = spawn(command, container)?;
    observe(container, seconds)
}

/// A process in the container; with its children it goes with the container.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn spawn(mut command: Command, container: &Managed) -> Result<Running, String> {
    process::Child::worker(container.procs()).prepare(&mut command);
    let program = command.get_program().to_string_lossy().into_owned();
    command
        .spawn()
        .map(Running)
        .map_err(|error| match error.kind() {
            std::io::ErrorKind::NotFound => {
                format!("{program} is missing (Debian package {program})")
            }
            _ => format!("{program}: {error}"),
        })
}

/// Waits until it is held and nothing moves, then looks at CPU time over the seconds.
fn observe(container: &Managed, seconds: u64) -> Result<Held, String> {
    let start = Instant::now();
    let mut before = 0;
    loop {
        std::thread::sleep(Duration::from_millis(100));
        let now = rss(container)?;
        if now >= SIZE && now == before {
            break;
        }
        before = now;
        if start.elapsed() > Duration::from_secs(20) {
            return Err(format!("only {now} bytes held after 20 s"));
        }
    }
    let (cpu, since) = (cpu_ns(container)?, Instant::now());
    std::thread::sleep(Duration::from_secs(seconds));
    let used = cpu_ns(container)?.saturating_sub(cpu);
    Ok(Held {
        cpu_percent: 100.0 * used as f64 / since.elapsed().as_nanos() as f64,
        error_kib: (rss(container)? as f64 - SIZE as f64) / 1024.0,
    })
}

fn rss(container: &Managed) -> Result<u64, String> {
    let row = match container.version() {
        CgroupVersion::V1 => "rss ",
        CgroupVersion::V2 => "anon ",
    };
    let path = container.path().join("memory.stat");
    let text = fs::read_to_string(&path).map_err(|error| format!("{}: {error}", path.display()))?;
    let value = text
        .lines()
        .find_map(|line| line.strip_prefix(row)?.parse().ok());
    value.ok_or_else(|| format!("{}: no row {row:?}", path.display()))
}

/// CPU time of all processes in the container so far.
fn cpu_ns(container: &Managed) -> Result<u64, String> {
    let pids = container.pids().map_err(|error| error.to_string())?;
    let times = pids.visible.iter().filter_map(|pid| {
        let text = fs::read_to_string(format!("/proc/{pid}/schedstat")).ok()?;
        text.split(' ').next()?.parse::<u64>().ok()
    });
    Ok(times.sum())
}
