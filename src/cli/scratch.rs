//! A folder for recordings that are not kept.

use std::path::Path;

use anyhow::Context;
use tempfile::TempDir;

use crate::cgroup::sweep_workdir;
use crate::run_id::RunId;

/// A folder of this run's own among temporary files, or in `workdir` where there is no such place (an
/// image made from nothing has no `/tmp`). Its name tells whose it is: what a killed run left is
/// removed here.
///
/// # Errors
/// When neither place can be written.
pub fn folder(workdir: &Path) -> anyhow::Result<TempDir> {
    let id = RunId::new().context("can't name a temporary folder: is /proc mounted?")?;
    let prefix = format!("{id}-out-");
    let make = |place: &Path| {
        std::fs::create_dir_all(place)?;
        for left in &sweep_workdir(place).left {
            log::warn!("can't remove {}: {}", left.0.display(), left.1);
        }
        tempfile::Builder::new().prefix(&prefix).tempdir_in(place)
    };
    let usual = std::env::temp_dir();
    let in_usual = match usual.is_dir() {
        true => make(&usual).ok(),
        false => None,
    };
    in_usual.map_or_else(|| make(workdir), Ok).with_context(|| {
        format!(
            "can't make a folder for the recording in {} or {}; give one with --out",
            usual.display(),
            workdir.display()
        )
    })
}
