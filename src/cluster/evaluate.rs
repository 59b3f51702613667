//! From Jobs, pods and their logs to the results that a local run would have given.

use super::counts::{self, Recorded};
use super::fate::Fate;
use super::job::Job;
use super::kept::Snapshot;
use super::log::{Extract, extract};
use super::pods::Pod;
use super::progress::pods_of;
use super::shard;
use crate::fleet::Tallies;
use crate::recording::{self, Footer, HarnessCost, Recording};
use crate::report::{self, RunResult, Verdict};
use crate::scenario::{self, Outcome, Overrides};

/// What there is of a pod's log.
#[derive(Debug, Clone, Default)]
pub struct PodLog {
    /// Its text, as far as it could be had.
    pub text: Vec<u8>,
    /// Why it is not all there, where that is known.
    pub lost: Option<String>,
}

/// One completion index of one Job.
#[derive(Debug, Clone)]
pub struct Collected {
    /// The Job.
    pub job: String,
    /// The completion index.
    pub index: usize,
    /// The pod that was taken; empty where there was none.
    pub pod: String,
    /// Its node.
    pub node: Option<String>,
    /// What became of it; none where there was no pod.
    pub fate: Option<Fate>,
    /// Pods of this index that are not the one that was taken, and what became of them.
    pub others: Vec<(String, Fate)>,
    /// The recording's text, with a footer from the pod's status where it was cut by an OOM kill.
    pub recording: Option<Vec<u8>>,
    /// The same, read.
    pub read: Option<Recording>,
    /// Of a fleet's Job: its shard.
    pub shard: Option<Tallies>,
    /// The verdict.
    pub result: RunResult,
}

impl Collected {
    /// Its fate in words.
    pub fn fate(&self) -> String {
        self.fate
            .as_ref()
            .map_or_else(|| "no pod".into(), Fate::to_string)
    }

    /// The other tries in words; empty where there was one only.
    pub fn tries(&self) -> String {
        let others = self.others.iter().map(|(_, fate)| fate.to_string());
        let others: Vec<String> = others.collect();
        match others.is_empty() {
            true => String::new(),
            false => format!(
                "tried {} times; the others: {}",
                others.len() + 1,
                others.join("; ")
            ),
        }
    }
}

/// Judges every index. `log` gives what there is of a pod's log.
pub fn evaluate(snapshot: &Snapshot, log: impl Fn(&Pod) -> PodLog) -> Vec<Collected> {
    let mut jobs = snapshot.jobs.clone();
    // Pods whose Job was not kept: all that is known of it is what its pods say.
    for pod in &snapshot.pods {
        let index = pod.index.unwrap_or(0);
        match jobs.iter_mut().find(|job| job.name == pod.job) {
            Some(job) => {
                job.completions = job.completions.max(index + 1);
                if job.scenarios.is_empty() {
                    job.scenarios.clone_from(&pod.scenarios);
                }
            }
            None => jobs.push(Job {
                name: pod.job.clone(),
                // Each pod's command line has all scenarios: those without a pod are missing.
                completions: pod.scenarios.len().max(index + 1),
                scenarios: pod.scenarios.clone(),
                over: Some("nothing is kept of it".into()),
                ..Job::default()
            }),
        }
    }
    jobs.sort_by(|a, b| a.name.cmp(&b.name));
    let mut all = Vec::new();
    for job in &jobs {
        // A scenario without an index never runs, and nobody else would say so.
        let named = if job.picks { job.scenarios.len() } else { 0 };
        // A Job of no index at all is one thing that never ran, and not nothing to be judged.
        for index in 0..job.completions.max(named).max(1) {
            all.push(one(job, index, &snapshot.pods, &log));
        }
    }
    all
}

fn one(job: &Job, index: usize, pods: &[Pod], log: &impl Fn(&Pod) -> PodLog) -> Collected {
    let pods = pods_of(pods, &job.name, index);
    let pod = best(job, index, &pods).filter(|_| !job.unindexed);
    let (shard, (text, read, result)) = match pod {
        Some(pod) => {
            let log = log(pod);
            match shard::of(job, index, &Fate::of(pod), &log) {
                Some((shard, result)) => (shard, (None, None, result)),
                None => (None, judge(job, index, &pods, pod, &log)),
            }
        }
        None => (None, (None, None, without_pod(job, index))),
    };
    let others = pods
        .iter()
        .filter(|p| pod.is_some_and(|pod| pod.name != p.name));
    Collected {
        job: job.name.clone(),
        index,
        pod: pod.map(|pod| pod.name.clone()).unwrap_or_default(),
        node: pod.and_then(|pod| pod.node.clone()),
        fate: pod.map(Fate::of),
        others: others.map(|p| (p.name.clone(), Fate::of(p))).collect(),
        recording: text,
        read,
        shard,
        result,
    }
}

/// Of several tries the one that the Job counts: the one that succeeded; then a scenario's own end
/// before a disruption, the newer before the older.
fn best<'a>(job: &Job, index: usize, tries: &[&'a Pod]) -> Option<&'a Pod> {
    tries.iter().copied().max_by_key(|pod| {
        let fate = Fate::of(pod);
        let own_end = fate.is_over() && !fate.is_disruption();
        let counted = fate == Fate::Succeeded && !job.failed.contains(index);
        (counted, own_end, pod.created.clone(), pod.name.clone())
    })
}

type Judged = (Option<Vec<u8>>, Option<Recording>, RunResult);

fn judge(job: &Job, index: usize, pods: &[&Pod], pod: &Pod, log: &PodLog) -> Judged {
    let (fate, found) = (Fate::of(pod), extract(&log.text));
    let scenario = pod.scenario().or(job.scenario(index));
    let failing = |reason: String| failed(scenario, reason);
    let name = format!("the log of pod {}", pod.name);
    if found.recording.is_empty() {
        let counts = !job.failed.contains(index);
        let result = without_recording(scenario, (&fate, counts), &found, log);
        return (None, None, result);
    }
    let read = match recording::read_named(&found.recording, &name) {
        Ok(read) => read,
        Err(error) => return (None, None, failing(error.to_string())),
    };
    let (text, read) = joined(read, &fate, &found, &name);
    let header = &read.header;
    let parsed = scenario::parse(&header.scenario_text, &name, &header.scenario);
    let mut result = match parsed {
        Ok(scenario) => report::analyze(&scenario, &read, None),
        Err(error) => return (Some(text), Some(read), failing(error.to_string())),
    };
    let recorded = Recorded {
        complete: read.complete,
        outcome: read.footer.as_ref().map(|footer| footer.outcome),
        scenario: &header.scenario,
        memtide: &header.memtide,
        verdict: result.result,
        lost: log.lost.as_deref(),
    };
    if let Some(reason) = counts::objection(job, index, pods, (&fate, scenario), recorded) {
        result.result = Verdict::Fail;
        result.reason = reason;
    }
    (Some(text), Some(read), result)
}

/// A recording that an OOM kill of the whole container cut gets the footer that memtide could not
/// write any more.
fn joined(read: Recording, fate: &Fate, log: &Extract, name: &str) -> (Vec<u8>, Recording) {
    let mut text = log.recording.clone();
    let Fate::OomKilled(_) = fate else {
        return (text, read);
    };
    if read.complete {
        return (text, read);
    }
    let footer = Footer {
        t: read.last_sample().unwrap_or(0),
        outcome: Outcome::OomKilled,
        reason: fate.to_string(),
        containers: Vec::new(),
        counters: Vec::new(),
        harness: HarnessCost::default(),
    };
    text.extend_from_slice(recording::footer_line(&footer).as_bytes());
    match recording::read_named(&text, name) {
        Ok(joined) => (text, joined),
        Err(_) => (log.recording.clone(), read),
    }
}

/// A pod without a recording: skipped by memtide itself, or never got that far, or its log is gone.
fn without_recording(
    scenario: Option<&str>,
    (fate, counts): (&Fate, bool),
    found: &Extract,
    log: &PodLog,
) -> RunResult {
    if found.rotated {
        let why = "the log's beginning was rotated away by the kubelet (containerLogMaxSize); \
                   mount a volume and keep the recording there with --out DIR";
        return failed(scenario, why.into());
    }
    let ended_well = *fate == Fate::Succeeded;
    // One that skipped another scenario has said nothing of this one.
    let skipped = found.skipped();
    let skipped =
        skipped.filter(|(name, _)| scenario.is_none_or(|scenario| stem(scenario) == *name));
    if let (true, Some((_, reason))) = (ended_well && counts, skipped) {
        let mut result = failed(scenario, reason.to_string());
        result.result = Verdict::Skip;
        return result;
    }
    let said = found.other.iter().rev().take(3).rev();
    let said = said.map(|line| line.trim()).collect::<Vec<_>>().join("; ");
    let lost = log
        .lost
        .as_deref()
        .or(found.refused.first().map(String::as_str));
    let mut reason = match ended_well {
        true => format!("the recording is lost: the pod {fate}, and its log does not hold it"),
        false => fate.to_string(),
    };
    if !said.is_empty() {
        reason.push_str(&format!("; it said: {said}"));
    }
    if let Some(lost) = lost {
        reason.push_str(&format!("; its log could not be had: {lost}"));
    }
    failed(scenario, reason)
}

fn without_pod(job: &Job, index: usize) -> RunResult {
    let reason = if job.completions == 0 {
        "nothing ran: the Job has no completion index (completions: 0)".into()
    } else if job.picks && index >= job.completions {
        format!(
            "it never runs: the Job names {named} scenarios and has completions: {}; set completions: {named}",
            job.completions,
            named = job.scenarios.len()
        )
    } else if job.unindexed {
        "the Job is not Indexed, so its pods can't be told apart; set completionMode: Indexed"
            .into()
    } else if job.completed.contains(index) {
        "the recording is lost: the Job completed this index with a pod that is gone".into()
    } else if job.failed.contains(index) {
        "the Job gave this index up, and its pods are gone".into()
    } else {
        job.hindrance()
            .unwrap_or_else(|| "pending: no pod was made yet".into())
    };
    failed(job.scenario(index), reason)
}

/// A scenario's name, where a command line names its file.
fn stem(scenario: &str) -> &str {
    let file = scenario.rsplit('/').next().unwrap_or(scenario);
    file.strip_suffix(".toml").unwrap_or(file)
}

fn failed(scenario: Option<&str>, reason: String) -> RunResult {
    let name = scenario.unwrap_or("unknown");
    let known = scenario::find(name).and_then(|entry| entry.parse(Overrides::default()).ok());
    let mut result = match known {
        Some(known) => report::skipped(&known, None, reason),
        None => report::unseen(name, reason),
    };
    result.result = Verdict::Fail;
    result
}

/// Whether a collection is what CI may call green: something was recorded, and nothing fell short. What
/// was skipped everywhere has shown nothing.
pub fn as_expected(collected: &[Collected]) -> bool {
    let any = |verdict| collected.iter().any(|one| one.result.result == verdict);
    any(Verdict::Pass) && !any(Verdict::Fail)
}
