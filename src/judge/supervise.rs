//! The supervisor: a process of its own between the judge and a detector program.
//!
//! It is a child subreaper, so whatever the detector forks, daemons included, stays below it and
//! is ended with it; two detectors that run at once can't be mistaken for each other. It bounds
//! time, memory (each process by `RLIMIT_DATA`, all together by their resident size) and number
//! of processes, and it ends everything when the judge is gone or listens no more: both close the
//! pipe that is the detector's stdout, which the supervisor watches. (A signal could come before
//! the supervisor is ready for it.)

use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::process::CommandExt;
use std::process::Command;
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::prctl::set_child_subreaper;
use nix::sys::resource::{Resource, setrlimit};
use nix::sys::signal::{SigSet, Signal, killpg};
use nix::sys::signalfd::SignalFd;
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::{Pid, SysconfVar, dup2_stderr, dup2_stdin, dup2_stdout, setsid, sysconf};
use serde::{Deserialize, Serialize};

use crate::descendants;

/// What a detector may use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Wall-clock time from its start to its end.
    pub time: Duration,
    /// Bytes of memory, all its processes together.
    pub memory: u64,
    /// Processes at a time.
    pub processes: usize,
    /// Bytes it may write to stdout.
    pub output: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Limits {
            time: Duration::from_secs(10),
            memory: 1 << 30,
            processes: 64,
            output: 1 << 20,
        }
    }
}

/// How a detector's processes ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Ended {
    /// By itself, with this code.
    Exited(i32),
    /// By a signal that was not the supervisor's.
    Signalled(i32),
    /// It could not be started.
    NotStarted(String),
    /// Killed: the time was over.
    OutOfTime,
    /// Killed: together its processes held this many bytes.
    OutOfMemory(u64),
    /// Killed: it had this many processes.
    TooManyProcesses(usize),
    /// Killed because nobody listens to its answers any more.
    Stopped,
    /// Processes that would not go; the supervisor's own failure.
    Failed(String),
}

/// How often the processes below are counted while nothing happens.
const TICK: Duration = Duration::from_millis(25);

/// Runs `command` by `/bin/sh` under `limits` with this process's stdin, stdout and stderr, and
/// returns when nothing of it is left.
///
/// Changes the calling process for good (session, limits, streams): it must be one of its own.
pub fn run(command: &str, limits: &Limits) -> Ended {
    match supervise(command, limits) {
        Ok(ended) => ended,
        Err(error) => Ended::Failed(error.to_string()),
    }
}

fn supervise(command: &str, limits: &Limits) -> io::Result<Ended> {
    // A session of its own: Ctrl-C and hang-ups of the judge's terminal don't reach the detector
    // behind the supervisor's back.
    setsid()?;
    set_child_subreaper(true)?;
    setrlimit(Resource::RLIMIT_CORE, 0, 0)?;
    // Data and not address space: runtimes of Go and Java reserve far more than they use.
    setrlimit(Resource::RLIMIT_DATA, limits.memory, limits.memory)?;
    let page_size = sysconf(SysconfVar::PAGE_SIZE)?.and_then(|n| u64::try_from(n).ok());
    let page_size = page_size.unwrap_or(4096);
    let deadline = Instant::now() + limits.time;
    let spawned = Command::new("/bin/sh")
        .arg("-c")
        .arg(command)
        .process_group(0)
        .spawn();
    // The copy is closed on exec, so it is only ours.
    let listener = io::stdout().as_fd().try_clone_to_owned()?;
    release_streams()?;
    let child = match spawned {
        Ok(child) => Pid::from_raw(child.id() as i32),
        Err(error) => return Ok(Ended::NotStarted(error.to_string())),
    };
    let ended = watch(child, limits, (&listener, deadline), page_size)?;
    // In one stroke: no member of the group can fork on while the others are being found.
    let _ = killpg(child, Signal::SIGKILL);
    let left = descendants::end_all()?;
    if left.is_empty() {
        Ok(ended)
    } else {
        let message = format!("processes {left:?} would not end");
        Ok(Ended::Failed(message))
    }
}

/// Lets go of the pipes, which are the detector's now: the judge must see their end when the last
/// of its processes is gone.
fn release_streams() -> io::Result<()> {
    let null = std::fs::OpenOptions::new()
        .read(true)
        .write(true)
        .open("/dev/null")?;
    dup2_stdin(&null)?;
    dup2_stdout(&null)?;
    dup2_stderr(&null)?;
    Ok(())
}

/// Waits for the detector's end or for a reason to end it.
fn watch(
    child: Pid,
    limits: &Limits,
    (listener, deadline): (&OwnedFd, Instant),
    page_size: u64,
) -> io::Result<Ended> {
    let mut signals = SigSet::empty();
    signals.add(Signal::SIGCHLD);
    // Blocked only now, after the start: the detector would inherit the mask.
    signals.thread_block()?;
    let signal_fd = SignalFd::new(&signals)?;
    let own = std::process::id() as i32;
    loop {
        if let Some(ended) = reap(child)? {
            return Ok(ended);
        }
        if Instant::now() >= deadline {
            return Ok(Ended::OutOfTime);
        }
        let processes = descendants::below(own, page_size)?;
        let memory: u64 = processes.iter().map(|p| p.rss).sum();
        if memory > limits.memory {
            return Ok(Ended::OutOfMemory(memory));
        }
        if processes.len() > limits.processes {
            return Ok(Ended::TooManyProcesses(processes.len()));
        }
        let wait = TICK.min(deadline.saturating_duration_since(Instant::now()));
        // TICK fits by far; at least 1 ms, or the last moment before the deadline would spin.
        let wait = PollTimeout::from(wait.as_millis().max(1) as u16);
        let mut fds = [
            PollFd::new(signal_fd.as_fd(), PollFlags::POLLIN),
            // No event is asked for: an error is always reported, and means that no reader is left.
            PollFd::new(listener.as_fd(), PollFlags::empty()),
        ];
        match poll(&mut fds, wait) {
            Ok(_) | Err(Errno::EINTR) => {}
            Err(error) => return Err(error.into()),
        }
        if fds[1].any().unwrap_or(false) {
            return Ok(Ended::Stopped);
        }
        if fds[0].any().unwrap_or(false) {
            signal_fd.read_signal()?;
        }
    }
}

/// Reaps what has ended; gives how the detector itself did, if it was among them.
fn reap(child: Pid) -> io::Result<Option<Ended>> {
    loop {
        match waitpid(None, Some(WaitPidFlag::WNOHANG)) {
            Ok(WaitStatus::Exited(pid, code)) if pid == child => {
                return Ok(Some(Ended::Exited(code)));
            }
            Ok(WaitStatus::Signaled(pid, signal, _)) if pid == child => {
                return Ok(Some(Ended::Signalled(signal as i32)));
            }
            Ok(WaitStatus::StillAlive) => return Ok(None),
            Ok(_) => {}
            Err(error) => return Err(error.into()),
        }
    }
}
