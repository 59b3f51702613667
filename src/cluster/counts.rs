//! Whether what was recorded may count for an index: a pass has to be held by every word that there
//! is, the Job's, the pod's and the recording's own.

use super::fate::Fate;
use super::job::Job;
use super::pods::Pod;
use super::progress::is_decided;
use crate::report::Verdict;
use crate::scenario::{self, Outcome};

/// What is known of a recording.
#[derive(Debug, Clone, Copy)]
pub(super) struct Recorded<'a> {
    /// Its footer is there.
    pub complete: bool,
    /// How the kernel left the containers, by the footer.
    pub outcome: Option<Outcome>,
    /// The scenario of its header.
    pub scenario: &'a str,
    /// The memtide that made it.
    pub memtide: &'a str,
    /// What it says by itself.
    pub verdict: Verdict,
    /// Why a log was not all there.
    pub lost: Option<&'a str>,
}

/// Why a recording does not count, whatever it says by itself; none where it does. One that fell short
/// by itself is left to its own words where nothing worse is known.
pub(super) fn objection(
    job: &Job,
    index: usize,
    pods: &[&Pod],
    (fate, expected): (&Fate, Option<&str>),
    recorded: Recorded<'_>,
) -> Option<String> {
    not_decided(job, index, pods, fate)
        .or_else(|| not_all(fate, recorded))
        .or_else(|| another(index, expected, recorded.scenario))
        .or_else(|| {
            let good = recorded.verdict != Verdict::Fail;
            good.then(|| other_end(job, index, fate, recorded))?
        })
}

/// What is wrong with an index whatever its pod's recording says.
fn not_decided(job: &Job, index: usize, pods: &[&Pod], fate: &Fate) -> Option<String> {
    if job.completed.contains(index) && *fate != Fate::Succeeded {
        return Some(format!(
            "the recording is lost: the Job completed index {index} with a pod that is gone; what is \
             left is another try: {fate}"
        ));
    }
    if is_decided(job, index, pods) || !fate.is_disruption() {
        return None;
    }
    Some(match &job.over {
        Some(over) => format!("{fate}; the Job ended before it was tried again: {over}"),
        None if job.gone => format!("{fate}; the Job was deleted before it was tried again"),
        None => format!("{fate}; the Job has not come to its end with index {index}"),
    })
}

fn not_all(fate: &Fate, recorded: Recorded<'_>) -> Option<String> {
    if recorded.complete {
        return None;
    }
    Some(match fate {
        Fate::Succeeded => {
            let why = recorded.lost.unwrap_or("its log ends before it");
            format!("the recording's end is lost: {why}")
        }
        _ => format!("the recording was cut: {fate}"),
    })
}

/// A log that holds another scenario's recording is not this index's, whoever wrote it. Files of one's
/// own have names that can't be told from a command line.
fn another(index: usize, expected: Option<&str>, scenario: &str) -> Option<String> {
    let expected = expected.filter(|name| *name != scenario && scenario::find(name).is_some())?;
    Some(format!(
        "the recording is lost: the log holds one of {scenario}, and index {index} is {expected}"
    ))
}

/// Why the pod of an index does not count though it succeeded.
pub(super) fn given_up(job: &Job, index: usize) -> Option<String> {
    job.failed
        .contains(index)
        .then(|| format!("the Job gave index {index} up, though this pod of it succeeded"))
}

/// A pod's end that does not go with a recording as expected.
fn other_end(job: &Job, index: usize, fate: &Fate, recorded: Recorded<'_>) -> Option<String> {
    match fate {
        Fate::Succeeded => given_up(job, index),
        Fate::OomKilled(_) if recorded.outcome == Some(Outcome::OomKilled) => None,
        // It is memtide's own word that something fell short: the collector is another version.
        Fate::Exited(code) => Some(format!(
            "the pod ended with exit {code}, though its recording (memtide {}) is as expected by \
             memtide {}",
            recorded.memtide,
            env!("CARGO_PKG_VERSION")
        )),
        _ => Some(format!(
            "{fate}, though its recording is whole and as expected"
        )),
    }
}
