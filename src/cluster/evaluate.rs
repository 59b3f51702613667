//! From pods and their logs to the results that a local run would have given.

use std::collections::BTreeMap;

use super::fate::Fate;
use super::log::{Extract, extract};
use super::pods::Pod;
use super::status::JobStatus;
use crate::recording::{self, Footer, HarnessCost, Recording};
use crate::report::{self, RunResult, Verdict};
use crate::scenario::{self, Outcome, Overrides};

/// One completion index of one Job.
#[derive(Debug, Clone)]
pub struct Collected {
    /// The Job.
    pub job: String,
    /// The completion index.
    pub index: usize,
    /// The pod that was taken, and what became of it.
    pub pod: String,
    /// Its node.
    pub node: Option<String>,
    /// What became of it.
    pub fate: Fate,
    /// The recording's text, with a footer from the pod's status where it was cut by an OOM kill.
    pub recording: Option<Vec<u8>>,
    /// The same, read.
    pub read: Option<Recording>,
    /// The verdict.
    pub result: RunResult,
}

/// Judges every index. `log` gives a pod's log, empty where there is none; `jobs` says how many
/// indices each Job has, and why some may have no pod.
pub fn evaluate(
    pods: &[Pod],
    jobs: &BTreeMap<String, JobStatus>,
    log: impl Fn(&Pod) -> Vec<u8>,
) -> Vec<Collected> {
    let mut by_index: BTreeMap<(&str, usize), Vec<&Pod>> = BTreeMap::new();
    for pod in pods {
        by_index
            .entry((&pod.job, pod.index.unwrap_or(0)))
            .or_default()
            .push(pod);
    }
    let mut all = Vec::new();
    for ((job, index), tries) in &by_index {
        if let Some(pod) = best(tries) {
            all.push(one(job, *index, pod, &extract(&log(pod))));
        }
    }
    for (job, status) in jobs {
        let any = pods.iter().find(|pod| pod.job == *job);
        let none = |i: &usize| !by_index.contains_key(&(job.as_str(), *i));
        for index in (0..status.completions).filter(none) {
            let why = status.without_pod();
            let pod = Pod {
                job: job.clone(),
                index: Some(index),
                scenarios: any.map(|pod| pod.scenarios.clone()).unwrap_or_default(),
                phase: if why.is_some() { "" } else { "Pending" }.into(),
                message: why.unwrap_or_default(),
                ..Pod::default()
            };
            all.push(one(job, index, &pod, &extract(b"")));
        }
    }
    all.sort_by(|a, b| (&a.job, a.index).cmp(&(&b.job, b.index)));
    all
}

/// Of several tries the one that says most: a scenario's own end before a disruption, the newer
/// before the older.
fn best<'a>(tries: &[&'a Pod]) -> Option<&'a Pod> {
    tries.iter().copied().max_by_key(|pod| {
        let fate = Fate::of(pod);
        let own_end = fate.is_over() && !fate.is_disruption();
        (own_end, pod.created.clone(), pod.name.clone())
    })
}

fn one(job: &str, index: usize, pod: &Pod, log: &Extract) -> Collected {
    let fate = Fate::of(pod);
    let (text, read, result) = judge(pod, &fate, log);
    Collected {
        job: job.into(),
        index,
        pod: pod.name.clone(),
        node: pod.node.clone(),
        fate,
        recording: text,
        read,
        result,
    }
}

type Judged = (Option<Vec<u8>>, Option<Recording>, RunResult);

fn judge(pod: &Pod, fate: &Fate, log: &Extract) -> Judged {
    let name = format!("the log of pod {}", pod.name);
    if log.recording.is_empty() {
        return (None, None, without_recording(pod, fate, log));
    }
    let read = match recording::read_named(&log.recording, &name) {
        Ok(read) => read,
        Err(error) => return (None, None, failed(pod, error.to_string())),
    };
    let (text, read) = joined(read, fate, log, &name);
    let header = &read.header;
    let scenario = scenario::parse(&header.scenario_text, &name, &header.scenario);
    let mut result = match scenario {
        Ok(scenario) => report::analyze(&scenario, &read, None),
        Err(error) => return (Some(text), Some(read), failed(pod, error.to_string())),
    };
    if !read.complete {
        result.result = Verdict::Fail;
        result.reason = format!("the recording was cut: {fate}");
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
    let last = read.tables.iter().filter_map(|table| table.t.last()).max();
    let footer = Footer {
        t: last.copied().unwrap_or(0),
        outcome: Outcome::OomKilled,
        reason: fate.to_string(),
        counters: Vec::new(),
        harness: HarnessCost::default(),
    };
    text.extend_from_slice(recording::footer_line(&footer).as_bytes());
    match recording::read_named(&text, name) {
        Ok(joined) => (text, joined),
        Err(_) => (log.recording.clone(), read),
    }
}

/// A pod without a recording: skipped by memtide itself, or never got that far.
fn without_recording(pod: &Pod, fate: &Fate, log: &Extract) -> RunResult {
    if log.rotated {
        let why = "the log's beginning was rotated away by the kubelet (containerLogMaxSize); \
                   mount a volume and keep the recording there with --out DIR";
        return failed(pod, why.into());
    }
    let said = log.other.iter().rev().take(3).rev();
    let said = said.map(|line| line.trim()).collect::<Vec<_>>().join("; ");
    if *fate == Fate::Succeeded {
        let mut result = failed(pod, said);
        result.result = Verdict::Skip;
        return result;
    }
    let reason = match said.is_empty() {
        true => fate.to_string(),
        false => format!("{fate}; it said: {said}"),
    };
    failed(pod, reason)
}

fn failed(pod: &Pod, reason: String) -> RunResult {
    let name = pod.scenario().unwrap_or("unknown");
    let known = scenario::find(name).and_then(|entry| entry.parse(Overrides::default()).ok());
    let mut result = match known {
        Some(known) => report::skipped(&known, None, reason),
        None => report::unseen(name, reason),
    };
    result.result = Verdict::Fail;
    result
}
