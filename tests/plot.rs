//! A figure says each series' last value: as text beside its end, and to the byte in its metadata.

use std::path::Path;
use std::process::Command;

use memtide::plot::layers::{AREAS, LINES, limit};
use memtide::recording::read_path;
use memtide::{shipped, units};

fn plot(recording: &Path, output: &Path) {
    let memtide = env!("CARGO_BIN_EXE_memtide");
    let out = Command::new(memtide)
        .arg("plot")
        .arg(recording)
        .arg("-o")
        .arg(output)
        .output();
    let out = out.unwrap();
    assert!(out.status.success(), "{out:?}");
}

#[test]
fn the_svg_holds_each_series_last_value() {
    let dir = tempfile::tempdir().unwrap();
    let mut drawn = 0;
    for shipped in shipped::all() {
        let path = dir.path().join("recording.jsonl.gz");
        std::fs::write(&path, shipped.packed).unwrap();
        let output = dir.path().join("figure.svg");
        plot(&path, &output);
        let svg = std::fs::read_to_string(&output).unwrap();
        let metadata = svg
            .split("<metadata>")
            .nth(1)
            .unwrap()
            .split("</metadata>")
            .next()
            .unwrap();
        let said: serde_json::Value = serde_json::from_str(metadata).unwrap();

        let recording = read_path(&path).unwrap();
        let group = recording.main_group();
        let last = recording.tables[group].len() - 1;
        let view = recording.view(group, &recording.view_index(group), last);
        let limit = limit(&recording, group);
        let areas = AREAS.map(|a| (a.name(), a.bytes(&view)));
        let lines = LINES.map(|l| (l.name(), l.bytes(&view, limit)));
        for (name, bytes) in areas.into_iter().chain(lines) {
            let bytes = bytes.unwrap();
            assert_eq!(said[name], bytes, "{name} in {}", shipped.path());
            let label = format!("\n{name} {}\n", units::bytes(bytes));
            assert!(svg.contains(&label), "{label} in {}", shipped.path());
        }
        drawn += 1;
    }
    assert_eq!(drawn, shipped::all().count());
    assert!(drawn > 0, "no recording is shipped");
}

#[test]
fn a_png_is_written_and_other_names_are_refused() {
    let dir = tempfile::tempdir().unwrap();
    let shipped = shipped::all().next().expect("a shipped recording");
    let path = dir.path().join("recording.jsonl.gz");
    std::fs::write(&path, shipped.packed).unwrap();
    let output = dir.path().join("figure.png");
    plot(&path, &output);
    assert!(std::fs::read(&output).unwrap().starts_with(b"\x89PNG"));

    let memtide = env!("CARGO_BIN_EXE_memtide");
    let out = Command::new(memtide)
        .arg("plot")
        .arg(&path)
        .args(["-o", "figure.gif"])
        .output();
    let out = out.unwrap();
    assert_eq!(out.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&out.stderr).contains("`.svg` or `.png`"));
}
