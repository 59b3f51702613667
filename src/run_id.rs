//! Who made a cgroup or a folder: the name every run gives to what it makes, and whether that run
//! is still there.
//!
//! The name holds the process id *and* its start time, because ids are used again, and the pid
//! namespace, because an id means nothing in another one.

use std::fmt;
use std::io;
use std::path::Path;
use std::sync::atomic::{AtomicU32, Ordering};

/// What every name of ours starts with.
pub const PREFIX: &str = "memtide-";

/// Names one run of one memtide process.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct RunId {
    /// The harness's process id, as its own pid namespace counts.
    pub pid: i32,
    /// When that process began, clock ticks after boot (field 22 of `/proc/PID/stat`).
    pub start_time: u64,
    /// The inode of its pid namespace (`/proc/self/ns/pid`).
    pub pid_ns: u64,
    /// Tells several runs of one process apart; the first is 0 and not written.
    pub nonce: u32,
}

/// What became of the process that a [`RunId`] names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Life {
    /// It runs.
    Alive,
    /// It is gone: nobody else will clean up.
    Dead,
    /// It belongs to another pid namespace, so we can't tell. Never touched.
    Foreign,
}

static NEXT_NONCE: AtomicU32 = AtomicU32::new(0);

impl RunId {
    /// A new name for a run of this process.
    ///
    /// # Errors
    /// When `/proc` is not mounted or is not this process's.
    pub fn new() -> io::Result<RunId> {
        let (_, start_time) = stat_of("self")?;
        Ok(RunId {
            pid: std::process::id() as i32,
            start_time,
            pid_ns: own_pid_ns()?,
            nonce: NEXT_NONCE.fetch_add(1, Ordering::Relaxed),
        })
    }

    /// Reads a whole name; anything but exactly a name gives none.
    pub fn parse(name: &str) -> Option<RunId> {
        match RunId::parse_with_suffix(name)? {
            (id, "") => Some(id),
            _ => None,
        }
    }

    /// Reads a name that can have a word behind it (`memtide-1-2-3-harness`), and gives the word.
    pub fn parse_with_suffix(name: &str) -> Option<(RunId, &str)> {
        let mut rest = name.strip_prefix(PREFIX)?;
        let pid = i32::try_from(take_number(&mut rest)?).ok()?;
        rest = rest.strip_prefix('-')?;
        let start_time = take_number(&mut rest)?;
        rest = rest.strip_prefix('-')?;
        let pid_ns = take_number(&mut rest)?;
        let mut nonce = 0;
        if let Some(mut after) = rest.strip_prefix('-')
            && let Some(n) = take_number(&mut after)
        {
            nonce = u32::try_from(n).ok().filter(|n| *n > 0)?;
            rest = after;
        }
        let suffix = match rest {
            "" => "",
            _ => rest.strip_prefix('-').filter(|s| !s.is_empty())?,
        };
        let id = RunId {
            pid,
            start_time,
            pid_ns,
            nonce,
        };
        // Only names that we would write ourselves: `memtide-007-...` is somebody else's.
        (pid > 0 && name.starts_with(&id.to_string())).then_some((id, suffix))
    }

    /// Whether the process that it names still runs. Reads `/proc`; what can't be read counts as
    /// [`Life::Foreign`], so that doubt never deletes anything.
    pub fn is_alive(&self) -> Life {
        match own_pid_ns() {
            Ok(ns) if ns == self.pid_ns => {}
            _ => return Life::Foreign,
        }
        match stat_of(&self.pid.to_string()) {
            // A killed process that its parent has not asked after yet (`Z`) does nothing more.
            Ok((state, start)) if start == self.start_time && !matches!(state, b'Z' | b'X') => {
                Life::Alive
            }
            Ok(_) => Life::Dead,
            Err(e) if e.kind() == io::ErrorKind::NotFound => Life::Dead,
            // ESRCH: it went between open and read.
            Err(e) if e.raw_os_error() == Some(nix::libc::ESRCH) => Life::Dead,
            Err(_) => Life::Foreign,
        }
    }
}

impl fmt::Display for RunId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{PREFIX}{}-{}-{}",
            self.pid, self.start_time, self.pid_ns
        )?;
        match self.nonce {
            0 => Ok(()),
            n => write!(f, "-{n}"),
        }
    }
}

/// Takes the digits at the front of `rest`.
fn take_number(rest: &mut &str) -> Option<u64> {
    let end = rest
        .find(|c: char| !c.is_ascii_digit())
        .unwrap_or(rest.len());
    let (digits, tail) = rest.split_at(end);
    *rest = tail;
    digits.parse().ok()
}

/// The inode number of this process's pid namespace. The link reads `pid:[4026531836]`.
fn own_pid_ns() -> io::Result<u64> {
    let link = std::fs::read_link("/proc/self/ns/pid")?;
    let text = link.to_string_lossy();
    text.strip_prefix("pid:[")
        .and_then(|t| t.strip_suffix(']'))
        .and_then(|t| t.parse().ok())
        .ok_or_else(|| io::Error::other(format!("/proc/self/ns/pid reads {text:?}")))
}

/// State letter and start time of a process (fields 3 and 22 of `/proc/PID/stat`, proc(5)).
fn stat_of(pid: &str) -> io::Result<(u8, u64)> {
    let path = Path::new("/proc").join(pid).join("stat");
    parse_stat(&std::fs::read(&path)?)
        .ok_or_else(|| io::Error::other(format!("{} is not as expected", path.display())))
}

/// The command's name in brackets may hold anything, brackets and spaces too, so the fields are
/// counted from the last closing one.
fn parse_stat(text: &[u8]) -> Option<(u8, u64)> {
    let after = text.iter().rposition(|b| *b == b')')? + 1;
    let mut fields = std::str::from_utf8(&text[after..])
        .ok()?
        .split_ascii_whitespace();
    let state = *fields.next()?.as_bytes().first()?;
    let start = fields.nth(18)?.parse().ok()?;
    Some((state, start))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn this_process_is_alive_and_its_successor_is_not() {
        let me = RunId::new().unwrap();
        assert_eq!(me.is_alive(), Life::Alive);
        let later = RunId {
            start_time: me.start_time + 1,
            ..me
        };
        assert_eq!(later.is_alive(), Life::Dead, "the same pid, started later");
        let elsewhere = RunId {
            pid_ns: me.pid_ns + 1,
            ..later
        };
        assert_eq!(elsewhere.is_alive(), Life::Foreign);
    }

    #[test]
    fn a_zombie_counts_as_dead() {
        let mut child = std::process::Command::new("sleep")
            .arg("60")
            .spawn()
            .unwrap();
        let (_, start_time) = stat_of(&child.id().to_string()).unwrap();
        let id = RunId {
            pid: child.id() as i32,
            start_time,
            ..RunId::new().unwrap()
        };
        assert_eq!(id.is_alive(), Life::Alive);
        child.kill().unwrap();
        // waitid with WNOWAIT leaves the zombie in place, and waits until it is one.
        use nix::sys::wait::{Id, WaitPidFlag, waitid};
        waitid(
            Id::Pid(nix::unistd::Pid::from_raw(id.pid)),
            WaitPidFlag::WEXITED | WaitPidFlag::WNOWAIT,
        )
        .unwrap();
        assert_eq!(id.is_alive(), Life::Dead);
        child.wait().unwrap();
        assert_eq!(id.is_alive(), Life::Dead);
    }

    #[test]
    fn two_runs_of_one_process_have_two_names() {
        let (a, b) = (RunId::new().unwrap(), RunId::new().unwrap());
        assert_ne!(a.to_string(), b.to_string());
    }

    #[test]
    fn only_names_of_ours_are_read() {
        let id = RunId::parse("memtide-17-4000-4026531836").unwrap();
        assert_eq!(
            (id.pid, id.start_time, id.pid_ns, id.nonce),
            (17, 4000, 4026531836, 0)
        );
        let (id, word) = RunId::parse_with_suffix("memtide-17-4000-5-3-harness").unwrap();
        assert_eq!((id.nonce, word), (3, "harness"));
        let (id, word) = RunId::parse_with_suffix("memtide-17-4000-5-harness").unwrap();
        assert_eq!((id.nonce, word), (0, "harness"));
        for other in [
            "memtide",
            "memtide-",
            "memtide-1-2",
            "memtide-0-2-3",
            "memtide-1-2-3-0",
            "memtide-01-2-3",
            "memtide-1-2-3-",
            "memtide-1-2-3x",
            "memtide--1-2-3",
            "memtide-99999999999-2-3",
            "kubepods",
        ] {
            assert_eq!(RunId::parse_with_suffix(other), None, "{other}");
        }
        assert_eq!(RunId::parse("memtide-1-2-3-harness"), None);
    }

    #[test]
    fn a_command_name_with_brackets_does_not_shift_the_fields() {
        let stat = b"9 (a) S 1 (b) R 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 777 20";
        assert_eq!(parse_stat(stat), Some((b'R', 777)));
    }

    proptest! {
        #[test]
        fn names_round_trip(pid in 1..=i32::MAX, start_time: u64, pid_ns: u64, nonce: u32) {
            let id = RunId { pid, start_time, pid_ns, nonce };
            prop_assert_eq!(RunId::parse(&id.to_string()), Some(id));
        }

        #[test]
        fn no_name_panics(name in "(memtide-)?[0-9a-z-]{0,40}|\\PC*") {
            if let Some((id, word)) = RunId::parse_with_suffix(&name) {
                let again = if word.is_empty() { id.to_string() } else { format!("{id}-{word}") };
                prop_assert_eq!(again, name);
            }
        }

        #[test]
        fn no_stat_panics(text: Vec<u8>) {
            let _ = parse_stat(&text);
        }
    }
}
