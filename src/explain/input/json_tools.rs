//! What command-line tools print as JSON: `docker stats --format json`, `podman stats --format json`,
//! `docker inspect`, and the metrics API behind `kubectl top`.

use serde_json::{Map, Value};

use super::tables;
use crate::explain::{Reading, number};

/// The reading of one object, if it is one of these.
pub fn read(map: &Map<String, Value>) -> Option<Reading> {
    let tools = [stats, metrics_api, inspect, nomad];
    tools.iter().find_map(|tool| tool(map))
}

/// nomad's `MemoryStats`. Versions before 1.1 fill in nothing of cgroup v2 but usage and swap, and
/// list every field as measured all the same.
fn nomad(map: &Map<String, Value>) -> Option<Reading> {
    map.get("Measured").or_else(|| map.get("KernelMaxUsage"))?;
    let of = |key: &str| map.get(key)?.as_u64();
    let usage = of("Usage").filter(|usage| *usage > 0);
    let mut reading = Reading::of("nomad");
    let blind = of("RSS") == Some(0) && of("Cache") == Some(0);
    if blind && usage.is_some() {
        let note = "RSS and Cache are 0 because this nomad does not read them on cgroup v2: that is not \"no heap\".";
        reading.notes.push(note.into());
    }
    reading.rows.fill([
        ("usage", usage),
        ("swap", of("Swap")),
        ("rss", of("RSS").filter(|_| !blind)),
        ("cache", of("Cache").filter(|_| !blind)),
        ("max_usage", of("MaxUsage").filter(|most| *most > 0)),
        ("kernel", of("KernelUsage").filter(|kernel| *kernel > 0)),
    ]);
    (!reading.is_empty()).then_some(reading)
}

/// The pod a `PodMetrics` object is of.
pub fn pod_of_metrics(map: &Map<String, Value>) -> Option<String> {
    map.get("containers")?.as_array()?;
    map.get("window")?;
    let name = map.get("metadata")?.get("name")?;
    name.as_str().map(str::to_string)
}

/// `"MemUsage": "329.6MiB / 2.868GiB"`, or podman's `"mem_usage"`.
fn stats(map: &Map<String, Value>) -> Option<Reading> {
    let (key, text) = ["MemUsage", "mem_usage"]
        .iter()
        .find_map(|key| Some((*key, map.get(*key)?.as_str()?)))?;
    let name = ["Name", "name", "Container", "id"]
        .iter()
        .find_map(|key| map.get(*key)?.as_str());
    tables::stats_cell(text, name.unwrap_or("a container"), key == "mem_usage")
}

/// `"usage": {"cpu": "3m", "memory": "251728Ki"}`.
fn metrics_api(map: &Map<String, Value>) -> Option<Reading> {
    let usage = map.get("usage")?.as_object()?;
    usage.get("cpu")?;
    let working_set = number::parse(usage.get("memory")?.as_str()?)?;
    let mut reading = Reading::of("metrics API");
    reading.working_set = Some(working_set);
    let note = "The metrics API gives the working set as the kubelet last sampled it (cadvisor_working_set), \
                up to a minute old.";
    reading.notes.push(note.into());
    Some(reading)
}

/// The limit and the verdict of `docker inspect`; it has nothing of what is in use.
fn inspect(map: &Map<String, Value>) -> Option<Reading> {
    let limit = map.get("HostConfig")?.get("Memory")?.as_u64()?;
    let killed = map.get("State").and_then(|state| state.get("OOMKilled"));
    let killed = killed == Some(&Value::Bool(true));
    let mut reading = Reading::of("docker inspect");
    let note = "docker inspect has limits and the last exit, nothing of what is in use: for that, docker stats or the \
                container's memory.stat.";
    reading.notes.push(note.into());
    reading.rows.fill([
        ("limit", Some(limit).filter(|limit| *limit > 0)),
        ("memory.events:oom_kill", killed.then_some(1)),
    ]);
    (!reading.is_empty()).then_some(reading)
}
