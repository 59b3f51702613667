//! `reclaim`: asks the kernel to take back what it can of the container's memory, now.

use serde::{Deserialize, Serialize};
use std::io::{self, ErrorKind};
use std::path::Path;

use super::{Context, Needs, Reached, Unit, Work, WorkError};
use crate::cgroup::Hierarchy;
use crate::rows::CgroupVersion;

/// See [`Workload::Reclaim`](super::Workload::Reclaim).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Reclaim {
    /// Bytes to ask for (v2); v1 knows only "all".
    pub amount: u64,
}

/// Asks again while memory is on its way to disk: dirty pages can only go once they are written.
const TRIES: usize = 5;

impl Work for Reclaim {
    /// v1: `memory.force_empty`. v2: `memory.reclaim` (5.19 and later), where EAGAIN says that less
    /// was found than was asked for. How much went is in the recording's rows.
    fn run(&self, _: &mut Context) -> Result<Reached, WorkError> {
        let nothing = Reached::new(1, 0, Unit::Ops);
        let hierarchy = Hierarchy::discover().map_err(|error| nothing.failed(error))?;
        let (file, text) = match hierarchy.version {
            CgroupVersion::V1 => ("memory.force_empty", "0".to_string()),
            CgroupVersion::V2 => ("memory.reclaim", self.amount.to_string()),
        };
        let path = hierarchy.own.join(file);
        for _ in 0..TRIES {
            match ask(&path, &text) {
                Ok(()) => return Ok(Reached::new(1, 1, Unit::Ops)),
                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                Err(error) => return Err(refused(nothing, &path, &error)),
            }
        }
        // All that could be had was had.
        Ok(Reached::new(1, 1, Unit::Ops))
    }

    fn needs(&self) -> Needs {
        Needs::NOTHING
    }
}

/// Never creates the file: a control file is there or it is not.
fn ask(path: &Path, text: &str) -> io::Result<()> {
    use std::io::Write;
    let mut file = std::fs::OpenOptions::new().write(true).open(path)?;
    file.write_all(text.as_bytes())
}

fn refused(reached: Reached, path: &Path, error: &io::Error) -> WorkError {
    let text = format!("asking for reclaim in {}: {error}", path.display());
    match error.kind() {
        ErrorKind::NotFound => reached.skipped(format_args!(
            "this kernel can't be asked to reclaim (no {}; cgroup v2 has it from 5.19)",
            path.display()
        )),
        ErrorKind::PermissionDenied | ErrorKind::ReadOnlyFilesystem => reached.skipped(text),
        ErrorKind::ResourceBusy => reached.skipped(
            "this kernel does not empty a cgroup while a process is in it (before 4.0); later ones do",
        ),
        _ => reached.failed(text),
    }
}
