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

/// A kubectl that gives the answers in a folder; where there is none it says what an API server says
/// of a thing that is not there. `refused` is an answer to everything.
const KUBECTL: &str = r#"#!/bin/sh
for a in "$@"; do case $a in --*=*) ;; *) set -- "$@" "$a" ;; esac; shift; done
if [ -f "$ANSWERS/refused" ]; then cat "$ANSWERS/refused" >&2; exit 1; fi
answer() { if [ -f "$ANSWERS/$1" ]; then cat "$ANSWERS/$1"; else
  echo "Error from server (NotFound): $2 \"$3\" not found" >&2; exit 1; fi; }
case "$1 $2" in
  "get job") answer job.json jobs.batch "$3" ;;
  "get pods") answer pods.json pods "" ;;
  "get events") answer events.json events "" ;;
  "logs "*) answer "$2.log" pods "$2" ;;
esac
"#;

const NO_PODS: &str = "{\"apiVersion\": \"v1\", \"kind\": \"List\", \"items\": [], \"metadata\": {\"resourceVersion\": \"\"}}";

/// A cluster made of answers.
struct Cluster {
    dir: tempfile::TempDir,
}

impl Cluster {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let kubectl = dir.path().join("kubectl");
        std::fs::write(&kubectl, KUBECTL).unwrap();
        let mode = std::os::unix::fs::PermissionsExt::from_mode(0o755);
        std::fs::set_permissions(&kubectl, mode).unwrap();
        Cluster { dir }
    }

    fn answers(&self, name: &str, text: impl AsRef<[u8]>) -> &Self {
        std::fs::write(self.dir.path().join(name), text).unwrap();
        self
    }

    fn forgets(&self, name: &str) {
        std::fs::remove_file(self.dir.path().join(name)).unwrap();
    }

    fn job(&self, completions: usize, change: impl Fn(&mut Value)) -> &Self {
        let mut job: Value =
            serde_json::from_slice(&std::fs::read(data().join("job.json")).unwrap()).unwrap();
        job["spec"]["completions"] = completions.into();
        change(&mut job);
        self.answers("job.json", job.to_string())
    }

    /// Pods of these fates, each in the place that is given.
    fn pods(&self, fates: &[(&str, usize, &str)]) -> &Self {
        let mut items = Vec::new();
        for (fate, index, name) in fates {
            let json = std::fs::read(data().join(format!("{fate}.json"))).unwrap();
            let mut list: Value = serde_json::from_slice(&json).unwrap();
            let mut pod = list["items"][0].take();
            pod["metadata"]["name"] = (*name).into();
            let key = "batch.kubernetes.io/job-completion-index";
            pod["metadata"]["annotations"][key] = index.to_string().into();
            pod["metadata"]["labels"][key] = index.to_string().into();
            items.push(pod);
        }
        let list = serde_json::json!({"apiVersion": "v1", "kind": "List", "items": items});
        self.answers("pods.json", list.to_string())
    }

    fn collect(&self, more: &[&str]) -> Output {
        let path = std::env::var("PATH").unwrap();
        common::memtide()
            .args(["collect", "--job", "memtide", "--namespace", "n"])
            .args(["--context", "c", "--out"])
            .arg(self.out())
            .args(more)
            .env("PATH", format!("{}:{path}", self.dir.path().display()))
            .env("ANSWERS", self.dir.path())
            .output()
            .unwrap()
    }

    fn out(&self) -> PathBuf {
        self.dir.path().join("out")
    }
}

#[test]
fn what_was_fetched_once_is_kept_when_the_cluster_has_forgotten_it() {
    let cluster = Cluster::new();
    cluster
        .job(1, |_| ())
        .pods(&[("succeeded", 0, "memtide-0-abcde")])
        .answers("memtide-0-abcde.log", log("log-write", 1.0));
    let first = cluster.collect(&[]);
    let said = text(&first.stderr);
    assert!(first.status.success(), "{}{said}", text(&first.stdout));
    assert!(said.contains("1 of 1 done"), "{said}");
    // The log, then the pods, then the Job itself: its time to live is over.
    cluster.forgets("memtide-0-abcde.log");
    let second = cluster.collect(&[]);
    assert!(second.status.success(), "{}", text(&second.stderr));
    assert_eq!(text(&first.stdout), text(&second.stdout));
    cluster.answers("pods.json", NO_PODS).forgets("job.json");
    let third = cluster.collect(&[]);
    // Judged as it was, and no news: there is no such Job.
    assert_eq!(third.status.code(), Some(2), "{}", text(&third.stderr));
    assert_eq!(text(&first.stdout), text(&third.stdout));
}

/// What a pod said until the kernel killed all of its container: a v2 guest with memory.oom.group,
/// `scripts/kernels/run --setup 6.12-v2-group-kill leak`.
#[test]
fn a_container_that_was_killed_as_a_whole_is_joined_with_its_fate() {
    let packed = std::fs::read(data().join("group-kill-leak.log.gz")).unwrap();
    let mut said = Vec::new();
    std::io::Read::read_to_end(&mut flate2::read::GzDecoder::new(&packed[..]), &mut said).unwrap();
    let cluster = Cluster::new();
    let failed = |job: &mut Value| {
        job["status"] = serde_json::json!({"failedIndexes": "3", "completedIndexes": "0-2"});
    };
    let killed = ("oom-killed", 3, "memtide-3-abcde");
    cluster
        .job(4, failed)
        .pods(&[killed])
        .answers("memtide-3-abcde.log", &said);
    cluster.collect(&["--format", "json"]);
    let document = std::fs::read(cluster.out().join("results.json")).unwrap();
    let document: Value = serde_json::from_slice(&document).unwrap();
    let leak = &document["runs"][3];
    assert_eq!(
        (&leak["scenario"], &leak["result"]),
        (&"leak".into(), &"pass".into()),
        "{leak}"
    );
    assert_eq!(leak["outcome"], "oom_killed");
    assert_eq!(leak["host"]["setup"], "6.12-v2-group-kill");
    let joined = cluster.out().join("recordings/memtide-3-leak.jsonl");
    let joined = recording::read_path(&joined).unwrap();
    assert!(joined.complete && joined.footer.unwrap().reason.contains("OOMKilled"));
    // It came to no end of its own: the pod's status is all that tells.
    assert!(said.len() > 50_000 && !text(&said).contains("{\"type\":\"footer\""));

    // Where the scenario does not expect it, the same end is a failure.
    let cluster = Cluster::new();
    let failed = |job: &mut Value| {
        job["status"] = serde_json::json!({"failedIndexes": "0"});
    };
    let killed = ("oom-killed", 0, "memtide-0-abcde");
    cluster
        .job(1, failed)
        .pods(&[killed])
        .answers("memtide-0-abcde.log", log("log-write", 0.9));
    let output = cluster.collect(&[]);
    assert_eq!(output.status.code(), Some(1), "{}", text(&output.stdout));
    // Nor does a whole recording count whose pod was killed all the same.
    cluster.answers("memtide-0-abcde.log", log("log-write", 1.0));
    std::fs::remove_dir_all(cluster.out()).unwrap();
    let output = cluster.collect(&[]);
    assert_eq!(output.status.code(), Some(1), "{}", text(&output.stdout));
}

#[test]
fn a_log_that_was_taken_while_its_pod_ran_is_taken_again() {
    let cluster = Cluster::new();
    cluster
        .job(1, |_| ())
        .pods(&[("running", 0, "memtide-0-abcde")])
        .answers("memtide-0-abcde.log", log("log-write", 0.4));
    let first = cluster.collect(&["--timeout", "1ms"]);
    assert_eq!(first.status.code(), Some(1), "{}", text(&first.stderr));
    assert!(text(&first.stdout).contains("still running"));
    assert!(text(&first.stderr).contains("time is up"));
    cluster
        .pods(&[("succeeded", 0, "memtide-0-abcde")])
        .answers("memtide-0-abcde.log", log("log-write", 1.0));
    let second = cluster.collect(&[]);
    assert!(second.status.success(), "{}", text(&second.stdout));
}

#[test]
fn of_two_pods_of_an_index_the_scenarios_own_end_counts() {
    let cluster = Cluster::new();
    cluster
        .job(1, |_| ())
        .pods(&[
            ("evicted", 0, "memtide-0-first"),
            ("succeeded", 0, "memtide-0-again"),
        ])
        .answers("memtide-0-first.log", log("log-write", 0.5))
        .answers("memtide-0-again.log", log("log-write", 1.0));
    let output = cluster.collect(&[]);
    assert!(output.status.success(), "{}", text(&output.stdout));
    assert!(
        text(&output.stdout).contains("memtide/0 on worker-"),
        "{}",
        text(&output.stdout)
    );
    // Nothing of the first try is lost.
    assert!(cluster.out().join("logs/memtide-0-first.log").exists());
}

#[test]
fn a_log_whose_beginning_was_rotated_away_says_so() {
    let whole = text(&log("log-write", 1.0));
    let tail: Vec<&str> = whole.lines().skip(20).collect();
    let cluster = Cluster::new();
    cluster
        .job(1, |_| ())
        .pods(&[("succeeded", 0, "memtide-0-abcde")])
        .answers("memtide-0-abcde.log", tail.join("\n") + "\n");
    let output = cluster.collect(&[]);
    assert_eq!(output.status.code(), Some(1));
    assert!(
        text(&output.stdout).contains("rotated away"),
        "{}",
        text(&output.stdout)
    );
}

#[test]
fn a_job_that_ended_without_all_its_pods_is_not_waited_for() {
    let cluster = Cluster::new();
    let failed = |job: &mut Value| {
        job["status"] = serde_json::json!({
            "failed": 1,
            "conditions": [
                {"type": "FailureTarget", "status": "True", "reason": "DeadlineExceeded"},
                {"type": "Failed", "status": "True", "reason": "DeadlineExceeded",
                 "message": "Job was active longer than specified deadline"}
            ]
        });
    };
    cluster
        .job(2, failed)
        .pods(&[("succeeded", 0, "memtide-0-abcde")])
        .answers("memtide-0-abcde.log", log("log-write", 1.0));
    let output = cluster.collect(&[]);
    let shown = text(&output.stdout);
    assert_eq!(output.status.code(), Some(1), "{shown}");
    assert!(
        shown.contains("no pod was made before the Job ended: Failed (DeadlineExceeded"),
        "{shown}"
    );
}

#[test]
fn why_no_pod_can_be_made_is_told() {
    let cluster = Cluster::new();
    let why = "Error creating: pods \"memtide-0-x7k2p\" is forbidden: violates PodSecurity \
               \"restricted:latest\": restricted volume types (volume \"log\" uses restricted volume \
               type \"hostPath\")";
    let event = serde_json::json!({
        "apiVersion": "v1", "kind": "Event", "type": "Warning", "reason": "FailedCreate",
        "message": why, "involvedObject": {"kind": "Job", "name": "memtide"}
    });
    let events = serde_json::json!({"apiVersion": "v1", "kind": "List", "items": [event]});
    cluster
        .job(1, |_| ())
        .answers("pods.json", NO_PODS)
        .answers("events.json", events.to_string());
    let output = cluster.collect(&["--timeout", "1ms"]);
    assert_eq!(output.status.code(), Some(1));
    for said in [text(&output.stdout), text(&output.stderr)] {
        assert!(said.contains("violates PodSecurity"), "{said}");
    }
    cluster.job(1, |job| job["spec"]["suspend"] = true.into());
    cluster.forgets("events.json");
    std::fs::remove_dir_all(cluster.out()).unwrap();
    let output = cluster.collect(&["--timeout", "1ms"]);
    assert!(text(&output.stdout).contains("the Job is suspended"));
}

#[test]
fn what_kubectl_refuses_is_said_with_what_to_do() {
    for (refused, code, words) in [
        (
            "Error from server (NotFound): jobs.batch \"memtide\" not found",
            2,
            "apply the manifests",
        ),
        (
            "Error from server (Forbidden): jobs.batch \"memtide\" is forbidden: User \"u\" cannot \
             get resource \"jobs\" in API group \"batch\" in the namespace \"n\"",
            3,
            "`get` and `list` of jobs",
        ),
        ("error: context \"c\" does not exist", 2, "get-contexts"),
        (
            "E1125 12:21:58.577672 13110 memcache.go:265] \"Unhandled Error\"\nThe connection to the \
             server localhost:8080 was refused - did you specify the right host or port?",
            3,
            "is the cluster up",
        ),
    ] {
        let cluster = Cluster::new();
        cluster.answers("refused", refused);
        let output = cluster.collect(&[]);
        let said = text(&output.stderr);
        assert_eq!(output.status.code(), Some(code), "{said}");
        let last = refused.lines().last().unwrap();
        assert!(said.contains(words) && said.contains(last), "{said}");
        assert!(!said.contains("memcache.go"), "{said}");
    }
}

#[test]
fn the_real_kubectl_is_understood_where_it_refuses() {
    if !common::has_program("collect-kubectl", "kubectl") {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    for (more, code, words) in [
        (&["--context", "no-such-context"][..], 2, "get-contexts"),
        (&[], 3, "is the cluster up"),
    ] {
        let output = common::memtide()
            .args(["collect", "--job", "x"])
            .args(more)
            .current_dir(dir.path())
            .env("KUBECONFIG", dir.path().join("none"))
            .output()
            .unwrap();
        let said = text(&output.stderr);
        assert_eq!(output.status.code(), Some(code), "{said}");
        assert!(said.contains(words), "{said}");
    }
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
