//! The same scenario on several kernels, or before and after a change: side by side.
//!
//! Each recording is reduced to the values of one group at the end of each step ([`Run`]); several
//! of them make a [`Comparison`], whose cells know whether they differ from the baseline beyond
//! the [`tolerance`]. Pure functions of recordings: nothing here reads the machine.

mod differences;
mod kernels_doc;
mod likeness;
mod nearest;
mod render;
mod run;
mod table;
#[cfg(test)]
pub(crate) mod testing;
#[cfg(test)]
mod tests;
mod wire;
mod words;

pub use differences::{About, Difference, NotesError, abouts, check_notes, differences};
pub use kernels_doc::{DocError, kernels_doc};
pub use likeness::likeness;
pub use nearest::nearest;
pub use render::{Show, human, markdown};
pub use run::{Reading, Run, RunError, StepValues, WORK};
pub use table::{Cell, Comparison, Row, Sheet, most_typical, tolerance};
pub use wire::json;
pub use words::{Sentence, sentences};

/// What is compared unless something else is asked for; the first is what a dashboard shows.
pub const VALUES: [&str; 5] = [
    "cadvisor_working_set",
    "usage",
    "rss",
    "active_file",
    "inactive_file",
];
