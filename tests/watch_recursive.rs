//! `watch --recursive`: every container below a cgroup, under the names a node's dashboards use.

mod common;

use std::path::PathBuf;
use std::process::Command;

use memtide::cgroup::Hierarchy;
use memtide::recording;

/// Empty cgroups of this test's own, removed when dropped, the deepest first.
struct Tree {
    made: Vec<PathBuf>,
}

impl Tree {
    fn new(test: &str, children: &[String]) -> Option<(Self, PathBuf)> {
        let hierarchy = Hierarchy::discover()
            .map_err(|error| common::skip(test, &error.to_string()))
            .ok()?;
        let top = hierarchy
            .mount
            .join(format!("memtide-test-{test}-{}", std::process::id()));
        let mut tree = Tree { made: Vec::new() };
        for path in std::iter::once(top.clone()).chain(children.iter().map(|c| top.join(c))) {
            if let Err(error) = std::fs::create_dir(&path) {
                common::skip(test, &format!("can't make {}: {error}", path.display()));
                return None;
            }
            tree.made.push(path);
        }
        Some((tree, top))
    }
}

impl Drop for Tree {
    fn drop(&mut self) {
        for path in self.made.iter().rev() {
            let _ = std::fs::remove_dir(path);
        }
    }
}

#[test]
fn every_container_is_in_the_recording_under_the_kubelets_name() {
    let id = "a1".repeat(32);
    let children = ["pod6d", &format!("pod6d/{id}"), "pod6d/sandbox", "podempty"].map(String::from);
    let Some((_tree, top)) = Tree::new("watch-recursive", &children) else {
        return;
    };
    let dir = tempfile::tempdir().unwrap();
    let links = dir.path().join("containers");
    std::fs::create_dir(&links).unwrap();
    std::fs::write(links.join(format!("web-7d_shop_app-{id}.log")), "").unwrap();
    let out = dir.path().join("out.jsonl");
    let output = common::memtide()
        .args([
            "watch",
            "--recursive",
            "--interval",
            "20ms",
            "--duration",
            "200ms",
        ])
        .arg("--container-logs")
        .arg(&links)
        .arg("--out")
        .arg(&out)
        .arg(&top)
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let recording = recording::read_path(&out).unwrap();
    let names: Vec<&str> = recording
        .header
        .groups
        .iter()
        .map(|g| g.name.as_str())
        .collect();
    assert_eq!(names, ["web-7d_shop_app", "pod6d/sandbox", "podempty"]);
    assert!(recording.tables.iter().all(|table| !table.is_empty()));
    let printed = String::from_utf8_lossy(&output.stdout);
    assert!(
        printed.lines().all(|line| line.contains("3 containers")),
        "{printed}"
    );
    assert!(printed.lines().count() > 2, "{printed}");
    let labels = memtide::export::Labels::of(&recording, memtide::export::Naming::Telling);
    assert_eq!(
        (labels[0].pod.as_str(), labels[0].namespace.as_str()),
        ("web-7d", "shop")
    );
    assert_eq!(labels[0].container, "app");
    assert!(labels[0].id.ends_with(&format!("/pod6d/{id}")) && !labels[0].id.contains("/sys/fs"));
}

#[test]
fn with_few_descriptors_all_are_still_read() {
    let children: Vec<String> = (0..60).map(|n| format!("c{n:02}")).collect();
    let Some((_tree, top)) = Tree::new("watch-many", &children) else {
        return;
    };
    let dir = tempfile::tempdir().unwrap();
    let out = dir.path().join("out.jsonl");
    // A hard limit that can't be raised, far below a file for each counter.
    let output = Command::new("sh")
        .args([
            "-c",
            "ulimit -n 64; exec \"$0\" \"$@\"",
            env!("CARGO_BIN_EXE_memtide"),
        ])
        .args([
            "watch",
            "--recursive",
            "--interval",
            "100ms",
            "--duration",
            "300ms",
            "--out",
        ])
        .arg(&out)
        .arg(&top)
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let recording = recording::read_path(&out).unwrap();
    assert_eq!(recording.tables.len(), 60);
    assert!(recording.tables.iter().all(|table| !table.is_empty()));
}
