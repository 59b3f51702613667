//! Lowers `memory.high` of a cgroup that runs, and puts back what was there on every way out.
//!
//! A process of its own, in a session of its own, does both. It holds the old value and one end of a
//! pipe; when the other end is closed, by a good end or by SIGKILL, it puts the value back and ends.
//! Only it writes: so there is no write of a killed process that could come after the last one.

use std::fs::{self, OpenOptions};
use std::io::{self, BufRead, BufReader, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use crate::need::live::Reading;
use crate::rows::refaults;
use crate::sys::process::page_size;

/// The hidden subcommand under which memtide keeps a value.
pub const KEEP: &str = "__keep";

/// The file that is lowered.
const HIGH: &str = "memory.high";

/// The other end: asks the keeper to lower, and to end.
#[derive(Debug)]
pub struct Keeper {
    process: Child,
    orders: Option<ChildStdin>,
    answers: BufReader<ChildStdout>,
    path: PathBuf,
    /// What was there, as it stood in the file.
    pub old: String,
}

impl Keeper {
    /// Starts one for the cgroup at `path`. Nothing is changed yet.
    ///
    /// # Errors
    /// The file can't be read, or the process not started.
    pub fn start(path: &Path) -> io::Result<Keeper> {
        let old = fs::read_to_string(path.join(HIGH))?.trim().to_string();
        let mut process = Command::new(std::env::current_exe()?)
            .arg(KEEP)
            .arg(path)
            .arg(&old)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let (orders, answers) = match (process.stdin.take(), process.stdout.take()) {
            (Some(orders), Some(answers)) => (orders, BufReader::new(answers)),
            _ => return Err(io::Error::other("the keeper has no pipes")),
        };
        let mut keeper = Keeper {
            process,
            orders: Some(orders),
            answers,
            path: path.to_path_buf(),
            old,
        };
        // It says so when no signal of the terminal can end it any more.
        keeper.answer()?;
        Ok(keeper)
    }

    /// Lowers the limit to `bytes`; returns when the kernel has taken what it could.
    ///
    /// # Errors
    /// The kernel's, or the keeper is gone: then the old value was put back, by us if need be.
    pub fn lower(&mut self, bytes: u64) -> io::Result<()> {
        let sent = match &mut self.orders {
            Some(orders) => writeln!(orders, "{bytes}").and_then(|()| orders.flush()),
            None => Err(io::ErrorKind::BrokenPipe.into()),
        };
        let answered = sent.and_then(|()| self.answer());
        if answered.is_err() && matches!(self.process.try_wait(), Ok(Some(_))) {
            set(&self.path, &self.old)?;
        }
        answered
    }

    fn answer(&mut self) -> io::Result<()> {
        let mut line = String::new();
        self.answers.read_line(&mut line)?;
        match line.trim() {
            "ok" => Ok(()),
            "" => Err(io::Error::other(
                "the process that holds the old value has ended",
            )),
            why => Err(io::Error::other(why.to_string())),
        }
    }

    /// Has the old value put back.
    ///
    /// # Errors
    /// It could not be; what to write where is in the text.
    pub fn restore(mut self) -> io::Result<()> {
        self.end()
    }

    fn end(&mut self) -> io::Result<()> {
        if self.orders.take().is_none() {
            return Ok(());
        }
        let mut rest = String::new();
        self.answers.read_to_string(&mut rest)?;
        let ended = self.process.wait()?;
        let by_itself = match ended.success() {
            true => Ok(()),
            // Killed itself: then it is up to us.
            false => set(&self.path, &self.old),
        };
        by_itself.map_err(|error| {
            io::Error::other(format!(
                "{} could not be put back to {} ({error}): write it there by hand",
                self.path.join(HIGH).display(),
                self.old
            ))
        })
    }
}

impl Drop for Keeper {
    fn drop(&mut self) {
        if let Err(error) = self.end() {
            log::error!("{error}");
        }
    }
}

/// The keeper's own side: obeys until its input ends, then puts `old` back.
///
/// # Errors
/// The old value can't be written; where the cgroup is gone there is nothing to put back.
pub fn keep(path: &Path, old: &str) -> io::Result<()> {
    // Of its own session: what ends its parent's terminal or job does not end it.
    nix::unistd::setsid()?;
    ignore_signals()?;
    let mut out = io::stdout();
    // Nobody may listen any more: that is no reason not to put the value back.
    let _ = writeln!(out, "ok").and_then(|()| out.flush());
    let mut last = None;
    for order in io::stdin().lock().lines() {
        let Ok(order) = order else { break };
        let answer = match order.trim().parse::<u64>() {
            Ok(bytes) => match set(path, &bytes.to_string()) {
                Ok(()) => {
                    last = read_high(path);
                    "ok".to_string()
                }
                Err(error) => error.to_string(),
            },
            Err(_) => format!("{order:?} is no number of bytes"),
        };
        let _ = writeln!(out, "{answer}").and_then(|()| out.flush());
    }
    // Somebody else has set another value meanwhile: theirs is the newer wish.
    match last {
        Some(last) if read_high(path).is_some_and(|now| now != last) => Ok(()),
        Some(_) if !path.is_dir() => Ok(()),
        Some(_) => set(path, old),
        None => Ok(()),
    }
}

fn read_high(path: &Path) -> Option<String> {
    let text = fs::read_to_string(path.join(HIGH)).ok()?;
    Some(text.trim().to_string())
}

fn ignore_signals() -> io::Result<()> {
    use nix::sys::signal::{SigSet, Signal};
    let mut set = SigSet::empty();
    for signal in [
        Signal::SIGINT,
        Signal::SIGTERM,
        Signal::SIGHUP,
        Signal::SIGQUIT,
        Signal::SIGPIPE,
    ] {
        set.add(signal);
    }
    Ok(set.thread_block()?)
}

/// Never created: a control file is there or it is not.
fn set(path: &Path, value: &str) -> io::Result<()> {
    let mut options = OpenOptions::new();
    let mut file = options.write(true).truncate(true).open(path.join(HIGH))?;
    file.write_all(value.as_bytes())
}

/// Reads what is watched of the cgroup at `path`.
///
/// # Errors
/// `memory.current` can't be read: the cgroup is gone, or is none of v2.
pub fn read(path: &Path) -> io::Result<Reading> {
    let text = |name: &str| fs::read_to_string(path.join(name));
    let usage = text("memory.current")?;
    let usage = usage.trim().parse().map_err(|_| {
        let why = format!("memory.current says {:?}", usage.trim());
        io::Error::new(io::ErrorKind::InvalidData, why)
    })?;
    let stat = text("memory.stat").unwrap_or_default();
    let refaults = refaults(|name| row(&stat, name));
    let pressure = text("memory.pressure").unwrap_or_default();
    let some = pressure.lines().find(|line| line.starts_with("some "));
    let total = some.and_then(|line| line.rsplit_once("total=")?.1.trim().parse().ok());
    let events = text("memory.events").unwrap_or_default();
    Ok(Reading {
        usage,
        stalled_us: total,
        read_again: refaults.map(|pages| pages.saturating_mul(page_size())),
        killed: row(&events, "oom_kill").unwrap_or(0),
    })
}

fn row(text: &str, name: &str) -> Option<u64> {
    let mut lines = text.lines().filter_map(|line| line.split_once(' '));
    lines.find(|(n, _)| *n == name)?.1.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_watched_is_read_and_what_is_not_there_is_none() {
        let dir = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| fs::write(dir.path().join(name), text).unwrap();
        assert!(read(dir.path()).is_err());
        write("memory.current", "1048576\n");
        let bare = read(dir.path()).unwrap();
        assert_eq!(
            (bare.usage, bare.stalled_us, bare.read_again),
            (1 << 20, None, None)
        );
        write(
            "memory.stat",
            "anon 5\nworkingset_refault_anon 1\nworkingset_refault_file 2\n",
        );
        write(
            "memory.pressure",
            "some avg10=0.00 avg60=0.00 avg300=0.00 total=77\nfull avg10=0 total=5\n",
        );
        write("memory.events", "low 0\noom 3\noom_kill 2\n");
        let all = read(dir.path()).unwrap();
        assert_eq!(all.read_again, Some(3 * page_size()));
        assert_eq!((all.stalled_us, all.killed), (Some(77), 2));
        write("memory.current", "max\n");
        assert!(read(dir.path()).is_err());
    }
}
