//! Waiting until a cgroup's counters stand still.
//!
//! After a step the kernel may still owe some pages to `memory.stat` (per-CPU batches), give back
//! what a dead process held, or write dirty pages. A fixed sleep is too short on a slow machine and
//! too long on a fast one.

use std::io;
use std::path::Path;
use std::time::Duration;

use super::columns::Columns;
use super::files::Files;
use super::kept::Descriptors;
use crate::rows::{CgroupVersion, View, ViewIndex};

/// So many readings in a row must agree.
const AGREE: u32 = 3;

/// Pages that one CPU may hold back from the counters (the kernel's MEMCG_CHARGE_BATCH).
const PAGES_PER_CPU: u64 = 64;

/// How a wait for stable counters ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Settled {
    /// Not yet: look again in [`Settle::PAUSE`].
    Waiting,
    /// Three readings in a row agreed.
    Stable,
    /// They never did in the time allowed.
    GaveUp,
    /// The cgroup was removed.
    Ended,
}

/// Compares readings of one cgroup until they agree. It does not wait by itself, so that a loop
/// that samples meanwhile can call it; [`Settle::block`] waits.
pub struct Settle {
    tolerance: u64,
    looks_left: u32,
    agreed: u32,
    reference: View,
    files: Files,
    columns: Columns,
    buffer: Vec<u8>,
    version: CgroupVersion,
}

impl Settle {
    /// How long to wait between readings.
    pub const PAUSE: Duration = Duration::from_millis(10);

    /// Opens the cgroup at `path`; gives up after `timeout` worth of pauses.
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
        let looks = timeout.as_nanos() / Self::PAUSE.as_nanos();
        Ok(Settle {
            tolerance: cpus.saturating_mul(page_size).saturating_mul(PAGES_PER_CPU),
            looks_left: u32::try_from(looks).unwrap_or(u32::MAX),
            agreed: 1,
            reference: ViewIndex::new(version, &columns.names)
                .view(|column| columns.value(Some(column))),
            files,
            columns,
            buffer,
            version,
        })
    }

    /// Looks once. To be called every [`Settle::PAUSE`].
    pub fn look(&mut self) -> Settled {
        self.columns.clear();
        if self
            .files
            .read(&mut self.columns, &mut self.buffer)
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
        match self.looks_left {
            0 => Settled::GaveUp,
            _ => {
                self.looks_left -= 1;
                Settled::Waiting
            }
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
