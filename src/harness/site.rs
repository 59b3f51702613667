//! Where the containers of one run are: cgroups made for it, or the one memtide is in.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

use super::actor::Actor;
use super::error::HarnessError;
use crate::cgroup::{Chosen, Hierarchy, Limits, Managed, ManagedPod};
use crate::host::HostFacts;
use crate::recording::GroupKind;
use crate::run_id::RunId;
use crate::sampler::{GroupSource, Sampler, TruthSource};
use crate::scenario::Scenario;
use crate::sys::process::{Child, OOM_FIRST};
use crate::units;

/// The cgroups of one run; removed when dropped, where they were made for it.
#[derive(Debug)]
pub struct Sites {
    // Containers stand before the pod: fields are dropped in order, and a pod can only be removed
    // when it is empty.
    containers: Vec<Managed>,
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
            let limits = Limits {
                limit: container.limit,
                high: container.high,
            };
            if let Some(pod) = &sites.pod {
                let made = pod.container(&container.name, &limits)?;
                sites.containers.push(made);
            }
        }
        Ok(sites)
    }

    /// Lets `command`'s child join container `index` before it runs, die with the harness, and be
    /// the OOM killer's first choice.
    pub fn enter(&self, index: usize, command: &mut Command) {
        let join = self.containers.get(index).map(Managed::procs);
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
            let truth = Some(actor.page.clone() as Arc<dyn TruthSource>);
            sampler.attach(group_of[actor.container], &actor.name, actor.pid(), truth);
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
        let containers = self.containers.iter().enumerate().map(|(c, made)| {
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
    if container.high.is_some() {
        return Err("it sets memory.high, which needs managed placement".into());
    }
    if limit < container.limit {
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
