//! Reading and writing one cgroup file, with errors that name it.

use std::io::Write;
use std::path::Path;

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
pub(super) fn pids(dir: &Path) -> Result<Pids, CgroupError> {
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
