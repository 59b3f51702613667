//! Pods and containers on the real kernel: made, limited, joined before the first instruction,
//! emptied and removed. Skipped, with the reason printed, where cgroups can't be made.

mod common;

use std::path::Path;
use std::process::{Child as Process, Command, Stdio};

use memtide::cgroup::{Hierarchy, Limits, ManagedPod, SwapRule};
use memtide::rows::CgroupVersion;
use memtide::run_id::RunId;
use memtide::sys::process::Child;

const MIB: u64 = 1 << 20;
const LIMIT: Limits = Limits {
    limit: 64 * MIB,
    high: None,
};

/// A pod, or none where this machine can't make one.
fn pod() -> Option<(Hierarchy, ManagedPod)> {
    let hierarchy = match Hierarchy::discover() {
        Ok(hierarchy) => hierarchy,
        Err(error) => {
            common::skip("managed_cgroups", &error.to_string());
            return None;
        }
    };
    match ManagedPod::create(&hierarchy, &RunId::new().unwrap()) {
        Ok(pod) => Some((hierarchy, pod)),
        Err(error) => {
            common::skip("managed_cgroups", &error.to_string());
            None
        }
    }
}

fn sleeper(procs: &std::fs::File) -> Process {
    let mut command = Command::new("sleep");
    command.arg("600").stdin(Stdio::null());
    Child::worker(procs).prepare(&mut command);
    command.spawn().unwrap()
}

#[test]
fn the_kernel_holds_the_limit_that_was_asked_for() {
    let Some((hierarchy, pod)) = pod() else {
        return;
    };
    let container = pod.container("app", &LIMIT).unwrap();
    assert_eq!(container.limits().limit, LIMIT.limit);
    assert_eq!(
        hierarchy.effective_limit(container.path()).bytes(),
        Some(LIMIT.limit)
    );
    // The pod's limit holds for the container too if it is the smaller one.
    let smaller = Limits {
        limit: 32 * MIB,
        high: None,
    };
    pod.set_limits(&smaller).unwrap();
    assert_eq!(
        hierarchy.effective_limit(container.path()).bytes(),
        Some(smaller.limit)
    );
}

#[test]
fn a_limit_can_be_raised_and_lowered_and_swap_does_not_widen_it() {
    let Some((hierarchy, pod)) = pod() else {
        return;
    };
    let file = |name: &str| std::fs::read_to_string(pod.path().join(name)).ok();
    for mib in [64, 128, 32, 48] {
        let limits = Limits {
            limit: mib * MIB,
            high: None,
        };
        let taken = pod.set_limits(&limits).unwrap();
        assert_eq!(taken.limit, limits.limit);
        // v1 counts memory with swap, v2 swap alone.
        let memsw = file("memory.memsw.limit_in_bytes");
        let swap_max = file("memory.swap.max");
        match taken.swap {
            SwapRule::NoSwap => assert!(!hierarchy.swap_on),
            SwapRule::Forbidden => match hierarchy.version {
                CgroupVersion::V1 => {
                    assert_eq!(memsw.unwrap().trim(), limits.limit.to_string());
                }
                CgroupVersion::V2 => assert_eq!(swap_max.unwrap().trim(), "0"),
            },
            SwapRule::Unlimited => assert!(memsw.is_none() && swap_max.is_none()),
        }
    }
    if !hierarchy.swap_on {
        common::skip(
            "managed_cgroups",
            "this machine has no swap, so only its absence was checked",
        );
    }
}

#[test]
fn memory_high_is_set_where_it_exists_and_an_error_elsewhere() {
    let Some((hierarchy, pod)) = pod() else {
        return;
    };
    let limits = Limits {
        high: Some(16 * MIB),
        ..LIMIT
    };
    let made = pod.container("app", &limits);
    match hierarchy.version {
        CgroupVersion::V2 => assert_eq!(made.unwrap().limits().high, Some(16 * MIB)),
        CgroupVersion::V1 => {
            let error = made.unwrap_err().to_string();
            assert!(error.contains("memory.high (cgroup v2 only)"), "{error}");
            // Nothing stays of a container that could not be made.
            assert!(!pod.path().join("app").exists());
        }
    }
}

#[test]
fn a_smaller_limit_above_the_pod_is_told_with_its_place() {
    let Some((hierarchy, outer)) = pod() else {
        return;
    };
    outer.set_limits(&LIMIT).unwrap();
    // As if this process were in a container with that limit.
    let inside = Hierarchy {
        mount: outer.path().to_path_buf(),
        own: outer.path().to_path_buf(),
        ..hierarchy
    };
    let inner = ManagedPod::create(&inside, &RunId::new().unwrap()).unwrap();
    let more = Limits {
        limit: 128 * MIB,
        high: None,
    };
    let error = inner.container("app", &more).unwrap_err().to_string();
    assert!(error.contains("64.0 MiB, set by "), "{error}");
    inner.container("app", &LIMIT).unwrap();
}

#[test]
fn a_worker_is_in_the_container_before_its_first_instruction() {
    let Some((hierarchy, pod)) = pod() else {
        return;
    };
    let container = pod.container("app", &LIMIT).unwrap();
    // The program itself reports where it finds itself when it starts.
    let mut command = Command::new("cat");
    command.args(["/proc/self/cgroup", "/proc/self/oom_score_adj"]);
    Child::worker(container.procs()).prepare(&mut command);
    let output = command.output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let place = format!("{}/app", pod.run());
    assert!(text.contains(&place), "{text} has no {place}");
    assert!(text.ends_with("\n1000\n"), "{text}");

    let mut child = sleeper(container.procs());
    assert_eq!(
        hierarchy.cgroup_of(child.id() as i32).unwrap(),
        container.path()
    );
    assert_eq!(container.pids().unwrap().visible, [child.id() as i32]);
    assert_eq!(container.kill().unwrap(), 1);
    child.wait().unwrap();
}

#[test]
fn removing_kills_and_leaves_nothing() {
    let Some((_, pod)) = pod() else {
        return;
    };
    let path = pod.path().to_path_buf();
    let container = pod.container("app", &LIMIT).unwrap();
    let mut children: Vec<Process> = (0..3).map(|_| sleeper(container.procs())).collect();
    // A workload can make cgroups of its own below its container.
    std::fs::create_dir(container.path().join("nested")).unwrap();
    container.remove().unwrap();
    assert!(!path.join("app").exists());
    let again = pod.container("app", &LIMIT).unwrap();
    children.push(sleeper(again.procs()));
    drop(again);
    let other = pod.container("other", &LIMIT).unwrap();
    children.push(sleeper(other.procs()));
    pod.remove().unwrap();
    assert!(!path.exists());
    drop(other);
    for child in &mut children {
        use std::os::unix::process::ExitStatusExt;
        assert_eq!(child.wait().unwrap().signal(), Some(9));
    }
}

#[test]
fn hundreds_of_processes_go_too() {
    let Some((_, pod)) = pod() else {
        return;
    };
    let limits = Limits {
        limit: 512 * MIB,
        high: None,
    };
    let container = pod.container("app", &limits).unwrap();
    let mut command = Command::new("sh");
    let many = "i=0; while [ $i -lt 300 ]; do sleep 600 & i=$((i + 1)); done; wait";
    command.args(["-c", many]).stdin(Stdio::null());
    Child::worker(container.procs()).prepare(&mut command);
    let mut shell = command.spawn().unwrap();
    let all = || container.pids().unwrap().visible.len() == 301;
    assert!(common::wait_until(std::time::Duration::from_secs(60), all));
    assert_eq!(container.kill().unwrap(), 301);
    container.remove().unwrap();
    shell.wait().unwrap();
}

#[test]
fn dropping_removes_too() {
    let Some((_, pod)) = pod() else {
        return;
    };
    let path = pod.path().to_path_buf();
    let container = pod.container("app", &LIMIT).unwrap();
    let mut child = sleeper(container.procs());
    drop(container);
    drop(pod);
    assert!(!path.exists());
    child.wait().unwrap();
}

#[test]
fn pod_rows_count_its_containers() {
    let Some((_, pod)) = pod() else {
        return;
    };
    if let Ok(text) = std::fs::read_to_string(pod.path().join("memory.use_hierarchy")) {
        assert_eq!(text.trim(), "1");
    }
    let container = pod.container("app", &LIMIT).unwrap();
    // 8 MiB of shared memory charged to the container by the shell that writes it.
    let file = format!("/dev/shm/{}", pod.run());
    let mut command = Command::new("dd");
    command
        .args(["if=/dev/zero", "bs=1M", "count=8"])
        .arg(format!("of={file}"))
        .stderr(Stdio::null());
    Child::worker(container.procs()).prepare(&mut command);
    let status = command.status().unwrap();
    let usage = usage_of(pod.path());
    let _ = std::fs::remove_file(&file);
    assert!(status.success());
    assert!(usage >= 8 * MIB, "pod's usage is {usage}");
}

fn usage_of(dir: &Path) -> u64 {
    ["memory.usage_in_bytes", "memory.current"]
        .iter()
        .find_map(|file| std::fs::read_to_string(dir.join(file)).ok())
        .and_then(|text| text.trim().parse().ok())
        .unwrap()
}

#[test]
fn a_name_that_leaves_the_pod_is_refused() {
    let Some((_, pod)) = pod() else {
        return;
    };
    for name in ["", ".", "..", "a/b", "memory.stat", "../x", &"x".repeat(65)] {
        let error = pod.container(name, &LIMIT).unwrap_err();
        assert!(error.to_string().contains("can't name a cgroup"), "{error}");
    }
}

#[test]
fn several_runs_stand_side_by_side() {
    let (Some((_, one)), Some((_, two))) = (pod(), pod()) else {
        return;
    };
    assert_ne!(one.path(), two.path());
    let container = two.container("app", &LIMIT).unwrap();
    let mut child = sleeper(container.procs());
    one.remove().unwrap();
    assert_eq!(container.pids().unwrap().visible, [child.id() as i32]);
    two.remove().unwrap();
    child.wait().unwrap();
}
