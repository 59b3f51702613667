//! A detector is given what a scrape of cAdvisor gives, and nothing that tells what it is about.

mod common;

use memtide::export::cadvisor::METRICS;
use memtide::export::orchestrator;
use memtide::judge::feed::{self, Feed, Scraping};
use memtide::judge::realism::Realism;
use memtide::scenario::{self, Overrides};
use memtide::shipped;

/// A scrape every five minutes: what a line may hold does not depend on how many there are.
fn few() -> Scraping {
    Scraping {
        interval_s: 300.0,
        ..Scraping::default()
    }
}

fn text(feed: &Feed) -> String {
    let mut out = Vec::new();
    feed::write(&mut out, feed).unwrap();
    String::from_utf8(out).unwrap()
}

#[test]
fn keys_are_cadvisors_and_labels_are_neutral() {
    let labels = ["container", "id", "image", "name", "namespace", "pod"];
    for shipped in shipped::all() {
        let recording = shipped.read().unwrap();
        let feed = Feed::new(&recording, &few(), "x");
        for line in text(&feed).lines() {
            let object: serde_json::Map<String, serde_json::Value> =
                serde_json::from_str(line).unwrap();
            for (key, value) in &object {
                let name = key.split('{').next().unwrap();
                let metric =
                    METRICS.iter().any(|m| m.name == name) || orchestrator::family(name).is_some();
                let known =
                    metric || labels.contains(&name) || ["t", "timestamp_ms"].contains(&name);
                assert!(known, "{}: {key}", shipped.path());
                // Absent is absent: a null would be read as 0 by somebody.
                assert!(!value.is_null(), "{}: {key}", shipped.path());
            }
        }
    }
}

/// Program detectors are given what rules are given beside cAdvisor's metrics.
#[test]
fn a_line_has_what_kube_state_metrics_says_of_its_container() {
    let recording = shipped::find("6.1-v2", "leak").unwrap().read().unwrap();
    let feed = Feed::new(&recording, &few(), "x");
    let (mut containers, mut restarts) = (0, Vec::new());
    for line in text(&feed).lines() {
        let line: serde_json::Value = serde_json::from_str(line).unwrap();
        if line["container"] == "" {
            assert!(
                line.get("kube_pod_container_status_restarts_total")
                    .is_none()
            );
            continue;
        }
        let limit = &line["kube_pod_container_resource_limits{node=\"node-1\",resource=\"memory\",unit=\"byte\"}"];
        assert_eq!(
            limit.as_f64(),
            line["container_spec_memory_limit_bytes"].as_f64()
        );
        restarts.push(
            line["kube_pod_container_status_restarts_total"]
                .as_f64()
                .unwrap(),
        );
        containers += 1;
    }
    assert!(containers > 0);
    assert_eq!(restarts[0], 0.0);
    assert!(
        restarts.windows(2).all(|two| two[0] <= two[1]),
        "{restarts:?}"
    );
}

/// Two containers of a pod, with a limit each: none is given what is said of the other.
#[test]
fn a_line_has_what_is_said_of_its_own_container() {
    let recording = shipped::find("6.18-v1", "go-service")
        .unwrap()
        .read()
        .unwrap();
    let feed = Feed::new(&recording, &few(), "x");
    let mut limits = std::collections::BTreeSet::new();
    for line in text(&feed).lines() {
        let line: serde_json::Value = serde_json::from_str(line).unwrap();
        let said = &line["kube_pod_container_resource_limits{node=\"node-1\",resource=\"memory\",unit=\"byte\"}"];
        if line["container"] != "" {
            assert_eq!(
                said.as_f64(),
                line["container_spec_memory_limit_bytes"].as_f64()
            );
            limits.extend(said.as_u64());
        }
    }
    assert_eq!(Vec::from_iter(limits), [256 << 20, 1 << 30]);
}

#[test]
fn neither_scenario_nor_steps_nor_truth_can_be_read_from_it() {
    for shipped in shipped::all() {
        let recording = shipped.read().unwrap();
        let text = text(&Feed::new(&recording, &few(), "x"));
        let scenario = scenario::find(shipped.scenario)
            .unwrap()
            .parse(Overrides::default())
            .unwrap();
        let steps = scenario
            .containers
            .iter()
            .flat_map(|c| &c.actors)
            .flat_map(|a| &a.steps);
        let mut secrets: Vec<String> = steps.map(|s| format!("\"{}\"", s.name)).collect();
        secrets.extend(
            scenario
                .containers
                .iter()
                .map(|c| format!("\"{}\"", c.name)),
        );
        secrets.push(scenario.name.clone());
        secrets.push("truth".to_owned());
        for group in &recording.header.groups {
            secrets.push(group.path.clone());
        }
        for secret in secrets {
            assert!(
                !text.contains(&secret),
                "{}: tells {secret}",
                shipped.path()
            );
        }
    }
}

#[test]
fn scrapes_are_an_interval_of_the_detectors_time_apart() {
    let recording = shipped::find("6.1-v2", "leak").unwrap().read().unwrap();
    let at = |scale: Option<f64>| {
        let scraping = Scraping {
            interval_s: 30.0,
            time_scale: scale,
            realism: None,
            ..Scraping::default()
        };
        let feed = Feed::new(&recording, &scraping, "x");
        feed.rounds.iter().map(|r| r.at).collect::<Vec<_>>()
    };
    let own = at(None);
    assert!(own.windows(2).all(|w| w[1] - w[0] == 30.0));
    let recorded_s = *recording
        .tables
        .iter()
        .filter_map(|t| t.t.last())
        .max()
        .unwrap() as f64
        / 1e9;
    let scrapes = |scale: f64| (recorded_s * scale / 30.0) as usize + 1;
    assert_eq!(own.len(), scrapes(recording.header.time_scale));
    assert_eq!(at(Some(60.0)).len(), scrapes(60.0));
}

#[test]
fn with_realism_timestamps_lag_and_the_same_seed_repeats() {
    let recording = shipped::find("6.1-v2", "leak").unwrap().read().unwrap();
    let feed = |seed: u64| {
        let scraping = Scraping {
            realism: Some(Realism::usual(seed)),
            ..Scraping::default()
        };
        text(&Feed::new(&recording, &scraping, "x"))
    };
    let one = feed(3);
    assert_eq!(one, feed(3));
    assert_ne!(one, feed(4));
    let times = |line: &str| {
        let object: serde_json::Value = serde_json::from_str(line).unwrap();
        (
            object["t"].as_f64().unwrap(),
            object["timestamp_ms"].as_i64().unwrap(),
        )
    };
    let start = recording
        .header
        .started
        .parse::<jiff::Timestamp>()
        .unwrap()
        .as_millisecond();
    let lags = |text: &str| -> Vec<f64> {
        let times = text.lines().map(times);
        times.map(|(t, ms)| t - (ms - start) as f64 / 1e3).collect()
    };
    let samples = &recording.tables[recording.main_group()].t;
    let widest = samples.windows(2).map(|w| w[1] - w[0]).max().unwrap() as f64 / 1e9;
    let widest = widest * recording.header.time_scale;
    // A sample is as old as samples are apart; the kubelet adds 10 to 15 s; a millisecond of rounding.
    let ideal = text(&Feed::new(&recording, &Scraping::default(), "x"));
    assert!(
        lags(&ideal)
            .iter()
            .all(|lag| (-0.002..=widest + 0.002).contains(lag))
    );
    assert!(
        lags(&one)
            .iter()
            .all(|lag| (-0.002..=widest + 15.002).contains(lag))
    );
    let mean = |lags: Vec<f64>| lags.iter().sum::<f64>() / lags.len() as f64;
    // Looked at every 12.5 s, a sample is 6.25 s old in the mean, whatever its own age; half of
    // that is beyond chance.
    assert!(mean(lags(&one)) > 3.0);
}
