//! The folder a run's files live in: made for one run, checked before it, gone after it.

use std::path::{Path, PathBuf};

use super::HarnessError;
use crate::run_id::RunId;
use crate::scenario::Scenario;
use crate::units;
use crate::workload::{Needs, SHM};

/// A run's own folder below the work directory; removed when dropped.
#[derive(Debug)]
pub struct WorkDir {
    path: PathBuf,
}

/// What must stay free beside what a scenario writes: a full disk stops more than memtide.
const RESERVE: u64 = 64 << 20;

impl WorkDir {
    /// Makes the folder of run `id` below `base`, after checking that `scenario` fits there.
    ///
    /// # Errors
    /// When the file system is in memory and the scenario writes logs (its cache would be shmem,
    /// another thing entirely), when there is too little room, or when it can't be written.
    pub fn create(base: &Path, id: &RunId, scenario: &Scenario) -> Result<Self, HarnessError> {
        let needs = needs(scenario);
        if needs.disk > 0 {
            check_file_system(base)?;
            check_room(existing(base), needs.disk, RESERVE)?;
        }
        // Where there is no tmpfs the step that wants one is skipped and says so.
        let shm = Path::new(SHM);
        if needs.tmpfs > 0 && crate::host::filesystem_of(shm).as_deref() == Some("tmpfs") {
            check_room(shm, needs.tmpfs, 0)?;
        }
        let path = base.join(id.to_string());
        std::fs::create_dir_all(&path).map_err(|source| HarnessError::WorkDir {
            path: path.clone(),
            source,
        })?;
        Ok(WorkDir { path })
    }

    /// Deletes what is in it, on disk and on the tmpfs.
    pub fn empty(&self) -> Result<(), HarnessError> {
        self.remove_shm();
        let failed = |source| HarnessError::WorkDir {
            path: self.path.clone(),
            source,
        };
        std::fs::remove_dir_all(&self.path).map_err(failed)?;
        std::fs::create_dir(&self.path).map_err(failed)
    }

    /// The run's folder on the tmpfs is there only if a step has written to it.
    fn remove_shm(&self) {
        if let Some(shm) = crate::workload::tmpfs_folder(&self.path)
            && let Err(error) = std::fs::remove_dir_all(&shm)
            && error.kind() != std::io::ErrorKind::NotFound
        {
            log::warn!("can't remove {}: {error}", shm.display());
        }
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for WorkDir {
    fn drop(&mut self) {
        self.remove_shm();
        // What can't be removed now, the next start removes: the folder's name tells whose it was.
        if let Err(error) = std::fs::remove_dir_all(&self.path) {
            log::warn!("can't remove {}: {error}", self.path.display());
        }
    }
}

fn check_file_system(base: &Path) -> Result<(), HarnessError> {
    let kind = crate::host::filesystem_of(existing(base));
    match kind.as_deref() {
        Some(kind @ ("tmpfs" | "ramfs")) => Err(HarnessError::MemoryWorkDir {
            path: base.to_path_buf(),
            kind: kind.to_string(),
        }),
        _ => Ok(()),
    }
}

fn check_room(base: &Path, needed: u64, reserve: u64) -> Result<(), HarnessError> {
    // A file system that can't be asked is found out by the first write that fails.
    let Some(free) = crate::host::free_space(base) else {
        return Ok(());
    };
    if free < needed.saturating_add(reserve) {
        return Err(HarnessError::NoRoom {
            path: base.to_path_buf(),
            free: units::bytes(free),
            needed: units::bytes(needed),
        });
    }
    Ok(())
}

/// The most a scenario can have in files: all it writes, as if nothing were deleted.
fn needs(scenario: &Scenario) -> Needs {
    scenario
        .steps()
        .map(|step| step.workload.work().needs())
        .fold(Needs::NOTHING, Needs::and)
}

/// The folder itself, or the nearest one above it that is there: its file system is the one the
/// folder will be made on.
pub fn existing(folder: &Path) -> &Path {
    folder
        .ancestors()
        .find(|path| path.is_dir())
        .unwrap_or(folder)
}
