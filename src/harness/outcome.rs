//! How a run ended, from the kernel's counters and the steps' results.

use crate::recording::StepResult;
use crate::scenario::Outcome;

/// What is known when the last actor is gone.
#[derive(Debug, Default)]
pub struct Facts {
    /// A process was killed by the kernel's OOM killer.
    pub oom_killed: bool,
    /// The deadline passed.
    pub timed_out: bool,
    /// `memory.events` `high` rose while steps stood still.
    pub throttled: bool,
    /// Ctrl-C or TERM.
    pub interrupted: bool,
    /// How a recorded command ended.
    pub exit: Option<std::process::ExitStatus>,
    /// Steps that did not reach their target, in words.
    pub failed: Vec<String>,
    /// Workers that ended before their last step, in words.
    pub lost: Vec<String>,
}

impl Facts {
    /// Notes how a step went.
    pub fn step(&mut self, name: &str, result: &StepResult) {
        if let StepResult::Failed(why) = result {
            self.failed.push(format!("{name}: {why}"));
        }
    }

    /// The outcome and a sentence.
    pub fn outcome(&self) -> (Outcome, String) {
        if self.interrupted {
            return (Outcome::Failed, "interrupted".into());
        }
        if self.oom_killed {
            return (
                Outcome::OomKilled,
                "the kernel's OOM killer ended a process".into(),
            );
        }
        if self.throttled {
            return (
                Outcome::Throttled,
                "stalled at memory.high until the end".into(),
            );
        }
        if self.timed_out {
            return (Outcome::TimedOut, "the deadline passed".into());
        }
        if let Some(first) = self.failed.iter().chain(&self.lost).next() {
            return (Outcome::Failed, first.clone());
        }
        (Outcome::Survived, "all steps were done".into())
    }
}
