//! A virtual machine that hangs or never boots is ended and reported, and leaves nothing behind.
//! A stand-in that sleeps takes the place of memtide: it is the script that is tested here.

mod common;

use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Output};

const NEEDED: [&str; 6] = [
    "qemu-system-x86_64",
    "busybox",
    "cpio",
    "mkfs.ext4",
    "jq",
    "setpriv",
];

/// Why the script can't work here, if it can't.
fn missing() -> Option<String> {
    let path = std::env::var("PATH").unwrap_or_default() + ":/usr/sbin:/sbin";
    let there = |name: &str| {
        path.split(':')
            .any(|dir| Path::new(dir).join(name).exists())
    };
    let missing: Vec<&str> = NEEDED.into_iter().filter(|name| !there(name)).collect();
    (!missing.is_empty()).then(|| format!("not installed: {}", missing.join(", ")))
}

fn run(out: &Path, args: &[&str]) -> Output {
    let stand_in = out.join("stand-in");
    std::fs::write(&stand_in, "#!/bin/busybox sh\nsleep 1000\n").unwrap();
    std::fs::set_permissions(&stand_in, std::fs::Permissions::from_mode(0o755)).unwrap();
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("scripts/kernels/run");
    Command::new(script)
        .arg("--memtide")
        .arg(&stand_in)
        .arg("--out")
        .arg(out)
        .args(args)
        .output()
        .unwrap()
}

/// Processes that were started for this folder and still run.
fn left_running(out: &Path) -> Vec<String> {
    let out = out.to_str().unwrap();
    let processes = std::fs::read_dir("/proc").unwrap();
    processes
        .filter_map(|entry| std::fs::read_to_string(entry.ok()?.path().join("cmdline")).ok())
        .map(|line| line.replace('\0', " "))
        .filter(|line| line.contains(out))
        .collect()
}

#[test]
fn a_machine_that_hangs_is_ended_and_reported() {
    if let Some(reason) = missing() {
        common::skip("booting a kernel", &reason);
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let output = run(
        dir.path(),
        &["--setup", "6.1-v2", "--vm-timeout", "10", "leak"],
    );
    let (table, log) = (
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr),
    );
    if log.contains("apt knows no package") {
        common::skip("booting a kernel", log.trim());
        return;
    }
    assert_eq!(output.status.code(), Some(1), "{table}{log}");
    assert!(
        table.contains("hung and was ended after 10 s"),
        "{table}{log}"
    );
    // The log's tail says how far it came.
    assert!(log.contains("6.1-v2|   "), "{log}");
    assert_eq!(left_running(dir.path()), Vec::<String>::new());
    for large in ["work.img", "results.img", "initramfs"] {
        assert!(
            !dir.path().join("6.1-v2").join(large).exists(),
            "{large} is left"
        );
    }
}

#[test]
fn a_file_that_is_no_kernel_is_reported() {
    if let Some(reason) = missing() {
        common::skip("booting a kernel", &reason);
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let output = run(dir.path(), &["--kernel", "/proc/version", "leak"]);
    let table = String::from_utf8_lossy(&output.stdout);
    assert_eq!(output.status.code(), Some(1), "{table}");
    assert!(
        table.contains("leak on kernel-version: no result: "),
        "{table}"
    );
    assert_eq!(left_running(dir.path()), Vec::<String>::new());
}
