//! The API's objects as JSON, read leniently: a field that is missing or null is empty. What decides
//! is checked where it is used.

use serde_json::Value;

use crate::scenario;

/// An answer that can't be understood.
#[derive(Debug, thiserror::Error)]
pub enum ObjectError {
    /// It is no JSON, or was cut.
    #[error("the cluster's answer is no JSON: {0}; `kubectl get jobs,pods -o json` shows it")]
    Json(#[from] serde_json::Error),
    /// It is another object.
    #[error("the cluster's answer is no {0}; `kubectl get jobs,pods -o json` shows it")]
    Other(&'static str),
}

pub(super) fn parse(json: &[u8]) -> Result<Value, ObjectError> {
    Ok(serde_json::from_slice(json)?)
}

/// The items of a list.
pub(super) fn items(json: &[u8], what: &'static str) -> Result<Vec<Value>, ObjectError> {
    match parse(json)?["items"].take() {
        Value::Array(items) => Ok(items),
        _ => Err(ObjectError::Other(what)),
    }
}

pub(super) fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_string()
}

/// None where it is missing or empty.
pub(super) fn filled(value: &Value) -> Option<String> {
    value.as_str().filter(|t| !t.is_empty()).map(String::from)
}

pub(super) fn number(value: &Value) -> Option<usize> {
    value.as_u64().and_then(|n| usize::try_from(n).ok())
}

/// The scenarios in a pod's command line, which is the same in a Job's template.
pub(super) fn scenarios(pod_spec: &Value) -> Vec<String> {
    let containers = pod_spec["containers"].as_array();
    let containers = containers.map(Vec::as_slice).unwrap_or_default();
    let Some(container) = ours(containers) else {
        return Vec::new();
    };
    let args = container["args"].as_array().into_iter().flatten();
    let mut words = args.clone().filter_map(Value::as_str);
    if words.find(|arg| !arg.starts_with('-')) == Some(FLEET) {
        return vec![FLEET.into()];
    }
    let mut found = Vec::new();
    let mut before = "";
    for arg in args.filter_map(Value::as_str) {
        // What follows an option that carries no value of its own may be its value.
        let may_be_value = before.starts_with("--") && !before.contains('=');
        let is_scenario = scenario::find(arg).is_some() || arg.ends_with(".toml");
        if !arg.starts_with('-') && arg != "run" && (is_scenario || !may_be_value) {
            found.push(arg.to_string());
        }
        before = arg;
    }
    found
}

/// memtide's container among those that others put beside it.
pub(super) fn ours(containers: &[Value]) -> Option<&Value> {
    let named = containers.iter().find(|c| c["name"] == CONTAINER);
    named.or(containers.first())
}

/// The subcommand whose Jobs run shards of a fleet; in results it stands where scenarios have their name.
pub(super) const FLEET: &str = "fleet";

/// The name of memtide's container in all its pods.
pub const CONTAINER: &str = "memtide";

/// Whether some container of a pod picks one of its scenarios.
pub(super) fn picks(pod: &Value) -> bool {
    let containers = pod["containers"].as_array().into_iter().flatten();
    let mut args =
        containers.flat_map(|container| container["args"].as_array().into_iter().flatten());
    args.any(|arg| {
        let arg = arg.as_str().unwrap_or_default();
        arg == "--pick" || arg.starts_with("--pick=")
    })
}

/// The scenario of a completion index.
pub(super) fn scenario_of(scenarios: &[String], index: usize) -> Option<&str> {
    let number = index.checked_rem(scenarios.len())?;
    scenarios.get(number).map(String::as_str)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_options_value_is_no_scenario() {
        for args in [
            "run --out=- --pick=$(MEMTIDE_INDEX) --placement=ambient log-write steady",
            "run --out - --pick $(MEMTIDE_INDEX) --placement ambient log-write steady",
            "run log-write steady --pick 3",
            "run -v log-write --quiet steady",
        ] {
            let args: Vec<&str> = args.split(' ').collect();
            let pod = serde_json::json!({"containers": [{"name": "memtide", "args": args}]});
            assert_eq!(scenarios(&pod), ["log-write", "steady"], "{args:?}");
        }
        // One that only a newer memtide knows keeps its place.
        let args = ["run", "--pick=0", "no-such-yet", "my/own.toml"];
        let pod = serde_json::json!({"containers": [{"name": "memtide", "args": args}]});
        assert_eq!(scenarios(&pod), ["no-such-yet", "my/own.toml"]);
    }
}
