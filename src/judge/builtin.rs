//! Runs a detector written in Rust over a feed.

use crate::detector::{Detector, Scrape, Verdict};

use super::answers::more_telling;
use super::feed::Feed;
use super::verdict::Answer;

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
