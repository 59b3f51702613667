//! Which placement is chosen, and what is said where none is possible: asked inside real cgroups,
//! as another user, and with cgroups mounted read-only.

mod common;

use std::os::unix::process::CommandExt;
use std::process::{Command, Output};

use memtide::cgroup::{Chosen, Hierarchy, Limits, ManagedPod, Placement};
use memtide::run_id::RunId;
use memtide::sys::process::Child;

const ROLE: &str = "MEMTIDE_TEST_PLACEMENT";
const NOBODY: u32 = 65534;
const LIMITS: Limits = Limits {
    limit: 96 << 20,
    high: None,
};

/// Not a test by itself: the re-executed binary says what it would choose where it is.
#[test]
fn inside() {
    let Ok(role) = std::env::var(ROLE) else {
        return;
    };
    let (placement, how) = role.split_once(' ').unwrap();
    match how {
        "as-it-is" => {}
        "nobody" => nix::unistd::seteuid(NOBODY.into()).unwrap(),
        "read-only" => return read_only(placement),
        other => panic!("no role {other}"),
    }
    let hierarchy = Hierarchy::discover().unwrap();
    if how == "nobody" {
        // access(2) goes by the real user.
        let (real, saved) = (NOBODY.into(), 0.into());
        nix::unistd::setresuid(real, real, saved).unwrap();
    }
    match Placement::from_word(placement).unwrap().choose(&hierarchy) {
        Ok(choice) => {
            for attempt in &choice.tried {
                println!("tried {attempt}");
            }
            match choice.chosen {
                Chosen::Managed { parent } => println!("chose managed {}", parent.display()),
                Chosen::Ambient { own, limit } => {
                    println!("chose ambient {} {limit}", own.display());
                }
            }
        }
        Err(no) => println!("chose none: {no}"),
    }
}

/// Mounts the cgroups again, read-only, as container runtimes do, and asks in a program that has
/// that view.
fn read_only(placement: &str) {
    use nix::mount::{MsFlags, mount};
    let point = Hierarchy::discover().unwrap().mount;
    let none: Option<&str> = None;
    nix::sched::unshare(nix::sched::CloneFlags::CLONE_NEWNS).unwrap();
    mount(none, "/", none, MsFlags::MS_REC | MsFlags::MS_PRIVATE, none).unwrap();
    let remount = MsFlags::MS_BIND | MsFlags::MS_REMOUNT | MsFlags::MS_RDONLY;
    mount(Some(&point), &point, none, MsFlags::MS_BIND, none).unwrap();
    mount(none, &point, none, remount, none).unwrap();
    panic!("{}", command(placement, "as-it-is").exec());
}

fn command(placement: &str, how: &str) -> Command {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command
        .args(["--exact", "inside", "--nocapture"])
        .env(ROLE, format!("{placement} {how}"));
    command
}

/// A pod as root makes it, or none where that can't be.
fn pod() -> Option<(Hierarchy, ManagedPod)> {
    let made = Hierarchy::discover()
        .map_err(|e| e.to_string())
        .and_then(|h| {
            let run = RunId::new().map_err(|e| e.to_string())?;
            match nix::unistd::geteuid().is_root() {
                true => ManagedPod::create(&h, &run)
                    .map(|pod| (h, pod))
                    .map_err(|e| e.to_string()),
                false => Err("needs root".to_string()),
            }
        });
    made.map_err(|reason| common::skip("placement", &reason))
        .ok()
}

/// What the role prints inside a container limited to [`LIMITS`].
fn ask(pod: &ManagedPod, placement: &str, how: &str) -> String {
    let container = pod.container("app", &LIMITS).unwrap();
    let mut command = command(placement, how);
    Child::worker(container.procs()).prepare(&mut command);
    let Output {
        stdout,
        stderr,
        status,
    } = command.output().unwrap();
    let text = String::from_utf8_lossy(&stdout).into_owned();
    assert!(
        status.success(),
        "{text}{}",
        String::from_utf8_lossy(&stderr)
    );
    text
}

fn ambient_line(pod: &ManagedPod) -> String {
    let own = pod.path().join("app");
    format!("chose ambient {} {}", own.display(), LIMITS.limit)
}

#[test]
fn ambient_takes_the_own_cgroup_and_its_limit() {
    let Some((_, pod)) = pod() else { return };
    let text = ask(&pod, "ambient", "as-it-is");
    assert!(text.contains(&ambient_line(&pod)), "{text}");
}

#[test]
fn auto_as_root_is_managed() {
    let Some((_, pod)) = pod() else { return };
    let text = ask(&pod, "auto", "as-it-is");
    assert!(text.contains("chose managed "), "{text}");
}

#[test]
fn auto_without_rights_is_ambient_and_says_what_was_tried() {
    let Some((_, pod)) = pod() else { return };
    let text = ask(&pod, "auto", "nobody");
    assert!(text.contains(&ambient_line(&pod)), "{text}");
    assert!(text.contains("tried managed below"), "{text}");
    assert!(
        text.contains("is not writable: Permission denied"),
        "{text}"
    );
    assert!(text.contains("tried systemd user manager: "), "{text}");
}

#[test]
fn managed_without_rights_says_how_to_get_them() {
    let Some((_, pod)) = pod() else { return };
    let text = ask(&pod, "managed", "nobody");
    assert!(text.contains("chose none"), "{text}");
    assert!(
        text.contains("systemd-run --user --scope -p Delegate=yes"),
        "{text}"
    );
    assert!(!text.contains("ambient in"), "{text}");
}

#[test]
fn managed_on_a_read_only_mount_names_the_container_as_the_cause() {
    let Some((_, pod)) = pod() else { return };
    let text = ask(&pod, "managed", "read-only");
    assert!(text.contains("Read-only file system"), "{text}");
    assert!(text.contains("docker run --privileged"), "{text}");
    let text = {
        let again = pod.container("other", &LIMITS).unwrap();
        let mut command = command("auto", "read-only");
        Child::worker(again.procs()).prepare(&mut command);
        String::from_utf8(command.output().unwrap().stdout).unwrap()
    };
    assert!(text.contains("chose ambient "), "{text}");
}

#[test]
fn ambient_without_a_limit_says_how_to_get_one() {
    let Some((hierarchy, _pod)) = pod() else {
        return;
    };
    if hierarchy.effective_limit(&hierarchy.own).bytes().is_some() {
        common::skip("placement", "this test itself runs under a memory limit");
        return;
    }
    let error = Placement::Ambient
        .choose(&hierarchy)
        .unwrap_err()
        .to_string();
    for way in ["docker run --memory", "resources: {limits:", "MemoryMax="] {
        assert!(error.contains(way), "{error}");
    }
}
