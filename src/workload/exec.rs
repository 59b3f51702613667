//! `exec`: runs a command beside the worker, in the same container.

use std::io;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::process::{Child, Command, ExitStatus, Stdio};

use nix::errno::Errno;
use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;

use super::exec_output::Outputs;
use super::{Context, Exec, Needs, Reached, Unit, Work, WorkError, clock};
use crate::sys::process;
use crate::user;

/// Between SIGTERM and SIGKILL.
const GRACE_NS: u64 = 2_000_000_000;

/// Between two looks at a command that has closed its outputs.
const POLL_NS: u64 = 5_000_000;

/// The longest wait for output before the command itself is looked at: something it started may
/// hold the pipes open after it has ended.
const LOOK_NS: u64 = 50_000_000;

impl Work for Exec {
    fn run(&self, context: &mut Context) -> Result<Reached, WorkError> {
        let nothing = Reached::new(1, 0, Unit::Ops);
        let program = self.program();
        let child = self
            .start(context)
            .map_err(|reason| nothing.failed(reason))?;
        let mut group = Group(child);
        let deadline = self
            .duration_ms
            .map(|duration| clock::now().saturating_add(clock::ms(duration)));
        let (ended, tail) = watch(&mut group, deadline, context)
            .map_err(|error| nothing.failed(format_args!("waiting for {program:?}: {error}")))?;
        match ended {
            Ended::ByUs => Ok(Reached::new(1, 1, Unit::Ops)),
            Ended::ByItself(status) if status.success() => Ok(Reached::new(1, 1, Unit::Ops)),
            Ended::ByItself(status) => Err(nothing.ended(
                status.into(),
                format_args!("{program:?} {}{tail}", why(status)),
            )),
        }
    }

    fn needs(&self) -> Needs {
        // What a command writes can't be known: that is what stays free beside all the rest.
        Needs::NOTHING
    }
}

impl Exec {
    /// The program's name.
    pub(super) fn program(&self) -> &str {
        self.command.first().map_or("", String::as_str)
    }

    /// Puts its files into the work directory and starts it, its outputs as pipes, in a process
    /// group of its own; it dies with the worker.
    pub(super) fn start(&self, context: &Context) -> Result<Child, String> {
        let Some((program, arguments)) = self.command.split_first() else {
            return Err("the command is empty; give a program".into());
        };
        for (name, text) in &self.files {
            put(context, name, text)?;
        }
        let folder = self.folder.as_ref().unwrap_or(&context.workdir);
        let mut command = Command::new(program);
        command
            .args(arguments)
            .envs(self.env.iter().map(|(name, value)| (name, value)))
            .current_dir(folder)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .process_group(0);
        process::Child::OUTSIDE.prepare(&mut command);
        if let Some(user) = &self.user {
            let user = user::become_user(&mut command, user)?;
            user::give(&context.workdir, &user)?;
        }
        command
            .spawn()
            .map_err(|error| cannot_start(program, folder, &error))
    }
}

/// Writes a file the command needs.
fn put(context: &Context, name: &str, text: &str) -> Result<(), String> {
    let path = context.files.path(name)?;
    std::fs::write(&path, text).map_err(|error| format!("writing {}: {error}", path.display()))
}

/// How a command came to its end.
enum Ended {
    ByItself(ExitStatus),
    /// Its time was up.
    ByUs,
}

/// A command and what it started; all of it ends with the step.
struct Group(Child);

impl Group {
    fn signal(&self, signal: Signal) -> io::Result<()> {
        match killpg(Pid::from_raw(self.0.id() as i32), signal) {
            Ok(()) | Err(Errno::ESRCH) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        let _ = self.signal(Signal::SIGKILL);
        let _ = self.0.wait();
    }
}

/// Drains the outputs until the command has ended, or ends it at the deadline.
fn watch(
    group: &mut Group,
    deadline: Option<u64>,
    context: &Context,
) -> io::Result<(Ended, String)> {
    let mut outputs = Outputs::take(&mut group.0)?;
    let mut stop_at = deadline;
    let mut told = false;
    let status = loop {
        if let Some(status) = group.0.try_wait()? {
            break status;
        }
        let now = clock::now();
        if context.is_left_alone() {
            return Ok((Ended::ByUs, String::new()));
        }
        if stop_at.is_some_and(|at| now >= at) {
            group.signal(if told {
                Signal::SIGKILL
            } else {
                Signal::SIGTERM
            })?;
            told = true;
            stop_at = Some(now + GRACE_NS);
        }
        let rest = stop_at.map_or(LOOK_NS, |at| at.saturating_sub(now).min(LOOK_NS));
        if outputs.are_open() {
            outputs.wait(rest)?;
        } else {
            clock::sleep_until(now + rest.min(POLL_NS));
        }
    };
    // What is left in the pipes is read, but nobody waits for more: a grandchild may hold them.
    outputs.wait(0)?;
    let ended = if told {
        Ended::ByUs
    } else {
        Ended::ByItself(status)
    };
    Ok((ended, outputs.tail()))
}

fn cannot_start(program: &str, folder: &std::path::Path, error: &io::Error) -> String {
    let remedy = match error.kind() {
        _ if !folder.is_dir() => "the directory that it runs in is missing",
        io::ErrorKind::NotFound if program.contains('/') && folder.join(program).is_file() => {
            process::NO_INTERPRETER
        }
        io::ErrorKind::NotFound => "install it, put it on PATH, or give its full path",
        io::ErrorKind::PermissionDenied => "is it executable?",
        _ => "run it by hand to see more",
    };
    format!("cannot start {program:?}: {error}; {remedy}")
}

/// How a command ended, in words.
pub(super) fn why(status: ExitStatus) -> String {
    match (status.code(), status.signal()) {
        (_, Some(number)) => match Signal::try_from(number) {
            Ok(signal) => format!("was killed by {signal}"),
            Err(_) => format!("was killed by signal {number}"),
        },
        (code, None) => format!("ended with exit code {}", code.unwrap_or(-1)),
    }
}
