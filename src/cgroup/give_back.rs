//! Asking the kernel to take back all that it can of a cgroup.

use std::fs::OpenOptions;
use std::io::{self, ErrorKind, Write};
use std::path::Path;

use crate::rows::CgroupVersion;

/// Dirty pages go only once they are written: ask again.
const TRIES: usize = 5;

/// Takes back the page cache, and whatever else can be had, of the cgroup at `path`: v1
/// `memory.force_empty`, v2 `memory.reclaim` (5.19 and later).
///
/// # Errors
/// Where the kernel has no such file, or refuses.
pub fn give_back(path: &Path, version: CgroupVersion) -> io::Result<()> {
    let (file, text) = match version {
        CgroupVersion::V1 => ("memory.force_empty", "0".to_string()),
        // More than there is: what is left over is told by EAGAIN, which is no failure here.
        CgroupVersion::V2 => ("memory.reclaim", (1u64 << 40).to_string()),
    };
    for _ in 0..TRIES {
        // Never created: a control file is there or it is not.
        let mut control = OpenOptions::new().write(true).open(path.join(file))?;
        match control.write_all(text.as_bytes()) {
            Err(error) if error.kind() == ErrorKind::WouldBlock => {}
            other => return other,
        }
    }
    Ok(())
}
