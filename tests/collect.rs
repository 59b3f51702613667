//! `memtide collect` against kubectl's answers, one for each fate a pod can have.

mod common;

use std::path::{Path, PathBuf};
use std::process::Output;

use memtide::cluster::{Fate, parse_pods};
use memtide::{recording, shipped};
use serde_json::Value;

fn data() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/kubectl")
}

const FATES: [&str; 10] = [
    "succeeded",
    "fell-short",
    "environment",
    "oom-killed",
    "killed",
    "evicted",
    "preempted",
    "image-missing",
    "unschedulable",
    "running",
];

fn fate(name: &str) -> Fate {
    let json = std::fs::read(data().join(format!("{name}.json"))).unwrap();
    Fate::of(&parse_pods(&json).unwrap()[0])
}

#[test]
fn each_fate_is_named() {
    for (name, words) in [
        ("succeeded", "succeeded"),
        ("fell-short", "an expectation was not met"),
        ("environment", "the node can't run it"),
        ("oom-killed", "OOMKilled (exit 137)"),
        ("killed", "does not say by what"),
        (
            "evicted",
            "evicted by the kubelet: The node was low on resource: memory",
        ),
        ("preempted", "preempted for a more important pod"),
        ("image-missing", "the image is missing (ImagePullBackOff"),
        ("unschedulable", "no node takes it: 0/3 nodes"),
        ("running", "still running"),
    ] {
        let text = fate(name).to_string();
        assert!(text.contains(words), "{name}: {text}");
    }
    assert!(fate("oom-killed").is_over() && !fate("oom-killed").is_disruption());
    assert!(fate("evicted").is_disruption() && fate("preempted").is_disruption());
    assert!(fate("image-missing").is_stuck() && fate("unschedulable").is_stuck());
    assert!(!fate("running").is_over());
}

/// A shipped recording's lines as a container's log has them: between others.
fn log(scenario: &str, share: f64) -> Vec<u8> {
    let packed = shipped::find("6.1-v2", scenario).unwrap().packed;
    let mut text = String::new();
    std::io::Read::read_to_string(&mut flate2::read::GzDecoder::new(packed), &mut text).unwrap();
    let lines: Vec<&str> = text.lines().collect();
    let kept = (lines.len() as f64 * share) as usize;
    let mut log = format!("{scenario}: 1 of 1\n[warn] not ours\n");
    for line in &lines[..kept] {
        log.push_str(line);
        log.push('\n');
    }
    if share < 1.0 {
        // Cut in the middle of a line.
        log.push_str(&lines[kept][..lines[kept].len() / 2]);
    }
    log.into_bytes()
}

/// A folder as `collect --job` leaves it: a pod for each fate, logs for those that ran.
fn collected() -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    for folder in ["pods", "jobs", "logs"] {
        std::fs::create_dir(dir.path().join(folder)).unwrap();
    }
    std::fs::copy(
        data().join("job.json"),
        dir.path().join("jobs/memtide.json"),
    )
    .unwrap();
    for name in FATES {
        let file = format!("{name}.json");
        std::fs::copy(data().join(&file), dir.path().join("pods").join(&file)).unwrap();
    }
    for (pod, log) in [
        ("memtide-0-abcde", log("log-write", 1.0)),
        (
            "memtide-2-abcde",
            b"error: no memory limit: give the container one\n".to_vec(),
        ),
        ("memtide-3-abcde", log("leak", 0.95)),
        ("memtide-4-abcde", log("log-read-twice", 0.5)),
        ("memtide-5-abcde", log("steady", 0.5)),
    ] {
        std::fs::write(dir.path().join(format!("logs/{pod}.log")), log).unwrap();
    }
    dir
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn collect(dir: &Path) -> Output {
    common::memtide()
        .args(["collect", "--format", "json"])
        .arg(dir)
        .output()
        .unwrap()
}

#[test]
fn every_index_gets_its_verdict_and_nothing_is_lost() {
    let dir = collected();
    let output = collect(dir.path());
    assert_eq!(output.status.code(), Some(1), "{}", text(&output.stderr));
    let document: Value = serde_json::from_slice(&output.stdout).unwrap();
    let runs = document["runs"].as_array().unwrap();
    let expected = [
        ("log-write", "pass", ""),
        ("heap-churn", "fail", "an expectation was not met"),
        ("release-free", "fail", "no memory limit"),
        ("leak", "pass", ""),
        ("log-read-twice", "fail", "does not say by what"),
        ("steady", "fail", "evicted by the kubelet"),
        ("log-rotate", "fail", "preempted"),
        ("tmpfs-fill", "fail", "image is missing"),
        ("mmap-scan", "fail", "no node takes it"),
        ("file-scan", "fail", "still running"),
        ("gc-sawtooth", "fail", "pending"),
    ];
    assert_eq!(runs.len(), expected.len());
    for (run, (scenario, result, reason)) in runs.iter().zip(expected) {
        assert_eq!(run["scenario"], scenario);
        assert_eq!(run["result"], result, "{scenario}: {}", run["reason"]);
        assert!(
            run["reason"].as_str().unwrap().contains(reason),
            "{scenario}: {}",
            run["reason"]
        );
    }
    // The expected OOM kill of the whole container: joined with the pod's status, and a pass.
    assert_eq!(runs[3]["outcome"], "oom_killed");
    let leak = dir.path().join("recordings/memtide-3-leak.jsonl");
    let leak = recording::read_path(&leak).unwrap();
    assert!(leak.complete);
    assert!(leak.footer.unwrap().reason.contains("OOMKilled"));
    // An evicted one is kept as far as it came, and stays cut.
    let steady = dir.path().join("recordings/memtide-5-steady.jsonl");
    assert!(!recording::read_path(&steady).unwrap().complete);
}

/// Every file below a folder with its bytes.
fn files(dir: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(dir).unwrap().flatten() {
        if entry.path().is_dir() {
            found.extend(files(&entry.path()));
        } else {
            found.push((entry.path(), std::fs::read(entry.path()).unwrap()));
        }
    }
    found.sort();
    found
}

/// JUnit carries a new id at each writing.
fn without_junit(mut files: Vec<(PathBuf, Vec<u8>)>) -> Vec<(PathBuf, Vec<u8>)> {
    files.retain(|(path, _)| !path.ends_with("junit.xml"));
    files
}

#[test]
fn twice_gives_the_same() {
    let dir = collected();
    let first = collect(dir.path());
    let before = without_junit(files(dir.path()));
    let second = collect(dir.path());
    assert_eq!(text(&first.stdout), text(&second.stdout));
    assert!(before == without_junit(files(dir.path())));
    let junit = std::fs::read_to_string(dir.path().join("junit.xml")).unwrap();
    assert!(junit.contains("<testsuite name=\"leak\""), "{junit}");
    let summary = std::fs::read_to_string(dir.path().join("summary.md")).unwrap();
    assert!(
        summary.contains("| memtide/3 | leak | worker-1 | OOMKilled"),
        "{summary}"
    );
}

/// A kubectl that gives the recorded answers; a log that was asked for once is gone afterwards, as
/// when a Job's time to live is over.
const KUBECTL: &str = r#"#!/bin/sh
for a in "$@"; do case $a in --*=*) ;; *) set -- "$@" "$a" ;; esac; shift; done
case "$1 $2" in
  "get job") cat "$ANSWERS/job.json" ;;
  "get pods") cat "$ANSWERS/pods.json" ;;
  "logs "*) if [ -f "$ANSWERS/$2.log" ]; then cat "$ANSWERS/$2.log"; rm "$ANSWERS/$2.log"
            else echo "Error from server (NotFound): pods \"$2\" not found" >&2; exit 1; fi ;;
esac
"#;

#[test]
fn what_was_fetched_once_is_kept_when_the_cluster_has_forgotten_it() {
    let answers = tempfile::tempdir().unwrap();
    let job = std::fs::read_to_string(data().join("job.json")).unwrap();
    let job = job.replace("\"completions\": 11", "\"completions\": 1");
    std::fs::write(answers.path().join("job.json"), job).unwrap();
    let succeeded = data().join("succeeded.json");
    std::fs::copy(succeeded, answers.path().join("pods.json")).unwrap();
    let pod = answers.path().join("memtide-0-abcde.log");
    std::fs::write(pod, log("log-write", 1.0)).unwrap();
    let kubectl = answers.path().join("kubectl");
    std::fs::write(&kubectl, KUBECTL).unwrap();
    let mode = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    std::fs::set_permissions(&kubectl, mode).unwrap();
    let out = answers.path().join("out");
    let path = std::env::var("PATH").unwrap();
    let run = || {
        common::memtide()
            .args([
                "collect",
                "--job",
                "memtide",
                "--namespace",
                "n",
                "--context",
                "c",
                "--out",
            ])
            .arg(&out)
            .env("PATH", format!("{}:{path}", answers.path().display()))
            .env("ANSWERS", answers.path())
            .output()
            .unwrap()
    };
    let first = run();
    assert!(
        first.status.success(),
        "{}{}",
        text(&first.stdout),
        text(&first.stderr)
    );
    assert!(
        text(&first.stderr).contains("1 of 1 done"),
        "{}",
        text(&first.stderr)
    );
    let second = run();
    assert!(second.status.success(), "{}", text(&second.stderr));
    assert_eq!(text(&first.stdout), text(&second.stdout));
}

#[test]
fn without_kubectl_it_says_so() {
    let dir = tempfile::tempdir().unwrap();
    let output = common::memtide()
        .args(["collect", "--job", "x"])
        .current_dir(dir.path())
        .env("PATH", dir.path())
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(3));
    assert!(
        text(&output.stderr).contains("kubectl"),
        "{}",
        text(&output.stderr)
    );
}
