//! How far a step came, and why it stopped.

use crate::named::named;
use std::fmt;
use std::os::unix::process::ExitStatusExt;
use std::process::ExitStatus;

use serde::{Deserialize, Serialize};

named! {
    /// What a target is counted in.
    Unit, name {
        /// A size in bytes.
        Bytes = "bytes",
        /// Passes over a file.
        Passes = "passes",
        /// A time in milliseconds.
        Ms = "ms",
        /// Operations: files, commands, look-ups.
        Ops = "ops",
    }
}

/// Target and achieved. Whatever falls short of the target is a failure, not silence.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reached {
    /// What was asked for.
    pub target: u64,
    /// What was reached.
    pub achieved: u64,
    /// What both are counted in.
    pub unit: Unit,
    /// How much may be missing without the step having failed: 0 but for a rate held over a time.
    pub slack: u64,
}

impl Reached {
    /// Nothing may be missing.
    pub fn new(target: u64, achieved: u64, unit: Unit) -> Self {
        Reached {
            target,
            achieved,
            unit,
            slack: 0,
        }
    }

    /// Whether the target was reached.
    pub fn is_enough(&self) -> bool {
        self.achieved.saturating_add(self.slack) >= self.target
    }

    /// This far, and no further because of `reason`.
    pub fn failed(self, reason: impl fmt::Display) -> WorkError {
        WorkError::Failed {
            reached: self,
            reason: reason.to_string(),
        }
    }

    /// This far: the command that did it came to this end, of itself.
    pub fn ended(self, end: End, reason: impl fmt::Display) -> WorkError {
        WorkError::Ended {
            reached: self,
            end,
            reason: reason.to_string(),
        }
    }

    /// This far, because the kernel can't do it.
    pub fn skipped(self, reason: impl fmt::Display) -> WorkError {
        WorkError::Skipped {
            reached: self,
            reason: reason.to_string(),
        }
    }
}

impl fmt::Display for Reached {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Reached {
            target,
            achieved,
            unit,
            ..
        } = self;
        match unit {
            Unit::Bytes => {
                write!(
                    f,
                    "{} of {} ({achieved} of {target} bytes)",
                    crate::units::bytes(*achieved),
                    crate::units::bytes(*target)
                )
            }
            _ => write!(f, "{achieved} of {target} {}", unit.name()),
        }
    }
}

/// How a process ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum End {
    /// With this exit code.
    Code(i32),
    /// By this signal.
    Signal(i32),
}

impl From<ExitStatus> for End {
    fn from(status: ExitStatus) -> End {
        match (status.code(), status.signal()) {
            (Some(code), _) => End::Code(code),
            (None, signal) => End::Signal(signal.unwrap_or(0)),
        }
    }
}

/// Why a step did not reach its target.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum WorkError {
    /// Something went wrong.
    #[error("{reason}")]
    Failed {
        /// How far it came.
        reached: Reached,
        /// What happened and what to do about it.
        reason: String,
    },
    /// Its command ended, and nobody had told it to.
    #[error("{reason}")]
    Ended {
        /// How far it came.
        reached: Reached,
        /// How it ended: a SIGKILL is the container's affair, too.
        end: End,
        /// What happened and what to do about it.
        reason: String,
    },
    /// The kernel can't do it.
    #[error("skipped: {reason}")]
    Skipped {
        /// How far it came.
        reached: Reached,
        /// What the kernel lacks.
        reason: String,
    },
}
