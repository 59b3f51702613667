//! What kube-state-metrics would say of the same pod: public rules join container metrics with it.

use super::page::Pages;

/// One metric of kube-state-metrics.
pub struct Family {
    /// Its name.
    pub name: &'static str,
    /// The `# HELP` text.
    pub help: &'static str,
}

/// The metrics that are given.
pub const FAMILIES: [Family; 4] = [
    Family {
        name: "kube_pod_container_resource_limits",
        help: "The number of requested limit resource by a container.",
    },
    Family {
        name: "kube_pod_container_resource_requests",
        help: "The number of requested request resource by a container.",
    },
    Family {
        name: "kube_pod_info",
        help: "Information about pod.",
    },
    Family {
        name: "kube_pod_status_phase",
        help: "The pods current phase.",
    },
];

/// One series; its value is the same all along.
pub struct Series {
    /// The metric.
    pub name: &'static str,
    /// All labels, those of the scrape included, sorted.
    pub labels: Vec<(&'static str, String)>,
    /// The value.
    pub value: f64,
}

/// The series of a recording's pod. Requests equal limits, as in a pod of class Guaranteed.
pub fn series(pages: &Pages) -> Vec<Series> {
    let mut all = Vec::new();
    let groups = &pages.recording().header.groups;
    for (labels, group) in pages.labels.iter().zip(groups) {
        let own = |extra: &[(&'static str, &str)]| {
            let mut pairs = vec![
                ("instance", "10.0.0.2:8080".to_owned()),
                ("job", "kube-state-metrics".to_owned()),
                ("namespace", labels.namespace.clone()),
                ("node", "node-1".to_owned()),
                ("pod", labels.pod.clone()),
            ];
            pairs.extend(extra.iter().map(|(k, v)| (*k, (*v).to_owned())));
            pairs.sort();
            pairs
        };
        if labels.container.is_empty() {
            continue;
        }
        let memory = [
            ("container", labels.container.as_str()),
            ("resource", "memory"),
            ("unit", "byte"),
        ];
        if let Some(limit) = group.limit {
            for name in [FAMILIES[0].name, FAMILIES[1].name] {
                all.push(Series {
                    name,
                    labels: own(&memory),
                    value: limit as f64,
                });
            }
        }
        if !all.iter().any(|s: &Series| s.name == FAMILIES[2].name) {
            all.push(Series {
                name: FAMILIES[2].name,
                labels: own(&[]),
                value: 1.0,
            });
            // The pod runs as long as it is recorded; the other phases are there as 0.
            for phase in ["Failed", "Pending", "Running", "Succeeded", "Unknown"] {
                all.push(Series {
                    name: FAMILIES[3].name,
                    labels: own(&[("phase", phase)]),
                    value: f64::from(u8::from(phase == "Running")),
                });
            }
        }
    }
    all
}

/// Whether one of them has this name.
pub fn knows(name: &str) -> bool {
    FAMILIES.iter().any(|f| f.name == name)
}
