//! The own memory cgroup is found in every set-up people run in: from the texts of
//! `/proc/self/cgroup` and `/proc/self/mountinfo` as such systems give them, and on this machine.

mod common;

use std::path::{Path, PathBuf};

use memtide::cgroup::{CgroupError, Hierarchy, Located, Own, discover_in};
use memtide::rows::CgroupVersion::{self, V1, V2};
use proptest::prelude::*;

fn discover(case: &str) -> Result<Located, CgroupError> {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/data/cgroup")
        .join(case);
    let read = |name| std::fs::read(dir.join(name)).unwrap();
    discover_in(read("cgroup"), read("mountinfo"))
}

/// Checks version, mount, own directory and whether the mount is read-only.
#[track_caller]
fn check(case: &str, version: CgroupVersion, mount: &str, own: &str, read_only: bool) -> Located {
    let found = discover(case).unwrap();
    assert_eq!(found.version, version, "{case}");
    assert_eq!(found.mount, Path::new(mount), "{case}");
    assert_eq!(found.own, Own::At(own.into()), "{case}");
    assert_eq!(found.read_only, read_only, "{case}");
    found
}

const MEMORY: &str = "/sys/fs/cgroup/memory";
const UNIFIED: &str = "/sys/fs/cgroup";
const CONTAINER: &str = "c33988ec7651ebc867cb24755eaf637a6734088bc7eef59d5799293a9e5450f7";
const NODE: &str = "744ba5524431986481406cfd13382cbeb7e59a4739dec5ff8b458bc821969662";

#[test]
fn v1_on_the_host() {
    let own = "/sys/fs/cgroup/memory/user.slice";
    let found = check("v1-host", V1, MEMORY, own, false);
    assert!(!found.hybrid);
}

#[test]
fn v1_in_docker_where_the_mount_starts_at_the_container() {
    let found = check("v1-docker", V1, MEMORY, MEMORY, true);
    assert_eq!(found.root, PathBuf::from(format!("/docker/{CONTAINER}")));
}

#[test]
fn v2_with_a_private_namespace() {
    check("v2-private-namespace", V2, UNIFIED, UNIFIED, true);
}

#[test]
fn v2_with_the_host_namespace() {
    let own = format!("/sys/fs/cgroup/system.slice/docker-{CONTAINER}.scope");
    check("v2-host-namespace", V2, UNIFIED, &own, true);
}

#[test]
fn hybrid_with_memory_on_v1() {
    let own = "/sys/fs/cgroup/memory/user.slice/user-1000.slice/session-3.scope";
    assert!(check("hybrid", V1, MEMORY, own, false).hybrid);
    let own = "/sys/fs/cgroup/memory/session/96f561100bd8";
    assert!(check("hybrid-microvm", V1, MEMORY, own, false).hybrid);
}

#[test]
fn a_pod_in_a_kind_node() {
    check("kind-v1-pod", V1, MEMORY, MEMORY, true);
    // A second mount shows the own cgroup as unknown names below the node's; the plain one wins.
    check("kind-v2-pod-with-hostpath", V2, UNIFIED, UNIFIED, true);
}

#[test]
fn of_several_mounts_the_one_with_the_short_path_is_taken() {
    // The node mounts each controller twice, the second time below its own path.
    let found = check(
        "kind-v1-node",
        V1,
        MEMORY,
        "/sys/fs/cgroup/memory/system.slice/kubelet.service",
        false,
    );
    assert_eq!(found.root, PathBuf::from(format!("/docker/{NODE}")));
}

#[test]
fn a_systemd_user_scope() {
    let own = "/sys/fs/cgroup/user.slice/user-1000.slice/user@1000.service/app.slice/\
               run-rb2f6cf0a27694f5d9cf4b3a3d6a9c3a1.scope";
    check("systemd-user", V2, UNIFIED, own, false);
}

#[test]
fn a_mount_that_starts_above_the_namespace_hides_names() {
    let found = discover("v2-unshared-namespace").unwrap();
    let hidden = |levels| Own::Hidden {
        levels,
        rest: PathBuf::new(),
    };
    assert_eq!(found.own, hidden(3));
    let found = discover("v1-unshared-namespace").unwrap();
    assert_eq!((found.version, found.own), (V1, hidden(3)));
}

#[test]
fn a_path_above_the_namespace_is_found_in_a_mount_that_starts_there() {
    let own = "/sys/fs/cgroup/init.scope";
    check("v2-outside-namespace", V2, UNIFIED, own, false);
}

#[test]
fn a_cgroup_that_no_mount_shows_is_an_error_that_names_it() {
    let error = discover("v2-exec-beside-container")
        .unwrap_err()
        .to_string();
    assert!(error.contains("/../exec-4711"), "{error}");
    assert!(error.contains("/sys/fs/cgroup shows /"), "{error}");
}

#[test]
fn a_mount_under_another_one_is_not_used() {
    check("v2-overmounted", V2, UNIFIED, UNIFIED, true);
}

#[test]
fn escaped_mount_points_are_read() {
    let mount = "/mnt/c groups\\mem";
    let own = "/mnt/c groups\\mem/batch/nightly job";
    check("v1-escaped-mount-point", V1, mount, own, false);
}

#[test]
fn no_controller_and_no_mount_say_what_to_do() {
    let none = discover_in("1:name=systemd:/\n", "")
        .unwrap_err()
        .to_string();
    assert!(none.contains("cgroup_enable=memory"), "{none}");
    let empty = discover_in("", "").unwrap_err().to_string();
    assert!(empty.contains("is empty"), "{empty}");
    let unmounted = discover_in("4:memory:/x\n0::/x\n", "")
        .unwrap_err()
        .to_string();
    assert!(
        unmounted.contains("mount -t cgroup -o memory"),
        "{unmounted}"
    );
    let unmounted = discover_in("0::/x\n", "").unwrap_err().to_string();
    assert!(unmounted.contains("mount -t cgroup2"), "{unmounted}");
}

#[test]
fn a_removed_cgroup_keeps_its_place() {
    let mounts = "29 22 0:25 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n";
    let found = discover_in("0::/a/b (deleted)\n", mounts).unwrap();
    assert_eq!(found.own, Own::At("/sys/fs/cgroup/a/b".into()));
}

#[test]
fn here_the_own_cgroup_lists_this_process() {
    let hierarchy = match Hierarchy::discover() {
        Ok(hierarchy) => hierarchy,
        Err(error) => {
            common::skip("own_cgroup", &error.to_string());
            return;
        }
    };
    let procs = std::fs::read_to_string(hierarchy.own.join("cgroup.procs")).unwrap();
    let me = std::process::id().to_string();
    assert!(procs.lines().any(|pid| pid == me), "{hierarchy:?}");
    assert_eq!(
        hierarchy.cgroup_of(std::process::id() as i32).unwrap(),
        hierarchy.own
    );
    assert!(hierarchy.ram > 0);
}

#[test]
fn here_the_own_cgroup_is_found_from_inside_a_new_namespace() {
    let Ok(before) = Hierarchy::discover() else {
        common::skip("own_cgroup", "no memory cgroup here");
        return;
    };
    // Only the calling thread changes its namespace, and this test's thread ends with it.
    let unshared = std::thread::spawn(move || {
        nix::sched::unshare(nix::sched::CloneFlags::CLONE_NEWCGROUP)
            .map(|()| (Hierarchy::discover().unwrap(), before))
    });
    match unshared.join().unwrap() {
        Ok((inside, before)) => {
            assert_eq!(inside.listed, "/");
            if before.own != before.mount {
                assert!(inside.root.starts_with("/.."), "{inside:?}");
            }
            assert_eq!(inside.own, before.own);
        }
        Err(errno) => common::skip("own_cgroup", &format!("unshare(CLONE_NEWCGROUP): {errno}")),
    }
}

/// Lines made of the pieces such files have, put together wrongly.
fn scrambled() -> impl Strategy<Value = String> {
    let piece = prop::sample::select(vec![
        "0",
        "::",
        ":",
        "/",
        "/..",
        "/a",
        "memory",
        "cgroup",
        "cgroup2",
        " ",
        " - ",
        "rw",
        "ro",
        "0:25",
        "22",
        "\\040",
        "\\1",
        "\\999",
        "\n",
        ",",
        " (deleted)",
        "-",
        "/sys/fs/cgroup",
    ]);
    prop::collection::vec(piece, 0..60).prop_map(|pieces| pieces.concat())
}

proptest! {
    #[test]
    fn no_text_panics(cgroup in scrambled(), mountinfo in scrambled()) {
        let _ = discover_in(&cgroup, &mountinfo);
        let _ = discover_in("0::/a/b\n3:memory:/a\n", &mountinfo);
    }

    #[test]
    fn no_bytes_panic(cgroup: Vec<u8>, mountinfo: Vec<u8>) {
        let _ = discover_in(&cgroup, &mountinfo);
    }

    #[test]
    fn no_loop_of_mount_ids_hangs(
        ids in prop::collection::vec((0u64..6, 0u64..6, 0usize..3), 0..12),
        path in "(/\\.\\.){0,3}(/[ab]){0,3}",
    ) {
        let points = ["/sys/fs/cgroup", "/sys/fs", "/"];
        let mountinfo: String = ids
            .iter()
            .map(|(id, parent, p)| format!("{id} {parent} 0:1 / {} rw - cgroup2 x rw\n", points[*p]))
            .collect();
        if let Ok(Located { own: Own::At(own), mount, .. }) =
            discover_in(format!("0::{path}\n"), mountinfo)
        {
            prop_assert!(own.starts_with(mount));
        }
    }
}
