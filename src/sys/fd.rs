//! File descriptors that cross an exec, and what a child does between fork and exec.
#![allow(unsafe_code)]

use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};
use std::os::unix::process::CommandExt;
use std::process::Command;

use nix::fcntl::{FcntlArg, FdFlag, fcntl};
use nix::sys::signal::Signal;

/// Lets the child of `command` find a duplicate of `fd` as its descriptor number `target`.
///
/// # Errors
/// Fails if the descriptor can't be duplicated (EMFILE).
pub fn pass_as(command: &mut Command, fd: BorrowedFd<'_>, target: RawFd) -> io::Result<()> {
    // The duplicate is `target` itself if that number is free here, and another one if it is not.
    // So the number is taken when std opens the pipe on which the child reports a failed exec, and
    // dup2 in the child can't close that pipe.
    let copy = duplicate(fd, target)?;
    // SAFETY: the closure runs between fork and exec and calls only dup2 and fcntl, which are
    // async-signal-safe; it allocates nothing. `copy` lives as long as the closure.
    unsafe {
        command.pre_exec(move || {
            let raw = copy.as_raw_fd();
            let done = if raw == target {
                nix::libc::fcntl(raw, nix::libc::F_SETFD, 0)
            } else {
                nix::libc::dup2(raw, target)
            };
            if done == -1 {
                Err(io::Error::last_os_error())
            } else {
                Ok(())
            }
        });
    }
    Ok(())
}

/// Takes over a descriptor that was passed at exec: a duplicate of it, and neither goes further.
///
/// # Errors
/// EBADF if no descriptor of that number was passed.
pub fn inherited(number: RawFd) -> io::Result<OwnedFd> {
    // SAFETY: borrowed for this call only, and not closed by it; a number that is not open makes
    // fcntl return EBADF and nothing else is done with it.
    let passed = unsafe { BorrowedFd::borrow_raw(number) };
    let copy = duplicate(passed, 3)?;
    fcntl(passed, FcntlArg::F_SETFD(FdFlag::FD_CLOEXEC))?;
    Ok(copy)
}

/// Lets the child of `command` be killed when the *thread* that spawns it ends.
pub fn die_with_parent(command: &mut Command) {
    let parent = nix::unistd::getpid();
    // SAFETY: prctl and getppid are system calls without locks or allocation, safe after fork.
    unsafe {
        command.pre_exec(move || {
            nix::sys::prctl::set_pdeathsig(Signal::SIGKILL)?;
            // The parent may have ended before the line above; then no signal will come.
            if nix::unistd::getppid() != parent {
                return Err(io::Error::from(io::ErrorKind::BrokenPipe));
            }
            Ok(())
        });
    }
}

/// A duplicate with the lowest free number from `lowest` on, closed at exec.
fn duplicate(fd: BorrowedFd<'_>, lowest: RawFd) -> io::Result<OwnedFd> {
    use std::os::fd::FromRawFd;
    let copy = fcntl(fd, FcntlArg::F_DUPFD_CLOEXEC(lowest))?;
    // SAFETY: fcntl has just made this descriptor, and nobody else knows its number.
    Ok(unsafe { OwnedFd::from_raw_fd(copy) })
}

/// Makes reads from a pipe return at once when it is empty.
///
/// # Errors
/// As fcntl(2).
pub fn set_nonblocking(pipe: &impl AsFd) -> io::Result<()> {
    fcntl(pipe, FcntlArg::F_SETFL(nix::fcntl::OFlag::O_NONBLOCK))?;
    Ok(())
}
