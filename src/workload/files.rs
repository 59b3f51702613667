//! The files of one actor: which exist, how large they are, and which are held open.

use std::fs::{File, OpenOptions};
use std::io;
use std::path::{Component, Path, PathBuf};

/// The files of one actor. What they add up to is the truth's `file_live`.
///
/// Only what this actor opened for writing is known here. A file that another actor wrote counts in
/// that actor's truth, and stays counted there if this one deletes it.
#[derive(Debug)]
pub struct Files {
    dir: PathBuf,
    known: Vec<Known>,
    next_id: u64,
}

/// A file that exists: it has a name, or someone holds it open.
#[derive(Debug)]
struct Known {
    id: u64,
    /// Where it is; none once it was deleted.
    path: Option<PathBuf>,
    bytes: u64,
    /// Whether the current step writes to it.
    in_use: bool,
    /// Held open between steps, with the path it was opened by: a later step asks for it by that,
    /// wherever the file is now.
    held: Option<(PathBuf, File)>,
}

/// A file open for appending.
#[derive(Debug)]
pub struct Open {
    /// Opened with O_APPEND.
    pub file: File,
    /// Its size now; whoever writes keeps it right.
    pub bytes: u64,
    id: u64,
    opened_as: PathBuf,
}

impl Files {
    /// No files yet, in this directory.
    pub fn new(dir: PathBuf) -> Self {
        Files {
            dir,
            known: Vec::new(),
            next_id: 0,
        }
    }

    /// Where a file of this name is: in the work directory and nowhere else.
    ///
    /// # Errors
    /// A name that is empty, absolute or leads out of the directory.
    pub fn path(&self, name: &str) -> Result<PathBuf, String> {
        let inside = Path::new(name)
            .components()
            .all(|part| matches!(part, Component::Normal(_)));
        if name.is_empty() || !inside {
            return Err(format!(
                "file name {name:?} leads out of the work directory; give a plain name such as \"app.log\""
            ));
        }
        Ok(self.dir.join(name))
    }

    /// Opens a file for appending, or takes the one that an earlier step opened by this path and
    /// kept open.
    ///
    /// # Errors
    /// As open(2).
    pub fn open(&mut self, path: &Path) -> io::Result<Open> {
        let opened_as = path.to_path_buf();
        for known in &mut self.known {
            if let Some((_, file)) = known.held.take_if(|(held, _)| held == path) {
                known.in_use = true;
                return Ok(Open {
                    file,
                    bytes: known.bytes,
                    id: known.id,
                    opened_as,
                });
            }
        }
        if let Some(parent) = path.parent().filter(|parent| *parent != self.dir) {
            std::fs::create_dir_all(parent)?;
        }
        let file = OpenOptions::new().append(true).create(true).open(path)?;
        let bytes = file.metadata()?.len();
        let id = self.set_size(path, bytes);
        if let Some(known) = self.by_id(id) {
            known.in_use = true;
        }
        Ok(Open {
            file,
            bytes,
            id,
            opened_as,
        })
    }

    /// Ends the current step's use of a file: closes it, or holds it for a later step.
    pub fn close(&mut self, open: Open, hold: bool) {
        if let Some(known) = self.by_id(open.id) {
            known.bytes = open.bytes;
            known.in_use = false;
            known.held = hold.then_some((open.opened_as, open.file));
        }
        self.forget_the_gone();
    }

    /// Bytes in all files that exist, but for the one that is open.
    pub fn others(&self, open: &Open) -> u64 {
        self.known
            .iter()
            .filter(|known| known.id != open.id)
            .map(|known| known.bytes)
            .sum()
    }

    /// Bytes in all files that exist.
    pub fn live(&self) -> u64 {
        self.known.iter().map(|known| known.bytes).sum()
    }

    /// Says how large the file at `path` is now; it need not be known yet.
    pub fn set_size(&mut self, path: &Path, bytes: u64) -> u64 {
        if let Some(known) = self.by_path(path) {
            known.bytes = bytes;
            return known.id;
        }
        let id = self.next_id;
        self.next_id += 1;
        let path = Some(path.to_path_buf());
        self.known.push(Known {
            id,
            path,
            bytes,
            in_use: false,
            held: None,
        });
        id
    }

    /// The file at `path` is at `to` now, and what was there is gone.
    pub fn renamed(&mut self, path: &Path, to: &Path) {
        self.deleted(to);
        if let Some(known) = self.by_path(path) {
            known.path = Some(to.to_path_buf());
        }
    }

    /// The file at `path` has no name any more; it exists on if it is held open.
    pub fn deleted(&mut self, path: &Path) {
        if let Some(known) = self.by_path(path) {
            known.path = None;
        }
        self.forget_the_gone();
    }

    fn by_id(&mut self, id: u64) -> Option<&mut Known> {
        self.known.iter_mut().find(|known| known.id == id)
    }

    fn by_path(&mut self, path: &Path) -> Option<&mut Known> {
        self.known
            .iter_mut()
            .find(|known| known.path.as_deref() == Some(path))
    }

    fn forget_the_gone(&mut self) {
        self.known
            .retain(|known| known.path.is_some() || known.in_use || known.held.is_some());
    }
}

/// The rotated copies of a file, `NAME.N` with their N, youngest first.
///
/// # Errors
/// As reading the directory.
pub fn copies(path: &Path) -> io::Result<Vec<(u64, PathBuf)>> {
    let (Some(dir), Some(name)) = (path.parent(), path.file_name().and_then(|n| n.to_str())) else {
        return Ok(Vec::new());
    };
    let mut found = Vec::new();
    for entry in std::fs::read_dir(dir)? {
        let entry = entry?;
        let number = entry
            .file_name()
            .to_str()
            .and_then(|file| file.strip_prefix(name)?.strip_prefix('.')?.parse().ok());
        if let Some(number) = number {
            found.push((number, entry.path()));
        }
    }
    found.sort();
    Ok(found)
}

/// The path of the copy with this number.
pub fn copy_path(path: &Path, number: u64) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(format!(".{number}"));
    name.into()
}
