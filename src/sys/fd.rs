//! File descriptors that cross an exec, and what a child does between fork and exec.
#![allow(unsafe_code)]

use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};
use std::os::unix::process::CommandExt;
use std::process::Command;

use nix::errno::Errno;
use nix::fcntl::{FcntlArg, FdFlag, fcntl};

/// Lets the child of `command` inherit a duplicate of `fd`, and gives its number there.
///
/// The number is one that is free here, not one of our choosing: to move a descriptor to a fixed
/// number in the child would close whatever has that number, and that may be the pipe on which the
/// child reports a failed exec, or the cgroup file it has yet to join by.
///
/// # Errors
/// Fails if the descriptor can't be duplicated (EMFILE).
pub fn pass(command: &mut Command, fd: BorrowedFd<'_>) -> io::Result<RawFd> {
    let copy = duplicate(fd, 3)?;
    let number = copy.as_raw_fd();
    // SAFETY: the closure runs between fork and exec and calls only fcntl, which is
    // async-signal-safe; it allocates nothing. It owns `copy`, so the number stays taken here until
    // the command is dropped.
    unsafe {
        command.pre_exec(
            move || match nix::libc::fcntl(copy.as_raw_fd(), nix::libc::F_SETFD, 0) {
                -1 => Err(io::Error::last_os_error()),
                _ => Ok(()),
            },
        );
    }
    Ok(number)
}

/// Takes over a descriptor that was passed at exec: a duplicate of it, and neither goes further.
///
/// # Errors
/// EBADF if no descriptor of that number was passed.
pub fn inherited(number: RawFd) -> io::Result<OwnedFd> {
    if number < 0 {
        return Err(Errno::EBADF.into());
    }
    // SAFETY: not negative; borrowed for this call only, and not closed by it; a number that is not open makes
    // fcntl return EBADF and nothing else is done with it.
    let passed = unsafe { BorrowedFd::borrow_raw(number) };
    let copy = duplicate(passed, 3)?;
    fcntl(passed, FcntlArg::F_SETFD(FdFlag::FD_CLOEXEC))?;
    Ok(copy)
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
