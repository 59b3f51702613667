//! `memtide explain` as a command: inputs, options, exit codes, JSON.

mod common;

use std::path::Path;

use assert_cmd::Command;
use serde_json::Value;

fn memtide() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_memtide"));
    command.arg("explain");
    command
}

fn fixture(name: &str) -> String {
    format!("{}/tests/fixtures/{name}", env!("CARGO_MANIFEST_DIR"))
}

fn json(command: &mut Command) -> Value {
    let output = command.args(["--format", "json"]).output().unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    serde_json::from_slice(&output.stdout).unwrap()
}

fn fails(command: &mut Command, words: &[&str]) {
    let output = command.output().unwrap();
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{stderr}");
    assert!(output.stdout.is_empty());
    for word in words {
        assert!(stderr.contains(word), "{word:?} not in {stderr}");
    }
    assert!(!stderr.contains("panicked"), "{stderr}");
}

#[test]
fn two_numbers_are_enough() {
    let document =
        json(memtide().args(["--usage", "2535804928", "--row", "inactive_file=334565376"]));
    assert_eq!(
        document["formulas"]["cadvisor_working_set"],
        2_201_239_552u64
    );
    assert_eq!(document["formulas"]["docker_cli_17_06"], Value::Null);
    assert_eq!(document["rows"]["inactive_file"], 334_565_376u64);
    assert_eq!(
        document["shares"]["inactive_file"]["of_usage_percent"],
        13.19
    );
    assert!(
        document["reading"]
            .as_array()
            .is_some_and(|reading| !reading.is_empty())
    );
}

#[test]
fn standard_input_and_a_file_give_the_same() {
    let text = std::fs::read(fixture("podman-19905.txt")).unwrap();
    let mut piped = json(memtide().arg("-").write_stdin(text));
    let mut file = json(memtide().arg(fixture("podman-19905.txt")));
    for document in [&mut piped, &mut file] {
        document["label"] = Value::Null;
        document["readings"][0]["label"] = Value::Null;
    }
    assert_eq!(piped, file);
}

/// The next command is for the version that the paste is of.
#[test]
fn the_next_command_is_of_the_pastes_own_version() {
    let v1 = "$ cat /sys/fs/cgroup/memory/memory.usage_in_bytes\n1048543232\n\
              $ cat /sys/fs/cgroup/memory/memory.limit_in_bytes\n1073741824\n\
              USER  PID %CPU %MEM    VSZ   RSS TTY  STAT START  TIME COMMAND\n\
              root    1  3.2  1.4 4532120 231544 ?  Ssl  10:00  12:11 java -jar app.jar\n";
    let v2 = v1
        .replace("cgroup/memory/", "cgroup/")
        .replace("memory.usage_in_bytes", "memory.current")
        .replace("memory.limit_in_bytes", "memory.max");
    for (paste, path) in [
        (v1, " /sys/fs/cgroup/memory/memory.stat"),
        (&v2, " /sys/fs/cgroup/memory.stat"),
    ] {
        let answer = json(memtide().write_stdin(paste));
        let next = answer["answer"]["next"].as_str().unwrap();
        assert!(next.contains(path), "{next}");
    }
}

#[test]
fn a_container_of_a_metrics_page() {
    let page = fixture("real-kubelet-metrics-cadvisor.txt");
    let pod = json(memtide().args([page.as_str(), "--pod", "demo-node-a"]));
    assert_eq!(pod["formulas"]["cadvisor_working_set"], 192_217_088u64);
    let container = json(memtide().args([page.as_str(), "--container", "bbbb"]));
    assert_eq!(
        container["formulas"]["cadvisor_working_set"],
        191_815_680u64
    );
    assert_eq!(container["limit"], 268_435_456u64);
    fails(
        memtide().args([page.as_str(), "--container", "nginx"]),
        &["nginx", "demo-node-a"],
    );
}

#[test]
fn a_container_of_a_kubelet_summary() {
    let summary = fixture("real-kubelet-stats-summary.json");
    let app = json(memtide().args([
        summary.as_str(),
        "--container",
        "app",
        "--pod",
        "demo-node-a",
    ]));
    assert_eq!(app["formulas"]["usage"], 192_888_832u64);
    assert_eq!(app["formulas"]["cadvisor_working_set"], 191_815_680u64);
    assert_eq!(app["limit"], 268_435_456u64);
}

/// The kubelet's page and its summary name the same container's memory.
#[test]
fn the_tools_print_it_as_they_do() {
    let output = memtide()
        .arg(fixture("real-kubelet-stats-summary.json"))
        .output()
        .unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    for line in [
        "container_memory_working_set_bytes: 1.9181568e+08",
        "docker stats (20.10 and later): 182.9MiB / 256MiB 71.46%",
        "kubectl top: 182Mi",
        "crictl stats: 191.8MB",
    ] {
        assert!(text.contains(line), "{line:?} not in {text}");
    }
    assert!(!text.contains('\u{1b}'), "colour without a terminal");
}

#[test]
fn nested_cgroups_of_one_container_are_not_added_up() {
    let page = "container_memory_usage_bytes{container=\"app\",id=\"/k/pod1/c\",pod=\"p\"} 3e+08 1\n\
                container_memory_usage_bytes{container=\"app\",id=\"/k/pod1/c/init\",pod=\"p\"} 2.9e+08 1\n\
                container_memory_usage_bytes{container=\"app\",id=\"/k/pod1/c/init/x\",pod=\"p\"} 1e+08 1\n\
                container_memory_usage_bytes{container=\"POD\",id=\"/k/pod1/p\",pod=\"p\"} 4e+05 1\n\
                container_memory_usage_bytes{container=\"\",id=\"/k/pod1\",pod=\"p\"} 3.1e+08 1\n";
    let app = json(
        memtide()
            .args(["-", "--container", "app"])
            .write_stdin(page),
    );
    assert_eq!(app["formulas"]["usage"], 300_000_000);
    let pod = json(memtide().args(["-", "--pod", "p"]).write_stdin(page));
    assert_eq!(pod["formulas"]["usage"], 310_000_000);
}

#[test]
fn bad_input_is_told_and_ends_with_2() {
    // Without an argument what is piped in is read, and here that is nothing.
    fails(&mut memtide(), &["no memory numbers", "standard input"]);
    fails(
        memtide().arg("/no/such/file"),
        &["/no/such/file", "No such file"],
    );
    fails(
        memtide().arg("-").write_stdin(""),
        &["no memory numbers", "standard input"],
    );
    fails(
        memtide().arg("-").write_stdin("hello\n\nworld"),
        &["no memory numbers", "--usage"],
    );
    fails(
        memtide()
            .arg("-")
            .write_stdin(vec![0u8, 159, 146, 150, 255]),
        &["no memory numbers"],
    );
    fails(
        memtide()
            .arg("-")
            .write_stdin("{\"format\":\"memtide.recording/9\"}\n"),
        &["memtide"],
    );
    fails(memtide().args(["--usage", "lots"]), &["usage", "lots"]);
    fails(
        memtide().args(["--usage", "5", "--row", "bananas=5"]),
        &["bananas"],
    );
    fails(
        memtide().args(["--usage", "5", "-"]),
        &["cannot be used with"],
    );
    let empty = tempfile::tempdir().unwrap();
    fails(memtide().arg(empty.path()), &["no memory numbers"]);
    fails(
        memtide().args([fixture("measured-v1-tmpfs.txt").as_str(), "--at", "99"]),
        &["reading 99"],
    );
}

#[test]
fn json_has_a_value_or_null_for_every_formula() {
    let document = json(memtide().args(["--usage", "0"]));
    let formulas = document["formulas"].as_object().unwrap();
    assert_eq!(formulas.len(), memtide::formula::FORMULAS.len());
    assert_eq!(formulas["usage"], 0);
    assert_eq!(formulas["rss"], Value::Null);
    for entry in document["reading"].as_array().unwrap() {
        assert!(entry["code"].is_string() && entry["sentence"].is_string());
    }
}

/// A cgroup of the machine the test runs on: whatever is there, the formula fits the rows.
#[test]
fn a_live_cgroup() {
    let Some(dir) = ["/sys/fs/cgroup/memory", "/sys/fs/cgroup"]
        .into_iter()
        .find(|dir| Path::new(dir).join("memory.stat").exists())
    else {
        common::skip("a live cgroup", "no memory controller is mounted here");
        return;
    };
    let document = json(memtide().arg(dir));
    assert_eq!(document["source"], "live cgroup");
    assert!(document["rows"]["node:MemTotal"].as_u64().is_some());
    let formulas = &document["formulas"];
    // v2's root has no memory.current.
    if let Some(usage) = formulas["usage"].as_i64() {
        let inactive = ["total_inactive_file", "inactive_file"]
            .iter()
            .find_map(|row| document["rows"][*row].as_i64());
        assert_eq!(
            formulas["cadvisor_working_set"].as_i64(),
            inactive.map(|inactive| (usage - inactive).max(0))
        );
    }
}
