//! A folder of recordings that is added to those in the binary: set-ups of one's own.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use super::Shipped;

/// What was added; once a process, since what is shipped is asked for as `'static` everywhere.
static ADDED: OnceLock<Added> = OnceLock::new();

#[derive(Debug, Default)]
struct Added {
    entries: Vec<Shipped>,
    notes: Option<String>,
}

/// What is known of set-ups and of the differences between them, as TOML.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Notes {
    /// Of the recordings in the binary.
    pub shipped: &'static str,
    /// Of those added.
    pub added: Option<&'static str>,
}

/// The file of notes in a folder of recordings.
pub const NOTES: &str = "differences.toml";

/// Why a folder of recordings can't be added.
#[derive(Debug, thiserror::Error)]
pub enum AddError {
    /// A folder or file can't be read.
    #[error("failed to read {}: {source}", .path.display())]
    Read {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A name that is not UTF-8 can't be a set-up's or a scenario's.
    #[error("{}: the name is not UTF-8", .0.display())]
    Name(PathBuf),
    /// Nothing is in it.
    #[error("{} has no recordings: they belong into SET-UP/SCENARIO.jsonl.gz", .0.display())]
    Empty(PathBuf),
    /// One folder was added already.
    #[error("{}: a folder of recordings was added already", .0.display())]
    Twice(PathBuf),
}

/// Adds the recordings of a folder `SET-UP/SCENARIO.jsonl.gz` to those in the binary, with what its
/// `differences.toml` says, if it has one. A set-up that is in the binary, too, is taken from the
/// folder. The files stay in memory until the process ends.
///
/// # Errors
/// If something in the folder can't be read, nothing is in it, or one was added before. Whether each
/// file is a recording is seen when it is read.
pub fn add(dir: &Path) -> Result<(), AddError> {
    let mut added = Added::default();
    for setup in sorted(dir)? {
        if !setup.is_dir() {
            continue;
        }
        let name: &'static str = Box::leak(name(&setup)?.into_boxed_str());
        for file in sorted(&setup)? {
            let Some(scenario) = self::name(&file)?.strip_suffix(".jsonl.gz").map(Box::from) else {
                continue;
            };
            // Most have none.
            let need = setup.join(format!("{scenario}.need.toml"));
            let need = std::fs::read_to_string(need).ok();
            added.entries.push(Shipped {
                need: need.map(|text| &*text.leak()),
                setup: name,
                scenario: Box::leak::<'static>(scenario),
                packed: read(&file)?.leak(),
            });
        }
    }
    if added.entries.is_empty() {
        return Err(AddError::Empty(dir.into()));
    }
    let notes = dir.join(NOTES);
    if notes.exists() {
        let text = String::from_utf8(read(&notes)?).map_err(|e| AddError::Read {
            path: notes,
            source: io::Error::new(io::ErrorKind::InvalidData, e),
        })?;
        added.notes = Some(text);
    }
    ADDED.set(added).map_err(|_| AddError::Twice(dir.into()))
}

/// The recordings that were added.
pub(super) fn entries() -> &'static [Shipped] {
    ADDED.get().map_or(&[], |added| &added.entries)
}

/// What is known of the set-ups, as written in the files.
pub fn notes() -> Notes {
    Notes {
        shipped: include_str!("../../recordings/differences.toml"),
        added: ADDED.get().and_then(|added| added.notes.as_deref()),
    }
}

fn read(path: &Path) -> Result<Vec<u8>, AddError> {
    std::fs::read(path).map_err(|source| AddError::Read {
        path: path.into(),
        source,
    })
}

fn name(path: &Path) -> Result<String, AddError> {
    let name = path.file_name().and_then(|name| name.to_str());
    name.map(str::to_string)
        .ok_or_else(|| AddError::Name(path.into()))
}

fn sorted(dir: &Path) -> Result<Vec<PathBuf>, AddError> {
    let error = |source| AddError::Read {
        path: dir.into(),
        source,
    };
    let entries = std::fs::read_dir(dir).map_err(error)?;
    let mut paths = entries
        .map(|entry| Ok(entry?.path()))
        .collect::<io::Result<Vec<_>>>()
        .map_err(error)?;
    paths.sort();
    Ok(paths)
}
