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
    /// Where that lies.
    pub interval: Interval,
}

/// Where a need lies.
#[derive(Debug, Clone, Copy)]
pub struct Interval {
    /// Nothing fitted at this limit, bytes.
    pub above: u64,
    /// The smallest limit that fitted, bytes.
    pub fits: u64,
    /// All runs fitted at this one, bytes.
    pub at_most: u64,
}

impl Interval {
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
                interval: Interval {
                    above,
                    fits,
                    at_most,
                },
            }),
            None => {
                let why = need.none_because.clone().unwrap_or_default();
                without.push((case.name.clone(), why));
            }
        }
    }
    (known, without)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_in_the_interval_is_right_and_errors_are_from_what_fitted() {
        let interval = Interval {
            above: 90,
            fits: 95,
            at_most: 110,
        };
        for (said, want) in [
            (0, Judged::TooLittle(95)),
            (90, Judged::TooLittle(5)),
            (91, Judged::Right),
            (110, Judged::Right),
            (111, Judged::TooMuch(16)),
        ] {
            assert_eq!(interval.judge(said), want, "{said}");
        }
    }
}
