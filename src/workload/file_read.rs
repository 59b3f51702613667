//! `file_read`: reads a file with read(2), in passes, or follows it as it grows.

use serde::{Deserialize, Serialize};
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use super::pace::Pace;
use super::{Context, Needs, Reached, Unit, Work, WorkError, clock};
use crate::truth::{Counter, Page};
use crate::units;

/// See [`Workload::FileRead`](super::Workload::FileRead).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct FileRead {
    /// File name in the pod's work directory.
    pub file: String,
    /// How many times it is read from start to end.
    pub passes: u64,
    /// Bytes a read(2).
    pub chunk: u64,
    /// Go on at the end as the file grows, until this many bytes were read.
    pub follow: Option<u64>,
    /// Bytes a second; none is as fast as it goes.
    pub rate: Option<u64>,
}

/// How long a follower waits for a file to appear or to grow before it gives up.
const PATIENCE_NS: u64 = 30_000_000_000;

/// Between two looks at a file that has not grown. A shipper's inotify would be no quicker, and
/// it would not tell this process's reads apart any better.
const POLL_NS: u64 = 2_000_000;

/// The largest read(2): its buffer is charged to the container.
const CHUNK_MAX: u64 = 64 << 20;

impl Work for FileRead {
    fn run(&self, context: &mut Context) -> Result<Reached, WorkError> {
        let nothing = Reached::new(self.follow.unwrap_or(0), 0, Unit::Bytes);
        if !(1..=CHUNK_MAX).contains(&self.chunk) {
            return Err(nothing.failed("file_read needs a `chunk` of 1 byte to 64 MiB"));
        }
        let path = context.path(&self.file, nothing)?;
        let mut reader = Reader {
            buffer: vec![0; self.chunk as usize],
            truth: &context.truth,
            pace: Pace::start(self.rate),
            path,
            patience: PATIENCE_NS,
            target: 0,
            done: 0,
        };
        let result = match self.follow {
            None => reader.passes(self.passes).map(|_| ()),
            Some(bytes) => reader.follow(self.passes, bytes),
        };
        let target = self.follow.unwrap_or(reader.target);
        let reached = Reached::new(target, reader.done, Unit::Bytes);
        match result {
            Ok(()) => Ok(reached),
            Err(reason) => {
                let far = units::bytes(reader.done);
                Err(reached.failed(format_args!("{reason} after {far} read")))
            }
        }
    }

    fn needs(&self) -> Needs {
        Needs::NOTHING
    }
}

/// One step's reading.
struct Reader<'a> {
    buffer: Vec<u8>,
    truth: &'a Page,
    pace: Pace,
    path: PathBuf,
    patience: u64,
    /// What the passes begun so far come to, bytes.
    target: u64,
    done: u64,
}

impl Reader<'_> {
    /// Reads the file so often from its start to where it ended when the pass began: a pass over a
    /// log that grows as fast as it is read would never end.
    fn passes(&mut self, passes: u64) -> Result<Option<File>, String> {
        let mut last = None;
        for _ in 0..passes {
            let mut file =
                File::open(&self.path).map_err(|error| self.trouble("opening", error))?;
            let size = file
                .metadata()
                .map_err(|error| self.trouble("reading", error))?
                .len();
            self.target += size;
            let mut left = size;
            while left > 0 {
                let n = self.read(&mut file, left)?;
                if n == 0 {
                    return Err(format!(
                        "{} was cut short while it was read: {} were left",
                        self.path.display(),
                        units::bytes(left)
                    ));
                }
                left -= n;
            }
            last = Some(file);
        }
        Ok(last)
    }

    /// As `tail -F`: after the passes it goes on at the end (without any pass, at the end that it
    /// finds), to a new file under the name once the old one is read out, until `bytes` were read.
    fn follow(&mut self, passes: u64, bytes: u64) -> Result<(), String> {
        let mut looked = clock::now();
        while !self.path.exists() {
            self.wait_a_little(looked)?;
        }
        let mut file = match self.passes(passes)? {
            Some(file) => file,
            None => self.at_end()?,
        };
        looked = clock::now();
        while self.done < bytes {
            if self.read(&mut file, bytes - self.done)? > 0 {
                looked = clock::now();
            } else if !self
                .turn(&mut file)
                .map_err(|error| self.trouble("following", error))?
            {
                self.wait_a_little(looked)?;
            }
        }
        Ok(())
    }

    fn at_end(&self) -> Result<File, String> {
        File::open(&self.path)
            .and_then(|mut file| file.seek(SeekFrom::End(0)).map(|_| file))
            .map_err(|error| self.trouble("opening", error))
    }

    /// At the end of the file: goes to the start if it was truncated, or to the new file if it was
    /// rotated away. Says whether it did.
    fn turn(&self, file: &mut File) -> io::Result<bool> {
        let here = file.metadata()?;
        if here.len() < file.stream_position()? {
            file.rewind()?;
            return Ok(true);
        }
        let there = match std::fs::metadata(&self.path) {
            Ok(there) => there,
            // Between the rename and the new file there is none.
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
            Err(error) => return Err(error),
        };
        let rotated = (there.dev(), there.ino()) != (here.dev(), here.ino());
        if rotated {
            *file = File::open(&self.path)?;
        }
        Ok(rotated)
    }

    fn wait_a_little(&self, since: u64) -> Result<(), String> {
        let now = clock::now();
        if now - since > self.patience {
            let patience = units::duration(std::time::Duration::from_nanos(self.patience));
            return Err(format!(
                "nothing new in {} for {patience}",
                self.path.display()
            ));
        }
        clock::sleep_until(now + POLL_NS);
        Ok(())
    }

    /// One read(2) of a chunk, at most `most` bytes.
    fn read(&mut self, file: &mut File, most: u64) -> Result<u64, String> {
        self.pace.wait(self.done, u64::MAX);
        let len = self
            .buffer
            .len()
            .min(usize::try_from(most).unwrap_or(usize::MAX));
        loop {
            match file.read(&mut self.buffer[..len]) {
                Ok(n) => {
                    self.done += n as u64;
                    self.truth.add(Counter::FileRead, n as u64);
                    return Ok(n as u64);
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(self.trouble("reading", error)),
            }
        }
    }

    fn trouble(&self, doing: &str, error: io::Error) -> String {
        trouble(doing, &self.path, error)
    }
}

fn trouble(doing: &str, path: &Path, error: io::Error) -> String {
    let remedy = match error.kind() {
        io::ErrorKind::NotFound => "; a step before this one must write it",
        _ => "",
    };
    format!("{doing} {}: {error}{remedy}", path.display())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_follower_of_nothing_gives_up() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("app.log");
        let (truth, _fd) = Page::create(dir.path()).unwrap();
        let mut reader = Reader {
            buffer: vec![0; 10],
            truth: &truth,
            pace: Pace::start(None),
            path: path.clone(),
            patience: 20_000_000,
            target: 0,
            done: 0,
        };
        assert!(reader.follow(1, 100).unwrap_err().contains("nothing new"));
        std::fs::write(&path, [1; 60]).unwrap();
        assert!(reader.follow(1, 100).unwrap_err().contains("20 ms"));
        assert_eq!(reader.done, 60);
    }
}
