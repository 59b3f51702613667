//! One run after the other: each under its limit, in a cgroup of its own, with cold files.

use std::io::{IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use super::super::Failure;
use super::program::{Program, heard, to_file};
use super::unread::Unread;
use crate::cgroup;
use crate::harness::{
    self, ColdFiles, DiskWaits, Environment, Finished, HarnessError, Observer, Sink, Warm,
};
use crate::need::{Trial, Wanted};
use crate::recording::{self, Event, EventKind, GroupKind, Header};
use crate::rows::CgroupVersion;
use crate::units;

/// Between two samples of a command, and two looks at which files it has open.
const INTERVAL: Duration = Duration::from_millis(20);

/// Makes trials, and knows what they showed beside their times.
pub struct Trials<'a> {
    environment: &'a Environment,
    program: &'a Program,
    folder: &'a Path,
    measure: Option<&'a regex_lite::Regex>,
    files: ColdFiles,
    /// What stayed in memory before the last trial.
    stayed: Warm,
    pub interrupted: bool,
    /// Processes that were still there when the command had ended.
    left_behind: usize,
    /// Why the page cache of a trial could not be given back before the next.
    not_given_back: Option<String>,
    /// This is cgroup v1, and the kernel does not count waits for the disk.
    stalls_unknown: bool,
    progress: Progress,
    unread: Unread,
    /// The command's output was shown once.
    heard: bool,
}

impl<'a> Trials<'a> {
    pub fn new(
        environment: &'a Environment,
        program: &'a Program,
        folder: &'a Path,
        measure: Option<&'a regex_lite::Regex>,
    ) -> std::io::Result<Self> {
        Ok(Trials {
            environment,
            program,
            folder,
            measure,
            files: ColdFiles::named(program.words()),
            stayed: Warm::default(),
            interrupted: false,
            left_behind: 0,
            not_given_back: None,
            stalls_unknown: false,
            progress: Progress::new(),
            unread: Unread::new()?,
            heard: false,
        })
    }

    /// One run under `limit`, given up after `give_up` seconds.
    pub fn run(
        &mut self,
        wanted: Wanted,
        limit: u64,
        give_up: Option<f64>,
    ) -> anyhow::Result<Trial> {
        self.progress.show(limit, wanted);
        self.stayed = self.files.cool();
        let mut watcher = Watcher {
            give_up: give_up.map(Duration::from_secs_f64),
            started: Instant::now(),
            cut_off: false,
            cgroup: None,
            left_behind: 0,
            not_given_back: None,
            waits: None,
            files: (!self.program.words().is_empty()).then_some(&mut self.files),
            is_first: !self.heard,
            looks: 0,
        };
        let file = self.folder.join("trial.jsonl");
        let said = self.folder.join("said");
        let unread = match std::mem::replace(&mut self.heard, true) {
            true => Some(&self.unread),
            false => None,
        };
        let ran = Ran {
            environment: self.environment,
            limit,
            sink: Sink::File(file.clone()),
            said: self.measure.map(|_| said.as_path()),
            unread,
        };
        let finished = match ran.program(self.program, &mut watcher) {
            Ok(finished) => finished,
            // Below its least a program can't even be started.
            Err(error) if give_up.is_some() && is_start(&error) => {
                return Ok(Trial::not_begun(error.to_string()));
            }
            Err(error) => return Err(Failure::of_harness(&error, error.to_string())),
        };
        self.left_behind = self.left_behind.max(watcher.left_behind);
        self.not_given_back = self.not_given_back.take().or(watcher.not_given_back);
        let (cut_off, waits) = (watcher.cut_off, watcher.waits);
        self.files.heard();
        if finished.interrupted && !cut_off {
            self.interrupted = true;
            anyhow::bail!("interrupted");
        }
        let recording = recording::read_path(&file)?;
        let mut trial = Trial::of(&recording, self.program.timed(), cut_off);
        trial.waited_for_disk = waits.as_ref().and_then(DiskWaits::seconds);
        self.stalls_unknown |= waits.is_some() && trial.waited_for_disk.is_none();
        trial.number = self.measure.and_then(|measure| number(measure, &said));
        Ok(trial)
    }

    /// Takes the progress line away.
    pub fn end(&mut self) {
        self.progress.end();
    }

    /// What a reader must know to trust the number.
    pub fn notes(&self) -> Vec<String> {
        let mut notes = Vec::new();
        if self.left_behind > 0 {
            notes.push(format!(
                "the command left {} processes running when it ended; they were ended, and what they \
                 would have needed is not in the number",
                self.left_behind
            ));
        }
        if let Some(why) = &self.not_given_back {
            notes.push(format!(
                "files that a trial had read could not be given back before the next ({why}): a need \
                 that is page cache comes out too small"
            ));
        }
        if self.stalls_unknown {
            notes.push(
                "how long it waited for memory is not known: cgroup v1 has no pressure, and this kernel does \
                 not count waits for the disk (sysctl kernel.task_delayacct=1 makes it)"
                    .into(),
            );
        }
        if let Some(largest) = self.stayed.largest() {
            notes.push(format!(
                "{} of {} files that it uses stayed in memory between the trials, charged to others (most \
                 of it {}): programs and libraries that others run, too; on a machine of its own it needs \
                 that much more",
                units::bytes(self.stayed.bytes()),
                self.stayed.files.len(),
                largest.display()
            ));
        }
        notes
    }
}

/// How one trial is made.
struct Ran<'a> {
    environment: &'a Environment,
    limit: u64,
    sink: Sink,
    /// Takes what is printed, where a number is looked for in it.
    said: Option<&'a Path>,
    /// Takes what is printed in all runs but the first: nobody wants to read it two dozen times.
    unread: Option<&'a Unread>,
}

impl Ran<'_> {
    fn program(&self, program: &Program, watcher: &mut Watcher) -> Result<Finished, HarnessError> {
        match program {
            Program::Command(words, _) => {
                let words = match (self.said, self.unread) {
                    (Some(file), _) => to_file(words, file),
                    (None, Some(unread)) => to_file(words, &unread.path()),
                    (None, None) => heard(words),
                };
                let environment = self.environment;
                environment.record(&words, self.limit, INTERVAL, &self.sink, watcher)
            }
            Program::Service(service, _) => {
                let mut service = service.as_ref().clone();
                if let Some(file) = self.said {
                    service.load = to_file(&service.load, file);
                }
                let scenario = harness::service_scenario(service, self.limit, INTERVAL);
                self.environment.run(&scenario, &self.sink, watcher)
            }
            Program::Scenario(scenario) => {
                let mut scenario = scenario.clone();
                scenario.containers[0].limit = self.limit;
                self.environment.run(&scenario, &self.sink, watcher)
            }
        }
    }
}

/// The last number that the expression finds in the file: its first group, or all that it matches.
fn number(measure: &regex_lite::Regex, said: &Path) -> Option<f64> {
    let text = std::fs::read(said).ok()?;
    let text = String::from_utf8_lossy(&text);
    let last = measure.captures_iter(&text).last()?;
    let found = last.get(1).or_else(|| last.get(0))?;
    let number = found.as_str().trim().parse::<f64>().ok()?;
    number.is_finite().then_some(number)
}

/// Whether the program could not be started at all.
fn is_start(error: &HarnessError) -> bool {
    matches!(error, HarnessError::Spawn { .. })
}

/// Ends a trial that takes too long, and leaves the files it has read cold.
struct Watcher<'a> {
    give_up: Option<Duration>,
    started: Instant,
    cut_off: bool,
    cgroup: Option<(PathBuf, CgroupVersion)>,
    left_behind: usize,
    not_given_back: Option<String>,
    /// What its threads waited for the disk, on v1.
    waits: Option<DiskWaits>,
    files: Option<&'a mut ColdFiles>,
    /// Which files it opens is not known yet.
    is_first: bool,
    looks: usize,
}

/// The list of mappings is long, and what is in it changes seldom: looked at every so many samples.
const MAPS_EVERY: usize = 16;

impl Watcher<'_> {
    fn processes(&self) -> Vec<i32> {
        let here = self.cgroup.as_ref().map(|(path, _)| cgroup::pids(path));
        here.and_then(Result::ok).unwrap_or_default().visible
    }
}

impl Observer for Watcher<'_> {
    fn begin(&mut self, header: &Header) {
        let mut groups = header.groups.iter();
        let container = groups.find(|g| g.kind == GroupKind::Container);
        self.cgroup = container.map(|g| (PathBuf::from(&g.path), header.host.cgroup));
        self.waits = (header.host.cgroup == CgroupVersion::V1).then(DiskWaits::new);
        if let (true, Some((path, _)), Some(files)) = (self.is_first, &self.cgroup, &mut self.files)
        {
            files.hear(path);
        }
    }

    fn sample(&mut self, _: usize, _: u64, _: &[u64]) {
        if self.files.is_none() && self.waits.is_none() {
            return;
        }
        let pids = self.processes();
        if let Some(waits) = &mut self.waits {
            pids.iter().for_each(|pid| waits.look_at(*pid));
        }
        let maps = self.looks % MAPS_EVERY == 1;
        self.looks += 1;
        if let Some(files) = &mut self.files {
            for pid in pids {
                files.look_at(pid, maps);
            }
        }
    }

    fn event(&mut self, event: &Event) {
        let EventKind::ActorExit { .. } = &event.kind else {
            return;
        };
        self.left_behind = self.processes().len();
        if let Some((path, version)) = &self.cgroup
            && let Err(error) = cgroup::give_back(path, *version, cgroup::ALL)
        {
            self.not_given_back = Some(error.to_string());
        }
    }

    fn wants_stop(&mut self) -> bool {
        self.cut_off |= self
            .give_up
            .is_some_and(|patience| self.started.elapsed() > patience);
        self.cut_off
    }
}

/// A line on stderr: which limit this is, and how long the rest may take.
struct Progress {
    started: Instant,
    tried: Vec<u64>,
    /// The limit of the run that goes on.
    now: Option<u64>,
    shown: bool,
}

impl Progress {
    fn new() -> Self {
        Progress {
            started: Instant::now(),
            tried: Vec::new(),
            now: None,
            shown: false,
        }
    }

    fn show(&mut self, limit: u64, wanted: Wanted) {
        if self.now == Some(limit) {
            return;
        }
        self.now = Some(limit);
        let line = if self.tried.contains(&limit) {
            format!(
                "{} once more, to see whether it is as before",
                units::bytes(limit)
            )
        } else {
            self.tried.push(limit);
            self.line(limit, wanted)
        };
        // Progress is a courtesy: a closed stderr must not end the measurement.
        let mut stderr = std::io::stderr();
        if stderr.is_terminal() {
            let _ = write!(stderr, "\r\x1b[K{line}").and_then(|()| stderr.flush());
            self.shown = true;
        } else {
            let _ = writeln!(stderr, "{line}");
        }
    }

    /// Which limit this is, and what the rest takes by what those before it took.
    fn line(&self, limit: u64, wanted: Wanted) -> String {
        // The highest limit and six of the bisection.
        const LIMITS: usize = 7;
        let run = self.tried.len();
        let rest = (LIMITS + 1).saturating_sub(run);
        let left = match run {
            0 | 1 => String::new(),
            _ if rest == 0 => String::new(),
            _ => {
                let each = self.started.elapsed().as_secs_f64() / (run - 1) as f64;
                let left = Duration::from_secs_f64(each * rest as f64);
                format!(", about {} left", units::duration(left))
            }
        };
        format!(
            "limit {run} of about {LIMITS}: {} of {}{left}",
            units::bytes(limit),
            units::bytes(wanted.max)
        )
    }

    fn end(&mut self) {
        if std::mem::take(&mut self.shown) {
            let _ = write!(std::io::stderr(), "\r\x1b[K");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_number_is_the_last_one_that_matches() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("said");
        std::fs::write(&file, "tps = 12.5 (warm)\ntps = 1e3 (all)\nlatency 7 ms\n").unwrap();
        let number = |text: &str| number(&regex_lite::Regex::new(text).unwrap(), &file);
        assert_eq!(number(r"tps = (\S+)"), Some(1000.0));
        assert_eq!(number(r"\d+ "), Some(7.0));
        assert_eq!(number(r"latency (\w+ ms)"), None);
        assert_eq!(number("nothing"), None);
    }
}
