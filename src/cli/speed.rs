//! `memtide doctor --speed`: how long the work of scenarios takes here, for `run --model CARD --speed FILE`.

use std::fs::{File, OpenOptions};
use std::hint::black_box;
use std::io::{self, Read, Seek, Write};
use std::path::Path;
use std::time::Instant;

use nix::fcntl::{PosixFadviseAdvice, posix_fadvise};

use crate::model::{PAGE, Speed};

/// Bytes of a line; what scenarios write by default.
const LINE: usize = 128;
/// Bytes of a large read or write.
const CHUNK: usize = 64 << 10;
/// Bytes of the file that is written and read, and of the memory that is touched: small, since the
/// container that this runs in may be.
const SIZE: usize = 32 << 20;
/// Calls of what is measured by the call.
const CALLS: usize = 20_000;
/// How often each is measured: the median counts.
const TIMES: usize = 3;

/// Measures in a folder of its own below the work directory, which is removed.
///
/// # Errors
/// What the file system says.
pub fn measure(workdir: &Path) -> io::Result<Speed> {
    let folder = tempfile::Builder::new()
        .prefix("memtide-speed-")
        .tempdir_in(workdir)?;
    let path = folder.path().join("file");
    let pages = (SIZE / PAGE as usize) as f64;
    let file = open(&path)?;
    Ok(Speed {
        write_line: median(|| append(&path, LINE, CALLS)?.per(CALLS as f64))?,
        write_page: median(|| append(&path, CHUNK, SIZE / CHUNK)?.per(pages))?,
        read_page: median(|| {
            read(&file)?;
            read(&file)?.per(pages)
        })?,
        disk_page: median(|| {
            file.sync_all()?;
            posix_fadvise(&file, 0, 0, PosixFadviseAdvice::POSIX_FADV_DONTNEED)?;
            read(&file)?.per(pages)
        })?,
        touch_page: median(|| touch().per(pages))?,
        lookup: median(|| look_up(folder.path()).per(CALLS as f64))?,
        fsync: median(|| sync(&path))?,
    })
}

/// Nanoseconds that something took.
struct Took(f64);

impl Took {
    fn since(start: Instant) -> Took {
        Took(start.elapsed().as_nanos() as f64)
    }

    /// To a tenth: what lies below is chance.
    fn per(self, units: f64) -> io::Result<f64> {
        Ok((self.0 / units * 10.0).round() / 10.0)
    }
}

fn median(mut one: impl FnMut() -> io::Result<f64>) -> io::Result<f64> {
    let mut all = [0.0; TIMES];
    for took in &mut all {
        *took = one()?;
    }
    all.sort_by(f64::total_cmp);
    Ok(all[TIMES / 2])
}

fn open(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false);
    options.open(path)
}

/// Writes a new file of the name in so many calls.
fn append(path: &Path, unit: usize, calls: usize) -> io::Result<Took> {
    let mut file = open(path)?;
    file.set_len(0)?;
    let bytes = vec![b'x'; unit];
    let start = Instant::now();
    for _ in 0..calls {
        file.write_all(&bytes)?;
    }
    Ok(Took::since(start))
}

fn read(mut file: &File) -> io::Result<Took> {
    let mut bytes = vec![0; CHUNK];
    let start = Instant::now();
    file.rewind()?;
    while file.read(&mut bytes)? > 0 {
        black_box(&bytes);
    }
    Ok(Took::since(start))
}

/// The first touch of every page of new memory.
fn touch() -> Took {
    let start = Instant::now();
    // Zeroed memory of this size is mapped and touched by nobody yet.
    let mut bytes = vec![0u8; SIZE];
    for page in bytes.chunks_mut(PAGE as usize) {
        page[0] = 1;
    }
    black_box(&bytes);
    Took::since(start)
}

fn look_up(folder: &Path) -> Took {
    let names: Vec<_> = (0..CALLS).map(|n| folder.join(format!("no-{n}"))).collect();
    let start = Instant::now();
    for name in &names {
        black_box(name.symlink_metadata().is_ok());
    }
    Took::since(start)
}

/// One fsync(2) after one chunk.
fn sync(path: &Path) -> io::Result<f64> {
    let mut file = open(path)?;
    file.write_all(&[b'y'; CHUNK])?;
    let start = Instant::now();
    file.sync_all()?;
    Took::since(start).per(1.0)
}

/// The profile as a file.
///
/// # Errors
/// None: the type is plain numbers.
pub fn to_toml(speed: &Speed, kernel: &str, filesystem: &str) -> Result<String, toml::ser::Error> {
    Ok(format!(
        "# How long work takes here, nanoseconds: made by memtide doctor --speed on kernel {kernel}, {filesystem}.\n\
         # For memtide run --model CARD --speed FILE; a card has the same keys below [speed].\n{}",
        toml::to_string(speed)?
    ))
}
