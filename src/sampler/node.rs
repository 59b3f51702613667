//! What the kernel says of the whole node: memory available, and stalls.

use std::path::Path;

use super::columns::Columns;
use super::kept::{Descriptors, Kept};
use super::picked::{Picked, Pressure};

/// `/proc/meminfo` and `/proc/pressure/memory`; either may be absent.
pub(super) struct Node {
    meminfo: Option<(Kept, Picked)>,
    pressure: Option<(Kept, Pressure)>,
}

impl Node {
    /// Opens what there is, and reserves its columns.
    pub fn open(columns: &mut Columns, fds: &mut Descriptors, buffer: &mut Vec<u8>) -> Self {
        let mut open = |path: &str| Kept::open(Path::new(path), false, fds, buffer).ok();
        let (meminfo, pressure) = (open("/proc/meminfo"), open("/proc/pressure/memory"));
        Node {
            meminfo: meminfo.map(|kept| (kept, Picked::new("node:", &["MemAvailable"], columns))),
            pressure: pressure.map(|kept| (kept, Pressure::new("node:pressure.", columns))),
        }
    }

    /// Reads both.
    pub fn read(&self, columns: &mut Columns, buffer: &mut Vec<u8>) {
        if let Some((kept, rows)) = &self.meminfo
            && let Ok(length) = kept.read(buffer)
        {
            rows.read(&buffer[..length], columns);
        }
        if let Some((kept, pressure)) = &self.pressure
            && let Ok(length) = kept.read(buffer)
        {
            pressure.read(&buffer[..length], columns);
        }
    }
}
