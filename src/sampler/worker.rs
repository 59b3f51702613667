//! What the kernel says of one worker process.

use std::fs;
use std::path::PathBuf;

use super::columns::Columns;
use super::kept::{Descriptors, Kept};
use super::picked::Picked;
use super::text::{key_and_value, lines};
use super::truth::Told;
use crate::rows::Rows;

/// Of `/proc/PID/status`, in its order. `Rss...` rows came with Linux 4.5.
const STATUS_ROWS: [&str; 6] = [
    "VmSize", "VmRSS", "RssAnon", "RssFile", "RssShmem", "VmSwap",
];

/// One actor of a group: its columns stay while its processes come and go.
pub(super) struct Worker {
    pub actor: String,
    rows: Picked,
    status: Option<Kept>,
    /// Pages of this actor's processes, the last one's at the end.
    pub told: Vec<Told>,
}

impl Worker {
    /// Reserves the actor's columns; they are missing until a process is attached.
    pub fn new(actor: &str, columns: &mut Columns) -> Self {
        Worker {
            actor: actor.into(),
            rows: Picked::new(&format!("proc:{actor}."), &STATUS_ROWS, columns),
            status: None,
            told: Vec::new(),
        }
    }

    /// From now on the actor is this process.
    pub fn attach(&mut self, pid: i32, fds: &mut Descriptors, buffer: &mut Vec<u8>) {
        self.ended(fds);
        // A process that has ended already is no error: its rows are missing.
        let path = PathBuf::from(format!("/proc/{pid}/status"));
        self.status = Kept::open(&path, false, fds, buffer).ok();
    }

    /// The process has ended.
    pub fn ended(&mut self, fds: &mut Descriptors) {
        self.told.iter_mut().for_each(|told| told.running = false);
        if let Some(kept) = self.status.take() {
            kept.close(fds);
        }
    }

    /// Reads the process's rows. The kept descriptor belongs to that one process: a new one with
    /// the same number is never read in its place. A zombie has no memory rows.
    pub fn read(&mut self, columns: &mut Columns, buffer: &mut Vec<u8>, fds: &mut Descriptors) {
        let Some(status) = &self.status else { return };
        let rows = status
            .read(buffer)
            .map(|length| self.rows.read(&buffer[..length], columns));
        if !matches!(rows, Ok(1..)) {
            self.ended(fds);
        }
    }
}

/// The rows of a process's `smaps_rollup`, bytes. Empty where the kernel has none (before 4.14) or
/// the process has ended. It costs the kernel a walk over all its pages: for step boundaries.
pub fn smaps_rollup(pid: i32) -> Rows {
    let text = fs::read(format!("/proc/{pid}/smaps_rollup")).unwrap_or_default();
    let rows = lines(&text).filter_map(key_and_value);
    rows.map(|(key, value)| (String::from_utf8_lossy(key).into_owned(), value))
        .collect()
}
