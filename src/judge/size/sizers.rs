//! Right-sizers: scrapes in, a limit out.

use std::io;

use super::sample::Sample;
use super::{Known, Scored, krr, vpa};
use crate::export::cadvisor::Metric;
use crate::judge::feed::{self, Feed, Scraping};
use crate::judge::program::Program;

/// A way to a limit that is built in.
pub struct Sizer {
    /// Its name.
    pub name: &'static str,
    /// What it does, and whose it is.
    pub about: &'static str,
    limit: fn(&[Sample]) -> Option<f64>,
}

/// All of them: a new one is one line.
pub const SIZERS: &[Sizer] = &[
    Sizer {
        name: "vpa",
        about: "the vertical pod autoscaler's target: 90th percentile of daily peaks of working_set and 15 %, at least 250 MiB",
        limit: vpa::target,
    },
    Sizer {
        name: "krr",
        about: "KRR's simple strategy: the highest working_set and 15 %, at least 100 MB",
        limit: krr::limit,
    },
    Sizer {
        name: "max-working-set",
        about: "the highest working_set",
        limit: |samples| samples.iter().map(|s| s.working_set).reduce(f64::max),
    },
    Sizer {
        name: "max-rss",
        about: "the highest rss",
        limit: |samples| samples.iter().map(|s| s.rss).reduce(f64::max),
    },
    Sizer {
        name: "p95-plus-20%",
        about: "the 95th percentile of working_set and 20 %",
        limit: |samples| Some(percentile(samples, 0.95)? * 1.2),
    },
];

/// The smallest value that so large a share of the scrapes does not exceed.
fn percentile(samples: &[Sample], share: f64) -> Option<f64> {
    let mut values: Vec<f64> = samples.iter().map(|s| s.working_set).collect();
    values.sort_by(f64::total_cmp);
    let at = (share * values.len() as f64).ceil() as usize;
    values.get(at.saturating_sub(1)).copied()
}

/// What is scored.
pub enum Candidate {
    /// One of [`SIZERS`].
    BuiltIn(&'static Sizer),
    /// A program: scrapes as JSON Lines on stdin, at its end a number of bytes, or `{"limit": N}`, on
    /// stdout.
    Program(Program),
}

impl Candidate {
    /// As it is shown.
    pub fn name(&self) -> &str {
        match self {
            Candidate::BuiltIn(sizer) => sizer.name,
            Candidate::Program(program) => &program.command,
        }
    }

    /// Its limit for one recording, bytes; or why it gives none.
    ///
    /// # Errors
    /// A program that can't be run for reasons of ours.
    pub fn limit(&self, known: &Known<'_>, scraping: &Scraping) -> io::Result<Result<u64, String>> {
        let feed = Feed::new(&known.case.recording, scraping, &known.case.name);
        let said = match self {
            Candidate::BuiltIn(sizer) => {
                let limit = (sizer.limit)(&samples(&feed, known.case.recording.main_group()));
                limit.ok_or_else(|| "no scrape of it has what it needs".to_owned())
            }
            Candidate::Program(program) => {
                let mut text = Vec::new();
                feed::write(&mut text, &feed)?;
                program.say(&text)?.and_then(|said| number(&said))
            }
        };
        // A program sees sizes as they are dressed.
        let scale = scraping.dress.size_scale(&known.case.recording);
        let scale = scale.filter(|s| *s > 0.0).unwrap_or(1.0);
        Ok(said.map(|bytes| (bytes / scale).max(0.0) as u64))
    }
}

/// What the program said: the last line that is a number, or an object with one.
fn number(said: &str) -> Result<f64, String> {
    let lines = said.lines().rev().map(str::trim).filter(|l| !l.is_empty());
    let last = lines.take(1).next().unwrap_or("");
    let number = match serde_json::from_str::<serde_json::Value>(last) {
        Ok(serde_json::Value::Object(object)) => object.get("limit").and_then(|l| l.as_f64()),
        Ok(value) => value.as_f64(),
        Err(_) => crate::units::parse_bytes(last).ok().map(|n| n as f64),
    };
    // 2^63 bytes are more than the kernel takes for a limit.
    let number = number.filter(|n| (0.0..9e18).contains(n));
    number.ok_or_else(|| {
        format!("its last line is no number of bytes and no {{\"limit\": N}}: {last:?}")
    })
}

fn samples(feed: &Feed, group: usize) -> Vec<Sample> {
    let mut kills = 0.0;
    let rounds = feed.rounds.iter();
    rounds
        .filter_map(|round| {
            let (_, reading) = round.got.get(group)?.as_ref()?;
            let now = reading.get(Metric::OomEvents).unwrap_or(kills);
            let oom = now > kills;
            kills = now;
            Some(Sample {
                t: round.at,
                working_set: reading.get(Metric::WorkingSet)?,
                rss: reading.get(Metric::Rss)?,
                oom,
            })
        })
        .collect()
}

/// What one sizer said of one recording.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
pub struct Row {
    /// The recording.
    pub recording: String,
    /// The recommended limit, bytes.
    pub limit: Option<u64>,
    /// The need, bytes.
    pub need: u64,
    /// Why there is no limit.
    pub error: Option<String>,
    /// What came of running the scenario under the limit.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ran: Option<String>,
}

/// A sizer's score and what it said.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
pub struct SizerCard {
    /// Its errors.
    pub score: Scored,
    /// By recording.
    pub rows: Vec<Row>,
}

/// Asks one sizer about all recordings. `run` runs a scenario under a limit where that can be done.
///
/// # Errors
/// As [`Candidate::limit`].
pub fn score(
    candidate: &Candidate,
    known: &[Known<'_>],
    scraping: &Scraping,
    mut run: impl FnMut(&Known<'_>, u64) -> Option<String>,
) -> io::Result<SizerCard> {
    let mut card = SizerCard {
        score: Scored::new(candidate.name()),
        rows: Vec::new(),
    };
    for one in known {
        let said = candidate.limit(one, scraping)?;
        if let Ok(limit) = &said {
            card.score.add(one, *limit);
        }
        card.rows.push(Row {
            recording: one.case.name.clone(),
            limit: said.as_ref().ok().copied(),
            need: one.interval.fits,
            ran: said.as_ref().ok().and_then(|limit| run(one, *limit)),
            error: said.err(),
        });
    }
    Ok(card)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_percentile_is_a_value_that_was_seen() {
        let samples: Vec<Sample> = (1..=100)
            .map(|n| Sample {
                working_set: f64::from(n),
                ..Sample::default()
            })
            .collect();
        assert_eq!(percentile(&samples, 0.95), Some(95.0));
        assert_eq!(percentile(&samples[..1], 0.95), Some(1.0));
        assert_eq!(percentile(&[], 0.95), None);
    }

    #[test]
    fn a_programs_last_line_is_its_limit() {
        assert_eq!(number("thinking\n104857600\n"), Ok(104_857_600.0));
        assert_eq!(number("{\"limit\": 5}\n\n"), Ok(5.0));
        assert_eq!(number("100MiB"), Ok(104_857_600.0));
        for wrong in ["", "much", "-3", "1e30", "NaN", "{\"limt\": 5}", "[1]"] {
            assert!(number(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn names_are_told_apart() {
        let names: std::collections::BTreeSet<_> = SIZERS.iter().map(|s| s.name).collect();
        assert_eq!(names.len(), SIZERS.len());
    }
}
