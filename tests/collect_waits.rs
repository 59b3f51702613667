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
        pod(
            FIRST,
            0,
            "memtide-0-abcde",
            &THREE,
            ended("Succeeded", 0, "Completed"),
        ),
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
    let done =
        json!({"completedIndexes": "0", "conditions": [{"type": "Complete", "status": "True"}]});
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
            pod(
                FIRST,
                0,
                "memtide-0-abcde",
                &THREE[..2],
                ended("Succeeded", 0, "Completed"),
            ),
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
    let same = ["log-read-twice"; 3];
    let done =
        json!({"completedIndexes": "0-2", "conditions": [{"type": "Complete", "status": "True"}]});
    let mut pods = Vec::new();
    // The third is of the first one's kind.
    for (n, setup) in ["6.1-v2", "6.1-v2-mglru", "6.1-v2"].iter().enumerate() {
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
    let output = cluster.collect(&[]);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stdout));
    let summary = std::fs::read_to_string(cluster.out().join("summary.md")).unwrap();
    let own = summary.split("## The cluster's own nodes").nth(1).unwrap();
    let own = own.split("\n## Against").next().unwrap();
    assert!(
        own.contains("worker-0") && own.contains("worker-1"),
        "{own}"
    );
    assert!(!own.contains("worker-2") && own.contains("mglru"), "{own}");
}
