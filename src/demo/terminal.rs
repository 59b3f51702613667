//! The terminal, taken over and given back whatever happens.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use ratatui::DefaultTerminal;
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

    /// Whether somebody asked the process to end.
    pub fn ended(&self) -> bool {
        self.ended.load(Ordering::Relaxed)
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        // Nothing can be told to a terminal that is gone.
        let _ = ratatui::try_restore();
        let _ = self.terminal.show_cursor();
    }
}
