//! A packed recording of a busy cgroup stays small: at most 100 bytes a sample, of raw numbers.
//! The corpus of shipped recordings is embedded into the binary, so its size is everybody's.

mod common;
#[path = "support/header.rs"]
mod header;

use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use memtide::cgroup::{Hierarchy, Limits, ManagedPod};
use memtide::recording::{GroupKind, Header, Original, Writer, pack, read_path};
use memtide::run_id::RunId;
use memtide::sampler::{Clock, GroupSource, Sampler};
use memtide::sys::process::Child;
use memtide::truth::{COUNTERS, Counter};

const MIB: u64 = 1 << 20;
const TICKS: u64 = 200;

/// Two groups, truth and one worker that writes small lines past the container's limit for 4 s.
#[test]
fn a_busy_recording_packs_to_a_hundred_bytes_a_sample() {
    let hierarchy = match Hierarchy::discover() {
        Ok(hierarchy) => hierarchy,
        Err(error) => return common::skip("a busy recording", &error.to_string()),
    };
    let pod = match ManagedPod::create(&hierarchy, &RunId::new().unwrap()) {
        Ok(pod) => pod,
        Err(error) => return common::skip("a busy recording", &error.to_string()),
    };
    let limits = Limits {
        limit: 32 * MIB,
        high: None,
    };
    let container = pod.container("app", &limits).unwrap();
    let dir = tempfile::tempdir().unwrap();
    let log = dir.path().join("log");
    let source = |name: &str, kind, path: &std::path::Path| GroupSource {
        name: name.into(),
        kind,
        path: path.into(),
        version: hierarchy.version,
        limit: (kind == GroupKind::Container).then_some(limits.limit),
        actors: match kind {
            GroupKind::Pod => Vec::new(),
            GroupKind::Container => vec!["log".into()],
        },
        truth: true,
    };
    let sources = vec![
        source("pod", GroupKind::Pod, pod.path()),
        source("app", GroupKind::Container, container.path()),
    ];
    let mut sampler = Sampler::open(sources, true).unwrap();
    let header = Header {
        host: memtide::host::detect(&hierarchy, dir.path(), "managed"),
        scenario: "size".into(),
        interval_ns: 20_000_000,
        ..header::header(hierarchy.version, sampler.groups())
    };
    let path = dir.path().join("size.jsonl");
    let mut writer = Writer::create(&path, &header).unwrap();

    let script = format!(
        "while :; do echo 'a line of a log, as long as they are'; done > {}",
        log.display()
    );
    let mut command = Command::new("sh");
    command.args(["-c", &script]).stdin(Stdio::null());
    Child::worker(container.procs()).prepare(&mut command);
    let mut child = command.spawn().unwrap();
    let written = Arc::new(AtomicU64::new(0));
    let truth = {
        let written = Arc::clone(&written);
        move |out: &mut [u64; COUNTERS.len()]| {
            out.fill(0);
            let bytes = written.load(Ordering::Relaxed);
            out[Counter::FileWritten as usize] = bytes;
            out[Counter::FileLive as usize] = bytes;
            out[Counter::Ops as usize] = bytes / 36;
        }
    };
    sampler.attach(1, "log", child.id() as i32, Some(Arc::new(truth)));

    let mut clock = Clock::start(Duration::from_millis(20)).unwrap();
    for _ in 0..TICKS {
        clock.wait().unwrap();
        written.store(
            std::fs::metadata(&log).map_or(0, |meta| meta.len()),
            Ordering::Relaxed,
        );
        for group in 0..sampler.len() {
            let t = clock.now_ns();
            let reading = sampler.sample(group);
            if reading.grown {
                writer.columns(group, sampler.columns(group)).unwrap();
            }
            writer
                .sample(group, t, reading.cost_ns, sampler.values(group))
                .unwrap();
        }
    }
    child.kill().unwrap();
    child.wait().unwrap();
    drop(writer);
    container.remove().unwrap();
    pod.remove().unwrap();

    let packed = pack(&path, Original::Keep).unwrap();
    assert_eq!(packed.samples, 2 * TICKS);
    let each = packed.bytes_after / packed.samples;
    println!(
        "{} samples, {} B each, {each} B packed; written {} MiB; {:?}",
        packed.samples,
        packed.bytes_before / packed.samples,
        written.load(Ordering::Relaxed) / MIB,
        clock.cost(0),
    );
    // The header is in it as well: about 1 KiB packed, 3 bytes a sample here.
    assert!(each <= 100, "{each} bytes a sample");
    let back = read_path(&packed.path).unwrap();
    assert_eq!(back.tables[1].len() as u64, TICKS);
}
