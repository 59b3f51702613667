//! Names and types are those of real pages: a kubelet's and cAdvisor's own, captured.

use std::collections::BTreeMap;
use std::path::Path;

use memtide::export::cadvisor::{METRICS, always_zero, pod_limit};
use memtide::export::labels::Labels;
use memtide::export::{Naming, Pages};
use memtide::recording::GroupKind;
use memtide::rows::CgroupVersion;
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
    for name in real.keys() {
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

/// The pod's line and the containers' lines of a captured page: its limit is the sum of theirs.
#[test]
fn a_pods_limit_is_the_sum_of_its_containers_as_on_the_captured_page() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/fixtures/real-kubelet-metrics-cadvisor.txt");
    let text = std::fs::read_to_string(path).unwrap();
    let limits: Vec<(usize, f64)> = text
        .lines()
        .filter_map(|line| line.strip_prefix("container_spec_memory_limit_bytes{"))
        .filter_map(|line| {
            let id = line.split_once("id=\"")?.1.split('"').next()?;
            let pod = id.split("/pod").nth(1)?;
            Some((
                pod.matches('/').count(),
                line.rsplit(' ').next()?.parse().ok()?,
            ))
        })
        .collect();
    let pod = limits.iter().find(|(depth, _)| *depth == 0).unwrap().1;
    // The pause container, which the kubelet's pod spec does not have, has none.
    let containers = limits.iter().filter(|(depth, l)| *depth == 1 && *l > 0.0);
    let sum = pod_limit(containers.map(|(_, limit)| Some(*limit)));
    assert_eq!(sum, Some(pod));
    assert_eq!(
        pod_limit([Some(1.0), None]),
        None,
        "one has none: so has the pod"
    );
    assert_eq!(pod_limit([]), None);
    let mut seen = 0;
    for shipped in shipped::all() {
        let recording = shipped.read().unwrap();
        let groups = &recording.header.groups;
        let Some(pod) = groups.iter().position(|g| g.kind == GroupKind::Pod) else {
            continue;
        };
        let own = groups.iter().filter(|g| g.kind == GroupKind::Container);
        let sum = pod_limit(own.map(|g| g.limit.map(|l| l as f64)));
        // A limit of the pod's own (Kubernetes' pod-level resources) goes before the sum.
        let sum = groups[pod].limit.map(|l| l as f64).or(sum);
        let pages = Pages::new(&recording, Naming::Neutral, 1.0);
        let last = recording.tables[pod].len() - 1;
        assert_eq!(pages.read(pod, last).limit(), sum, "{}", shipped.path());
        seen += usize::from(sum.is_some());
    }
    assert!(seen > 50, "{seen} pods had a limit");
}

/// What no v1 kernel counts is 0 on a v1 page, as it is on the captured one.
#[test]
fn on_v1_the_page_has_the_series_of_v2_as_0() {
    let path =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/real-cadvisor-metrics.txt");
    let text = std::fs::read_to_string(path).unwrap();
    let recording = shipped::find("6.1-v1", "file-scan")
        .unwrap()
        .read()
        .unwrap();
    let pages = Pages::new(&recording, Naming::Neutral, 1.0);
    let reading = pages.read(recording.main_group(), 20);
    let names: Vec<&str> = reading.iter().map(|(metric, _)| metric.name).collect();
    for line in text
        .lines()
        .filter(|line| line.contains("{id=\"/demo/c1\"}"))
    {
        let (name, value) = line.split_once('{').unwrap();
        assert!(names.contains(&name), "{name} is missing");
        if always_zero(name, CgroupVersion::V1) {
            assert_eq!(value.split(' ').nth(1), Some("0"), "{name}");
        }
    }
}
