//! A tmpfs of `noswap`, as the kubelet mounts an emptyDir of medium Memory: its pages are on the
//! unevictable list, and the scenarios' claims hold there, too.

mod common;

use std::path::{Path, PathBuf};
use std::process::Command;

use memtide::cgroup::Hierarchy;
use memtide::cluster::jobs::{Job, manifest};
use memtide::recording;

#[test]
fn the_tmpfs_scenarios_hold_where_the_kubelet_mounts_with_noswap() {
    if !common::can_manage("tmpfs-noswap") {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    // A mount of this command's own: /dev/shm of the machine stays as it is.
    let script = "mount -t tmpfs -o noswap shm /dev/shm || exit 77; exec \"$@\"";
    let output = Command::new("unshare")
        .args([
            "--mount",
            "sh",
            "-c",
            script,
            "sh",
            env!("CARGO_BIN_EXE_memtide"),
        ])
        .args(["run", "tmpfs-fill", "tmpfs-restart", "--out"])
        .arg(dir.path())
        .env("NO_COLOR", "1")
        .output();
    let output = match output {
        Ok(output) if output.status.code() != Some(77) => output,
        Ok(output) => {
            let said = String::from_utf8_lossy(&output.stderr);
            return common::skip("tmpfs-noswap", said.trim());
        }
        Err(error) => return common::skip("tmpfs-noswap", &format!("unshare: {error}")),
    };
    let said = String::from_utf8_lossy(&output.stdout);
    assert_eq!(output.status.code(), Some(0), "{said}");
    let read = recording::read_path(&dir.path().join("tmpfs-fill.jsonl")).unwrap();
    let group = read.header.groups.iter().position(|g| g.name == "app");
    let table = &read.tables[group.unwrap_or(0)];
    let limit = read.header.groups[group.unwrap_or(0)].limit.unwrap();
    let most = |names: [&str; 2]| {
        let column = names.iter().find_map(|name| table.column(name)).unwrap();
        (0..table.len())
            .filter_map(|n| table.get(n, column))
            .max()
            .unwrap()
    };
    // All of it is there, and none of it on the lists where tmpfs is otherwise.
    assert!(most(["total_unevictable", "unevictable"]) > limit / 2);
    assert!(most(["total_inactive_anon", "inactive_anon"]) < limit / 10);
    assert!(most(["total_active_anon", "active_anon"]) < limit / 10);
}

/// Cgroups for pods, removed when dropped.
struct Pods(PathBuf);

impl Pods {
    fn new() -> Option<Self> {
        let skip = |error: &str| common::skip("kind-ci-noswap", error);
        let mount = Hierarchy::discover()
            .map_err(|error| skip(&error.to_string()))
            .ok()?
            .mount;
        let top = mount.join(format!("memtide-test-pods-{}", std::process::id()));
        std::fs::create_dir(&top)
            .map_err(|error| skip(&error.to_string()))
            .ok()?;
        let pods = Pods(top);
        if pods.0.join("cgroup.controllers").exists() {
            for folder in [&mount, &pods.0] {
                std::fs::write(folder.join("cgroup.subtree_control"), "+memory")
                    .map_err(|error| skip(&error.to_string()))
                    .ok()?;
            }
        }
        Some(pods)
    }
}

impl Drop for Pods {
    fn drop(&mut self) {
        for entry in std::fs::read_dir(&self.0).into_iter().flatten().flatten() {
            let _ = std::fs::remove_dir(entry.path());
        }
        let _ = std::fs::remove_dir(&self.0);
    }
}

/// `scripts/kind/ci` from its first line to its last, with the real kustomize, real pods' cgroups and a
/// real `noswap` below each: only who makes them is a stand-in for a kubelet (tests/data/kubectl/node).
#[test]
fn ci_passes_where_every_pod_has_a_tmpfs_with_noswap() {
    if !common::has_program("kind-ci-noswap", "kubectl") || !common::can_manage("kind-ci-noswap") {
        return;
    }
    let probe = Command::new("unshare")
        .args([
            "--mount",
            "sh",
            "-c",
            "mount -t tmpfs -o noswap shm /dev/shm",
        ])
        .output();
    if !probe.as_ref().is_ok_and(|output| output.status.success()) {
        return common::skip(
            "kind-ci-noswap",
            &format!("no tmpfs with noswap: {probe:?}"),
        );
    }
    let Some(pods) = Pods::new() else { return };
    let dir = tempfile::tempdir().unwrap();
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let (tools, node) = (dir.path().join("tools"), dir.path().join("node"));
    for folder in [&tools, &node] {
        std::fs::create_dir(folder).unwrap();
    }
    std::os::unix::fs::symlink(root.join("tests/data/kubectl/node"), tools.join("kubectl"))
        .unwrap();
    let copied = Command::new("cp")
        .arg("-r")
        .arg(root.join("scripts"))
        .arg(dir.path())
        .status();
    assert!(copied.unwrap().success());
    // Two of the base's scenarios, so that it is quick: the one in question and one without a tmpfs.
    let jobs = [Job {
        name: "memtide".into(),
        limit: 256 << 20,
        managed: false,
        scenarios: vec!["tmpfs-fill".into(), "mmap-scan".into()],
    }];
    let base = dir.path().join("scripts/kind/base/jobs.yaml");
    std::fs::write(base, manifest(&jobs, "kind-jobs")).unwrap();
    let real = Command::new("sh")
        .args(["-c", "command -v kubectl"])
        .output()
        .unwrap();
    let path = std::env::var("PATH").unwrap();
    let output = Command::new(dir.path().join("scripts/kind/ci"))
        .args(["--existing-cluster", "--image", "x", "--memtide"])
        .args([env!("CARGO_BIN_EXE_memtide"), "--out", "out"])
        .env("PATH", format!("{}:{path}", tools.display()))
        .env("NODE", &node)
        .env("CGROUPS", &pods.0)
        .env("MEMTIDE", env!("CARGO_BIN_EXE_memtide"))
        .env("REAL_KUBECTL", String::from_utf8_lossy(&real.stdout).trim())
        .env("NO_COLOR", "1")
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    let shown = String::from_utf8_lossy(&output.stdout).into_owned();
    assert_eq!(output.status.code(), Some(0), "{said}{shown}");
    let out = dir.path().join("out");
    let recording = out.join("recordings/memtide-0-tmpfs-fill.jsonl");
    let read = recording::read_path(&recording).unwrap();
    assert_eq!(read.header.host.setup.as_deref(), Some("node-1"));
    let table = &read.tables[0];
    let names = ["total_unevictable", "unevictable"];
    let column = names.iter().find_map(|name| table.column(name)).unwrap();
    let most = (0..table.len()).filter_map(|n| table.get(n, column)).max();
    // All that the scenario fills, 60 % of the limit, is on the list that no swap empties.
    assert!(most > Some(128 << 20), "{most:?}");
    let summary = std::fs::read_to_string(out.join("summary.md")).unwrap();
    assert!(
        summary.contains("2 passed, 0 failed, 0 skipped"),
        "{summary}"
    );
}
