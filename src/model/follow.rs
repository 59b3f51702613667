//! A scenario through the model on the time axis of a recording: how far each worker was at each sample
//! is read from the recording's truth, so that what is left to be predicted is the kernel.

use super::card::Card;
use super::rows;
use super::run::{CannotModel, Run, check};
use super::task::Task;
use super::world::World;
use crate::recording::{EventKind, Recording, StepId, StepResult};
use crate::scenario::{Scenario, StepRef};
use crate::truth::{COUNTERS, Counter};
use crate::workload::Workload;

/// What a kernel would have counted at each sample of a recording of the same scenario. Steps, their
/// times and how the run ended are the recording's; the rows are the model's.
///
/// # Errors
/// As [`super::predict`].
pub fn follow(
    scenario: &Scenario,
    card: &Card,
    real: &Recording,
) -> Result<Recording, CannotModel> {
    check(scenario, card)?;
    let mut follower = Follower {
        scenario,
        world: World::new(scenario, card),
        tasks: Vec::new(),
        real,
        truth: truth_columns(scenario, real),
    };
    let mut recording = Run::new(scenario, card).empty();
    let mut moments = follower.moments().into_iter().peekable();
    for (t, group, sample) in follower.samples() {
        while let Some(moment) = moments.next_if(|moment| moment.t <= t) {
            follower.pass(&moment);
        }
        follower.work(t);
        let name = &real.header.groups[group].name;
        let Some(own) = recording.group(name) else {
            continue;
        };
        let table = &mut recording.tables[own];
        rows::sample(scenario, &follower.world, card, own, table);
        table.t.push(real.tables[group].t[sample]);
        table.cost.push(0);
    }
    recording.events.clone_from(&real.events);
    recording.footer.clone_from(&real.footer);
    recording.complete = real.complete;
    recording.header.time_scale = real.header.time_scale;
    Ok(recording)
}

/// Something that happened at a time, nanoseconds.
struct Moment<'a> {
    t: u64,
    what: What<'a>,
}

enum What<'a> {
    Start(&'a StepId),
    Done(&'a StepId, u64),
    Restart(&'a str),
    Killed(&'a str, &'a str),
}

struct Follower<'a> {
    scenario: &'a Scenario,
    world: World,
    tasks: Vec<Task<'a>>,
    real: &'a Recording,
    /// By container: its table, and where the counters stand in it.
    truth: Vec<Option<(usize, Vec<Option<usize>>)>>,
}

fn truth_columns(
    scenario: &Scenario,
    real: &Recording,
) -> Vec<Option<(usize, Vec<Option<usize>>)>> {
    let containers = scenario.containers.iter();
    containers
        .map(|container| {
            let group = real.group(&container.name)?;
            let table = &real.tables[group];
            let column = |counter: &&str| table.column(&format!("truth:{counter}"));
            Some((group, COUNTERS.iter().map(column).collect()))
        })
        .collect()
}

impl<'a> Follower<'a> {
    /// What the recording says happened, in time order.
    fn moments(&self) -> Vec<Moment<'a>> {
        let mut moments = Vec::new();
        for event in &self.real.events {
            let (t, what) = match &event.kind {
                EventKind::StepStart(id) => (event.t, What::Start(id)),
                EventKind::StepEnd(end) if !matches!(end.result, StepResult::Skipped(_)) => {
                    (end.work_done, What::Done(&end.id, end.achieved))
                }
                EventKind::Restart { container, .. } => (event.t, What::Restart(container)),
                EventKind::ActorExit {
                    container,
                    actor,
                    oom_killed: true,
                    ..
                } => (event.t, What::Killed(container, actor)),
                _ => continue,
            };
            moments.push(Moment { t, what });
        }
        moments.sort_by_key(|moment| moment.t);
        moments
    }

    /// Every sample of every group in time order: when, which group, which sample.
    fn samples(&self) -> Vec<(u64, usize, usize)> {
        let tables = self.real.tables.iter().enumerate();
        let mut all: Vec<_> = tables
            .flat_map(|(group, table)| {
                let times = table.t.iter().enumerate();
                times.map(move |(sample, t)| (*t, group, sample))
            })
            .collect();
        all.sort_unstable();
        all
    }

    /// A step by its names, and its process.
    fn find(&self, id: &StepId) -> Option<(StepRef, usize)> {
        let containers = &self.scenario.containers;
        let container = containers.iter().position(|c| c.name == id.container)?;
        let who = self.who(container, &id.actor)?;
        let actors = &containers[container].actors;
        let actor = actors.iter().position(|a| a.name == id.actor)?;
        let step = StepRef {
            container,
            actor,
            step: id.index,
        };
        (id.index < actors[actor].steps.len()).then_some((step, who))
    }

    fn who(&self, container: usize, actor: &str) -> Option<usize> {
        let mut processes = self.world.processes.iter();
        processes.position(|p| p.container == container && p.actor == actor)
    }

    fn pass(&mut self, moment: &Moment<'a>) {
        match moment.what {
            What::Start(id) => self.begin(id),
            What::Done(id, achieved) => {
                let Some((step, _)) = self.find(id) else {
                    return;
                };
                let Some(index) = self.tasks.iter().position(|task| task.step == step) else {
                    return;
                };
                let mut task = self.tasks.remove(index);
                // The others were as far as they had to be for it.
                if self.world.processes[task.who].alive {
                    task.end_at(&mut self.world, achieved);
                }
            }
            What::Restart(name) => {
                let containers = &self.scenario.containers;
                let Some(container) = containers.iter().position(|c| c.name == name) else {
                    return;
                };
                self.tasks.retain(|task| task.step.container != container);
                let delete = self.deletes(container);
                self.world.restart(self.scenario, container, delete);
            }
            What::Killed(container, actor) => {
                let containers = &self.scenario.containers;
                let container = containers.iter().position(|c| c.name == container);
                if let Some(who) = container.and_then(|c| self.who(c, actor)) {
                    self.tasks.retain(|task| task.who != who);
                    self.world.end(who);
                }
            }
        }
    }

    /// Whether a container's restarts delete its files: its policy's, or its step's.
    fn deletes(&self, container: usize) -> bool {
        let spec = &self.scenario.containers[container];
        let steps = spec.actors.iter().flat_map(|actor| &actor.steps);
        let step = steps.filter_map(|step| match &step.workload {
            Workload::RestartContainer(restart) => Some(restart.delete_files),
            _ => None,
        });
        let policy = spec.restart.map(|policy| policy.delete_files);
        policy.into_iter().chain(step).any(|deletes| deletes)
    }

    fn begin(&mut self, id: &StepId) {
        let Some((step, who)) = self.find(id) else {
            return;
        };
        let actor = &self.scenario.containers[step.container].actors[step.actor];
        let work = &actor.steps[step.step].workload;
        if matches!(work, Workload::RestartContainer(_)) || !self.world.processes[who].alive {
            return;
        }
        if let Ok(task) = Task::begin(&mut self.world, step, who, work) {
            self.tasks.push(task);
        }
    }

    /// How far the workers of a container were at a time by one counter of the truth, bytes. Groups are
    /// sampled one after the other: what belongs to the same tick counts as the same time.
    fn recorded(&self, container: usize, counter: Counter, t: u64) -> Option<u64> {
        let (group, columns) = self.truth[container].as_ref()?;
        let table = &self.real.tables[*group];
        let column = columns[counter as usize]?;
        let at = |t| table.get(table.at(t)?, column);
        at(t).max(at(t + self.real.header.interval_ns / 4))
    }

    /// Lets the tasks do what their recorded counterparts had done by a time. Who shares a counter
    /// takes turns; writers are first, since readers follow them.
    fn work(&mut self, t: u64) {
        let mut tasks = std::mem::take(&mut self.tasks);
        tasks.sort_by_key(|task| task.progress().map(|(counter, _)| counter as usize));
        for index in 0..tasks.len() {
            let Some((counter, unit)) = tasks[index].progress() else {
                continue;
            };
            let container = tasks[index].step.container;
            let same = |task: &&Task| {
                task.step.container == container
                    && task.progress().is_some_and(|(other, _)| other == counter)
            };
            let sharers = tasks[index..].iter().filter(same).count() as u64;
            let Some(wanted) = self.recorded(container, counter, t) else {
                continue;
            };
            let more = wanted.saturating_sub(self.world.truth_of(container, counter));
            let units = more / unit / sharers.max(1);
            if units > 0 && self.world.processes[tasks[index].who].alive {
                tasks[index].do_units(&mut self.world, units);
            }
        }
        tasks.retain(|task| self.world.processes[task.who].alive);
        self.tasks = tasks;
        self.world.killed.clear();
    }
}
