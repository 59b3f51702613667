//! Commands that the harness runs beside a service: bounded in time, ended with the harness, their
//! output drained and bounded.

use std::io::{self, Read};
use std::os::unix::process::CommandExt;
use std::process::{Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;

use crate::sys::process::Child;

/// The most of an answer that is looked at: a page of metrics is below 1 MiB.
const MOST: u64 = 4 << 20;

/// What a command said and how it ended.
#[derive(Debug)]
pub struct Output {
    /// How it ended.
    pub status: ExitStatus,
    /// Its stdout, and after it its stderr.
    pub text: String,
}

/// The end of what a command said, for a message; empty if it said nothing.
pub fn tail(output: &Output) -> String {
    let text = output.text.trim();
    let start = text.len().saturating_sub(300);
    let start = (start..text.len()).find(|i| text.is_char_boundary(*i));
    match start {
        Some(start) if !text.is_empty() => format!(": {}", &text[start..]),
        _ => String::new(),
    }
}

/// Runs `command` until it ends, `stop` is set or the deadline passes; then it is killed and the
/// answer is none.
pub fn output(
    mut command: Command,
    stop: &AtomicBool,
    deadline: Instant,
) -> io::Result<Option<Output>> {
    // A file takes what a pipe would make the command wait with.
    let mut said = tempfile::tempfile()?;
    command
        .stdout(Stdio::from(said.try_clone()?))
        .stderr(Stdio::from(said.try_clone()?))
        .process_group(0);
    Child::OUTSIDE.prepare(&mut command);
    let mut child = command.spawn()?;
    let status = loop {
        if let Some(status) = child.try_wait()? {
            break Some(status);
        }
        if stop.load(Ordering::Relaxed) || Instant::now() >= deadline {
            break None;
        }
        std::thread::sleep(Duration::from_millis(5));
    };
    // What it left behind, or itself: the group is ours as long as its leader is not reaped, and a
    // group that has no member left can't be signalled.
    let _ = killpg(Pid::from_raw(child.id() as i32), Signal::SIGKILL);
    let Some(status) = status else {
        let _ = child.wait();
        return Ok(None);
    };
    use std::io::Seek;
    said.rewind()?;
    let mut bytes = Vec::new();
    said.take(MOST).read_to_end(&mut bytes)?;
    let text = String::from_utf8_lossy(&bytes).into_owned();
    Ok(Some(Output { status, text }))
}
