//! Drawn numbers, as they are written.

use std::borrow::Cow;
use std::fmt;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::value::MapAccessDeserializer;
use serde::de::{self, Deserialize, Deserializer, MapAccess, Visitor};

use super::{At, WireBytes};

/// A number that may be drawn: `"128B"`, or a table with one of the distributions.
#[derive(Debug, Clone)]
pub enum WireDist {
    /// Always the same.
    Fixed(WireBytes),
    /// A distribution that each value is drawn from.
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
