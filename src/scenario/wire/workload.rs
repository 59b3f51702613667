//! What each workload is told, as it is written. The key of the step names the workload.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::value::MapAccessDeserializer;
use serde::de::{self, Deserialize, Deserializer, MapAccess, Visitor};

use super::{At, WireBytes, WireRate, WireShare, WireSize, WireTime};
use crate::workload::{Advice, Huge, RotateMode};

/// Appends lines to a log. Needs `total`, or `rate` and `duration`.
#[derive(Debug, serde::Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "LogWrite")]
pub struct WireLogWrite {
    /// File name in the work directory. Default `app.log`.
    pub file: Option<At<String>>,
    /// Bytes a line, its newline included. Default 128B.
    pub line: Option<At<WireDist>>,
    /// Bytes collected before one write(2). Default 0: every line is written by itself.
    pub buffer: Option<At<WireSize>>,
    /// Bytes a second. Default as fast as it goes.
    pub rate: Option<At<WireRate>>,
    /// Stop after these bytes.
    pub total: Option<At<WireSize>>,
    /// Stop after this time.
    pub duration: Option<At<WireTime>>,
    /// When fsync(2) is called: `never`, `end`, or a size: after every so many bytes. Default never.
    pub fsync: Option<At<String>>,
    /// Rotation by size. Default none.
    pub rotate: Option<WireRotate>,
    /// Keep the file open for the actor's next steps. Default false.
    #[serde(default)]
    pub keep_open: bool,
}

/// Rotation by size.
#[derive(Debug, serde::Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Rotate")]
pub struct WireRotate {
    /// When the file has reached this size.
    pub size: At<WireSize>,
    /// How. Default `rename`.
    pub mode: Option<RotateMode>,
    /// How many old files are kept. Default 3.
    pub keep: Option<At<u64>>,
}

/// Reads a file from start to end.
#[derive(Debug, serde::Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "FileRead")]
pub struct WireFileRead {
    /// File name in the work directory. Default `app.log`.
    pub file: Option<At<String>>,
    /// How many times. Default 1.
    pub passes: Option<At<u64>>,
    /// Bytes a read(2). Default 64KiB.
    pub chunk: Option<At<WireSize>>,
    /// Go on at the end as the file grows, until this many bytes were read.
    pub follow: Option<At<WireSize>>,
    /// Bytes a second. Default as fast as it goes.
    pub rate: Option<At<WireRate>>,
}

/// Deletes a file and its rotated copies.
#[derive(Debug, serde::Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Unlink")]
pub struct WireUnlink {
    /// File name in the work directory.
    pub file: At<String>,
}

/// Maps and touches anonymous memory, every page of it.
#[derive(Debug, serde::Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Anon")]
pub struct WireAnon {
    /// The region's name; a second step on it makes it larger. Default `heap`.
    pub region: Option<At<String>>,
    /// How much.
    pub size: At<WireSize>,
    /// Bytes a second. Default as fast as it goes.
    pub rate: Option<At<WireRate>>,
    /// Bytes mapped and touched at a time. Default 64KiB.
    pub chunk: Option<At<WireSize>>,
    /// Whether the program has lost it: counted as leaked. Default false.
    #[serde(default)]
    pub leak: bool,
    /// Which pages it asks for. Default `never` (small pages).
    pub huge: Option<Huge>,
}

/// Allocates and frees around a steady live set.
#[derive(Debug, serde::Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "HeapChurn")]
pub struct WireHeapChurn {
    /// Bytes live at a time, about.
    pub live: At<WireSize>,
    /// Bytes an object.
    pub size: At<WireDist>,
    /// Allocations an object lives through.
    pub lifetime: At<WireDist>,
    /// Stop after this many bytes were allocated in all.
    pub total: At<WireSize>,
    /// Bytes a second allocated. Default as fast as it goes.
    pub rate: Option<At<WireRate>>,
}

/// Gives memory of a region back.
#[derive(Debug, serde::Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Release")]
pub struct WireRelease {
    /// The region's name. Default `heap`.
    pub region: Option<At<String>>,
    /// How it is given back.
    pub advice: Advice,
    /// How much of it. Default 100%.
    pub share: Option<At<WireShare>>,
}

/// Writes to memory of a region again.
#[derive(Debug, serde::Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Rewrite")]
pub struct WireRewrite {
    /// The region's name. Default `heap`.
    pub region: Option<At<String>>,
    /// How much of it. Default 100%.
    pub share: Option<At<WireShare>>,
}

/// Runs a command in the work directory.
#[derive(Debug, serde::Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Exec")]
pub struct WireExec {
    /// Program and arguments.
    pub command: At<Vec<String>>,
    /// Variables added to its environment.
    #[serde(default)]
    pub env: BTreeMap<String, String>,
    /// End it after this time; reaching it is not a failure.
    pub duration: Option<At<WireTime>>,
}

/// A number that may be drawn: `"128B"`, or a table with one of the distributions.
#[derive(Debug, Clone)]
pub enum WireDist {
    /// Always the same.
    Fixed(WireBytes),
    /// Drawn.
    Drawn(Box<WireDrawn>),
}

/// A drawn number: exactly one of these.
#[derive(Debug, Clone, serde::Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Drawn")]
pub struct WireDrawn {
    /// Lowest and highest, all alike.
    pub uniform: Option<At<Vec<At<WireBytes>>>>,
    /// Exponential with this mean.
    pub exponential: Option<At<WireBytes>>,
    /// Log-normal.
    pub log_normal: Option<At<WireLogNormal>>,
}

/// A log-normal distribution.
#[derive(Debug, Clone, serde::Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "LogNormal")]
pub struct WireLogNormal {
    /// Half of the values are below.
    pub median: At<WireBytes>,
    /// Standard deviation of the logarithm.
    pub sigma: At<f64>,
}

impl<'de> Deserialize<'de> for WireDist {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct V;
        impl<'de> Visitor<'de> for V {
            type Value = WireDist;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a number or a table with a distribution")
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<WireDist, E> {
                Ok(WireDist::Fixed(WireBytes(text.into())))
            }

            fn visit_i64<E: de::Error>(self, number: i64) -> Result<WireDist, E> {
                Ok(WireDist::Fixed(WireBytes(number.to_string())))
            }

            fn visit_u64<E: de::Error>(self, number: u64) -> Result<WireDist, E> {
                Ok(WireDist::Fixed(WireBytes(number.to_string())))
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<WireDist, A::Error> {
                WireDrawn::deserialize(MapAccessDeserializer::new(map))
                    .map(|drawn| WireDist::Drawn(Box::new(drawn)))
            }
        }
        deserializer.deserialize_any(V)
    }
}

impl JsonSchema for WireDist {
    fn schema_name() -> Cow<'static, str> {
        "Distribution".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "description": "A number, or one drawn from a distribution.",
            "anyOf": [
                generator.subschema_for::<WireBytes>(),
                generator.subschema_for::<WireDrawn>(),
            ],
        })
    }
}
