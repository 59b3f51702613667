//! What a run stands on: its cgroups, its folder and how its workers are started; so that a
//! container can be made anew in the middle of it.

use std::os::fd::AsFd;
use std::path::Path;
use std::process::{Child, Command};

use super::actor::Actor;
use super::error::HarnessError;
use super::site::Sites;
use super::workdir::WorkDir;
use crate::cgroup::churn;
use crate::scenario::{Scenario, Step};
use crate::truth::Page;
use crate::worker::protocol::{Plan, PlannedStep};
use crate::workload::CgroupChurn;
use crate::{seed, worker};

/// The ground a run stands on. Dropped, all of it is gone.
pub struct Stage<'a> {
    scenario: &'a Scenario,
    sites: Sites,
    // After the sites: what still runs in a container may write to its files.
    workdir: WorkDir,
}

impl<'a> Stage<'a> {
    /// Takes what was made for the run.
    pub fn new(scenario: &'a Scenario, sites: Sites, workdir: WorkDir) -> Self {
        Stage {
            scenario,
            sites,
            workdir,
        }
    }

    /// The cgroups.
    pub fn sites(&self) -> &Sites {
        &self.sites
    }

    /// Starts every actor's worker.
    pub fn spawn_all(&self) -> Result<Vec<Actor>, HarnessError> {
        let mut actors = Vec::new();
        for container in 0..self.scenario.containers.len() {
            actors.extend(self.spawn(container)?);
        }
        Ok(actors)
    }

    /// Starts the workers of one container, inside it.
    pub fn spawn(&self, c: usize) -> Result<Vec<Actor>, HarnessError> {
        let container = &self.scenario.containers[c];
        let mut actors = Vec::new();
        for (a, actor) in container.actors.iter().enumerate() {
            let failed = |source| HarnessError::Spawn {
                actor: actor.name.clone(),
                source,
            };
            let workdir = self.workdir.path();
            let (page, fd) = Page::create(workdir).map_err(failed)?;
            let mut command =
                worker::command(Path::new(worker::SELF), fd.as_fd()).map_err(failed)?;
            self.sites.enter(c, &mut command);
            let child = command.spawn().map_err(failed)?;
            let mut worker = Actor::new(c, a, &actor.name, child, page).map_err(failed)?;
            let plan = Plan {
                actor: actor.name.clone(),
                seed: seed::derive(
                    self.scenario.seed,
                    &format!("{}/{}", container.name, actor.name),
                ),
                workdir: workdir.to_path_buf(),
                steps: actor.steps.iter().map(planned).collect(),
            };
            let line = serde_json::to_string(&plan).map_err(|error| failed(error.into()))?;
            worker.send_line(&line);
            actors.push(worker);
        }
        Ok(actors)
    }

    /// Removes a container's cgroup, with all processes in it, and makes it anew; the files of the
    /// run go too where a pod would be replaced.
    pub fn renew(&mut self, container: usize, delete_files: bool) -> Result<(), HarnessError> {
        self.sites.remove(container)?;
        if delete_files {
            self.workdir.empty()?;
        }
        self.sites.make(&self.scenario.containers[container])
    }

    /// Starts making and removing cgroups in the pod.
    pub fn churn(&self, job: &CgroupChurn) -> Result<Child, HarnessError> {
        let failed = |source| HarnessError::Spawn {
            actor: "cgroup_churn".into(),
            source,
        };
        let Some(pod) = self.sites.pod_path() else {
            return Err(failed(std::io::Error::other(
                "there is no pod to make cgroups in",
            )));
        };
        let mut command = Command::new(worker::SELF);
        command
            .args([
                churn::ARGUMENT,
                &job.count.to_string(),
                &job.file.to_string(),
            ])
            .args([pod, self.workdir.path()]);
        self.sites.outside(&mut command);
        command.spawn().map_err(failed)
    }
}

fn planned(step: &Step) -> PlannedStep {
    PlannedStep {
        name: step.name.clone(),
        workload: step.workload.clone(),
    }
}
