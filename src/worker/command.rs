//! How a worker is started.

use std::io;
use std::os::fd::BorrowedFd;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, Stdio};

use crate::sys::fd;
use crate::sys::process::{Child, OOM_FIRST};

/// The running binary, found even after its file was replaced or deleted.
pub const SELF: &str = "/proc/self/exe";

/// A command that starts `program` (memtide; [`SELF`] from memtide itself) as a worker with this
/// truth page: stdin and stdout are pipes, the worker has a process group of its own so that a
/// Ctrl-C reaches only the harness, it is killed when the *thread* that spawned it ends, and an OOM
/// takes it before the harness and before anything else on the machine.
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
    Child {
        join: None,
        oom_score_adj: Some(OOM_FIRST),
        die_with_parent: true,
    }
    .prepare(&mut command);
    let number = fd::pass(&mut command, truth)?;
    command.arg(number.to_string());
    Ok(command)
}
