//! Reading and writing one cgroup file, with errors that name it, and listing directories.

use std::io::Write;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use super::error::CgroupError;

/// The whole text of a cgroup file.
pub(super) fn read(path: &Path) -> Result<String, CgroupError> {
    std::fs::read_to_string(path).map_err(CgroupError::io("read", path))
}

/// Writes `text` in one write(2), as the kernel wants it; never creates a file.
pub(super) fn write(path: &Path, text: &str) -> Result<(), CgroupError> {
    std::fs::OpenOptions::new()
        .write(true)
        .open(path)
        .and_then(|mut file| file.write_all(text.as_bytes()))
        .map_err(CgroupError::io(format!("write {text:?} to"), path))
}

/// The process ids in a `cgroup.procs` file. Processes of an outer pid namespace have no id here:
/// v2 lists them as 0, which kill(2) would read as "my own process group", so they are counted
/// apart.
///
/// # Errors
/// The cgroup is gone, or may not be read.
pub fn pids(dir: &Path) -> Result<Pids, CgroupError> {
    let text = read(&dir.join("cgroup.procs"))?;
    let mut pids = Pids::default();
    for line in text.lines() {
        match line.trim().parse::<i32>() {
            Ok(pid) if pid > 0 => pids.visible.push(pid),
            _ => pids.invisible += 1,
        }
    }
    Ok(pids)
}

/// Who is in a cgroup.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Pids {
    /// Process ids in our pid namespace.
    pub visible: Vec<i32>,
    /// How many more there are that have no id in our pid namespace.
    pub invisible: usize,
}

/// The child cgroups of a directory; none if it can't be read.
///
/// A cgroup has two links and one more for each child, so one without children, as most are, costs
/// a stat and not the reading of its 60 files' names.
pub(super) fn children(dir: &Path) -> Vec<PathBuf> {
    match std::fs::metadata(dir) {
        Ok(meta) if meta.nlink() != 2 => subdirectories(dir),
        _ => Vec::new(),
    }
}

/// The directories in a directory of any file system; links are not followed.
pub(super) fn subdirectories(dir: &Path) -> Vec<PathBuf> {
    let Ok(entries) = std::fs::read_dir(dir) else {
        return Vec::new();
    };
    entries
        .filter_map(Result::ok)
        .filter(|e| e.file_type().is_ok_and(|t| t.is_dir()))
        .map(|e| e.path())
        .collect()
}
