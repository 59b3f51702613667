//! What integration tests share: the binary, skipping with a reason, a clean-up check.
#![allow(dead_code)]

use std::fs::OpenOptions;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Child, Command};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

/// The binary under test.
pub fn memtide() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_memtide"));
    // A terminal's or a user's settings must not decide a test.
    command
        .env_remove("MEMTIDE_WORKDIR")
        .env_remove("MEMTIDE_SETUP")
        .env("NO_COLOR", "1");
    command
}

/// `memtide record` under 64 MiB in `dir`; the rest of the line is the caller's.
pub fn record_in(dir: &Path) -> Command {
    let mut command = memtide();
    command
        .args(["record", "--limit", "64MiB", "--workdir", "."])
        .current_dir(dir);
    command
}

/// Sends a signal to a process that was started and not yet waited for.
pub fn signal(child: &Child, signal: Signal) {
    // Process ids are below 2^22.
    kill(Pid::from_raw(child.id() as i32), signal).unwrap();
}

/// Waits until `done`, at most `longest`.
pub fn wait_until(longest: Duration, mut done: impl FnMut() -> bool) -> bool {
    let start = Instant::now();
    while start.elapsed() < longest {
        if done() {
            return true;
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    done()
}

/// A fleet's only service: a log, a saw of garbage, and in half of the pods a leak.
pub const LEAKY_API: &str = r#"
[[service]]
name = "api"
limit = "64MiB"
live = { uniform = ["20%", "60%"] }
gc = "15%"
log = "40KiB/s"
[[service.fault]]
kind = "leak"
share = "50%"
fills_in = "20m"
"#;

/// Says that this machine can't do what a test needs. `scripts/test` counts these and takes them
/// out of the passed ones; the reason is printed where it can be seen.
pub fn skip(what: &str, reason: &str) {
    note("skipped", what, reason);
}

/// Says that a part of a test, or a test that its runner counts as ignored, can't be done here: its
/// reason is printed, and it is not taken out of the passed ones.
pub fn note_skip(what: &str, reason: &str) {
    note("note", what, reason);
}

fn note(kind: &str, what: &str, reason: &str) {
    let line = format!("{kind}: {what}: {reason}\n");
    eprint!("{line}");
    if let Some(path) = std::env::var_os("MEMTIDE_SKIP_LOG") {
        let log = OpenOptions::new().append(true).create(true).open(path);
        if let Err(error) = log.and_then(|mut log| log.write_all(line.as_bytes())) {
            panic!("can't note a skipped test: {error}");
        }
    }
}

/// Whether memtide can make cgroups here; if not, the test is skipped and says why.
pub fn can_manage(what: &str) -> bool {
    let output = memtide()
        .args(["doctor", "--placement", "managed"])
        .output()
        .expect("doctor runs");
    if output.status.success() {
        return true;
    }
    let text = String::from_utf8_lossy(&output.stdout);
    let why = text
        .lines()
        .find(|l| l.contains("managed"))
        .unwrap_or("no managed placement");
    skip(what, why.trim());
    false
}

/// A program on PATH; if it is missing, the test is skipped and says so.
pub fn has_program(what: &str, program: &str) -> bool {
    // Those of the administrator are not on everybody's PATH.
    let path = std::env::var("PATH").unwrap_or_default() + ":/usr/sbin:/sbin";
    let found = std::env::split_paths(&path).any(|dir| dir.join(program).is_file());
    if !found {
        skip(
            what,
            &format!("{program} is not installed (scripts/setup installs it when root)"),
        );
    }
    found
}

/// Where the real kubectl is, for stand-ins that pass some of their questions on.
pub fn real_kubectl() -> String {
    let found = Command::new("sh")
        .args(["-c", "command -v kubectl"])
        .output()
        .unwrap();
    String::from_utf8(found.stdout).unwrap().trim().to_string()
}

/// Podman for one test alone, whichever process it runs in: two at once fight over its store, and
/// each would see the other's images.
pub fn podman_alone() -> std::fs::File {
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join("podman.lock");
    let lock = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(false)
        .open(path)
        .expect("a lock file");
    lock.lock().expect("a lock");
    lock
}

/// Podman as tests run it. Its monitor leaves a file `oom` in the folder it is started in when a container is
/// OOM-killed: not in the sources.
pub fn podman() -> Command {
    let mut command = Command::new("podman");
    command.current_dir(env!("CARGO_TARGET_TMPDIR")).args([
        "--cgroup-manager=cgroupfs",
        "--runtime",
        "runc",
    ]);
    command
}

/// `podman run` of a container that may do as little as can be, under a limit; its image and command follow.
pub fn podman_run(memory: &str) -> Command {
    let mut command = podman();
    command
        .args(["run", "--rm", "--network", "none", "--memory", memory])
        .args(["--read-only", "--cap-drop", "all"])
        .args([
            "--ulimit",
            "nofile=1024:1024",
            "--ulimit",
            "nproc=1024:1024",
        ]);
    command
}

/// The ids of all images that podman has, those without a name included.
pub fn podman_images() -> Vec<String> {
    let output = podman()
        .args(["images", "--all", "--quiet", "--no-trunc"])
        .output()
        .expect("podman runs");
    let text = String::from_utf8_lossy(&output.stdout);
    let mut ids: Vec<String> = text.lines().map(String::from).collect();
    ids.sort_unstable();
    ids
}

/// Directories named like a run of process `pid`, anywhere below the cgroup mounts and `workdir`.
pub fn left_by(pid: u32, workdir: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for top in [Path::new("/sys/fs/cgroup"), workdir] {
        walk(top, 6, &mut |path| {
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            if name.starts_with(&format!("memtide-{pid}-")) {
                found.push(path.to_path_buf());
            }
        });
    }
    found
}

fn walk(dir: &Path, depth: usize, visit: &mut impl FnMut(&Path)) {
    let Ok(entries) = std::fs::read_dir(dir) else {
        return;
    };
    for entry in entries.flatten() {
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            visit(&entry.path());
            if depth > 0 {
                walk(&entry.path(), depth - 1, visit);
            }
        }
    }
}

/// A small scenario: `head` holds the limit, `work` what its one step does.
pub fn scenario(head: &str, work: &str) -> String {
    format!(
        "title = \"A test\"\nstory = \"For a test.\"\n{head}\n[truth]\nclass = \"healthy\"\nfire = false\n\
         why = \"a test\"\n[[step]]\nname = \"work\"\nsay = \"works\"\n{work}\n"
    )
}

/// A small ext4 on a loop device; unmounted when dropped.
pub struct SmallDisk {
    path: PathBuf,
}

impl SmallDisk {
    /// Makes and mounts one of `bytes` below `dir`; where that can't be, says why and gives none.
    pub fn mount(dir: &Path, bytes: u64) -> Option<Self> {
        let (image, path) = (dir.join("disk.img"), dir.join("disk"));
        std::fs::create_dir(&path).expect("a folder to mount on");
        let file = std::fs::File::create(&image).expect("an image");
        file.set_len(bytes).expect("an image of that size");
        let made = Command::new("mkfs.ext4")
            .args(["-q", "-F"])
            .arg(&image)
            .status();
        let mounted = made.is_ok_and(|s| s.success())
            && Command::new("mount")
                .args(["-o", "loop"])
                .args([&image, &path])
                .stderr(std::process::Stdio::null())
                .status()
                .is_ok_and(|s| s.success());
        if !mounted {
            skip(
                "a small disk",
                "mkfs.ext4 or a loop mount is not possible here",
            );
            return None;
        }
        Some(SmallDisk { path })
    }

    /// Where it is mounted.
    pub fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg(&self.path).status();
    }
}
