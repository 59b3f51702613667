//! Rotation of a log, as loggers and logrotate do it.

use serde::{Deserialize, Serialize};
use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::Path;

use super::Context;
use super::files::{Open, copies, copy_path};
use crate::truth::Counter;

/// Rotation by size.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Rotate {
    /// When the file has reached this size, bytes.
    pub size: u64,
    /// How the file that is full goes away.
    pub mode: RotateMode,
    /// How many old files are kept (`app.log.1` is the youngest).
    pub keep: u64,
}

/// How a log is rotated.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum RotateMode {
    /// `rename(2)` and a new file.
    Rename,
    /// Copy to the side and truncate in place.
    CopyTruncate,
}

/// Bytes copied at a time.
const COPY_BYTES: usize = 64 << 10;

/// Moves the log out of the way: `NAME` becomes `NAME.1`, `NAME.1` becomes `NAME.2`, and what would
/// be older than the oldest kept is deleted. With none kept the log itself is.
///
/// # Errors
/// As the calls it makes. What was done until then stays done.
pub fn rotate(context: &mut Context, path: &Path, log: &mut Open, how: &Rotate) -> io::Result<()> {
    make_room(context, path, how.keep)?;
    match how.mode {
        RotateMode::Rename => rename(context, path, log, how.keep)?,
        RotateMode::CopyTruncate => copy_truncate(context, path, log, how.keep)?,
    }
    context
        .truth
        .set(Counter::FileLive, context.files.others(log) + log.bytes);
    Ok(())
}

/// Shifts the copies by one, oldest first.
fn make_room(context: &mut Context, path: &Path, keep: u64) -> io::Result<()> {
    for (number, copy) in copies(path)?.into_iter().rev() {
        if number >= keep {
            fs::remove_file(&copy)?;
            context.files.deleted(&copy);
        } else {
            let to = copy_path(path, number + 1);
            fs::rename(&copy, &to)?;
            context.files.renamed(&copy, &to);
        }
    }
    Ok(())
}

fn rename(context: &mut Context, path: &Path, log: &mut Open, keep: u64) -> io::Result<()> {
    let moved = if keep == 0 {
        fs::remove_file(path)
    } else {
        fs::rename(path, copy_path(path, 1))
    };
    match moved {
        Ok(()) if keep == 0 => context.files.deleted(path),
        Ok(()) => context.files.renamed(path, &copy_path(path, 1)),
        // A log whose file was deleted while open has nothing to move: a new one is begun.
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(error),
    }
    let new = context.files.open(path)?;
    context.files.close(std::mem::replace(log, new), false);
    Ok(())
}

fn copy_truncate(context: &mut Context, path: &Path, log: &mut Open, keep: u64) -> io::Result<()> {
    if keep > 0 {
        match File::open(path) {
            Ok(from) => copy(context, from, &copy_path(path, 1), log)?,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
    }
    log.file.set_len(0)?;
    log.bytes = 0;
    Ok(())
}

/// Reads and writes, as `cp` on such kernels and log shippers do: what copy_file_range(2) would do
/// to the cache depends on the file system.
fn copy(context: &mut Context, mut from: File, to: &Path, log: &Open) -> io::Result<()> {
    let mut out = File::create(to)?;
    let mut buffer = vec![0; COPY_BYTES];
    let mut bytes = 0;
    loop {
        let n = match from.read(&mut buffer) {
            Ok(0) => return Ok(()),
            Ok(n) => n,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(error),
        };
        context.truth.add(Counter::FileRead, n as u64);
        out.write_all(&buffer[..n])?;
        bytes += n as u64;
        context.truth.add(Counter::FileWritten, n as u64);
        context.files.set_size(to, bytes);
        context
            .truth
            .set(Counter::FileLive, context.files.others(log) + log.bytes);
    }
}
