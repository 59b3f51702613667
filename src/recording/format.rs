//! The wire types of `memtide.recording/1`: what a line of a recording looks like.
//!
//! `docs/format.md` says the same for readers in other languages; the JSON Schema in
//! `docs/schema/recording.schema.json` is generated from these types. Rules for change: a new
//! optional field or a new `type` is a new minor version, which older readers accept; everything
//! else is a new major version, which they refuse.

use std::collections::BTreeMap;
use std::fmt;
use std::marker::PhantomData;

use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::de::{Deserializer, Error, MapAccess, Visitor};
use serde::ser::{SerializeMap, Serializer};
use serde::{Deserialize, Serialize};

use super::{ContainerOutcome, MISSING};
use crate::host::HostFacts;
use crate::rows::UNLIMITED;
use crate::scenario::Outcome;

/// What every header's `format` begins with; the version follows.
pub const FORMAT: &str = "memtide.recording/";
/// The major version written and read.
pub const MAJOR: u64 = 1;
/// The whole name as it is written.
pub const FORMAT_NAME: &str = "memtide.recording/1";

/// No group has more columns, no object more entries: a hostile file must not cost quadratic time.
/// (42 rows of memory.stat, 20 of other files and 6 a worker leave room for 600 workers.)
pub const COLUMNS_MAX: usize = 4096;

/// The first line.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
pub struct WireHeader {
    /// `memtide.recording/1`, or `memtide.recording/1.N` from a newer minor version.
    pub format: String,
    /// The version of memtide that wrote it.
    pub memtide: String,
    /// The machine.
    pub host: HostFacts,
    /// What ran.
    pub scenario: WireScenario,
    /// Draws every random number.
    pub seed: u64,
    /// The random generator's name.
    pub rng: String,
    /// Nanoseconds between samples.
    pub interval_ns: u64,
    /// Seconds of a detector's time for one recorded second.
    pub time_scale: f64,
    /// Wall clock at `t_ns` = 0, RFC 3339.
    pub started: String,
    /// The sampled cgroups; samples name them by their index here, from 0.
    pub groups: Vec<WireGroup>,
}

/// What ran.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
pub struct WireScenario {
    /// The scenario's name; `record` and `watch` put the command or path here.
    pub name: String,
    /// Its TOML text; empty for `record` and `watch`.
    pub text: String,
    /// FNV-1a 64 of the text, in hex.
    pub hash: String,
}

/// One sampled cgroup.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
pub struct WireGroup {
    /// `pod`, or the container's name.
    pub name: String,
    /// What it stands for.
    pub kind: WireGroupKind,
    /// Its own memory limit, bytes; null where it has none.
    pub limit: Option<u64>,
    /// Its path on the machine that recorded it.
    pub path: String,
    /// Names of the values that follow `[group, t_ns, cost_ns` in a sample.
    pub columns: Vec<String>,
}

/// What a sampled cgroup stands for.
#[derive(Debug, Clone, Copy, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum WireGroupKind {
    /// The parent of the containers.
    Pod,
    /// A container.
    Container,
}

/// Every object line after the header. Readers keep or skip a `type` they don't know.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum WireObject {
    /// A step began.
    StepStart(WireStepStart),
    /// A step ended and the counters had settled.
    StepEnd(WireStepEnd),
    /// A worker process ended.
    ActorExit(WireActorExit),
    /// A kernel counter of verdicts rose.
    Kernel(WireKernel),
    /// A container was torn down and made anew.
    Restart(WireRestart),
    /// Something the reader should know.
    Warning(WireWarning),
    /// From here on, samples of a group have these columns.
    Columns(WireColumns),
    /// A group that was not known at the start; it takes the next index.
    Group(WireNewGroup),
    /// A watched cgroup has ended.
    GroupEnd(WireGroupEnd),
    /// The last line.
    Footer(WireFooter),
}

/// The `type`s of [`WireObject`], to tell a known one that is broken from an unknown one.
pub const KNOWN_TYPES: [&str; 10] = [
    "step_start",
    "step_end",
    "actor_exit",
    "kernel",
    "restart",
    "warning",
    "columns",
    "group",
    "group_end",
    "footer",
];

/// See [`WireObject::StepStart`].
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
pub struct WireStepStart {
    /// When, nanoseconds from the start.
    pub t_ns: u64,
    /// The container.
    pub container: String,
    /// The actor.
    pub actor: String,
    /// The step's name.
    pub step: String,
    /// Its index in the actor's list, from 0.
    pub index: usize,
}

/// See [`WireObject::StepEnd`].
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
pub struct WireStepEnd {
    /// When the counters had settled, nanoseconds from the start.
    pub t_ns: u64,
    /// The container.
    pub container: String,
    /// The actor.
    pub actor: String,
    /// The step's name.
    pub step: String,
    /// Its index in the actor's list, from 0.
    pub index: usize,
    /// When the work was done, before the counters settled; nanoseconds from the start.
    pub work_done_ns: u64,
    /// How it went.
    pub result: WireResult,
    /// Why it failed or was skipped.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
    /// What was asked for, in `unit`.
    pub target: u64,
    /// What was reached, in `unit`.
    pub achieved: u64,
    /// `bytes`, `passes`, `ms` or `ops`.
    pub unit: String,
    /// Rows of the worker's `smaps_rollup`, bytes; empty where the kernel has none.
    #[serde(default)]
    pub smaps: Named<Counter>,
}

/// How a step went.
#[derive(Debug, Clone, Copy, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum WireResult {
    /// The target was reached.
    Done,
    /// It was not.
    Failed,
    /// The kernel can't do it.
    Skipped,
}

/// See [`WireObject::ActorExit`].
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
pub struct WireActorExit {
    /// When, nanoseconds from the start.
    pub t_ns: u64,
    /// The container.
    pub container: String,
    /// The actor.
    pub actor: String,
    /// Exit code, if it exited.
    pub code: Option<i32>,
    /// Signal, if it was killed.
    pub signal: Option<i32>,
    /// Whether the kernel's OOM killer did it.
    pub oom_killed: bool,
}

/// See [`WireObject::Kernel`].
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
pub struct WireKernel {
    /// When it was seen, nanoseconds from the start.
    pub t_ns: u64,
    /// The group it is counted in, by name.
    pub group: String,
    /// The counter's column name.
    pub what: String,
    /// Its new value.
    pub value: u64,
}

/// See [`WireObject::Restart`].
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
pub struct WireRestart {
    /// When, nanoseconds from the start.
    pub t_ns: u64,
    /// Which container.
    pub container: String,
    /// The reason, in words.
    pub reason: String,
}

/// See [`WireObject::GroupEnd`].
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
pub struct WireGroupEnd {
    /// When, nanoseconds from the start.
    pub t_ns: u64,
    /// Its index.
    pub group: usize,
    /// Its name.
    pub name: String,
    /// The reason, in words.
    pub reason: String,
}

/// See [`WireObject::Warning`].
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
pub struct WireWarning {
    /// When, nanoseconds from the start.
    pub t_ns: u64,
    /// A stable code (`missed_ticks`, `swap_on`, ...).
    pub code: String,
    /// A sentence with the remedy.
    pub text: String,
}

/// See [`WireObject::Columns`].
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
pub struct WireColumns {
    /// Which group, by its index.
    pub group: usize,
    /// All columns of the samples that follow, not only the new ones.
    pub columns: Vec<String>,
}

/// See [`WireObject::Group`].
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
pub struct WireNewGroup {
    /// When it appeared, nanoseconds from the start.
    pub t_ns: u64,
    /// What it is.
    pub group: WireGroup,
}

/// See [`WireObject::Footer`].
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
pub struct WireFooter {
    /// When, nanoseconds from the start.
    pub t_ns: u64,
    /// The kernel's verdict.
    pub outcome: Outcome,
    /// A sentence for people.
    pub reason: String,
    /// The outcome of each container.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub containers: Vec<ContainerOutcome>,
    /// Per group, by name: final values of the verdict counters, by column name.
    pub counters: Named<Named<Counter>>,
    /// What the harness itself cost.
    pub harness: WireHarnessCost,
}

/// The harness's own cost.
#[derive(Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct WireHarnessCost {
    /// Ticks at which samples were taken.
    pub samples: u64,
    /// Ticks that were missed.
    pub missed: u64,
    /// Thread CPU time a tick, mean.
    pub cpu_ns_mean: u64,
    /// Lateness of ticks, median.
    pub lateness_p50_ns: u64,
    /// 99th percentile.
    pub lateness_p99_ns: u64,
    /// The largest lateness, nanoseconds.
    pub lateness_max_ns: u64,
    /// The harness's resident memory, bytes.
    pub rss_bytes: u64,
}

/// One value of a sample or a counter: a number, `null` where the kernel gave none, `"max"` for a
/// limit that is not set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Counter(pub u64);

impl Serialize for Counter {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        match self.0 {
            MISSING => to.serialize_none(),
            UNLIMITED => to.serialize_str("max"),
            n => to.serialize_u64(n),
        }
    }
}

impl<'de> Deserialize<'de> for Counter {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct V;
        impl Visitor<'_> for V {
            type Value = Counter;
            fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
                f.write_str("a whole number, null or \"max\"")
            }
            fn visit_u64<E: Error>(self, n: u64) -> Result<Counter, E> {
                Ok(Counter(n))
            }
            fn visit_unit<E: Error>(self) -> Result<Counter, E> {
                Ok(Counter(MISSING))
            }
            fn visit_str<E: Error>(self, text: &str) -> Result<Counter, E> {
                match text {
                    "max" => Ok(Counter(UNLIMITED)),
                    _ => Err(E::invalid_value(serde::de::Unexpected::Str(text), &self)),
                }
            }
        }
        from.deserialize_any(V)
    }
}

impl JsonSchema for Counter {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Counter".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        schemars::json_schema!({
            "description": "A number; null where the kernel gave none; \"max\" for no limit.",
            "anyOf": [
                { "type": "integer", "minimum": 0 },
                { "type": "null" },
                { "const": "max" }
            ]
        })
    }
}

/// A JSON object whose keys keep their order (the kernel's order of rows is worth keeping).
#[derive(Debug, Clone, PartialEq)]
pub struct Named<V>(pub Vec<(String, V)>);

impl<V> Default for Named<V> {
    fn default() -> Self {
        Named(Vec::new())
    }
}

impl<V: Serialize> Serialize for Named<V> {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        let mut map = to.serialize_map(Some(self.0.len()))?;
        for (name, value) in &self.0 {
            map.serialize_entry(name, value)?;
        }
        map.end()
    }
}

impl<'de, V: Deserialize<'de>> Deserialize<'de> for Named<V> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Entries<V>(PhantomData<V>);
        impl<'de, V: Deserialize<'de>> Visitor<'de> for Entries<V> {
            type Value = Named<V>;
            fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
                f.write_str("an object")
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Named<V>, A::Error> {
                let mut entries = Vec::new();
                while let Some(entry) = map.next_entry()? {
                    if entries.len() == COLUMNS_MAX {
                        return Err(A::Error::custom("more entries than any recording has"));
                    }
                    entries.push(entry);
                }
                Ok(Named(entries))
            }
        }
        from.deserialize_map(Entries(PhantomData))
    }
}

impl<V: JsonSchema> JsonSchema for Named<V> {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        format!("Named_{}", V::schema_name()).into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        BTreeMap::<String, V>::json_schema(generator)
    }
}
