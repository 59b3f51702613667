//! `fadvise`: tells the kernel that a file's cache is not needed, or will be.

use std::fs::OpenOptions;

use nix::fcntl::{PosixFadviseAdvice, posix_fadvise};

use super::{Context, Fadvise, FileAdvice, Reached, Unit, Work, WorkError};

impl Work for Fadvise {
    /// Dirty pages can't be dropped, so the file is synced first: that is what programs that care
    /// for their cache do.
    fn run(&self, context: &mut Context) -> Result<Reached, WorkError> {
        let nothing = Reached::new(1, 0, Unit::Ops);
        let path = context.files.path(&self.file);
        let path = path.map_err(|reason| nothing.failed(reason))?;
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
}
