//! Numbers to size by, judged: formulas and right-sizers against the need that was measured.
//!
//! [`formulas`] scores what each formula says at its highest; [`sizers`] scores what a right-sizer
//! makes of a recording's scrapes. Both take the need beside a recording.

pub mod formulas;
mod krr;
pub mod render;
pub mod sample;
pub mod sizers;
mod tally;
mod vpa;

pub use tally::{Errors, Scored, Worst};

use super::corpus::{Case, Corpus};
use crate::need::Recorded;

/// A recording whose need is known.
#[derive(Clone, Copy)]
pub struct Known<'a> {
    /// The recording.
    pub case: &'a Case,
    /// Its need.
    pub need: &'a Recorded,
    /// Nothing fitted at this limit, bytes.
    pub above: u64,
    /// The smallest limit that fitted, bytes.
    pub fits: u64,
    /// All runs fitted at this one, bytes.
    pub at_most: u64,
}

impl Known<'_> {
    /// What `said` bytes are against the need.
    pub fn judge(&self, said: u64) -> Judged {
        match said {
            said if said <= self.above => Judged::TooLittle(self.fits - said),
            said if said > self.at_most => Judged::TooMuch(said - self.fits),
            _ => Judged::Right,
        }
    }
}

/// A number against a need.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Judged {
    /// So many bytes below it: killed or slowed.
    TooLittle(u64),
    /// In its interval: nothing better can be said.
    Right,
    /// So many bytes above it: wasted.
    TooMuch(u64),
}

/// The recordings of a corpus whose need is known, and those (by name) that have none, each with why.
pub fn known(corpus: &Corpus) -> (Vec<Known<'_>>, Vec<(String, String)>) {
    let (mut known, mut without) = (Vec::new(), Vec::new());
    for case in &corpus.cases {
        let Some(need) = &case.need else {
            continue;
        };
        match need.interval() {
            Some((above, fits, at_most)) => known.push(Known {
                case,
                need,
                above,
                fits,
                at_most,
            }),
            None => {
                let why = need.none_because.clone().unwrap_or_default();
                without.push((case.name.clone(), why));
            }
        }
    }
    (known, without)
}
