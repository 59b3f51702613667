//! The live show: what a run, or a recording of one, looks like while it happens.
//!
//! A live run is `memtide run` in a process of its own ([`live`]); the show reads the recording it
//! writes, as it reads a finished one ([`tape`]). So nothing that is drawn can make the run miss a
//! tick, and a replay looks like the run did.

#[cfg(feature = "tui")]
mod chart;
pub mod live;
#[cfg(feature = "tui")]
mod menu;
#[cfg(feature = "tui")]
mod paint;
pub mod plain;
#[cfg(feature = "tui")]
mod player;
mod scene;
#[cfg(feature = "tui")]
mod show;
pub mod tape;
#[cfg(feature = "tui")]
mod terminal;
#[cfg(feature = "tui")]
mod timeline;
#[cfg(feature = "tui")]
mod view;

#[cfg(feature = "tui")]
pub use menu::lessons;
#[cfg(feature = "tui")]
pub use player::Player;
#[cfg(feature = "tui")]
pub use show::{Left, choose, show, waiting};
pub use tape::Tape;
#[cfg(feature = "tui")]
pub use terminal::Screen;
