//! Waiting for Jobs: looks again and again, keeps what there is, and knows when nothing more comes.

use std::collections::{HashMap, HashSet};
use std::time::{Duration, Instant};

use super::api::{Api, Following, Refusal, RefusalKind, Source};
use super::fate::Fate;
use super::job::{Job, parse_job};
use super::kept::{Kept, KeptError, Snapshot};
use super::log::extract;
use super::object::ObjectError;
use super::pods::{Pod, parse_pods};
use super::progress::{Look, is_decided, pods_of};

/// Between looks.
const LOOK: Duration = Duration::from_secs(2);
/// Where nothing tells an address, there is no cluster rather than one that is away for a while.
const START: Duration = Duration::from_secs(6);
/// How often a log that is not all there is asked for again once its pod has ended.
const LOG_TRIES: u32 = 5;
/// Pods whose logs are followed at the same time: each is a process.
const FOLLOWED: usize = 64;
/// A pod that is pending for so many looks is asked for its events.
const PENDING: u32 = 2;

/// How long to wait.
#[derive(Debug, Clone, Copy)]
pub struct Pace {
    /// At most this long in all.
    pub timeout: Duration,
    /// Where nothing runs and nothing changes, only this long.
    pub patience: Duration,
}

/// How the waiting came to its end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ended {
    /// All is decided.
    Decided,
    /// The cluster had these Jobs no more when they were first asked for: what there is of them was kept
    /// before, and is no news.
    Gone(Vec<String>),
    /// Somebody has to help.
    NothingChanges,
    /// The time is up.
    TimeIsUp,
    /// The cluster refuses to go on; what was kept until then can be judged.
    Refused(Refusal),
}

/// A collection that can't be begun, or not be kept.
#[derive(Debug, thiserror::Error)]
pub enum CollectError {
    /// What the cluster refused.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// What can't be kept.
    #[error(transparent)]
    Kept(#[from] KeptError),
}

/// How a log was asked for.
#[derive(Debug)]
struct Tries {
    count: u32,
    /// Its length the last time, bytes.
    length: usize,
    since: Instant,
}

/// A cluster that refuses, and what of it was said.
#[derive(Debug)]
struct Away {
    kind: RefusalKind,
    since: Instant,
    said: Vec<RefusalKind>,
}

impl Away {
    /// Takes a refusal in; tells whether there was none of its kind since the last answer.
    fn take(away: &mut Option<Away>, kind: RefusalKind) -> bool {
        let now = Instant::now();
        let away = away.get_or_insert(Away {
            kind,
            since: now,
            said: Vec::new(),
        });
        if away.kind != kind {
            (away.kind, away.since) = (kind, now);
        }
        let new = !away.said.contains(&kind);
        away.said.extend(new.then_some(kind));
        new
    }
}

/// Waits for some Jobs.
pub struct Collection<'a> {
    api: &'a dyn Api,
    kept: &'a Kept,
    jobs: &'a [String],
    pace: Pace,
    say: &'a mut dyn FnMut(&str),
    source: Source,
    /// Jobs that the cluster has no more.
    gone: HashSet<String>,
    streams: HashMap<String, (Pod, Box<dyn Following>)>,
    /// By pod: how its log was asked for.
    tries: HashMap<String, Tries>,
    /// Pods whose logs are as good as they get.
    settled: HashSet<String>,
    /// By pod: looks at which it was pending.
    pending: HashMap<String, u32>,
}

impl<'a> Collection<'a> {
    /// Of `jobs`, kept in a folder; `say` is given a line for each change.
    pub fn new(
        api: &'a dyn Api,
        kept: &'a Kept,
        jobs: &'a [String],
        pace: Pace,
        say: &'a mut dyn FnMut(&str),
    ) -> Self {
        Collection {
            api,
            kept,
            jobs,
            pace,
            say,
            source: Source::default(),
            gone: HashSet::new(),
            streams: HashMap::new(),
            tries: HashMap::new(),
            settled: HashSet::new(),
            pending: HashMap::new(),
        }
    }

    /// Waits until every index has come to its end, and keeps all that there is.
    ///
    /// # Errors
    /// When a Job is not there, the cluster can't be reached at the start, or nothing can be kept.
    pub fn run(mut self) -> Result<Ended, CollectError> {
        self.source = self.api.source();
        for job in self.jobs {
            self.first(job)?;
        }
        let mut gone: Vec<String> = self.gone.iter().cloned().collect();
        gone.sort();
        let ended = self.wait()?;
        self.last_words()?;
        Ok(match ended {
            Ended::Decided if !gone.is_empty() => Ended::Gone(gone),
            ended => ended,
        })
    }

    fn wait(&mut self) -> Result<Ended, CollectError> {
        let start = Instant::now();
        let pause = LOOK.min(self.pace.patience / 4);
        let (mut key, mut changed) = (None, Instant::now());
        let mut away: Option<Away> = None;
        loop {
            match self.look() {
                Ok(look) => {
                    if away.take().is_some() {
                        (self.say)("the cluster answers again");
                        changed = Instant::now();
                    }
                    if key.as_ref() != Some(&look.key) {
                        (self.say)(&look.line);
                        (key, changed) = (Some(look.key.clone()), Instant::now());
                    }
                    if look.done && self.logs_are_settled()? {
                        return Ok(Ended::Decided);
                    }
                    let patience = (self.pace.patience + look.backoff).min(self.pace.timeout);
                    if look.stuck && changed.elapsed() > patience {
                        let seconds = patience.as_secs();
                        (self.say)(&format!("nothing has changed for {seconds} s (--patience)"));
                        return Ok(Ended::NothingChanges);
                    }
                }
                Err(CollectError::Refused(refusal)) => {
                    if Away::take(&mut away, refusal.kind) {
                        (self.say)(&format!("trying again: {refusal}"));
                    }
                    let since = away.as_ref().map(|away| away.since.elapsed());
                    let since = since.unwrap_or_default();
                    // Rights don't come by waiting, but may come back with the server that has them.
                    if refusal.kind == RefusalKind::NoProgram
                        || (!refusal.kind.may_pass() && since > self.pace.patience)
                    {
                        return Ok(Ended::Refused(refusal));
                    }
                }
                Err(error) => return Err(error),
            }
            if start.elapsed() > self.pace.timeout {
                (self.say)("time is up (--timeout)");
                return Ok(Ended::TimeIsUp);
            }
            std::thread::sleep(pause);
        }
    }

    /// Whether the Job is there; one that is gone, as its time to live has it, is what it was when it
    /// was kept, if it was kept of this very place.
    fn first(&mut self, name: &str) -> Result<(), CollectError> {
        let start = Instant::now();
        // An address that does not answer may do so in a while; a wrong one never will.
        let patience = match self.source.server {
            Some(_) => self.pace.patience,
            None => START.min(self.pace.patience),
        };
        let mut away = None;
        let answer = loop {
            match self.api.job(name) {
                Err(refusal)
                    if refusal.kind == RefusalKind::Unreachable
                        && start.elapsed() < patience.min(self.pace.timeout) =>
                {
                    if Away::take(&mut away, refusal.kind) {
                        (self.say)(&format!("trying again: {refusal}"));
                    }
                }
                answer => break answer,
            }
            std::thread::sleep(LOOK.min(patience / 4));
        };
        if away.is_some() {
            // Which namespace it is could not be told before.
            self.source = self.api.source();
        }
        match answer {
            Ok(answer) => self.take_job(name, &answer),
            Err(refusal) if refusal.kind == RefusalKind::NotFound => {
                self.first_without(name, refusal)
            }
            Err(refusal) => Err(refusal.into()),
        }
    }

    fn first_without(&mut self, name: &str, refusal: Refusal) -> Result<(), CollectError> {
        match self.kept.job(name)? {
            Some((job, from)) if from.is(&self.source) => {
                let made = job.identity.created.unwrap_or_else(|| "some time ago".into());
                (self.say)(&format!(
                    "Job {name} is gone from the cluster; what was kept of the one made {made} is judged"
                ));
                self.is_gone(name)
            }
            Some((_, from)) => Err(Refusal {
                message: format!(
                    "{refusal}; what is kept here of a Job {name} is of {from}, and is not judged as \
                     this one's"
                ),
                ..refusal
            }
            .into()),
            None => Err(refusal.into()),
        }
    }

    fn is_gone(&mut self, name: &str) -> Result<(), CollectError> {
        self.gone.insert(name.to_string());
        Ok(self.kept.keep("jobs", name, "gone", b"")?)
    }

    /// Keeps a Job. One of the same name that is another Job is set aside before.
    fn take_job(&mut self, name: &str, answer: &[u8]) -> Result<(), CollectError> {
        let job = parse_job(answer).map_err(not_understood)?;
        if let Some((known, _)) = self.kept.job(name)?
            && !known.identity.is(&job.identity)
        {
            self.end_streams()?;
            self.tries.clear();
            self.settled.clear();
            self.pending.clear();
            let aside = self.kept.set_aside(name)?;
            (self.say)(&format!(
                "Job {name} is a new one; what was kept of the earlier one is in {}",
                aside.display()
            ));
        }
        Ok(self.kept.keep_job(name, answer, &self.source)?)
    }

    /// One look at all Jobs and pods; everything that has ended is kept.
    fn look(&mut self) -> Result<Look, CollectError> {
        let jobs = self.jobs;
        for name in jobs.iter() {
            if self.gone.contains(name) {
                continue;
            }
            let mut gone = false;
            match self.api.job(name) {
                Ok(answer) => self.take_job(name, &answer)?,
                Err(refusal) if refusal.kind == RefusalKind::NotFound => gone = true,
                Err(refusal) => return Err(refusal.into()),
            }
            self.look_at_pods(name)?;
            if gone {
                (self.say)(&format!(
                    "Job {name} was deleted while it was waited for; what there is of it is judged"
                ));
                self.is_gone(name)?;
            }
        }
        let snapshot = self.kept.read(Some(jobs))?;
        for pod in &snapshot.pods {
            let fate = Fate::of(pod);
            if fate.is_over() {
                self.end_stream(&pod.name)?;
                self.settle(pod)?;
            } else if matches!(fate, Fate::Running | Fate::Ending(_)) {
                self.follow(pod)?;
            }
        }
        Ok(Look::at(&snapshot))
    }

    fn look_at_pods(&mut self, name: &str) -> Result<(), CollectError> {
        let answer = match self.api.pods(name) {
            Ok(answer) => answer,
            Err(refusal) if refusal.kind == RefusalKind::NotFound => br#"{"items":[]}"#.to_vec(),
            Err(refusal) => return Err(refusal.into()),
        };
        parse_pods(&answer).map_err(not_understood)?;
        let Some((job, _)) = self.kept.job(name)? else {
            return Ok(());
        };
        self.kept.keep_pods(&job, &answer)?;
        let snapshot = self.kept.read(Some(std::slice::from_ref(&job.name)))?;
        self.ask_why_none(&job, &snapshot)?;
        for pod in &snapshot.pods {
            self.ask_why_not(pod)?;
        }
        Ok(())
    }

    /// Why a Job makes no pods. It may be that nobody may ask, or that it is too early to know.
    fn ask_why_none(&mut self, job: &Job, snapshot: &Snapshot) -> Result<(), CollectError> {
        let open = snapshot.pods.iter().any(|pod| !Fate::of(pod).is_over());
        let undecided = (0..job.completions)
            .any(|index| !is_decided(job, index, &pods_of(&snapshot.pods, &job.name, index)));
        if open || !undecided || job.over.is_some() {
            self.kept.forget("events", &job.name, "json");
            return Ok(());
        }
        self.keep_events("events", "Job", &job.name)
    }

    fn ask_why_not(&mut self, pod: &Pod) -> Result<(), CollectError> {
        if !matches!(Fate::of(pod), Fate::Pending | Fate::Hindered(_)) {
            self.pending.remove(&pod.name);
            return Ok(());
        }
        let looks = self.pending.entry(pod.name.clone()).or_default();
        *looks += 1;
        if *looks < PENDING {
            return Ok(());
        }
        self.keep_events("pod-events", "Pod", &pod.name)
    }

    fn keep_events(&mut self, folder: &str, kind: &str, name: &str) -> Result<(), CollectError> {
        match self.api.events(kind, name) {
            Ok(answer) if serde_json::from_slice::<serde::de::IgnoredAny>(&answer).is_ok() => {
                Ok(self.kept.keep(folder, name, "json", &answer)?)
            }
            Ok(_) => Ok(()),
            Err(refusal) => {
                log::info!("{refusal}");
                Ok(())
            }
        }
    }

    /// Keeps what a pod says as it says it: a pod that is gone has left what it had.
    fn follow(&mut self, pod: &Pod) -> Result<(), CollectError> {
        if let Some((_, stream)) = self.streams.get_mut(&pod.name) {
            if !stream.ended() {
                return Ok(());
            }
            self.end_stream(&pod.name)?;
        }
        if self.streams.len() >= FOLLOWED {
            return Ok(());
        }
        let file = self.kept.follow_file(pod)?;
        match self.api.follow(&pod.name, file) {
            Ok(stream) => {
                self.streams.insert(pod.name.clone(), (pod.clone(), stream));
            }
            Err(refusal) => log::info!("{refusal}"),
        }
        Ok(())
    }

    fn end_stream(&mut self, pod: &str) -> Result<(), CollectError> {
        if let Some((pod, stream)) = self.streams.remove(pod) {
            drop(stream);
            self.kept.take_followed(&pod)?;
        }
        Ok(())
    }

    fn end_streams(&mut self) -> Result<(), CollectError> {
        let names: Vec<String> = self.streams.keys().cloned().collect();
        names.iter().try_for_each(|name| self.end_stream(name))
    }

    /// Takes the log of a pod that has ended, until it is all there or will not come. One that can't
    /// be had is that pod's fate, and keeps nothing else away.
    fn settle(&mut self, pod: &Pod) -> Result<(), CollectError> {
        if self.settled.contains(&pod.name) {
            return Ok(());
        }
        let (known, last) = self.kept.extract(pod);
        // Of a pod that was killed, a recording without an end is all that there is.
        let killed = Fate::of(pod) != Fate::Succeeded;
        if last && (known.whole || known.skipped().is_some() || killed) {
            self.settled.insert(pod.name.clone());
            return Ok(());
        }
        let (text, refusal) = self.api.log(&pod.name);
        if let Some(refusal) = refusal
            .as_ref()
            .filter(|r| r.kind == RefusalKind::NoProgram)
        {
            return Err(refusal.clone().into());
        }
        let new = extract(&text);
        let tries = self.tries.entry(pod.name.clone()).or_insert(Tries {
            count: 0,
            length: 0,
            since: Instant::now(),
        });
        let same = tries.count > 0 && tries.length == text.len();
        (tries.count, tries.length) = (tries.count + 1, text.len());
        // A node that does not answer may do so again, as its kubelet is started anew.
        let tried = match refusal.as_ref().map(|refusal| refusal.kind) {
            Some(RefusalKind::NotFound) => true,
            Some(RefusalKind::Unreachable) => {
                tries.count >= LOG_TRIES && tries.since.elapsed() > self.pace.patience
            }
            _ => tries.count >= LOG_TRIES,
        };
        let best = if new.is_better_than(&known) {
            &new
        } else {
            &known
        };
        let whole = best.whole || best.skipped().is_some();
        // What says the same twice without having been refused says all.
        let all = refusal.is_none() && new.refused.is_empty() && same && !new.is_empty();
        self.kept.take_log(pod, &text, whole || all)?;
        if whole || all || tried {
            self.settled.insert(pod.name.clone());
        }
        if tried && !whole && !all {
            let why = refusal.map(|r| r.message).or(new.refused.first().cloned());
            let why = why.unwrap_or_else(|| "the cluster gave an empty log".into());
            log::warn!("the log of pod {} can't be had: {why}", pod.name);
            self.kept.keep("logs", &pod.name, "lost", why.as_bytes())?;
        }
        Ok(())
    }

    fn logs_are_settled(&self) -> Result<bool, CollectError> {
        let snapshot = self.kept.read(Some(self.jobs))?;
        let mut over = snapshot.pods.iter().filter(|pod| Fate::of(pod).is_over());
        Ok(over.all(|pod| self.settled.contains(&pod.name)))
    }

    /// What pods that still run have said so far.
    fn last_words(&mut self) -> Result<(), CollectError> {
        self.end_streams()?;
        for pod in self.kept.read(Some(self.jobs))?.pods {
            if matches!(Fate::of(&pod), Fate::Running | Fate::Ending(_)) {
                let (text, refusal) = self.api.log(&pod.name);
                if let Some(refusal) = refusal {
                    log::info!("{refusal}");
                }
                self.kept.take_log(&pod, &text, false)?;
            }
        }
        Ok(())
    }
}

/// An answer that was cut or is another object: the next one may be whole.
fn not_understood(error: ObjectError) -> CollectError {
    CollectError::Refused(Refusal {
        kind: RefusalKind::Other,
        message: error.to_string(),
    })
}
