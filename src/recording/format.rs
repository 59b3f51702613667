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

use super::{Footer, Group, Header, MISSING, ModelFacts};
use crate::host::HostFacts;
use crate::rows::{Rows, UNLIMITED};

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
    pub groups: Vec<Group>,
    /// Present where no kernel was asked: which model predicted it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model: Option<ModelFacts>,
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

impl From<&Header> for WireHeader {
    fn from(h: &Header) -> Self {
        WireHeader {
            format: FORMAT_NAME.into(),
            memtide: h.memtide.clone(),
            host: h.host.clone(),
            scenario: WireScenario {
                name: h.scenario.clone(),
                text: h.scenario_text.clone(),
                hash: h.scenario_hash.clone(),
            },
            seed: h.seed,
            rng: h.rng.clone(),
            interval_ns: h.interval_ns,
            time_scale: h.time_scale,
            started: h.started.clone(),
            groups: h.groups.clone(),
            model: h.model.clone(),
        }
    }
}

impl From<WireHeader> for Header {
    fn from(w: WireHeader) -> Self {
        Header {
            memtide: w.memtide,
            host: w.host,
            scenario: w.scenario.name,
            scenario_text: w.scenario.text,
            scenario_hash: w.scenario.hash,
            seed: w.seed,
            rng: w.rng,
            interval_ns: w.interval_ns,
            time_scale: w.time_scale,
            started: w.started,
            groups: w.groups,
            model: w.model,
        }
    }
}

/// The object lines after the header that are no events.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Notice {
    /// From here on, samples of a group have these columns.
    Columns {
        /// Which group, by its index.
        group: usize,
        /// All columns of the samples that follow, not only the new ones.
        columns: Vec<String>,
    },
    /// A group that was not known at the start; it takes the next index.
    Group {
        /// When it appeared, nanoseconds from the start.
        t_ns: u64,
        /// What it is.
        group: Group,
    },
    /// The last line.
    Footer {
        /// Lines before this one, the header among them; absent where they were not counted.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        lines: Option<u64>,
        /// What it says.
        #[serde(flatten)]
        footer: Footer,
    },
}

/// The `type`s of [`Notice`].
pub const NOTICES: [&str; 3] = ["columns", "group", "footer"];

/// The `type`s of events, to tell a known one that is broken from an unknown one.
pub const EVENTS: [&str; 8] = [
    "step_start",
    "step_end",
    "actor_exit",
    "kernel",
    "restart",
    "mark",
    "warning",
    "group_end",
];

/// Rows as an object of counters.
pub mod counters {
    use super::{Counter, Deserialize, Deserializer, Named, Rows, Serialize, Serializer};

    /// Writes each row, in the kernel's order.
    pub fn serialize<S: Serializer>(rows: &Rows, to: S) -> Result<S::Ok, S::Error> {
        Named::from(rows).serialize(to)
    }

    /// Reads them back.
    pub fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Rows, D::Error> {
        Named::<Counter>::deserialize(from).map(Rows::from)
    }
}

/// Rows of several groups as an object of objects.
pub mod counters_of_groups {
    use super::{Counter, Deserialize, Deserializer, Named, Rows, Serialize, Serializer};

    /// Writes each group's rows, by its name.
    pub fn serialize<S: Serializer>(groups: &[(String, Rows)], to: S) -> Result<S::Ok, S::Error> {
        let named = groups.iter().map(|(g, rows)| (g.clone(), rows.into()));
        Named(named.collect::<Vec<(String, Named<Counter>)>>()).serialize(to)
    }

    /// Reads them back.
    pub fn deserialize<'de, D: Deserializer<'de>>(
        from: D,
    ) -> Result<Vec<(String, Rows)>, D::Error> {
        let named = Named::<Named<Counter>>::deserialize(from)?;
        Ok(named
            .0
            .into_iter()
            .map(|(g, rows)| (g, rows.into()))
            .collect())
    }
}

impl From<&Rows> for Named<Counter> {
    fn from(rows: &Rows) -> Self {
        Named(rows.iter().map(|(n, v)| (n.into(), Counter(v))).collect())
    }
}

impl From<Named<Counter>> for Rows {
    fn from(named: Named<Counter>) -> Self {
        named.0.into_iter().map(|(n, v)| (n, v.0)).collect()
    }
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
