//! What tests of services share: how a run came out, and a process that is told by how long it sleeps.
// Each test program uses its part.
#![allow(dead_code)]

use memtide::recording::Recording;
use memtide::scenario::Outcome;

pub fn outcome(recording: &Recording) -> (Outcome, String) {
    let footer = recording.footer.as_ref().expect("a footer");
    (footer.outcome, footer.reason.clone())
}

/// Seconds that no other process sleeps.
pub fn seconds(n: u32) -> String {
    format!(
        "{}",
        1_000_000_000 + u64::from(std::process::id()) * 10 + u64::from(n)
    )
}

pub fn sleeps(seconds: &str) -> bool {
    let processes = std::fs::read_dir("/proc").unwrap();
    processes.filter_map(Result::ok).any(|entry| {
        let line = std::fs::read(entry.path().join("cmdline")).unwrap_or_default();
        String::from_utf8_lossy(&line).contains(seconds)
    })
}
