//! The page of one scrape: Prometheus' text format, version 0.0.4, as cAdvisor serves it.
//!
//! Not OpenMetrics: there a counter's name must end in `_total`, and cAdvisor's
//! `container_memory_failcnt` does not. Prometheus reads both.

use super::board::{Board, Shown};
use crate::export::cadvisor::{Kind, METRICS, number};
use crate::export::labels::selector;
use crate::export::orchestrator;
use crate::formula::FORMULAS;
use crate::truth::{COUNTERS, Counter};

/// The `Content-Type` of a page.
pub const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

impl Board {
    /// The whole page.
    pub fn render(&self) -> String {
        let mut page = String::new();
        self.containers(&mut page);
        self.orchestrator(&mut page);
        self.formulas(&mut page);
        self.truth(&mut page);
        self.info(&mut page);
        page
    }

    fn containers(&self, page: &mut String) {
        let readings = self.readings();
        let mut family = "";
        for (index, metric) in METRICS.iter().enumerate() {
            for (group, reading) in &readings {
                let Some((_, value)) = reading.nth(index) else {
                    continue;
                };
                if family != metric.name {
                    family = metric.name;
                    head(page, metric.name, metric.kind, metric.help);
                }
                line(page, metric.name, group, metric.labels, &number(value));
            }
        }
    }

    /// What kube-state-metrics says beside cAdvisor: public rules join the two.
    fn orchestrator(&self, page: &mut String) {
        let readings = self.readings();
        let mut series: Vec<(&str, String, f64)> = Vec::new();
        let mut pods: Vec<(&str, &str)> = Vec::new();
        for (shown, state) in self.states(&readings) {
            let labels = &shown.labels;
            let pod = [
                ("namespace", labels.namespace.as_str()),
                ("pod", labels.pod.as_str()),
            ];
            let own = [("container", labels.container.as_str()), pod[0], pod[1]];
            let with = |own: &[(&'static str, &str)], more: &[(&'static str, &'static str)]| {
                let mut all: Vec<(&str, &str)> = own.to_vec();
                all.extend_from_slice(more);
                all.sort_unstable();
                selector(all)
            };
            let of_container = state.series();
            series.extend(
                of_container
                    .into_iter()
                    .map(|(name, more, value)| (name, with(&own, &more), value)),
            );
            if !pods.contains(&(pod[0].1, pod[1].1)) {
                pods.push((pod[0].1, pod[1].1));
                let of_pod = orchestrator::pod_series();
                series.extend(
                    of_pod
                        .into_iter()
                        .map(|(name, more, value)| (name, with(&pod, &more), value)),
                );
            }
        }
        series.sort_by_key(|(name, ..)| *name);
        let mut headed = "";
        for (name, labels, value) in &series {
            if headed != *name {
                headed = name;
                if let Some(family) = orchestrator::family(name) {
                    head(page, family.name, family.kind, family.help);
                }
            }
            page.push_str(&format!("{name}{labels} {}\n", number(*value)));
        }
    }

    fn formulas(&self, page: &mut String) {
        let name = "memtide_formula_bytes";
        let mut headed = false;
        for group in self.groups.iter().filter(|g| g.reading().is_some()) {
            let view = group.view(self.capacity);
            for formula in FORMULAS {
                let Some(value) = (formula.eval)(&view) else {
                    continue;
                };
                if !headed {
                    let help = "What a consumer of container memory makes of the same rows.";
                    head(page, name, Kind::Gauge, help);
                    headed = true;
                }
                let labels = [("formula", formula.name)];
                line(page, name, group, &labels, &value.to_string());
            }
        }
    }

    fn truth(&self, page: &mut String) {
        for (index, counter) in COUNTERS.iter().enumerate() {
            let (name, kind, help) = if index == Counter::Ops as usize {
                let help = "Lines, objects or look-ups done by the workers.";
                ("memtide_truth_ops_total".to_string(), Kind::Counter, help)
            } else {
                let help = "What the workers know: see docs/format.md, truth.";
                (format!("memtide_truth_{counter}_bytes"), Kind::Gauge, help)
            };
            let shown = self.groups.iter();
            let values: Vec<_> = shown
                .filter_map(|group| Some((group, group.truth(index)?)))
                .collect();
            if !values.is_empty() {
                head(page, &name, kind, help);
            }
            for (group, value) in values {
                line(page, &name, group, &[], &value.to_string());
            }
        }
    }

    fn info(&self, page: &mut String) {
        if self.run.is_empty() {
            return;
        }
        let name = "memtide_run_info";
        head(page, name, Kind::Gauge, "What is running, and on what.");
        let labels = selector(self.run.iter().map(|(name, value)| (*name, value.as_str())));
        page.push_str(&format!("{name}{labels} 1\n"));
    }
}

fn head(page: &mut String, name: &str, kind: Kind, help: &str) {
    let kind = kind.as_str();
    page.push_str(&format!("# HELP {name} {help}\n# TYPE {name} {kind}\n"));
}

/// One series. A label without a value is the same as none to Prometheus; cAdvisor writes them,
/// too, so that rules on `container!=""` see what they see on a node.
fn line(page: &mut String, name: &str, group: &Shown, more: &[(&str, &str)], value: &str) {
    let mut labels = group.labels.exposed().to_vec();
    labels.extend_from_slice(more);
    labels.sort_unstable();
    page.push_str(&format!("{name}{} {value}\n", selector(labels)));
}
