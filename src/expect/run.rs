//! What is checked: a scenario and one run of it.

use crate::recording::Recording;
use crate::scenario::{Condition, Scenario};

/// A scenario and one run of it.
pub struct Run<'a> {
    pub scenario: &'a Scenario,
    pub recording: &'a Recording,
}

impl Run<'_> {
    /// Whether a condition holds on the recorded host.
    pub fn holds(&self, condition: &Condition) -> Result<(), String> {
        condition.holds(&self.recording.header.host)
    }
}
