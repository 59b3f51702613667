//! Values of one token: sizes, rates, times, and anything whose place in the file is kept.

use std::borrow::Cow;
use std::fmt;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::{self, Deserialize, Deserializer, SeqAccess, Visitor};

use crate::scenario::diagnostic::Span;
use crate::units::{self, Size, UnitError};

/// A value and where it is in the file.
#[derive(Debug, Clone)]
pub struct At<T> {
    /// Bytes of the text it was written in.
    pub span: Span,
    /// The value as it was read.
    pub value: T,
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for At<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let spanned = toml::Spanned::<T>::deserialize(deserializer)?;
        Ok(At {
            span: spanned.span(),
            value: spanned.into_inner(),
        })
    }
}

/// Where a value is written is nothing a schema knows of.
impl<T: JsonSchema> JsonSchema for At<T> {
    fn inline_schema() -> bool {
        T::inline_schema()
    }

    fn schema_name() -> Cow<'static, str> {
        T::schema_name()
    }

    fn schema_id() -> Cow<'static, str> {
        T::schema_id()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        T::json_schema(generator)
    }
}

/// One name, or a list of them; each keeps its place.
#[derive(Debug, Clone, Default)]
pub struct Names(pub Vec<At<String>>);

enum OneOrMany {
    One(String),
    Many(Vec<At<String>>),
}

impl<'de> Deserialize<'de> for OneOrMany {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct V;
        impl<'de> Visitor<'de> for V {
            type Value = OneOrMany;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a name or a list of names")
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<OneOrMany, E> {
                Ok(OneOrMany::One(text.into()))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<OneOrMany, A::Error> {
                let mut names = Vec::new();
                while let Some(name) = seq.next_element()? {
                    names.push(name);
                }
                Ok(OneOrMany::Many(names))
            }
        }
        deserializer.deserialize_any(V)
    }
}

impl<'de> Deserialize<'de> for Names {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let whole = At::<OneOrMany>::deserialize(deserializer)?;
        Ok(Names(match whole.value {
            OneOrMany::One(value) => vec![At {
                span: whole.span,
                value,
            }],
            OneOrMany::Many(names) => names,
        }))
    }
}

impl JsonSchema for Names {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "Names".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "anyOf": [
                { "type": "string" },
                { "type": "array", "items": { "type": "string" } },
            ],
        })
    }
}

/// The text of a quantity: a string, or a bare number of bytes.
fn quantity<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    struct V;
    impl Visitor<'_> for V {
        type Value = String;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("a quantity like \"256MiB\"")
        }

        fn visit_str<E: de::Error>(self, text: &str) -> Result<String, E> {
            Ok(text.into())
        }

        fn visit_i64<E: de::Error>(self, number: i64) -> Result<String, E> {
            Ok(number.to_string())
        }

        fn visit_u64<E: de::Error>(self, number: u64) -> Result<String, E> {
            Ok(number.to_string())
        }
    }
    deserializer.deserialize_any(V)
}

/// A quantity as it is written. It is read where the error can be given with its line and column.
macro_rules! quantities {
    ($($(#[doc = $doc:literal])+ $name:ident: $types:tt $pattern:literal, $read:path => $into:ty;)+) => {$(
        $(#[doc = $doc])+
        #[derive(Debug, Clone)]
        pub struct $name(pub String);

        impl Quantity for $name {
            type Value = $into;

            fn read(&self) -> Result<$into, UnitError> {
                $read(&self.0)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                quantity(deserializer).map($name)
            }
        }

        impl JsonSchema for $name {
            fn schema_name() -> Cow<'static, str> {
                stringify!($name).trim_start_matches("Wire").into()
            }

            fn json_schema(_: &mut SchemaGenerator) -> Schema {
                json_schema!({
                    "description": concat!($($doc),+).trim(),
                    "type": $types,
                    "pattern": $pattern,
                })
            }
        }
    )+};
}

/// Something with a number in it that is read in a second step.
pub trait Quantity {
    /// What it is read as.
    type Value;
    /// Reads it.
    fn read(&self) -> Result<Self::Value, UnitError>;
}

quantities! {
    /// Bytes: `256MiB`, `64KiB`, `200MB` or a bare number.
    WireBytes: ["string", "integer"] r"^[0-9][0-9_.]* ?([KMGT]iB?|[kMGT]?B)?$", units::parse_bytes => u64;
    /// Bytes (`256MiB`) or a share of the container's memory limit (`40%`).
    WireSize: ["string", "integer"] r"^[0-9][0-9_.]* ?([KMGT]iB?|[kMGT]?B|%)?$", Size::parse => Size;
    /// Bytes a second: `20MiB/s`.
    WireRate: "string" r"^[0-9][0-9_.]* ?([KMGT]iB?|[kMGT]?B)? ?/s$", units::parse_rate => u64;
    /// A time: `500ms`, `10s`, `5m`.
    WireTime: "string" r"^[0-9][0-9_.]* ?(ns|us|ms|s|m|h)$", units::parse_duration => std::time::Duration;
    /// A share: `50%`.
    WireShare: "string" r"^[0-9][0-9.]* ?%$", units::parse_percent => f64;
}
