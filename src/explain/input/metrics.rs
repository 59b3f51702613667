//! A metrics page of cAdvisor or the kubelet: one reading a cgroup.

use std::collections::BTreeMap;

use super::READINGS_MAX;
use crate::explain::{Reading, clean};
use crate::export::labels;

/// One line of the page.
#[derive(Debug, PartialEq)]
struct Sample {
    name: String,
    labels: Vec<(String, String)>,
    value: f64,
    /// Milliseconds; 0 where the page gives none.
    time: i64,
}

impl Sample {
    fn label(&self, names: &[&str]) -> Option<&str> {
        let found = self
            .labels
            .iter()
            .find(|(k, v)| names.contains(&k.as_str()) && !v.is_empty());
        found.map(|(_, value)| value.as_str())
    }
}

/// The metrics that are rows, by the row's name.
const ROWS: [(&str, &str); 26] = [
    ("container_memory_usage_bytes", "usage"),
    ("container_memory_working_set_bytes", "working_set"),
    ("container_memory_rss", "rss"),
    ("container_memory_cache", "cache"),
    ("container_memory_mapped_file", "mapped_file"),
    ("container_memory_swap", "swap"),
    ("container_memory_failcnt", "failcnt"),
    ("container_memory_max_usage_bytes", "max_usage"),
    ("container_memory_kernel_usage", "kernel"),
    ("container_memory_total_active_file_bytes", "active_file"),
    (
        "container_memory_total_inactive_file_bytes",
        "inactive_file",
    ),
    ("container_memory_active_file_bytes", "active_file"),
    ("container_memory_inactive_file_bytes", "inactive_file"),
    ("container_memory_file_dirty_bytes", "dirty"),
    ("container_memory_file_writeback_bytes", "writeback"),
    ("container_memory_events_high_total", "memory.events:high"),
    ("container_memory_events_max_total", "memory.events:max"),
    ("container_spec_memory_limit_bytes", "limit"),
    ("container_oom_events_total", "memory.events:oom_kill"),
    ("machine_memory_bytes", "node:MemTotal"),
    ("nomad_client_allocs_memory_usage", "usage"),
    ("nomad_client_allocs_memory_rss", "rss"),
    ("nomad_client_allocs_memory_cache", "cache"),
    ("nomad_client_allocs_memory_swap", "swap"),
    ("nomad_client_allocs_memory_max_usage", "max_usage"),
    ("nomad_client_allocs_memory_allocated", "limit"),
];

/// Whether a text looks like such a page.
pub fn is_page(text: &str) -> bool {
    const MARKS: [&str; 4] = [
        "container_memory_",
        "container_spec_memory_",
        "nomad_client_allocs_memory_",
        "nomad.client.allocs.memory.",
    ];
    MARKS.iter().any(|mark| text.contains(mark))
}

/// Nomad's statsd names as labels: `nomad.client.allocs.memory.rss.JOB.GROUP.ALLOC.TASK.HOST: 876544.000`.
fn of_statsd(line: &str) -> Option<String> {
    let line = line.trim_start_matches(['\'', '"']);
    let (name, value) = line
        .strip_prefix("nomad.client.allocs.memory.")?
        .rsplit_once(':')?;
    let parts: Vec<&str> = name.trim_end_matches(['\'', '"']).split('.').collect();
    let (row, task) = (parts.first()?, parts.get(parts.len().checked_sub(2)?)?);
    Some(format!(
        "nomad_client_allocs_memory_{row}{{task=\"{task}\"}} {value}"
    ))
}

/// All cgroups of the page, in the order of their paths.
pub fn read(text: &str) -> Vec<Reading> {
    // By cgroup path and names; each row with the time it was sampled, the latest wins.
    let mut groups: BTreeMap<[String; 3], (Reading, BTreeMap<&str, i64>)> = BTreeMap::new();
    let mut capacity = None;
    for line in clean::lines(text) {
        let Some(sample) = sample(&of_statsd(&line).unwrap_or(line)) else {
            continue;
        };
        let Some((_, row)) = ROWS.iter().find(|(metric, _)| *metric == sample.name) else {
            continue;
        };
        let Some(value) = whole(sample.value) else {
            continue;
        };
        if *row == "node:MemTotal" {
            capacity = Some(value);
            continue;
        }
        let key = identity(&sample);
        if groups.len() >= READINGS_MAX && !groups.contains_key(&key) {
            continue;
        }
        let group = groups.entry(key);
        let (reading, times) = group.or_insert_with(|| (named(&sample), BTreeMap::new()));
        if times.get(row).is_none_or(|time| *time <= sample.time) {
            times.insert(row, sample.time);
            set(reading, row, value);
        }
    }
    let mut readings: Vec<Reading> = groups.into_values().map(|(reading, _)| reading).collect();
    readings.retain(|reading| !reading.is_empty());
    for reading in &mut readings {
        reading.rows.fill([("node:MemTotal", capacity)]);
    }
    inherit_pods(&mut readings);
    readings
}

fn set(reading: &mut Reading, row: &str, value: u64) {
    match (row, value) {
        ("working_set", value) => reading.working_set = Some(value),
        // No limit is written as 0, and so is the kernel's share on cgroup v2.
        ("limit" | "kernel", 0) => {}
        (row, value) => reading.rows.set(row, value),
    }
}

fn identity(sample: &Sample) -> [String; 3] {
    let text = |names: &[&str]| sample.label(names).unwrap_or("").to_string();
    [
        text(&["id"]),
        text(&["pod", "pod_name"]),
        text(&["container", "container_name", "name", "task"]),
    ]
}

fn named(sample: &Sample) -> Reading {
    let text = |names: &[&str]| sample.label(names).map(str::to_string);
    let mut reading = Reading {
        source: if sample.name.starts_with("nomad") {
            "nomad"
        } else {
            "metrics page"
        },
        container: text(&["container", "container_name"]).or_else(|| text(&["name", "task"])),
        pod: text(&["pod", "pod_name"]),
        path: text(&["id"]),
        ..Reading::default()
    };
    reading.label = match (&reading.container, &reading.pod, &reading.path) {
        (Some(container), Some(pod), _) => format!("container {container} of pod {pod}"),
        (Some(container), None, _) => format!("container {container}"),
        (None, Some(pod), Some(path)) => format!("pod {pod} ({path})"),
        (None, Some(pod), None) => format!("pod {pod}"),
        (None, None, Some(path)) => path.clone(),
        (None, None, None) => String::new(),
    };
    reading
}

/// A cgroup without labels below a pod's path belongs to that pod (runtimes that pass no labels).
fn inherit_pods(readings: &mut [Reading]) {
    let pods = readings.iter();
    let pods = pods.filter_map(|r| Some((r.path.clone()? + "/", r.pod.clone()?)));
    let pods: Vec<(String, String)> = pods.collect();
    for reading in readings.iter_mut().filter(|r| r.pod.is_none()) {
        let path = reading.path.as_deref().unwrap_or("");
        let mut pods = pods.iter();
        let above = pods.find(|(prefix, _)| path.starts_with(prefix.as_str()));
        reading.pod = above.map(|(_, pod)| pod.clone());
    }
}

/// A byte count; Prometheus values are floats, exact up to 2^53.
fn whole(value: f64) -> Option<u64> {
    (0.0..1.8e19).contains(&value).then_some(value as u64)
}

/// `name{label="value",...} 1.5e+09 1626540112260`, and promtool's `name{...} => 5 @[1626540112.2]`.
fn sample(line: &str) -> Option<Sample> {
    let name_end = line
        .find(|c: char| !(c.is_ascii_alphanumeric() || matches!(c, '_' | ':')))
        .unwrap_or(line.len());
    let (name, rest) = line.split_at(name_end);
    let (labels, rest) = match rest.trim_start().strip_prefix('{') {
        Some(inside) => labels::read(inside)?,
        None => (Vec::new(), rest),
    };
    let mut words = rest.split_whitespace().filter(|word| *word != "=>");
    let value = words.next()?.parse().ok()?;
    let time = words.next().map_or(0.0, |word| {
        let seconds = word.strip_prefix("@[").map(|w| w.trim_end_matches(']'));
        let parsed: Option<f64> = seconds.unwrap_or(word).parse().ok();
        parsed.map_or(0.0, |t| if seconds.is_some() { t * 1000.0 } else { t })
    });
    Some(Sample {
        name: name.to_string(),
        labels,
        value,
        time: time as i64,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn exponents_time_stamps_empty_labels_and_escapes() {
        let line = r#"container_memory_rss{container="",id="/a\"b",pod="p,1}"} 1.0596352e+08 1795578205188"#;
        let sample = sample(line).unwrap();
        assert_eq!(sample.value, 105_963_520.0);
        assert_eq!(sample.time, 1_795_578_205_188);
        assert_eq!(sample.label(&["id"]), Some("/a\"b"));
        assert_eq!(sample.label(&["pod"]), Some("p,1}"));
        assert_eq!(sample.label(&["container"]), None);
    }

    #[test]
    fn cgroups_of_a_pod_belong_to_it_and_the_latest_scrape_wins() {
        let readings = read(
            "container_memory_usage_bytes{id=\"/k/pod1\",pod=\"p\"} 300 2\n\
             container_memory_usage_bytes{id=\"/k/pod1/aa\",pod=\"\"} 100 2\n\
             container_memory_usage_bytes{id=\"/k/pod1/aa\",pod=\"\"} 90 1\n\
             container_memory_working_set_bytes{id=\"/k/pod1/aa\",pod=\"\"} NaN 3\n\
             container_spec_memory_limit_bytes{id=\"/k/pod1/aa\",pod=\"\"} 0\n\
             container_memory_usage_bytes{id=\"/k/pod11\",pod=\"\"} 7 2\n",
        );
        let paths: Vec<_> = readings
            .iter()
            .map(|r| r.path.as_deref().unwrap())
            .collect();
        assert_eq!(paths, ["/k/pod1", "/k/pod1/aa", "/k/pod11"]);
        assert_eq!(readings[1].pod.as_deref(), Some("p"));
        assert_eq!(readings[2].pod, None);
        assert_eq!(readings[1].rows.get("usage"), Some(100));
        assert_eq!((readings[1].working_set, readings[1].limit()), (None, None));
    }

    proptest! {
        #[test]
        fn nothing_panics(text in ".{0,80}", page in "container_memory_rss[{}a-z=\",\\\\]{0,30} [0-9.eE+naN-]{0,12} ?[0-9]{0,14}") {
            read(&text);
            read(&page);
        }
    }
}
