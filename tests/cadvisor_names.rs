//! Names and types are those of real pages: a kubelet's and cAdvisor's own, captured.

use std::collections::BTreeMap;
use std::path::Path;

use memtide::export::Naming;
use memtide::export::cadvisor::METRICS;
use memtide::export::labels::Labels;
use memtide::shipped;

/// Type by name, from the `# TYPE` lines of a captured page.
fn types(page: &str) -> BTreeMap<String, String> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/fixtures")
        .join(page);
    let text = std::fs::read_to_string(path).unwrap();
    text.lines()
        .filter_map(|line| line.strip_prefix("# TYPE "))
        .filter_map(|line| line.split_once(' '))
        .map(|(name, kind)| (name.to_owned(), kind.to_owned()))
        .collect()
}

/// cAdvisor has these where the kernel has PSI; the captured machines had none in their cgroups.
const NOT_CAPTURED: [&str; 2] = [
    "container_pressure_memory_stalled_seconds_total",
    "container_pressure_memory_waiting_seconds_total",
];
/// On the pages, and not in what a recording has.
const NOT_RECORDED: [&str; 2] = [
    "container_spec_memory_reservation_limit_bytes",
    "container_spec_memory_swap_limit_bytes",
];

#[test]
fn every_name_is_on_a_real_page_with_the_same_type() {
    let mut real = types("real-kubelet-metrics-cadvisor.txt");
    real.extend(types("real-cadvisor-metrics.txt"));
    for metric in &METRICS {
        if !NOT_CAPTURED.contains(&metric.name) {
            let kind = real.get(metric.name);
            assert_eq!(
                kind.map(String::as_str),
                Some(metric.kind.as_str()),
                "{}",
                metric.name
            );
        }
    }
    for name in real.keys().filter(|n| !NOT_RECORDED.contains(&n.as_str())) {
        assert!(
            METRICS.iter().any(|m| m.name == name),
            "{name} of the page is missing"
        );
    }
}

#[test]
fn labels_are_those_of_a_kubelets_page() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/fixtures/real-kubelet-metrics-cadvisor.txt");
    let text = std::fs::read_to_string(path).unwrap();
    let line = text
        .lines()
        .find(|l| l.starts_with("container_memory_rss{"))
        .unwrap();
    let inside = line.split_once('{').unwrap().1.split_once('}').unwrap().0;
    let real: Vec<&str> = inside
        .split(',')
        .map(|l| l.split_once('=').unwrap().0)
        .collect();
    let recording = shipped::all().next().unwrap().read().unwrap();
    let labels = Labels::of(&recording, Naming::Neutral);
    let own: Vec<&str> = labels[0].exposed().iter().map(|(name, _)| *name).collect();
    assert_eq!(own, real);
}
