//! The latest sample of every group, and who it is about.

use crate::export::cadvisor::{Mapper, Metric, Reading, pod_limit};
use crate::export::labels::{Labels, Naming, WATCHED};
use crate::export::orchestrator::State;
use crate::recording::{Group, GroupKind, Header, MISSING};
use crate::rows::{CgroupVersion, View, ViewIndex};
use crate::truth::COUNTERS;

/// What a scrape shows.
#[derive(Debug, Default)]
pub struct Board {
    pub(super) groups: Vec<Shown>,
    /// The node's memory, bytes.
    pub(super) capacity: Option<u64>,
    version: Option<CgroupVersion>,
    /// Whether memtide made the containers, and gives the pod the limit a kubelet would.
    made: bool,
    /// Labels of the one `memtide_run_info` series.
    pub(super) run: Vec<(&'static str, String)>,
}

/// One group on the board.
#[derive(Debug, Default)]
pub(super) struct Shown {
    pub labels: Labels,
    name: String,
    /// None before the columns are known.
    mapper: Option<Mapper>,
    view: ViewIndex,
    /// The index of each counter of [`COUNTERS`].
    truth: [Option<usize>; COUNTERS.len()],
    values: Vec<u64>,
    /// Seconds since 1970.
    started: f64,
    sampled: bool,
    ended: bool,
    /// The parent of the containers.
    pub(super) pod: bool,
    /// What kube-state-metrics would say of it.
    state: State,
}

impl Board {
    /// Begins anew with the groups of a recording; `now` is in seconds since 1970.
    pub fn begin(&mut self, header: &Header, now: f64) {
        self.capacity = Some(header.host.mem_total);
        self.version = Some(header.host.cgroup);
        self.made = header.host.placement != WATCHED;
        self.run = vec![
            ("cgroup", header.host.cgroup.to_string()),
            ("kernel", header.host.kernel.clone()),
            ("lru", header.host.lru.to_string()),
            ("scenario", header.scenario.clone()),
            ("version", header.memtide.clone()),
        ];
        let labels = Labels::of_header(header, Naming::Telling);
        let groups = header.groups.iter().zip(labels);
        self.groups = groups
            .map(|(group, labels)| Shown::new(group, labels, now.floor()))
            .collect();
        self.columns(&header.groups);
    }

    /// The pod, and its namespace, that the groups are in, where they are known.
    pub fn in_pod(&mut self, pod: Option<&str>, namespace: Option<&str>) {
        for shown in self.groups.iter_mut().filter(|_| self.made) {
            let labels = &mut shown.labels;
            if let Some(pod) = pod {
                labels.pod = pod.to_string();
            }
            if let Some(namespace) = namespace {
                labels.namespace = namespace.to_string();
            }
        }
    }

    /// Takes over columns that have grown.
    pub fn columns(&mut self, groups: &[Group]) {
        let Some(version) = self.version else { return };
        for (shown, group) in self.groups.iter_mut().zip(groups) {
            shown.resolve(group, version);
        }
    }

    /// A watched container came, or its columns have grown; `now` is in seconds since 1970.
    pub fn joined(&mut self, index: usize, group: &Group, now: f64) {
        let Some(version) = self.version else { return };
        let shown = self.groups.get_mut(index);
        match shown.filter(|shown| !shown.ended && shown.name == group.name) {
            Some(shown) => shown.resolve(group, version),
            None => {
                self.groups
                    .resize_with(self.groups.len().max(index + 1), Shown::default);
                self.groups[index] = Shown::new(group, Labels::of_watched(group), now.floor());
                self.groups[index].resolve(group, version);
            }
        }
    }

    /// A watched container has ended: its series are gone, as they are from cAdvisor's page.
    pub fn ended(&mut self, index: usize) {
        if let Some(shown) = self.groups.get_mut(index) {
            *shown = Shown {
                ended: true,
                ..Shown::default()
            };
        }
    }

    /// Shows a sample from now on.
    pub fn sample(&mut self, group: usize, values: &[u64]) {
        if let Some(shown) = self.groups.get_mut(group) {
            shown.values.clear();
            shown.values.extend_from_slice(values);
            shown.sampled = true;
        }
    }

    /// A container was made anew; `now` is in seconds since 1970.
    pub fn restarted(&mut self, container: &str, now: f64) {
        for shown in self.groups.iter_mut().filter(|g| g.name == container) {
            shown.started = now.floor();
            shown.state.restarted();
        }
    }

    /// The OOM killer ended a process of a container.
    pub fn oom_killed(&mut self, container: &str) {
        for shown in self.groups.iter_mut().filter(|g| g.name == container) {
            shown.state.oom_killed();
        }
    }

    /// What kube-state-metrics would say of the containers that memtide made, with the limit of each
    /// reading; nothing of watched ones, which have a kube-state-metrics of their own.
    pub(super) fn states<'a>(&self, readings: &[(&'a Shown, Reading)]) -> Vec<(&'a Shown, State)> {
        let made = readings.iter().filter(|_| self.made);
        let containers = made.filter(|(shown, _)| !shown.pod);
        containers
            .map(|(shown, reading)| {
                let mut state = shown.state.clone();
                state.limit = reading.limit();
                (*shown, state)
            })
            .collect()
    }

    /// What cAdvisor would show of every group that was sampled. The pod's own limit is the sum of
    /// its containers', as on a node.
    pub(super) fn readings(&self) -> Vec<(&Shown, Reading)> {
        let limits = self
            .groups
            .iter()
            .filter(|group| !group.pod && !group.ended);
        let sum = pod_limit(limits.map(|group| group.reading()?.limit()));
        let all = self.groups.iter().filter_map(|group| {
            let mut reading = group.reading()?;
            if self.made {
                if group.pod && reading.limit().is_none() {
                    reading.set(Metric::SpecLimit, Some(sum.unwrap_or(0.0)));
                }
                let none = reading.get(Metric::SpecReservation).is_none();
                if none {
                    reading.set(Metric::SpecReservation, Some(0.0));
                }
            }
            Some((group, reading))
        });
        all.collect()
    }

    /// Takes everything down: between two runs there is no container.
    pub fn clear(&mut self) {
        *self = Board::default();
    }
}

impl Shown {
    fn new(group: &Group, labels: Labels, now: f64) -> Self {
        Shown {
            labels,
            name: group.name.clone(),
            started: now,
            pod: group.kind == GroupKind::Pod,
            ..Shown::default()
        }
    }

    fn resolve(&mut self, group: &Group, version: CgroupVersion) {
        self.mapper = Some(Mapper::new(version, &group.columns, group.limit));
        self.view = ViewIndex::new(version, &group.columns);
        for (index, counter) in self.truth.iter_mut().zip(COUNTERS) {
            *index = group
                .columns
                .iter()
                .position(|column| column.strip_prefix("truth:") == Some(counter));
        }
        // Grown columns come before their first sample: no scrape may wait for memory then.
        let more = group.columns.len().saturating_sub(self.values.len());
        self.values.reserve(more);
    }

    fn get(&self, column: usize) -> Option<u64> {
        self.values
            .get(column)
            .copied()
            .filter(|value| *value != MISSING)
    }

    /// What cAdvisor would show; nothing before the first sample.
    pub fn reading(&self) -> Option<Reading> {
        let mapper = self.mapper.as_ref().filter(|_| self.sampled)?;
        Some(mapper.read(|c| self.get(c), Some(self.started)))
    }

    /// What formulas read.
    pub fn view(&self, node_capacity: Option<u64>) -> View {
        View {
            node_capacity,
            ..self.view.view(|c| self.get(c))
        }
    }

    /// A counter of the truth, by its index in [`COUNTERS`].
    pub fn truth(&self, counter: usize) -> Option<u64> {
        self.truth[counter].and_then(|column| self.get(column))
    }
}
