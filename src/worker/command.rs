//! How a worker is started.

use std::io;
use std::os::fd::BorrowedFd;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, Stdio};

use crate::sys::fd;

/// The running binary, found even after its file was replaced or deleted.
pub const SELF: &str = "/proc/self/exe";

/// A command that starts `program` (memtide; [`SELF`] from memtide itself) as a worker with this
/// truth page: stdin and stdout are pipes, the worker has a process group of its own so that a
/// Ctrl-C reaches only the harness, and it is killed when the *thread* that spawned it ends.
///
/// The caller adds what it needs before the spawn, such as joining a cgroup. It can be spawned once.
///
/// # Errors
/// Fails if there is no free descriptor.
pub fn command(program: &Path, truth: BorrowedFd<'_>) -> io::Result<Command> {
    let mut command = Command::new(program);
    command
        .arg(super::ARGUMENT)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .process_group(0);
    fd::die_with_parent(&mut command);
    fd::pass_as(&mut command, truth, super::TRUTH_FD)?;
    Ok(command)
}
