//! kubectl, as a program on PATH: what it prints is kept in a folder before it is looked at.

use std::collections::BTreeMap;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::Context;

use super::Failure;
use crate::cluster::{Fate, Pod, parse_completions, parse_pods};

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
    /// A folder: `pods/POD.json`, `jobs/JOB.json`, `logs/POD.log`.
    pub fn new(dir: &Path) -> Self {
        Kept { dir: dir.into() }
    }

    /// All pods of all Jobs, and how many completions each Job has.
    pub fn read(&self) -> anyhow::Result<(Vec<Pod>, BTreeMap<String, usize>)> {
        let mut pods: BTreeMap<String, Pod> = BTreeMap::new();
        for path in json_files(&self.dir.join("pods"))? {
            let bytes = std::fs::read(&path)?;
            let read = parse_pods(&bytes).with_context(|| path.display().to_string())?;
            pods.extend(read.into_iter().map(|pod| (pod.name.clone(), pod)));
        }
        let mut completions = BTreeMap::new();
        for path in json_files(&self.dir.join("jobs"))? {
            let bytes = std::fs::read(&path)?;
            let count = parse_completions(&bytes).with_context(|| path.display().to_string())?;
            let name = path.file_stem().unwrap_or_default().to_string_lossy();
            completions.insert(name.into_owned(), count);
        }
        Ok((pods.into_values().collect(), completions))
    }

    /// A pod's log; empty where none was kept.
    pub fn log(&self, pod: &Pod) -> Vec<u8> {
        std::fs::read(self.dir.join("logs").join(format!("{}.log", pod.name))).unwrap_or_default()
    }

    /// Keeps an answer. One that says less than what is there is not taken: a pod that was removed
    /// since has no log any more.
    fn keep(&self, folder: &str, name: &str, bytes: &[u8]) -> anyhow::Result<()> {
        let path = self.dir.join(folder).join(name);
        std::fs::create_dir_all(self.dir.join(folder))?;
        let known = std::fs::metadata(&path).map_or(0, |m| m.len());
        if folder == "logs" && (bytes.len() as u64) < known {
            return Ok(());
        }
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
            return Err(Failure::environment(format!(
                "kubectl {}: {}",
                arguments.join(" "),
                said.trim()
            )));
        }
        Ok(output.stdout)
    }

    /// Waits until every index has come to its end, or `timeout`, and keeps all that there is.
    pub fn fetch(&self, kept: &Kept, timeout: Duration) -> anyhow::Result<()> {
        for job in &self.jobs {
            let answer = self.ask(&["get", "job", job, "-o", "json"])?;
            kept.keep("jobs", &format!("{job}.json"), &answer)?;
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
                Err(error) if failures >= FAILURES => return Err(error),
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

    /// One look at the pods: a line about them, whether all is over, whether somebody must help.
    fn look(&self, kept: &Kept) -> anyhow::Result<(String, bool, bool)> {
        for job in &self.jobs {
            let selector = format!("--selector=job-name={job}");
            let answer = self.ask(&["get", "pods", &selector, "-o", "json"])?;
            // A file each: a pod that is gone from a later answer stays.
            for (name, one) in split(&answer)? {
                kept.keep("pods", &format!("{name}.json"), &one)?;
            }
            for pod in parse_pods(&answer)?
                .iter()
                .filter(|p| Fate::of(p).is_over())
            {
                self.log(kept, pod)?;
            }
        }
        let (pods, completions) = kept.read()?;
        let fates: Vec<(&Pod, Fate)> = pods.iter().map(|pod| (pod, Fate::of(pod))).collect();
        let mut done: Vec<(&str, Option<usize>)> = fates
            .iter()
            .filter(|(_, fate)| fate.is_over() && !fate.is_disruption())
            .map(|(pod, _)| (pod.job.as_str(), pod.index))
            .collect();
        done.sort_unstable();
        done.dedup();
        let all: usize = completions.values().sum();
        let open = fates.iter().filter(|(_, fate)| !fate.is_over());
        let told: Vec<String> = open
            .map(|(pod, fate)| format!("{} {fate}", pod.scenario().unwrap_or(&pod.name)))
            .collect();
        let running = fates.iter().any(|(_, f)| *f == Fate::Running);
        let stuck = !running && fates.iter().any(|(_, fate)| fate.is_stuck());
        let line = format!("{} of {all} done; {}", done.len(), told.join(", "));
        let line = line.trim_end_matches("; ").to_string();
        Ok((line, done.len() >= all, stuck))
    }

    fn log(&self, kept: &Kept, pod: &Pod) -> anyhow::Result<()> {
        if !kept.log(pod).is_empty() {
            return Ok(());
        }
        let log = self.ask(&["logs", &pod.name, "--container=memtide"])?;
        kept.keep("logs", &format!("{}.log", pod.name), &log)
    }

    /// The logs that were not there when their pods were looked at. One that can't be had is told
    /// and does not keep the others away.
    fn logs(&self, kept: &Kept) -> anyhow::Result<()> {
        let (pods, _) = kept.read()?;
        for pod in pods {
            if let Err(error) = self.log(kept, &pod) {
                log::warn!("{error:#}");
            }
        }
        Ok(())
    }
}
