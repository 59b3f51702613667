//! A run's ground: its cgroups, its folder and how its workers are started; so that a
//! container can be made anew in the middle of it.

use std::os::fd::AsFd;
use std::path::Path;
use std::process::{Child, Command};

use super::actor::Actor;
use super::error::HarnessError;
use super::marks::Marks;
use super::site::Sites;
use super::workdir::WorkDir;
use crate::cgroup::churn;
use crate::scenario::{Scenario, Step};
use crate::sys::process;
use crate::truth::Page;
use crate::worker::protocol::{Plan, PlannedStep};
use crate::workload::{CgroupChurn, Exec, Workload};
use crate::{seed, worker};

/// The ground of a run. Dropped, all of it is gone.
pub struct Stage<'a> {
    scenario: &'a Scenario,
    sites: Sites,
    // After the sites: what still runs in a container may write to its files.
    workdir: WorkDir,
    /// Ports that were free when the run began.
    ports: [u16; 2],
    marks: Marks,
}

impl<'a> Stage<'a> {
    /// Takes what was made for the run.
    pub fn new(scenario: &'a Scenario, sites: Sites, workdir: WorkDir, marks: Marks) -> Self {
        Stage {
            scenario,
            sites,
            workdir,
            ports: free_ports(),
            marks,
        }
    }

    /// What hears the run's marks.
    pub fn marks(&self) -> &Marks {
        &self.marks
    }

    /// The same, to take them.
    pub fn marks_mut(&mut self) -> &mut Marks {
        &mut self.marks
    }

    /// The run's work directory.
    pub fn folder(&self) -> &Path {
        self.workdir.path()
    }

    /// A text of the scenario with this run's ports and folder in it.
    pub fn fill(&self, text: &str) -> String {
        let [port, port2] = self.ports.map(|port| port.to_string());
        let folder = self.workdir.path().display().to_string();
        text.replace("{port}", &port)
            .replace("{port2}", &port2)
            .replace("{workdir}", &folder)
    }

    fn planned(&self, step: &Step) -> PlannedStep {
        let mut workload = step.workload.clone();
        match &mut workload {
            Workload::Exec(run) => self.fill_all(run),
            Workload::Serve(serve) => self.fill_all(&mut serve.run),
            _ => {}
        }
        PlannedStep {
            name: step.name.clone(),
            workload,
        }
    }

    fn fill_all(&self, run: &mut Exec) {
        let words = run.command.iter_mut();
        let texts = words.chain(run.files.iter_mut().map(|(_, text)| text));
        for text in texts.chain(run.env.iter_mut().map(|(_, text)| text)) {
            *text = self.fill(text);
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
            self.marks.tell(&mut command);
            if actor.outside {
                process::Child::OUTSIDE.prepare(&mut command);
            } else {
                self.sites.enter(c, &mut command);
            }
            let child = command.spawn().map_err(failed)?;
            let mut worker = Actor::new(c, a, &actor.name, child, page).map_err(failed)?;
            worker.outside = actor.outside;
            let plan = Plan {
                actor: actor.name.clone(),
                seed: seed::derive(
                    self.scenario.seed,
                    &format!("{}/{}", container.name, actor.name),
                ),
                workdir: workdir.to_path_buf(),
                cpu: actor.cpu,
                outside: actor.outside,
                steps: actor.steps.iter().map(|s| self.planned(s)).collect(),
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
        process::Child::OUTSIDE.prepare(&mut command);
        command.spawn().map_err(failed)
    }
}

/// Ports of 127.0.0.1 that nobody listens on now; 0 where none can be had, which fails the service
/// with its own words.
fn free_ports() -> [u16; 2] {
    // Both are held until both are known: else they could be the same.
    let held = [(); 2].map(|()| std::net::TcpListener::bind((std::net::Ipv4Addr::LOCALHOST, 0)));
    let port = |listener: &std::io::Result<std::net::TcpListener>| {
        let address = listener.as_ref().ok()?.local_addr().ok()?;
        Some(address.port())
    };
    [0, 1].map(|i| port(&held[i]).unwrap_or(0))
}
