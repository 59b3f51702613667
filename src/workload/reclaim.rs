//! `reclaim`: asks the kernel to take back what it can of the container's memory, now.

use serde::{Deserialize, Serialize};
use std::io::{self, ErrorKind};
use std::path::Path;

use super::{Context, Needs, Reached, Unit, Work, WorkError};
use crate::cgroup::{self, Hierarchy};

/// See [`Workload::Reclaim`](super::Workload::Reclaim).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Reclaim {
    /// Bytes to ask for (v2); v1 knows only "all".
    pub amount: u64,
}

impl Work for Reclaim {
    /// v1: `memory.force_empty`. v2: `memory.reclaim` (5.19 and later). How much went is in the
    /// recording's rows.
    fn run(&self, _: &mut Context) -> Result<Reached, WorkError> {
        let nothing = Reached::new(1, 0, Unit::Ops);
        let hierarchy = Hierarchy::discover().map_err(|error| nothing.failed(error))?;
        let version = hierarchy.version;
        match cgroup::give_back(&hierarchy.own, version, self.amount) {
            Ok(()) => Ok(Reached::new(1, 1, Unit::Ops)),
            Err(error) => {
                let path = hierarchy.own.join(cgroup::reclaim_file(version));
                Err(refused(nothing, &path, &error))
            }
        }
    }

    fn needs(&self) -> Needs {
        Needs::NOTHING
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    /// What the kernel answers on a machine that can't do it, with the path and what the message must say.
    #[test]
    fn a_kernel_that_cannot_is_a_skip_in_words() {
        let nothing = Reached::new(1, 0, Unit::Ops);
        let path = Path::new("/sys/fs/cgroup/memory/x/memory.force_empty");
        let of = |errno| refused(nothing, path, &io::Error::from_raw_os_error(errno));
        let busy = of(nix::libc::EBUSY);
        assert!(matches!(busy, WorkError::Skipped { .. }), "{busy}");
        let text = busy.to_string();
        assert!(text.contains("while a process is in it"), "{text}");
        assert!(!text.contains('/') && !text.contains("os error"), "{text}");
        let missing = of(nix::libc::ENOENT);
        assert!(matches!(missing, WorkError::Skipped { .. }), "{missing}");
        assert!(missing.to_string().contains("can't be asked"), "{missing}");
        assert!(matches!(of(nix::libc::EROFS), WorkError::Skipped { .. }));
        // Anything else is no matter of the kernel's age.
        assert!(matches!(of(nix::libc::EIO), WorkError::Failed { .. }));
    }
}
