//! The JSON Schema of scenario files, made from the wire types.

use schemars::generate::SchemaSettings;
use serde_json::{Value, json};

use super::wire::{WORKLOADS, WireScenario};

/// The schema: what `docs/schema/scenario.schema.json` holds, and what a file is held against.
pub fn json_schema() -> Value {
    let schema = SchemaSettings::draft2020_12()
        .into_generator()
        .into_root_schema_for::<WireScenario>();
    let mut value = Value::from(schema);
    without_null(&mut value);
    exactly_one_workload(&mut value);
    value
}

/// TOML has no null: what may be left out is left out.
fn without_null(value: &mut Value) {
    let null = json!({ "type": "null" });
    match value {
        Value::Array(items) => items.iter_mut().for_each(without_null),
        Value::Object(map) => {
            map.values_mut().for_each(without_null);
            if let Some(Value::Array(types)) = map.get_mut("type") {
                types.retain(|t| t != "null");
                if let [only] = types.as_slice() {
                    let only = only.clone();
                    map.insert("type".into(), only);
                }
            }
            if map.get("default") == Some(&Value::Null) {
                map.remove("default");
            }
            if let Some(Value::Array(choices)) = map.get_mut("anyOf") {
                choices.retain(|c| *c != null);
                if let [Value::Object(only)] = choices.as_slice() {
                    let only = only.clone();
                    map.remove("anyOf");
                    map.extend(only);
                }
            }
        }
        _ => {}
    }
}

/// An editor shall tell, too, that a step does one thing.
fn exactly_one_workload(schema: &mut Value) {
    if let Some(Value::Object(step)) = schema.pointer_mut("/$defs/Step") {
        let choices: Vec<Value> = WORKLOADS
            .iter()
            .map(|name| json!({ "required": [name] }))
            .collect();
        step.insert("oneOf".into(), choices.into());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_schema_in_the_repository_is_the_one_the_types_give() {
        let path = concat!(
            env!("CARGO_MANIFEST_DIR"),
            "/docs/schema/scenario.schema.json"
        );
        let want = format!("{:#}\n", json_schema());
        if std::env::var_os("MEMTIDE_UPDATE").is_some() {
            std::fs::write(path, &want).unwrap();
        }
        let have = std::fs::read_to_string(path).unwrap_or_default();
        assert!(
            have == want,
            "docs/schema/scenario.schema.json is stale; write it anew with \
             `memtide generate scenario-schema` or MEMTIDE_UPDATE=1 cargo test schema"
        );
    }

    #[test]
    fn every_workload_is_a_key_of_a_step() {
        let schema = json_schema();
        let step = &schema["$defs"]["Step"]["properties"];
        for name in WORKLOADS {
            assert!(step.get(name).is_some(), "{name}");
        }
    }
}
