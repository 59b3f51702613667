//! A scenario as it is written: the shape of the TOML, nothing resolved yet.
//!
//! The JSON Schema is made of these types, and a file is held against it before anything else (see
//! `shape`), so a key that is not a field here is an error with its place.

mod check;
mod dist;
mod kernel;
mod scalar;
mod serve;
mod workload;

use schemars::JsonSchema;
use serde::Deserialize;

pub use check::*;
pub use dist::*;
pub use kernel::*;
pub use scalar::*;
pub use serve::*;
pub use workload::*;

use super::spec::{Class, Outcome};

/// The keys of a step that name what it does: exactly one must be there.
pub const WORKLOADS: &[&str] = &[
    "log_write",
    "file_read",
    "unlink",
    "anon",
    "heap_churn",
    "release",
    "rewrite",
    "sleep",
    "exec",
    "serve",
    "tmpfs_fill",
    "tmpfs_remove",
    "mmap_scan",
    "dentries",
    "thp_release",
    "reclaim",
    "fadvise",
    "restart_container",
    "cgroup_churn",
];

/// A memtide scenario: what runs in which container, what is true of it, and what to expect.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Scenario")]
pub struct WireScenario {
    /// One line: what the reader will learn.
    pub title: At<String>,
    /// The lesson, in paragraphs.
    pub story: String,
    /// For filters: `article`, `fast`, `slow`, ...
    #[serde(default)]
    pub tags: Vec<String>,
    /// Memory limit of the one container `app` (short form).
    pub limit: Option<At<WireBytes>>,
    /// memory.high of the one container (cgroup v2).
    pub high: Option<At<WireSize>>,
    /// Memory limit of the pod around the containers; without it only the containers are limited.
    pub pod_limit: Option<At<WireBytes>>,
    /// Draws every random number. Default 1.
    pub seed: Option<u64>,
    /// Between samples, 1ms to 1m. Default 100ms.
    pub interval: Option<At<WireTime>>,
    /// Seconds of a detector's time that one recorded second represents. Default 60.
    pub time_scale: Option<At<f64>>,
    /// After this the run ends as `timed_out`; made longer on slow machines. Default 60s.
    pub deadline: Option<At<WireTime>>,
    /// What is true, and what a detector should make of it.
    pub truth: WireTruth,
    /// Steps of the one actor `main` of the one container (short form).
    #[serde(default)]
    pub step: Vec<At<WireStep>>,
    /// Actors of the one container.
    #[serde(default)]
    pub actor: Vec<At<WireActor>>,
    /// Containers (full form).
    #[serde(default)]
    pub container: Vec<At<WireContainer>>,
    /// Conditions without which the scenario is skipped.
    #[serde(default)]
    pub require: Vec<WireRequirement>,
    /// How it may end; without one it must end as `survived`.
    #[serde(default)]
    pub outcome: Vec<WireOutcomes>,
    /// Claims about the numbers, checked on every run.
    #[serde(default)]
    pub expect: Vec<At<WireExpectation>>,
}

/// A cgroup with limits, and who works in it.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Container")]
pub struct WireContainer {
    /// Unique; lower-case letters, digits and `-`.
    pub name: At<String>,
    /// Memory limit.
    pub limit: At<WireBytes>,
    /// memory.high (cgroup v2).
    pub high: Option<At<WireSize>>,
    /// A controller that restarts it, as people's scripts do.
    pub restart: Option<At<WireRestartPolicy>>,
    /// Steps of its one actor `main` (short form).
    #[serde(default)]
    pub step: Vec<At<WireStep>>,
    /// Its worker processes.
    #[serde(default)]
    pub actor: Vec<At<WireActor>>,
}

/// A worker process and its steps in order.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Actor")]
pub struct WireActor {
    /// Unique in its container; lower-case letters, digits and `-`.
    pub name: At<String>,
    /// Works outside of the container's cgroup, as a client on another machine would. Default false.
    #[serde(default)]
    pub outside: bool,
    /// Runs on this one of the CPUs that memtide may use, counted from 0. Default: on any.
    pub cpu: Option<At<u64>>,
    /// What it does, in order.
    pub step: Vec<At<WireStep>>,
}

/// One thing an actor does: a name and exactly one workload.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Step")]
pub struct WireStep {
    /// Unique in its actor; expectations and `after` refer to it.
    pub name: At<String>,
    /// Told to the audience while it runs.
    #[serde(default)]
    pub say: String,
    /// Steps that must have ended before: `step`, `actor/step` or `container/actor/step`.
    #[serde(default)]
    pub after: Names,
    /// Where it is done; elsewhere it is skipped with the reason.
    pub when: Option<At<WireCondition>>,
    /// Appends lines to a log.
    pub log_write: Option<At<WireLogWrite>>,
    /// Reads a file, in passes.
    pub file_read: Option<At<WireFileRead>>,
    /// Deletes a file and its rotated copies.
    pub unlink: Option<At<WireUnlink>>,
    /// Maps and touches anonymous memory.
    pub anon: Option<At<WireAnon>>,
    /// Allocates and frees around a steady live set.
    pub heap_churn: Option<At<WireHeapChurn>>,
    /// Gives memory of a region back.
    pub release: Option<At<WireRelease>>,
    /// Writes to memory of a region again.
    pub rewrite: Option<At<WireRewrite>>,
    /// Waits this long.
    pub sleep: Option<At<WireTime>>,
    /// Runs a command.
    pub exec: Option<At<WireExec>>,
    /// Runs a service until other steps have ended.
    pub serve: Option<At<WireServe>>,
    /// Fills a file in memory (tmpfs).
    pub tmpfs_fill: Option<At<WireTmpfsFill>>,
    /// Deletes a file in memory.
    pub tmpfs_remove: Option<At<WireTmpfsRemove>>,
    /// Maps a file and touches every page of it.
    pub mmap_scan: Option<At<WireMmapScan>>,
    /// Looks up names that do not exist.
    pub dentries: Option<At<WireDentries>>,
    /// Gives most of each huge page back.
    pub thp_release: Option<At<WireThpRelease>>,
    /// Asks the kernel to reclaim the container's memory.
    pub reclaim: Option<At<WireReclaim>>,
    /// Tells the kernel what becomes of a file's cache.
    pub fadvise: Option<At<WireFadvise>>,
    /// Kills the container's processes, makes its cgroup anew, and goes on in new ones.
    pub restart_container: Option<At<WireRestartContainer>>,
    /// Makes and removes cgroups in the pod, one after the other.
    pub cgroup_churn: Option<At<WireCgroupChurn>>,
}

/// What is true of a scenario, and what a detector should make of it.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Truth")]
pub struct WireTruth {
    /// What the memory is.
    pub class: Class,
    /// Whether a leak or OOM detector should fire.
    pub fire: bool,
    /// From the start of this step on, firing is right; before, it is early. `mark` means the first mark that
    /// `memtide mark` set in the run, `mark:TEXT` the first with that text.
    pub onset: Option<At<String>>,
    /// The smallest limit under which it does its work, where that is known by construction: `memtide need`
    /// checks what it finds against it.
    pub need: Option<At<WireBytes>>,
    /// Why, in a sentence.
    pub why: String,
}

/// A condition without which the scenario is skipped.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Requirement")]
pub struct WireRequirement {
    /// What must hold.
    pub when: At<WireCondition>,
    /// The reason shown where it doesn't.
    pub reason: String,
}

/// The outcomes that are right under a condition.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Outcomes")]
pub struct WireOutcomes {
    /// Any of these.
    pub is: At<Vec<Outcome>>,
    /// Where; everywhere if not given.
    pub when: Option<At<WireCondition>>,
    /// Why there.
    pub why: String,
}
