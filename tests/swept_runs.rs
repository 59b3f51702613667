//! What a killed run leaves behind is removed by the next start; what belongs to a run that lives,
//! or that can't be judged, is not touched.

mod common;

use std::fs;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use memtide::cgroup::{Hierarchy, Limits, ManagedPod, sweep, sweep_workdir};
use memtide::run_id::RunId;
use memtide::sys::process::Child;
use nix::sys::signal::Signal;
use nix::unistd::Pid;

const LIMITS: Limits = Limits {
    limit: 32 << 20,
    high: None,
};
/// Names the pod file for the re-executed test binary, which then plays the harness to be killed.
const ROLE: &str = "MEMTIDE_TEST_VICTIM";

fn hierarchy() -> Option<Hierarchy> {
    let found = Hierarchy::discover().map_err(|e| e.to_string());
    let usable = found.and_then(|h| match h.managed_parent() {
        Ok(_) => Ok(h),
        Err(e) => Err(e.to_string()),
    });
    match usable {
        Ok(hierarchy) => Some(hierarchy),
        Err(reason) => {
            common::skip("swept_runs", &reason);
            None
        }
    }
}

/// A run id of a process that has ended for sure.
fn dead_run() -> RunId {
    let mut child = Command::new("true").spawn().unwrap();
    let pid = child.id() as i32;
    child.wait().unwrap();
    RunId {
        pid,
        ..RunId::new().unwrap()
    }
}

/// Not a test by itself: in the re-executed binary it makes a pod with a process that outlives it,
/// says where, and waits to be killed.
#[test]
fn victim() {
    let Ok(report) = std::env::var(ROLE) else {
        return;
    };
    let hierarchy = Hierarchy::discover().unwrap();
    let pod = ManagedPod::create(&hierarchy, &RunId::new().unwrap()).unwrap();
    let container = pod.container("app", &LIMITS).unwrap();
    let mut command = Command::new("sleep");
    command.arg("600").stdin(Stdio::null());
    Child {
        die_with_parent: false,
        ..Child::worker(container.procs())
    }
    .prepare(&mut command);
    let mut child = command.spawn().unwrap();
    let text = format!("{}\n{}\n", pod.path().display(), child.id());
    // Renamed into place, so that whoever waits for it reads all of it.
    fs::write(format!("{report}.new"), text).unwrap();
    fs::rename(format!("{report}.new"), report).unwrap();
    // Until one of the two is killed: SIGKILL for this process, else the test fails.
    let status = child.wait().unwrap();
    panic!("the worker ended first: {status}");
}

/// A harness that made a pod. Killed when dropped, so that a failing test leaves none behind.
struct Victim {
    process: std::process::Child,
    pod: PathBuf,
    worker: i32,
}

impl Drop for Victim {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Waits for the end of a killed process: it leaves its cgroup a moment before it is a zombie.
fn ends(pid: i32) -> bool {
    let start = std::time::Instant::now();
    while runs(pid) && start.elapsed().as_secs() < 10 {
        std::thread::yield_now();
    }
    !runs(pid)
}

/// Whether a process runs; a zombie that nobody has asked after yet does not.
fn runs(pid: i32) -> bool {
    fs::read_to_string(format!("/proc/{pid}/stat")).is_ok_and(|stat| {
        !stat
            .rsplit(')')
            .next()
            .unwrap()
            .trim_start()
            .starts_with('Z')
    })
}

fn start_victim(dir: &Path) -> Victim {
    let report = dir.join("report");
    let process = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "victim", "--nocapture"])
        .env(ROLE, &report)
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    let text = loop {
        match fs::read_to_string(&report) {
            Ok(text) => break text,
            Err(_) => std::thread::yield_now(),
        }
    };
    let (pod, worker) = text.trim().split_once('\n').unwrap();
    Victim {
        process,
        pod: pod.into(),
        worker: worker.parse().unwrap(),
    }
}

#[test]
fn a_killed_runs_cgroups_and_processes_go_and_a_live_runs_stay() {
    let Some(hierarchy) = hierarchy() else {
        return;
    };
    let (one, two) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let mut killed = start_victim(one.path());
    let mut live = start_victim(two.path());
    assert!(runs(killed.worker) && runs(live.worker));

    // Both live: nothing of them is swept.
    let swept = sweep(&hierarchy);
    assert!(!swept.removed.contains(&killed.pod) && !swept.removed.contains(&live.pod));
    assert!(swept.alive >= 2, "{swept:?}");

    killed.process.kill().unwrap();
    // Not waited for: the zombie counts as dead.
    use nix::sys::wait::{Id, WaitPidFlag, waitid};
    let zombie = Id::Pid(Pid::from_raw(killed.process.id() as i32));
    waitid(zombie, WaitPidFlag::WEXITED | WaitPidFlag::WNOWAIT).unwrap();
    let swept = sweep(&hierarchy);
    // Another test's sweep at the same time may have been first; gone is what counts.
    assert!(!killed.pod.exists(), "{swept:?}");
    assert!(ends(killed.worker));
    assert!(live.pod.join("app").exists());
    assert!(runs(live.worker));

    live.process.kill().unwrap();
    let status = live.process.wait().unwrap();
    assert_eq!(status.signal(), Some(Signal::SIGKILL as i32));
    sweep(&hierarchy);
    assert!(!live.pod.exists() && ends(live.worker));
}

#[test]
fn sweeps_at_the_same_time_do_not_disturb_each_other() {
    let Some(hierarchy) = hierarchy() else {
        return;
    };
    let parent = hierarchy.managed_parent().unwrap();
    let run = dead_run();
    let pods: Vec<PathBuf> = (0..20)
        .map(|nonce| parent.join(RunId { nonce, ..run }.to_string()))
        .collect();
    for pod in &pods {
        fs::create_dir_all(pod.join("app/nested")).unwrap();
    }
    let results: Vec<_> = std::thread::scope(|scope| {
        let sweeps: Vec<_> = (0..4).map(|_| scope.spawn(|| sweep(&hierarchy))).collect();
        sweeps.into_iter().map(|s| s.join().unwrap()).collect()
    });
    for pod in &pods {
        assert!(!pod.exists());
        for swept in &results {
            assert!(!swept.left.iter().any(|(path, _)| path == pod), "{swept:?}");
        }
    }
}

#[test]
fn other_pid_namespaces_and_other_names_are_not_touched() {
    let Some(hierarchy) = hierarchy() else {
        return;
    };
    let parent = hierarchy.managed_parent().unwrap();
    let run = dead_run();
    let foreign = RunId {
        pid_ns: run.pid_ns + 1,
        ..run
    };
    let names = [
        foreign.to_string(),
        format!("memtide-{}", run.pid),
        format!("x{run}"),
        format!("memtide-0{}-{}-{}", run.pid, run.start_time, run.pid_ns),
    ];
    let dirs: Vec<PathBuf> = names.iter().map(|name| parent.join(name)).collect();
    for dir in &dirs {
        fs::create_dir(dir).unwrap();
    }
    let swept = sweep(&hierarchy);
    let kept: Vec<bool> = dirs.iter().map(|dir| dir.exists()).collect();
    for dir in &dirs {
        let _ = fs::remove_dir(dir);
    }
    assert_eq!(kept, [true; 4], "{swept:?}");
    assert!(swept.foreign >= 1);
}

#[test]
fn run_folders_of_dead_runs_go() {
    let dir = tempfile::tempdir().unwrap();
    let (dead, live) = (dead_run(), RunId::new().unwrap());
    let foreign = RunId {
        pid_ns: dead.pid_ns + 1,
        ..dead
    };
    let folder = |name: &str| {
        let path = dir.path().join(name);
        fs::create_dir_all(path.join("app")).unwrap();
        fs::write(path.join("app/log"), "text").unwrap();
        path
    };
    let gone = folder(&dead.to_string());
    let stays = [
        folder(&live.to_string()),
        folder(&foreign.to_string()),
        folder("memtide-mine"),
        folder("data"),
    ];
    // A link by such a name is not followed.
    let link = dir.path().join(RunId { nonce: 9, ..dead }.to_string());
    std::os::unix::fs::symlink(&stays[3], &link).unwrap();
    let swept = sweep_workdir(dir.path());
    assert!(!gone.exists());
    assert_eq!(swept.removed, [gone]);
    assert!(stays.iter().all(|path| path.join("app/log").exists()));
    assert_eq!((swept.alive, swept.foreign), (1, 1));
    let nowhere = sweep_workdir(&dir.path().join("not/there"));
    assert_eq!(nowhere, Default::default());
}
