//! One worker process and the pipes to it.

use std::io::{self, Read, Write};
use std::os::fd::{AsFd, BorrowedFd};
use std::process::{Child, ChildStdin, ChildStdout, ExitStatus};
use std::sync::Arc;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::descendants;
use crate::sampler::{Sampler, TruthSource};
use crate::scenario::StepRef;
use crate::truth::Page;
use crate::worker::protocol::{Message, Order};

/// A worker, its truth page and what is known of its end.
#[derive(Debug)]
pub struct Actor {
    /// Index into the scenario's containers.
    pub container: usize,
    /// Index into the container's actors.
    pub index: usize,
    /// Its name.
    pub name: String,
    /// What it knows.
    pub page: Arc<Page>,
    /// Whether it works outside of the container's cgroup.
    pub outside: bool,
    /// Whether it reported that it is ready.
    pub ready: bool,
    /// Where a command's output goes, if it was asked for.
    pub output: Option<std::path::PathBuf>,
    child: Child,
    stdin: Option<ChildStdin>,
    stdout: Option<ChildStdout>,
    unread: Vec<u8>,
    exit: Option<ExitStatus>,
}

/// The longest line a worker may write: a report with an error text. More is not ours.
const LINE_MAX: usize = 64 << 10;

impl Actor {
    /// Takes over a spawned worker, whose pipes must both be open.
    ///
    /// # Errors
    /// When a pipe is missing or can't be made non-blocking.
    pub fn new(
        container: usize,
        index: usize,
        name: &str,
        mut child: Child,
        page: Page,
    ) -> io::Result<Self> {
        let missing = || io::Error::other("the worker has no pipe");
        let stdin = child.stdin.take().ok_or_else(missing)?;
        let stdout = child.stdout.take().ok_or_else(missing)?;
        set_nonblocking(stdout.as_fd())?;
        Ok(Actor {
            container,
            index,
            name: name.to_string(),
            page: Arc::new(page),
            outside: false,
            output: None,
            ready: false,
            child,
            stdin: Some(stdin),
            stdout: Some(stdout),
            unread: Vec::new(),
            exit: None,
        })
    }

    /// Takes over a command that is itself the actor: it speaks no protocol, its end is the end
    /// of its one step.
    pub fn command(name: &str, child: Child, page: Page) -> Self {
        Actor {
            container: 0,
            index: 0,
            name: name.to_string(),
            page: Arc::new(page),
            outside: false,
            output: None,
            ready: true,
            child,
            stdin: None,
            stdout: None,
            unread: Vec::new(),
            exit: None,
        }
    }

    /// Whether it does the steps that `step` is one of.
    pub fn does(&self, step: StepRef) -> bool {
        self.container == step.container && self.index == step.actor
    }

    /// Lets its process and its truth be sampled with its group, unless it works outside of that.
    pub fn attach(&self, sampler: &mut Sampler, group: usize) {
        if !self.outside {
            let truth = Some(self.page.clone() as Arc<dyn TruthSource>);
            sampler.attach(group, &self.name, self.pid(), truth);
        }
    }

    /// Whether its end has not been seen.
    pub fn is_alive(&self) -> bool {
        self.exit.is_none()
    }

    /// Whether it is a command and not a worker.
    pub fn is_command(&self) -> bool {
        self.stdout.is_none()
    }

    /// The end of a command's output, as the end of a message; empty if it is not kept.
    pub fn output_tail(&self) -> String {
        const MOST: usize = 2000;
        let bytes = self
            .output
            .as_ref()
            .and_then(|path| std::fs::read(path).ok());
        let bytes = bytes.unwrap_or_default();
        let text = String::from_utf8_lossy(&bytes[bytes.len().saturating_sub(MOST)..]).into_owned();
        match text.trim() {
            "" => String::new(),
            text => format!("; the end of its output: {text}"),
        }
    }

    /// Its process id.
    pub fn pid(&self) -> i32 {
        // Process ids are below 2^22 (PID_MAX_LIMIT).
        self.child.id() as i32
    }

    /// The pipe to wait on, as long as the process lives.
    pub fn stdout(&self) -> Option<BorrowedFd<'_>> {
        self.stdout
            .as_ref()
            .filter(|_| self.exit.is_none())
            .map(AsFd::as_fd)
    }

    /// Writes one line. A worker that is gone is found by its exit, not here.
    pub fn send_line(&mut self, line: &str) {
        if let Some(stdin) = &mut self.stdin
            && writeln!(stdin, "{line}")
                .and_then(|()| stdin.flush())
                .is_err()
        {
            self.stdin = None;
        }
    }

    /// Lets step `step` begin.
    pub fn go(&mut self, step: usize) {
        self.order(&Order::Go(step));
    }

    /// Lets the service of step `step` stop.
    pub fn stop(&mut self, step: usize) {
        self.order(&Order::Stop(step));
    }

    fn order(&mut self, order: &Order) {
        match serde_json::to_string(order) {
            Ok(line) => self.send_line(&line),
            Err(error) => log::warn!("can't write an order: {error}"),
        }
    }

    /// Sends a signal to the process itself, unless it has ended.
    pub fn signal(&self, signal: Signal) {
        if self.is_alive() {
            // It is ours, it is not reaped yet, so its id can't be another's.
            let _ = kill(Pid::from_raw(self.pid()), signal);
        }
    }

    /// Closes its input: it ends when it has nothing left to do.
    pub fn dismiss(&mut self) {
        self.stdin = None;
    }

    /// The messages that have arrived.
    pub fn messages(&mut self) -> Vec<Message> {
        let Some(stdout) = &mut self.stdout else {
            return Vec::new();
        };
        let mut chunk = [0; 4096];
        loop {
            match stdout.read(&mut chunk) {
                Ok(n) if n > 0 => self.unread.extend_from_slice(&chunk[..n]),
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                _ => break,
            }
        }
        let mut messages = Vec::new();
        while let Some(end) = self.unread.iter().position(|b| *b == b'\n') {
            let line: Vec<u8> = self.unread.drain(..=end).collect();
            match serde_json::from_slice(&line) {
                Ok(message) => messages.push(message),
                Err(error) => log::warn!("worker {}: unreadable message: {error}", self.name),
            }
        }
        if self.unread.len() > LINE_MAX {
            self.unread.clear();
        }
        messages
    }

    /// Its exit status, once it has ended; reported only once.
    pub fn reap(&mut self) -> Option<ExitStatus> {
        if self.exit.is_some() {
            return None;
        }
        self.exit = self.child.try_wait().ok().flatten();
        self.exit
    }
}

impl Drop for Actor {
    fn drop(&mut self) {
        if self.exit.is_none() {
            // Outside of the container no cgroup takes along what it started. A command that is the
            // actor was started with the container's.
            if self.outside {
                let _ = descendants::end_below(self.pid());
            }
            // It is ours, it is not reaped yet, so its id can't be another's.
            let _ = self.child.kill();
            let _ = self.child.wait();
        }
    }
}

fn set_nonblocking(fd: BorrowedFd<'_>) -> io::Result<()> {
    use nix::fcntl::{FcntlArg, OFlag, fcntl};
    let flags = OFlag::from_bits_retain(fcntl(fd, FcntlArg::F_GETFL)?);
    fcntl(fd, FcntlArg::F_SETFL(flags | OFlag::O_NONBLOCK))?;
    Ok(())
}
