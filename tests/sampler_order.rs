//! `memory.stat` is read before usage, as libcontainer reads them, so that what a recording clamps is
//! what production clamps: seen from outside, in the system calls of a real run.

mod common;

use std::collections::BTreeMap;
use std::process::Command;

/// The files of a cgroup that a traced process has read, in order: (folder, file).
fn reads(trace: &str) -> Vec<(String, String)> {
    let path = |line: &str| {
        let call = line.split_once("pread64(")?.1;
        let path = call.split_once('<')?.1.split_once('>')?.0;
        let (folder, file) = path.rsplit_once('/')?;
        Some((folder.to_string(), file.to_string()))
    };
    trace.lines().filter_map(path).collect()
}

#[test]
fn memory_stat_is_read_before_usage() {
    let what = "the order of a sample's reads";
    if !common::can_manage(what) || !common::has_program(what, "strace") {
        return;
    }
    let dir = tempfile::tempdir_in("/var/tmp").unwrap();
    let trace = dir.path().join("trace");
    // -y names the file behind each descriptor; -D leaves the run a child of this test.
    let status = Command::new("strace")
        .args(["-D", "-q", "-y", "-e", "trace=pread64", "-o"])
        .arg(&trace)
        .arg(env!("CARGO_BIN_EXE_memtide"))
        .args(["record", "--limit", "64MiB", "--interval", "20ms", "--out"])
        .arg(dir.path().join("r.jsonl"))
        .args(["--", "sleep", "0.3"])
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&status.stderr).into_owned();
    if said.contains("ptrace") {
        return common::skip(what, said.trim());
    }
    assert!(status.status.success(), "{said}");
    let text = std::fs::read_to_string(&trace).unwrap();
    let mut last: BTreeMap<String, bool> = BTreeMap::new();
    let mut samples = 0;
    for (folder, file) in reads(&text) {
        match file.as_str() {
            "memory.stat" => {
                last.insert(folder, true);
            }
            // Usage without a memory.stat before it is a lone look at the floor, not a sample's.
            "memory.usage_in_bytes" | "memory.current"
                if last.insert(folder.clone(), false) == Some(true) =>
            {
                samples += 1;
            }
            _ => {}
        }
        // Every memory.stat is followed by the usage of its own folder before another one is read.
        let open: Vec<_> = last.iter().filter(|(_, open)| **open).collect();
        assert!(open.len() <= 1, "{open:?}\n{text}");
    }
    assert!(samples >= 10, "only {samples} samples in\n{text}");
    assert!(last.values().all(|open| !open), "{last:?}");
}
