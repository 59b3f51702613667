//! Whether a run's numbers are what its scenario says they must be.
//!
//! Works on any recording, on any machine. How an expectation is judged when the run did not go as
//! it was written down:
//!
//! | what happened | result |
//! |---|---|
//! | its `when` does not hold on the recorded host | not here, with the reason |
//! | a step it looks at was skipped (the kernel can't do it) | not here, with the reason |
//! | no sample has such a row, or the formula has no value from the rows, and no `when` excuses it | **fail** |
//! | the recording was cut before the step ended | not here |
//! | the run ended early in a way the scenario allows (an OOM kill), before the step ended | not here |
//! | the run ended early in any other way, or the step missed its target | **fail** |
//! | a row that is there in other samples is missing in this one | **fail** |
//!
//! A step that is under way when its actor is killed can be looked at with `during`: its span then
//! ends with the actor. `at = "end"` is the last sample, after all actors have ended. *Not here* is never a pass: it is counted and shown with its reason.

mod expectation;
mod moment;
mod outcome;
mod run;
mod text;
mod value;

pub use text::claim;
pub use value::{Source, value};

use crate::recording::Recording;
use crate::scenario::Scenario;

/// One claim and what became of it.
#[derive(Debug, Clone, PartialEq)]
pub struct Checked {
    /// The claim as a sentence: "after `read twice`, rss is at most 3% of the limit".
    pub text: String,
    /// Why it holds, in the scenario's words.
    pub why: String,
    /// What was expected: "at most 7.7 MiB".
    pub expected: String,
    /// What was seen: "3.2 MiB", or what was there instead of a number.
    pub seen: String,
    /// Pass, fail, or not judged here.
    pub result: CheckResult,
    /// The expected value (the bound, or the middle of what is near enough), where it is a number.
    pub expected_value: Option<i64>,
    /// The value that was seen, where it is a number.
    pub seen_value: Option<i64>,
}

/// What became of a claim.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CheckResult {
    /// It holds.
    Pass,
    /// It does not.
    Fail,
    /// It is not made for this machine or this run; why.
    NotHere(String),
}

impl Checked {
    /// Whether the claim was judged and found wrong.
    pub fn failed(&self) -> bool {
        self.result == CheckResult::Fail
    }
}

/// Checks the outcome, then every expectation, in the scenario's order.
///
/// The scenario must be the one that was recorded (its text is in the recording's header), read with
/// the same overrides.
pub fn evaluate(scenario: &Scenario, recording: &Recording) -> Vec<Checked> {
    let run = run::Run {
        scenario,
        recording,
    };
    let expectations = scenario.expectations.iter().map(|e| run.expectation(e));
    std::iter::once(outcome::check(&run))
        .chain(expectations)
        .collect()
}

#[cfg(test)]
mod tests;
