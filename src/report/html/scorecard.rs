//! Which detector fired when, as a chart and a table show it.

use serde::Serialize;

/// One detector's answer to one recording. As JSON it is what a chart draws of it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Answer {
    /// The detector's name.
    pub detector: String,
    /// The recording's scenario.
    #[serde(skip)]
    pub scenario: String,
    /// The recording's set-up; none where the scorecard doesn't say.
    #[serde(skip)]
    pub setup: Option<String>,
    /// Recorded seconds from the start; none if it stayed quiet.
    #[serde(rename = "t")]
    pub fired: Option<f64>,
    /// The judgement in words: `hit`, `false alarm`, ...
    pub judgement: String,
    /// Whether the detector was right.
    pub right: bool,
}

/// The answers to the recording of `scenario` on `setup`.
pub fn answers_to<'a>(
    answers: &'a [Answer],
    scenario: &'a str,
    setup: &'a str,
) -> impl Iterator<Item = &'a Answer> {
    answers
        .iter()
        .filter(move |a| a.scenario == scenario && a.setup.as_deref().is_none_or(|s| s == setup))
}
