//! Which detector fired when, as a chart and a table show it.

use serde::Serialize;

/// One detector's answer to one recording.
#[derive(Debug, Clone, PartialEq)]
pub struct Answer {
    /// The detector's name.
    pub detector: String,
    /// The recording's scenario.
    pub scenario: String,
    /// The recording's set-up; none where the scorecard doesn't say.
    pub setup: Option<String>,
    /// Recorded seconds from the start; none if it stayed quiet.
    pub fired: Option<f64>,
    /// The judgement in words: `hit`, `false alarm`, ...
    pub judgement: String,
    /// Whether the detector was right.
    pub right: bool,
}

/// A fire, as drawn on a chart.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Fire {
    /// The detector's name.
    pub detector: String,
    /// Seconds from the start.
    pub t: f64,
    /// The judgement in words.
    pub judgement: String,
    /// Whether firing then was right.
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

/// What of them is drawn.
pub fn fires<'a>(answers: impl Iterator<Item = &'a Answer>) -> Vec<Fire> {
    answers
        .filter_map(|a| {
            Some(Fire {
                detector: a.detector.clone(),
                t: a.fired?,
                judgement: a.judgement.clone(),
                right: a.right,
            })
        })
        .collect()
}
