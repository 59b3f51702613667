//! Recordings: raw rows, truth, steps and host facts of one run, as the kernel gave them.
//!
//! These types are both what the program works with and what a line of a recording looks like; where
//! the two differ (the header, the lines that are no events) `format` has a wire type.

mod create;
mod error;
pub mod format;
mod gzip;
mod number;
mod pack;
mod read;
mod sample_line;
mod schema;
mod tables;
#[cfg(test)]
pub(crate) mod testing;
#[cfg(test)]
mod tests;
mod thin;
mod write;

pub use error::ReadError;
pub use pack::{Original, PackError, Packed, compressed, pack, pack_thinned};
pub use read::{read_bytes, read_named, read_path};
pub use schema::schema;
pub use write::{Sink, WriteError, Writer, footer_line};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use format::{Counter, Named};

use crate::host::HostFacts;
use crate::named::named;
use crate::rows::{CgroupVersion, Rows, View, ViewIndex, is_unlimited};
use crate::scenario::Outcome;

/// Marks an absent value inside a [`Table`]; written as `null`.
pub const MISSING: u64 = u64::MAX - 1;

/// One run, read back.
#[derive(Debug, Clone)]
pub struct Recording {
    /// What was known before the first sample.
    pub header: Header,
    /// One table per sampled cgroup, in the order of `header.groups`.
    pub tables: Vec<Table>,
    /// Everything rare, in time order.
    pub events: Vec<Event>,
    /// How it ended; none when the recording was cut.
    pub footer: Option<Footer>,
    /// Whether the file had its footer and every line was whole.
    pub complete: bool,
}

/// What was known before the first sample.
#[derive(Debug, Clone)]
pub struct Header {
    /// The version of memtide that wrote it.
    pub memtide: String,
    /// The machine.
    pub host: HostFacts,
    /// The scenario's name (`log-write`); `record` and `watch` use the command or path.
    pub scenario: String,
    /// The scenario's TOML text as it ran; empty for `record` and `watch`.
    pub scenario_text: String,
    /// FNV-1a 64 of the text, in hex.
    pub scenario_hash: String,
    /// The seed that drew every random number.
    pub seed: u64,
    /// The random generator's name.
    pub rng: String,
    /// Nanoseconds between samples.
    pub interval_ns: u64,
    /// Seconds of a detector's time for one recorded second.
    pub time_scale: f64,
    /// Wall clock at t = 0, RFC 3339.
    pub started: String,
    /// The sampled cgroups: the pod first where there is one.
    pub groups: Vec<Group>,
    /// Present where no kernel was asked: a model said what it would have counted.
    pub model: Option<ModelFacts>,
}

/// Which model predicted a recording, and what it can't know.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ModelFacts {
    /// The kernel card.
    pub card: String,
    /// Where the card's numbers are from.
    pub source: String,
    /// What the model can't know, in words.
    pub unknown: Vec<String>,
}

/// One sampled cgroup.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Group {
    /// `pod`, or the container's name.
    pub name: String,
    /// What it is.
    pub kind: GroupKind,
    /// Its own memory limit, bytes; none where it has none.
    pub limit: Option<u64>,
    /// Where it was on the machine that recorded it.
    pub path: String,
    /// The image of a container that was only looked at, where its runtime's files tell.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub image: Option<String>,
    /// Names of the values that follow `[group, t_ns, cost_ns` in a sample, see [`crate::rows`].
    pub columns: Vec<String>,
}

impl Group {
    /// Its own limit, bytes; none also where the recorder wrote one of the kernel's spellings of "no limit".
    pub fn finite_limit(&self) -> Option<u64> {
        self.limit.filter(|limit| !is_unlimited(*limit))
    }
}

named! {
    /// What a sampled cgroup is.
    #[derive(Serialize, Deserialize, JsonSchema)]
    #[serde(rename_all = "lowercase")]
    GroupKind, as_str {
        /// The parent of the containers.
        Pod = "pod",
        /// A container.
        Container = "container",
    }
}

/// The samples of one group: times and a flat array of values, row after row.
#[derive(Debug, Clone, Default)]
pub struct Table {
    /// Column names (the group's).
    pub columns: Vec<String>,
    /// Nanoseconds from the start, one a sample, not falling.
    pub t: Vec<u64>,
    /// What taking each sample cost, nanoseconds.
    pub cost: Vec<u64>,
    /// `t.len() * columns.len()` values; [`MISSING`] where the kernel gave none.
    pub values: Vec<u64>,
}

impl Table {
    /// How many samples there are.
    pub fn len(&self) -> usize {
        self.t.len()
    }

    /// Whether there is no sample.
    pub fn is_empty(&self) -> bool {
        self.t.is_empty()
    }

    /// The value of one column in one sample.
    pub fn get(&self, sample: usize, column: usize) -> Option<u64> {
        let value = *self.values.get(sample * self.columns.len() + column)?;
        (value != MISSING).then_some(value)
    }

    /// A column's index.
    pub fn column(&self, name: &str) -> Option<usize> {
        self.columns.iter().position(|c| c == name)
    }

    /// The last sample taken at or before `t` (nanoseconds).
    pub fn at(&self, t: u64) -> Option<usize> {
        self.t.partition_point(|sample| *sample <= t).checked_sub(1)
    }

    /// The rows of one sample that the kernel gave, by name.
    pub fn rows(&self, sample: usize) -> Rows {
        (0..self.columns.len())
            .filter_map(|c| Some((self.columns[c].clone(), self.get(sample, c)?)))
            .collect()
    }
}

impl Recording {
    /// Resolves the rows formulas read for the group at `index`; then [`Recording::view`] is cheap.
    pub fn view_index(&self, index: usize) -> ViewIndex {
        ViewIndex::new(self.version(), &self.tables[index].columns)
    }

    /// The formulas' view of one sample.
    pub fn view(&self, group: usize, index: &ViewIndex, sample: usize) -> View {
        View {
            node_capacity: Some(self.header.host.mem_total),
            ..index.view(|column| self.tables[group].get(sample, column))
        }
    }

    /// The cgroup version of all groups.
    pub fn version(&self) -> CgroupVersion {
        self.header.host.cgroup
    }

    /// The group of that name.
    pub fn group(&self, name: &str) -> Option<usize> {
        self.header.groups.iter().position(|g| g.name == name)
    }

    /// The names of all groups, as a list in words.
    pub fn group_names(&self) -> String {
        let names: Vec<&str> = self.header.groups.iter().map(|g| &*g.name).collect();
        names.join(", ")
    }

    /// When the last sample of all groups was taken, ns; none where there is none.
    pub fn last_sample(&self) -> Option<u64> {
        let last = self.tables.iter().filter_map(|table| table.t.last());
        last.copied().max()
    }

    /// The first container: what a one-container scenario is about.
    pub fn main_group(&self) -> usize {
        self.header
            .groups
            .iter()
            .position(|g| g.kind == GroupKind::Container)
            .unwrap_or(0)
    }

    /// What the run warned of.
    pub fn warnings(&self) -> impl Iterator<Item = &str> {
        self.events.iter().filter_map(|event| match &event.kind {
            EventKind::Warning { text, .. } => Some(text.as_str()),
            _ => None,
        })
    }

    /// When a step (container, actor, step) began, again and again where its container was restarted.
    pub fn starts(&self, step: [&str; 3]) -> impl DoubleEndedIterator<Item = u64> {
        let events = self.events.iter();
        events.filter_map(move |event| match &event.kind {
            EventKind::StepStart(id) if id.is(step) => Some(event.t),
            _ => None,
        })
    }

    /// When and how it ended.
    pub fn ends(&self, step: [&str; 3]) -> impl DoubleEndedIterator<Item = (u64, &StepEnd)> {
        let events = self.events.iter();
        events.filter_map(move |event| match &event.kind {
            EventKind::StepEnd(end) if end.id.is(step) => Some((event.t, end)),
            _ => None,
        })
    }

    /// When the process of its actor ended.
    pub fn exits(&self, step: [&str; 3]) -> impl DoubleEndedIterator<Item = u64> {
        let events = self.events.iter();
        events.filter_map(move |event| match &event.kind {
            EventKind::ActorExit {
                container, actor, ..
            } if [container, actor] == step[..2] => Some(event.t),
            _ => None,
        })
    }
}

impl StepId {
    /// Whether it is this step of this actor of this container.
    fn is(&self, step: [&str; 3]) -> bool {
        [&self.container, &self.actor, &self.step] == step
    }
}

/// Something rare. Times are nanoseconds from the start.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Event {
    /// The kind, with its details.
    #[serde(flatten)]
    pub kind: EventKind,
    /// When, nanoseconds from the start.
    #[serde(rename = "t_ns")]
    pub t: u64,
}

/// The kinds of [`Event`]. Readers keep or skip a `type` they don't know.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum EventKind {
    /// A step began.
    StepStart(StepId),
    /// A step ended and the counters had settled at the event's time.
    StepEnd(StepEnd),
    /// A worker process ended.
    ActorExit {
        /// The container it ran in.
        container: String,
        /// Which actor.
        actor: String,
        /// Exit code, if it exited.
        code: Option<i32>,
        /// Signal, if it was killed.
        signal: Option<i32>,
        /// Whether the kernel's OOM killer did it, as its counters say.
        oom_killed: bool,
    },
    /// A kernel counter of verdicts rose (`oom_kill`, `failcnt`, `max`, `high`).
    Kernel {
        /// The group it is counted in.
        group: String,
        /// The counter's row name.
        what: String,
        /// Its new value.
        value: u64,
    },
    /// A container was torn down and made anew.
    Restart {
        /// The container, by name.
        container: String,
        /// The reason, in words.
        reason: String,
    },
    /// A watched cgroup has ended: no sample of its group follows.
    GroupEnd {
        /// The group's index.
        group: usize,
        /// Its name.
        name: String,
        /// The reason, in words.
        reason: String,
    },
    /// A moment that the load or the command marked (`memtide mark`).
    Mark {
        /// What it said.
        text: String,
    },
    /// Something the reader should know.
    Warning {
        /// A stable code (`missed_ticks`, `swap_on`, ...).
        code: String,
        /// A sentence with the remedy.
        text: String,
    },
    /// A kind this version doesn't know, kept as it was read.
    #[serde(skip)]
    Other(serde_json::Value),
}

/// Names one step.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct StepId {
    /// The container.
    pub container: String,
    /// The actor.
    pub actor: String,
    /// The step's name.
    pub step: String,
    /// Its index in the actor's list, from 0.
    pub index: usize,
}

/// How a step ended.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct StepEnd {
    /// Which step.
    #[serde(flatten)]
    pub id: StepId,
    /// When its work was done, before the counters settled; nanoseconds from the start.
    #[serde(rename = "work_done_ns")]
    pub work_done: u64,
    /// How it went.
    #[serde(flatten)]
    pub result: StepResult,
    /// What was asked for, in `unit`.
    pub target: u64,
    /// What was reached, in `unit`.
    pub achieved: u64,
    /// `bytes`, `passes`, `ms` or `ops`.
    pub unit: String,
    /// Rows of the worker's `smaps_rollup` in bytes (`Rss`, `LazyFree`, `AnonHugePages`); empty where
    /// the kernel has none.
    #[serde(default, with = "format::counters")]
    #[schemars(with = "Named<Counter>")]
    pub smaps: Rows,
}

/// How a step went; `why` it failed or was skipped.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "result", content = "why", rename_all = "snake_case")]
pub enum StepResult {
    /// The target was reached.
    Done,
    /// It was not; the text says why.
    Failed(String),
    /// The kernel can't do it; the text says why.
    Skipped(String),
}

impl StepResult {
    /// In a word, as recordings have it.
    pub fn word(&self) -> &'static str {
        match self {
            StepResult::Done => "done",
            StepResult::Failed(_) => "failed",
            StepResult::Skipped(_) => "skipped",
        }
    }
}

/// How a run ended.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Footer {
    /// When, nanoseconds from the start.
    #[serde(rename = "t_ns")]
    pub t: u64,
    /// The kernel's verdict.
    pub outcome: Outcome,
    /// A sentence for people.
    pub reason: String,
    /// The outcome of each container, in the scenario's order; empty in recordings made before there
    /// was one, and where somebody only looked on.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub containers: Vec<ContainerOutcome>,
    /// Per group, by name: final values of the verdict counters, by row name.
    #[serde(with = "format::counters_of_groups")]
    #[schemars(with = "Named<Named<Counter>>")]
    pub counters: Vec<(String, Rows)>,
    /// What the harness itself cost.
    pub harness: HarnessCost,
}

/// How one container ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ContainerOutcome {
    /// The container.
    pub container: String,
    /// What the evidence of this container alone says.
    pub outcome: Outcome,
    /// A sentence for people.
    pub reason: String,
}

/// The harness's own cost.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct HarnessCost {
    /// Samples taken (ticks, all groups together count as one).
    pub samples: u64,
    /// Ticks that were missed.
    pub missed: u64,
    /// Thread CPU time a tick, nanoseconds, mean.
    pub cpu_ns_mean: u64,
    /// Lateness of ticks, nanoseconds: median.
    #[serde(rename = "lateness_p50_ns")]
    pub lateness_p50: u64,
    /// 99th percentile.
    #[serde(rename = "lateness_p99_ns")]
    pub lateness_p99: u64,
    /// The largest lateness, nanoseconds.
    #[serde(rename = "lateness_max_ns")]
    pub lateness_max: u64,
    /// The harness's own resident memory, bytes (ambient: it is charged to the container).
    #[serde(rename = "rss_bytes")]
    pub rss: u64,
}
