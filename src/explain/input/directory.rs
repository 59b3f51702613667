//! A directory: a live cgroup, or kernel files that someone copied from one.

use std::fs::{self, File};
use std::io::Read;
use std::path::{Path, PathBuf};

use nix::sys::statfs::{CGROUP_SUPER_MAGIC, CGROUP2_SUPER_MAGIC, statfs};

use crate::explain::{ExplainError, Reading, names};

use super::text::Collector;

/// The most that is read of one file. memory.stat is some KiB.
const FILE_MAX: u64 = 1 << 20;

/// All readings of the kernel files in `path`.
pub fn read(path: &Path) -> Result<Vec<Reading>, ExplainError> {
    let io = |source| ExplainError::Io {
        path: path.to_path_buf(),
        source,
    };
    let live = is_cgroup(path);
    let mut files: Vec<(PathBuf, &'static str)> = Vec::new();
    for entry in fs::read_dir(path).map_err(io)? {
        let entry = entry.map_err(io)?;
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
