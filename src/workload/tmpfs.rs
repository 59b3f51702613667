//! `tmpfs_fill` and `tmpfs_remove`: files in memory.

use std::fs::OpenOptions;
use std::io::Write;
use std::path::{Path, PathBuf};

use super::pace::Pace;
use super::{Context, Needs, Reached, TmpfsFill, TmpfsRemove, Unit, Work, WorkError};
use crate::truth::Counter;

/// Where every Linux with a `/dev` has one; container runtimes mount one here too.
pub const SHM: &str = "/dev/shm";

/// Bytes a write(2).
const CHUNK: usize = 64 << 10;

/// The run's folder on the tmpfs, named as its work directory is: whoever sweeps knows it by that.
/// None if the work directory has no name.
pub fn folder(workdir: &Path) -> Option<PathBuf> {
    Some(Path::new(SHM).join(workdir.file_name()?))
}

/// The path of a file there, or why there is none.
fn path(context: &Context, file: &str, reached: Reached) -> Result<PathBuf, WorkError> {
    let kind = crate::host::filesystem_of(Path::new(SHM));
    if kind.as_deref() != Some("tmpfs") {
        return Err(reached.skipped(format_args!("there is no tmpfs at {SHM}")));
    }
    // The rules for names are those of files on disk.
    context.path(file, reached)?;
    let folder = folder(&context.workdir)
        .ok_or_else(|| reached.failed("the work directory has no name of its own"))?;
    Ok(folder.join(file))
}

impl Work for TmpfsFill {
    fn run(&self, context: &mut Context) -> Result<Reached, WorkError> {
        let reached = |done| Reached::new(self.size, done, Unit::Bytes);
        let path = path(context, &self.file, reached(0))?;
        let trouble = |done, error: std::io::Error| {
            reached(done).failed(format_args!("writing {}: {error}", path.display()))
        };
        if let Some(folder) = path.parent() {
            std::fs::create_dir_all(folder).map_err(|error| trouble(0, error))?;
        }
        let file = OpenOptions::new().append(true).create(true).open(&path);
        let mut file = file.map_err(|error| trouble(0, error))?;
        let chunk = [0xa5; CHUNK];
        let mut pace = Pace::start(self.rate);
        let mut done = 0;
        while done < self.size {
            pace.wait(done, u64::MAX);
            let part = (CHUNK as u64).min(self.size - done);
            file.write_all(&chunk[..part as usize])
                .map_err(|error| trouble(done, error))?;
            done += part;
            context.truth.add(Counter::ShmemLive, part);
        }
        Ok(reached(done))
    }

    fn needs(&self) -> Needs {
        Needs {
            tmpfs: self.size,
            ..Needs::NOTHING
        }
    }
}

impl Work for TmpfsRemove {
    fn run(&self, context: &mut Context) -> Result<Reached, WorkError> {
        let nothing = Reached::new(1, 0, Unit::Ops);
        let path = path(context, &self.file, nothing)?;
        let size = std::fs::metadata(&path).map_or(0, |m| m.len());
        std::fs::remove_file(&path).map_err(|error| {
            nothing.failed(format_args!("deleting {}: {error}", path.display()))
        })?;
        // Another actor may have written it; then it counts there.
        let mine = context.truth.get(Counter::ShmemLive).min(size);
        context.truth.sub(Counter::ShmemLive, mine);
        Ok(Reached::new(1, 1, Unit::Ops))
    }

    fn needs(&self) -> Needs {
        Needs::NOTHING
    }
}
