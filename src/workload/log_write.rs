//! `log_write`: appends lines to a log, as a service does.

use serde::{Deserialize, Serialize};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use super::clock;
use super::files::Open;
use super::log_lines::Lines;
use super::log_rotate::rotate;
use super::pace::{Pace, bytes_in};
use super::{Context, Dist, Needs, Reached, Rotate, Unit, Work, WorkError};
use crate::truth::Counter;
use crate::units;

/// See [`Workload::LogWrite`](super::Workload::LogWrite).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LogWrite {
    /// File name in the pod's work directory.
    pub file: String,
    /// Bytes a line, its newline included.
    pub line: Dist,
    /// Bytes collected before one write(2); 0 writes every line by itself.
    pub buffer: u64,
    /// Bytes a second; none is as fast as it goes.
    pub rate: Option<u64>,
    /// Stop after these bytes (the last line may be cut to fit).
    pub total: Option<u64>,
    /// Stop after this time, milliseconds.
    pub duration_ms: Option<u64>,
    /// When fsync(2) is called.
    pub fsync: Fsync,
    /// When and how the log is rotated.
    pub rotate: Option<Rotate>,
    /// Keep the file open for the next step of this actor instead of closing it at the end.
    pub keep_open: bool,
}

/// When fsync(2) is called.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Fsync {
    /// Written pages are left to the kernel.
    Never,
    /// Once, at the step's end.
    End,
    /// After every so many bytes.
    Every(u64),
}

/// Without a rate the clock is read once in so many writes: a read costs a tenth of the write of a
/// short line.
const WRITES_PER_LOOK: u32 = 32;

impl Work for LogWrite {
    fn run(&self, context: &mut Context) -> Result<Reached, WorkError> {
        let nothing = Reached::new(self.total.unwrap_or(0), 0, Unit::Bytes);
        if self.total.is_none() && self.duration_ms.is_none() {
            return Err(nothing.failed("log_write needs `total` or `duration`: it would never end"));
        }
        if self.rotate.as_ref().is_some_and(|rotate| rotate.size == 0) {
            return Err(nothing.failed("rotating at size 0 would never end; give a size"));
        }
        let lines = Lines::new(&self.line, self.buffer, context.rng());
        let lines = lines.map_err(|reason| nothing.failed(reason))?;
        let path = context.path(&self.file, nothing)?;
        let log = context
            .files
            .open(&path)
            .map_err(|error| nothing.failed(format_args!("opening {}: {error}", path.display())))?;
        let mut writer = Writer::new(self, context, path, log);
        let result = writer.write_all(lines);
        writer.finish(result)
    }

    fn needs(&self) -> Needs {
        let by_time = match (self.rate, self.duration_ms) {
            (Some(rate), Some(ms)) => Some(rate.saturating_mul(ms) / 1000),
            _ => None,
        };
        let written = self.total.or(by_time).unwrap_or(0);
        Needs::disk(match &self.rotate {
            // The current file, those kept, and a copy under way.
            Some(rotate) => written.min(rotate.size.saturating_mul(rotate.keep.saturating_add(2))),
            None => written,
        })
    }
}

/// One step's writing.
struct Writer<'a> {
    step: &'a LogWrite,
    context: &'a mut Context,
    path: PathBuf,
    log: Open,
    /// Bytes of this actor's other files.
    others: u64,
    /// Bytes of lines written by this step.
    written: u64,
    /// Of those, bytes that an fsync covered.
    synced: u64,
    pace: Pace,
    deadline: u64,
    until_look: u32,
}

impl<'a> Writer<'a> {
    fn new(step: &'a LogWrite, context: &'a mut Context, path: PathBuf, log: Open) -> Self {
        let pace = Pace::start(step.rate);
        let deadline = step.duration_ms.map_or(u64::MAX, |duration| {
            pace.started().saturating_add(clock::ms(duration))
        });
        Writer {
            others: context.files.others(&log),
            step,
            context,
            path,
            log,
            written: 0,
            synced: 0,
            pace,
            deadline,
            until_look: 0,
        }
    }

    fn write_all(&mut self, mut lines: Lines) -> Result<(), Trouble> {
        let total = self.step.total.unwrap_or(u64::MAX);
        while self.written < total {
            self.pace.wait(self.written, self.deadline);
            if self.time_is_up() {
                break;
            }
            let (piece, ended) = lines.next(total - self.written);
            self.write(piece)?;
            self.context.truth.add(Counter::Ops, ended);
            if let Fsync::Every(bytes) = self.step.fsync
                && self.written - self.synced >= bytes.max(1)
            {
                self.sync()?;
            }
            if let Some(how) = self
                .step
                .rotate
                .as_ref()
                .filter(|how| self.log.bytes >= how.size)
            {
                rotate(self.context, &self.path, &mut self.log, how)
                    .map_err(|error| Trouble::new("rotating", &self.path, error))?;
                self.others = self.context.files.others(&self.log);
            }
        }
        if self.step.fsync == Fsync::End {
            self.sync()
        } else {
            Ok(())
        }
    }

    /// One piece in one write(2), unless the kernel takes only part of it.
    #[inline]
    fn write(&mut self, mut piece: &[u8]) -> Result<(), Trouble> {
        while !piece.is_empty() {
            match self.log.file.write(piece) {
                Ok(0) => {
                    return Err(Trouble::new(
                        "writing",
                        &self.path,
                        io::ErrorKind::WriteZero.into(),
                    ));
                }
                Ok(n) => {
                    piece = &piece[n..];
                    self.written += n as u64;
                    self.log.bytes += n as u64;
                    self.context.truth.add(Counter::FileWritten, n as u64);
                    self.context
                        .truth
                        .set(Counter::FileLive, self.others + self.log.bytes);
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(Trouble::new("writing", &self.path, error)),
            }
        }
        Ok(())
    }

    fn sync(&mut self) -> Result<(), Trouble> {
        self.synced = self.written;
        self.log
            .file
            .sync_all()
            .map_err(|error| Trouble::new("fsync of", &self.path, error))
    }

    #[inline]
    fn time_is_up(&mut self) -> bool {
        if self.deadline == u64::MAX {
            return false;
        }
        if self.until_look > 0 {
            self.until_look -= 1;
            return false;
        }
        // With a rate every write may have waited.
        self.until_look = if self.step.rate.is_some() {
            0
        } else {
            WRITES_PER_LOOK
        };
        clock::now() >= self.deadline
    }

    fn finish(self, result: Result<(), Trouble>) -> Result<Reached, WorkError> {
        let reached = self.reached();
        self.context
            .files
            .close(self.log, self.step.keep_open && result.is_ok());
        self.context
            .truth
            .set(Counter::FileLive, self.context.files.live());
        match result {
            Ok(()) => Ok(reached),
            Err(trouble) => Err(reached.failed(format_args!(
                "{trouble} after {} of this step{}",
                units::bytes(self.written),
                trouble.remedy()
            ))),
        }
    }

    /// Against the total if there is one and time did not end the step first; else against what
    /// the rate makes of the duration, of which 5 % may be missing (the last piece, and a machine
    /// that was busy); else the time itself.
    fn reached(&self) -> Reached {
        let total = self.step.total.unwrap_or(u64::MAX);
        let ns = clock::ms(self.step.duration_ms.unwrap_or(0));
        let by_rate = self.step.rate.map(|rate| bytes_in(ns, rate));
        match (self.step.total, self.step.duration_ms, by_rate) {
            (Some(total), None, _) => Reached::new(total, self.written, Unit::Bytes),
            (_, _, Some(bytes)) => Reached {
                slack: bytes.min(total) / 20 + self.step.buffer,
                ..Reached::new(bytes.min(total), self.written, Unit::Bytes)
            },
            (Some(total), _, _) if self.written >= total => Reached::new(total, total, Unit::Bytes),
            (_, duration, _) => {
                let ms = (clock::now() - self.pace.started()) / 1_000_000;
                Reached::new(duration.unwrap_or(0), ms, Unit::Ms)
            }
        }
    }
}

/// What went wrong with which file.
#[derive(Debug, thiserror::Error)]
#[error("{doing} {}: {error}", .path.display())]
struct Trouble {
    doing: &'static str,
    path: PathBuf,
    error: io::Error,
}

impl Trouble {
    fn new(doing: &'static str, path: &Path, error: io::Error) -> Self {
        Trouble {
            doing,
            path: path.into(),
            error,
        }
    }

    fn remedy(&self) -> &'static str {
        match self.error.raw_os_error() {
            Some(nix::libc::ENOSPC) => "; free space there, or give another work directory",
            Some(nix::libc::EDQUOT) => "; raise the quota, or give another work directory",
            Some(nix::libc::EIO) => "; look at the kernel log, the disk may be failing",
            _ => "",
        }
    }
}
