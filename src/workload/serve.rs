//! `serve`: runs a service in the container until the harness says stop.
//!
//! The worker makes itself the reaper of everything below it. So a daemon that forks away, or the
//! workers of a master that has ended, come to it: the service is over when nothing is left.

use std::io;
use std::os::fd::AsFd;
use std::os::unix::process::ExitStatusExt;
use std::process::ExitStatus;

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::signal::{Signal, kill};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::Pid;

use super::exec::why;
use super::exec_output::Outputs;
use super::{Context, Needs, Reached, Serve, Unit, Work, WorkError, clock};
use crate::descendants;

/// Between two looks at the service and at the harness' orders.
const LOOK_NS: u64 = 20_000_000;

/// Between two rounds of killing what would not stop.
const KILL_AGAIN_NS: u64 = 50_000_000;

impl Work for Serve {
    fn run(&self, context: &mut Context) -> Result<Reached, WorkError> {
        let nothing = Reached::new(1, 0, Unit::Ops);
        nix::sys::prctl::set_child_subreaper(true)
            .map_err(|error| nothing.failed(format_args!("becoming a reaper: {error}")))?;
        let mut child = self
            .run
            .start(context)
            .map_err(|reason| nothing.failed(reason))?;
        let failed = |error: io::Error| {
            nothing.failed(format_args!("watching {:?}: {error}", self.run.program()))
        };
        let mut outputs = Outputs::take(&mut child).map_err(failed)?;
        if let Some(line) = &self.line {
            outputs.await_text(line);
        }
        if let Some(path) = &self.output {
            outputs.copy_to(path).map_err(failed)?;
        }
        let mut service = Service {
            main: Pid::from_raw(child.id() as i32),
            main_end: None,
            last_end: None,
            outputs,
            stop_at: None,
            told: false,
            told_orphans: false,
        };
        let watched = service.watch(self, context);
        if watched.is_err() {
            let _ = descendants::end_all();
        }
        watched.map_err(failed)?;
        // One that ended well although nobody told it to: the harness knows what that means.
        match service.broke() {
            None => {
                context.said = service.outputs.tail();
                Ok(Reached::new(1, 1, Unit::Ops))
            }
            Some(status) => Err(nothing.ended(
                status.into(),
                format_args!(
                    "{:?} {}{}",
                    self.run.program(),
                    why(status),
                    service.outputs.tail()
                ),
            )),
        }
    }

    fn needs(&self) -> Needs {
        // As for `exec`: what it writes can't be known.
        Needs::NOTHING
    }
}

/// A running service.
struct Service {
    main: Pid,
    /// How the command itself ended.
    main_end: Option<ExitStatus>,
    /// How the last of those ended that had come to the worker.
    last_end: Option<ExitStatus>,
    outputs: Outputs,
    /// When what has not stopped is killed, monotonic nanoseconds.
    stop_at: Option<u64>,
    /// Whether it was asked to stop.
    told: bool,
    /// Whether what it left was asked to stop, too.
    told_orphans: bool,
}

impl Service {
    /// Looks after it until nothing of it is left.
    fn watch(&mut self, serve: &Serve, context: &mut Context) -> io::Result<()> {
        let mut announced = false;
        while self.reap()? {
            if !announced && !self.outputs.awaits() {
                announced = true;
                (context.serving)()?;
            }
            let now = clock::now();
            // A command that failed takes what it started with it; one that ended well forked away.
            let broken = self.main_end.is_some_and(|end| !end.success()) && !self.told;
            if broken {
                kill_all()?;
            } else if !self.told && asked_to_stop()? {
                self.told = true;
                self.signal(serve.stop_signal)?;
                self.stop_at = Some(now.saturating_add(clock::ms(serve.stop_ms)));
            } else if self.told && !self.told_orphans && self.main_end.is_some() {
                // It has stopped without those it had started.
                self.told_orphans = true;
                self.signal(serve.stop_signal)?;
            } else if self.stop_at.is_some_and(|at| now >= at) {
                kill_all()?;
                self.stop_at = Some(now + KILL_AGAIN_NS);
            }
            if self.outputs.are_open() {
                self.outputs.wait(LOOK_NS)?;
            } else {
                clock::sleep_until(now + LOOK_NS);
            }
        }
        self.outputs.wait(0)
    }

    /// The end that nobody had told it to come to, if it did not end well: its own, or where it had forked
    /// away and ended well, the signal that ended the last of what it left.
    fn broke(&self) -> Option<ExitStatus> {
        let main = self.main_end.filter(|_| !self.told)?;
        if !main.success() {
            return Some(main);
        }
        self.last_end.filter(|end| end.signal().is_some())
    }

    /// Takes the ends of all that have ended; whether anything is left.
    fn reap(&mut self) -> io::Result<bool> {
        loop {
            let (pid, status) = match waitpid(None, Some(WaitPidFlag::WNOHANG)) {
                Ok(WaitStatus::Exited(pid, code)) => (pid, ExitStatus::from_raw(code << 8)),
                Ok(WaitStatus::Signaled(pid, signal, _)) => {
                    (pid, ExitStatus::from_raw(signal as i32))
                }
                Ok(WaitStatus::StillAlive) => return Ok(true),
                Ok(_) | Err(Errno::EINTR) => continue,
                Err(Errno::ECHILD) => return Ok(false),
                Err(error) => return Err(error.into()),
            };
            if pid == self.main {
                self.main_end = Some(status);
            } else {
                self.last_end = Some(status);
            }
        }
    }

    /// Asks the command itself to stop; where it has forked away, those who came to the worker.
    fn signal(&self, number: i32) -> io::Result<()> {
        let signal = Signal::try_from(number)?;
        let mut to = vec![self.main];
        if self.main_end.is_some() {
            let orphans = descendants::children(std::process::id() as i32)?;
            to = orphans.iter().map(|p| Pid::from_raw(p.pid)).collect();
        }
        for pid in to {
            match kill(pid, signal) {
                Ok(()) | Err(Errno::ESRCH) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    }
}

/// Kills everything below the worker.
fn kill_all() -> io::Result<()> {
    for process in descendants::below(std::process::id() as i32, 0)? {
        if !process.zombie {
            // Gone already is as good as killed.
            let _ = kill(Pid::from_raw(process.pid), Signal::SIGKILL);
        }
    }
    Ok(())
}

/// Whether the harness has written an order, or has closed the pipe: while a service runs there is
/// only one order it can give.
fn asked_to_stop() -> io::Result<bool> {
    let stdin = io::stdin();
    let mut fds = [PollFd::new(stdin.as_fd(), PollFlags::POLLIN)];
    match poll(&mut fds, PollTimeout::ZERO) {
        Ok(_) | Err(Errno::EINTR) => Ok(fds[0].any().unwrap_or(false)),
        Err(error) => Err(error.into()),
    }
}
