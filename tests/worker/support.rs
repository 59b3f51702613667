//! A real worker process, driven as the harness drives it.

use std::io::{BufRead, BufReader, Write};
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use memtide::truth::{Counter, Page};
use memtide::worker;
use memtide::worker::protocol::{Message, Order, Plan, PlannedStep, Report, Status};
use memtide::workload::{Dist, End, Fsync, LogWrite, Unlink, Workload};

pub const MIB: u64 = 1 << 20;

/// Log lines of 128 bytes, each its own write, as fast as it goes.
pub fn log(total: u64) -> LogWrite {
    LogWrite {
        file: "app.log".into(),
        line: Dist::Fixed(128),
        buffer: 0,
        rate: None,
        total: Some(total),
        duration_ms: None,
        fsync: Fsync::Never,
        rotate: None,
        keep_open: false,
    }
}

/// Deletes that log.
pub fn unlink() -> Workload {
    Workload::Unlink(Unlink {
        file: "app.log".into(),
    })
}

/// How far RssAnon of `/proc/PID/status` may be off, with the few pages of a worker's own heap:
/// the kernel keeps back up to 64 pages a CPU (twice, since two figures are compared).
pub fn page_counters_lag() -> u64 {
    let cpus = std::thread::available_parallelism().map_or(2, |cpus| cpus.get() as u64);
    128 * cpus * 4096
}

/// A worker with its truth page; killed when dropped.
pub struct Worker {
    pub child: Child,
    pub truth: Page,
    orders: Option<ChildStdin>,
    answers: BufReader<ChildStdout>,
    next: usize,
}

impl Worker {
    /// Starts a worker with these steps (named `s0`, `s1`, ...) and waits until it is ready.
    pub fn start(dir: &Path, steps: &[Workload]) -> Worker {
        Worker::start_with(dir, steps, |_| {})
    }

    /// As [`Worker::start`], with something done to the command first.
    pub fn start_with(
        dir: &Path,
        steps: &[Workload],
        prepare: impl FnOnce(&mut Command),
    ) -> Worker {
        let (truth, fd) = Page::create(dir).unwrap();
        let program = PathBuf::from(env!("CARGO_BIN_EXE_memtide"));
        let mut command = worker::command(&program, fd.as_fd()).unwrap();
        prepare(&mut command);
        Worker::spawn(command, truth, dir, steps)
    }

    /// As [`Worker::start`], with strace's `inject` expressions tampering with its system calls;
    /// none, and a line that says so, where that is not possible.
    pub fn tampered(dir: &Path, steps: &[Workload], strace: &[&str]) -> Option<Worker> {
        // -D: the tracer is the grandchild, so the worker has the child's process id.
        let own = ["-D", "-q", "-o", "/dev/null"];
        let works = Command::new("strace")
            .args(own)
            .args(strace)
            .arg("true")
            .output();
        if !works.as_ref().is_ok_and(|output| output.status.success()) {
            crate::common::skip(
                "a worker whose system calls fail",
                &format!("system calls can't be tampered with here: {works:?}"),
            );
            return None;
        }
        let (truth, fd) = Page::create(dir).unwrap();
        let mut command = Command::new("strace");
        command
            .args(own)
            .args(strace)
            .arg(env!("CARGO_BIN_EXE_memtide"))
            .arg(worker::ARGUMENT);
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let number = memtide::sys::fd::pass(&mut command, fd.as_fd()).unwrap();
        command.arg(number.to_string());
        Some(Worker::spawn(command, truth, dir, steps))
    }

    fn spawn(mut command: Command, truth: Page, dir: &Path, steps: &[Workload]) -> Worker {
        let mut child = command.spawn().unwrap();
        let mut orders = child.stdin.take().unwrap();
        let plan = Plan {
            actor: "app".into(),
            seed: 42,
            workdir: dir.into(),
            cpu: None,
            outside: false,
            steps: steps
                .iter()
                .enumerate()
                .map(|(i, workload)| PlannedStep {
                    name: format!("s{i}"),
                    workload: workload.clone(),
                })
                .collect(),
        };
        writeln!(orders, "{}", serde_json::to_string(&plan).unwrap()).unwrap();
        let answers = BufReader::new(child.stdout.take().unwrap());
        let mut worker = Worker {
            child,
            truth,
            orders: Some(orders),
            answers,
            next: 0,
        };
        let ready = worker.answer();
        assert_eq!(
            ready,
            Message::Ready {
                pid: worker.child.id() as i32
            }
        );
        worker
    }

    /// Does the next step and gives its report.
    pub fn step(&mut self) -> Report {
        self.go();
        self.report()
    }

    /// Does the next step, which must reach its target.
    pub fn done(&mut self) -> Report {
        let report = self.step();
        assert_eq!(report.status, Status::Done, "{report:?}");
        report
    }

    /// Does the next step, which must fail, and gives the reason.
    pub fn fails(&mut self) -> (Report, String) {
        let report = self.step();
        match report.status.clone() {
            Status::Failed(reason) => (report, reason),
            other => panic!("expected a failure, not {other:?}"),
        }
    }

    /// Does the next step, whose command must end like this by itself, and gives the words for it.
    pub fn ends(&mut self, wanted: End) -> (Report, String) {
        let report = self.step();
        match report.status.clone() {
            Status::Ended { end, why } if end == wanted => (report, why),
            other => panic!("expected {wanted:?}, not {other:?}"),
        }
    }

    /// Orders the next step without waiting for its report.
    pub fn go(&mut self) {
        let order = serde_json::to_string(&Order::Go(self.next)).unwrap();
        self.next += 1;
        writeln!(self.orders.as_ref().unwrap(), "{order}").unwrap();
    }

    /// Waits for the report of the step that was ordered.
    pub fn report(&mut self) -> Report {
        match self.answer() {
            Message::Report(report) => report,
            other => panic!("expected a report, not {other:?}"),
        }
    }

    fn answer(&mut self) -> Message {
        let mut line = String::new();
        self.answers.read_line(&mut line).unwrap();
        serde_json::from_str(&line).unwrap_or_else(|error| panic!("{line:?}: {error}"))
    }

    pub fn get(&self, counter: Counter) -> u64 {
        self.truth.get(counter)
    }

    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Closes stdin; the worker must end by itself with code 0.
    pub fn finish(mut self) {
        drop(self.orders.take());
        assert!(self.child.wait().unwrap().success());
    }

    /// A field of `/proc/PID/status` in bytes.
    pub fn status(&self, field: &str) -> u64 {
        let text = std::fs::read_to_string(format!("/proc/{}/status", self.pid())).unwrap();
        let line = text.lines().find(|line| line.starts_with(field)).unwrap();
        let kib: u64 = line.split_whitespace().nth(1).unwrap().parse().unwrap();
        kib << 10
    }

    /// The sum of a field of all its mappings, in bytes.
    pub fn smaps(&self, field: &str) -> u64 {
        let text = std::fs::read_to_string(format!("/proc/{}/smaps", self.pid())).unwrap();
        text.lines()
            .filter(|line| line.split(':').next() == Some(field))
            .map(|line| {
                line.split_whitespace()
                    .nth(1)
                    .unwrap()
                    .parse::<u64>()
                    .unwrap()
                    << 10
            })
            .sum()
    }

    /// How many steps were ordered.
    pub fn steps_done(&self) -> usize {
        self.next
    }

    /// Nanoseconds of CPU the worker has used.
    pub fn cpu_ns(&self) -> u64 {
        let text = std::fs::read_to_string(format!("/proc/{}/schedstat", self.pid())).unwrap();
        text.split_whitespace().next().unwrap().parse().unwrap()
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The addresses in the binary's tables are filled in when it starts, so these pages are the worker's
/// own. `size -A` tells how many: `.data.rel.ro` and `.got` are 0.9 MiB of a debug build, and 0.2 of a
/// release, whose worker is the one that is charged to containers.
pub const RELOCATIONS: u64 = if cfg!(debug_assertions) { 1 << 20 } else { 0 };
