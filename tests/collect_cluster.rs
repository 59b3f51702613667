//! `memtide collect` with the answers of a real API server and kubelet (1.36): what must never be a
//! pass, and what must not end a collection.

#[path = "common/cluster.rs"]
mod cluster;
mod common;

use cluster::*;
use serde_json::{Value, json};

/// A Job that has come to its end, all three recorded.
fn three_done(cluster: &Cluster) {
    let done = json!({"completedIndexes": "0-2", "succeeded": 3,
        "conditions": [{"type": "Complete", "status": "True"}]});
    let pods: Vec<Value> = (0..3)
        .map(|n| {
            pod(
                FIRST,
                n,
                &format!("memtide-{n}-abcde"),
                &THREE,
                ended("Succeeded", 0, "Completed"),
            )
        })
        .collect();
    cluster.at(0, Some(&job(FIRST, &THREE, done)), &pods);
    for (n, scenario) in THREE.iter().enumerate() {
        cluster.file(0, &format!("memtide-{n}-abcde.log"), log(scenario, 1.0));
    }
}

#[test]
fn an_old_run_is_no_new_pass() {
    let cluster = Cluster::new();
    three_done(&cluster);
    let first = cluster.collect(&["--namespace", "n"]);
    assert_eq!(first.status.code(), Some(0), "{}", text(&first.stdout));
    // Deleted and applied again; nothing has run. Pods of the first are still being taken down.
    let old = succeeded(0, &THREE);
    cluster
        .again()
        .at(0, Some(&job(SECOND, &THREE, json!({"active": 1}))), &[old]);
    let second = cluster.collect(&["--namespace", "n", "--timeout", "1ms"]);
    assert_result(
        &cluster,
        &second,
        &[
            ("log-write", "fail", "no pod was made yet"),
            ("steady", "fail", "no pod was made yet"),
            ("heap-churn", "fail", "no pod was made yet"),
        ],
    );
    let said = text(&second.stderr);
    assert!(
        said.contains("is a new one") && said.contains("earlier/memtide-4b7b2f0e"),
        "{said}"
    );
    assert!(said.contains("0 of 3 done"), "{said}");
    // All of it is there, aside, and judged by itself gives what it gave.
    let recordings = std::fs::read_dir(cluster.out().join("recordings")).unwrap();
    assert_eq!(recordings.count(), 0);
    let aside = cluster.out().join(format!("earlier/memtide-{FIRST}"));
    let again = common::memtide()
        .arg("collect")
        .arg(&aside)
        .output()
        .unwrap();
    assert_eq!(again.status.code(), Some(0), "{}", text(&again.stdout));
}

#[test]
fn a_namespace_that_never_had_the_job_has_no_result() {
    let cluster = Cluster::new();
    three_done(&cluster);
    let config = |namespace: &str| {
        json!({"current-context": "kind-a",
        "contexts": [{"name": "kind-a", "context": {"namespace": namespace}}],
        "clusters": [{"cluster": {"server": "https://127.0.0.1:6443"}}]})
        .to_string()
    };
    cluster.file(0, "config.json", config("n"));
    assert_eq!(cluster.collect(&[]).status.code(), Some(0));
    // Another namespace; another cluster.
    for (namespace, server) in [
        ("other", "https://127.0.0.1:6443"),
        ("n", "https://10.0.0.9:6443"),
    ] {
        cluster.again().file(
            0,
            "config.json",
            config(namespace).replace("https://127.0.0.1:6443", server),
        );
        let output = cluster.collect(&[]);
        let said = text(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{said}");
        assert!(said.contains("not judged as this one's"), "{said}");
    }
    // The very same place: its time to live has come. It is judged, and is no news.
    cluster.again().file(0, "config.json", config("n"));
    let output = cluster.collect(&[]);
    assert_eq!(output.status.code(), Some(2), "{}", text(&output.stderr));
    let said = text(&output.stderr);
    for part in [
        "is gone from the cluster",
        "was kept before",
        "`memtide collect ",
    ] {
        assert!(said.contains(part), "{said}");
    }
    assert_eq!(runs(&cluster).len(), 3);
    // What an older memtide kept does not tell of which cluster it was.
    std::fs::remove_file(cluster.out().join("jobs/memtide.source")).unwrap();
    let output = cluster.collect(&[]);
    let said = text(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{said}");
    assert!(said.contains("not judged as this one's"), "{said}");
    // And no results of an earlier run stand there for whoever looks.
    for file in ["results.json", "junit.xml", "summary.md"] {
        assert!(!cluster.out().join(file).exists(), "{file}");
    }
}

#[test]
fn a_job_that_is_made_again_while_it_is_waited_for_is_waited_for() {
    for (last, code, result, reason) in [
        ("Completed", 0, "pass", ""),
        ("Error", 1, "fail", "the pod ended with exit 1"),
    ] {
        let cluster = Cluster::new();
        let old = pod(
            FIRST,
            0,
            "memtide-0-first",
            &THREE[..1],
            ended("Succeeded", 0, "Completed"),
        );
        let two = [THREE[0], THREE[1]];
        // Something runs all the time: who waits for that is not stuck.
        let runs = |uid, name| pod(uid, 1, name, &two, running());
        cluster
            .at(
                0,
                Some(&job(FIRST, &two, json!({"active": 1}))),
                &[old.clone(), runs(FIRST, "memtide-1-first")],
            )
            .file(0, "memtide-0-first.log", log("log-write", 1.0))
            // The pods of both are there for a while.
            .at(
                3,
                Some(&job(SECOND, &two, json!({"active": 1}))),
                &[old, runs(SECOND, "memtide-1-second")],
            )
            .file(3, "memtide-0-first.log", log("log-write", 1.0));
        let lists = match code {
            0 => complete("0,1"),
            _ => json!({"completedIndexes": "1", "failedIndexes": "0",
                "conditions": [{"type": "Failed", "status": "True"}]}),
        };
        let phase = if code == 0 { "Succeeded" } else { "Failed" };
        let new = pod(
            SECOND,
            0,
            "memtide-0-second",
            &two,
            ended(phase, code, last),
        );
        let other = pod(
            SECOND,
            1,
            "memtide-1-second",
            &two,
            ended("Succeeded", 0, "Completed"),
        );
        cluster
            .at(6, Some(&job(SECOND, &two, lists)), &[new, other])
            .file(6, "memtide-0-second.log", log("log-write", 1.0))
            .file(6, "memtide-1-second.log", log("steady", 1.0));
        let output = cluster.collect(&[]);
        assert_result(
            &cluster,
            &output,
            &[("log-write", result, reason), ("steady", "pass", "")],
        );
        assert!(text(&output.stderr).contains("is a new one"));
        let aside = cluster.out().join(format!("earlier/memtide-{FIRST}/logs"));
        assert!(aside.join("memtide-0-first.log").exists());
    }
}

#[test]
fn a_log_of_another_scenario_is_not_this_ones() {
    let done = complete("0");
    for (said, reason) in [
        (
            log("steady", 1.0),
            "holds one of steady, and index 0 is log-write",
        ),
        (without_a_disk("steady"), "the recording is lost"),
    ] {
        let cluster = Cluster::new();
        let one = succeeded(0, &THREE[..1]);
        cluster
            .at(0, Some(&job(FIRST, &THREE[..1], done.clone())), &[one])
            .file(0, "memtide-0-abcde.log", said);
        let output = cluster.collect(&[]);
        let scenario = runs(&cluster)[0]["scenario"].as_str().unwrap().to_string();
        assert_result(&cluster, &output, &[(&scenario, "fail", reason)]);
    }
}

#[test]
fn nothing_that_ran_is_no_pass() {
    // No index at all; pods that can't be told apart; nothing but skips.
    let status = json!({"conditions": [{"type": "Complete", "status": "True"}]});
    let cluster = Cluster::new();
    cluster.at(0, Some(&job(FIRST, &[], status.clone())), &[]);
    let output = cluster.collect(&[]);
    assert_result(&cluster, &output, &[("unknown", "fail", "completions: 0")]);

    let cluster = Cluster::new();
    let mut several = job(FIRST, &THREE[..2], status);
    several["spec"]["completionMode"] = "NonIndexed".into();
    let one = pod(
        FIRST,
        0,
        "memtide-abcde",
        &THREE[..2],
        ended("Succeeded", 0, "Completed"),
    );
    cluster
        .at(0, Some(&several), &[one])
        .file(0, "memtide-abcde.log", log("log-write", 1.0));
    let output = cluster.collect(&[]);
    assert_result(
        &cluster,
        &output,
        &[("log-write", "fail", "is not Indexed")],
    );

    let cluster = Cluster::new();
    let done = complete("0");
    let one = succeeded(0, &THREE[..1]);
    cluster
        .at(0, Some(&job(FIRST, &THREE[..1], done)), &[one])
        .file(0, "memtide-0-abcde.log", without_a_disk("log-write"));
    let output = cluster.collect(&[]);
    assert_eq!(runs(&cluster)[0]["result"], "skip");
    assert_eq!(output.status.code(), Some(1), "{}", text(&output.stderr));
    assert!(text(&output.stderr).contains("every index was skipped"));
}

#[test]
fn what_else_is_in_the_folder_is_not_judged() {
    let cluster = Cluster::new();
    three_done(&cluster);
    assert_eq!(cluster.collect(&[]).status.code(), Some(0));
    let mut other = job(SECOND, &["leak"], json!({"active": 1}));
    other["metadata"]["name"] = "memtide-oom".into();
    cluster.again().at(0, Some(&other), &[]);
    let path = std::env::var("PATH").unwrap();
    let output = common::memtide()
        .args([
            "collect",
            "--job",
            "memtide-oom",
            "--timeout",
            "1ms",
            "--out",
        ])
        .arg(cluster.out())
        .env("PATH", format!("{}:{path}", cluster.dir.path().display()))
        .env("ANSWERS", cluster.dir.path())
        .output()
        .unwrap();
    assert_result(
        &cluster,
        &output,
        &[("leak", "fail", "no pod was made yet")],
    );
}

#[test]
fn an_evicted_pod_without_a_log_is_that_pods_fate() {
    let cluster = Cluster::new();
    let evicted = json!({"phase": "Failed", "reason": "Evicted",
        "message": "The node was low on resource: ephemeral-storage.",
        "conditions": [{"type": "DisruptionTarget", "status": "True", "reason": "TerminationByKubelet",
            "message": "The node was low on resource: ephemeral-storage."}],
        "containerStatuses": [{"name": "memtide", "state": {"terminated": {"exitCode": 137,
            "reason": "ContainerStatusUnknown"}}}]});
    let one = |uid| pod(uid, 0, "memtide-0-abcde", &THREE[..2], evicted.clone());
    let err = "Error from server (BadRequest): container \"memtide\" in pod \"memtide-0-abcde\" is not \
               available\n";
    cluster
        .at(
            0,
            Some(&job(FIRST, &THREE[..2], json!({"active": 1}))),
            &[one(FIRST)],
        )
        .file(0, "memtide-0-abcde.err", err);
    let done = complete("0,1");
    let again = pod(
        FIRST,
        0,
        "memtide-0-second",
        &THREE[..2],
        ended("Succeeded", 0, "Completed"),
    );
    let other = succeeded(1, &THREE[..2]);
    cluster
        .at(
            3,
            Some(&job(FIRST, &THREE[..2], done)),
            &[one(FIRST), again, other],
        )
        .file(3, "memtide-0-abcde.err", err)
        .file(3, "memtide-0-second.log", log("log-write", 1.0))
        .file(3, "memtide-1-abcde.log", log("steady", 1.0));
    let output = cluster.collect(&[]);
    assert_result(
        &cluster,
        &output,
        &[("log-write", "pass", ""), ("steady", "pass", "")],
    );
    let shown = text(&output.stdout);
    assert!(
        shown.contains("tried 2 times; the others: evicted by the kubelet"),
        "{shown}"
    );
    let lost = text(&cluster.kept("memtide-0-abcde.lost").unwrap());
    assert!(lost.contains("is not available"), "{lost}");
}

#[test]
fn a_result_without_a_recording_is_a_failure() {
    for answer in [
        "unable to retrieve container logs for containerd://8c5f0a1b2c3d",
        "unable to retrieve container logs for docker://8c5f0a1b2c3d",
        "unable to retrieve container logs for cri-o://8c5f0a1b2c3d",
        "failed to open log file \"/var/log/pods/n_memtide-0-abcde_u/memtide/0.log\": open \
         /var/log/pods/n_memtide-0-abcde_u/memtide/0.log: no such file or directory",
        "failed to try resolving symlinks in path \"/var/log/pods/n_memtide-0-abcde_u/memtide/0.log\": \
         lstat /var/log/pods: no such file or directory",
        "",
        "something that nobody has foreseen\n",
        "0 passed, 0 failed, 1 skipped\n",
    ] {
        let cluster = Cluster::new();
        let done = complete("0");
        let one = succeeded(0, &THREE[..1]);
        cluster
            .at(0, Some(&job(FIRST, &THREE[..1], done)), &[one])
            .file(0, "memtide-0-abcde.log", answer);
        let output = cluster.collect(&[]);
        assert_result(
            &cluster,
            &output,
            &[("log-write", "fail", "the recording is lost")],
        );
        if answer.contains("unable") || answer.contains("failed to") {
            assert_eq!(cluster.kept("memtide-0-abcde.log"), None, "{answer}");
            assert!(
                runs(&cluster)[0]["reason"]
                    .as_str()
                    .unwrap()
                    .contains(&answer[..20])
            );
            // An older memtide has kept it as the log.
            std::fs::write(cluster.out().join("logs/memtide-0-abcde.log"), answer).unwrap();
            let again = cluster.collect(&[]);
            assert_result(
                &cluster,
                &again,
                &[("log-write", "fail", "the recording is lost")],
            );
        }
    }
}

#[test]
fn a_log_that_is_cut_is_asked_for_again() {
    let cluster = Cluster::new();
    let done = complete("0");
    let done = job(FIRST, &THREE[..1], done);
    let one = succeeded(0, &THREE[..1]);
    cluster
        .at(0, Some(&done), std::slice::from_ref(&one))
        .file(0, "memtide-0-abcde.log", log("log-write", 0.5))
        .file(0, "memtide-0-abcde.err", "error: unexpected EOF\n")
        // Then without a word of it being cut.
        .at(2, Some(&done), std::slice::from_ref(&one))
        .file(2, "memtide-0-abcde.log", log("log-write", 0.7))
        .at(3, Some(&done), &[one])
        .file(3, "memtide-0-abcde.log", log("log-write", 1.0));
    let output = cluster.collect(&[]);
    assert_result(&cluster, &output, &[("log-write", "pass", "")]);
}

#[test]
fn a_deleted_pod_is_waited_for_and_leaves_what_it_said() {
    let cluster = Cluster::new();
    let active = job(FIRST, &THREE[..1], json!({"active": 1}));
    let first = |status: Value, deleting: bool| {
        let mut pod = pod(FIRST, 0, "memtide-0-abcde", &THREE[..1], status);
        if deleting {
            pod["metadata"]["deletionTimestamp"] = "2026-11-28T08:01:00Z".into();
        }
        pod
    };
    cluster
        .at(0, Some(&active), &[first(running(), false)])
        .file(0, "memtide-0-abcde.follow", log("log-write", 0.6))
        .at(3, Some(&active), &[first(running(), true)])
        .at(
            4,
            Some(&active),
            &[first(ended("Failed", 130, "Error"), true)],
        )
        // Gone; for a while there is nothing at all.
        .at(5, Some(&job(FIRST, &THREE[..1], json!({"active": 0}))), &[]);
    let second = pod(FIRST, 0, "memtide-0-second", &THREE[..1], running());
    cluster
        .at(7, Some(&active), &[second])
        .file(7, "memtide-0-second.log", log("log-write", 0.5));
    let done = complete("0");
    let second = pod(
        FIRST,
        0,
        "memtide-0-second",
        &THREE[..1],
        ended("Succeeded", 0, "Completed"),
    );
    cluster
        .at(9, Some(&job(FIRST, &THREE[..1], done)), &[second])
        .file(9, "memtide-0-second.log", log("log-write", 1.0));
    let output = cluster.collect(&[]);
    assert_result(&cluster, &output, &[("log-write", "pass", "")]);
    assert!(
        text(&output.stderr).contains("is to be tried again"),
        "{}",
        text(&output.stderr)
    );
    let left = cluster.kept("memtide-0-abcde.part").unwrap();
    assert_eq!(left, log("log-write", 0.6));
}

#[test]
fn a_pod_that_vanished_while_it_ran_has_left_what_it_had() {
    let cluster = Cluster::new();
    let one = pod(FIRST, 0, "memtide-0-abcde", &THREE[..1], running());
    cluster
        .at(
            0,
            Some(&job(FIRST, &THREE[..1], json!({"active": 1}))),
            &[one],
        )
        .file(0, "memtide-0-abcde.follow", log("log-write", 0.6));
    let failed = json!({"failedIndexes": "0", "conditions": [
        {"type": "Failed", "status": "True", "reason": "FailedIndexes", "message": "Job has failed indexes"}]});
    cluster.at(3, Some(&job(FIRST, &THREE[..1], failed)), &[]);
    let output = cluster.collect(&[]);
    assert_result(
        &cluster,
        &output,
        &[("log-write", "fail", "the pod was deleted")],
    );
    let recording = cluster.out().join("recordings/memtide-0-log-write.jsonl");
    assert!(memtide::recording::read_path(&recording).unwrap().tables[0].len() > 10);
}

#[test]
fn an_index_that_was_completed_by_a_pod_that_is_gone_is_no_pass() {
    let cluster = Cluster::new();
    let done = complete("0-1");
    // A first try that was evicted after its end has a whole recording, and is not the one that counts.
    let first = json!({"phase": "Failed", "reason": "Evicted", "message": "low on memory"});
    let one = pod(FIRST, 0, "memtide-0-abcde", &THREE[..2], first);
    cluster
        .at(0, Some(&job(FIRST, &THREE[..2], done)), &[one])
        .file(0, "memtide-0-abcde.log", log("log-write", 1.0));
    let output = cluster.collect(&[]);
    assert_result(
        &cluster,
        &output,
        &[
            (
                "log-write",
                "fail",
                "the recording is lost: the Job completed index 0",
            ),
            ("steady", "fail", "the recording is lost"),
        ],
    );
}

#[test]
fn verdicts_are_published_where_teams_look() {
    let cluster = Cluster::new();
    three_done(&cluster);
    let output = cluster.collect(&["--publish", "configmap", "--publish", "events"]);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    let given = std::fs::read(cluster.dir.path().join("given")).unwrap();
    let given: Vec<Value> = serde_json::Deserializer::from_slice(&given)
        .into_iter()
        .map(|object| object.unwrap())
        .collect();
    assert_eq!(given[0]["kind"], "ConfigMap");
    let verdicts = given[0]["data"]["verdicts.json"].as_str().unwrap();
    let verdicts: Value = serde_json::from_str(verdicts).unwrap();
    assert_eq!(verdicts.as_array().unwrap().len(), 3);
    assert_eq!(verdicts[0]["result"], "pass");
    assert!(
        given[0]["data"]["summary.md"]
            .as_str()
            .unwrap()
            .contains("3 passed")
    );
    let events = given[1]["items"].as_array().unwrap();
    assert_eq!(events.len(), 3);
    for event in events {
        assert_eq!(event["involvedObject"]["uid"], FIRST);
        assert_eq!(
            event["involvedObject"]["namespace"],
            event["metadata"]["namespace"]
        );
        assert_eq!(
            (event["reason"].as_str(), event["type"].as_str()),
            (Some("MemtidePass"), Some("Normal"))
        );
    }
}
