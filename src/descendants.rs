//! The processes below one process, from `/proc`: to bound and to end all of them.

use std::fs;
use std::io;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::Pid;

/// The longest that what is killed may take until less of it is left, and its cgroup to be empty: hundreds of MiB
/// are given back in some 100 ms, a write to a disk has to end first, and what hangs in the kernel never goes.
pub const PATIENCE: Duration = Duration::from_secs(5);

/// One process below another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Descendant {
    /// Its id.
    pub pid: i32,
    /// Resident memory, bytes.
    pub rss: u64,
    /// Whether it has ended and only waits to be reaped.
    pub zombie: bool,
}

/// All processes below `root`, as far as `/proc` shows them at this moment.
pub fn below(root: i32, page_size: u64) -> io::Result<Vec<Descendant>> {
    Ok(tree(root, &all(page_size)?))
}

/// The children of `parent` alone.
pub fn children(parent: i32) -> io::Result<Vec<Descendant>> {
    let mut all = all(0)?;
    all.retain(|(p, _)| *p == parent);
    Ok(all.into_iter().map(|(_, process)| process).collect())
}

/// Every process with its parent.
fn all(page_size: u64) -> io::Result<Vec<(i32, Descendant)>> {
    let mut all = Vec::new();
    for entry in fs::read_dir("/proc")? {
        let name = entry?.file_name();
        let Some(pid) = name.to_str().and_then(|n| n.parse::<i32>().ok()) else {
            continue;
        };
        // A process may end between the listing and the reading.
        let Ok(stat) = fs::read(format!("/proc/{pid}/stat")) else {
            continue;
        };
        if let Some((parent, zombie, pages)) = parse_stat(&stat) {
            let rss = pages.saturating_mul(page_size);
            all.push((parent, Descendant { pid, rss, zombie }));
        }
    }
    Ok(all)
}

/// Parent, whether it is a zombie, resident pages. The name in parentheses may hold anything.
fn parse_stat(stat: &[u8]) -> Option<(i32, bool, u64)> {
    let name_end = stat.iter().rposition(|b| *b == b')')?;
    let rest = std::str::from_utf8(stat.get(name_end + 1..)?).ok()?;
    let mut fields = rest.split_ascii_whitespace();
    let state = fields.next()?;
    let parent = fields.next()?.parse().ok()?;
    // Field 24 of proc(5); parent was field 4.
    let pages = fields.nth(19)?.parse().ok()?;
    Some((parent, matches!(state, "Z" | "X"), pages))
}

fn tree(root: i32, all: &[(i32, Descendant)]) -> Vec<Descendant> {
    let mut found: Vec<Descendant> = Vec::new();
    let mut parents = vec![root];
    while let Some(parent) = parents.pop() {
        for (_, process) in all.iter().filter(|(p, _)| *p == parent) {
            if !found.iter().any(|f| f.pid == process.pid) {
                found.push(*process);
                parents.push(process.pid);
            }
        }
    }
    found
}

/// Ends everything below this process and reaps it; this process must be a child subreaper, so
/// that orphans come to it. Returns the ids of those that could not be ended, see [`PATIENCE`].
pub fn end_all() -> io::Result<Vec<i32>> {
    let left = end_orphans(&|_| false)?;
    while matches!(waitpid(None, Some(WaitPidFlag::WNOHANG)), Ok(s) if s != WaitStatus::StillAlive)
    {
    }
    Ok(left)
}

/// The same for all but the children that `keep` knows, and what is below those.
pub fn end_orphans(keep: &dyn Fn(i32) -> bool) -> io::Result<Vec<i32>> {
    let own = std::process::id() as i32;
    end(|| {
        // One look for all: where hundreds are left, one a child would take seconds.
        let all = all(0)?;
        let mut left = Vec::new();
        for (_, child) in all.iter().filter(|(p, c)| *p == own && !keep(c.pid)) {
            if child.zombie {
                // By its own id: nobody else's child is taken from them.
                let _ = waitpid(Pid::from_raw(child.pid), Some(WaitPidFlag::WNOHANG));
                continue;
            }
            left.push(child.pid);
            left.extend(alive(&tree(child.pid, &all)));
        }
        Ok(left)
    })
}

/// Ends everything below another process, which must be a child subreaper that starts nothing new; gives up
/// as [`PATIENCE`] says.
pub fn end_below(root: i32) -> io::Result<()> {
    end(|| Ok(alive(&below(root, 0)?).collect())).map(|_| ())
}

fn alive(processes: &[Descendant]) -> impl Iterator<Item = i32> {
    let alive = processes.iter().filter(|process| !process.zombie);
    alive.map(|process| process.pid)
}

/// Kills what is `left` until nothing is, or it does not become less any more; returns that.
fn end(left: impl Fn() -> io::Result<Vec<i32>>) -> io::Result<Vec<i32>> {
    let mut patience = Patience::default();
    loop {
        let left = left()?;
        if left.is_empty() || patience.is_over(left.len(), Instant::now()) {
            return Ok(left);
        }
        kill_all(&left);
    }
}

/// Begins anew whenever fewer are left than ever: a slow machine with many to end is none that hangs.
#[derive(Debug, Default)]
pub struct Patience {
    /// The fewest so far, and since when.
    fewest: Option<(usize, Instant)>,
}

impl Patience {
    /// Whether so many are `left` although [`PATIENCE`] has gone by since there were fewer than ever.
    pub fn is_over(&mut self, left: usize, now: Instant) -> bool {
        match self.fewest {
            Some((fewest, since)) if left >= fewest => now > since + PATIENCE,
            _ => {
                self.fewest = Some((left, now));
                false
            }
        }
    }
}

/// Stopped first, so that none forks while the others are being killed.
fn kill_all(pids: &[i32]) {
    for signal in [Signal::SIGSTOP, Signal::SIGKILL] {
        for pid in pids {
            // Gone already is as good as killed.
            let _ = kill(Pid::from_raw(*pid), signal);
        }
    }
    // The kernel needs a moment to take them down; /proc can't be waited on.
    std::thread::sleep(Duration::from_millis(1));
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_name_with_parentheses_and_spaces_is_no_trap() {
        let stat = b"12 (a) b (c) S 7 12 12 0 -1 4194560 0 0 0 0 0 0 0 0 20 0 1 0 99 4096 33 0";
        assert_eq!(parse_stat(stat), Some((7, false, 33)));
    }

    #[test]
    fn a_child_is_found_below_its_parent() {
        let mut child = std::process::Command::new("sleep")
            .arg("60")
            .spawn()
            .unwrap();
        let own = std::process::id() as i32;
        let found = below(own, 4096).unwrap();
        child.kill().unwrap();
        child.wait().unwrap();
        assert!(found.iter().any(|p| p.pid == child.id() as i32));
    }

    #[test]
    fn patience_lasts_while_fewer_and_fewer_are_left() {
        let start = Instant::now();
        let mut patience = Patience::default();
        let mut is_over = |left, halves| patience.is_over(left, start + halves * PATIENCE / 2);
        assert!(!is_over(100, 0) && !is_over(100, 2));
        assert!(!is_over(99, 3) && !is_over(99, 5), "one less: anew");
        // Others that come do not count, nor that they go again.
        assert!(!is_over(300, 4));
        assert!(is_over(99, 6) && is_over(120, 6));
    }

    proptest! {
        #[test]
        fn any_stat_is_read_without_panic(bytes in proptest::collection::vec(any::<u8>(), 0..80)) {
            let _ = parse_stat(&bytes);
        }
    }
}
