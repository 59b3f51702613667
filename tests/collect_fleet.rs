//! A fleet's shards in an Indexed Job: `memtide collect` says what one machine would have said, or nothing.

#[path = "common/cluster.rs"]
mod cluster;
mod common;

use cluster::*;
use serde_json::{Value, json};

const FLEET: &str = r#"
title = "twelve"
pods = 12
days = 0.2
scrape = "2m"
"#;

fn fleet(
    dir: &std::path::Path,
    shard: Option<(usize, usize)>,
    format: &str,
) -> std::process::Output {
    let file = dir.join("fleet.toml");
    std::fs::write(&file, format!("{FLEET}{}", common::LEAKY_API)).unwrap();
    let mut command = common::memtide();
    command.arg("fleet").arg(file).args(["--format", format]);
    command
        .env_remove("JOB_COMPLETION_INDEX")
        .env_remove("MEMTIDE_SHARDS");
    if let Some((index, of)) = shard {
        command.env("JOB_COMPLETION_INDEX", index.to_string());
        command.env("MEMTIDE_SHARDS", of.to_string());
    }
    command.output().unwrap()
}

/// A finished Job of shards, each with what its pod said.
fn shards_done(cluster: &Cluster, of: usize) {
    let args = vec!["fleet"; of];
    let done = json!({"completedIndexes": format!("0-{}", of - 1), "succeeded": of,
        "conditions": [{"type": "Complete", "status": "True"}]});
    let mut made = job(FIRST, &args, done);
    let words = json!(["fleet", "/fleet/fleet.toml", "--format=json"]);
    made["spec"]["template"]["spec"]["containers"][0]["args"] = words.clone();
    let pods: Vec<Value> = (0..of)
        .map(|n| {
            let name = format!("memtide-{n}-abcde");
            let mut pod = pod(FIRST, n, &name, &args, ended("Succeeded", 0, "Completed"));
            pod["spec"]["containers"][1]["args"] = words.clone();
            pod
        })
        .collect();
    cluster.at(0, Some(&made), &pods);
    for n in 0..of {
        let ran = fleet(cluster.dir.path(), Some((n, of)), "json");
        assert!(ran.status.success(), "{}", text(&ran.stderr));
        let said = format!("[warn] psi: not judged\n{}fleet: done\n", text(&ran.stdout));
        cluster.file(0, &format!("memtide-{n}-abcde.log"), said);
    }
}

#[test]
fn a_fleets_shards_say_what_one_machine_says() {
    for of in [1, 3, 8] {
        let cluster = Cluster::new();
        shards_done(&cluster, of);
        let output = cluster.collect(&["--namespace", "n"]);
        let said = format!("{}{}", text(&output.stdout), text(&output.stderr));
        assert_eq!(output.status.code(), Some(0), "{of}: {said}");
        for (end, format) in [("json", "json"), ("txt", "human")] {
            let whole = fleet(cluster.dir.path(), None, format).stdout;
            let joined = std::fs::read(cluster.out().join(format!("fleet-memtide.{end}"))).unwrap();
            assert_eq!(text(&joined), text(&whole), "{of} shards");
        }
        assert!(said.contains("false alarms"), "{said}");
    }
}

#[test]
fn a_fleet_that_lost_a_shard_is_no_pass() {
    let cluster = Cluster::new();
    shards_done(&cluster, 3);
    assert_eq!(
        cluster.collect(&["--namespace", "n"]).status.code(),
        Some(0)
    );
    let whole = cluster.out().join("fleet-memtide.json");
    assert!(whole.exists());
    // The log of one is gone; another's was cut; a third is of another share.
    let logs = cluster.dir.path().join("0");
    let log = std::fs::read(logs.join("memtide-1-abcde.log")).unwrap();
    let other = std::fs::read(logs.join("memtide-0-abcde.log")).unwrap();
    for wrong in [&b""[..], &log[..log.len() / 2], &other[..]] {
        let _ = std::fs::remove_dir_all(cluster.out().join("logs"));
        cluster.file(0, "memtide-1-abcde.log", wrong);
        let output = cluster.collect(&["--namespace", "n"]);
        let said = format!("{}{}", text(&output.stdout), text(&output.stderr));
        assert_eq!(output.status.code(), Some(1), "{said}");
        assert!(
            said.contains("is not whole: of 3 shards these are missing: 1"),
            "{said}"
        );
        assert!(
            !whole.exists(),
            "what is left of the earlier one would be taken for this one's"
        );
    }
}

#[test]
fn a_shard_without_the_number_of_shards_is_told_what_to_set() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(
        dir.path().join("fleet.toml"),
        format!("{FLEET}{}", common::LEAKY_API),
    )
    .unwrap();
    for (key, value, words) in [
        (
            "JOB_COMPLETION_INDEX",
            "3",
            "MEMTIDE_SHARDS to the Job's completions",
        ),
        ("MEMTIDE_SHARDS", "8", "completionMode Indexed"),
    ] {
        let output = common::memtide()
            .arg("fleet")
            .arg(dir.path().join("fleet.toml"))
            .env_remove("JOB_COMPLETION_INDEX")
            .env_remove("MEMTIDE_SHARDS")
            .env(key, value)
            .output()
            .unwrap();
        let said = text(&output.stderr);
        assert!(!output.status.success() && said.contains(words), "{said}");
    }
}
