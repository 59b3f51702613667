//! From what a detector did with one recording to one verdict.

use serde::{Deserialize, Serialize};

use crate::named::named;
use crate::scenario::Class;

use super::truth::Truth;
use super::why::Why;

/// What a detector did with one recording. Times are in detector seconds.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Answer {
    /// When it first fired.
    pub fired_at: Option<f64>,
    /// The class it gave: at its first fire, else the last one it named.
    pub class: Option<Class>,
    /// Why its answer can't be taken for one.
    pub error: Option<String>,
    /// Whether that is because it had not ended in time.
    pub hung: bool,
    /// Why it was not asked, or could not have fired whatever happened.
    pub not_judged: Option<String>,
    /// On what it fired.
    pub why: Option<Why>,
}

named! {
    /// How right that was.
    #[derive(Serialize, Deserialize)]
    #[serde(rename_all = "snake_case")]
    Judgement, words {
        /// Fired between onset and OOM kill.
        Hit = "hit",
        /// Stayed quiet as it should.
        Quiet = "quiet as it should",
        /// Fired after the OOM kill.
        Late = "late",
        /// Never fired although it should have.
        Miss = "miss",
        /// Fired before the onset: whoever was woken found nothing.
        Early = "false alarm (early)",
        /// Fired although nothing was wrong.
        FalseAlarm = "false alarm",
        /// Died, hung, flooded or wrote something that is no answer.
        Error = "error",
        /// It could not have fired here, or was not asked: says nothing about it.
        NotJudged = "not judged",
    }
}

impl Judgement {
    /// Whether it counts for or against the detector.
    pub fn counts(self) -> bool {
        self != Judgement::NotJudged
    }

    /// Whether the detector was right.
    pub fn is_right(self) -> bool {
        matches!(self, Judgement::Hit | Judgement::Quiet)
    }
}

/// What was right, in detector seconds.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Window {
    /// Whether firing is right.
    pub fire: bool,
    /// From when; 0 where firing is never right.
    pub onset_s: f64,
    /// When the OOM kill came.
    pub oom_s: Option<f64>,
    /// When the recording ends.
    pub end_s: f64,
}

impl Window {
    /// The truth in detector time: `scale` seconds a recorded second.
    pub fn new(truth: &Truth, scale: f64, end_s: f64) -> Self {
        let seconds = |ns: u64| ns as f64 / 1e9 * scale;
        Window {
            fire: truth.fire,
            onset_s: if truth.fire {
                seconds(truth.onset_ns)
            } else {
                0.0
            },
            oom_s: truth.oom_ns.map(seconds),
            end_s,
        }
    }

    /// Until when firing is right: the OOM kill, or the end.
    pub fn until(&self) -> f64 {
        self.oom_s.unwrap_or(self.end_s)
    }
}

/// Judges an answer. The first fire decides: a person who was woken for nothing was woken.
pub fn judge(window: &Window, answer: &Answer) -> Judgement {
    if answer.not_judged.is_some() {
        return Judgement::NotJudged;
    }
    if answer.error.is_some() {
        return Judgement::Error;
    }
    match (window.fire, answer.fired_at) {
        (false, None) => Judgement::Quiet,
        (false, Some(_)) => Judgement::FalseAlarm,
        (true, None) => Judgement::Miss,
        (true, Some(t)) if t < window.onset_s => Judgement::Early,
        (true, Some(t)) if t > window.until() => Judgement::Late,
        (true, Some(_)) => Judgement::Hit,
    }
}

/// Seconds between a hit and the OOM kill.
pub fn lead(window: &Window, answer: &Answer) -> Option<f64> {
    if judge(window, answer) != Judgement::Hit {
        return None;
    }
    Some(window.oom_s? - answer.fired_at?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_window_from_onset_to_oom_decides() {
        let leak = Window {
            fire: true,
            onset_s: 100.0,
            oom_s: Some(500.0),
            end_s: 600.0,
        };
        let at = |t: Option<f64>| Answer {
            fired_at: t,
            ..Answer::default()
        };
        assert_eq!(judge(&leak, &at(Some(99.0))), Judgement::Early);
        assert_eq!(judge(&leak, &at(Some(100.0))), Judgement::Hit);
        assert_eq!(judge(&leak, &at(Some(500.0))), Judgement::Hit);
        assert_eq!(judge(&leak, &at(Some(501.0))), Judgement::Late);
        assert_eq!(judge(&leak, &at(None)), Judgement::Miss);
        assert_eq!(lead(&leak, &at(Some(200.0))), Some(300.0));
        assert_eq!(lead(&leak, &at(Some(501.0))), None);
        let healthy = Window {
            fire: false,
            oom_s: None,
            ..leak
        };
        assert_eq!(judge(&healthy, &at(None)), Judgement::Quiet);
        assert_eq!(judge(&healthy, &at(Some(100.0))), Judgement::FalseAlarm);
        let died = Answer {
            fired_at: Some(200.0),
            error: Some("killed".into()),
            ..Answer::default()
        };
        assert_eq!(judge(&leak, &died), Judgement::Error);
        let not_asked = Answer {
            not_judged: Some("too short".into()),
            ..died
        };
        assert_eq!(judge(&leak, &not_asked), Judgement::NotJudged);
    }

    #[test]
    fn two_judgements_are_right_and_one_counts_for_nothing() {
        let all = |is: fn(Judgement) -> bool| Judgement::ALL.into_iter().filter(move |j| is(*j));
        assert!(all(Judgement::is_right).eq([Judgement::Hit, Judgement::Quiet]));
        assert!(all(|j| !j.counts()).eq([Judgement::NotJudged]));
    }
}
