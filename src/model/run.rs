//! A scenario through the model: clock, schedule, samples and events.

use super::card::Card;
use super::rows;
use super::task::{self, Slice, Task};
use super::world::World;
use crate::outcome::{self, End, Evidence, OfRun};
use crate::recording::{
    ContainerOutcome, Event, EventKind, Footer, Group, GroupKind, HarnessCost, Header, ModelFacts,
    Recording, StepEnd, StepId, StepResult, Table,
};
use crate::rows::{Rows, ViewIndex};
use crate::scenario::{Outcome, Scenario, Schedule, StepRef};
use crate::workload::Workload;

/// Slices of a sample's interval: actors take turns in them.
const SLICES: u64 = 8;

/// What counters take to settle after a step: three looks, 10 ms apart.
const SETTLE_NS: u64 = 30_000_000;

/// Samples that a recording has at the most: a deadline of days at 10 ms would fill memory.
const SAMPLES_MAX: usize = 1 << 20;

/// Deadlines that a run may take where nobody waits at memory.high.
const PATIENCE: u64 = 100;

/// A scenario that the model can't do, with the reason in words.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{reason}")]
pub struct CannotModel {
    /// Why.
    pub reason: String,
}

/// What every recording of the model says that it does not know.
pub const UNKNOWN: [&str; 6] = [
    "pressure, faults, dirty pages and scan counts (their rows are absent)",
    "MGLRU's tiers after refaults",
    "dirty pages at the end of a list on a real disk",
    "DAMON and other reclaimers, swap, NUMA, reclaim of the whole machine",
    "races of CPUs on one page",
    "how long unrated work takes on this machine",
];

/// Whether the model can do a scenario on a kernel.
///
/// # Errors
/// The first reason why it can't.
pub fn check(scenario: &Scenario, card: &Card) -> Result<(), CannotModel> {
    let no = |reason: String| CannotModel { reason };
    let host = card.host();
    for requirement in &scenario.requires {
        if requirement.when.holds(&host).is_err() {
            return Err(no(requirement.reason.clone()));
        }
    }
    for container in &scenario.containers {
        for actor in &container.actors {
            for step in &actor.steps {
                if let Some(reason) = task::refusal(&step.workload) {
                    return Err(no(format!("step {:?}: {reason}", step.name)));
                }
            }
        }
    }
    Ok(())
}

/// Predicts the recording of a scenario on a kernel. Nothing of this machine is asked: the same
/// scenario, card and version give the same recording everywhere.
///
/// # Errors
/// [`check`]'s.
pub fn predict(scenario: &Scenario, card: &Card) -> Result<Recording, CannotModel> {
    check(scenario, card)?;
    let mut run = Run::new(scenario, card);
    run.all();
    Ok(run.finish())
}

struct Settling<'a> {
    task: Task<'a>,
    result: StepResult,
    work_done: u64,
    until: u64,
}

pub(super) struct Run<'a> {
    scenario: &'a Scenario,
    card: &'a Card,
    world: World,
    schedule: Schedule,
    tasks: Vec<Task<'a>>,
    settling: Vec<Settling<'a>>,
    now: u64,
    header: Header,
    tables: Vec<Table>,
    events: Vec<Event>,
    evidence: Vec<Evidence>,
    restarts: Vec<u64>,
}

impl<'a> Run<'a> {
    pub(super) fn new(scenario: &'a Scenario, card: &'a Card) -> Self {
        let header = header(scenario, card);
        let tables = header.groups.iter().map(|group| Table {
            columns: group.columns.clone(),
            ..Table::default()
        });
        let containers = scenario.containers.iter();
        let mut evidence: Vec<_> = containers.clone().map(|c| Evidence::new(&c.name)).collect();
        evidence.iter_mut().for_each(|e| e.oom_kills(0));
        Run {
            world: World::new(scenario, card),
            schedule: Schedule::new(scenario),
            tasks: Vec::new(),
            settling: Vec::new(),
            now: 0,
            tables: tables.collect(),
            events: Vec::new(),
            evidence,
            restarts: containers
                .map(|c| c.restart.map_or(0, |r| r.times))
                .collect(),
            header,
            scenario,
            card,
        }
    }

    fn all(&mut self) {
        let interval = u64::try_from(self.scenario.interval.as_nanos()).unwrap_or(u64::MAX);
        let slice = (interval / SLICES).max(1);
        let deadline = u64::try_from(self.scenario.deadline.as_nanos()).unwrap_or(u64::MAX);
        let mut ticks = 0;
        while !self.schedule.over() {
            // A deadline is meant for a machine of unknown speed; here only who waits at memory.high
            // runs into it.
            let waits = self
                .world
                .groups
                .iter()
                .any(super::world::Group::is_above_high);
            let patience = if waits {
                deadline
            } else {
                deadline.saturating_mul(PATIENCE)
            };
            if self.now >= patience || self.tables[0].len() >= SAMPLES_MAX {
                self.out_of_time();
                break;
            }
            if self.now >= ticks * interval {
                ticks += 1;
                self.sample();
                self.control();
            }
            self.begin_steps();
            self.work(slice as f64);
            self.now += slice;
            self.settle();
        }
        self.sample();
    }

    /// Whose number a step's actor has among all processes.
    fn who(&self, step: StepRef) -> usize {
        let before = self.scenario.containers[..step.container].iter();
        before.map(|c| c.actors.len()).sum::<usize>() + step.actor
    }

    fn begin_steps(&mut self) {
        for step in self.schedule.ready(self.scenario) {
            let spec =
                &self.scenario.containers[step.container].actors[step.actor].steps[step.step];
            self.schedule.start(step);
            self.event(EventKind::StepStart(self.id(step)));
            if let Err(why) = spec.when.holds(&self.header.host) {
                let result = StepResult::Skipped(why);
                self.step_end(step, self.now, result, 0, 0, "ops");
                continue;
            }
            if let Workload::RestartContainer(restart) = &spec.workload {
                self.schedule.skip_others(step.container, step.actor);
                // After the last row of the step before.
                self.now += 1;
                self.renew(
                    step.container,
                    restart.delete_files,
                    "a step of the scenario",
                );
                self.sample();
                self.step_end(step, self.now, StepResult::Done, 1, 1, "ops");
                continue;
            }
            let who = self.who(step);
            match Task::begin(&mut self.world, step, who, &spec.workload) {
                Ok(task) => self.tasks.push(task),
                Err(_) => self.bury(),
            }
        }
    }

    fn work(&mut self, slice: f64) {
        let mut ended = Vec::new();
        let mut tasks = std::mem::take(&mut self.tasks);
        tasks.retain_mut(|task| {
            if !self.world.processes[task.who].alive {
                return false;
            }
            match task.advance(&mut self.world, &self.card.speed, slice) {
                Slice::Busy => true,
                Slice::Killed => false,
                Slice::Ended(result) => {
                    ended.push((task.clone(), result));
                    false
                }
            }
        });
        self.tasks = tasks;
        self.bury();
        let now = self.now;
        let settling = ended.into_iter().map(|(task, result)| Settling {
            task,
            result,
            work_done: now,
            until: now + SETTLE_NS,
        });
        self.settling.extend(settling);
    }

    fn settle(&mut self) {
        let mut waiting = std::mem::take(&mut self.settling);
        waiting.retain(|s| {
            let step = s.task.step;
            let busy = self.schedule.others_at_work(step.container, step.actor);
            if self.now < s.until && !busy {
                return true;
            }
            self.sample();
            let (done, target) = (s.task.done, s.task.target);
            self.step_end(
                step,
                s.work_done,
                s.result.clone(),
                target,
                done,
                s.task.unit,
            );
            false
        });
        waiting.append(&mut self.settling);
        self.settling = waiting;
    }

    fn step_end(
        &mut self,
        step: StepRef,
        work_done: u64,
        result: StepResult,
        target: u64,
        achieved: u64,
        unit: &str,
    ) {
        if let StepResult::Failed(why) = &result {
            let name = self.id(step).step;
            self.evidence[step.container].failed(format!("step {name:?}: {why}"));
        }
        self.schedule.end(step);
        self.event(EventKind::StepEnd(StepEnd {
            id: self.id(step),
            work_done,
            result,
            target,
            achieved,
            unit: unit.into(),
            smaps: self.smaps(step),
        }));
    }

    /// What `smaps_rollup` of a step's process would say, as far as the model knows it; bytes.
    fn smaps(&self, step: StepRef) -> Rows {
        let who = self.who(step);
        let process = &self.world.processes[who];
        let lazy = self.world.lazy_left(who, process.lazy_pages(), 0);
        [("LazyFree", lazy), ("AnonHugePages", process.huge)]
            .into_iter()
            .map(|(name, pages)| (name.to_string(), pages * super::PAGE))
            .collect()
    }

    /// Notes those that the OOM killer ended.
    fn bury(&mut self) {
        for who in std::mem::take(&mut self.world.killed) {
            let process = &self.world.processes[who];
            let (container, name) = (process.container, process.actor.clone());
            let actors = &self.scenario.containers[container].actors;
            let Some(actor) = actors.iter().position(|actor| actor.name == name) else {
                continue;
            };
            self.evidence[container].oom_kills(1);
            self.evidence[container].exit(&name, End::Signal(9));
            self.schedule.lose(container, actor);
            self.tasks.retain(|task| task.who != who);
            self.settling.retain(|settling| settling.task.who != who);
            let group = self.scenario.containers[container].name.clone();
            self.event(EventKind::ActorExit {
                container: group,
                actor: name,
                code: None,
                signal: Some(9),
                oom_killed: true,
            });
        }
    }

    /// A container's controller looks at working_set on every sample.
    fn control(&mut self) {
        for container in 0..self.scenario.containers.len() {
            let Some(policy) = self.scenario.containers[container].restart else {
                continue;
            };
            let table = &self.tables[container + 1];
            let index = ViewIndex::new(self.card.cgroup, &table.columns);
            let Some(last) = table.len().checked_sub(1) else {
                continue;
            };
            let view = index.view(|column| table.get(last, column));
            let working_set = crate::formula::cadvisor::working_set(&view);
            if self.restarts[container] == 0
                || working_set.is_none_or(|ws| ws <= policy.above as i64)
            {
                continue;
            }
            self.restarts[container] -= 1;
            self.schedule.begin_again(container);
            let above = crate::units::bytes(policy.above);
            self.renew(
                container,
                policy.delete_files,
                &format!("working_set above {above}"),
            );
        }
    }

    fn renew(&mut self, container: usize, delete_files: bool, reason: &str) {
        self.tasks.retain(|task| task.step.container != container);
        self.settling
            .retain(|settling| settling.task.step.container != container);
        self.world.restart(self.scenario, container, delete_files);
        let name = self.scenario.containers[container].name.clone();
        self.event(EventKind::Restart {
            container: name,
            reason: reason.into(),
        });
    }

    fn out_of_time(&mut self) {
        for (container, evidence) in self.evidence.iter_mut().enumerate() {
            if !self.schedule.is_open(container) {
                continue;
            }
            let group = self.world.group_of(container);
            let stalled = group.is_some_and(super::world::Group::is_above_high);
            evidence.deadline(stalled);
        }
    }

    fn id(&self, step: StepRef) -> StepId {
        let container = &self.scenario.containers[step.container];
        let actor = &container.actors[step.actor];
        StepId {
            container: container.name.clone(),
            actor: actor.name.clone(),
            step: actor.steps[step.step].name.clone(),
            index: step.step,
        }
    }

    fn event(&mut self, kind: EventKind) {
        self.events.push(Event { kind, t: self.now });
    }

    /// One sample of the pod and of each container.
    fn sample(&mut self) {
        for (group, table) in self.tables.iter_mut().enumerate() {
            rows::sample(self.scenario, &self.world, self.card, group, table);
            table.t.push(self.now);
            table.cost.push(0);
        }
    }

    /// A recording without a sample.
    pub(super) fn empty(self) -> Recording {
        Recording {
            header: self.header,
            tables: self.tables,
            events: Vec::new(),
            footer: None,
            complete: false,
        }
    }

    fn finish(self) -> Recording {
        let (outcome, reason) = outcome::of_run(OfRun::default(), &self.evidence);
        let containers = self.evidence.iter().map(|evidence| {
            let (outcome, reason) = evidence.outcome();
            ContainerOutcome {
                container: evidence.name.clone(),
                outcome,
                reason,
            }
        });
        let footer = Footer {
            t: self.now,
            outcome,
            reason,
            containers: containers.collect::<Vec<_>>(),
            counters: Vec::new(),
            harness: HarnessCost {
                samples: self.tables[0].len() as u64,
                ..HarnessCost::default()
            },
        };
        debug_assert!(footer.outcome != Outcome::Killed);
        Recording {
            header: self.header,
            tables: self.tables,
            events: self.events,
            footer: Some(footer),
            complete: true,
        }
    }
}

fn header(scenario: &Scenario, card: &Card) -> Header {
    let columns = rows::columns(card.cgroup);
    let group = |name: &str, kind, limit| Group {
        image: None,
        name: name.into(),
        kind,
        limit,
        path: format!("model:{}/{name}", card.name),
        columns: columns.clone(),
    };
    let containers = scenario.containers.iter();
    let containers = containers.map(|c| group(&c.name, GroupKind::Container, Some(c.limit)));
    Header {
        memtide: env!("CARGO_PKG_VERSION").into(),
        host: card.host(),
        scenario: scenario.name.clone(),
        scenario_hash: crate::seed::text_hash(&scenario.text),
        scenario_text: scenario.text.clone(),
        seed: scenario.seed,
        rng: "none".into(),
        interval_ns: u64::try_from(scenario.interval.as_nanos()).unwrap_or(u64::MAX),
        time_scale: scenario.time_scale,
        // A model has no clock: the same input gives the same bytes.
        started: "1970-01-01T00:00:00Z".into(),
        groups: std::iter::once(group("pod", GroupKind::Pod, scenario.pod_limit))
            .chain(containers)
            .collect(),
        model: Some(ModelFacts {
            card: card.name.clone(),
            source: card.source.clone(),
            unknown: UNKNOWN.iter().map(|text| (*text).into()).collect(),
        }),
    }
}
