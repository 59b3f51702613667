//! The examples of docs/detectors.md, in shell and jq, Python and Go, work as they stand there: each
//! hits a leak and stays quiet on page cache.

mod common;
#[path = "support/synthetic.rs"]
mod synthetic;

use std::path::{Path, PathBuf};
use std::process::Command;

use memtide::rows::CgroupVersion;

fn example(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("docs/examples/detectors")
        .join(name)
}

fn has(program: &str, what: &str) -> bool {
    let there = Command::new("sh")
        .args(["-c", &format!("command -v {program}")])
        .output()
        .is_ok_and(|out| out.status.success());
    if !there {
        common::skip(what, &format!("{program} is not installed"));
    }
    there
}

/// A leak and a log that fills the limit with cache, on both cgroup versions.
fn suite(dir: &Path) {
    let limit = 512.0 * synthetic::MIB;
    for (version, name) in [(CgroupVersion::V1, "v1"), (CgroupVersion::V2, "v2")] {
        let (leak, onset) = synthetic::leak(version, limit, 40.0 * synthetic::MIB);
        save(dir, &format!("leak-{name}"), &leak, "leak", Some(onset));
        let mut log = synthetic::Model::new(version, limit, 50);
        log.pass(0.2, |m, _| m.anon = 0.1 * limit);
        log.pass(20.0, |m, dt| m.active_file += 40.0 * synthetic::MIB * dt);
        save(
            dir,
            &format!("log-{name}"),
            &log.finish(300.0),
            "page_cache",
            None,
        );
    }
}

fn save(
    dir: &Path,
    name: &str,
    recording: &memtide::recording::Recording,
    class: &str,
    onset: Option<f64>,
) {
    synthetic::write(recording, &dir.join(format!("{name}.jsonl")));
    let onset_line = onset.map_or(String::new(), |s| format!("onset = \"{s}s\"\n"));
    let truth = format!(
        "class = \"{class}\"\nfire = {}\n{onset_line}",
        onset.is_some()
    );
    std::fs::write(dir.join(format!("{name}.truth.toml")), truth).unwrap();
}

/// Every verdict is right, and every class that is said.
fn is_right_on_all(detector: &str) {
    let dir = tempfile::tempdir().unwrap();
    suite(dir.path());
    let output = common::memtide()
        .args([
            "judge",
            "--no-shipped",
            "--format",
            "json",
            "--timeout",
            "60s",
            "--recordings",
        ])
        .arg(dir.path())
        .args(["--detector", detector])
        .output()
        .unwrap();
    let card: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let rows = card["detectors"][0]["rows"].as_array().unwrap();
    assert_eq!(rows.len(), 4);
    for row in rows {
        let verdict = row["verdict"].as_str().unwrap();
        assert!(["hit", "quiet"].contains(&verdict), "{detector}: {row:#}");
        assert!(
            row["said"].is_null() || row["said"] == row["class"],
            "{detector}: {row:#}"
        );
    }
    assert!(output.status.success(), "all right is exit code 0");
}

#[test]
fn in_shell_and_jq() {
    if has("jq", "the example in shell and jq") && has("bash", "the example in shell and jq") {
        is_right_on_all(example("threshold.sh").to_str().unwrap());
    }
}

#[test]
fn in_python() {
    if has("python3", "the example in Python") {
        is_right_on_all(example("slope.py").to_str().unwrap());
    }
}

#[test]
fn in_go() {
    if !has("go", "the example in Go") {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let binary = dir.path().join("composition");
    let built = Command::new("go")
        .arg("build")
        .arg("-o")
        .arg(&binary)
        .arg(example("composition.go"))
        .env("GOCACHE", dir.path().join("cache"))
        .env("GOFLAGS", "-mod=mod")
        .output()
        .unwrap();
    assert!(
        built.status.success(),
        "{}",
        String::from_utf8_lossy(&built.stderr)
    );
    is_right_on_all(binary.to_str().unwrap());
}

#[test]
fn the_docs_show_these_very_files() {
    let docs = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/detectors.md");
    let text = std::fs::read_to_string(docs).unwrap();
    for name in ["threshold.sh", "slope.py", "composition.go"] {
        let code = std::fs::read_to_string(example(name)).unwrap();
        assert!(
            text.contains(code.trim_end()),
            "docs/detectors.md shows another {name}"
        );
    }
}
