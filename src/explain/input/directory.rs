//! A directory: a live cgroup, or kernel files that someone copied from one.

use std::fs::{self, DirEntry, File};
use std::io::Read;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use nix::sys::statfs::{CGROUP_SUPER_MAGIC, CGROUP2_SUPER_MAGIC, statfs};

use crate::explain::{ExplainError, Reading, names};

use super::text::Collector;

/// The most that is read of one file. memory.stat is some KiB.
const FILE_MAX: u64 = 1 << 20;

/// Folders of copied files are searched so deep, and no more than so many.
const DEPTH_MAX: usize = 8;
const FOLDERS_MAX: usize = 4096;

/// All readings of the kernel files in `path`; where it has none and is a copy, of those in the
/// folders below it, each its own.
pub fn read(path: &Path) -> Result<Vec<Reading>, ExplainError> {
    let live = is_cgroup(path);
    let readings = one(path, live)?;
    if live || !readings.is_empty() {
        return Ok(readings);
    }
    let mut all = Vec::new();
    let mut folders = below(path, path)?;
    let mut seen = 0;
    while let Some(folder) = folders.pop() {
        seen += 1;
        if seen > FOLDERS_MAX {
            break;
        }
        // A folder that can't be read is not there.
        all.extend(one(&folder, false).unwrap_or_default());
        folders.extend(below(path, &folder).unwrap_or_default());
    }
    Ok(all)
}

/// The folders in a folder, the last by name first; none where it is too far below `top`.
fn below(top: &Path, folder: &Path) -> Result<Vec<PathBuf>, ExplainError> {
    let depth = folder.components().count() - top.components().count();
    if depth >= DEPTH_MAX {
        return Ok(Vec::new());
    }
    let device = |path: &Path| fs::symlink_metadata(path).map(|meta| meta.dev()).ok();
    let own = device(top);
    let mut found = Vec::new();
    for entry in entries(folder)? {
        // A link may lead back up, and /proc or another mount is no part of a copy.
        let is_folder = entry.file_type().is_ok_and(|kind| kind.is_dir());
        if is_folder && device(&entry.path()) == own {
            found.push(entry.path());
        }
    }
    found.sort();
    found.reverse();
    Ok(found)
}

fn entries(folder: &Path) -> Result<Vec<DirEntry>, ExplainError> {
    let io = |source| ExplainError::Io {
        path: folder.to_path_buf(),
        source,
    };
    fs::read_dir(folder)
        .map_err(io)?
        .map(|entry| entry.map_err(io))
        .collect()
}

/// The readings of one folder's own files.
fn one(path: &Path, live: bool) -> Result<Vec<Reading>, ExplainError> {
    let mut files: Vec<(PathBuf, &'static str)> = Vec::new();
    for entry in entries(path)? {
        let name = entry.file_name().to_string_lossy().into_owned();
        // v1 has write-only files; numa_stat repeats rows by node.
        let skip = live
            && matches!(
                name.as_str(),
                "memory.force_empty" | "memory.pressure_level"
            );
        match names::file_in(&name) {
            Some("memory.numa_stat") | None => {}
            Some(_) if skip || !entry.path().is_file() => {}
            Some(file) => files.push((entry.path(), file)),
        }
    }
    files.sort();
    let mut collector = Collector::default();
    for (file, name) in &files {
        // A file of a live cgroup may refuse to be read (no swap, no permission): it is missing.
        if let Ok(text) = read_file(file) {
            collector.file(name, &text);
        }
    }
    let mut readings = collector.finish();
    for reading in &mut readings {
        reading.label = path.display().to_string();
        reading.path = Some(path.display().to_string());
        if live {
            reading.source = "live cgroup";
            add_machine(path, reading);
        }
    }
    Ok(readings)
}

fn read_file(path: &Path) -> std::io::Result<String> {
    let mut bytes = Vec::new();
    File::open(path)?.take(FILE_MAX).read_to_end(&mut bytes)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// Whether the directory is on a cgroup file system, v1 or v2.
fn is_cgroup(path: &Path) -> bool {
    statfs(path).is_ok_and(|fs| {
        matches!(
            fs.filesystem_type(),
            CGROUP_SUPER_MAGIC | CGROUP2_SUPER_MAGIC
        )
    })
}

/// What a live cgroup's own files do not say: the machine's memory and limits set above it.
fn add_machine(path: &Path, reading: &mut Reading) {
    let total = read_file(Path::new("/proc/meminfo")).ok().and_then(|text| {
        let rows = crate::explain::meminfo::parse(&text);
        rows.get("node:MemTotal")
    });
    if let Some(total) = total {
        reading.rows.set("node:MemTotal", total);
    }
    let effective = crate::cgroup::Hierarchy::discover()
        .ok()
        .and_then(|hierarchy| hierarchy.effective_limit(path).bytes());
    if let Some(bytes) = effective {
        reading.rows.set("limit", bytes);
    }
}
