//! The Indexed Jobs of `scripts/kind`: one completion index a scenario.
//!
//! All pods of a Job have one limit, and a scenario runs under its own: so there is a Job a limit.
//! Scenarios that may be OOM-killed have a Job of their own. On cgroup v2 the kubelet lets the kernel
//! kill a whole container, memtide included, and no policy makes such an index "succeeded" to
//! Kubernetes: `kubectl wait --for=condition=complete` is right for the other Jobs.

use std::collections::BTreeMap;

use crate::harness::fits_ambient;
use crate::scenario::{Diagnostics, Outcome, Overrides, Scenario, catalogue};
use crate::workload::Workload;

/// What a managed pod needs beyond its containers' limits: memtide itself, the kernel's memory for
/// the cgroups it makes, and files that outlive the container that wrote them.
const HEADROOM: u64 = 128 << 20;

/// One Indexed Job.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Job {
    /// Its name.
    pub name: String,
    /// Memory limit and request of its pods, bytes.
    pub limit: u64,
    /// Makes its own cgroups, which needs a privileged pod.
    pub managed: bool,
    /// One a completion index, in order.
    pub scenarios: Vec<String>,
}

/// The Jobs for pods without any rights: one container each, under the scenario's own limit.
///
/// # Errors
/// If a scenario of the catalogue can't be read; a test keeps that from happening.
pub fn plain() -> Result<Vec<Job>, Diagnostics> {
    let mut by_limit: BTreeMap<(bool, u64), Vec<String>> = BTreeMap::new();
    for scenario in all()? {
        let limit = scenario.containers[0].limit;
        if fits_ambient(&scenario, limit).is_ok() {
            let key = (may_be_killed(&scenario), limit);
            by_limit.entry(key).or_default().push(scenario.name);
        }
    }
    // The one with the most scenarios gets the plain name.
    let most = by_limit.iter().max_by_key(|(_, names)| names.len());
    let most = most.map(|(key, _)| *key);
    let job = |((killed, limit), scenarios)| {
        let mut name = String::from("memtide");
        if killed {
            name.push_str("-oom");
        }
        if most.is_some_and(|(_, usual)| usual != limit) {
            name.push_str(&format!("-{}", quantity(limit).to_lowercase()));
        }
        Job {
            name,
            limit,
            managed: false,
            scenarios,
        }
    };
    Ok(by_limit.into_iter().map(job).collect())
}

/// The Job for privileged pods: what needs several containers, or cgroups made anew, and what must
/// outlive an OOM kill.
///
/// # Errors
/// As [`plain`].
pub fn managed() -> Result<Vec<Job>, Diagnostics> {
    let mut scenarios = Vec::new();
    let mut limit = 0;
    for scenario in all()? {
        let fits = fits_ambient(&scenario, scenario.containers[0].limit).is_ok();
        if !fits || may_be_killed(&scenario) {
            let limits = scenario.containers.iter().map(|c| c.limit);
            limit = limits.sum::<u64>().max(limit);
            scenarios.push(scenario.name);
        }
    }
    Ok(vec![Job {
        name: "memtide-managed".into(),
        limit: limit + HEADROOM,
        managed: true,
        scenarios,
    }])
}

/// The catalogue less what needs programs that an image with nothing else in it can't have.
fn all() -> Result<Vec<Scenario>, Diagnostics> {
    let mut scenarios = Vec::new();
    for entry in catalogue() {
        let scenario = entry.parse(Overrides::default())?;
        let of_programs = |w: &Workload| matches!(w, Workload::Exec(_) | Workload::Serve(_));
        if !scenario.steps().any(|step| of_programs(&step.workload)) {
            scenarios.push(scenario);
        }
    }
    Ok(scenarios)
}

fn may_be_killed(scenario: &Scenario) -> bool {
    let mut outcomes = scenario.outcomes.iter();
    outcomes.any(|allowed| allowed.is.contains(&Outcome::OomKilled))
}

/// The Jobs as a Kubernetes manifest; what all pods have in common is in `components/pod`.
pub fn manifest(jobs: &[Job], command: &str) -> String {
    let mut text = format!("# Made by `memtide generate {command}` from the catalogue.\n");
    for job in jobs {
        let limit = quantity(job.limit);
        let completions = job.scenarios.len();
        text.push_str(&format!(
            "---\napiVersion: batch/v1\nkind: Job\nmetadata:\n  name: {}\nspec:\n  \
             completionMode: Indexed\n  completions: {completions}\n  parallelism: 1\n  \
             template:\n    spec:\n      containers:\n        - name: memtide\n          \
             resources:\n            limits:\n              memory: \"{limit}\"\n            \
             requests:\n              memory: \"{limit}\"\n          args:\n",
            job.name
        ));
        let placement = if job.managed { "managed" } else { "ambient" };
        let options = [
            "run",
            "--out=-",
            "--pick=$(MEMTIDE_INDEX)",
            &format!("--placement={placement}"),
        ]
        .map(String::from);
        for argument in options.iter().chain(&job.scenarios) {
            text.push_str(&format!("            - {argument}\n"));
        }
    }
    text
}

/// Bytes as a Kubernetes quantity, exact.
fn quantity(bytes: u64) -> String {
    const MI: u64 = 1 << 20;
    if bytes.is_multiple_of(MI) {
        format!("{}Mi", bytes / MI)
    } else {
        bytes.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_scenario_without_other_programs_is_in_a_job() {
        let jobs: Vec<Job> = plain()
            .unwrap()
            .into_iter()
            .chain(managed().unwrap())
            .collect();
        for scenario in all().unwrap() {
            let name = &scenario.name;
            assert!(
                jobs.iter().any(|job| job.scenarios.contains(name)),
                "{name}"
            );
        }
        let names: Vec<&str> = jobs.iter().map(|job| job.name.as_str()).collect();
        assert!(
            names.contains(&"memtide") && names.contains(&"memtide-oom"),
            "{names:?}"
        );
        let mut unique = names.clone();
        unique.sort_unstable();
        unique.dedup();
        assert_eq!(unique.len(), names.len(), "{names:?}");
    }

    #[test]
    fn what_needs_cgroups_of_its_own_is_managed() {
        let managed = managed().unwrap();
        for name in ["log-shipper", "memory-high-stall", "leak", "tmpfs-restart"] {
            assert!(managed[0].scenarios.iter().any(|s| s == name), "{name}");
        }
        let limits: u64 = 512 << 20;
        assert!(managed[0].limit >= limits + HEADROOM);
    }

    #[test]
    fn quantities_are_exact() {
        assert_eq!(quantity(256 << 20), "256Mi");
        assert_eq!(quantity(200_000_000), "200000000");
    }
}
