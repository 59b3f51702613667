//! Runs a detector written in Rust over a feed.

use crate::detector::{BuiltIn, Detector, Scrape, Verdict};
use crate::export::cadvisor::METRICS;

use super::answers::more_telling;
use super::feed::Feed;
use super::verdict::Answer;

/// What a built-in makes of a feed; not judged where no scrape has anything it looks at: it could not
/// have fired, whatever happened.
pub fn answer(detector: &BuiltIn, feed: &Feed) -> Answer {
    let mut got = feed.rounds.iter().flat_map(|round| &round.got).flatten();
    if got.any(|(_, reading)| detector.reads.iter().any(|m| reading.get(*m).is_some())) {
        return run(&detector.new, feed);
    }
    let names: Vec<&str> = detector
        .reads
        .iter()
        .map(|m| METRICS[*m as usize].name)
        .collect();
    Answer {
        not_judged: Some(format!("nothing here has {}", names.join(", "))),
        ..Answer::default()
    }
}

/// Feeds each container's scrapes to its own instance. The pod's own series is left out, as
/// `container!=""` does in rules.
pub fn run(new: &dyn Fn() -> Box<dyn Detector>, feed: &Feed) -> Answer {
    let mut detectors: Vec<Option<Box<dyn Detector>>> = feed
        .pages
        .labels
        .iter()
        .map(|labels| (!labels.container.is_empty()).then(new))
        .collect();
    let mut answer = Answer::default();
    for round in &feed.rounds {
        for (group, got) in round.got.iter().enumerate() {
            let (Some(detector), Some((sampled, reading))) = (&mut detectors[group], got) else {
                continue;
            };
            let verdict = detector.observe(&Scrape {
                t: round.at,
                timestamp_ms: feed.pages.timestamp_ms(*sampled),
                labels: &feed.pages.labels[group],
                reading: *reading,
            });
            match verdict {
                Verdict::Fire(class) if answer.fired_at.is_none() => {
                    answer.fired_at = Some(round.at);
                    answer.class = class;
                }
                Verdict::Quiet(class) if answer.fired_at.is_none() => {
                    answer.class = more_telling(answer.class, class);
                }
                Verdict::Fire(_) | Verdict::Quiet(_) => {}
            }
        }
    }
    answer
}
