//! `memtide pack`: a recording compressed for keeping.

use std::fs::{self, File};
use std::io::{self, BufReader, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use flate2::Compression;
use flate2::bufread::GzEncoder;
use flate2::read::GzDecoder;

use super::error::ReadError;
use super::read::read_named;
use super::{Recording, WriteError};

/// What becomes of the file that was packed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Original {
    /// It stays.
    Keep,
    /// It goes, once the packed file is in place and was read back.
    Remove,
}

/// A packed recording.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Packed {
    /// The new file, `NAME.jsonl.gz`.
    pub path: PathBuf,
    /// Bytes before.
    pub bytes_before: u64,
    /// Bytes after.
    pub bytes_after: u64,
    /// Samples in it, of all groups.
    pub samples: u64,
    /// Whether the recording has its end; a cut one is packed as well.
    pub complete: bool,
}

/// Why a recording was not packed. The original is untouched then.
#[derive(Debug, thiserror::Error)]
pub enum PackError {
    /// It can't be read.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// It can't be written anew with fewer samples.
    #[error(transparent)]
    Write(#[from] WriteError),
    /// It is compressed.
    #[error("{} is compressed already", .0.display())]
    Already(PathBuf),
    /// There is such a file.
    #[error("failed to pack: {} exists; move it away first", .0.display())]
    Exists(PathBuf),
    /// A file operation failed.
    #[error("failed to {doing} {}: {source}", path.display())]
    Io {
        /// What was tried.
        doing: &'static str,
        /// With which file.
        path: PathBuf,
        /// The system's answer.
        source: io::Error,
    },
}

/// Writes `NAME.jsonl.gz` beside `NAME.jsonl`: all of it or nothing, and the same bytes each time.
pub fn pack(path: &Path, original: Original) -> Result<Packed, PackError> {
    pack_thinned(path, original, usize::MAX)
}

/// Like [`pack`], with about `samples` samples a group, see [`super::Recording::thin`].
pub fn pack_thinned(path: &Path, original: Original, samples: usize) -> Result<Packed, PackError> {
    let io = |doing, path: &Path| {
        let path = path.to_path_buf();
        move |source| PackError::Io {
            doing,
            path,
            source,
        }
    };
    let text = fs::read(path).map_err(io("read", path))?;
    if text.starts_with(&[0x1f, 0x8b]) {
        return Err(PackError::Already(path.into()));
    }
    let bytes_before = text.len() as u64;
    let mut recording = read_named(&text, &path.display().to_string())?;
    let text = match recording.tables.iter().any(|t| t.len() > samples) {
        true => {
            recording.thin(samples);
            text_of(&recording)?
        }
        false => text,
    };
    let mut target = path.as_os_str().to_owned();
    target.push(".gz");
    let target = PathBuf::from(target);
    if target.exists() {
        return Err(PackError::Exists(target));
    }
    let folder = match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    let mut file =
        tempfile::NamedTempFile::new_in(folder).map_err(io("create a file in", folder))?;
    let write = compressed(&text).and_then(|packed| {
        file.write_all(&packed)?;
        file.as_file()
            .set_permissions(fs::metadata(path)?.permissions())?;
        // On disk before it takes its name, so that a crash can't leave an empty recording.
        file.as_file().sync_all()
    });
    write.map_err(io("write", &target))?;
    file.persist_noclobber(&target)
        .map_err(|e| match e.error.kind() {
            io::ErrorKind::AlreadyExists => PackError::Exists(target.clone()),
            _ => io("create", &target)(e.error),
        })?;
    if original == Original::Remove {
        verify(&target, &text).map_err(io("read back", &target))?;
        fs::remove_file(path).map_err(io("remove", path))?;
    }
    Ok(Packed {
        bytes_before,
        bytes_after: fs::metadata(&target).map_err(io("look at", &target))?.len(),
        samples: recording
            .tables
            .iter()
            .map(|table| table.len() as u64)
            .sum(),
        complete: recording.complete,
        path: target,
    })
}

fn text_of(recording: &Recording) -> Result<Vec<u8>, PackError> {
    let text = Shared::default();
    recording.write_to("memory", Box::new(text.clone()))?;
    // The writer is gone, and its half with it; a poisoned lock would mean that it panicked.
    Ok(std::mem::take(
        &mut *text.0.lock().unwrap_or_else(|e| e.into_inner()),
    ))
}

/// Bytes that a writer fills and that are ours afterwards.
#[derive(Clone, Default)]
struct Shared(Arc<Mutex<Vec<u8>>>);

impl Write for Shared {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0
            .lock()
            .unwrap_or_else(|e| e.into_inner())
            .extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Gzip at its best level, with no time stamp in it.
pub fn compressed(text: &[u8]) -> io::Result<Vec<u8>> {
    let mut packed = Vec::new();
    GzEncoder::new(text, Compression::best()).read_to_end(&mut packed)?;
    Ok(packed)
}

fn verify(packed: &Path, text: &[u8]) -> io::Result<()> {
    let mut back = Vec::with_capacity(text.len());
    GzDecoder::new(BufReader::new(File::open(packed)?)).read_to_end(&mut back)?;
    match back == text {
        true => Ok(()),
        false => Err(io::Error::new(
            io::ErrorKind::InvalidData,
            "it holds something else",
        )),
    }
}
