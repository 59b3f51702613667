//! `memtide watch`: an existing cgroup, a line a sample, like vmstat.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Context;

use super::common::Terminal;
use super::metrics::Listen;
use super::watch_recursive as recursive;
use super::{Exit, common, profile, scratch};
use crate::harness::{self, Both, Nobody, Observer, Sink};
use crate::recording::{self, Group, MISSING};
use crate::rows::{CgroupVersion, View, ViewIndex};
use crate::units;

#[derive(Debug, clap::Args)]
pub struct Args {
    /// A cgroup's directory, or the id of a process in it. With --recursive also the folder where a
    /// node's cgroups are mounted (/sys/fs/cgroup): its pods are found below it.
    #[arg(value_name = "PATH|PID")]
    target: String,
    /// Watch every container below PATH, a node's `kubepods` cgroup for example, those that come
    /// later included: one recording and one endpoint for all. memory.stat and usage are read at
    /// every sample; limits, peaks and counts of events every 5 s, and missing in between.
    #[arg(short, long)]
    recursive: bool,
    /// With --recursive: the kubelet's links, which name pods and containers.
    #[arg(
        long,
        value_name = "DIR",
        default_value = "/var/log/containers",
        requires = "recursive"
    )]
    container_logs: PathBuf,
    /// With --recursive: the node's root. Runtimes (containerd, CRI-O, Docker) keep below it which image a
    /// container is of, where root alone can read it.
    #[arg(long, value_name = "DIR", default_value = "/", requires = "recursive")]
    node_root: PathBuf,
    /// Time between samples.
    #[arg(long, value_name = "TIME", default_value = "1s", value_parser = units::parse_duration)]
    interval: Duration,
    /// Stop after this time (default: on Ctrl-C, or when the cgroup is gone).
    #[arg(long, value_name = "TIME", value_parser = units::parse_duration)]
    duration: Option<Duration>,
    /// Keep a recording in FILE; `-` streams it to stdout, and the lines go to stderr.
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    #[command(flatten)]
    listen: Listen,
}

/// Prints a line a sample and a summary at the end. Nothing in the cgroup is changed.
pub fn run(args: Args) -> anyhow::Result<Exit> {
    let path = match args
        .recursive
        .then(|| kubepods(Path::new(&args.target)))
        .flatten()
    {
        Some(path) => path,
        None => resolve(&args.target)?,
    };
    let mut publisher = args.listen.start()?;
    let mut nobody = Nobody;
    let other: &mut dyn Observer = match &mut publisher {
        Some(publisher) => publisher,
        None => &mut nobody,
    };
    let times = (args.interval, args.duration);
    let streams = args.out.as_deref() == Some(Path::new("-"));
    let to = if streams {
        Terminal::Stderr
    } else {
        Terminal::Stdout
    };
    if args.recursive {
        let mut sums = recursive::Sums::new(to);
        let out = args.out.as_deref().map(|path| match streams {
            true => recording::Writer::stdout(),
            false => recording::Writer::file(path),
        });
        let observer = &mut Both(&mut sums, other);
        let files = (args.container_logs.as_path(), args.node_root.as_path());
        recursive::run(&path, files, times, out, observer)?;
        return Ok(Exit::Ok);
    }
    let temporary = scratch::folder(&common::default_workdir())?;
    let kept = args.out.clone().filter(|_| !streams);
    let file = kept.unwrap_or_else(|| temporary.path().join("watch.jsonl"));
    let sink = match streams {
        true => Sink::StdoutAndFile(file.clone()),
        false => Sink::File(file.clone()),
    };
    let mut lines = Lines {
        to,
        index: ViewIndex::default(),
        printed: 0,
        last: None,
        apart: args.interval / 2,
        stop: false,
    };
    let observer = &mut Both(&mut lines, other);
    harness::watch(&path, times, &sink, observer)?;
    let recording = recording::read_path(&file)?;
    let colour = common::colour(to.is_terminal());
    to.write(&format!("\n{}", profile::render(&recording, colour)))?;
    Ok(Exit::Ok)
}

/// Where the kubelet has its pods, below the mounts of cgroups: its two drivers, on v1 and on v2, and
/// with a cgroup of its own above them (Kind).
const KUBEPODS: [&str; 4] = [
    "kubepods.slice",
    "kubepods",
    "kubelet.slice/kubelet-kubepods.slice",
    "kubelet/kubepods",
];

/// The pods' cgroup of a node, if `top` is where its cgroups are mounted.
fn kubepods(top: &Path) -> Option<PathBuf> {
    let tops = [top.join("memory"), top.to_path_buf()];
    let all = tops
        .iter()
        .flat_map(|top| KUBEPODS.map(|pods| top.join(pods)));
    let mut pods = all.filter(|path| path.join("memory.stat").is_file());
    pods.next()
}

fn resolve(target: &str) -> anyhow::Result<PathBuf> {
    if let Ok(pid) = target.parse::<i32>() {
        return crate::cgroup::Hierarchy::discover()
            .and_then(|hierarchy| hierarchy.cgroup_of(pid))
            .with_context(|| format!("can't find the cgroup of process {pid}"));
    }
    let path = Path::new(target);
    if !path.is_dir() {
        anyhow::bail!(
            "{target} is neither a directory nor a process id; a pod's cgroup is somewhere below \
             /sys/fs/cgroup (kubepods, docker, machine.slice)"
        );
    }
    let files = ["memory.stat", "memory.current", "memory.usage_in_bytes"];
    if !files.iter().any(|file| path.join(file).exists()) {
        anyhow::bail!(
            "{target} has no memory.stat: it is not a cgroup of the memory controller (on cgroup v1 \
             it is below /sys/fs/cgroup/memory)"
        );
    }
    Ok(path.to_path_buf())
}

/// A line a sample, a heading every page.
struct Lines {
    to: Terminal,
    index: ViewIndex,
    printed: u64,
    /// When the sample of the last line was taken.
    last: Option<Duration>,
    /// Samples closer than this are the same: the one at the end is taken beside the last tick's.
    apart: Duration,
    stop: bool,
}

/// Lines between headings: a small terminal's height.
const PAGE: u64 = 20;

impl Lines {
    fn print(&mut self, t: u64, view: &View) {
        let mut line = String::new();
        if self.printed.is_multiple_of(PAGE) {
            line.push_str(
                "      t     usage       rss  inactive_f  active_f     cache  working_set   MiB\n",
            );
        }
        let working_set =
            crate::formula::cadvisor::working_set(view).and_then(|v| u64::try_from(v).ok());
        let cell = |value: Option<u64>| value.map_or("-".to_string(), units::mib);
        line.push_str(&format!(
            "{:>7.1}{:>10}{:>10}{:>12}{:>10}{:>10}{:>13}\n",
            t as f64 / 1e9,
            cell(view.usage),
            cell(view.rss),
            cell(view.inactive_file),
            cell(view.active_file),
            cell(view.cache),
            cell(working_set)
        ));
        self.printed += 1;
        // A reader that has gone (`| head`) ends the watch.
        self.stop |= self.to.write(&line).is_err();
    }
}

impl Observer for Lines {
    fn groups(&mut self, groups: &[Group]) {
        if let Some(group) = groups.first() {
            let v1 = group.columns.iter().any(|c| c == "memory.usage_in_bytes");
            let version = if v1 {
                CgroupVersion::V1
            } else {
                CgroupVersion::V2
            };
            self.index = ViewIndex::new(version, &group.columns);
        }
    }

    fn sample(&mut self, _group: usize, t: u64, values: &[u64]) {
        let view = self
            .index
            .view(|c| values.get(c).copied().filter(|v| *v != MISSING));
        let now = Duration::from_nanos(t);
        let near = |last: Duration| now.saturating_sub(last) < self.apart;
        if !self.last.is_some_and(near) {
            self.last = Some(now);
            self.print(t, &view);
        }
    }

    fn wants_stop(&mut self) -> bool {
        self.stop
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sample_at_the_end_is_no_second_line_for_the_last_tick() {
        let mut lines = Lines {
            to: Terminal::Stderr,
            index: ViewIndex::default(),
            printed: 0,
            last: None,
            apart: Duration::from_millis(500),
            stop: false,
        };
        for ms in [0, 1000, 2000, 2003, 2600] {
            lines.sample(0, ms * 1_000_000, &[]);
        }
        assert_eq!(lines.printed, 4);
    }
}
