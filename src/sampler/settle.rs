//! Waiting until a cgroup's counters stand still.
//!
//! After a step the kernel may still owe some pages to `memory.stat` (per-CPU batches), give back
//! what a dead process held, or write dirty pages. A fixed sleep is too short on a slow machine and
//! too long on a fast one.

use std::io;
use std::path::Path;
use std::time::{Duration, Instant};

use super::columns::Columns;
use super::files::{Files, Reads};
use super::kept::Descriptors;
use crate::rows::{CgroupVersion, View, ViewIndex};

/// So many readings in a row must agree.
const AGREE: u32 = 3;

/// Pages that one CPU may hold back from the counters (the kernel's MEMCG_CHARGE_BATCH).
const PAGES_PER_CPU: u64 = 64;

/// How a wait for stable counters ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Settled {
    /// Not yet: look again, [`Settle::PAUSE`] after the last reading.
    Waiting,
    /// Three readings in a row agreed.
    Stable,
    /// They never did in the time allowed.
    GaveUp,
    /// The cgroup was removed.
    Ended,
}

/// Compares readings of one cgroup until they agree. It does not wait by itself, so that a loop
/// that samples meanwhile can call it as often as it comes round; [`Settle::block`] waits.
pub struct Settle {
    tolerance: u64,
    next: Instant,
    end: Instant,
    agreed: u32,
    reference: View,
    files: Files,
    columns: Columns,
    buffer: Vec<u8>,
    version: CgroupVersion,
}

impl Settle {
    /// Readings are so far apart.
    pub const PAUSE: Duration = Duration::from_millis(10);

    /// Opens the cgroup at `path` and reads it a first time; gives up after `timeout`.
    ///
    /// # Errors
    /// Fails if it is no memory cgroup.
    pub fn open(
        path: &Path,
        version: CgroupVersion,
        (cpus, page_size): (u64, u64),
        timeout: Duration,
    ) -> io::Result<Self> {
        let (mut columns, mut buffer) = (Columns::default(), Vec::new());
        let mut fds = Descriptors::new();
        let files = Files::open(path, version, &mut columns, &mut fds, &mut buffer)?;
        let now = Instant::now();
        Ok(Settle {
            tolerance: cpus.saturating_mul(page_size).saturating_mul(PAGES_PER_CPU),
            next: now + Self::PAUSE,
            end: now + timeout,
            agreed: 1,
            reference: ViewIndex::new(version, &columns.names)
                .view(|column| columns.value(Some(column))),
            files,
            columns,
            buffer,
            version,
        })
    }

    /// Takes another reading if it is time for one.
    pub fn look(&mut self) -> Settled {
        self.look_at(Instant::now())
    }

    fn look_at(&mut self, now: Instant) -> Settled {
        if now < self.next {
            return Settled::Waiting;
        }
        self.next = now + Self::PAUSE;
        self.columns.clear();
        if self
            .files
            .read(Reads::All, &mut self.columns, &mut self.buffer)
            .is_err()
        {
            return Settled::Ended;
        }
        let index = ViewIndex::new(self.version, &self.columns.names);
        let view = index.view(|column| self.columns.value(Some(column)));
        // All readings are compared with the first of the row: a slow drift is not stable.
        if agrees(&view, &self.reference, self.tolerance) {
            self.agreed += 1;
        } else {
            (self.agreed, self.reference) = (1, view);
        }
        if self.agreed >= AGREE {
            return Settled::Stable;
        }
        match now < self.end {
            true => Settled::Waiting,
            false => Settled::GaveUp,
        }
    }

    /// Waits until the counters are stable, or the time is over.
    pub fn block(mut self) -> Settled {
        loop {
            std::thread::sleep(Self::PAUSE);
            match self.look() {
                Settled::Waiting => {}
                result => return result,
            }
        }
    }
}

/// Whether no counter of memory differs by more than `tolerance` bytes.
fn agrees(a: &View, b: &View, tolerance: u64) -> bool {
    let counters = |v: &View| {
        [
            v.usage,
            v.rss,
            v.cache,
            v.shmem,
            v.mapped_file,
            v.inactive_anon,
            v.active_anon,
            v.inactive_file,
            v.active_file,
            v.slab_reclaimable,
            v.kernel,
        ]
    };
    counters(a).iter().zip(counters(b)).all(|pair| match pair {
        (Some(a), Some(b)) => a.abs_diff(b) <= tolerance,
        (None, None) => true,
        _ => false,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A folder whose usage can be set, and a wait of 60 ms for it on one CPU.
    fn quiet_folder() -> (tempfile::TempDir, Settle, Instant) {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("memory.stat"), "anon 1\n").unwrap();
        set_usage(&dir, 0);
        let timeout = Duration::from_millis(60);
        let settle = Settle::open(dir.path(), CgroupVersion::V2, (1, 4096), timeout).unwrap();
        let start = settle.next;
        (dir, settle, start)
    }

    fn set_usage(dir: &tempfile::TempDir, pages: u64) {
        std::fs::write(
            dir.path().join("memory.current"),
            format!("{}\n", pages * 4096),
        )
        .unwrap();
    }

    #[test]
    fn three_readings_within_the_batch_are_stable_however_often_one_looks() {
        let (dir, mut settle, start) = quiet_folder();
        // As much as one CPU may hold back.
        set_usage(&dir, 64);
        for _ in 0..9 {
            assert_eq!(settle.look_at(start), Settled::Waiting);
        }
        assert_eq!(settle.look_at(start + Settle::PAUSE), Settled::Stable);
    }

    #[test]
    fn counters_that_never_stand_still_are_given_up_on_in_time() {
        let (dir, mut settle, start) = quiet_folder();
        for look in 1..=6 {
            // One page more than a CPU may hold back, each time.
            set_usage(&dir, u64::from(look) * 65);
            let want = if look == 6 {
                Settled::GaveUp
            } else {
                Settled::Waiting
            };
            assert_eq!(
                settle.look_at(start + (look - 1) * Settle::PAUSE),
                want,
                "look {look}"
            );
        }
    }

    #[test]
    fn a_slow_drift_is_not_stable() {
        let (dir, mut settle, start) = quiet_folder();
        for look in 1..=5 {
            set_usage(&dir, u64::from(look) * 40);
            let seen = settle.look_at(start + (look - 1) * Settle::PAUSE);
            assert_eq!(seen, Settled::Waiting, "look {look}");
        }
    }

    #[test]
    fn each_counter_of_memory_has_to_stand_still() {
        for counter in [
            "usage",
            "rss",
            "cache",
            "shmem",
            "mapped_file",
            "inactive_anon",
            "active_anon",
            "inactive_file",
            "active_file",
            "slab_reclaimable",
            "kernel",
        ] {
            let with = |value: Option<u64>| {
                let mut view = View::NONE;
                *view.counter_mut(counter).expect("a counter of views") = value;
                view
            };
            let before = with(Some(4096));
            assert!(agrees(&before, &with(Some(4096 + 512)), 512), "{counter}");
            for moved in [Some(4096 + 513), Some(4096 - 513), None] {
                assert!(!agrees(&before, &with(moved), 512), "{counter}: {moved:?}");
                assert!(!agrees(&with(moved), &before, 512), "{counter}: {moved:?}");
            }
        }
    }
}
