//! `fadvise`: tells the kernel that a file's cache is not needed, or will be.

use serde::{Deserialize, Serialize};
use std::fs::OpenOptions;

use nix::fcntl::{PosixFadviseAdvice, posix_fadvise};

use super::{Context, Needs, Reached, Unit, Work, WorkError};

/// See [`Workload::Fadvise`](super::Workload::Fadvise).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Fadvise {
    /// File name in the pod's work directory.
    pub file: String,
    /// What is said about all of it.
    pub advice: FileAdvice,
}

/// The advice given to posix_fadvise(2).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum FileAdvice {
    /// POSIX_FADV_DONTNEED: drop what is clean and mapped by nobody.
    Dontneed,
    /// POSIX_FADV_WILLNEED: read it in.
    Willneed,
}

impl Work for Fadvise {
    /// Dirty pages can't be dropped, so the file is synced first: that is what programs that care
    /// for their cache do.
    fn run(&self, context: &mut Context) -> Result<Reached, WorkError> {
        let nothing = Reached::new(1, 0, Unit::Ops);
        let path = context.path(&self.file, nothing)?;
        let trouble = |what: &str, error: std::io::Error| {
            nothing.failed(format_args!("{what} {}: {error}", path.display()))
        };
        // Opened for writing too, because fsync(2) on a read-only descriptor is EBADF on some
        // file systems.
        let file = OpenOptions::new().read(true).write(true).open(&path);
        let file = file.map_err(|error| trouble("opening", error))?;
        file.sync_all().map_err(|error| trouble("syncing", error))?;
        let advice = match self.advice {
            FileAdvice::Dontneed => PosixFadviseAdvice::POSIX_FADV_DONTNEED,
            FileAdvice::Willneed => PosixFadviseAdvice::POSIX_FADV_WILLNEED,
        };
        posix_fadvise(&file, 0, 0, advice)
            .map_err(|error| trouble("posix_fadvise on", error.into()))?;
        Ok(Reached::new(1, 1, Unit::Ops))
    }

    fn needs(&self) -> Needs {
        Needs::NOTHING
    }
}
