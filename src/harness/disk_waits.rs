//! How long processes waited for the disk: what cgroup v1 has in place of a pressure file.
//!
//! The kernel's delay accounting, `delayacct_blkio_ticks` of `/proc/PID/task/TID/stat` (field 42 of proc(5)): time
//! in which the thread waited for a read that it had asked for, swapping in included. Since Linux 5.14 it counts
//! only where `kernel.task_delayacct` is 1. The sum over threads is no share of time as pressure is: two that wait
//! for a second are two seconds. What a thread waits after it was last looked at is not seen.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

/// Ticks in a second as `/proc` counts them (USER_HZ): 100 on every architecture that Rust is built for.
const USER_HZ: f64 = 100.0;

/// Waits of all threads that were looked at, ended ones included.
#[derive(Debug)]
pub struct DiskWaits {
    proc: PathBuf,
    /// By thread, ticks. The kernel gives a number anew only after 32,768 others.
    ticks: BTreeMap<i32, u64>,
    counts: bool,
}

impl DiskWaits {
    /// Nothing seen yet.
    pub fn new() -> Self {
        DiskWaits::of(Path::new("/proc"))
    }

    fn of(proc: &Path) -> Self {
        let switch = fs::read_to_string(proc.join("sys/kernel/task_delayacct"));
        DiskWaits {
            proc: proc.to_path_buf(),
            ticks: BTreeMap::new(),
            counts: switch.is_ok_and(|text| text.trim() == "1"),
        }
    }

    /// Reads what the threads of `pid` have waited so far.
    pub fn look_at(&mut self, pid: i32) {
        let threads = fs::read_dir(self.proc.join(format!("{pid}/task")));
        // It has ended: what it waited until the last look stays.
        for thread in threads.into_iter().flatten().flatten() {
            let Some(tid) = thread.file_name().to_str().and_then(|t| t.parse().ok()) else {
                continue;
            };
            let stat = fs::read_to_string(thread.path().join("stat"));
            if let Some(now) = stat.ok().as_deref().and_then(ticks) {
                let most = self.ticks.entry(tid).or_default();
                *most = now.max(*most);
            }
        }
    }

    /// Seconds that all of them waited; none where the kernel does not count it. Where there is no switch
    /// (before 5.14) it counts unless it was built without: a 0 may be either.
    pub fn seconds(&self) -> Option<f64> {
        let ticks: u64 = self.ticks.values().sum();
        (self.counts || ticks > 0).then_some(ticks as f64 / USER_HZ)
    }
}

impl Default for DiskWaits {
    fn default() -> Self {
        DiskWaits::new()
    }
}

/// Field 42. The name of the program, the second, may have blanks and brackets in it.
fn ticks(stat: &str) -> Option<u64> {
    let (_, rest) = stat.rsplit_once(')')?;
    rest.split_ascii_whitespace().nth(42 - 3)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stat(ticks: u64) -> String {
        let zeros = "0 ".repeat(38);
        format!("7 (a b) c) S {zeros}{ticks} 1 2 3\n")
    }

    fn write(path: &Path, text: &str) {
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    #[test]
    fn threads_add_up_and_those_that_ended_are_kept() {
        let dir = tempfile::tempdir().unwrap();
        write(&dir.path().join("sys/kernel/task_delayacct"), "1\n");
        let mut waits = DiskWaits::of(dir.path());
        assert_eq!(waits.seconds(), Some(0.0));
        write(&dir.path().join("7/task/7/stat"), &stat(30));
        write(&dir.path().join("7/task/8/stat"), &stat(70));
        waits.look_at(7);
        assert_eq!(waits.seconds(), Some(1.0));
        fs::remove_dir_all(dir.path().join("7/task/8")).unwrap();
        write(&dir.path().join("7/task/7/stat"), &stat(130));
        waits.look_at(7);
        waits.look_at(9);
        assert_eq!(waits.seconds(), Some(2.0));
    }

    #[test]
    fn where_nothing_is_counted_there_is_no_number() {
        for switch in [Some("0\n"), None] {
            let dir = tempfile::tempdir().unwrap();
            if let Some(text) = switch {
                write(&dir.path().join("sys/kernel/task_delayacct"), text);
            }
            let mut waits = DiskWaits::of(dir.path());
            write(&dir.path().join("7/task/7/stat"), &stat(0));
            waits.look_at(7);
            assert_eq!(waits.seconds(), None);
            // A kernel that is older than the switch, and counts.
            write(&dir.path().join("7/task/7/stat"), &stat(5));
            waits.look_at(7);
            assert_eq!(waits.seconds(), Some(0.05));
        }
        for wrong in ["", "7 (a", "7 (a) S 0 0", "7 (a) S x"] {
            assert_eq!(ticks(wrong), None, "{wrong}");
        }
    }
}
