//! Where output goes that nobody reads: a pipe that is emptied. Not /dev/null: grep, tar and others see that
//! they write there, and do less.

use std::io::{self, PipeWriter};
use std::os::fd::AsRawFd;
use std::path::PathBuf;

/// A pipe, and a thread that empties it until its last writer has closed it.
#[derive(Debug)]
pub struct Unread(PipeWriter);

impl Unread {
    /// # Errors
    /// When no pipe can be had.
    pub fn new() -> io::Result<Unread> {
        let (mut reader, writer) = io::pipe()?;
        // Not joined: a process that outlives its trial would make the end wait for it.
        std::thread::Builder::new()
            .name("unread".into())
            .spawn(move || io::copy(&mut reader, &mut io::sink()))?;
        Ok(Unread(writer))
    }

    /// By which a process with the same rights opens it.
    pub fn path(&self) -> PathBuf {
        format!("/proc/{}/fd/{}", std::process::id(), self.0.as_raw_fd()).into()
    }
}
