//! A scenario as it is written: the shape of the TOML, nothing resolved yet.
//!
//! The JSON Schema is made of these types, and a file is held against it before anything else (see
//! `shape`), so a key that is not a field here is an error with its place.

/// Types of the file: a key that is no field is an error, and the schema calls them by a name of its own.
macro_rules! wire {
    ($($(#[$doc:meta])* $name:ident as $schema:tt { $($fields:tt)* })+) => {$(
        $(#[$doc])*
        #[derive(Debug, serde::Deserialize, schemars::JsonSchema)]
        #[serde(deny_unknown_fields)]
        #[schemars(rename = $schema)]
        pub struct $name {
            $($fields)*
        }
    )+};
}

pub(crate) use wire;

mod check;
mod dist;
mod scalar;
mod serve;
mod workload;

pub use check::*;
pub use dist::*;
pub use scalar::*;
pub use serve::*;
pub use workload::*;

pub use super::lower::plain::*;
use super::spec::{Class, Outcome};

/// Every workload: its key in a step, and how its parameters are written.
macro_rules! workloads {
    ($then:ident) => {
        $then! {
            /// Appends lines to a log.
            log_write: WireLogWrite,
            /// Reads a file, in passes.
            file_read: WireFileRead,
            /// Deletes a file and its rotated copies.
            unlink: WireUnlink,
            /// Maps and touches anonymous memory.
            anon: WireAnon,
            /// Allocates and frees around a steady live set.
            heap_churn: WireHeapChurn,
            /// Gives memory of a region back.
            release: WireRelease,
            /// Writes to memory of a region again.
            rewrite: WireRewrite,
            /// Waits this long.
            sleep: WireTime,
            /// Runs a command.
            exec: WireExec,
            /// Runs a service until other steps have ended.
            serve: WireServe,
            /// Fills a file in memory (tmpfs).
            tmpfs_fill: WireTmpfsFill,
            /// Deletes a file in memory.
            tmpfs_remove: WireTmpfsRemove,
            /// Maps a file and touches every page of it.
            mmap_scan: WireMmapScan,
            /// Looks up names that do not exist.
            dentries: WireDentries,
            /// Gives most of each huge page back.
            thp_release: WireThpRelease,
            /// Asks the kernel to reclaim the container's memory.
            reclaim: WireReclaim,
            /// Tells the kernel what becomes of a file's cache.
            fadvise: WireFadvise,
            /// Kills the container's processes, makes its cgroup anew, and goes on in new ones.
            restart_container: WireRestartContainer,
            /// Makes and removes cgroups in the pod, one after the other.
            cgroup_churn: WireCgroupChurn,
        }
    };
}
pub(crate) use workloads;

macro_rules! step {
    ($($(#[$doc:meta])* $key:ident: $parameters:ident,)+) => {
        /// The keys of a step that name what it does: exactly one must be there.
        pub const WORKLOADS: &[&str] = &[$(stringify!($key)),+];

        wire! {
            /// One thing an actor does: a name and exactly one workload.
            WireStep as "Step" {
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
                $($(#[$doc])* pub $key: Option<At<$parameters>>,)+
            }
        }
    };
}
workloads!(step);

wire! {
    /// A memtide scenario: what runs in which container, what is true of it, and what to expect.
    WireScenario as "Scenario" {
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
    WireContainer as "Container" {
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
    WireActor as "Actor" {
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

    /// What is true of a scenario, and what a detector should make of it.
    WireTruth as "Truth" {
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
    WireRequirement as "Requirement" {
        /// What must hold.
        pub when: At<WireCondition>,
        /// The reason shown where it doesn't.
        pub reason: String,
    }

    /// The outcomes that are right under a condition.
    WireOutcomes as "Outcomes" {
        /// Any of these.
        pub is: At<Vec<Outcome>>,
        /// Where; everywhere if not given.
        pub when: Option<At<WireCondition>>,
        /// Why there.
        pub why: String,
    }
}
