//! cgroup v2 forbids processes beside controllers. In a container's own namespace, and in a
//! delegated cgroup without root, memtide moves the processes in the way into a leaf, and back.
//!
//! Needs root and the memory controller on cgroup v2; skipped elsewhere, with the reason printed.

mod common;

use std::fs::{self, File};
use std::os::unix::fs::chown;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child as Process, Command, Stdio};

use memtide::cgroup::{Hierarchy, Limits, ManagedPod, Needs, sweep};
use memtide::rows::CgroupVersion;
use memtide::run_id::RunId;
use memtide::sys::process::Child;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

const ROLE: &str = "MEMTIDE_TEST_ROLE";
const REPORT: &str = "MEMTIDE_TEST_REPORT";
const NOBODY: u32 = 65534;
const LIMITS: Limits = Limits {
    limit: 32 << 20,
    high: None,
};

/// A cgroup that stands for a container's or a delegated one. Removed when dropped.
struct Ground {
    path: PathBuf,
}

impl Ground {
    fn new(name: &str) -> Option<Ground> {
        let reason = match Hierarchy::discover() {
            Err(error) => error.to_string(),
            Ok(h) if h.version == CgroupVersion::V1 => "memory is on cgroup v1 here".into(),
            Ok(_) if !nix::unistd::geteuid().is_root() => "needs root".into(),
            Ok(h) => match h.plan_parent() {
                Err(error) => error.to_string(),
                Ok(parent) if parent.needs == Needs::EnableMemory => {
                    fs::write(parent.path.join("cgroup.subtree_control"), "+memory").unwrap();
                    return Some(Ground::below(&parent.path, name));
                }
                Ok(parent) if parent.needs == Needs::Nothing => {
                    return Some(Ground::below(&parent.path, name));
                }
                Ok(_) => "this is a container itself".into(),
            },
        };
        common::skip("v2_leaf", &reason);
        None
    }

    fn below(parent: &Path, name: &str) -> Ground {
        let path = parent.join(format!("memtide-test-{name}-{}", std::process::id()));
        fs::create_dir(&path).unwrap();
        Ground { path }
    }

    fn procs(&self) -> File {
        let path = self.path.join("cgroup.procs");
        File::options().write(true).open(path).unwrap()
    }

    fn read(&self, file: &str) -> String {
        fs::read_to_string(self.path.join(file)).unwrap()
    }

    fn children(&self) -> Vec<PathBuf> {
        let dirs = fs::read_dir(&self.path).unwrap().map(|e| e.unwrap());
        dirs.filter(|e| e.file_type().unwrap().is_dir())
            .map(|e| e.path())
            .collect()
    }

    /// Runs `role` of this test binary inside.
    fn start(&self, role: &str, report: &Path) -> Process {
        let mut command = Command::new(std::env::current_exe().unwrap());
        command
            .args(["--exact", "inside", "--nocapture"])
            .env(ROLE, role)
            .env(REPORT, report);
        let procs = self.procs();
        Child {
            join: Some(&procs),
            oom_score_adj: None,
            die_with_parent: true,
        }
        .prepare(&mut command);
        command.spawn().unwrap()
    }

    /// A process that has nothing to do with memtide.
    fn bystander(&self) -> Process {
        let mut command = Command::new("sleep");
        command.arg("60").stdin(Stdio::null());
        let procs = self.procs();
        Child {
            join: Some(&procs),
            oom_score_adj: None,
            die_with_parent: true,
        }
        .prepare(&mut command);
        command.spawn().unwrap()
    }
}

impl Drop for Ground {
    fn drop(&mut self) {
        // Everything in it was started by this test; after a failed one something can be left.
        let left = fs::read_to_string(self.path.join("cgroup.procs")).unwrap_or_default();
        for pid in left.lines().filter_map(|pid| pid.parse().ok()) {
            let _ = kill(Pid::from_raw(pid), Signal::SIGKILL);
            let _ = nix::sys::wait::waitpid(Pid::from_raw(pid), None);
        }
        let _ = fs::remove_dir(&self.path);
    }
}

/// Not a test by itself: what the re-executed binary does inside a [`Ground`].
#[test]
fn inside() {
    let Ok(role) = std::env::var(ROLE) else {
        return;
    };
    let report = PathBuf::from(std::env::var(REPORT).unwrap());
    match role.as_str() {
        "container" => as_in_a_container(),
        "contained" => as_contained(),
        "delegated" => as_in_a_delegated_cgroup(),
        "killed" => {
            let hierarchy = Hierarchy::discover().unwrap();
            let own = hierarchy.own.clone();
            // As a delegated user would see it: own cgroup first.
            nix::unistd::seteuid(NOBODY.into()).unwrap();
            let pod = ManagedPod::create(&hierarchy, &RunId::new().unwrap()).unwrap();
            assert!(pod.path().starts_with(own));
            fs::write(&report, "ready").unwrap();
            loop {
                std::thread::park();
            }
        }
        other => panic!("no role {other}"),
    }
}

fn as_in_a_container() {
    use nix::mount::{MsFlags, mount};
    use nix::sched::{CloneFlags, unshare};
    let point = Hierarchy::discover().unwrap().mount;
    unshare(CloneFlags::CLONE_NEWCGROUP | CloneFlags::CLONE_NEWNS).unwrap();
    let none: Option<&str> = None;
    mount(none, "/", none, MsFlags::MS_REC | MsFlags::MS_PRIVATE, none).unwrap();
    // The kernel refuses the same file system twice on one point.
    nix::mount::umount2(&point, nix::mount::MntFlags::MNT_DETACH).unwrap();
    let cgroup2 = Some("cgroup2");
    mount(cgroup2, &point, cgroup2, MsFlags::empty(), none).unwrap();
    // Only a new program has these namespaces as a whole process.
    let error = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "inside", "--nocapture"])
        .env(ROLE, "contained")
        .exec();
    panic!("{error}");
}

fn as_contained() {
    let hierarchy = Hierarchy::discover().unwrap();
    assert_eq!(hierarchy.listed, "/");
    assert_eq!(hierarchy.root, Path::new("/"));
    assert_eq!(hierarchy.own, hierarchy.mount);
    use_a_pod(&hierarchy);
}

fn as_in_a_delegated_cgroup() {
    let hierarchy = Hierarchy::discover().unwrap();
    nix::unistd::setegid(NOBODY.into()).unwrap();
    nix::unistd::seteuid(NOBODY.into()).unwrap();
    use_a_pod(&hierarchy);
}

/// Makes a pod with a container and a process in it, and removes it.
fn use_a_pod(hierarchy: &Hierarchy) {
    let plan = hierarchy.plan_parent().unwrap();
    assert_eq!(plan.path, hierarchy.own);
    assert!(
        matches!(plan.needs, Needs::Leaf { processes: 2 }),
        "{plan:?}"
    );
    let pod = ManagedPod::create(hierarchy, &RunId::new().unwrap()).unwrap();
    let container = pod.container("app", &LIMITS).unwrap();
    assert_eq!(container.limits().limit, LIMITS.limit);
    let mut command = Command::new("sleep");
    command.arg("60");
    Child {
        oom_score_adj: None,
        ..Child::worker(container.procs())
    }
    .prepare(&mut command);
    let mut child = command.spawn().unwrap();
    assert_eq!(container.pids().unwrap().visible, [child.id() as i32]);
    // A second run, found in the first one's leaf, stands beside it and leaves it alone at its end.
    let moved = Hierarchy {
        own: hierarchy.own.join(format!("{}-harness", pod.run())),
        ..hierarchy.clone()
    };
    let beside = moved.plan_parent().unwrap();
    assert_eq!(
        (&beside.path, beside.needs),
        (&hierarchy.own, Needs::Nothing)
    );
    let second = ManagedPod::create(&moved, &RunId::new().unwrap()).unwrap();
    assert_eq!(second.path().parent(), pod.path().parent());
    second.remove().unwrap();
    assert_eq!(container.pids().unwrap().visible, [child.id() as i32]);
    container.remove().unwrap();
    child.wait().unwrap();
    pod.remove().unwrap();
}

/// Runs a role to its end beside a bystander, and checks that all is as it was.
fn run_role(ground: &Ground, role: &str) {
    let dir = tempfile::tempdir().unwrap();
    let mut bystander = ground.bystander();
    let status = ground
        .start(role, &dir.path().join("report"))
        .wait()
        .unwrap();
    assert!(status.success(), "{status}");
    assert_eq!(ground.children(), Vec::<PathBuf>::new());
    assert_eq!(ground.read("cgroup.subtree_control").trim(), "");
    assert_eq!(
        ground.read("cgroup.procs").trim(),
        bystander.id().to_string()
    );
    bystander.kill().unwrap();
    bystander.wait().unwrap();
}

fn delegate(ground: &Ground) {
    for file in [
        "",
        "cgroup.procs",
        "cgroup.subtree_control",
        "cgroup.threads",
    ] {
        chown(ground.path.join(file), Some(NOBODY), Some(NOBODY)).unwrap();
    }
}

#[test]
fn in_a_containers_namespace_the_processes_move_aside_and_back() {
    if let Some(ground) = Ground::new("container") {
        run_role(&ground, "container");
    }
}

#[test]
fn in_a_delegated_cgroup_no_root_is_needed() {
    if let Some(ground) = Ground::new("delegated") {
        delegate(&ground);
        run_role(&ground, "delegated");
    }
}

#[test]
fn a_killed_runs_leaf_is_dissolved_and_the_bystanders_live() {
    let Some(ground) = Ground::new("killed") else {
        return;
    };
    delegate(&ground);
    let dir = tempfile::tempdir().unwrap();
    let report = dir.path().join("report");
    fs::set_permissions(
        dir.path(),
        std::os::unix::fs::PermissionsExt::from_mode(0o777),
    )
    .unwrap();
    let mut bystander = ground.bystander();
    let mut harness = ground.start("killed", &report);
    while !report.exists() {
        assert_eq!(harness.try_wait().unwrap(), None, "ended early");
        std::thread::yield_now();
    }
    assert_eq!(ground.children().len(), 2, "pod and leaf");
    harness.kill().unwrap();
    harness.wait().unwrap();
    let swept = sweep(&Hierarchy::discover().unwrap());
    assert_eq!(ground.children(), Vec::<PathBuf>::new(), "{swept:?}");
    assert_eq!(ground.read("cgroup.subtree_control").trim(), "");
    assert_eq!(
        ground.read("cgroup.procs").trim(),
        bystander.id().to_string()
    );
    bystander.kill().unwrap();
    bystander.wait().unwrap();
}
