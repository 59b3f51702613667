//! Puts every detector before every case, on as many threads as asked for.

use std::io;

use crate::detector::BuiltIn;

use super::builtin;
use super::corpus::{Case, Corpus};
use super::feed::{self, Feed, Scraping};
use super::patience::{Patience, Progress};
use super::prepare::Prepared;
use super::program::Program;
use super::rules::Rules;
use super::rules_error::RulesError;
use super::scorecard::{DetectorCard, FORMAT, Scorecard, row};
use super::spread::spread;
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
    /// A rule file that can't be judged.
    #[error(transparent)]
    Rules(#[from] RulesError),
    /// A detector's process could not be set up.
    #[error("cannot run the detector {command:?} on {recording}: {source}")]
    Program {
        /// Its command line.
        command: String,
        /// On which recording.
        recording: String,
        /// What caused it.
        source: io::Error,
    },
}

/// How to judge.
pub struct Manner<'a> {
    /// How recordings are scraped.
    pub scraping: &'a Scraping,
    /// Recordings at a time.
    pub threads: usize,
    /// Ask on, however often a detector hangs.
    pub keep_going: bool,
    /// Is called with how far each detector is.
    pub progress: &'a (dyn Fn(&Progress) + Sync),
}

/// Judges all candidates on all cases. `progress` is called with each finished detector.
pub fn judge(
    candidates: &[Candidate],
    corpus: &Corpus,
    scraping: &Scraping,
    threads: usize,
    progress: &(dyn Fn(&str) + Sync),
) -> Result<Scorecard, PanelError> {
    let tell = |one: &Progress| {
        if one.done == one.of {
            progress(one.detector);
        }
    };
    let manner = Manner {
        scraping,
        threads,
        keep_going: false,
        progress: &tell,
    };
    judge_so(candidates, corpus, &manner)
}

/// Judges all candidates on all cases, in this manner.
pub fn judge_so(
    candidates: &[Candidate],
    corpus: &Corpus,
    manner: &Manner,
) -> Result<Scorecard, PanelError> {
    let scraping = manner.scraping;
    let feeds = spread(&corpus.cases, manner.threads, |case| {
        Ok::<_, PanelError>(Feed::new(&case.recording, scraping, &case.name))
    })?;
    let mut detectors = Vec::new();
    for candidate in candidates {
        detectors.push(card(candidate, &corpus.cases, &feeds, manner)?);
    }
    Ok(Scorecard {
        format: FORMAT.to_owned(),
        memtide: env!("CARGO_PKG_VERSION").to_owned(),
        scrape_interval_s: scraping.interval_s,
        realism_seed: scraping.realism.map(|r| r.seed),
        time_scale: scraping.time_scale,
        set: scraping.dress.labels.clone(),
        scale_to: scraping.dress.scale_to,
        detectors,
        skipped: corpus
            .skipped
            .iter()
            .map(|s| (s.name.clone(), s.reason.clone()))
            .collect(),
    })
}

fn card(
    candidate: &Candidate,
    cases: &[Case],
    feeds: &[Feed],
    manner: &Manner,
) -> Result<DetectorCard, PanelError> {
    let pairs: Vec<(&Case, &Feed)> = cases.iter().zip(feeds).collect();
    let name = candidate.name();
    let patience = Patience::new(
        name.clone(),
        pairs.len(),
        manner.keep_going,
        manner.progress,
    );
    let mut notes = Vec::new();
    let answers = match candidate {
        Candidate::BuiltIn(detector) => spread(&pairs, manner.threads, |(_, feed)| {
            let answer = builtin::answer(detector, feed);
            patience.saw(std::slice::from_ref(&answer));
            Ok::<_, PanelError>(answer)
        })?,
        Candidate::Program(program) => spread(&pairs, manner.threads, |(case, feed)| {
            if let Some(given_up) = patience.given_up() {
                return Ok(given_up);
            }
            let answer = ask(program, case, feed)?;
            patience.saw(std::slice::from_ref(&answer));
            Ok::<_, PanelError>(answer)
        })?,
        Candidate::Rules(_, rules) => {
            let prepared = Prepared::new(rules, feeds, manner.scraping.interval_s)?;
            notes = prepared.notes(feeds);
            rule_answers(&prepared, feeds, manner.threads, &patience)?
        }
    };
    let rows = pairs
        .into_iter()
        .zip(answers)
        .map(|((case, feed), answer)| row(case, feed.pages.time_scale(), feed.pages.end(), answer))
        .collect();
    Ok(DetectorCard::new(name, rows, notes))
}

/// More recordings are not given to one promtool.
const BATCH_MAX: usize = 16;

/// One promtool a batch: few starts, and still every thread has something to do. The first
/// recording goes alone, as the next does where it hung: rules that take forever are found out soon.
fn rule_answers(
    prepared: &Prepared,
    feeds: &[Feed],
    threads: usize,
    patience: &Patience,
) -> Result<Vec<Answer>, PanelError> {
    let run = |from: usize, batch: &[Feed]| -> Result<Vec<Answer>, PanelError> {
        if let Some(given_up) = patience.given_up() {
            return Ok(vec![given_up; batch.len()]);
        }
        let answers = prepared.run(from, batch)?;
        patience.saw(&answers);
        Ok(answers)
    };
    let mut answers: Vec<Answer> = Vec::new();
    while answers.len() < feeds.len().min(3) {
        let at = answers.len();
        let one = run(at, &feeds[at..=at])?;
        let hung = one.iter().any(|answer| answer.hung);
        answers.extend(one);
        if !hung {
            break;
        }
    }
    let rest = &feeds[answers.len()..];
    let size = rest.len().div_ceil(threads.max(1)).clamp(1, BATCH_MAX);
    let batches: Vec<(usize, &[Feed])> = rest
        .chunks(size)
        .enumerate()
        .map(|(nth, batch)| (answers.len() + nth * size, batch))
        .collect();
    let more = spread(&batches, threads, |(from, batch)| run(*from, batch))?;
    answers.extend(more.into_iter().flatten());
    Ok(answers)
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
