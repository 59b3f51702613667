//! The sampler on the real kernel: its own cgroup, one that is removed under it, real workers.

mod common;

use std::path::Path;
use std::process::{Child as Process, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use memtide::cgroup::{Hierarchy, Limits, ManagedPod};
use memtide::recording::{GroupKind, MISSING};
use memtide::rows::CgroupVersion;
use memtide::run_id::RunId;
use memtide::sampler::{GroupSource, Sampler, Settle, Settled, smaps_rollup};
use memtide::sys::process::Child;
use memtide::truth::{COUNTERS, Counter};

const LIMITS: Limits = Limits {
    limit: 64 << 20,
    high: None,
};

fn hierarchy() -> Option<Hierarchy> {
    Hierarchy::discover()
        .map_err(|error| common::skip("live samples", &error.to_string()))
        .ok()
}

fn pod() -> Option<ManagedPod> {
    let hierarchy = hierarchy()?;
    let made = ManagedPod::create(&hierarchy, &RunId::new().unwrap());
    made.map_err(|error| common::skip("live samples", &error.to_string()))
        .ok()
}

fn source(path: &Path, version: CgroupVersion, kind: GroupKind) -> GroupSource {
    GroupSource {
        name: "app".into(),
        kind,
        path: path.into(),
        version,
        limit: Some(64 << 20),
        actors: vec!["a".into()],
        truth: true,
    }
}

fn value(sampler: &Sampler, group: usize, name: &str) -> u64 {
    let place = sampler
        .columns(group)
        .iter()
        .position(|column| column == name);
    sampler.values(group)[place.unwrap_or_else(|| panic!("no column {name}"))]
}

#[test]
fn the_own_cgroup_gives_every_row_of_its_memory_stat() {
    let Some(Hierarchy { own, version, .. }) = hierarchy() else {
        return;
    };
    let mut sampler =
        Sampler::open(vec![source(&own, version, GroupKind::Container)], true).unwrap();
    assert!(!sampler.sample(0).ended);
    let stat = std::fs::read_to_string(own.join("memory.stat")).unwrap();
    for line in stat.lines() {
        let name = line.split(' ').next().unwrap();
        assert_ne!(value(&sampler, 0, name), MISSING, "{name}");
    }
    let usage = match version {
        CgroupVersion::V1 => "memory.usage_in_bytes",
        CgroupVersion::V2 => "memory.current",
    };
    assert_ne!(value(&sampler, 0, usage), MISSING);
    let available = value(&sampler, 0, "node:MemAvailable");
    assert!(available == MISSING || available > 1 << 20);
    // No worker is attached: their rows are missing, and nothing is known to be live.
    assert_eq!(value(&sampler, 0, "proc:a.VmRSS"), MISSING);
    assert_eq!(value(&sampler, 0, "truth:live"), 0);
}

#[test]
fn a_removed_cgroup_ends_and_can_be_reopened() {
    let Some(pod) = pod() else { return };
    let container = pod.container("app", &LIMITS).unwrap();
    let (path, version) = (container.path().to_path_buf(), container.version());
    let mut sampler =
        Sampler::open(vec![source(&path, version, GroupKind::Container)], false).unwrap();
    assert!(!sampler.sample(0).ended);
    container.remove().unwrap();
    assert!(sampler.sample(0).ended);
    assert!(sampler.sample(0).ended, "and stays so");
    assert!(
        sampler.reopen(0, &path).is_err(),
        "there is nothing to open"
    );
    let again = pod.container("app", &LIMITS).unwrap();
    sampler.reopen(0, again.path()).unwrap();
    assert!(!sampler.sample(0).ended);
    drop(again);
    pod.remove().unwrap();
}

fn sleeper(procs: &std::fs::File) -> Process {
    let mut command = Command::new("sleep");
    command.arg("600").stdin(Stdio::null());
    Child::worker(procs).prepare(&mut command);
    command.spawn().unwrap()
}

#[test]
fn a_workers_rows_and_truth_end_with_it_but_its_files_stay() {
    let Some(pod) = pod() else { return };
    let container = pod.container("app", &LIMITS).unwrap();
    let version = container.version();
    let mut sampler = Sampler::open(
        vec![
            GroupSource {
                actors: vec![],
                ..source(pod.path(), version, GroupKind::Pod)
            },
            source(container.path(), version, GroupKind::Container),
        ],
        false,
    )
    .unwrap();
    let mut child = sleeper(container.procs());
    let truth = |out: &mut [u64; COUNTERS.len()]| {
        out.fill(0);
        out[Counter::Live as usize] = 5;
        out[Counter::FileLive as usize] = 7;
    };
    sampler.attach(1, "a", child.id() as i32, Some(Arc::new(truth)));
    sampler.sample(1);
    // An old kernel has no RssAnon, but every one has VmRSS.
    let rss = value(&sampler, 1, "proc:a.VmRSS");
    assert!(
        rss != MISSING && rss >= 4096 && rss.is_multiple_of(1024),
        "{rss}"
    );
    assert_eq!(value(&sampler, 1, "truth:live"), 5);
    sampler.sample(0);
    assert_eq!(
        value(&sampler, 0, "truth:live"),
        5,
        "a pod's truth is that of its containers"
    );

    let rollup = smaps_rollup(child.id() as i32);
    match Path::new("/proc/self/smaps_rollup").exists() {
        true => assert!(rollup.get("Rss").unwrap() > 0 && rollup.get("LazyFree") == Some(0)),
        false => assert!(rollup.is_empty()),
    }

    child.kill().unwrap();
    child.wait().unwrap();
    sampler.sample(1);
    assert_eq!(value(&sampler, 1, "proc:a.VmRSS"), MISSING);
    assert_eq!(
        (
            value(&sampler, 1, "truth:live"),
            value(&sampler, 1, "truth:file_live")
        ),
        (0, 7)
    );
    assert!(smaps_rollup(child.id() as i32).is_empty());

    // A worker that nobody announced grows the columns.
    let mut late = sleeper(container.procs());
    sampler.attach(1, "late", late.id() as i32, None);
    assert!(sampler.sample(1).grown);
    assert_ne!(value(&sampler, 1, "proc:late.VmSize"), MISSING);
    sampler.detach(1, "late");
    sampler.sample(1);
    assert_eq!(value(&sampler, 1, "proc:late.VmSize"), MISSING);
    late.kill().unwrap();
    late.wait().unwrap();
    drop(container);
    pod.remove().unwrap();
}

#[test]
fn a_quiet_cgroup_settles_and_a_removed_one_ends() {
    let Some(pod) = pod() else { return };
    let container = pod.container("app", &LIMITS).unwrap();
    let (path, version) = (container.path().to_path_buf(), container.version());
    let open = || Settle::open(&path, version, (2, 4096), Duration::from_secs(10)).unwrap();
    assert_eq!(open().block(), Settled::Stable);
    let settle = open();
    container.remove().unwrap();
    assert_eq!(settle.block(), Settled::Ended);
    pod.remove().unwrap();
}
