//! Where the containers of one run are: cgroups made for it, or the one memtide is in.

use std::path::{Path, PathBuf};
use std::process::Command;

use super::actor::Actor;
use super::error::HarnessError;
use crate::cgroup::{Chosen, Hierarchy, Limits, Managed, ManagedPod};
use crate::host::HostFacts;
use crate::recording::GroupKind;
use crate::run_id::RunId;
use crate::sampler::{GroupSource, Sampler};
use crate::scenario::{Container, Scenario};
use crate::sys::process::{Child, OOM_FIRST};
use crate::units;

/// The cgroups of one run; removed when dropped, where they were made for it.
#[derive(Debug)]
pub struct Sites {
    // Containers stand before the pod: fields are dropped in order, and a pod can only be removed
    // when it is empty.
    containers: Vec<Option<Managed>>,
    pod: Option<ManagedPod>,
    ambient: Option<(PathBuf, u64)>,
}

impl Sites {
    /// Makes the pod and its containers, or takes the cgroup memtide is in.
    pub fn create(
        hierarchy: &Hierarchy,
        chosen: &Chosen,
        id: &RunId,
        scenario: &Scenario,
    ) -> Result<Self, HarnessError> {
        if let Chosen::Ambient { own, limit } = chosen {
            let ambient = Some((own.clone(), *limit));
            return Ok(Sites {
                containers: Vec::new(),
                pod: None,
                ambient,
            });
        }
        let pod = ManagedPod::create(hierarchy, id).map_err(crate::cgroup::CgroupError::from)?;
        if let Some(limit) = scenario.pod_limit {
            pod.set_limits(&Limits { limit, high: None })?;
        }
        let mut sites = Sites {
            containers: Vec::new(),
            pod: Some(pod),
            ambient: None,
        };
        for container in &scenario.containers {
            sites.containers.push(None);
            sites.make(container)?;
        }
        Ok(sites)
    }

    /// Makes a container's cgroup in the place that is empty for it.
    pub fn make(&mut self, container: &Container) -> Result<(), HarnessError> {
        let limits = Limits {
            limit: container.limit,
            high: container.high,
        };
        let place = self.containers.iter_mut().find(|place| place.is_none());
        if let (Some(pod), Some(place)) = (&self.pod, place) {
            *place = Some(pod.container(&container.name, &limits)?);
        }
        Ok(())
    }

    /// Kills what is in a container and removes it.
    pub fn remove(&mut self, index: usize) -> Result<(), HarnessError> {
        if let Some(container) = self.containers.get_mut(index).and_then(Option::take) {
            container.remove()?;
        }
        Ok(())
    }

    /// The pod's directory, where one was made.
    pub fn pod_path(&self) -> Option<&Path> {
        self.pod.as_ref().map(ManagedPod::path)
    }

    /// A container's directory.
    pub fn path(&self, index: usize) -> Option<&Path> {
        let made = self.containers.get(index).and_then(Option::as_ref);
        made.map(Managed::path)
            .or(self.ambient.as_ref().map(|(path, _)| path.as_path()))
    }

    /// Lets `command`'s child join container `index` before it runs, die with the harness, and be
    /// the OOM killer's first choice.
    pub fn enter(&self, index: usize, command: &mut Command) {
        let made = self.containers.get(index).and_then(Option::as_ref);
        let join = made.map(Managed::procs);
        Child {
            join,
            oom_score_adj: Some(OOM_FIRST),
            die_with_parent: true,
        }
        .prepare(command);
    }

    /// The sampled group of each container: the pod comes first where there is one.
    pub fn group_of(&self) -> Vec<usize> {
        match self.ambient {
            Some(_) => vec![0],
            None => (1..=self.containers.len()).collect(),
        }
    }

    /// Opens every file that will be read.
    pub fn sampler(
        &self,
        hierarchy: &Hierarchy,
        scenario: &Scenario,
        actors: &[Actor],
    ) -> Result<Sampler, HarnessError> {
        let sources = self.sources(hierarchy, scenario);
        let mut sampler = Sampler::open(sources, true)?;
        let group_of = self.group_of();
        for actor in actors {
            actor.attach(&mut sampler, group_of[actor.container]);
        }
        Ok(sampler)
    }

    fn sources(&self, hierarchy: &Hierarchy, scenario: &Scenario) -> Vec<GroupSource> {
        let source = |name: &str, kind, path: &Path, limit, actors| GroupSource {
            name: name.into(),
            kind,
            path: path.to_path_buf(),
            version: hierarchy.version,
            limit,
            actors,
            truth: true,
        };
        let actors = |container: usize| {
            scenario.containers[container]
                .actors
                .iter()
                .filter(|a| !a.outside)
                .map(|a| a.name.clone())
                .collect()
        };
        let name = |container: usize| scenario.containers[container].name.as_str();
        let kind = GroupKind::Container;
        if let Some((path, limit)) = &self.ambient {
            return vec![source(name(0), kind, path, Some(*limit), actors(0))];
        }
        let pod = self.pod.iter();
        let pod = pod.map(|pod| {
            source(
                "pod",
                GroupKind::Pod,
                pod.path(),
                scenario.pod_limit,
                Vec::new(),
            )
        });
        let made = self.containers.iter().flatten();
        let containers = made.enumerate().map(|(c, made)| {
            source(
                name(c),
                kind,
                made.path(),
                Some(made.limits().limit),
                actors(c),
            )
        });
        pod.chain(containers).collect()
    }
}

/// Whether a scenario can run in the one cgroup memtide is in; if not, why.
pub fn fits_ambient(scenario: &Scenario, limit: u64) -> Result<(), String> {
    if scenario.containers.len() > 1 {
        return Err(format!(
            "it needs {} containers, and this is one cgroup (ambient placement); run it as root, \
             or in a privileged pod",
            scenario.containers.len()
        ));
    }
    let container = &scenario.containers[0];
    let mut steps = container.actors.iter().flat_map(|a| &a.steps);
    if container.restart.is_some() || steps.any(|s| s.workload.by_harness()) {
        return Err("it makes cgroups anew while it runs, which needs managed placement".into());
    }
    if container.actors.iter().any(|a| a.outside) {
        return Err(
            "a part of it works outside of the container, which needs managed placement".into(),
        );
    }
    if container.high.is_some() {
        return Err("it sets memory.high, which needs managed placement".into());
    }
    // The kernel keeps limits in whole pages, rounded down.
    let page = crate::sys::process::page_size();
    if limit < container.limit / page * page {
        return Err(format!(
            "it needs a limit of {}, and this cgroup has {}; give the container more memory, or \
             scale the scenario down with --limit {}",
            units::bytes(container.limit),
            units::bytes(limit),
            units::bytes_exact(limit)
        ));
    }
    Ok(())
}

/// Refuses limits that don't limit.
pub fn check_limits(scenario: &Scenario, host: &HostFacts) -> Result<(), HarnessError> {
    let too_much = scenario
        .containers
        .iter()
        .find(|c| c.limit >= host.mem_total);
    match too_much {
        Some(container) => Err(HarnessError::LimitAboveRam {
            container: container.name.clone(),
            limit: units::bytes(container.limit),
            ram: units::bytes(host.mem_total),
        }),
        None => Ok(()),
    }
}
