//! What the harness does to containers while a run goes: restarts, and cgroups that come and go.

use std::process::Child;

use super::error::{HarnessError, doing};
use super::live::Live;
use crate::recording::{EventKind, MISSING};
use crate::rows::ViewIndex;
use crate::scenario::StepRef;
use crate::truth::Counter;
use crate::worker::protocol::Status;
use crate::workload::{CgroupChurn, Workload};

/// A controller that looks at one container's working_set on every sample.
pub(super) struct Controller {
    container: usize,
    above: u64,
    left: u64,
    delete_files: bool,
    due: bool,
}

/// A step that a process of the harness does.
pub(super) struct Chore {
    step: StepRef,
    count: u64,
    child: Child,
}

impl Live<'_> {
    /// The scenario's controllers.
    pub(super) fn controllers(scenario: &crate::scenario::Scenario) -> Vec<Controller> {
        let policies = scenario.containers.iter().enumerate();
        let policies = policies.filter_map(|(container, c)| Some((container, c.restart?)));
        policies
            .map(|(container, policy)| Controller {
                container,
                above: policy.above,
                left: policy.times,
                delete_files: policy.delete_files,
                due: false,
            })
            .collect()
    }

    /// Whether a sample of `group` makes its controller act; it does so after this tick.
    pub(super) fn control(&mut self, group: usize) {
        let Some(controller) = self
            .controllers
            .iter_mut()
            .find(|c| self.parts.group_of[c.container] == group)
        else {
            return;
        };
        let values = self.parts.sampler.values(group);
        let index = ViewIndex::new(self.parts.version, &self.parts.groups[group].columns);
        let view = index.view(|c| values.get(c).copied().filter(|v| *v != MISSING));
        let working_set = crate::formula::cadvisor::working_set(&view);
        controller.due |=
            controller.left > 0 && working_set.is_some_and(|bytes| bytes > controller.above as i64);
    }

    /// Lets the controllers act that have reason to.
    pub(super) fn act(&mut self) -> Result<(), HarnessError> {
        for i in 0..self.controllers.len() {
            let controller = &mut self.controllers[i];
            if !std::mem::take(&mut controller.due) {
                continue;
            }
            controller.left -= 1;
            let (container, delete) = (controller.container, controller.delete_files);
            let above = crate::units::bytes(controller.above);
            let reason = format!("working_set above {above}");
            self.schedule.begin_again(container);
            self.renew(container, delete, reason)?;
        }
        Ok(())
    }

    /// Begins a step that only the harness can do.
    pub(super) fn harness_step(&mut self, step: StepRef) -> Result<(), HarnessError> {
        let workload = self.step(step).workload.clone();
        match workload {
            Workload::RestartContainer(restart) => {
                self.schedule.skip_others(step.container, step.actor);
                self.renew(
                    step.container,
                    restart.delete_files,
                    "a step of the scenario".into(),
                )?;
                self.done_here(step, 1, Status::Done);
                Ok(())
            }
            Workload::CgroupChurn(job) => self.churn(step, &job),
            _ => Ok(()),
        }
    }

    fn churn(&mut self, step: StepRef, job: &CgroupChurn) -> Result<(), HarnessError> {
        if let Some(stage) = &self.parts.stage {
            let child = stage.churn(job)?;
            self.chores.push(Chore {
                step,
                count: job.count,
                child,
            });
        }
        Ok(())
    }

    /// Notes chores that have ended.
    pub(super) fn reap_chores(&mut self) -> Result<(), HarnessError> {
        let mut i = 0;
        while i < self.chores.len() {
            let ended = self.chores[i]
                .child
                .try_wait()
                .map_err(doing("waiting for a child"))?;
            let Some(status) = ended else {
                i += 1;
                continue;
            };
            let chore = self.chores.remove(i);
            let status = match status.success() {
                true => Status::Done,
                false => Status::Failed(format!("cgroup_churn: {status}")),
            };
            self.done_here(chore.step, chore.count, status);
        }
        Ok(())
    }

    /// Ends a container's processes, makes its cgroup anew and starts new workers in it.
    fn renew(
        &mut self,
        container: usize,
        delete_files: bool,
        reason: String,
    ) -> Result<(), HarnessError> {
        let group = self.parts.group_of[container];
        // What its counters have seen goes with the cgroup.
        self.sample(group)?;
        self.settling.retain(|s| s.step.container != container);
        self.served.retain(|s| s.step.container != container);
        let (old, others) = std::mem::take(&mut self.parts.actors)
            .into_iter()
            .partition(|actor| actor.container == container);
        self.parts.actors = others;
        let old: Vec<super::actor::Actor> = old;
        for actor in old.iter().filter(|actor| !actor.outside) {
            self.parts.sampler.detach(group, &actor.name);
            if delete_files {
                // They can't note it themselves any more.
                actor.page.set(Counter::FileLive, 0);
                actor.page.set(Counter::ShmemLive, 0);
            }
        }
        let name = self.parts.scenario.containers[container].name.clone();
        // Dropping an actor kills it and waits for it.
        drop(old);
        self.event(EventKind::Restart {
            container: name,
            reason,
        })?;
        let Some(stage) = &mut self.parts.stage else {
            return Ok(());
        };
        stage.renew(container, delete_files)?;
        if let Some(path) = stage.sites().path(container) {
            self.parts.sampler.reopen(group, path)?;
        }
        for actor in stage.spawn(container)? {
            actor.attach(&mut self.parts.sampler, group);
            self.parts.actors.push(actor);
        }
        // The new cgroup's counters begin at 0 again.
        self.verdicts[group].forget();
        Ok(())
    }
}

impl Drop for Chore {
    fn drop(&mut self) {
        // Ours and not reaped yet, or reaped and then these fail: both are fine.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
