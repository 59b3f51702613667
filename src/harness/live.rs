//! One run, from the first sample to the footer.

use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::ExitStatus;
use std::time::Duration;

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::signal::Signal;

use super::actor::Actor;
use super::error::{HarnessError, doing};
use super::evidence;
use super::observer::Observer;
use super::restart::{Chore, Controller};
use super::serving::Served;
use super::stage::Stage;
use super::verdicts::{HIGH, Verdicts};
use crate::host::HostFacts;
use crate::outcome::{self, Evidence, OfRun};
use crate::recording::{Event, EventKind, Footer, Group, StepEnd, StepId, StepResult, Writer};
use crate::rows::{CgroupVersion, Rows};
use crate::sampler::{Clock, Sampler, Settle, Settled};
use crate::scenario::Schedule;
use crate::scenario::{Onset, Outcome, Scenario, Step, StepRef};
use crate::sys::process::Signals;
use crate::worker::protocol::{Message, Report, Status};

/// How a run ended; the numbers are in the recording.
#[derive(Debug, Clone)]
pub struct Finished {
    /// The kernel's verdict.
    pub outcome: Outcome,
    /// A sentence.
    pub reason: String,
    /// Ctrl-C or TERM came: the caller should stop, too.
    pub interrupted: bool,
    /// How a recorded command ended.
    pub exit: Option<ExitStatus>,
}

/// What a run is made of, ready to go.
pub(super) struct Parts<'a> {
    pub scenario: &'a Scenario,
    pub actors: Vec<Actor>,
    pub sampler: Sampler,
    pub clock: Clock,
    pub signals: &'a Signals,
    pub writer: Writer,
    pub groups: Vec<Group>,
    /// The sampled group of each container.
    pub group_of: Vec<usize>,
    pub version: CgroupVersion,
    pub host: HostFacts,
    /// The run's cgroups and folder; none when only watching.
    pub stage: Option<Stage<'a>>,
    /// When it must be over, nanoseconds from the start.
    pub deadline: Option<u64>,
    /// Nobody works: look on until a signal, the deadline or the end of the cgroup.
    pub watching: bool,
}

impl Parts<'_> {
    /// Whether the cgroups were made for this run: their counters began at 0 with it.
    fn has_own_cgroups(&self) -> bool {
        let stage = self.stage.as_ref();
        stage.is_some_and(|stage| stage.sites().pod_path().is_some())
    }

    /// Who does this step.
    pub(super) fn actor(&self, step: StepRef) -> Option<&Actor> {
        self.actors.iter().find(|actor| actor.does(step))
    }

    pub(super) fn actor_mut(&mut self, step: StepRef) -> Option<&mut Actor> {
        self.actors.iter_mut().find(|actor| actor.does(step))
    }
}

/// A step whose work is done and whose counters settle.
pub(super) struct Settling {
    pub(super) step: StepRef,
    work_done: u64,
    report: Report,
    /// None where the cgroup is gone: then there is nothing to wait for.
    wait: Option<Settle>,
}

/// The longest wait for stable counters: v2 flushes its statistics every 2 s at the latest.
const SETTLE_MAX: Duration = Duration::from_millis(2500);

pub(super) struct Live<'a> {
    pub(super) parts: Parts<'a>,
    pub(super) schedule: Schedule,
    pub(super) settling: Vec<Settling>,
    pub(super) controllers: Vec<Controller>,
    pub(super) chores: Vec<Chore>,
    pub(super) served: Vec<Served>,
    /// By container.
    pub(super) evidence: Vec<Evidence>,
    pub(super) of_run: OfRun,
    /// How a recorded command ended.
    exit: Option<ExitStatus>,
    observer: &'a mut dyn Observer,
    /// By group.
    pub(super) verdicts: Vec<Verdicts>,
    /// Which groups' cgroups were removed.
    gone: Vec<bool>,
    /// When memory.events `high` of each group last rose, nanoseconds.
    pub(super) high_rose: Vec<Option<u64>>,
    pub(super) stop: bool,
    /// The signal that somebody sent to memtide alone.
    pub(super) sent: Option<Signal>,
    /// It is over, and what still runs is waited for.
    pub(super) closing: bool,
    /// Whether the mark came that the truth begins with.
    onset_marked: bool,
}

impl<'a> Live<'a> {
    pub fn new(parts: Parts<'a>, observer: &'a mut dyn Observer) -> Self {
        let schedule = Schedule::new(parts.scenario);
        let mut live = Live {
            schedule,
            settling: Vec::new(),
            controllers: Live::controllers(parts.scenario),
            chores: Vec::new(),
            served: Vec::new(),
            evidence: evidence::nothing_yet(parts.scenario),
            of_run: OfRun::default(),
            exit: None,
            observer,
            verdicts: Vec::new(),
            gone: vec![false; parts.groups.len()],
            high_rose: vec![None; parts.groups.len()],
            stop: false,
            sent: None,
            closing: false,
            onset_marked: false,
            parts,
        };
        live.index();
        live
    }

    /// Finds the columns that are looked at on every tick.
    fn index(&mut self) {
        let groups = &self.parts.groups;
        self.verdicts.resize_with(groups.len(), Verdicts::default);
        for (verdicts, group) in self.verdicts.iter_mut().zip(groups) {
            verdicts.find(&group.columns);
        }
    }

    /// Runs to the end and writes the footer.
    pub fn run(mut self) -> Result<Finished, HarnessError> {
        self.observer.groups(&self.parts.groups);
        // The first tick is due at once: nothing starts before the rows at t = 0 are written.
        self.tick()?;
        while !self.over() {
            self.start_ready()?;
            self.wait()?;
            if self.stop {
                break;
            }
        }
        self.finish()
    }

    fn over(&self) -> bool {
        if self.parts.watching {
            return self.gone.iter().all(|gone| *gone);
        }
        self.schedule.over() && self.settling.is_empty()
    }

    fn start_ready(&mut self) -> Result<(), HarnessError> {
        if self.observer.holds() {
            return Ok(());
        }
        for step in self.schedule.ready(self.parts.scenario) {
            if self.parts.actor(step).is_some_and(|actor| actor.ready) {
                self.start(step)?;
            }
        }
        Ok(())
    }

    fn start(&mut self, step: StepRef) -> Result<(), HarnessError> {
        self.schedule.start(step);
        let id = self.id(step);
        self.event(EventKind::StepStart(id))?;
        if let Err(why) = self.step(step).when.holds(&self.parts.host) {
            self.done_here(step, 0, Status::Skipped(why));
            return Ok(());
        }
        if self.step(step).workload.by_harness() {
            return self.harness_step(step);
        }
        if self.port_is_taken(step)? {
            return Ok(());
        }
        if let Some(actor) = self.parts.actor_mut(step) {
            actor.go(step.step);
        }
        if let Some(serving) = &self.step(step).serving {
            let now = self.parts.clock.now_ns();
            self.served.push(Served::new(step, serving, now));
        }
        Ok(())
    }

    /// Sleeps until the clock, a signal, a worker or a settling step wants attention.
    pub(super) fn wait(&mut self) -> Result<(), HarnessError> {
        let actors = &self.parts.actors;
        let mut fds: Vec<BorrowedFd> = vec![self.parts.clock.as_fd(), self.parts.signals.as_fd()];
        fds.extend(actors.iter().filter_map(Actor::stdout));
        fds.extend(self.parts.stage.iter().map(|stage| stage.marks().as_fd()));
        let mut polled: Vec<PollFd> = fds
            .into_iter()
            .map(|fd| PollFd::new(fd, PollFlags::POLLIN))
            .collect();
        let timeout = if self.settling.is_empty() && !self.awaits_services() && !self.closing {
            PollTimeout::NONE
        } else {
            // Milliseconds; 10 fits.
            PollTimeout::from(Settle::PAUSE.as_millis() as u8)
        };
        match poll(&mut polled, timeout) {
            Ok(_) | Err(nix::errno::Errno::EINTR) => {}
            Err(error) => return Err(doing("waiting for the workers")(error.into())),
        }
        let ready = |i: usize| polled[i].any().unwrap_or(false);
        let (tick, signal) = (ready(0), ready(1));
        drop(polled);
        if tick {
            self.tick()?;
        }
        self.hear_marks()?;
        if signal {
            self.signals()?;
        }
        self.messages()?;
        self.act()?;
        self.look_after_services()?;
        self.settle()
    }

    fn tick(&mut self) -> Result<(), HarnessError> {
        self.parts
            .clock
            .tick()
            .map_err(doing("reading the clock"))?;
        self.sample_all()?;
        if self.observer.wants_stop() {
            self.of_run.interrupted = true;
            self.stop = true;
        }
        if self
            .parts
            .deadline
            .is_some_and(|end| self.parts.clock.now_ns() > end)
        {
            self.deadline();
            self.stop = true;
        }
        Ok(())
    }

    fn signals(&mut self) -> Result<(), HarnessError> {
        while let Some(info) = self
            .parts
            .signals
            .next()
            .map_err(doing("reading signals"))?
        {
            // SIGCHLD is number 17 wherever Linux runs; a number that is not one can't come.
            if info.ssi_signo != nix::libc::SIGCHLD as u32 {
                self.of_run.interrupted = !self.parts.watching;
                self.stop = true;
                let by_terminal = info.ssi_code == nix::libc::SI_KERNEL;
                let signal = Signal::try_from(info.ssi_signo as i32).ok();
                self.sent = signal.filter(|_| !by_terminal);
            }
        }
        self.reap_chores()?;
        self.reap()
    }

    /// Reads every group once and looks at the verdict counters.
    fn sample_all(&mut self) -> Result<(), HarnessError> {
        for group in 0..self.parts.groups.len() {
            self.sample(group)?;
        }
        Ok(())
    }

    pub(super) fn sample(&mut self, group: usize) -> Result<(), HarnessError> {
        self.listen_to_services(group);
        let t = self.parts.clock.now_ns();
        let reading = self.parts.sampler.sample(group);
        self.gone[group] = reading.ended;
        if reading.ended {
            return Ok(());
        }
        if reading.grown {
            let columns = self.parts.sampler.columns(group).to_vec();
            self.parts.writer.columns(group, &columns)?;
            self.parts.groups[group].columns = columns;
            self.index();
            self.observer.groups(&self.parts.groups);
        }
        let values = self.parts.sampler.values(group);
        self.parts
            .writer
            .sample(group, t, reading.cost_ns, values)?;
        self.observer.sample(group, t, values);
        self.control(group);
        self.watch_counters(group, t)
    }

    fn watch_counters(&mut self, group: usize, t: u64) -> Result<(), HarnessError> {
        let values = self.parts.sampler.values(group);
        if !self.parts.has_own_cgroups() {
            self.verdicts[group].begin(values);
        }
        let rises = self.verdicts[group].rises(values);
        self.testify(group);
        for rise in rises {
            if rise.what == HIGH {
                self.high_rose[group] = Some(t);
            }
            self.count(group, &rise);
            if !rise.reported {
                continue;
            }
            let kind = rise.event(&self.parts.groups[group].name);
            self.event_at(t, kind)?;
        }
        Ok(())
    }

    fn messages(&mut self) -> Result<(), HarnessError> {
        for i in 0..self.parts.actors.len() {
            for message in self.parts.actors[i].messages() {
                let actor = &mut self.parts.actors[i];
                let (container, index) = (actor.container, actor.index);
                let at = |step| StepRef {
                    container,
                    actor: index,
                    step,
                };
                match message {
                    Message::Ready { .. } => actor.ready = true,
                    Message::Serving(step) => self.service_runs(at(step)),
                    Message::Report(report) if self.is_served(at(report.step)) => {
                        self.service_over(at(report.step), report)?;
                    }
                    Message::Report(report) => self.work_done(at(report.step), report),
                }
            }
        }
        Ok(())
    }

    /// A step of which no worker reports.
    pub(super) fn done_here(&mut self, step: StepRef, target: u64, status: Status) {
        self.work_done(step, Report::whole(step.step, target, status));
    }

    pub(super) fn work_done(&mut self, step: StepRef, report: Report) {
        let now = self.parts.clock.now_ns();
        let group = &self.parts.groups[self.parts.group_of[step.container]];
        let machine = (self.parts.host.cpus, self.parts.host.page_size);
        let path = Path::new(&group.path);
        let wait = Settle::open(path, self.parts.version, machine, SETTLE_MAX).ok();
        self.settling.push(Settling {
            step,
            work_done: now,
            report,
            wait,
        });
    }

    /// Looks whether steps have settled. While another actor works in the same container its
    /// counters never do: such a step ends at once.
    fn settle(&mut self) -> Result<(), HarnessError> {
        let mut i = 0;
        while i < self.settling.len() {
            let step = self.settling[i].step;
            let busy = self.schedule.others_at_work(step.container, step.actor);
            let done = busy || {
                let wait = self.settling[i].wait.as_mut();
                wait.is_none_or(|wait| wait.look() != Settled::Waiting)
            };
            if done {
                let settled = self.settling.remove(i);
                self.step_over(settled)?;
            } else {
                i += 1;
            }
        }
        Ok(())
    }

    pub(super) fn step_over(&mut self, settled: Settling) -> Result<(), HarnessError> {
        self.sample_all()?;
        let step = settled.step;
        let actor = self.parts.actor(step);
        let smaps = actor.map(|a| self.smaps(step, a.pid())).unwrap_or_default();
        let result = self.result(step, settled.report.status);
        let id = self.id(step);
        self.note(step.container, &id.step, &result);
        self.event(EventKind::StepEnd(StepEnd {
            id,
            work_done: settled.work_done,
            result,
            target: settled.report.target,
            achieved: settled.report.achieved,
            unit: settled.report.unit,
            smaps,
        }))?;
        if !self.stop_service(step)? {
            self.schedule.end(step);
        }
        Ok(())
    }

    /// Notes workers that have ended.
    fn reap(&mut self) -> Result<(), HarnessError> {
        for i in 0..self.parts.actors.len() {
            let Some(status) = self.parts.actors[i].reap() else {
                continue;
            };
            let (container, index) = (self.parts.actors[i].container, self.parts.actors[i].index);
            // The counters tell whether the OOM killer did it, and they rise before the signal comes.
            self.sample_all()?;
            let name = self.parts.actors[i].name.clone();
            let outside = self.parts.actors[i].outside;
            let oom_killed = !outside && self.evidence[container].exit(&name, status.into());
            let lost = self.schedule.lose(container, index);
            if let Some(step) = lost.filter(|_| self.parts.actors[i].is_command()) {
                let tail = self.parts.actors[i].output_tail();
                self.command_over(step, status, &tail)?;
            } else if let Some(step) = lost {
                self.settling.retain(|s| s.step != step);
                self.served.retain(|s| s.step != step);
                let step = self.id(step).step;
                self.evidence[container]
                    .failed(format!("{name} ended during step {step} ({status})"));
            }
            self.event(EventKind::ActorExit {
                container: self.parts.scenario.containers[container].name.clone(),
                actor: name,
                code: status.code(),
                signal: status.signal(),
                oom_killed,
            })?;
        }
        Ok(())
    }

    /// A recorded command has ended: so has its one step.
    fn command_over(
        &mut self,
        step: StepRef,
        status: ExitStatus,
        tail: &str,
    ) -> Result<(), HarnessError> {
        let result = if status.success() {
            StepResult::Done
        } else {
            StepResult::Failed(format!("{status}{tail}"))
        };
        self.exit = Some(status);
        let id = self.id(step);
        let work_done = self.parts.clock.now_ns();
        self.note(step.container, &id.step, &result);
        let (target, achieved, unit) = (1, 1, "run".to_string());
        let smaps = Rows::default();
        self.event(EventKind::StepEnd(StepEnd {
            id,
            work_done,
            result,
            target,
            achieved,
            unit,
            smaps,
        }))
    }

    /// Ends the workers, takes a last sample and writes the footer.
    fn finish(mut self) -> Result<Finished, HarnessError> {
        self.close()?;
        for actor in &mut self.parts.actors {
            actor.dismiss();
        }
        let counters = self.final_counters();
        self.parts.actors.clear();
        self.hear_marks()?;
        self.miss_onset()?;
        self.sample_all()?;
        let (outcome, reason) = outcome::of_run(self.of_run, &self.evidence);
        let footer = Footer {
            t: self.parts.clock.now_ns(),
            outcome,
            reason: reason.clone(),
            containers: self.outcomes(),
            counters,
            harness: self.parts.clock.cost(own_rss()),
        };
        self.parts.writer.finish(&footer)?;
        Ok(Finished {
            outcome,
            reason,
            interrupted: self.of_run.interrupted,
            exit: self.exit,
        })
    }

    /// Without the mark that its truth begins with a recording can't be judged: said while the load is at hand.
    fn miss_onset(&mut self) -> Result<(), HarnessError> {
        let onset = &self.parts.scenario.truth.onset;
        let missed = onset.as_ref().filter(|_| !self.onset_marked);
        let Some(awaited) = missed.and_then(Onset::mark_in_words) else {
            return Ok(());
        };
        let text = format!(
            "its truth begins with {awaited}, which did not come: `memtide mark TEXT` in a command of the run sets it; \
             without it the recording can't be judged"
        );
        let code = "no_onset".into();
        self.event(EventKind::Warning { code, text })
    }

    fn final_counters(&self) -> Vec<(String, Rows)> {
        let groups = self.parts.groups.iter().zip(&self.verdicts);
        groups
            .map(|(group, verdicts)| (group.name.clone(), verdicts.rows()))
            .collect()
    }

    pub(super) fn step(&self, step: StepRef) -> &Step {
        &self.parts.scenario.containers[step.container].actors[step.actor].steps[step.step]
    }

    pub(super) fn id(&self, step: StepRef) -> StepId {
        let container = &self.parts.scenario.containers[step.container];
        let actor = &container.actors[step.actor];
        StepId {
            container: container.name.clone(),
            actor: actor.name.clone(),
            step: actor.steps[step.step].name.clone(),
            index: step.step,
        }
    }

    pub(super) fn event(&mut self, kind: EventKind) -> Result<(), HarnessError> {
        self.event_at(self.parts.clock.now_ns(), kind)
    }

    fn event_at(&mut self, t: u64, kind: EventKind) -> Result<(), HarnessError> {
        let event = Event { t, kind };
        self.parts.writer.event(&event)?;
        self.observer.event(&event);
        Ok(())
    }

    /// Writes the marks that have come into the recording.
    pub(super) fn hear_marks(&mut self) -> Result<(), HarnessError> {
        while let Some(text) = self.parts.stage.as_mut().and_then(|s| s.marks_mut().next()) {
            let onset = &self.parts.scenario.truth.onset;
            self.onset_marked |= onset.as_ref().is_some_and(|onset| onset.is_mark(&text));
            self.event(EventKind::Mark { text })?;
        }
        Ok(())
    }
}

/// The harness's own resident memory, bytes; 0 where it can't be read.
pub(super) fn own_rss() -> u64 {
    let pages = std::fs::read_to_string("/proc/self/statm")
        .ok()
        .and_then(|text| text.split(' ').nth(1)?.parse::<u64>().ok());
    pages.unwrap_or(0) * crate::sys::process::page_size()
}
