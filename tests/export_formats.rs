//! Exports are read by the tools they are for, and say what the recording says: OpenMetrics by
//! promtool, CSV and JSON Lines by their readers, all under cAdvisor's names.

mod common;

use std::path::Path;
use std::process::Command;

use memtide::export::Metric;
use memtide::export::cadvisor::{METRICS, Mapper};
use memtide::shipped;

const SETUP: &str = "6.1-v2";
const SCENARIO: &str = "log-read-twice";

fn export(format: &str) -> String {
    let output = common::memtide()
        .args(["export", format, "--setup", SETUP, "--scenario", SCENARIO])
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8(output.stdout).unwrap()
}

/// The working set of the last sample of the container, from the raw rows.
fn last_working_set() -> f64 {
    let recording = shipped::find(SETUP, SCENARIO).unwrap().read().unwrap();
    let group = recording.main_group();
    let table = &recording.tables[group];
    let mapper = Mapper::new(recording.version(), &table.columns, None);
    let last = table.len() - 1;
    let reading = mapper.read(|column| table.get(last, column), None);
    reading.get(Metric::WorkingSet).unwrap()
}

#[test]
fn promtool_makes_blocks_of_the_openmetrics_export() {
    if Command::new("promtool").arg("--version").output().is_err() {
        common::skip("the OpenMetrics export", "promtool is not installed");
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("export.om");
    std::fs::write(&file, export("--openmetrics")).unwrap();
    let db = dir.path().join("data");
    let made = promtool(
        &["tsdb", "create-blocks-from", "openmetrics"],
        &[&file, &db],
    );
    assert!(made.contains("BLOCK ULID"), "{made}");
    // promtool's dump opens the folder as a running Prometheus' one, with a log of writes.
    std::fs::create_dir(db.join("wal")).unwrap();
    let matcher = "--match={__name__=\"container_memory_working_set_bytes\",container!=\"\"}";
    let dump = promtool(&["tsdb", "dump", matcher], &[&db]);
    let last = dump.lines().last().unwrap();
    assert!(
        last.contains("job=\"kubelet\"") && last.contains("setup=\"6.1-v2\""),
        "{last}"
    );
    let value: f64 = last
        .split_whitespace()
        .rev()
        .nth(1)
        .unwrap()
        .parse()
        .unwrap();
    assert_eq!(value, last_working_set(), "{last}");
}

fn promtool(args: &[&str], paths: &[&Path]) -> String {
    let output = Command::new("promtool")
        .args(args)
        .args(paths)
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(
        output.status.success(),
        "{said}{}",
        String::from_utf8_lossy(&output.stderr)
    );
    said
}

#[test]
fn json_lines_are_plain_objects_with_all_keys() {
    let text = export("--jsonl");
    let mut keys: Option<Vec<String>> = None;
    let mut last = None;
    for line in text.lines() {
        let object: serde_json::Map<String, serde_json::Value> =
            serde_json::from_str(line).unwrap();
        let mut own: Vec<String> = object.keys().cloned().collect();
        own.sort();
        assert_eq!(*keys.get_or_insert_with(|| own.clone()), own);
        assert!(object.values().all(|v| !v.is_object() && !v.is_array()));
        if object["kind"] == "container" {
            last = Some(object);
        }
    }
    let last = last.unwrap();
    let metric = METRICS[Metric::WorkingSet as usize].name;
    assert_eq!(last[metric].as_f64(), Some(last_working_set()));
    assert_eq!(
        last["formula:cadvisor_working_set"].as_f64(),
        Some(last_working_set())
    );
    assert_eq!(last["scenario"], SCENARIO);
    assert!(last.contains_key("truth:live") && last.contains_key("memory.current"));
}

#[test]
fn csv_has_as_many_cells_in_each_line_as_in_its_header() {
    let text = export("--csv");
    let mut lines = text.split("\r\n").filter(|l| !l.is_empty());
    let header = cells(lines.next().unwrap());
    let place = |name: &str| header.iter().position(|h| h == name).unwrap();
    let (kind, metric) = (place("kind"), place("container_memory_working_set_bytes"));
    let mut last = None;
    for line in lines {
        let row = cells(line);
        assert_eq!(row.len(), header.len(), "{line}");
        if row[kind] == "container" {
            last = row[metric].parse::<f64>().ok();
        }
    }
    assert_eq!(last, Some(last_working_set()));
}

/// The cells of a line, quotes taken off.
fn cells(line: &str) -> Vec<String> {
    let (mut cells, mut cell, mut quoted) = (Vec::new(), String::new(), false);
    for c in line.chars() {
        match c {
            '"' => quoted = !quoted,
            ',' if !quoted => cells.push(std::mem::take(&mut cell)),
            c => cell.push(c),
        }
    }
    cells.push(cell);
    cells
}

#[test]
fn several_recordings_go_into_one_openmetrics_exposition() {
    let output = common::memtide()
        .args(["export", "--openmetrics", "--scenario", SCENARIO])
        .output()
        .unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(text.ends_with("# EOF\n"));
    // Each family is announced once, whatever the number of recordings.
    let mut families: Vec<&str> = text.lines().filter(|l| l.starts_with("# TYPE")).collect();
    let all = families.len();
    families.sort_unstable();
    families.dedup();
    assert_eq!(families.len(), all);
}
