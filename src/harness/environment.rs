//! The machine a run happens on: where its cgroups go, what is known of it, what was left there.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::process;
use std::time::Duration;

use super::actor::Actor;
use super::ad_hoc;
use super::error::{HarnessError, doing};
use super::live::{Finished, Live, Parts};
use super::marks::Marks;
use super::observer::Observer;
use super::site::{self, Sites};
use super::stage::Stage;
use super::workdir::{WorkDir, existing};
use crate::cgroup::{self, Chosen, Hierarchy, Placement};
use crate::host::{self, HostFacts};
use crate::recording::{Group, GroupKind, Header, WriteError, Writer};
use crate::run_id::RunId;
use crate::sampler::{Clock, GroupSource, Sampler};
use crate::scenario::Scenario;
use crate::seed;
use crate::sys::process::Signals;
use crate::truth::Page;

/// Where a recording goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Sink {
    /// A file, replaced if it exists.
    File(PathBuf),
    /// Standard output, a line at a time, and a file.
    StdoutAndFile(PathBuf),
}

impl Sink {
    /// The file in which the recording can be read back.
    pub fn path(&self) -> &Path {
        match self {
            Sink::File(path) | Sink::StdoutAndFile(path) => path,
        }
    }
}

/// A command to record.
#[derive(Debug, Clone, Copy)]
pub struct Command<'a> {
    /// Program and arguments; never empty.
    pub words: &'a [String],
    /// Whose rights it has; memtide's own if there is none.
    pub user: Option<&'a str>,
    /// Takes its stdout and stderr instead of memtide's own; its pages are charged to the command.
    pub output: Option<&'a Path>,
}

/// A place to run in, found once for all scenarios of a command.
#[derive(Debug)]
pub struct Environment {
    hierarchy: Hierarchy,
    chosen: Chosen,
    workdir: PathBuf,
    host: HostFacts,
    signals: Signals,
}

impl Environment {
    /// Finds a place, removes what runs that were killed left there, and looks at the machine.
    ///
    /// From here on SIGINT, SIGTERM, SIGHUP and SIGCHLD are taken by the run's own loop.
    ///
    /// # Errors
    /// When no placement is possible: what was tried, why not, what to type.
    pub fn prepare(wanted: Placement, workdir: &Path) -> Result<Self, HarnessError> {
        let signals = take_signals()?;
        let (hierarchy, swept) = Hierarchy::discover_swept()?;
        tell("cgroups", &swept);
        let choice = wanted.choose(&hierarchy)?;
        for attempt in &choice.tried {
            log::info!("placement: {attempt}");
        }
        tell("run folders", &cgroup::sweep_workdir(workdir));
        tell("recordings", &cgroup::sweep_workdir(&std::env::temp_dir()));
        let shm = Path::new(crate::workload::SHM);
        tell("files in memory", &cgroup::sweep_workdir(shm));
        let host = host::detect(&hierarchy, existing(workdir), choice.chosen.as_str());
        let (chosen, workdir) = (choice.chosen, workdir.to_path_buf());
        Ok(Environment {
            hierarchy,
            chosen,
            workdir,
            host,
            signals,
        })
    }

    /// What is known of the machine.
    pub fn host(&self) -> &HostFacts {
        &self.host
    }

    /// Whether `scenario` can run here; if not, why, in words.
    pub fn can_run(&self, scenario: &Scenario) -> Result<(), String> {
        can_run(scenario, &self.host, &self.chosen)
    }

    /// Runs `scenario` and records it to `sink`. The kernel's verdict, good or bad, is in the recording.
    ///
    /// # Errors
    /// When the run could not be made or recorded. Whatever was made is removed.
    pub fn run(
        &self,
        scenario: &Scenario,
        sink: &Sink,
        observer: &mut dyn Observer,
    ) -> Result<Finished, HarnessError> {
        site::check_limits(scenario, &self.host)?;
        let id = RunId::new().map_err(doing("naming the run"))?;
        let workdir = WorkDir::create(&self.workdir, &id, scenario)?;
        let sites = Sites::create(&self.hierarchy, &self.chosen, &id, scenario)?;
        let marks = Marks::open(&id).map_err(doing("listening for marks"))?;
        let stage = Stage::new(scenario, sites, workdir, marks);
        let actors = stage.spawn_all()?;
        self.live(scenario, stage, actors, sink, observer)
    }

    /// Runs one command in a container of its own, with the terminal it was given.
    ///
    /// # Errors
    /// As [`Environment::run`].
    pub fn record(
        &self,
        command: &[String],
        limit: u64,
        interval: Duration,
        sink: &Sink,
        observer: &mut dyn Observer,
    ) -> Result<Finished, HarnessError> {
        let scenario = ad_hoc::command(command, limit, interval);
        let command = Command {
            words: command,
            user: None,
            output: None,
        };
        self.record_as(&scenario, &command, sink, observer)
    }

    /// The same with the scenario given (see [`ad_hoc::command`]), and more to choose.
    ///
    /// # Errors
    /// As [`Environment::run`].
    pub fn record_as(
        &self,
        scenario: &Scenario,
        command: &Command<'_>,
        sink: &Sink,
        observer: &mut dyn Observer,
    ) -> Result<Finished, HarnessError> {
        site::check_limits(scenario, &self.host)?;
        let id = RunId::new().map_err(doing("naming the run"))?;
        let sites = Sites::create(&self.hierarchy, &self.chosen, &id, scenario)?;
        let name = command.words[0].clone();
        let failed = |source| HarnessError::Spawn {
            actor: name.clone(),
            source,
        };
        let workdir = WorkDir::create(&self.workdir, &id, scenario)?;
        let (page, _) = Page::create(workdir.path()).map_err(failed)?;
        let mut process = process::Command::new(&command.words[0]);
        process.args(&command.words[1..]);
        if let Some(path) = command.output {
            let file = File::create(path).map_err(doing("making the output's file"))?;
            let copy = file
                .try_clone()
                .map_err(doing("sharing the output's file"))?;
            process.stdout(file).stderr(copy);
        }
        let marks = Marks::open(&id).map_err(doing("listening for marks"))?;
        marks.tell(&mut process);
        sites.enter(0, &mut process);
        if let Some(user) = command.user {
            crate::user::become_user(&mut process, user)
                .map_err(|why| doing("taking another user's rights")(io::Error::other(why)))?;
        }
        let child = process.spawn().map_err(failed)?;
        let mut actor = Actor::command(&scenario.containers[0].actors[0].name, child, page);
        actor.output = command.output.map(Path::to_path_buf);
        let stage = Stage::new(scenario, sites, workdir, marks);
        self.live(scenario, stage, vec![actor], sink, observer)
    }

    fn live(
        &self,
        scenario: &Scenario,
        stage: Stage<'_>,
        actors: Vec<Actor>,
        sink: &Sink,
        observer: &mut dyn Observer,
    ) -> Result<Finished, HarnessError> {
        let sites = stage.sites();
        let sampler = sites.sampler(&self.hierarchy, scenario, &actors)?;
        let groups = sampler.groups();
        let header = header(scenario, &self.host, groups.clone());
        observer.begin(&header);
        let deadline = scenario.deadline;
        let parts = Parts {
            scenario,
            actors,
            clock: Clock::start(scenario.interval).map_err(doing("starting the clock"))?,
            sampler,
            signals: &self.signals,
            writer: open(sink, &header)?,
            groups,
            group_of: sites.group_of(),
            host: self.host.clone(),
            stage: Some(stage),
            version: self.hierarchy.version,
            deadline: (deadline < Duration::MAX).then(|| scaled_deadline(deadline)),
            watching: false,
        };
        Live::new(parts, observer).run()
    }
}

/// Samples an existing cgroup until a signal, `duration`, or its end. Nothing in it is changed.
///
/// # Errors
/// When it can't be read or recorded.
pub fn watch(
    path: &Path,
    (interval, duration): (Duration, Option<Duration>),
    sink: &Sink,
    observer: &mut dyn Observer,
) -> Result<Finished, HarnessError> {
    let signals = take_signals()?;
    let hierarchy = Hierarchy::discover()?;
    let workdir = std::env::temp_dir();
    let host = host::detect(&hierarchy, &workdir, "watch");
    let scenario = ad_hoc::watch(path, interval);
    let source = GroupSource {
        name: scenario.containers[0].name.clone(),
        kind: GroupKind::Container,
        path: path.to_path_buf(),
        version: hierarchy.version,
        limit: hierarchy.effective_limit(path).bytes(),
        actors: Vec::new(),
        truth: false,
    };
    let sampler = Sampler::open(vec![source], true)?;
    let groups = sampler.groups();
    let header = header(&scenario, &host, groups.clone());
    observer.begin(&header);
    let parts = Parts {
        scenario: &scenario,
        actors: Vec::new(),
        clock: Clock::start(interval).map_err(doing("starting the clock"))?,
        sampler,
        signals: &signals,
        writer: open(sink, &header)?,
        groups,
        group_of: vec![0],
        host: host.clone(),
        stage: None,
        version: hierarchy.version,
        deadline: duration.map(|d| d.as_nanos() as u64),
        watching: true,
    };
    Live::new(parts, observer).run()
}

/// Whether `scenario` can run on `host` in the chosen place; if not, why, in words.
pub fn can_run(scenario: &Scenario, host: &HostFacts, chosen: &Chosen) -> Result<(), String> {
    for requirement in &scenario.requires {
        if let Err(why) = requirement.when.holds(host) {
            return Err(format!("{} ({why})", requirement.reason));
        }
    }
    if let Some(last) = scenario.actors().filter_map(|actor| actor.cpu).max() {
        let usable = crate::worker::cpus::usable().map_or(0, |cpus| cpus.len());
        if last >= usable {
            return Err(format!(
                "needs {} CPUs; memtide may use {usable} here",
                last + 1
            ));
        }
    }
    match chosen {
        Chosen::Ambient { limit, .. } => site::fits_ambient(scenario, *limit),
        Chosen::Managed { .. } => Ok(()),
    }
}

pub(super) fn take_signals() -> Result<Signals, HarnessError> {
    use nix::sys::signal::Signal::{SIGCHLD, SIGHUP, SIGINT, SIGTERM};
    Signals::open(&[SIGINT, SIGTERM, SIGHUP, SIGCHLD]).map_err(doing("taking over signals"))
}

/// Tells what a sweep removed, and warns of what would not go.
fn tell(what: &str, swept: &cgroup::Swept) {
    if !swept.removed.is_empty() {
        log::info!(
            "removed {} {what} that a killed run had left",
            swept.removed.len()
        );
    }
    for (path, why) in &swept.left {
        log::warn!(
            "{} is left from a killed run and can't be removed: {why}",
            path.display()
        );
    }
}

pub(super) fn header(scenario: &Scenario, host: &HostFacts, groups: Vec<Group>) -> Header {
    Header {
        memtide: env!("CARGO_PKG_VERSION").into(),
        host: host.clone(),
        scenario: scenario.name.clone(),
        scenario_hash: seed::text_hash(&scenario.text),
        scenario_text: scenario.text.clone(),
        seed: scenario.seed,
        rng: seed::RNG_NAME.into(),
        interval_ns: scenario.interval.as_nanos() as u64,
        time_scale: scenario.time_scale,
        model: None,
        started: jiff::Timestamp::now().to_string(),
        groups,
    }
}

fn open(sink: &Sink, header: &Header) -> Result<Writer, WriteError> {
    match sink {
        Sink::File(path) => Writer::create(path, header),
        Sink::StdoutAndFile(path) => {
            Writer::tee(vec![Writer::stdout(), Writer::file(path)], header)
        }
    }
}

/// A scenario's deadline is meant for a laptop. How much slower this machine is shows in a loop of
/// system calls and memory writes, which is what workloads do; QEMU's software emulation is 5 to
/// 20 times slower.
fn scaled_deadline(deadline: Duration) -> u64 {
    let factor = crate::host::slowness().max(1.0);
    let ns = deadline.as_nanos() as f64 * factor;
    if factor > 2.0 {
        log::info!("this machine is {factor:.0} times slower than a laptop: deadlines are, too");
    }
    ns as u64
}
