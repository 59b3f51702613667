//! `memtide collect` while it waits: what it waits for, what it does not, and what it says meanwhile.

#[path = "common/cluster.rs"]
mod cluster;
mod common;

use cluster::*;
use serde_json::json;

#[test]
fn a_job_that_is_deleted_while_it_is_waited_for_ends_the_wait() {
    let cluster = Cluster::new();
    let pods = [
        succeeded(0, &THREE),
        pod(FIRST, 1, "memtide-1-abcde", &THREE, running()),
    ];
    cluster
        .at(
            0,
            Some(&job(
                FIRST,
                &THREE,
                json!({"active": 1, "completedIndexes": "0"}),
            )),
            &pods,
        )
        .file(0, "memtide-0-abcde.log", log("log-write", 1.0))
        .file(0, "memtide-1-abcde.follow", log("steady", 0.4))
        .at(4, None, &[]);
    let output = cluster.collect(&[]);
    assert_result(
        &cluster,
        &output,
        &[
            ("log-write", "pass", ""),
            ("steady", "fail", "the pod was deleted"),
            (
                "heap-churn",
                "fail",
                "the Job was deleted before this index",
            ),
        ],
    );
    let said = text(&output.stderr);
    assert_eq!(said.matches("was deleted while").count(), 1, "{said}");
}

#[test]
fn the_same_trouble_in_other_words_ends_the_wait() {
    let cluster = Cluster::new();
    let active = job(FIRST, &THREE, json!({"active": 1}));
    for at in 0..60 {
        let (reason, message) = match at % 2 {
            0 => (
                "ErrImagePull",
                "rpc error: code = NotFound desc = failed to pull and unpack image ".repeat(5),
            ),
            _ => (
                "ImagePullBackOff",
                "Back-off pulling image \"localhost/memtide:latest\"".to_string(),
            ),
        };
        let one = pod(
            FIRST,
            0,
            "memtide-0-abcde",
            &THREE,
            waiting(reason, &message),
        );
        cluster.at(at, Some(&active), &[one]);
    }
    let output = cluster.collect(&[]);
    assert_result(
        &cluster,
        &output,
        &[
            ("log-write", "fail", "the image is missing"),
            ("steady", "fail", ""),
            ("heap-churn", "fail", ""),
        ],
    );
    assert_is_short(&text(&output.stderr));

    // Each try of the Job controller has another pod's name.
    let cluster = Cluster::new();
    for at in 0..60 {
        let why = format!(
            "Error creating: pods \"memtide-0-{at:05}\" is forbidden: violates PodSecurity \
            \"restricted:latest\": {}",
            "unrestricted capabilities ".repeat(10)
        );
        let event = json!({"type": "Warning", "reason": "FailedCreate", "message": why,
            "lastTimestamp": format!("2026-11-28T08:{at:02}:00Z"),
            "involvedObject": {"kind": "Job", "name": "memtide", "uid": FIRST}});
        cluster
            .at(at, Some(&job(FIRST, &THREE, json!({}))), &[])
            .file(
                at,
                "events.json",
                json!({"kind": "List", "items": [event]}).to_string(),
            );
    }
    let output = cluster.collect(&[]);
    assert_result(
        &cluster,
        &output,
        &[
            ("log-write", "fail", "violates PodSecurity"),
            ("steady", "fail", "violates PodSecurity"),
            ("heap-churn", "fail", "violates PodSecurity"),
        ],
    );
    assert_is_short(&text(&output.stderr));
}

/// Few lines, none longer than two hundred characters, and the reason of the end.
fn assert_is_short(said: &str) {
    let lines: Vec<&str> = said.lines().collect();
    assert!(lines.len() <= 4, "{said}");
    assert!(
        lines.iter().all(|line| line.chars().count() <= 200),
        "{said}"
    );
    assert!(said.contains("nothing has changed for"), "{said}");
}

#[test]
fn a_server_that_is_away_is_waited_for() {
    let cluster = Cluster::new();
    let one = |status| pod(FIRST, 0, "memtide-0-abcde", &THREE[..1], status);
    cluster.at(
        0,
        Some(&job(FIRST, &THREE[..1], json!({"active": 1}))),
        &[one(running())],
    );
    // Many times more than any number of failures that could be counted.
    cluster.file(
        3,
        "refused",
        "The connection to the server 10.0.0.1:6443 was refused - did you \
        specify the right host or port?\n",
    );
    let done = complete("0");
    cluster
        .at(
            40,
            Some(&job(FIRST, &THREE[..1], done)),
            &[one(ended("Succeeded", 0, "Completed"))],
        )
        .file(40, "memtide-0-abcde.log", log("log-write", 1.0));
    let output = cluster.collect(&[]);
    assert_result(&cluster, &output, &[("log-write", "pass", "")]);
    let said = text(&output.stderr);
    assert_eq!(said.matches("was refused").count(), 1, "{said}");
    assert!(said.contains("answers again"), "{said}");
}

#[test]
fn rights_that_are_lost_end_the_wait_and_what_there_is_is_judged() {
    for refused in [
        "Error from server (Forbidden): jobs.batch \"memtide\" is forbidden: User \"u\" cannot get\n",
        "error: You must be logged in to the server (Unauthorized)\n",
    ] {
        let cluster = Cluster::new();
        let pods = [
            succeeded(0, &THREE[..2]),
            pod(FIRST, 1, "memtide-1-abcde", &THREE[..2], running()),
        ];
        cluster
            .at(
                0,
                Some(&job(FIRST, &THREE[..2], json!({"active": 1}))),
                &pods,
            )
            .file(0, "memtide-0-abcde.log", log("log-write", 1.0))
            .file(3, "refused", refused);
        let output = cluster.collect(&[]);
        assert_eq!(output.status.code(), Some(3), "{}", text(&output.stderr));
        assert!(text(&output.stderr).contains(refused.trim_end()));
        assert_result(
            &cluster,
            &output,
            &[
                ("log-write", "pass", ""),
                ("steady", "fail", "still running"),
            ],
        );
    }
}

#[test]
fn jobs_without_pods_have_names_and_pods_that_do_not_start_have_reasons() {
    let cluster = Cluster::new();
    let mut suspended = job(FIRST, &THREE, json!({}));
    suspended["spec"]["suspend"] = true.into();
    cluster.at(0, Some(&suspended), &[]);
    let output = cluster.collect(&[]);
    assert_result(
        &cluster,
        &output,
        &[
            ("log-write", "fail", "suspended"),
            ("steady", "fail", "suspended"),
            ("heap-churn", "fail", "suspended"),
        ],
    );

    let cluster = Cluster::new();
    let one = pod(
        FIRST,
        0,
        "memtide-0-abcde",
        &THREE[..1],
        waiting("ContainerCreating", ""),
    );
    let event = json!({"type": "Warning", "reason": "FailedMount", "message": "MountVolume.SetUp failed \
        for volume \"log\" : hostPath type check failed: /data/log is not a directory",
        "lastTimestamp": "2026-11-28T08:01:00Z",
        "involvedObject": {"kind": "Pod", "name": "memtide-0-abcde"}});
    cluster
        .at(
            0,
            Some(&job(FIRST, &THREE[..1], json!({"active": 1}))),
            &[one],
        )
        .file(
            0,
            "events.json",
            json!({"kind": "List", "items": [event]}).to_string(),
        );
    let output = cluster.collect(&[]);
    assert_result(
        &cluster,
        &output,
        &[(
            "log-write",
            "fail",
            "pending: FailedMount: MountVolume.SetUp failed",
        )],
    );
}

#[test]
fn a_pods_own_word_that_something_fell_short_is_believed() {
    let cluster = Cluster::new();
    let failed = json!({"failedIndexes": "0", "conditions": [{"type": "Failed", "status": "True",
        "reason": "FailedIndexes", "message": "Job has failed indexes"}]});
    let one = pod(
        FIRST,
        0,
        "memtide-0-abcde",
        &THREE[..1],
        ended("Failed", 1, "Error"),
    );
    cluster
        .at(0, Some(&job(FIRST, &THREE[..1], failed)), &[one])
        .file(0, "memtide-0-abcde.log", log("log-write", 1.0));
    let output = cluster.collect(&[]);
    assert_result(
        &cluster,
        &output,
        &[("log-write", "fail", "the pod ended with exit 1")],
    );
}

#[test]
fn nodes_of_several_kinds_stand_side_by_side() {
    let cluster = Cluster::new();
    let same = ["log-read-twice"; 5];
    let done = complete("0-4");
    let mut pods = Vec::new();
    // The third is of the first one's kind.
    let setups = ["6.1-v2", "6.1-v2-mglru", "6.1-v2", "6.1-v1", "3.10-v1"];
    for (n, setup) in setups.iter().enumerate() {
        let name = format!("memtide-{n}-abcde");
        let mut one = pod(FIRST, n, &name, &same, ended("Succeeded", 0, "Completed"));
        one["spec"]["nodeName"] = format!("worker-{n}").into();
        pods.push(one);
        let packed = memtide::shipped::find(setup, "log-read-twice")
            .unwrap()
            .packed;
        let mut log = Vec::new();
        std::io::Read::read_to_end(&mut flate2::read::GzDecoder::new(packed), &mut log).unwrap();
        cluster.file(0, &format!("{name}.log"), log);
    }
    cluster.at(0, Some(&job(FIRST, &same, done)), &pods);
    let output = cluster.collect(&["--publish", "node-labels"]);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stdout));
    let summary = std::fs::read_to_string(cluster.out().join("summary.md")).unwrap();
    let own = summary.split("## The cluster's own nodes").nth(1).unwrap();
    let own = own.split("\n## Against").next().unwrap();
    for (node, kind) in [
        ("worker-0", ", v2, classic)"),
        ("worker-1", ", v2, mglru)"),
        ("worker-3", ", v1, classic)"),
        ("worker-4", "(3.10"),
    ] {
        let column = format!("| {node} (");
        assert!(own.contains(&column) && own.contains(kind), "{node}: {own}");
    }
    assert!(!own.contains("worker-2"), "{own}");
    // What a second reading of the log does is not the same on all of them, and that is told.
    assert!(own.contains("**"), "{own}");

    // The API takes every label's value, and nodes of one kind have one.
    let calls = std::fs::read_to_string(cluster.dir.path().join("calls")).unwrap();
    let labels: Vec<(&str, &str)> = calls
        .lines()
        .filter_map(|call| {
            call.strip_prefix("label node ")?
                .split_once(" memtide/kind=")
        })
        .map(|(node, rest)| (node, rest.split(' ').next().unwrap()))
        .collect();
    assert_eq!(labels.len(), setups.len(), "{calls}");
    for (node, value) in &labels {
        let ends = [value.chars().next(), value.chars().last()];
        let fine = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
        assert!(
            value.len() <= 63 && value.chars().all(fine),
            "{node}: {value}"
        );
        assert!(
            ends.iter()
                .all(|c| c.is_some_and(|c| c.is_ascii_alphanumeric()))
        );
    }
    let kinds: std::collections::BTreeSet<&str> = labels.iter().map(|(_, value)| *value).collect();
    assert_eq!(kinds.len(), 4, "{labels:?}");

    // The same by `compare`, from the files that were kept.
    let compared = common::memtide()
        .args(["compare", "--check"])
        .args(["0", "1", "3", "4"].map(|n| {
            let file = format!("recordings/memtide-{n}-log-read-twice.jsonl");
            cluster.out().join(file)
        }))
        .output()
        .unwrap();
    assert_eq!(
        compared.status.code(),
        Some(1),
        "{}",
        text(&compared.stderr)
    );
}

#[test]
fn a_server_that_is_away_at_the_start_or_when_it_is_told_is_waited_for() {
    let cluster = Cluster::new();
    let config = json!({"current-context": "c",
        "contexts": [{"name": "c", "context": {"namespace": "n"}}],
        "clusters": [{"cluster": {"server": "https://10.0.0.1:6443"}}]});
    let done = complete("0");
    let one = succeeded(0, &THREE[..1]);
    cluster
        .file(0, "config.json", config.to_string())
        .file(0, "refused", "Unable to connect to the server: EOF\n")
        .at(2, Some(&job(FIRST, &THREE[..1], done)), &[one])
        .file(2, "config.json", config.to_string())
        .file(
            2,
            "namespace.json",
            json!({"kind": "Namespace", "metadata": {"name": "n", "uid": "u-1"}}).to_string(),
        )
        .file(2, "memtide-0-abcde.log", log("log-write", 1.0));
    std::fs::write(cluster.dir.path().join("away"), "1").unwrap();
    let output = cluster.collect(&[
        "--patience",
        "60s",
        "--publish",
        "configmap",
        "--publish",
        "node-labels",
    ]);
    let said = text(&output.stderr);
    assert_eq!(output.status.code(), Some(0), "{said}");
    assert_eq!(said.matches("trying again").count(), 1, "{said}");
    let source = std::fs::read_to_string(cluster.out().join("jobs/memtide.source")).unwrap();
    assert!(source.contains("u-1"), "{source}");
    assert!(cluster.dir.path().join("given").exists());
    let calls = std::fs::read_to_string(cluster.dir.path().join("calls")).unwrap();
    let label = "label node worker-1 memtide/kind=v2-classic-6.1.";
    assert!(calls.contains(label), "{calls}");
}

#[test]
fn a_job_or_a_namespace_that_goes_at_once_ends_the_wait() {
    for answer in [
        None,
        Some("Error from server (NotFound): namespaces \"n\" not found\n"),
    ] {
        let cluster = Cluster::new();
        cluster
            .at(0, Some(&job(FIRST, &THREE, json!({}))), &[])
            .at(1, None, &[]);
        if let Some(answer) = answer {
            cluster.file(1, "refused", answer);
        }
        let output = cluster.collect(&[]);
        let gone = "the Job was deleted before this index";
        assert_result(
            &cluster,
            &output,
            &THREE.map(|scenario| (scenario, "fail", gone)),
        );
        let said = text(&output.stderr);
        assert_eq!(said.matches("was deleted while").count(), 1, "{said}");
    }
}

/// What it is, a pod's status by the look's number, and what the verdict says of it.
type Trouble = (&'static str, fn(usize) -> serde_json::Value, &'static str);

/// Every kind of trouble whose words change from look to look.
fn troubles() -> Vec<Trouble> {
    vec![
        (
            "a claim of the scheduler's",
            |at| {
                json!({"phase": "Pending", "conditions": [{"type": "PodScheduled", "status": "False",
                    "reason": "Unschedulable", "message":
                    format!("0/{} nodes are available: {at} Insufficient memory.", at + 3)}]})
            },
            "no node takes it",
        ),
        (
            "a container that can't be made",
            |at| match at % 2 {
                0 => waiting("CreateContainerConfigError", "secret \"x\" not found"),
                _ => waiting("CreateContainerError", "context deadline exceeded"),
            },
            "can't be started",
        ),
        (
            "an init container's image",
            |at| {
                let reason = ["ErrImagePull", "ImagePullBackOff"][at % 2];
                json!({"phase": "Pending", "conditions": [{"type": "PodScheduled", "status": "True"}],
                    "initContainerStatuses": [
                        {"name": "first", "state": {"terminated": {"exitCode": 0, "reason": "Completed"}}},
                        {"name": "mesh", "state": {"waiting": {"reason": reason, "message": "m"}}}],
                    "containerStatuses": [{"name": "memtide",
                        "state": {"waiting": {"reason": "PodInitializing"}}}]})
            },
            "init container mesh: ",
        ),
        (
            "an init container that ends again and again",
            |at| {
                json!({"phase": "Pending",
                    "initContainerStatuses": [{"name": "mesh", "restartCount": at, "state": {"waiting":
                        {"reason": "CrashLoopBackOff", "message": format!("back-off {at}0s restarting")}},
                        "lastState": {"terminated": {"exitCode": 1, "reason": "Error"}}}],
                    "containerStatuses": [{"name": "memtide",
                        "state": {"waiting": {"reason": "PodInitializing"}}}]})
            },
            "init container mesh: CrashLoopBackOff",
        ),
        (
            "a node that does not answer",
            |_| json!({"phase": "Unknown"}),
            "its node does not answer",
        ),
    ]
}

#[test]
fn trouble_of_one_kind_ends_the_wait_whatever_its_words() {
    for (what, status, reason) in troubles() {
        let cluster = Cluster::new();
        for at in 0..40 {
            let one = pod(FIRST, 0, "memtide-0-abcde", &THREE[..1], status(at));
            cluster.at(
                at,
                Some(&job(FIRST, &THREE[..1], json!({"active": 1}))),
                &[one],
            );
        }
        let output = cluster.collect(&[]);
        let said = text(&output.stderr);
        assert!(said.contains("nothing has changed"), "{what}: {said}");
        assert!(said.lines().count() <= 4, "{what}: {said}");
        assert_result(&cluster, &output, &[("log-write", "fail", reason)]);
    }
    // No pod may be made, for reasons whose numbers change.
    let cluster = Cluster::new();
    for at in 0..40 {
        let why = format!(
            "Error creating: pods \"memtide-0-{at:05}\" is forbidden: exceeded quota: q, requested: \
             memory=256Mi, used: memory={at}Mi, limited: memory=300Mi"
        );
        let event = json!({"type": "Warning", "reason": "FailedCreate", "message": why, "count": at,
            "involvedObject": {"kind": "Job", "name": "memtide", "uid": FIRST}});
        let events = json!({"kind": "List", "items": [event]}).to_string();
        cluster
            .at(at, Some(&job(FIRST, &THREE[..1], json!({}))), &[])
            .file(at, "events.json", events);
    }
    let output = cluster.collect(&[]);
    assert_result(
        &cluster,
        &output,
        &[("log-write", "fail", "exceeded quota")],
    );
    assert_is_short(&text(&output.stderr));
}

#[test]
fn pods_without_logs_keep_no_other_from_being_judged() {
    let cluster = Cluster::new();
    let never =
        json!({"phase": "Failed", "reason": "Evicted", "message": "Pod was rejected: disk"});
    let init = json!({"phase": "Failed",
        "initContainerStatuses": [{"name": "mesh", "state": {"terminated":
            {"exitCode": 7, "reason": "Error"}}}],
        "containerStatuses": [{"name": "memtide", "state": {"waiting": {"reason": "PodInitializing"}}}]});
    let four = ["log-write", "steady", "heap-churn", "mmap-scan"];
    let lists = json!({"completedIndexes": "2,3", "failedIndexes": "0-1",
        "conditions": [{"type": "Failed", "status": "True", "reason": "FailedIndexes", "message": "m"}]});
    let done = || ended("Succeeded", 0, "Completed");
    let pods = [
        pod(FIRST, 0, "memtide-0-abcde", &four, never),
        pod(FIRST, 1, "memtide-1-abcde", &four, init),
        pod(FIRST, 2, "memtide-2-abcde", &four, done()),
        pod(FIRST, 3, "memtide-3-abcde", &four, done()),
    ];
    cluster
        .at(0, Some(&job(FIRST, &four, lists)), &pods)
        .file(
            0,
            "memtide-0-abcde.err",
            "Error from server (BadRequest): container \"memtide\" in pod \"memtide-0-abcde\" is not \
             available\n",
        )
        .file(
            0,
            "memtide-1-abcde.err",
            "Error from server (BadRequest): container \"memtide\" in pod \"memtide-1-abcde\" is \
             waiting to start: PodInitializing\n",
        )
        // Its node is lost.
        .file(
            0,
            "memtide-2-abcde.err",
            "Error from server: Get \"https://10.0.0.2:10250/containerLogs/n/memtide-2-abcde/memtide\": \
             dial tcp 10.0.0.2:10250: connect: no route to host\n",
        )
        .file(0, "memtide-3-abcde.log", log("mmap-scan", 1.0));
    let output = cluster.collect(&[]);
    assert_result(
        &cluster,
        &output,
        &[
            (
                "log-write",
                "fail",
                "evicted by the kubelet: Pod was rejected",
            ),
            ("steady", "fail", "init container mesh ended with exit 7"),
            ("heap-churn", "fail", "no route to host"),
            ("mmap-scan", "pass", ""),
        ],
    );
}

#[test]
fn a_node_that_answers_again_gives_its_logs() {
    let cluster = Cluster::new();
    let done = complete("0");
    let done = job(FIRST, &THREE[..1], done);
    let one = succeeded(0, &THREE[..1]);
    cluster
        .at(0, Some(&done), std::slice::from_ref(&one))
        .file(
            0,
            "memtide-0-abcde.err",
            "Error from server: Get \"https://10.0.0.2:10250/containerLogs/n/memtide-0-abcde/memtide\": \
             dial tcp 10.0.0.2:10250: connect: connection refused\n",
        )
        // Later than any number of tries that could be counted.
        .at(5, Some(&done), &[one])
        .file(5, "memtide-0-abcde.log", log("log-write", 1.0));
    let output = cluster.collect(&["--patience", "60s"]);
    assert_result(&cluster, &output, &[("log-write", "pass", "")]);
}
