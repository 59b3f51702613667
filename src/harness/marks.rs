//! Marks: moments of a run that a load or a command tells, by `memtide mark TEXT`.
//!
//! Each run has a datagram socket with an abstract name (unix(7)): it needs no file, no rights and
//! no cleaning up, and it is reached from other mount namespaces and by other users. What a run starts
//! finds the name in its environment.

use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::process::Command;

use crate::run_id::RunId;

/// The variable that holds the name of the run's socket.
pub const VARIABLE: &str = "MEMTIDE_MARK";

/// The longest text of a mark, bytes.
pub const TEXT_MAX: usize = 200;

/// So many marks a run are taken: a load that marks each request would drown the recording.
const MARKS_MAX: usize = 1000;

/// What hears a run's marks.
#[derive(Debug)]
pub struct Marks {
    name: String,
    socket: UnixDatagram,
    left: usize,
}

/// Why a mark could not be set.
#[derive(Debug, thiserror::Error)]
pub enum MarkError {
    /// Not below a run.
    #[error(
        "{VARIABLE} is not set: `memtide mark` is for what `memtide run` and `memtide record` start, \
         such as a load or the recorded command itself, and for what those start"
    )]
    NoRun,
    /// No text, or too much of it.
    #[error("a mark has 1 to {TEXT_MAX} bytes of text without control characters")]
    Text,
    /// Nobody hears it.
    #[error("the run {name} does not hear it ({source}): has it ended?")]
    Deaf {
        /// The run.
        name: String,
        /// Why.
        source: io::Error,
    },
}

impl Marks {
    /// Listens for the marks of run `id`.
    ///
    /// # Errors
    /// When there is no socket to be had.
    pub fn open(id: &RunId) -> io::Result<Self> {
        let name = format!("{id}-mark");
        let address = SocketAddr::from_abstract_name(&name)?;
        let socket = UnixDatagram::bind_addr(&address)?;
        socket.set_nonblocking(true)?;
        Ok(Marks {
            name,
            socket,
            left: MARKS_MAX,
        })
    }

    /// Lets `command` know where to set marks.
    pub fn tell(&self, command: &mut Command) {
        command.env(VARIABLE, &self.name);
    }

    /// The next mark that has come.
    pub(super) fn next(&mut self) -> Option<String> {
        let mut buffer = [0; TEXT_MAX + 1];
        loop {
            let length = match self.socket.recv(&mut buffer) {
                Ok(length) => length,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(_) => return None,
            };
            // Anybody on this machine can write to it.
            let text = String::from_utf8_lossy(&buffer[..length]).into_owned();
            if is_text(&text) && self.left > 0 {
                self.left -= 1;
                return Some(text);
            }
        }
    }
}

impl AsFd for Marks {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

/// Sets a mark in the run that this process is part of.
///
/// # Errors
/// When there is no such run, or the text is none.
pub fn mark(text: &str) -> Result<(), MarkError> {
    if !is_text(text) {
        return Err(MarkError::Text);
    }
    let name = std::env::var(VARIABLE).map_err(|_| MarkError::NoRun)?;
    let sent = SocketAddr::from_abstract_name(&name)
        .and_then(|address| UnixDatagram::unbound()?.send_to_addr(text.as_bytes(), &address));
    sent.map(|_| ())
        .map_err(|source| MarkError::Deaf { name, source })
}

fn is_text(text: &str) -> bool {
    (1..=TEXT_MAX).contains(&text.len()) && !text.contains(char::is_control)
}
