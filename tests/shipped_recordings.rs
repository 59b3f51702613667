//! Every shipped recording is read and held against its scenario's expectations again, offline:
//! a change of a formula or an expectation that breaks a kernel's truth is seen without that kernel.

mod common;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use memtide::expect::{self, CheckResult};
use memtide::scenario::{self, Overrides, Scenario};
use memtide::shipped::{self, Shipped};

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("recordings")
}

fn scenario_of(shipped: &Shipped) -> Scenario {
    let entry = scenario::find(shipped.scenario)
        .unwrap_or_else(|| panic!("{} has no scenario in scenarios/", shipped.path()));
    entry.parse(Overrides::default()).unwrap()
}

#[test]
fn every_recording_still_meets_its_scenarios_expectations() {
    let (mut recordings, mut passed, mut not_here) = (0, 0, 0);
    let mut failed = Vec::new();
    for shipped in shipped::all() {
        let recording = shipped
            .read()
            .unwrap_or_else(|e| panic!("{}: {e}", shipped.path()));
        assert!(recording.complete, "{} was cut", shipped.path());
        assert_eq!(
            recording.header.scenario,
            shipped.scenario,
            "{}",
            shipped.path()
        );
        recordings += 1;
        for checked in expect::evaluate(&scenario_of(shipped), &recording) {
            match checked.result {
                CheckResult::Pass => passed += 1,
                CheckResult::NotHere(_) => not_here += 1,
                CheckResult::Fail => failed.push(format!(
                    "{}: {}: expected {}, seen {:?}",
                    shipped.path(),
                    checked.text,
                    checked.expected,
                    checked.seen
                )),
            }
        }
    }
    println!(
        "{recordings} recordings: {passed} claims hold, {not_here} are made for other kernels, {} fail",
        failed.len()
    );
    assert!(recordings > 0, "there are no recordings");
    assert!(failed.is_empty(), "{}", failed.join("\n"));
}

/// Claims that no shipped recording can judge, each with the reason.
const UNPROVEN: [(&str, &str, &str); 1] = [(
    "go-service",
    "after `dontneed`, cadvisor_working_set of service is at least 18% of the limit",
    "kernels below 4.7 are data without a Go runtime",
)];

/// Those of real runtimes and services, which are not in the binary: read, of their folder's set-up, true to
/// their scenarios, and together below 4 MB.
#[test]
fn suites_still_meet_their_scenarios_expectations() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("suites");
    let mut failed = Vec::new();
    let (mut bytes, mut setups) = (0, BTreeMap::<String, usize>::new());
    for file in memtide::judge::corpus::files(&folder).unwrap() {
        let recording = memtide::recording::read_path(&file)
            .unwrap_or_else(|e| panic!("{}: {e}", file.display()));
        let (name, setup) = (
            file.file_name().unwrap().to_str().unwrap(),
            file.parent()
                .unwrap()
                .file_name()
                .unwrap()
                .to_str()
                .unwrap(),
        );
        let header = &recording.header;
        assert_eq!(name, format!("{}.jsonl.gz", header.scenario), "{setup}");
        assert!(recording.complete, "{setup}/{name} was cut");
        // Those of the first set-up were recorded before a header could name one.
        let said = header.host.setup.as_deref().unwrap_or(setup);
        assert_eq!(said, setup, "{name}");
        let entry = scenario::find(&header.scenario).unwrap_or_else(|| panic!("{setup}/{name}"));
        let scenario = entry.parse(Overrides::default()).unwrap();
        assert!(
            scenario
                .tags
                .iter()
                .any(|tag| tag == "runtime" || tag == "service"),
            "{setup}/{name} belongs into recordings/"
        );
        for checked in expect::evaluate(&scenario, &recording) {
            if checked.result == CheckResult::Fail {
                failed.push(format!(
                    "{setup}/{name}: {}: expected {}, seen {:?}",
                    checked.text, checked.expected, checked.seen
                ));
            }
        }
        bytes += std::fs::metadata(&file).unwrap().len();
        *setups.entry(setup.to_string()).or_default() += 1;
    }
    println!("{setups:?}, {bytes} bytes");
    assert!(failed.is_empty(), "{}", failed.join("\n"));
    assert!(bytes < 4_000_000, "suites/ holds {bytes} bytes");
    for setup in ["6.18-v1", "6.1-v2", "6.12-v2", "6.12-v2-mglru"] {
        assert!(setups.contains_key(setup), "nothing of {setup}: {setups:?}");
    }
}

#[test]
fn every_claim_is_judged_on_a_shipped_recording_or_listed_as_unproven() {
    let mut judged: BTreeMap<(&str, String), usize> = BTreeMap::new();
    for shipped in shipped::all() {
        let recording = shipped.read().unwrap();
        for checked in expect::evaluate(&scenario_of(shipped), &recording) {
            let count = judged.entry((shipped.scenario, checked.text)).or_default();
            *count += usize::from(!matches!(checked.result, CheckResult::NotHere(_)));
        }
    }
    let listed = |scenario: &str, text: &str| {
        UNPROVEN
            .iter()
            .any(|(s, claim, _)| *s == scenario && *claim == text)
    };
    let nowhere: Vec<String> = judged
        .iter()
        .filter(|((scenario, text), count)| **count == 0 && !listed(scenario, text))
        .map(|((scenario, text), _)| format!("{scenario}: {text}"))
        .collect();
    assert!(
        nowhere.is_empty(),
        "judged on no recording: record it, or list it in UNPROVEN with the reason:\n{}",
        nowhere.join("\n")
    );
    for (scenario, claim, _) in UNPROVEN {
        let count = judged.get(&(scenario, claim.to_string()));
        assert_eq!(
            count,
            Some(&0),
            "no longer unproven, or no claim: {scenario}: {claim}"
        );
    }
    // All scenarios with a recording have claims, and each has its outcome at least.
    let proven = judged.values().filter(|count| **count > 0).count();
    println!(
        "{proven} of {} claims are judged on a recording",
        judged.len()
    );
    assert_eq!(proven + UNPROVEN.len(), judged.len());
    assert!(proven > 200, "only {proven}");
}

#[test]
fn what_lies_in_the_folder_is_what_is_in_the_binary() {
    let mut found = Vec::new();
    for setup in std::fs::read_dir(folder()).unwrap() {
        let setup = setup.unwrap().path();
        if !setup.is_dir() {
            continue;
        }
        for file in std::fs::read_dir(&setup).unwrap() {
            let file = file.unwrap().path();
            let path = file
                .strip_prefix(folder())
                .unwrap()
                .to_str()
                .unwrap()
                .to_string();
            // A measured need stands beside its recording.
            if let Some(of) = path.strip_suffix(".need.toml") {
                assert!(folder().join(format!("{of}.jsonl.gz")).exists(), "{path}");
                continue;
            }
            assert!(
                path.ends_with(".jsonl.gz"),
                "recordings/{path} is no packed recording: `memtide pack` makes one"
            );
            found.push(path);
        }
    }
    found.sort();
    let mut embedded: Vec<String> = shipped::all().map(Shipped::path).collect();
    embedded.sort();
    assert_eq!(found, embedded);
}

#[test]
fn all_recordings_together_stay_small() {
    // Every user downloads them with the binary.
    let size: usize = shipped::all().map(|s| s.packed.len()).sum();
    assert!(size < 5_000_000, "{size} bytes of recordings");
}

#[test]
fn every_scenario_is_recorded_or_can_not_run_there() {
    let mut missing = Vec::new();
    // Why scenarios have no recording of a set-up: one line for each reason, not for each scenario.
    let mut refusals: BTreeMap<String, BTreeSet<&str>> = BTreeMap::new();
    for setup in booted() {
        let Some(first) = shipped::all().find(|s| s.setup == setup) else {
            missing.push(format!("{setup}: nothing"));
            continue;
        };
        let host = first.read().unwrap().header.host;
        for entry in scenario::catalogue() {
            let scenario = entry.parse(Overrides::default()).unwrap();
            // What needs programs is recorded with packages (scripts/kernels/record --packages), in suites/.
            let refused = scenario
                .requires
                .iter()
                .find(|r| !r.when.programs.is_empty() || r.when.holds(&host).is_err());
            match (shipped::find(&setup, entry.name), refused) {
                (None, None) => missing.push(format!("{setup}: {}", entry.name)),
                (None, Some(r)) => {
                    refusals
                        .entry(if r.when.programs.is_empty() {
                            format!("{setup}: {}", r.reason)
                        } else {
                            "runtimes and services are recorded in suites/".into()
                        })
                        .or_default()
                        .insert(entry.name);
                }
                (Some(_), _) => {}
            }
        }
    }
    for (reason, names) in refusals {
        let all = names.len();
        let some: Vec<&str> = names.into_iter().take(3).collect();
        let more = if all > 3 { ", ..." } else { "" };
        let what = format!(
            "{all} scenarios without a recording ({}{more})",
            some.join(", ")
        );
        common::note_skip(&what, &reason);
    }
    assert!(
        missing.is_empty(),
        "not recorded (scripts/kernels/record --setup NAME SCENARIO does it):\n{}",
        missing.join("\n")
    );
}

/// The set-ups that scripts/kernels can boot. Others may have as few recordings as they like.
fn booted() -> Vec<String> {
    let setups = Path::new(env!("CARGO_MANIFEST_DIR")).join("scripts/kernels/setups");
    let names = std::fs::read_dir(setups).unwrap();
    // Those that run only where they are named show one thing and ship no recordings.
    let mut names: Vec<String> = names
        .map(|e| e.unwrap().path())
        .filter(|path| !std::fs::read_to_string(path).unwrap().contains("\nasked=1"))
        .map(|path| path.file_name().unwrap().to_str().unwrap().to_string())
        .filter(|name| name != "host")
        .collect();
    names.sort();
    names
}
