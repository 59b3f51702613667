//! Puts every detector before every case, on as many threads as asked for.

use std::io;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::detector::BuiltIn;

use super::builtin;
use super::corpus::{Case, Corpus};
use super::feed::{self, Feed, Scraping};
use super::program::Program;
use super::rules::{Rules, RulesError};
use super::scorecard::{DetectorCard, FORMAT, Row, Scorecard, row};
use super::verdict::Answer;

/// A detector to be judged.
pub enum Candidate {
    /// One that comes with memtide.
    BuiltIn(&'static BuiltIn),
    /// A program.
    Program(Program),
    /// Prometheus alert rules, under the name shown.
    Rules(String, Rules),
}

impl Candidate {
    /// The name in scorecards.
    pub fn name(&self) -> String {
        match self {
            Candidate::BuiltIn(detector) => detector.name.to_owned(),
            Candidate::Program(program) => program.command.clone(),
            Candidate::Rules(name, _) => name.clone(),
        }
    }
}

/// Why the judge could not do its own part.
#[derive(Debug, thiserror::Error)]
pub enum PanelError {
    /// promtool.
    #[error(transparent)]
    Rules(#[from] RulesError),
    /// A detector's process could not be set up.
    #[error("cannot run the detector {command:?} on {recording}: {source}")]
    Program {
        /// Its command line.
        command: String,
        /// On which recording.
        recording: String,
        /// Why.
        source: io::Error,
    },
}

/// Judges all candidates on all cases. `progress` is told each finished piece of work.
pub fn judge(
    candidates: &[Candidate],
    corpus: &Corpus,
    scraping: &Scraping,
    threads: usize,
    progress: &(dyn Fn(&str) + Sync),
) -> Result<Scorecard, PanelError> {
    let feeds = spread(&corpus.cases, threads, |case| {
        Ok::<_, PanelError>(Feed::new(&case.recording, scraping, &case.name))
    })?;
    let mut detectors = Vec::new();
    for candidate in candidates {
        let rows = rows(candidate, &corpus.cases, &feeds, scraping, threads)?;
        progress(&candidate.name());
        detectors.push(DetectorCard::new(candidate.name(), rows));
    }
    Ok(Scorecard {
        format: FORMAT.to_owned(),
        memtide: env!("CARGO_PKG_VERSION").to_owned(),
        scrape_interval_s: scraping.interval_s,
        realism_seed: scraping.realism.map(|r| r.seed),
        time_scale: scraping.time_scale,
        detectors,
        skipped: corpus
            .skipped
            .iter()
            .map(|s| (s.name.clone(), s.reason.clone()))
            .collect(),
    })
}

fn rows(
    candidate: &Candidate,
    cases: &[Case],
    feeds: &[Feed],
    scraping: &Scraping,
    threads: usize,
) -> Result<Vec<Row>, PanelError> {
    let pairs: Vec<(&Case, &Feed)> = cases.iter().zip(feeds).collect();
    let answers = match candidate {
        Candidate::BuiltIn(detector) => spread(&pairs, threads, |(_, feed)| {
            Ok::<_, PanelError>(builtin::run(&detector.new, feed))
        })?,
        Candidate::Program(program) => {
            spread(&pairs, threads, |(case, feed)| ask(program, case, feed))?
        }
        Candidate::Rules(_, rules) => {
            // One promtool a batch: few starts, and still every thread has something to do.
            let size = feeds.len().div_ceil(threads.max(1)).clamp(1, 32);
            let batches: Vec<&[Feed]> = feeds.chunks(size).collect();
            let answers = spread(&batches, threads, |batch| {
                rules.run(batch, scraping.interval_s)
            })?;
            answers.into_iter().flatten().collect()
        }
    };
    Ok(pairs
        .into_iter()
        .zip(answers)
        .map(|((case, feed), answer)| row(case, feed.pages.time_scale(), feed.pages.end(), answer))
        .collect())
}

fn ask(program: &Program, case: &Case, feed: &Feed) -> Result<Answer, PanelError> {
    let mut text = Vec::new();
    feed::write(&mut text, feed)
        .and_then(|()| program.run(&text, feed.pages.end()))
        .map_err(|source| PanelError::Program {
            command: program.command.clone(),
            recording: case.name.clone(),
            source,
        })
}

/// Does the work for every item on `threads` threads; results in the items' order, or the first
/// error.
pub fn spread<'a, T: Sync, R: Send, E: Send>(
    items: &'a [T],
    threads: usize,
    work: impl Fn(&'a T) -> Result<R, E> + Sync,
) -> Result<Vec<R>, E> {
    let next = AtomicUsize::new(0);
    let done: Mutex<Vec<(usize, Result<R, E>)>> = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for _ in 0..threads.clamp(1, items.len().max(1)) {
            scope.spawn(|| {
                loop {
                    let i = next.fetch_add(1, Ordering::Relaxed);
                    let Some(item) = items.get(i) else { break };
                    let result = work(item);
                    // Only a panic in another thread poisons it, and that ends the scope anyway.
                    if let Ok(mut done) = done.lock() {
                        done.push((i, result));
                    }
                }
            });
        }
    });
    let mut done = done.into_inner().unwrap_or_else(|e| e.into_inner());
    done.sort_by_key(|(i, _)| *i);
    done.into_iter().map(|(_, result)| result).collect()
}
