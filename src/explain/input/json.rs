//! JSON: memory.stat as a map, kubelet summaries, docker API stats, CRI and runc stats.
//!
//! The text may hold several documents, with log lines around them. Every object that has memory
//! numbers becomes a reading, labelled by the names its parents carry.

use serde_json::{Map, Value};

use super::{READINGS_MAX, json_tools};
use crate::explain::{Reading, names, number, pairs};

/// Names picked up on the way down.
#[derive(Clone, Default)]
struct Names {
    container: Option<String>,
    pod: Option<String>,
    node: bool,
    /// The limit beside the samples, in cAdvisor's own API.
    limit: Option<u64>,
}

/// All readings of all documents in the text. Empty if there is no JSON with memory numbers.
pub fn read(lines: &[String]) -> Vec<Reading> {
    let joined = lines.join("\n");
    let mut found = Vec::new();
    let mut rest = joined.as_str();
    let mut mended = false;
    while let Some(at) = rest.find(['{', '[']) {
        rest = &rest[at..];
        let mut stream = serde_json::Deserializer::from_str(rest).into_iter::<Value>();
        match stream.next() {
            Some(Ok(value)) => {
                let used = stream.byte_offset().max(1);
                walk(&value, &Names::default(), 0, &mut found);
                rest = &rest[used..];
            }
            Some(Err(error)) if error.is_eof() && !std::mem::replace(&mut mended, true) => {
                let before = found.len();
                if let Some(value) = closed(rest) {
                    walk(&value, &Names::default(), 0, &mut found);
                }
                for reading in &mut found[before..] {
                    reading.notes.push(CUT.into());
                }
                // Nothing of it: as a map, from the same brace.
                if found.len() > before {
                    rest = "";
                }
            }
            _ => {
                let (end, cut) = cut_map(rest);
                found.extend(cut);
                rest = &rest[end..];
            }
        }
    }
    for reading in &mut found {
        reading.recognise();
    }
    found
}

const CUT: &str = "The map is not whole JSON: rows after the cut are missing.";

/// A document that ends before its end: up to its last whole member, with the brackets that are open.
fn closed(text: &str) -> Option<Value> {
    let (mut open, mut whole) = (Vec::new(), None);
    let (mut quoted, mut escaped) = (false, false);
    for (at, byte) in text.bytes().enumerate() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if quoted => escaped = true,
            b'"' => quoted = !quoted,
            _ if quoted => {}
            b'{' => open.push(b'}'),
            b'[' => open.push(b']'),
            b'}' | b']' => {
                open.pop();
                whole = Some((at + 1, open.clone()));
            }
            b',' => whole = Some((at, open.clone())),
            _ => {}
        }
    }
    let (end, open) = whole?;
    let mut text = text[..end].to_string();
    text.extend(open.iter().rev().map(|byte| char::from(*byte)));
    serde_json::from_str(&text).ok()
}

/// A map that is no valid JSON (cut, single quotes, `Key: value`): its pairs up to the closing
/// brace. Gives how much of the text it took.
fn cut_map(text: &str) -> (usize, Option<Reading>) {
    // The opening brace itself is taken in any case, so that reading ends.
    let end = text[1..].find(['}', '{']).map_or(text.len(), |at| at + 1);
    if !text.starts_with('{') {
        return (1, None);
    }
    let flat = text[1..end].replace([',', '\n'], " , ");
    let rows = pairs::of_stat(&flat, false);
    if rows.len() < 2 {
        return (1, None);
    }
    let mut reading = Reading::of("a map of memory.stat");
    reading.notes.push(CUT.into());
    reading.rows = rows.into_iter().collect();
    (end.max(1), Some(reading))
}

/// Deeper than any of these documents goes; a guard against hostile nesting.
const DEPTH: usize = 24;

fn walk(value: &Value, names: &Names, depth: usize, found: &mut Vec<Reading>) {
    if depth > DEPTH || found.len() >= READINGS_MAX {
        return;
    }
    match value {
        Value::Array(items) => {
            for item in items {
                walk(item, names, depth + 1, found);
            }
        }
        Value::Object(map) => {
            let names = names.clone().below(map);
            if let Some(reading) = memory_object(map, &names) {
                found.push(reading);
                return;
            }
            for (key, child) in map {
                let names = Names {
                    node: names.node || key == "node",
                    ..names.clone()
                };
                walk(child, &names, depth + 1, found);
            }
        }
        _ => {}
    }
}

impl Names {
    /// Adds what this object says about its children.
    fn below(mut self, map: &Map<String, Value>) -> Names {
        let text = |value: Option<&Value>| value.and_then(Value::as_str).map(str::to_string);
        if let Some(Value::Object(pod)) = map.get("podRef") {
            self.pod = text(pod.get("name"));
        }
        let limit = |spec: &Value| num(spec.get("memory")?.get("limit")?);
        self.limit = map.get("spec").and_then(limit).or(self.limit);
        self.pod = json_tools::pod_of_metrics(map).or(self.pod);
        if let Some(Value::Object(attributes)) = map.get("attributes") {
            let meta = attributes.get("metadata").and_then(|m| m.get("name"));
            self.container = text(meta).or(text(attributes.get("id")));
            let labels = attributes.get("labels");
            self.pod = text(labels.and_then(|l| l.get("io.kubernetes.pod.name")));
        }
        for key in ["name", "Name", "nodeName"] {
            if let Some(name) = text(map.get(key)) {
                self.container = Some(name.trim_start_matches('/').to_string());
            }
        }
        self
    }

    fn label(&self) -> String {
        match (&self.container, &self.pod) {
            (Some(container), Some(pod)) => format!("container {container} of pod {pod}"),
            (Some(name), None) => name.clone(),
            (None, Some(pod)) => format!("pod {pod}"),
            (None, None) => String::new(),
        }
    }
}

/// A number, also as text or as the `{"value": "123"}` of the CRI.
fn num(value: &Value) -> Option<u64> {
    match value {
        Value::Number(n) => n.as_u64().or_else(|| number::parse(&n.to_string())),
        Value::String(text) => number::parse(text),
        Value::Object(map) => num(map.get("value")?),
        _ => None,
    }
}

/// The number under the first of `keys` that has one.
fn of(map: &Map<String, Value>, keys: &[&str]) -> Option<u64> {
    keys.iter().find_map(|key| num(map.get(*key)?))
}

/// A reading, if this object itself holds memory numbers.
fn memory_object(map: &Map<String, Value>, names: &Names) -> Option<Reading> {
    let mut reading = kubelet(map, names)
        .or_else(|| docker(map))
        .or_else(|| stat_map(map))
        .or_else(|| json_tools::read(map))?;
    if let Some(limit) = names.limit.filter(|_| reading.rows.get("limit").is_none()) {
        reading.rows.set("limit", limit);
    }
    reading.label = names.label();
    reading.container = names.container.clone();
    reading.pod = names.pod.clone();
    Some(reading)
}

/// The kubelet's `memory` object, and the CRI's of the same names.
fn kubelet(map: &Map<String, Value>, names: &Names) -> Option<Reading> {
    let mut reading = Reading::of("kubelet summary");
    reading.working_set = of(map, &["workingSetBytes", "working_set_bytes"]);
    reading.rows.fill([
        ("usage", of(map, &["usageBytes", "usage_bytes"])),
        ("rss", of(map, &["rssBytes", "rss_bytes"])),
    ]);
    if reading.is_empty() {
        return None;
    }
    // 0 is what the CRI gives where there is no limit.
    let available = of(map, &["availableBytes", "available_bytes"]).filter(|free| *free > 0);
    let both = reading.working_set.zip(available);
    if let Some(limit) = both.and_then(|(ws, available)| ws.checked_add(available)) {
        // The kubelet gives limit - workingSet, and the machine's memory in place of a limit.
        // jq '.node.memory' drops the name: only a node has availableBytes without a limit of its own
        // and the rss of the root cgroup alone.
        if names.node || is_root(&reading) {
            reading.scope = crate::explain::Scope::Node;
            reading.rows.set("node:MemTotal", limit);
        } else {
            reading.rows.set("limit", limit);
        }
    }
    Some(reading)
}

/// v1's root cgroup: its rss is not hierarchical, so it is next to nothing beside gigabytes of usage.
fn is_root(reading: &Reading) -> bool {
    let both = reading.rows.get("usage").zip(reading.rows.get("rss"));
    both.is_some_and(|(usage, rss)| usage >= 1 << 30 && rss < 4 << 20)
}

/// docker's `memory_stats` and runc's `memory`: usage and limit beside a map of memory.stat.
fn docker(map: &Map<String, Value>) -> Option<Reading> {
    let object = |keys: &[&str]| keys.iter().find_map(|key| map.get(*key)?.as_object());
    let stat = object(&["stats", "Stats", "raw"])?;
    let mut reading = stat_map(stat)?;
    reading.source = "container stats";
    // runc nests the numbers once more.
    let within = object(&["usage"]).unwrap_or(map);
    reading.rows.fill([
        ("usage", of(within, &["usage", "Usage"])),
        ("limit", of(within, &["limit", "Limit"])),
        ("max_usage", of(within, &["max_usage", "max", "MaxUsage"])),
        ("failcnt", of(within, &["failcnt", "Failcnt"])),
    ]);
    Some(reading)
}

/// A flat map of memory.stat rows: at least two names memtide knows.
fn stat_map(map: &Map<String, Value>) -> Option<Reading> {
    let known = |(key, value): &(&String, &Value)| names::is_stat(key) && num(value).is_some();
    if map.iter().filter(known).count() < 2 {
        return None;
    }
    let mut reading = Reading::of("a map of memory.stat");
    for (key, value) in map {
        match (key.as_str(), num(value)) {
            ("working_set", value) => reading.working_set = value,
            ("current" | "memory.current" | "memory_current" | "usage_in_bytes", Some(value)) => {
                reading.rows.set("usage", value);
            }
            (key, Some(value)) => reading.rows.set(key, value),
            _ => {}
        }
    }
    Some(reading)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn read(text: &str) -> Vec<Reading> {
        super::read(&crate::explain::clean::lines(text))
    }

    #[test]
    fn a_map_in_a_log_line_even_cut() {
        for text in [
            r#"2024.08.06 [ 5 ] <Trace>: stats {"active_anon": 28228526080, "cache": 2578046976, "inactive_file": 3}"#,
            r#"{"active_anon": 28228526080, "cache": 2578046976, "inactive_file": 3, "map"#,
            r#"{'active_anon': 28228526080, 'cache': 2578046976, 'inactive_file': 3}"#,
            "```json\n> {\"active_anon\": \"28228526080\",\n> \"cache\": 2578046976, \"inactive_file\": 3}\n```",
        ] {
            let readings = read(text);
            assert_eq!(readings.len(), 1, "{text}");
            assert_eq!(
                readings[0].rows.get("active_anon"),
                Some(28_228_526_080),
                "{text}"
            );
            assert_eq!(readings[0].view().inactive_file, Some(3), "{text}");
        }
    }

    #[test]
    fn kubelet_objects_with_and_without_the_optional_fields() {
        let text = "{\"time\": \"t\", \"workingSetBytes\": 63426560}\nsome words\n\
                    {\"availableBytes\": 100, \"usageBytes\": 60, \"workingSetBytes\": 50}";
        let readings = read(text);
        assert_eq!(readings[0].working_set, Some(63_426_560));
        assert_eq!(readings[0].view().usage, None);
        assert_eq!(readings[1].view().inactive_file, Some(10));
        assert_eq!(readings[1].limit(), Some(150));
    }

    #[test]
    fn docker_runc_and_cri() {
        let docker = &read(
            r#"{"name":"/db","memory_stats":{"usage":822935552,"limit":3079540736,
            "stats":{"cache":477356032,"rss":345579520,"total_inactive_file":5}}}"#,
        )[0];
        assert_eq!(
            (docker.view().usage, docker.limit()),
            (Some(822_935_552), Some(3_079_540_736))
        );
        assert_eq!(docker.container.as_deref(), Some("db"));
        let runc = &read(
            r#"{"data":{"memory":{"usage":{"limit":9,"usage":7,"failcnt":2},"raw":{"anon":3,"file":1}}}}"#,
        )[0];
        assert_eq!(
            (runc.view().usage, runc.rows.get("failcnt")),
            (Some(7), Some(2))
        );
        let cri = &read(
            r#"{"stats":[{"attributes":{"id":"ab","metadata":{"name":"app"}},
            "memory":{"workingSetBytes":{"value":"5"},"usageBytes":{"value":"9"}}}]}"#,
        )[0];
        assert_eq!(
            (cri.working_set, cri.container.as_deref()),
            (Some(5), Some("app"))
        );
    }

    #[test]
    fn what_command_lines_print_as_json() {
        let docker = &read(
            r#"{"Container":"c1","ID":"c1","MemPerc":"11.22%","MemUsage":"329.6MiB / 2.868GiB","Name":"db"}"#,
        )[0];
        assert_eq!(docker.label, "db");
        assert_eq!(docker.working_set, Some(345_610_650));
        let podman = &read(
            r#"[{"id":"5d","name":"web","mem_usage":"2.87GB / 3.843GB","mem_percent":"74.68%"}]"#,
        )[0];
        assert_eq!(
            (podman.working_set, podman.limit()),
            (None, Some(3_843_000_000))
        );
        let top = &read(
            r#"{"kind":"PodMetrics","metadata":{"name":"web-1"},"window":"30s","containers":
            [{"name":"app","usage":{"cpu":"3m","memory":"251728Ki"}}]}"#,
        )[0];
        assert_eq!(top.label, "container app of pod web-1");
        assert_eq!(top.working_set, Some(251_728 << 10));
        let inspect = &read(
            r#"[{"Name":"/web","State":{"OOMKilled":true},"HostConfig":{"Memory":536870912}}]"#,
        )[0];
        assert_eq!(inspect.limit(), Some(512 << 20));
        assert_eq!(inspect.rows.get("memory.events:oom_kill"), Some(1));
    }

    proptest! {
        #[test]
        fn nothing_panics(text in "(?s).{0,120}", json in "[\\[{\"a-z:0-9,}\\]]{0,120}") {
            read(&text);
            read(&json);
        }
    }
}
