//! A recording's file appears together with its first line: killed in between, there is none, and
//! never an empty one.

use std::ffi::CString;
use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, Write};
use std::os::fd::AsRawFd;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use nix::errno::Errno;
use nix::fcntl::{AT_FDCWD, AtFlags, OFlag};

/// A file that is made by its first write, with what that writes in it.
#[derive(Debug)]
pub struct NewFile {
    path: PathBuf,
    file: Option<File>,
}

impl NewFile {
    /// Nothing is made yet.
    pub fn at(path: &Path) -> Self {
        NewFile {
            path: path.to_path_buf(),
            file: None,
        }
    }
}

impl Write for NewFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if let Some(file) = &mut self.file {
            return file.write(bytes);
        }
        self.file = Some(appear(&self.path, bytes)?);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Makes `path` with `bytes` in it in one step where the file system can, replacing a file there.
fn appear(path: &Path, bytes: &[u8]) -> io::Result<File> {
    // A pipe or a device is written to, not replaced.
    let replaceable = std::fs::symlink_metadata(path).map_or(true, |meta| meta.is_file());
    if replaceable && let Some(file) = unnamed(path, bytes)? {
        return Ok(file);
    }
    let mut options = OpenOptions::new();
    let mut file = options
        .write(true)
        .create(true)
        .truncate(!replaceable)
        .open(path)?;
    if replaceable {
        own(&file)?;
        file.set_len(0)?;
    }
    file.write_all(bytes)?;
    Ok(file)
}

/// Takes a file for this run, as long as it is open: two that write to one leave what nobody can read.
fn own(file: &File) -> io::Result<()> {
    match file.try_lock() {
        Err(TryLockError::WouldBlock) => Err(io::Error::other(
            "another run is writing it now; give this one a name of its own",
        )),
        // Some network file systems have no locks.
        Ok(()) | Err(TryLockError::Error(_)) => Ok(()),
    }
}

/// Takes away what an earlier run has left at `path`.
fn make_room(path: &Path) -> io::Result<()> {
    // One that may not be read may be replaced.
    if let Ok(before) = File::open(path) {
        own(&before)?;
    }
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// An unnamed file (O_TMPFILE, Linux 3.11) that gets its name when its first line is in it; none
/// where the kernel or the file system has no such thing.
fn unnamed(path: &Path, bytes: &[u8]) -> io::Result<Option<File>> {
    let folder = path
        .parent()
        .filter(|p| !p.as_os_str().is_empty())
        .unwrap_or(Path::new("."));
    let made = OpenOptions::new()
        .write(true)
        .mode(0o666)
        .custom_flags(OFlag::O_TMPFILE.bits())
        .open(folder);
    let Ok(mut file) = made else {
        return Ok(None);
    };
    file.write_all(bytes)?;
    own(&file)?;
    make_room(path)?;
    // By its entry in /proc, as linkat(2) has it: linking a descriptor itself needs a capability.
    let entry = CString::new(format!("/proc/self/fd/{}", file.as_raw_fd()))?;
    let link = || {
        let (from, follow) = (entry.as_c_str(), AtFlags::AT_SYMLINK_FOLLOW);
        nix::unistd::linkat(AT_FDCWD, from, AT_FDCWD, path, follow)
    };
    let linked = match link() {
        // Another run was faster: the file is its.
        Err(Errno::EEXIST) => make_room(path).map(|()| link())?,
        other => other,
    };
    Ok(linked.is_ok().then_some(file))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_file_is_there_with_its_first_write_and_replaces_another() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.jsonl");
        let mut file = NewFile::at(&path);
        assert!(!path.exists());
        file.write_all(b"one\n").unwrap();
        file.write_all(b"two\n").unwrap();
        assert_eq!(std::fs::read(&path).unwrap(), b"one\ntwo\n");
        // Two that write at once would leave neither whole.
        let second = NewFile::at(&path).write_all(b"new\n").unwrap_err();
        assert!(second.to_string().contains("another run"), "{second}");
        assert_eq!(std::fs::read(&path).unwrap(), b"one\ntwo\n");
        drop(file);
        NewFile::at(&path).write_all(b"new\n").unwrap();
        assert_eq!(std::fs::read(&path).unwrap(), b"new\n");
    }

    #[test]
    fn a_folder_that_is_not_there_is_an_error() {
        assert!(
            NewFile::at(Path::new("/nowhere/a.jsonl"))
                .write_all(b"x")
                .is_err()
        );
    }

    #[test]
    fn a_device_is_written_to() {
        NewFile::at(Path::new("/dev/null")).write_all(b"x").unwrap();
        assert!(!std::fs::metadata("/dev/null").unwrap().is_file());
    }
}
