//! Asking the kernel to take back all that it can of a cgroup.

use std::fs::OpenOptions;
use std::io::{self, ErrorKind, Write};
use std::path::Path;

use crate::rows::CgroupVersion;

/// Dirty pages go only once they are written: ask again.
const TRIES: usize = 5;

/// More than there is.
pub const ALL: u64 = 1 << 40;

/// The file that is asked: v1 `memory.force_empty`, v2 `memory.reclaim` (5.19 and later).
pub fn reclaim_file(version: CgroupVersion) -> &'static str {
    match version {
        CgroupVersion::V1 => "memory.force_empty",
        CgroupVersion::V2 => "memory.reclaim",
    }
}

/// Takes back `amount` bytes (v1: always all that it can) of the page cache, and of whatever else can
/// be had, of the cgroup at `path`. That less was had is no failure.
///
/// # Errors
/// Where the kernel has no such file, or refuses.
pub fn give_back(path: &Path, version: CgroupVersion, amount: u64) -> io::Result<()> {
    let file = reclaim_file(version);
    let text = match version {
        CgroupVersion::V1 => "0".to_string(),
        CgroupVersion::V2 => amount.to_string(),
    };
    for _ in 0..TRIES {
        // Never created: a control file is there or it is not.
        let mut control = OpenOptions::new().write(true).open(path.join(file))?;
        match control.write_all(text.as_bytes()) {
            // Less was found than was asked for.
            Err(error) if error.kind() == ErrorKind::WouldBlock => {}
            other => return other,
        }
    }
    Ok(())
}
