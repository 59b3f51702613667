//! The terminal, taken over and given back whatever happens.

use std::io;
use std::os::fd::AsFd;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use ratatui::DefaultTerminal;
use ratatui::crossterm::event::{self, Event};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};

/// The whole screen. Dropping it gives the terminal back; so does a panic, through a hook.
pub struct Screen {
    /// Where to draw.
    pub terminal: DefaultTerminal,
    ended: Arc<AtomicBool>,
}

impl Screen {
    /// Takes the terminal over.
    pub fn open() -> io::Result<Self> {
        let ended = Arc::new(AtomicBool::new(false));
        // Signals are only noted here and acted on between two frames, so that the terminal is never
        // left in the middle of one and a live run is ended in order.
        for signal in [SIGTERM, SIGINT, SIGHUP] {
            signal_hook::flag::register(signal, Arc::clone(&ended))?;
        }
        // This also sets the panic hook that restores the terminal before the message is printed.
        Ok(Screen {
            terminal: ratatui::try_init()?,
            ended,
        })
    }

    /// Whether somebody asked the process to end, or the terminal is gone.
    pub fn ended(&self) -> bool {
        self.ended.load(Ordering::Relaxed)
    }

    /// The next key or resize, waited for at most this long.
    ///
    /// The wait is this module's own: crossterm reads a terminal that is gone again and again,
    /// without end. So it is only asked while the terminal is there.
    pub fn event(&mut self, timeout: Duration) -> io::Result<Option<Event>> {
        // First without waiting: several keys may have come in one read.
        for wait in [Duration::ZERO, timeout] {
            if !terminal_is_there(wait)? {
                self.ended.store(true, Ordering::Relaxed);
                return Ok(None);
            }
            // Asked in any case: a resize is a signal, not input.
            if event::poll(Duration::ZERO)? {
                return event::read().map(Some);
            }
        }
        Ok(None)
    }
}

/// Waits for input; gives whether the terminal is still there.
fn terminal_is_there(timeout: Duration) -> io::Result<bool> {
    let stdin = io::stdin();
    let mut fds = [PollFd::new(stdin.as_fd(), PollFlags::POLLIN)];
    let timeout = PollTimeout::try_from(timeout).unwrap_or(PollTimeout::ZERO);
    match poll(&mut fds, timeout) {
        // A signal: a resize, or one of those noted above.
        Ok(_) | Err(Errno::EINTR) => {}
        Err(error) => return Err(error.into()),
    }
    let gone = PollFlags::POLLHUP | PollFlags::POLLERR | PollFlags::POLLNVAL;
    Ok(!fds[0]
        .revents()
        .is_some_and(|events| events.intersects(gone)))
}

impl Drop for Screen {
    fn drop(&mut self) {
        if std::thread::panicking() {
            // The hook has done it. A second time would put the cursor back to where it was before the
            // message, and what is printed next over it.
            return;
        }
        // Nothing can be written to a terminal that is gone.
        let _ = ratatui::try_restore();
        let _ = self.terminal.show_cursor();
    }
}
