//! The JSON Schema of a recording's lines, generated from the wire types.

use schemars::{JsonSchema, Schema, SchemaGenerator};

use super::Event;
use super::format::{Counter, Notice, WireHeader};

/// One line of a recording.
#[derive(JsonSchema)]
#[schemars(untagged, title = "memtide.recording/1")]
#[expect(dead_code, reason = "only its schema is wanted")]
enum Line {
    /// The first line.
    Header(Box<WireHeader>),
    /// A sample.
    Sample(Sample),
    /// Something rare.
    Event(Box<Event>),
    /// What is no event.
    Notice(Box<Notice>),
}

struct Sample;

impl JsonSchema for Sample {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Sample".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let value = generator.subschema_for::<Counter>();
        let whole = |what: &str| schemars::json_schema!({ "description": what, "type": "integer", "minimum": 0 });
        schemars::json_schema!({
            "description": "[group, t_ns, cost_ns, values...] in the order of the group's columns.",
            "type": "array",
            "prefixItems": [
                whole("The group's index, from 0."),
                whole("Nanoseconds from the start."),
                whole("What taking the sample cost, nanoseconds."),
            ],
            "items": value,
            "minItems": 3
        })
    }
}

/// The schema, as in `docs/schema/recording.schema.json`.
pub fn schema() -> String {
    let mut text = format!("{:#}", schemars::schema_for!(Line).to_value());
    text.push('\n');
    text
}
