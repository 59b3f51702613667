//! What a command prints: drained so that it never blocks, and only the end of it kept.

use std::collections::VecDeque;
use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;
use std::process::Child;

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

use crate::sys::fd::set_nonblocking;

/// Bytes kept for a failure's message.
const TAIL_BYTES: usize = 4096;

/// The stdout and stderr of a command. Each keeps an end of its own: a flood on one can't push
/// the reason on the other away, whichever is read first.
pub struct Outputs {
    pipes: Vec<Pipe>,
    buffer: Vec<u8>,
    awaited: Option<Awaited>,
    copy: Option<File>,
}

/// One of them until it is closed, and the end of what it said.
struct Pipe {
    file: Option<File>,
    tail: VecDeque<u8>,
}

/// A text that is looked for, also where two reads cut it.
struct Awaited {
    text: Vec<u8>,
    carry: Vec<u8>,
}

impl Outputs {
    /// Takes both pipes of a child.
    ///
    /// # Errors
    /// As fcntl(2).
    pub fn take(child: &mut Child) -> io::Result<Outputs> {
        let out = child.stdout.take().map(OwnedFd::from);
        let err = child.stderr.take().map(OwnedFd::from);
        let mut pipes = Vec::with_capacity(2);
        for file in out.into_iter().chain(err).map(File::from) {
            set_nonblocking(&file)?;
            pipes.push(Pipe {
                file: Some(file),
                tail: VecDeque::with_capacity(TAIL_BYTES),
            });
        }
        Ok(Outputs {
            pipes,
            buffer: vec![0; 16 << 10],
            awaited: None,
            copy: None,
        })
    }

    /// Appends what comes from now on to a file, too.
    ///
    /// # Errors
    /// As open(2).
    pub fn copy_to(&mut self, path: &Path) -> io::Result<()> {
        self.copy = Some(File::options().append(true).open(path)?);
        Ok(())
    }

    /// Looks for `text` from now on.
    pub fn await_text(&mut self, text: &str) {
        let text = text.as_bytes().to_vec();
        self.awaited = Some(Awaited {
            text,
            carry: Vec::new(),
        });
    }

    /// Whether the awaited text has not come yet.
    pub fn awaits(&self) -> bool {
        self.awaited.is_some()
    }

    /// Whether more may come.
    pub fn are_open(&self) -> bool {
        self.pipes.iter().any(|pipe| pipe.file.is_some())
    }

    /// Waits up to `ns` for output and reads what is there.
    ///
    /// # Errors
    /// As poll(2) and read(2).
    pub fn wait(&mut self, ns: u64) -> io::Result<()> {
        let ms = i32::try_from(ns.div_ceil(1_000_000)).unwrap_or(i32::MAX);
        let timeout = PollTimeout::try_from(ms).unwrap_or(PollTimeout::MAX);
        let mut fds: Vec<PollFd> = self
            .pipes
            .iter()
            .filter_map(|pipe| pipe.file.as_ref())
            .map(|file| PollFd::new(file.as_fd(), PollFlags::POLLIN))
            .collect();
        match poll(&mut fds, timeout) {
            Ok(_) | Err(Errno::EINTR) => {}
            Err(error) => return Err(error.into()),
        }
        for pipe in &mut self.pipes {
            pipe.drain(&mut self.buffer, &mut self.awaited, self.copy.as_mut())?;
        }
        Ok(())
    }

    /// The end of what was printed, as the end of a message; empty if nothing was.
    pub fn tail(self) -> String {
        let share = match self.pipes.iter().all(|pipe| !pipe.tail.is_empty()) {
            true => TAIL_BYTES / 2,
            false => TAIL_BYTES,
        };
        let ends = self.pipes.into_iter().map(|mut pipe| {
            let bytes = pipe.tail.make_contiguous();
            let end = &bytes[bytes.len().saturating_sub(share)..];
            String::from_utf8_lossy(end).trim().to_owned()
        });
        let ends: Vec<String> = ends.filter(|end| !end.is_empty()).collect();
        match ends.is_empty() {
            true => String::new(),
            false => format!("; the end of its output: {}", ends.join("\n")),
        }
    }
}

impl Pipe {
    /// Reads it empty, at most a few buffers at a time so that a flood can't hold up the deadline.
    fn drain(
        &mut self,
        buffer: &mut [u8],
        awaited: &mut Option<Awaited>,
        mut copy: Option<&mut File>,
    ) -> io::Result<()> {
        let Some(file) = &mut self.file else {
            return Ok(());
        };
        for _ in 0..16 {
            match file.read(buffer) {
                Ok(0) => {
                    self.file = None;
                    return Ok(());
                }
                Ok(n) => {
                    if awaited.as_mut().is_some_and(|a| a.is_in(&buffer[..n])) {
                        *awaited = None;
                    }
                    if let Some(copy) = &mut copy {
                        copy.write_all(&buffer[..n])?;
                    }
                    let new = &buffer[n.saturating_sub(TAIL_BYTES)..n];
                    let surplus = (self.tail.len() + new.len()).saturating_sub(TAIL_BYTES);
                    self.tail.drain(..surplus);
                    self.tail.extend(new);
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }
}

impl Awaited {
    /// Whether what came before and these bytes hold the text.
    fn is_in(&mut self, new: &[u8]) -> bool {
        self.carry.extend_from_slice(new);
        let found = self.text.is_empty() || {
            let mut windows = self.carry.windows(self.text.len());
            windows.any(|window| window == self.text)
        };
        let surplus = self.carry.len().saturating_sub(self.text.len());
        self.carry.drain(..surplus);
        found
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_that_two_reads_cut_is_found() {
        let awaited = |text: &str| Awaited {
            text: text.into(),
            carry: Vec::new(),
        };
        let mut ready = awaited("is ready");
        assert!(!ready.is_in(b"it is no"));
        assert!(!ready.is_in(b"t; it is re"));
        assert!(ready.is_in(b"ady now"));
        assert!(awaited("x").is_in(b"yx"));
        assert!(!awaited("xx").is_in(b"x"));
    }
}
