//! `memtide need --live`: the need of a cgroup that runs, by taking a little at a time.

use std::collections::BTreeMap;
use std::io::{self, IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::signal::Signal;
use serde_json::json;
use std::os::fd::AsFd;

use super::super::{Exit, Failure, common};
use super::{Args, Format};
use crate::cgroup::{self, Hierarchy};
use crate::harness::keeper::{self, Keeper};
use crate::need::live::{Descent, Next, Reading, Seen, Sign};
use crate::report::{Align, Table};
use crate::rows::CgroupVersion;
use crate::sys::process::Signals;
use crate::units;

/// `--live` and what belongs to it.
#[derive(Debug, clap::Args)]
pub struct LiveArgs {
    /// Measure a cgroup that runs (v2), by its directory or by a process in it: less and less is left to
    /// it, step by step, until it shows; then what was there is put back, however this ends. It may
    /// slow the cgroup down for a moment.
    #[arg(long, value_name = "PATH|PID", conflicts_with_all = ["scenarios", "command", "limit", "load", "measure"])]
    live: Option<String>,
    /// How it is taken.
    #[arg(long, value_enum)]
    take_by: Option<TakeBy>,
    /// How much is taken at a time, of what it uses at the start (default: 2%).
    #[arg(long, value_name = "PERCENT", value_parser = units::parse_percent)]
    step: Option<f64>,
    /// How long it is watched after each step (default: 2s).
    #[arg(long, value_name = "TIME", value_parser = units::parse_duration)]
    settle: Option<Duration>,
}

/// `--take-by`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum TakeBy {
    /// memory.high is lowered: what was taken can't come back before the end (the default).
    High,
    /// The kernel is asked to reclaim (memory.reclaim, 5.19 and later): nothing has to be put back.
    Reclaim,
}

impl LiveArgs {
    /// The running cgroup that is asked for, if one is.
    ///
    /// # Errors
    /// What belongs to it was given without it.
    pub fn wanted(&self) -> anyhow::Result<Option<&str>> {
        let more = self.take_by.is_some() || self.step.is_some() || self.settle.is_some();
        if more && self.live.is_none() {
            anyhow::bail!("--take-by, --step and --settle belong to --live PATH|PID");
        }
        Ok(self.live.as_deref())
    }
}

/// Takes, watches, puts back, tells.
pub fn run(args: &Args, wanted: &str) -> anyhow::Result<Exit> {
    let path = find(wanted)?;
    let signals = Signals::open(&[Signal::SIGINT, Signal::SIGTERM, Signal::SIGHUP])?;
    let first = keeper::read(&path).map_err(|e| unreadable(&path, &e))?;
    let step = (args.live.step.unwrap_or(2.0) / 100.0).clamp(0.001, 0.5);
    let mut hold = Hold::new(&path, args.live.take_by.unwrap_or(TakeBy::High))?;
    announce(&path, &hold, first, step)?;
    let mut walk = Walk {
        path: &path,
        settle: args.live.settle.unwrap_or(Duration::from_secs(2)),
        signals: &signals,
        steps: Vec::new(),
    };
    let mut descent = Descent::new(first.usage, step, args.loss / 100.0);
    let ended = walk.down(&mut descent, &mut hold);
    // On every way out, before anything else can go wrong.
    let restored = hold.restore();
    let ended = ended?;
    restored?;
    let Some(sign) = ended else {
        return Ok(Exit::Interrupted);
    };
    print(args.format, &path, &descent, sign, &walk.steps)?;
    Ok(Exit::Ok)
}

/// How memory is taken.
enum Hold {
    High(Keeper),
    Reclaim(PathBuf),
}

impl Hold {
    fn new(path: &Path, by: TakeBy) -> anyhow::Result<Hold> {
        Ok(match by {
            TakeBy::High => Hold::High(Keeper::start(path).map_err(|e| unreadable(path, &e))?),
            TakeBy::Reclaim => Hold::Reclaim(path.to_path_buf()),
        })
    }

    fn lower(&mut self, to: u64, usage: u64) -> io::Result<()> {
        match self {
            Hold::High(keeper) => keeper.lower(to),
            Hold::Reclaim(path) => {
                cgroup::give_back(path, CgroupVersion::V2, usage.saturating_sub(to))
            }
        }
    }

    fn restore(self) -> io::Result<()> {
        match self {
            Hold::High(keeper) => keeper.restore(),
            Hold::Reclaim(_) => Ok(()),
        }
    }
}

struct Walk<'a> {
    path: &'a Path,
    settle: Duration,
    signals: &'a Signals,
    steps: Vec<Seen>,
}

impl Walk<'_> {
    /// Until the first sign; none after a signal.
    fn down(&mut self, descent: &mut Descent, hold: &mut Hold) -> anyhow::Result<Option<Sign>> {
        let mut target = None;
        loop {
            let Some(seen) = self.look(target)? else {
                return Ok(None);
            };
            self.steps.push(seen);
            match descent.next(seen) {
                Next::End(sign) => return Ok(Some(sign)),
                Next::Lower(to) => {
                    hold.lower(to, seen.usage)
                        .map_err(|e| anyhow::anyhow!("{}: {e}", self.path.display()))?;
                    target = Some(to);
                }
            }
        }
    }

    /// Watches for a while; none after a signal. A kill or a long stall is not waited out.
    fn look(&self, target: Option<u64>) -> anyhow::Result<Option<Seen>> {
        let read = || keeper::read(self.path).map_err(|e| unreadable(self.path, &e));
        let (began, before) = (Instant::now(), read()?);
        let mut after = before;
        while began.elapsed() < self.settle {
            if self.signalled(self.settle.saturating_sub(began.elapsed()))? {
                return Ok(None);
            }
            after = read()?;
            if after.killed > before.killed {
                break;
            }
        }
        let seconds = began.elapsed().as_secs_f64();
        Ok(Some(Seen::between(target, before, after, seconds)))
    }

    /// Waits a moment for a signal.
    fn signalled(&self, left: Duration) -> io::Result<bool> {
        let ms = u16::try_from(left.as_millis().clamp(1, 100)).unwrap_or(100);
        let mut fds = [PollFd::new(self.signals.as_fd(), PollFlags::POLLIN)];
        match poll(&mut fds, PollTimeout::from(ms)) {
            Ok(_) | Err(nix::errno::Errno::EINTR) => {}
            Err(error) => return Err(error.into()),
        }
        Ok(self.signals.next()?.is_some())
    }
}

/// The directory that is meant; it must be one of v2, and not memtide's own.
fn find(wanted: &str) -> anyhow::Result<PathBuf> {
    let path = match wanted.parse::<i32>() {
        Ok(pid) => {
            let hierarchy = Hierarchy::discover().map_err(Failure::environment)?;
            if hierarchy.version == CgroupVersion::V1 {
                return Err(Failure::environment(
                    "--live needs cgroup v2, and the memory controller here is on v1: run the command \
                     itself with `memtide need --limit SIZE -- COMMAND`",
                ));
            }
            hierarchy.cgroup_of(pid)?
        }
        Err(_) => PathBuf::from(wanted),
    };
    for file in ["memory.high", "memory.current", "cgroup.procs"] {
        if !path.join(file).is_file() {
            anyhow::bail!(
                "{} is no cgroup of v2 whose memory can be limited (it has no {file}): give a \
                 directory below /sys/fs/cgroup, or the number of a process in it",
                path.display()
            );
        }
    }
    let me = std::process::id() as i32;
    if processes(&path).contains_key(&me) {
        anyhow::bail!(
            "memtide itself runs in {}: it would slow itself down; start it from another cgroup",
            path.display()
        );
    }
    Ok(path)
}

/// The processes of a cgroup and of all below it, with their names.
fn processes(path: &Path) -> BTreeMap<i32, String> {
    let mut found = BTreeMap::new();
    for pid in crate::cgroup::pids(path).unwrap_or_default().visible {
        let name = std::fs::read_to_string(format!("/proc/{pid}/comm")).unwrap_or_default();
        found.insert(pid, name.trim().to_string());
    }
    let entries = std::fs::read_dir(path).into_iter().flatten().flatten();
    for entry in entries.filter(|e| e.file_type().is_ok_and(|t| t.is_dir())) {
        found.extend(processes(&entry.path()));
    }
    found
}

/// What will be done to whom.
fn announce(path: &Path, hold: &Hold, first: Reading, share: f64) -> io::Result<()> {
    let processes = processes(path);
    let mut names: Vec<&str> = processes.values().map(String::as_str).collect();
    names.sort_unstable();
    names.dedup();
    let shown = names.iter().take(5).copied().collect::<Vec<_>>().join(", ");
    let more = if names.len() > 5 { ", ..." } else { "" };
    let what = match hold {
        Hold::High(keeper) => format!(
            "lowering memory.high, and putting it back to {} at the end, whatever happens",
            keeper.old
        ),
        Hold::Reclaim(_) => "asking the kernel to reclaim (nothing has to be put back)".into(),
    };
    let step = units::bytes((first.usage as f64 * share) as u64);
    writeln!(
        io::stderr(),
        "live: taking memory from {} ({} processes: {shown}{more}; it uses {}), {step} at a time, by {what}. \
         They may be slower until then. Ctrl-C ends it.",
        path.display(),
        processes.len(),
        units::bytes(first.usage),
    )
}

fn unreadable(path: &Path, error: &io::Error) -> anyhow::Error {
    Failure::environment(format!(
        "{}: {error}: is the cgroup still there, and may you write to it?",
        path.display()
    ))
}

fn print(
    format: Format,
    path: &Path,
    descent: &Descent,
    sign: Sign,
    steps: &[Seen],
) -> anyhow::Result<()> {
    let (above, most) = descent.interval();
    let mut out = io::stdout();
    if format == Format::Json {
        let document = json!({
            "memtide": env!("CARGO_PKG_VERSION"),
            "live": {
                "path": path.display().to_string(),
                "need_bytes": most,
                "interval_bytes": [above, most],
                "ended_by": sign,
                "steps": steps,
            },
        });
        writeln!(out, "{document:#}")?;
        return Ok(());
    }
    writeln!(
        out,
        "{} needs {} now (above {}): with less, {sign}. What it needs at its busiest is not seen.\n",
        path.display(),
        units::bytes(most),
        units::bytes(above),
    )?;
    let headings = ["taken down to", "usage", "stalled", "read again"];
    let mut table = Table::new(headings.map(|h| (h, Align::Right)));
    for seen in steps {
        let percent = |share: f64| format!("{:.1} %", 100.0 * share);
        let rate = |rate: f64| format!("{}/s", units::bytes(rate as u64));
        table.plain(&[
            seen.target.map_or("(before)".into(), units::bytes),
            units::bytes(seen.usage),
            seen.stalled.map_or("-".into(), percent),
            seen.read_again.map_or("-".into(), rate),
        ]);
    }
    let colour = common::colour(out.is_terminal());
    write!(out, "{}", table.render(2, colour))?;
    Ok(())
}
