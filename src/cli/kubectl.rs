//! kubectl, as a program on PATH: what it prints is kept in a folder before it is looked at.

use std::collections::BTreeMap;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::Context;

use super::{Exit, Failure};
use crate::cluster::{Fate, JobStatus, Pod, parse_job, parse_pods, parse_refusal};

/// Between looks at the pods.
const LOOK: Duration = Duration::from_secs(2);
/// A pod that waits for a person this long, with nothing else going on, ends the wait.
const STUCK: Duration = Duration::from_secs(60);
/// Answers that may fail in a row: an API server that restarts is back within a minute.
const FAILURES: u32 = 20;

/// Where to ask, and for what.
#[derive(Debug, Clone)]
pub struct Kubectl {
    /// The Jobs.
    pub jobs: Vec<String>,
    /// Their namespace.
    pub namespace: Option<String>,
    /// The cluster.
    pub context: Option<String>,
}

/// What is kept of a collection.
pub struct Kept {
    dir: PathBuf,
}

impl Kept {
    /// A folder: `pods/POD.json`, `jobs/JOB.json`, `events/JOB.json` of Jobs without pods,
    /// `logs/POD.log`, `logs/POD.part` of pods that still ran.
    pub fn new(dir: &Path) -> Self {
        Kept { dir: dir.into() }
    }

    /// All pods of all Jobs, and what the Jobs say of themselves.
    pub fn read(&self) -> anyhow::Result<(Vec<Pod>, BTreeMap<String, JobStatus>)> {
        let mut pods: BTreeMap<String, Pod> = BTreeMap::new();
        for path in json_files(&self.dir.join("pods"))? {
            let bytes = std::fs::read(&path)?;
            let read = parse_pods(&bytes).with_context(|| path.display().to_string())?;
            pods.extend(read.into_iter().map(|pod| (pod.name.clone(), pod)));
        }
        let mut jobs = BTreeMap::new();
        for path in json_files(&self.dir.join("jobs"))? {
            let bytes = std::fs::read(&path)?;
            let mut job = parse_job(&bytes).with_context(|| path.display().to_string())?;
            let name = path.file_stem().unwrap_or_default().to_string_lossy();
            let events = self.dir.join("events").join(format!("{name}.json"));
            if let (Ok(bytes), false) = (
                std::fs::read(&events),
                pods.values().any(|p| p.job == *name),
            ) {
                job.refused =
                    parse_refusal(&bytes).with_context(|| events.display().to_string())?;
            }
            jobs.insert(name.into_owned(), job);
        }
        Ok((pods.into_values().collect(), jobs))
    }

    /// A pod's log, as far as it was when the pod was last asked for it; empty where none was kept.
    pub fn log(&self, pod: &Pod) -> Vec<u8> {
        let read = |end: &str| std::fs::read(self.log_path(pod, end)).ok();
        read("log").or_else(|| read("part")).unwrap_or_default()
    }

    fn log_path(&self, pod: &Pod, end: &str) -> PathBuf {
        self.dir.join("logs").join(format!("{}.{end}", pod.name))
    }

    /// Keeps an answer.
    fn keep(&self, folder: &str, name: &str, bytes: &[u8]) -> anyhow::Result<()> {
        let path = self.dir.join(folder).join(name);
        std::fs::create_dir_all(self.dir.join(folder))
            .with_context(|| format!("can't make {}", self.dir.join(folder).display()))?;
        let partial = path.with_extension("partial");
        std::fs::write(&partial, bytes)
            .and_then(|()| std::fs::rename(&partial, &path))
            .with_context(|| format!("can't write {}", path.display()))
    }
}

fn json_files(dir: &Path) -> anyhow::Result<Vec<PathBuf>> {
    let Ok(entries) = std::fs::read_dir(dir) else {
        return Ok(Vec::new());
    };
    let mut files: Vec<PathBuf> = entries
        .map(|e| Ok(e?.path()))
        .collect::<std::io::Result<_>>()?;
    files.retain(|path| path.extension().is_some_and(|e| e == "json"));
    files.sort();
    Ok(files)
}

/// A list of pods as lists of one: (name, JSON).
fn split(list: &[u8]) -> anyhow::Result<Vec<(String, Vec<u8>)>> {
    let list: serde_json::Value =
        serde_json::from_slice(list).context("kubectl's list of pods is no JSON")?;
    let items = list["items"].as_array().into_iter().flatten();
    items
        .map(|item| {
            let name = item["metadata"]["name"].as_str().unwrap_or("unnamed");
            let one = serde_json::json!({ "items": [item] });
            Ok((name.to_string(), serde_json::to_vec_pretty(&one)?))
        })
        .collect()
}

impl Kubectl {
    fn ask(&self, arguments: &[&str]) -> anyhow::Result<Vec<u8>> {
        let mut command = Command::new("kubectl");
        if let Some(context) = &self.context {
            command.arg(format!("--context={context}"));
        }
        if let Some(namespace) = &self.namespace {
            command.arg(format!("--namespace={namespace}"));
        }
        let output = command.args(arguments).output().map_err(|error| {
            Failure::environment(format!("can't run kubectl: {error}; is it on PATH?"))
        })?;
        if !output.status.success() {
            let said = String::from_utf8_lossy(&output.stderr);
            return Err(self.refusal(arguments, said.trim()));
        }
        Ok(output.stdout)
    }

    /// What kubectl refused, with what to do about it.
    fn refusal(&self, arguments: &[&str], said: &str) -> anyhow::Error {
        let namespace = self.namespace.as_deref().unwrap_or("default");
        let (exit, hint) = if said.contains("(NotFound)") {
            let hint = format!(
                "apply the manifests first, or name another --namespace (this was {namespace}); \
                 `kubectl get jobs --all-namespaces` lists what there is"
            );
            (Exit::Usage, hint)
        } else if said.contains("context")
            && (said.contains("does not exist") || said.contains("not found for"))
        {
            let hint = "`kubectl config get-contexts` lists them".to_string();
            (Exit::Usage, hint)
        } else if said.contains("(Forbidden)") {
            let hint = format!(
                "collect needs `get` and `list` of jobs, pods and events and `get` of pods/log in \
                 namespace {namespace}"
            );
            (Exit::Environment, hint)
        } else if said.contains("onnect") || said.contains("refused") {
            let hint =
                "is the cluster up, and is this its context (`kubectl config current-context`)?";
            (Exit::Environment, hint.to_string())
        } else {
            (
                Exit::Environment,
                "the same command by hand may tell more".to_string(),
            )
        };
        // Before the last line stand its tries.
        let said = said.lines().last().unwrap_or("it said nothing");
        anyhow::Error::new(Failure {
            exit,
            message: format!("kubectl {}: {said}; {hint}", arguments.join(" ")),
        })
    }

    /// Waits until every index has come to its end, or `timeout`, and keeps all that there is.
    pub fn fetch(&self, kept: &Kept, timeout: Duration) -> anyhow::Result<()> {
        for job in &self.jobs {
            self.job(kept, job)?;
        }
        let start = Instant::now();
        let (mut said, mut changed, mut failures) = (String::new(), Instant::now(), 0);
        loop {
            match self.look(kept) {
                Ok((line, done, stuck)) => {
                    failures = 0;
                    if line != said {
                        writeln!(std::io::stderr(), "collect: {line}")?;
                        (said, changed) = (line, Instant::now());
                    }
                    if done || (stuck && changed.elapsed() > STUCK.min(timeout)) {
                        break;
                    }
                }
                // Rights don't come by waiting.
                Err(error) if failures >= FAILURES || error.to_string().contains("(Forbidden)") => {
                    return Err(error);
                }
                Err(error) => {
                    failures += 1;
                    log::warn!("{error:#}; trying again");
                }
            }
            if start.elapsed() > timeout {
                writeln!(std::io::stderr(), "collect: time is up (--timeout)")?;
                break;
            }
            std::thread::sleep(LOOK);
        }
        self.logs(kept)
    }

    /// A Job that is gone, as its time to live has it, is what it was when it was kept.
    fn job(&self, kept: &Kept, job: &str) -> anyhow::Result<()> {
        let file = format!("{job}.json");
        match self.ask(&["get", "job", job, "-o", "json"]) {
            Ok(answer) => kept.keep("jobs", &file, &answer),
            Err(error) if error.to_string().contains("(NotFound)") => {
                let known = kept.dir.join("jobs").join(file).exists();
                if !known {
                    return Err(error);
                }
                log::warn!("Job {job} is gone from the cluster; what was kept of it is judged");
                Ok(())
            }
            Err(error) => Err(error),
        }
    }

    /// One look at the pods: a line about them, whether all is over, whether somebody must help.
    fn look(&self, kept: &Kept) -> anyhow::Result<(String, bool, bool)> {
        for job in &self.jobs {
            self.job(kept, job)?;
            let selector = format!("--selector=job-name={job}");
            let answer = self.ask(&["get", "pods", &selector, "-o", "json"])?;
            // A file each: a pod that is gone from a later answer stays.
            for (name, one) in split(&answer)? {
                kept.keep("pods", &format!("{name}.json"), &one)?;
            }
            let pods = parse_pods(&answer)?;
            if pods.is_empty() {
                self.events(kept, job);
            }
            for pod in pods.iter().filter(|p| Fate::of(p).is_over()) {
                self.log(kept, pod)?;
            }
        }
        let (mut pods, mut jobs) = kept.read()?;
        // The folder may hold other Jobs, collected before.
        pods.retain(|pod| self.jobs.contains(&pod.job));
        jobs.retain(|job, _| self.jobs.contains(job));
        Ok(progress(&pods, &jobs))
    }

    /// Why a Job has no pods. It may be that nobody may ask, or that it is too early to know.
    fn events(&self, kept: &Kept, job: &str) {
        let selector =
            format!("--field-selector=involvedObject.kind=Job,involvedObject.name={job}");
        let answer = self.ask(&["get", "events", &selector, "-o", "json"]);
        let kept = answer.and_then(|answer| match parse_refusal(&answer)? {
            Some(_) => kept.keep("events", &format!("{job}.json"), &answer),
            None => Ok(()),
        });
        if let Err(error) = kept {
            log::info!("{error:#}");
        }
    }

    /// Keeps a pod's log: once and for all when the pod is over, else as far as it is.
    fn log(&self, kept: &Kept, pod: &Pod) -> anyhow::Result<()> {
        if kept.log_path(pod, "log").exists() {
            return Ok(());
        }
        let log = self.ask(&["logs", &pod.name, "--container=memtide"])?;
        let part = kept.log_path(pod, "part");
        if !Fate::of(pod).is_over() {
            return kept.keep("logs", &format!("{}.part", pod.name), &log);
        }
        // One that says less now was rotated meanwhile, or its node is going.
        let known = std::fs::metadata(&part).map_or(0, |m| m.len());
        if known <= log.len() as u64 {
            kept.keep("logs", &format!("{}.log", pod.name), &log)?;
            let _ = std::fs::remove_file(part);
        }
        Ok(())
    }

    /// The logs that were not there when their pods were looked at. One that can't be had is told
    /// and does not keep the others away.
    fn logs(&self, kept: &Kept) -> anyhow::Result<()> {
        let (pods, _) = kept.read()?;
        for pod in pods.iter().filter(|pod| self.jobs.contains(&pod.job)) {
            // What never began has none.
            let fate = Fate::of(pod);
            if fate.is_stuck() || fate == Fate::Pending {
                continue;
            }
            if let Err(error) = self.log(kept, pod) {
                log::warn!("{error:#}");
            }
        }
        Ok(())
    }
}

/// A line about the pods, whether all is over, whether somebody must help.
fn progress(pods: &[Pod], jobs: &BTreeMap<String, JobStatus>) -> (String, bool, bool) {
    let fates: Vec<(&Pod, Fate)> = pods.iter().map(|pod| (pod, Fate::of(pod))).collect();
    let mut done: Vec<(&str, Option<usize>)> = fates
        .iter()
        .filter(|(_, fate)| fate.is_over() && !fate.is_disruption())
        .map(|(pod, _)| (pod.job.as_str(), pod.index))
        .collect();
    done.sort_unstable();
    done.dedup();
    let all: usize = jobs.values().map(|job| job.completions).sum();
    let open = fates.iter().filter(|(_, fate)| !fate.is_over());
    let mut told: Vec<String> = open
        .map(|(pod, fate)| format!("{} {fate}", pod.scenario().unwrap_or(&pod.name)))
        .collect();
    let without = jobs
        .iter()
        .filter(|(job, _)| !pods.iter().any(|p| p.job == **job));
    let without: Vec<String> = without
        .filter_map(|(job, status)| Some(format!("{job}: {}", status.without_pod()?)))
        .collect();
    let waiting = fates.iter().any(|(_, fate)| !fate.is_over());
    let running = fates.iter().any(|(_, f)| *f == Fate::Running);
    let stuck = fates.iter().any(|(_, fate)| fate.is_stuck()) || !without.is_empty();
    // Of a Job that is over no more pods come, whatever indices it lacks.
    let over = !jobs.is_empty() && jobs.values().all(|job| job.over.is_some()) && !waiting;
    told.extend(without);
    let line = format!("{} of {all} done; {}", done.len(), told.join(", "));
    let line = line.trim_end_matches("; ").to_string();
    (line, done.len() >= all || over, stuck && !running)
}
