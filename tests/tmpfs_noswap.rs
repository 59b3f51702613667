//! A tmpfs of `noswap`, as the kubelet mounts an emptyDir of medium Memory: its pages are on the
//! unevictable list, and the scenarios' claims hold there, too.

mod common;

use std::process::Command;

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
