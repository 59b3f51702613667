//! The shards of a fleet that an Indexed Job ran: each in its pod's log, joined into what one machine
//! would have said.

use super::counts::given_up;
use super::evaluate::{Collected, PodLog};
use super::fate::Fate;
use super::job::Job;
use super::log::extract;
use super::object::FLEET;
use crate::fleet::{MergeError, Tallies, merge, read_shard};
use crate::report::{self, RunResult, Verdict};

/// What a log that holds a shard is worth; none where it holds none.
pub(super) fn of(
    job: &Job,
    index: usize,
    fate: &Fate,
    log: &PodLog,
) -> Option<(Option<Tallies>, RunResult)> {
    let line = extract(&log.text).shard?;
    let said = |verdict, reason: String| {
        let mut result = report::unseen(FLEET, reason);
        result.result = verdict;
        result
    };
    let shard = match read_shard(&String::from_utf8_lossy(&line)) {
        Ok(shard) => shard,
        Err(error) => return Some((None, said(Verdict::Fail, error.to_string()))),
    };
    let (this, of) = (shard.shard.index, shard.shard.of);
    let wrong = match fate {
        Fate::Succeeded => given_up(job, index),
        _ => Some(format!("the shard is there, but its pod {fate}")),
    };
    let wrong = wrong.or_else(|| {
        ((this, of) != (index as u64, job.completions as u64)).then(|| {
            format!(
                "the log holds shard {this} of {of}, and this is index {index} of a Job of {}: \
                 MEMTIDE_SHARDS must be the Job's completions",
                job.completions
            )
        })
    });
    Some(match wrong {
        Some(reason) => (None, said(Verdict::Fail, reason)),
        None => {
            let (pods, fleet) = (shard.pods(), &shard.fleet);
            let reason = format!(
                "shard {this} of {of}: {pods} of {} pods of {}",
                fleet.pods, fleet.title
            );
            (Some(shard), said(Verdict::Pass, reason))
        }
    })
}

/// The fleet of each Job that ran one: joined, or why it can't be.
pub fn fleets(collected: &[Collected]) -> Vec<(String, Result<Tallies, MergeError>)> {
    let mut jobs: Vec<&str> = Vec::new();
    for one in collected.iter().filter(|one| one.result.scenario == FLEET) {
        if !jobs.contains(&one.job.as_str()) {
            jobs.push(&one.job);
        }
    }
    let joined = |job: &str| {
        let of = collected.iter().filter(|one| one.job == job);
        merge(of.filter_map(|one| one.shard.clone()).collect())
    };
    jobs.iter()
        .map(|job| ((*job).to_owned(), joined(job)))
        .collect()
}
