//! `memtide collect`: no pass without a recording, over Jobs and pods in every state that the API can
//! give, whatever their logs hold.

use std::collections::HashMap;
use std::io::Read;
use std::sync::OnceLock;

use memtide::cluster::{Collected, PodLog, Snapshot, as_expected, evaluate, parse_job, parse_pods};
use memtide::recording;
use memtide::report::Verdict;
use memtide::shipped;
use proptest::prelude::*;
use serde_json::{Value, json};

/// The last of them ends by an OOM kill, and is to.
const SCENARIOS: [&str; 3] = ["tmpfs-fill", "steady", "leak"];

fn whole(scenario: &str) -> &'static [u8] {
    static LOGS: OnceLock<HashMap<&str, Vec<u8>>> = OnceLock::new();
    let logs = LOGS.get_or_init(|| {
        let read = |scenario: &&'static str| {
            let packed = shipped::find("6.1-v2", scenario).unwrap().packed;
            let mut text = Vec::new();
            flate2::read::GzDecoder::new(packed)
                .read_to_end(&mut text)
                .unwrap();
            (*scenario, text)
        };
        SCENARIOS.iter().map(read).collect()
    });
    &logs[scenario]
}

/// What a pod's log holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Log {
    Whole(&'static str),
    Cut(&'static str),
    Headless(&'static str),
    Skipped(&'static str),
    Kubelet,
    Empty,
}

impl Log {
    fn text(self) -> Vec<u8> {
        match self {
            Log::Whole(scenario) => whole(scenario).to_vec(),
            Log::Cut(scenario) => {
                let lines: Vec<&[u8]> = whole(scenario).split_inclusive(|c| *c == b'\n').collect();
                lines[..lines.len() - 1].concat()
            }
            Log::Headless(scenario) => {
                let lines = whole(scenario).split_inclusive(|c| *c == b'\n');
                lines.skip(1).collect::<Vec<_>>().concat()
            }
            Log::Skipped(scenario) => {
                format!("skip  {scenario}  no disk for the log\n0 passed, 0 failed, 1 skipped\n")
                    .into()
            }
            Log::Kubelet => b"unable to retrieve container logs for cri-o://8c5f0a1b2c3d".to_vec(),
            Log::Empty => Vec::new(),
        }
    }
}

/// A pod's state in a name, its status, and whether it is being deleted.
fn states() -> Vec<(&'static str, Value, bool)> {
    let ended = |phase: &str, code: i32, reason: &str| {
        json!({"phase": phase, "containerStatuses": [{"name": "memtide",
            "state": {"terminated": {"exitCode": code, "reason": reason}}}]})
    };
    let disrupted = |reason: &str| {
        json!({"phase": "Failed", "conditions": [{"type": "DisruptionTarget", "status": "True",
            "reason": reason, "message": "why"}]})
    };
    let waiting = |reason: &str| {
        json!({"phase": "Pending", "containerStatuses": [{"name": "memtide",
            "state": {"waiting": {"reason": reason}}}]})
    };
    vec![
        ("succeeded", ended("Succeeded", 0, "Completed"), false),
        ("succeeded", json!({"phase": "Succeeded"}), true),
        // A sidecar that does not end.
        ("succeeded", ended("Running", 0, "Completed"), false),
        ("exit", ended("Failed", 1, "Error"), false),
        ("exit", ended("Failed", 2, "Error"), false),
        ("exit", ended("Failed", 3, "OOMKilled"), false),
        ("exit", ended("Failed", 130, "Error"), true),
        ("exit", ended("Failed", 143, "Error"), false),
        ("exit", ended("Failed", 137, "Error"), false),
        ("oom", ended("Failed", 137, "OOMKilled"), false),
        ("oom", ended("Running", 137, "OOMKilled"), false),
        (
            "away",
            json!({"phase": "Failed", "reason": "Evicted"}),
            false,
        ),
        (
            "away",
            json!({"phase": "Failed", "reason": "OutOfmemory"}),
            false,
        ),
        ("away", disrupted("PreemptionByScheduler"), false),
        ("away", disrupted("DeletionByTaintManager"), false),
        ("away", json!({"phase": "Failed"}), false),
        (
            "away",
            ended("Failed", 137, "ContainerStatusUnknown"),
            false,
        ),
        ("open", json!({"phase": "Running"}), false),
        ("open", json!({"phase": "Running"}), true),
        ("open", json!({"phase": "Unknown"}), false),
        ("open", json!({"phase": "Pending"}), false),
        ("open", waiting("ImagePullBackOff"), false),
        ("open", waiting("CrashLoopBackOff"), false),
        ("open", json!({}), false),
    ]
}

#[derive(Debug, Clone)]
struct Try {
    index: usize,
    state: usize,
    gone: bool,
    log: Log,
}

#[derive(Debug, Clone)]
struct Case {
    completions: usize,
    completed: Vec<usize>,
    failed: Vec<usize>,
    over: Option<&'static str>,
    gone: bool,
    unindexed: bool,
    tries: Vec<Try>,
}

impl Case {
    fn snapshot(&self) -> Snapshot {
        let list = |of: &[usize]| {
            let texts: Vec<String> = of.iter().map(usize::to_string).collect();
            texts.join(",")
        };
        let conditions: Vec<Value> = self
            .over
            .map(|kind| json!({"type": kind, "status": "True", "reason": "R", "message": "m"}))
            .into_iter()
            .collect();
        let mut args = vec!["run", "--out=-", "--pick=$(MEMTIDE_INDEX)"];
        args.extend(SCENARIOS);
        let spec = json!({"containers": [{"name": "memtide", "args": args}]});
        let mode = if self.unindexed {
            "NonIndexed"
        } else {
            "Indexed"
        };
        let job = json!({"kind": "Job", "metadata": {"name": "memtide", "uid": "u"},
            "spec": {"completionMode": mode, "completions": self.completions, "parallelism": 3,
                "template": {"spec": spec}},
            "status": {"completedIndexes": list(&self.completed),
                "failedIndexes": list(&self.failed), "conditions": conditions}});
        let states = states();
        let pods: Vec<Value> = self
            .tries
            .iter()
            .enumerate()
            .map(|(number, one)| {
                let (_, status, deleting) = &states[one.state];
                let time = deleting.then_some("2026-11-28T08:01:00Z");
                json!({"metadata": {"name": format!("p{number}"), "uid": format!("p{number}"),
                        "creationTimestamp": format!("2026-11-28T08:00:{number:02}Z"),
                        "deletionTimestamp": time,
                        "labels": {"job-name": "memtide", "controller-uid": "u",
                            "batch.kubernetes.io/job-completion-index": one.index.to_string()}},
                    "spec": spec, "status": status, "memtideGone": one.gone})
            })
            .collect();
        let mut job = parse_job(job.to_string().as_bytes()).unwrap();
        job.gone = self.gone;
        let pods = parse_pods(json!({"items": pods}).to_string().as_bytes()).unwrap();
        let jobs = vec![job];
        Snapshot { jobs, pods }
    }

    fn evaluated(&self) -> Vec<Collected> {
        evaluate(&self.snapshot(), |pod| PodLog {
            text: {
                let number: usize = pod.name[1..].parse().unwrap();
                self.tries[number].log.text()
            },
            lost: None,
        })
    }

    /// Whether any try of an index gives a reason to say so.
    fn may_be(&self, index: usize, verdict: Verdict) -> bool {
        let scenario = SCENARIOS[index % SCENARIOS.len()];
        let states = states();
        let mut tries = self.tries.iter().filter(|one| one.index == index);
        let given_up = self.failed.contains(&index);
        tries.any(|one| match (states[one.state].0, verdict) {
            _ if self.unindexed => false,
            ("succeeded", Verdict::Pass) => !given_up && one.log == Log::Whole(scenario),
            ("succeeded", Verdict::Skip) => !given_up && one.log == Log::Skipped(scenario),
            // Expected, whether memtide lived to say so or not.
            ("oom", Verdict::Pass) => {
                scenario == "leak"
                    && !self.completed.contains(&index)
                    && [Log::Whole("leak"), Log::Cut("leak")].contains(&one.log)
            }
            _ => verdict == Verdict::Fail,
        })
    }
}

fn log() -> impl Strategy<Value = Log> {
    let of = || prop::sample::select(SCENARIOS.to_vec());
    prop_oneof![
        4 => of().prop_map(Log::Whole),
        1 => of().prop_map(Log::Cut),
        1 => of().prop_map(Log::Headless),
        2 => of().prop_map(Log::Skipped),
        1 => Just(Log::Kubelet),
        1 => Just(Log::Empty),
    ]
}

fn case() -> impl Strategy<Value = Case> {
    let one = (0..3_usize, 0..states().len(), any::<bool>(), log());
    let one = one.prop_map(|(index, state, gone, log)| Try {
        index,
        state,
        gone,
        log,
    });
    let some = || prop::sample::subsequence(vec![0, 1, 2], 0..=3);
    (
        0..4_usize,
        some(),
        some(),
        prop::sample::select(vec![None, Some("Complete"), Some("Failed")]),
        any::<bool>(),
        prop::bool::weighted(0.1),
        prop::collection::vec(one, 0..5),
    )
        .prop_map(
            |(completions, completed, failed, over, gone, unindexed, tries)| Case {
                completions,
                completed,
                failed,
                over,
                gone,
                unindexed,
                tries,
            },
        )
}

proptest! {
    #[test]
    fn a_pass_has_a_recording_of_its_own_and_a_pod_that_ended_as_it_must(case in case()) {
        let all = case.evaluated();
        let indexes: Vec<usize> = all.iter().map(|one| one.index).collect();
        let most = case.tries.iter().map(|one| one.index + 1).max().unwrap_or(0);
        let completions = if case.unindexed { 1 } else { case.completions };
        // Every index once, none left out, and never nothing at all.
        let named = if case.unindexed { 0 } else { SCENARIOS.len() };
        let expected: Vec<usize> = (0..completions.max(most).max(named).max(1)).collect();
        prop_assert_eq!(indexes, expected);
        for one in &all {
            let verdict = one.result.result;
            prop_assert!(
                verdict == Verdict::Fail || case.may_be(one.index, verdict),
                "{}: {:?} {}", one.index, verdict, one.result.reason
            );
            // Whatever fell short says why.
            prop_assert!(verdict != Verdict::Fail || !one.result.reason.is_empty());
        }
        let green = all.iter().all(|one| one.result.result != Verdict::Fail)
            && all.iter().any(|one| one.read.as_ref().is_some_and(|read| read.complete));
        prop_assert_eq!(as_expected(&all), green);
    }

    #[test]
    fn what_went_well_is_a_pass(pods in prop::collection::vec(0..2_usize, SCENARIOS.len()), listed in any::<bool>()) {
        let tries = |(index, state): (usize, &usize)| Try {
            index, state: *state, gone: false, log: Log::Whole(SCENARIOS[index]),
        };
        let case = Case {
            completions: pods.len(),
            completed: if listed { (0..pods.len()).collect() } else { Vec::new() },
            failed: Vec::new(),
            over: listed.then_some("Complete"),
            gone: false,
            unindexed: false,
            tries: pods.iter().enumerate().map(tries).collect(),
        };
        prop_assert!(as_expected(&case.evaluated()));
    }
}

/// A recording as this memtide writes it.
fn written(name: &str) -> String {
    let recording = recording::read_bytes(whole(name)).unwrap();
    let file = tempfile::NamedTempFile::new().unwrap();
    let writer = recording::Writer::create(file.path(), &recording.header).unwrap();
    writer.whole(&recording).unwrap();
    std::fs::read_to_string(file.path()).unwrap()
}

/// What is said of a Job's only pod, which succeeded and has this log.
fn said_of(log: &str) -> (Verdict, String) {
    let case = Case {
        completions: 1,
        completed: vec![0],
        failed: Vec::new(),
        over: Some("Complete"),
        gone: false,
        unindexed: false,
        tries: vec![Try {
            index: 0,
            state: 0,
            gone: false,
            log: Log::Empty,
        }],
    };
    let args = json!({"containers": [{"name": "memtide", "args": ["run", "--pick=0", "steady"]}]});
    let mut snapshot = case.snapshot();
    snapshot.jobs[0].scenarios = vec!["steady".into()];
    let pod = json!({"items": [{"metadata": {"name": "p0", "uid": "p0", "labels": {
            "job-name": "memtide", "controller-uid": "u",
            "batch.kubernetes.io/job-completion-index": "0"}}, "spec": args,
            "status": {"phase": "Succeeded"}}]});
    snapshot.pods = parse_pods(pod.to_string().as_bytes()).unwrap();
    let all = evaluate(&snapshot, |_| PodLog {
        text: log.as_bytes().to_vec(),
        lost: None,
    });
    assert_eq!(all.len(), 1);
    (all[0].result.result, all[0].result.reason.clone())
}

/// A log whose middle lost a line, or a part of one, is told from a whole one, whichever line it is.
#[test]
fn a_damaged_or_a_missing_line_is_no_pass() {
    let text = written("steady");
    let lines: Vec<&str> = text.lines().collect();
    assert!(lines.len() > 50);
    assert_eq!(said_of(&text), (Verdict::Pass, String::new()));
    for damaged in (0..lines.len()).step_by(3) {
        let mut cut = lines.clone();
        cut[damaged] = &cut[damaged][..cut[damaged].len() / 2];
        let mut lost = lines.clone();
        lost.remove(damaged);
        for left in [cut, lost] {
            let (said, why) = said_of(&(left.join("\n") + "\n"));
            assert_eq!(said, Verdict::Fail, "line {}", damaged + 1);
            assert!(!why.is_empty());
        }
    }
}
