//! What kube-state-metrics and the node exporter would say beside cAdvisor: public rules join
//! container metrics with it. Only what a recording knows is given.

use std::fmt;

use crate::recording::{EventKind, GroupKind, Recording};

use super::cadvisor::Kind;
use super::labels::{pairs, selector};
use super::page::Pages;

/// One metric beside cAdvisor's.
pub struct Family {
    /// Its name.
    pub name: &'static str,
    /// Gauge or counter.
    pub kind: Kind,
    /// The `# HELP` text.
    pub help: &'static str,
}

const fn gauge(name: &'static str, help: &'static str) -> Family {
    let kind = Kind::Gauge;
    Family { name, kind, help }
}

const fn counter(name: &'static str, help: &'static str) -> Family {
    let kind = Kind::Counter;
    Family { name, kind, help }
}

/// The metrics that are given, sorted by name.
pub const FAMILIES: [Family; 19] = [
    gauge(
        "kube_node_status_allocatable",
        "The allocatable for different resources of a node that are available for scheduling.",
    ),
    gauge(
        "kube_node_status_capacity",
        "The total amount of resources available for a node.",
    ),
    gauge(
        "kube_pod_container_info",
        "Information about a container in a pod.",
    ),
    gauge(
        "kube_pod_container_resource_limits",
        "The number of requested limit resource by a container.",
    ),
    gauge(
        "kube_pod_container_resource_requests",
        "The number of requested request resource by a container.",
    ),
    gauge(
        "kube_pod_container_status_last_terminated_reason",
        "Describes the last reason the container was in terminated state.",
    ),
    counter(
        "kube_pod_container_status_restarts_total",
        "The number of container restarts per container.",
    ),
    gauge(
        "kube_pod_container_status_running",
        "Describes whether the container is currently in running state.",
    ),
    gauge("kube_pod_info", "Information about pod."),
    gauge("kube_pod_status_phase", "The pods current phase."),
    gauge("kube_pod_status_reason", "The pod status reasons"),
    gauge(
        "machine_memory_bytes",
        "Amount of memory installed on the machine.",
    ),
    gauge(
        "node_memory_MemAvailable_bytes",
        "Memory information field MemAvailable_bytes.",
    ),
    gauge(
        "node_memory_MemTotal_bytes",
        "Memory information field MemTotal_bytes.",
    ),
    gauge(
        "node_memory_SwapFree_bytes",
        "Memory information field SwapFree_bytes.",
    ),
    gauge(
        "node_memory_SwapTotal_bytes",
        "Memory information field SwapTotal_bytes.",
    ),
    counter(
        "node_pressure_memory_stalled_seconds_total",
        "Total time in seconds no process could make progress due to memory congestion",
    ),
    counter(
        "node_pressure_memory_waiting_seconds_total",
        "Total time in seconds that processes have waited for memory",
    ),
    gauge(
        "up",
        "1 if the instance is healthy, i.e. reachable, or 0 if the scrape failed.",
    ),
];

/// The name of the node in all recordings.
const NODE: &str = "node-1";

/// The job that scrapes kube-state-metrics, and its instance.
const STATE: (&str, &str) = ("kube-state-metrics", "10.0.0.2:8080");

/// What a container may use and what it asks for: memtide's have one limit, which is both.
const RESOURCES: [&str; 2] = [
    "kube_pod_container_resource_limits",
    "kube_pod_container_resource_requests",
];
/// The labels of an amount of memory.
const MEMORY: [(&str, &str); 3] = [("node", NODE), ("resource", "memory"), ("unit", "byte")];

/// Phases of `kube_pod_status_phase`.
const PHASES: [&str; 5] = ["Failed", "Pending", "Running", "Succeeded", "Unknown"];

/// Reasons of `kube_pod_status_reason`, as kube-state-metrics lists them.
const POD_REASONS: [&str; 5] = [
    "Evicted",
    "NodeAffinity",
    "NodeLost",
    "Shutdown",
    "UnexpectedAdmissionError",
];

/// One series.
pub struct Series {
    /// The metric.
    pub name: &'static str,
    /// All labels, those of the scrape included, sorted.
    pub labels: Vec<(String, String)>,
    value: Value,
}

/// How a series goes.
enum Value {
    /// The same all along.
    Fixed(f64),
    /// From each recorded time (nanoseconds) on; nothing before the first.
    Steps(Vec<(u64, f64)>),
    /// A row of a sampled group, times a factor.
    Row(usize, usize, f64),
}

impl fmt::Display for Series {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", self.name, selector(pairs(&self.labels)))
    }
}

impl Series {
    /// The value at a recorded time, nanoseconds; none where there is none yet.
    pub fn at(&self, recording: &Recording, t: u64) -> Option<f64> {
        match &self.value {
            Value::Fixed(value) => Some(*value),
            Value::Steps(steps) => {
                let before = steps.partition_point(|(from, _)| *from <= t);
                Some(steps.get(before.checked_sub(1)?)?.1)
            }
            Value::Row(group, column, factor) => {
                let table = &recording.tables[*group];
                Some(table.get(table.at(t)?, *column)? as f64 * factor)
            }
        }
    }
}

/// All series of a recording's pod and node. Requests equal limits, as in a pod of class Guaranteed.
pub fn series(pages: &Pages) -> Vec<Series> {
    let mut all = Maker {
        pages,
        made: Vec::new(),
    };
    all.pods();
    all.containers();
    all.node();
    all.made
}

struct Maker<'a> {
    pages: &'a Pages<'a>,
    made: Vec<Series>,
}

impl Maker<'_> {
    /// Adds a series with the labels of `job`'s scrape and those that are set on all series.
    fn add(&mut self, name: &'static str, job: (&str, &str), own: &[(&str, &str)], value: Value) {
        let (job, instance) = job;
        let mut labels: Vec<(String, String)> = vec![
            ("instance".into(), instance.into()),
            ("job".into(), job.into()),
        ];
        labels.extend(own.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())));
        // What a scrape of the kubelet alone has is not here; what is set on all series is.
        let kubelets = ["instance", "job", "metrics_path"];
        for (label, value) in self
            .pages
            .scraped
            .iter()
            .filter(|(label, _)| !kubelets.contains(&label.as_str()))
        {
            match labels.iter_mut().find(|(known, _)| known == label) {
                Some((_, old)) => old.clone_from(value),
                None if label != "node" => labels.push((label.clone(), value.clone())),
                None => {}
            }
        }
        labels.retain(|(_, value)| !value.is_empty());
        labels.sort();
        // Two containers of one name would be one series.
        if !self
            .made
            .iter()
            .any(|s| s.name == name && s.labels == labels)
        {
            self.made.push(Series {
                name,
                labels,
                value,
            });
        }
    }

    fn of_pods(&mut self, name: &'static str, own: &[(&str, &str)], value: Value) {
        self.add(name, STATE, own, value);
    }

    fn pods(&mut self) {
        let mut pods: Vec<(String, String)> = Vec::new();
        for labels in &self.pages.labels {
            let pod = (labels.namespace.clone(), labels.pod.clone());
            if !labels.container.is_empty() && !pods.contains(&pod) {
                pods.push(pod);
            }
        }
        for (namespace, pod) in pods {
            let own = [("namespace", namespace.as_str()), ("pod", pod.as_str())];
            for (name, more, value) in pod_series() {
                let value = match more.contains(&("reason", "Evicted")) {
                    true => self.evictions(),
                    false => Value::Fixed(value),
                };
                self.of_pods(name, &[&own[..], &more].concat(), value);
            }
        }
    }

    /// 0, and 1 from the moment a container was ended by an eviction.
    fn evictions(&self) -> Value {
        let mut events = self.pages.recording().events.iter();
        let first = events.find(|event| matches!(&event.kind, EventKind::Restart { reason, .. } if reason.contains("evict")));
        let evicted = first.map(|event| (event.t, 1.0));
        Value::Steps(std::iter::once((0, 0.0)).chain(evicted).collect())
    }

    fn containers(&mut self) {
        let pages = self.pages;
        let groups = &pages.recording().header.groups;
        for (labels, group) in pages.labels.iter().zip(groups) {
            if labels.container.is_empty() || group.kind == GroupKind::Pod {
                continue;
            }
            let own = [
                ("container", labels.container.as_str()),
                ("namespace", labels.namespace.as_str()),
                ("pod", labels.pod.as_str()),
            ];
            let image = ("image", labels.image.as_str());
            let id = ("container_id", labels.name.as_str());
            let info = [&own[..], &[image, id]].concat();
            self.of_pods("kube_pod_container_info", &info, Value::Fixed(1.0));
            if let Some(limit) = group.finite_limit() {
                let limit = (limit as f64 * pages.size_scale()).round();
                let own = [&own[..], &MEMORY].concat();
                for name in RESOURCES {
                    self.of_pods(name, &own, Value::Fixed(limit));
                }
            }
            self.restarts(&group.name, &own);
        }
    }

    /// How often a container ended, and why last.
    fn restarts(&mut self, container: &str, own: &[(&str, &str)]) {
        let ends = ends(self.pages.recording(), container);
        let times = ends.iter().enumerate();
        let counted = times.map(|(n, (t, _))| (*t, n as f64 + 1.0));
        let counted: Vec<_> = std::iter::once((0, 0.0)).chain(counted).collect();
        let name = "kube_pod_container_status_restarts_total";
        self.of_pods(name, own, Value::Steps(counted));
        let name = "kube_pod_container_status_running";
        self.of_pods(name, own, Value::Fixed(1.0));
        for reason in ["Error", "OOMKilled"] {
            // Without a value until a container ended so: it may come, so it has a name from the start.
            let is = |why: &str| f64::from(u8::from(why == reason));
            let steps: Vec<(u64, f64)> = ends.iter().map(|(t, why)| (*t, is(why))).collect();
            let steps = if steps.iter().any(|(_, value)| *value > 0.0) {
                steps
            } else {
                Vec::new()
            };
            let labels: Vec<_> = own.iter().copied().chain([("reason", reason)]).collect();
            let name = "kube_pod_container_status_last_terminated_reason";
            self.of_pods(name, &labels, Value::Steps(steps));
        }
    }

    fn node(&mut self) {
        let recording = self.pages.recording();
        let host = &recording.header.host;
        let scale = self.pages.size_scale();
        let total = (host.mem_total as f64 * scale).round();
        let scraped = [("node", NODE), ("metrics_path", "/metrics/cadvisor")];
        let of_node = &scraped[..1];
        let kubelet = ("kubelet", "10.0.0.1:10250");
        let exporter = ("node-exporter", "10.0.0.1:9100");
        let swap = (host.swap_total as f64 * scale).round();
        // Without swap none is free, whatever was sampled.
        let no_swap = (host.swap_total == 0).then_some(0.0);
        for (name, job, own, value) in [
            (
                "kube_node_status_allocatable",
                STATE,
                &MEMORY[..],
                Some(total),
            ),
            ("kube_node_status_capacity", STATE, &MEMORY, Some(total)),
            ("machine_memory_bytes", kubelet, &scraped, Some(total)),
            ("up", kubelet, &scraped, Some(1.0)),
            ("up", exporter, of_node, Some(1.0)),
            ("node_memory_MemTotal_bytes", exporter, of_node, Some(total)),
            ("node_memory_SwapTotal_bytes", exporter, of_node, Some(swap)),
            ("node_memory_SwapFree_bytes", exporter, of_node, no_swap),
        ] {
            if let Some(value) = value {
                self.add(name, job, own, Value::Fixed(value));
            }
        }
        self.node_rows(exporter, scale);
    }

    /// What was sampled of the node.
    fn node_rows(&mut self, exporter: (&str, &str), scale: f64) {
        let recording = self.pages.recording();
        let seconds = self.pages.time_scale() / 1e6;
        for (name, row, factor) in [
            ("node_memory_MemAvailable_bytes", "node:MemAvailable", scale),
            (
                "node_pressure_memory_stalled_seconds_total",
                "node:pressure.full.total",
                seconds,
            ),
            (
                "node_pressure_memory_waiting_seconds_total",
                "node:pressure.some.total",
                seconds,
            ),
        ] {
            let tables = recording.tables.iter().enumerate();
            let found = tables
                .filter_map(|(group, table)| Some((group, table.column(row)?)))
                .next();
            if let Some((group, column)) = found {
                let value = Value::Row(group, column, factor);
                self.add(name, exporter, &[("node", NODE)], value);
            }
        }
    }
}

/// When a container ended, and with which reason the kubelet would have shown it: at an OOM kill,
/// after which it is restarted (`restartPolicy: Always`), or when it was made anew.
fn ends(recording: &Recording, container: &str) -> Vec<(u64, &'static str)> {
    let mut ends: Vec<(u64, &'static str)> = Vec::new();
    let mut killed = false;
    for event in &recording.events {
        match &event.kind {
            EventKind::ActorExit {
                container: of,
                oom_killed: true,
                ..
            } if of == container && !killed => {
                killed = true;
                ends.push((event.t, "OOMKilled"));
            }
            // The restart that follows a kill is the one that was counted with it.
            EventKind::Restart { container: of, .. }
                if of == container && !std::mem::take(&mut killed) =>
            {
                ends.push((event.t, "Error"));
            }
            _ => {}
        }
    }
    ends
}

/// A series as a page shows it: the metric, its labels beside its owner's, the value.
pub type Shown = (&'static str, Vec<(&'static str, &'static str)>, f64);

/// A container as kube-state-metrics knows it while it runs: what an endpoint serves beside cAdvisor's
/// page.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct State {
    /// Its limit, bytes; its request is the same, as in a pod of class Guaranteed.
    pub limit: Option<f64>,
    /// How often it ended.
    pub restarts: u64,
    /// Why it ended last, if it did: `OOMKilled`, `Error`.
    pub last: Option<&'static str>,
    /// Whether it was ended by an OOM kill that no restart has followed yet.
    killed: bool,
}

impl State {
    /// The OOM killer ended it; the kubelet makes it anew (`restartPolicy: Always`).
    pub fn oom_killed(&mut self) {
        if !self.killed {
            self.killed = true;
            self.restarts += 1;
            self.last = Some("OOMKilled");
        }
    }

    /// It was made anew: after a kill that is the restart that was counted with it.
    pub fn restarted(&mut self) {
        if !std::mem::take(&mut self.killed) {
            self.restarts += 1;
            self.last = Some("Error");
        }
    }

    /// (metric, its labels beside the container's own, value), sorted by metric. The same as
    /// [`series`] gives of a recording.
    pub fn series(&self) -> Vec<Shown> {
        let mut all = Vec::new();
        for name in RESOURCES {
            all.extend(self.limit.map(|limit| (name, MEMORY.to_vec(), limit)));
        }
        for reason in ["Error", "OOMKilled"] {
            let name = "kube_pod_container_status_last_terminated_reason";
            let is = f64::from(u8::from(self.last == Some(reason)));
            all.extend(self.last.map(|_| (name, vec![("reason", reason)], is)));
        }
        let restarts = self.restarts as f64;
        all.push((
            "kube_pod_container_status_restarts_total",
            Vec::new(),
            restarts,
        ));
        all.push(("kube_pod_container_status_running", Vec::new(), 1.0));
        all
    }
}

/// (metric, its labels beside the pod's own, value) of a pod that runs and was not evicted.
pub fn pod_series() -> Vec<Shown> {
    let mut all = vec![("kube_pod_info", vec![("node", NODE)], 1.0)];
    // The pod runs as long as it is recorded; the other phases are there as 0.
    for phase in PHASES {
        let value = f64::from(u8::from(phase == "Running"));
        let of = vec![("node", NODE), ("phase", phase)];
        all.push(("kube_pod_status_phase", of, value));
    }
    for reason in POD_REASONS {
        all.push((
            "kube_pod_status_reason",
            vec![("node", NODE), ("reason", reason)],
            0.0,
        ));
    }
    all
}

/// The family of a metric.
pub fn family(name: &str) -> Option<&'static Family> {
    FAMILIES.iter().find(|family| family.name == name)
}
