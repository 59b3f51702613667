//! Children that join a cgroup before their first instruction, die with the harness and are the
//! OOM killer's first choice; and signals as a file that can be polled.
#![allow(unsafe_code)]

use std::fs::File;
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, RawFd};
use std::os::unix::process::CommandExt;
use std::process::{self, Command, ExitStatus};
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::libc;
use nix::sys::signal::{self, SigHandler, SigSet, Signal};
use nix::sys::signalfd::{SfdFlags, SignalFd, siginfo};

/// Bytes a page on this machine.
pub fn page_size() -> u64 {
    // SAFETY: sysconf(3) takes a number and returns one.
    let size = unsafe { libc::sysconf(libc::_SC_PAGESIZE) };
    // Never fails for this name; 4096 is the smallest page Linux has.
    u64::try_from(size).unwrap_or(4096)
}

/// The oom_score_adj that makes a process the OOM killer's first choice.
pub const OOM_FIRST: i32 = 1000;

/// What it means that the kernel finds no program whose file is there: it says of a script's first line, and of a
/// loader, what it says of the file itself.
pub const NO_INTERPRETER: &str =
    "it is there, but the interpreter that its first line names is not";

/// What a child does between fork(2) and execve(2).
#[derive(Debug, Clone, Copy)]
pub struct Child<'a> {
    /// Joins the cgroup of this `cgroup.procs`, open for writing. All its memory is charged there,
    /// its own program text and start-up included.
    pub join: Option<&'a File>,
    /// Sets `oom_score_adj`; raising it needs no privilege.
    pub oom_score_adj: Option<i32>,
    /// Is killed (SIGKILL) when the *thread* that started it ends. So start it from a thread that
    /// lives as long as it should, such as the main one.
    pub die_with_parent: bool,
}

impl Child<'_> {
    /// What runs outside of all containers: it dies with who started it, and no more.
    pub const OUTSIDE: Child<'static> = Child {
        join: None,
        oom_score_adj: None,
        die_with_parent: true,
    };

    /// A worker of a container: joins it, dies with the harness, goes first at an OOM.
    pub fn worker(procs: &File) -> Child<'_> {
        Child {
            join: Some(procs),
            oom_score_adj: Some(OOM_FIRST),
            die_with_parent: true,
        }
    }

    /// Arranges that the next child of `command` does this. The child also starts with no signal
    /// blocked, whatever the harness blocks. If a step fails, spawning returns its error.
    ///
    /// The file must stay open until the child was spawned; it is not left open in the child.
    pub fn prepare(self, command: &mut Command) {
        let join: Option<RawFd> = self.join.map(|file| file.as_raw_fd());
        let score = self.oom_score_adj.map(ScoreText::new);
        let die = self.die_with_parent;
        let parent = std::process::id() as libc::pid_t;
        // SAFETY: the closure runs in the forked child, where only async-signal-safe functions may
        // be called: it uses write, open, close, prctl, getppid and sigprocmask, allocates nothing
        // and takes no lock. `join` is a file descriptor that the caller keeps open.
        unsafe {
            command.pre_exec(move || {
                unblock_all()?;
                if die {
                    die_with(parent)?;
                }
                if let Some(score) = &score {
                    write_file(c"/proc/self/oom_score_adj", score.bytes())?;
                }
                // Last, so that it is already in order when memory starts to be charged there.
                match join {
                    Some(fd) => write_all(fd, b"0"),
                    None => Ok(()),
                }
            });
        }
    }
}

/// Lets the next child of `command` give up all rights for those of a user: after [`Child::prepare`],
/// whose steps need them. It still dies with its parent, which a change of user would undo.
pub fn drop_rights(command: &mut Command, uid: u32, gid: u32) {
    let parent = std::process::id() as libc::pid_t;
    // SAFETY: the closure runs in the forked child: setgroups, setgid and setuid are system calls
    // there (one thread), `die_with` is as above; nothing is allocated and no lock is taken.
    unsafe {
        command.pre_exec(move || {
            // The groups first: without root's rights none of these can be changed.
            if libc::setgroups(0, std::ptr::null()) != 0
                || libc::setgid(gid) != 0
                || libc::setuid(uid) != 0
            {
                return Err(io::Error::last_os_error());
            }
            die_with(parent)
        });
    }
}

/// How the child ended; none where it had not within `time`, and was killed.
///
/// # Errors
/// As waitpid(2).
pub fn end_within(child: &mut process::Child, time: Duration) -> io::Result<Option<ExitStatus>> {
    let deadline = Instant::now() + time;
    let mut nap = Duration::from_millis(1);
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok(Some(status));
        }
        if Instant::now() > deadline {
            // Either it is gone already or it goes now; both are waited for.
            let _ = child.kill();
            child.wait()?;
            return Ok(None);
        }
        std::thread::sleep(nap);
        nap = (nap * 2).min(Duration::from_millis(25));
    }
}

/// Takes the default action for the signals that a shell lets its background jobs ignore (POSIX: SIGINT and SIGQUIT).
/// What is ignored stays so in children, and a service must hear the signal that stops it.
///
/// # Errors
/// As sigaction(2).
pub fn hear_interrupts() -> io::Result<()> {
    for number in [Signal::SIGINT, Signal::SIGQUIT] {
        // SAFETY: the default action runs no code of this program.
        unsafe { signal::signal(number, SigHandler::SigDfl) }?;
    }
    Ok(())
}

/// Asks to be killed with the parent, and sees to it if that has gone already.
fn die_with(parent: libc::pid_t) -> io::Result<()> {
    // SAFETY: both calls take and return plain numbers.
    unsafe {
        if libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL) != 0 {
            return Err(io::Error::last_os_error());
        }
        // Gone between fork and prctl: no signal would ever come.
        if libc::getppid() != parent {
            return Err(io::Error::from_raw_os_error(libc::ESRCH));
        }
    }
    Ok(())
}

fn unblock_all() -> io::Result<()> {
    // SAFETY: an all-zero sigset_t is valid memory for sigemptyset, which initialises it; the null
    // pointer says that the old mask isn't wanted.
    let result = unsafe {
        let mut none: libc::sigset_t = std::mem::zeroed();
        libc::sigemptyset(&mut none);
        libc::sigprocmask(libc::SIG_SETMASK, &none, std::ptr::null_mut())
    };
    match result {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}

fn write_file(path: &std::ffi::CStr, text: &[u8]) -> io::Result<()> {
    // SAFETY: `path` ends in a NUL; the descriptor is closed below and nowhere else.
    unsafe {
        let fd = libc::open(path.as_ptr(), libc::O_WRONLY | libc::O_CLOEXEC);
        if fd < 0 {
            return Err(io::Error::last_os_error());
        }
        let written = write_all(fd, text);
        libc::close(fd);
        written
    }
}

/// Kernel files take a text in one write or not at all.
fn write_all(fd: RawFd, text: &[u8]) -> io::Result<()> {
    // SAFETY: pointer and length are those of a live slice.
    let n = unsafe { libc::write(fd, text.as_ptr().cast(), text.len()) };
    match usize::try_from(n) {
        Ok(n) if n == text.len() => Ok(()),
        Ok(_) => Err(io::Error::from_raw_os_error(libc::EIO)),
        Err(_) => Err(io::Error::last_os_error()),
    }
}

/// A number as text, made before the fork because formatting could allocate.
#[derive(Debug, Clone, Copy)]
struct ScoreText {
    text: [u8; 8],
    len: usize,
}

impl ScoreText {
    fn new(score: i32) -> ScoreText {
        // The kernel's range; five characters at most.
        let digits = score.clamp(-1000, 1000).to_string();
        let mut text = [0; 8];
        text[..digits.len()].copy_from_slice(digits.as_bytes());
        ScoreText {
            text,
            len: digits.len(),
        }
    }

    fn bytes(&self) -> &[u8] {
        &self.text[..self.len]
    }
}

/// Signals as a file: they no longer interrupt, but can be polled and read. Undone when dropped.
#[derive(Debug)]
pub struct Signals {
    fd: SignalFd,
    mask: SigSet,
    before: SigSet,
}

impl Signals {
    /// Blocks `signals` in the calling thread (and in threads that it starts later) and opens them
    /// for reading. Call it before any other thread is started: a thread that doesn't block a signal
    /// gets it the old way.
    ///
    /// # Errors
    /// No free file descriptor.
    pub fn open(signals: &[Signal]) -> io::Result<Signals> {
        let mask: SigSet = signals.iter().copied().collect();
        let before = SigSet::thread_get_mask()?;
        let fd = SignalFd::with_flags(&mask, SfdFlags::SFD_NONBLOCK | SfdFlags::SFD_CLOEXEC)?;
        mask.thread_block()?;
        Ok(Signals { fd, mask, before })
    }

    /// The next pending signal, or none; never waits. Signals of one kind that came in quick
    /// succession can be read as one (SIGCHLD: ask after every child).
    ///
    /// # Errors
    /// None that can be met, short of a closed descriptor.
    pub fn next(&self) -> io::Result<Option<siginfo>> {
        loop {
            match self.fd.read_signal() {
                Err(Errno::EINTR) => {}
                other => return Ok(other?),
            }
        }
    }
}

impl AsFd for Signals {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

impl Drop for Signals {
    fn drop(&mut self) {
        // What is still pending was meant for us and is spent; else a second Ctrl-C during the end
        // would kill the process in the middle of cleaning up its terminal.
        while let Ok(Some(_)) = self.next() {}
        let mut restore = SigSet::empty();
        for signal in self.mask.iter().filter(|s| !self.before.contains(*s)) {
            restore.add(signal);
        }
        // Can't fail: the set holds valid signals only.
        let _ = restore.thread_unblock();
    }
}
