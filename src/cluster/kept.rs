//! What a collection keeps in a folder: the API's answers as they were, before they are looked at.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use super::api::Source;
use super::evaluate::PodLog;
use super::events::newest_warning;
use super::job::{Job, parse_job};
use super::log::{Extract, extract};
use super::object::{ObjectError, filled, items};
use super::pods::{GONE, Pod, parse_pods};

/// A folder: `jobs/JOB.json` and `jobs/JOB.source` (where it was found), `pods/POD.json`,
/// `events/JOB.json` and `pod-events/POD.json` of what does not start, `logs/POD.log`,
/// `logs/POD.part` of a log that is not all, `logs/POD.lost` with the reason why it never will be.
/// What belonged to an earlier Job of the same name is below `earlier/`.
#[derive(Debug)]
pub struct Kept {
    dir: PathBuf,
}

/// What is kept can't be read, or not be written.
#[derive(Debug, thiserror::Error)]
pub enum KeptError {
    /// A file, and what it was for.
    #[error("can't {doing} {}: {source}", path.display())]
    File {
        /// `read`, `write`, `make`, `set aside`.
        doing: &'static str,
        /// The file or folder.
        path: PathBuf,
        /// What caused it.
        source: io::Error,
    },
    /// A file that is no answer of a cluster.
    #[error("{}: {source}", path.display())]
    Object {
        /// The file or folder.
        path: PathBuf,
        /// What caused it.
        source: ObjectError,
    },
}

fn doing(doing: &'static str, path: &Path) -> impl FnOnce(io::Error) -> KeptError {
    let path = path.to_path_buf();
    move |source| KeptError::File {
        doing,
        path,
        source,
    }
}

/// All that is known of some Jobs.
#[derive(Debug, Clone, Default)]
pub struct Snapshot {
    /// The Jobs.
    pub jobs: Vec<Job>,
    /// Their pods.
    pub pods: Vec<Pod>,
}

impl Kept {
    /// This folder.
    pub fn new(dir: &Path) -> Self {
        Kept { dir: dir.into() }
    }

    /// All pods of these Jobs, or of all, and what the Jobs say of themselves.
    ///
    /// # Errors
    /// When a file can't be read or is no answer of a cluster.
    pub fn read(&self, only: Option<&[String]>) -> Result<Snapshot, KeptError> {
        let wanted = |job: &str| only.is_none_or(|only| only.iter().any(|name| name == job));
        let mut found = Snapshot::default();
        for path in self.json_files("jobs")? {
            let mut job = parse_job(&read(&path)?).map_err(no_object(&path))?;
            job.name = stem(&path);
            job.gone = self.path("jobs", &job.name, "gone").exists();
            if wanted(&job.name) {
                found.jobs.push(job);
            }
        }
        for path in self.json_files("pods")? {
            let pods = parse_pods(&read(&path)?).map_err(no_object(&path))?;
            for mut pod in pods.into_iter().filter(|pod| wanted(&pod.job)) {
                let job = found.jobs.iter().find(|job| job.name == pod.job);
                if job.is_none_or(|job| pod.is_of(job.identity.uid.as_deref())) {
                    pod.hindrance =
                        self.warning("pod-events", "Pod", &pod.name, pod.uid.as_deref())?;
                    found.pods.push(pod);
                }
            }
        }
        for job in &mut found.jobs {
            let uid = job.identity.uid.clone();
            job.refused = self.warning("events", "Job", &job.name, uid.as_deref())?;
        }
        Ok(found)
    }

    fn warning(
        &self,
        folder: &str,
        kind: &str,
        name: &str,
        uid: Option<&str>,
    ) -> Result<Option<String>, KeptError> {
        let path = self.path(folder, name, "json");
        let Ok(bytes) = std::fs::read(&path) else {
            return Ok(None);
        };
        let found = newest_warning(&bytes, kind, name, uid).map_err(no_object(&path))?;
        Ok(found.map(|(reason, message)| match kind {
            "Job" => message,
            _ => format!("{reason}: {message}"),
        }))
    }

    /// A pod's log, as far as it was when the pod was last asked for it.
    pub fn log(&self, pod: &Pod) -> PodLog {
        let read = |end: &str| std::fs::read(self.path("logs", &pod.name, end)).ok();
        let lost = read("lost").map(|text| String::from_utf8_lossy(&text).trim().to_string());
        let kept = ["log", "part", "follow"].into_iter().filter_map(read);
        let mut best = Vec::new();
        for text in kept {
            if extract(&text).is_better_than(&extract(&best)) || best.is_empty() {
                best = text;
            }
        }
        PodLog { text: best, lost }
    }

    /// What is in the best text of its log, and whether that is known to be all.
    pub(super) fn extract(&self, pod: &Pod) -> (Extract, bool) {
        let last = self.path("logs", &pod.name, "log").exists();
        (extract(&self.log(pod).text), last)
    }

    fn path(&self, folder: &str, name: &str, end: &str) -> PathBuf {
        self.dir.join(folder).join(format!("{name}.{end}"))
    }

    /// Keeps an answer; a reader never sees half of it.
    pub(super) fn keep(
        &self,
        folder: &str,
        name: &str,
        end: &str,
        bytes: &[u8],
    ) -> Result<(), KeptError> {
        let (dir, path) = (self.dir.join(folder), self.path(folder, name, end));
        std::fs::create_dir_all(&dir).map_err(doing("make", &dir))?;
        let partial = self.path(folder, name, "partial");
        std::fs::write(&partial, bytes)
            .and_then(|()| std::fs::rename(&partial, &path))
            .map_err(doing("write", &path))
    }

    pub(super) fn forget(&self, folder: &str, name: &str, end: &str) {
        // What is not there need not be forgotten.
        let _ = std::fs::remove_file(self.path(folder, name, end));
    }

    /// The Job of this name that is kept, and where it was found.
    ///
    /// # Errors
    /// When what is kept can't be understood.
    pub fn job(&self, name: &str) -> Result<Option<(Job, Source)>, KeptError> {
        let path = self.path("jobs", name, "json");
        if !path.exists() {
            return Ok(None);
        }
        let mut job = parse_job(&read(&path)?).map_err(no_object(&path))?;
        job.name = name.into();
        job.gone = self.path("jobs", name, "gone").exists();
        let source = std::fs::read(self.path("jobs", name, "source")).unwrap_or_default();
        let mut source: Source = serde_json::from_slice(&source).unwrap_or_default();
        source.namespace = source.namespace.or(job.identity.namespace.clone());
        Ok(Some((job, source)))
    }

    /// Keeps a Job and where it was found.
    pub(super) fn keep_job(
        &self,
        name: &str,
        answer: &[u8],
        source: &Source,
    ) -> Result<(), KeptError> {
        // Strings only: there is nothing in it that JSON can't hold.
        let from = serde_json::to_vec(source).unwrap_or_default();
        self.keep("jobs", name, "source", &from)?;
        self.forget("jobs", name, "gone");
        self.keep("jobs", name, "json", answer)
    }

    /// Keeps a list of pods, a file each: a pod that is gone from a later answer stays, and where it
    /// had not come to its end that is noted.
    pub(super) fn keep_pods(&self, job: &Job, list: &[u8]) -> Result<(), KeptError> {
        let list_error = no_object(&self.dir);
        let items = items(list, "list of pods").map_err(list_error)?;
        let mut there = Vec::new();
        for item in items {
            // A file of that name is made: nothing but a name may be in it.
            let name = filled(&item["metadata"]["name"]).filter(|name| !name.contains('/'));
            let Some(name) = name else { continue };
            self.keep_pod(&name, item)?;
            there.push(name);
        }
        let known = self.read(Some(std::slice::from_ref(&job.name)))?;
        for pod in known.pods.iter().filter(|pod| !there.contains(&pod.name)) {
            if !matches!(pod.phase.as_str(), "Succeeded" | "Failed") && !pod.gone {
                self.mark_gone(pod)?;
            }
        }
        Ok(())
    }

    fn keep_pod(&self, name: &str, item: Value) -> Result<(), KeptError> {
        let list = json!({ "items": [item] });
        self.keep("pods", name, "json", format!("{list:#}\n").as_bytes())
    }

    fn mark_gone(&self, pod: &Pod) -> Result<(), KeptError> {
        let path = self.path("pods", &pod.name, "json");
        let list = items(&read(&path)?, "list of pods").map_err(no_object(&path))?;
        for mut item in list {
            item[GONE] = Value::Bool(true);
            self.keep_pod(&pod.name, item)?;
        }
        Ok(())
    }

    /// A file for what a pod says while it lives.
    pub(super) fn follow_file(&self, pod: &Pod) -> Result<File, KeptError> {
        let (dir, path) = (
            self.dir.join("logs"),
            self.path("logs", &pod.name, "follow"),
        );
        std::fs::create_dir_all(&dir).map_err(doing("make", &dir))?;
        File::create(&path).map_err(doing("write", &path))
    }

    /// Takes a new text of a pod's log in, if it says more than what there is. `last` makes it the
    /// log; until then it is a part.
    pub(super) fn take_log(&self, pod: &Pod, text: &[u8], last: bool) -> Result<(), KeptError> {
        let (new, old) = (extract(text), self.log(pod).text);
        let better = new.is_better_than(&extract(&old)) || old.is_empty();
        let best = if better && !new.is_empty() {
            text
        } else {
            &old
        };
        if best.is_empty() || extract(best).is_empty() {
            return Ok(());
        }
        self.keep("logs", &pod.name, if last { "log" } else { "part" }, best)?;
        if last {
            for end in ["part", "lost"] {
                self.forget("logs", &pod.name, end);
            }
        }
        Ok(())
    }

    /// What a stream brought becomes a part of the log.
    pub(super) fn take_followed(&self, pod: &Pod) -> Result<(), KeptError> {
        let path = self.path("logs", &pod.name, "follow");
        if let Ok(text) = std::fs::read(&path) {
            self.take_log(pod, &text, false)?;
            self.forget("logs", &pod.name, "follow");
        }
        Ok(())
    }

    /// Sets aside all that is kept of the Job of this name: it was another one. Gives the folder.
    ///
    /// # Errors
    /// When something can't be moved.
    pub fn set_aside(&self, name: &str) -> Result<PathBuf, KeptError> {
        let known = self.read(Some(&[name.to_string()]))?;
        let identity = known.jobs.first().map(|job| job.identity.clone());
        let id = identity.and_then(|id| id.uid.or(id.created));
        let id: String = id
            .unwrap_or_else(|| "unknown".into())
            .replace(['/', ':'], "");
        let to = self.dir.join("earlier").join(format!("{name}-{id}"));
        let one = |folder: &'static str, name: &str, ends: &[&str]| -> Vec<_> {
            let paths = ends.iter().map(|end| self.path(folder, name, end));
            paths.map(|path| (folder, path)).collect()
        };
        let mut all = one("jobs", name, &["json", "source", "gone"]);
        all.extend(one("events", name, &["json"]));
        for pod in self.pods_of(name)? {
            all.extend(one("pods", &pod, &["json"]));
            all.extend(one("pod-events", &pod, &["json"]));
            all.extend(one("logs", &pod, &["log", "part", "follow", "lost"]));
        }
        all.extend(
            self.recordings(name)
                .into_iter()
                .map(|path| ("recordings", path)),
        );
        for (folder, path) in all.iter().filter(|(_, path)| path.exists()) {
            let into = to.join(folder);
            std::fs::create_dir_all(&into).map_err(doing("make", &into))?;
            let file = path.file_name().unwrap_or_default();
            std::fs::rename(path, into.join(file)).map_err(doing("set aside", path))?;
        }
        Ok(to)
    }

    /// Every kept pod with this Job's name, whichever Job of that name made it.
    fn pods_of(&self, job: &str) -> Result<Vec<String>, KeptError> {
        let mut names = Vec::new();
        for path in self.json_files("pods")? {
            let pods = parse_pods(&read(&path)?).map_err(no_object(&path))?;
            names.extend(pods.into_iter().filter(|p| p.job == job).map(|p| p.name));
        }
        Ok(names)
    }

    /// The recordings that were taken out of a Job's logs: `JOB-INDEX-SCENARIO.jsonl`.
    pub fn recordings(&self, job: &str) -> Vec<PathBuf> {
        let Ok(entries) = std::fs::read_dir(self.dir.join("recordings")) else {
            return Vec::new();
        };
        let is = |path: &PathBuf| {
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            let rest = name.strip_prefix(job).and_then(|r| r.strip_prefix('-'));
            let rest = rest.and_then(|r| r.split_once('-'));
            rest.is_some_and(|(index, _)| {
                !index.is_empty() && index.bytes().all(|b| b.is_ascii_digit())
            })
        };
        entries.flatten().map(|e| e.path()).filter(is).collect()
    }

    fn json_files(&self, folder: &str) -> Result<Vec<PathBuf>, KeptError> {
        let dir = self.dir.join(folder);
        let Ok(entries) = std::fs::read_dir(&dir) else {
            return Ok(Vec::new());
        };
        let paths = entries
            .map(|e| Ok(e?.path()))
            .collect::<io::Result<Vec<_>>>();
        let mut files = paths.map_err(doing("read", &dir))?;
        files.retain(|path| path.extension().is_some_and(|e| e == "json"));
        files.sort();
        Ok(files)
    }
}

fn stem(path: &Path) -> String {
    path.file_stem()
        .unwrap_or_default()
        .to_string_lossy()
        .into_owned()
}

fn read(path: &Path) -> Result<Vec<u8>, KeptError> {
    std::fs::read(path).map_err(doing("read", path))
}

fn no_object(path: &Path) -> impl FnOnce(ObjectError) -> KeptError {
    let path = path.to_path_buf();
    move |source| KeptError::Object { path, source }
}
