//! When to stop asking a detector that hangs, and how long the rest will take.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use super::verdict::Answer;

/// After so many recordings in a row on which it had not ended in time, a detector is given up.
pub const HUNG_MAX: usize = 3;

/// How far one detector is.
#[derive(Debug, Clone, PartialEq)]
pub struct Progress<'a> {
    /// Its name.
    pub detector: &'a str,
    /// Recordings done.
    pub done: usize,
    /// Recordings in all.
    pub of: usize,
    /// Since it began.
    pub elapsed: Duration,
}

impl Progress<'_> {
    /// How long the rest will take at this pace; none before the first is done.
    pub fn left(&self) -> Option<Duration> {
        let each = self.elapsed.checked_div(u32::try_from(self.done).ok()?)?;
        Some(each * u32::try_from(self.of - self.done.min(self.of)).ok()?)
    }
}

/// What one detector has cost so far.
pub struct Patience<'a> {
    detector: String,
    of: usize,
    /// Ask on, however often it hangs.
    keep_going: bool,
    started: Instant,
    done: AtomicUsize,
    hung: AtomicUsize,
    tell: &'a (dyn Fn(&Progress) + Sync),
}

impl<'a> Patience<'a> {
    /// For one detector and `of` recordings.
    pub fn new(
        detector: String,
        of: usize,
        keep_going: bool,
        tell: &'a (dyn Fn(&Progress) + Sync),
    ) -> Self {
        Patience {
            detector,
            of,
            keep_going,
            started: Instant::now(),
            done: AtomicUsize::new(0),
            hung: AtomicUsize::new(0),
            tell,
        }
    }

    /// Whether it is given up: the answer then says so.
    pub fn given_up(&self) -> Option<Answer> {
        if self.keep_going || self.hung.load(Ordering::Relaxed) < HUNG_MAX {
            return None;
        }
        Some(Answer {
            not_judged: Some(format!(
                "given up: it had not ended in time on {HUNG_MAX} recordings in a row; --timeout gives it \
                 longer, --keep-going asks on all the same"
            )),
            ..Answer::default()
        })
    }

    /// Notes answers to so many recordings.
    pub fn saw(&self, answers: &[Answer]) {
        for answer in answers {
            if answer.hung {
                self.hung.fetch_add(1, Ordering::Relaxed);
            } else if self.given_up().is_none() {
                self.hung.store(0, Ordering::Relaxed);
            }
        }
        let done = self.done.fetch_add(answers.len(), Ordering::Relaxed) + answers.len();
        (self.tell)(&Progress {
            detector: &self.detector,
            done,
            of: self.of,
            elapsed: self.started.elapsed(),
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(hung: bool) -> Answer {
        Answer {
            hung,
            ..Answer::default()
        }
    }

    #[test]
    fn three_in_a_row_are_enough_and_one_that_ends_begins_anew() {
        let patience = |keep_going| Patience::new("x".to_owned(), 9, keep_going, &|_| {});
        let one = patience(false);
        one.saw(&[
            answer(true),
            answer(true),
            answer(false),
            answer(true),
            answer(true),
        ]);
        assert!(one.given_up().is_none());
        one.saw(&[answer(true)]);
        assert!(
            one.given_up()
                .unwrap()
                .not_judged
                .unwrap()
                .contains("--keep-going")
        );
        let stubborn = patience(true);
        stubborn.saw(&[answer(true), answer(true), answer(true), answer(true)]);
        assert!(stubborn.given_up().is_none());
    }

    #[test]
    fn the_rest_takes_as_long_as_what_is_done() {
        let at = |done| Progress {
            detector: "x",
            done,
            of: 10,
            elapsed: Duration::from_secs(8),
        };
        assert_eq!(at(0).left(), None);
        assert_eq!(at(4).left(), Some(Duration::from_secs(12)));
        assert_eq!(at(10).left(), Some(Duration::ZERO));
    }
}
