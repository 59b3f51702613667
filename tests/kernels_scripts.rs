//! The scripts that boot other kernels: clean by shellcheck, clear about wrong commands, and
//! fed by set-up files that say what they must.

mod common;

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

fn scripts() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("scripts/kernels")
}

fn run(args: &[&str]) -> (Option<i32>, String, String) {
    let output = Command::new(scripts().join("run"))
        .args(args)
        .output()
        .unwrap();
    (
        output.status.code(),
        String::from_utf8_lossy(&output.stdout).into(),
        String::from_utf8_lossy(&output.stderr).into(),
    )
}

#[test]
fn a_wrong_scenario_is_told_before_anything_boots() {
    if !common::has_program("a wrong scenario for other kernels", "qemu-system-x86_64") {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("wrong.toml");
    std::fs::write(&file, "limt = 3").unwrap();
    let out = dir.path().join("out");
    let (code, _, err) = run(&[
        "--memtide",
        env!("CARGO_BIN_EXE_memtide"),
        "--out",
        out.to_str().unwrap(),
        file.to_str().unwrap(),
    ]);
    assert_eq!(code, Some(2), "{err}");
    assert!(
        err.contains("wrong.toml:1:1") && err.contains("limt"),
        "{err}"
    );
    assert!(!err.contains("start"), "{err}");
}

#[test]
fn shellcheck_has_nothing_to_say() {
    let files = ["run", "record", "guest/init"].map(|name| scripts().join(name));
    let Ok(output) = Command::new("shellcheck").arg("-x").args(files).output() else {
        common::skip(
            "scripts/kernels by shellcheck",
            "it is not installed (Debian package shellcheck)",
        );
        return;
    };
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stdout)
    );
}

#[test]
fn a_wrong_command_ends_with_2_and_says_what_would_be_right() {
    for (args, part) in [
        (&["--setup", "6.2-v3", "leak"][..], "6.12-v2-mglru"),
        (&["--jobs", "none", "leak"], "whole number"),
        (&["--jobs"], "needs a value"),
        (&["--colour", "red"], "no option --colour"),
        (&["./no-such.toml"], "no-such.toml"),
    ] {
        let (code, out, err) = run(args);
        assert_eq!(code, Some(2), "{args:?}: {err}");
        assert!(err.contains(part) && out.is_empty(), "{args:?}: {err}");
    }
    let (code, out, _) = run(&["--help"]);
    assert_eq!(code, Some(0));
    assert!(out.contains("--setup NAME"), "{out}");
}

/// A set-up that is a folder of recordings without a recipe can't be booted, and that is said.
#[test]
fn a_set_up_that_is_data_is_refused_in_words() {
    let recordings = Path::new(env!("CARGO_MANIFEST_DIR")).join("recordings");
    let mut refused = 0;
    for entry in std::fs::read_dir(&recordings).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap();
        // The host's own recordings are of a machine, not of a recipe: they are data elsewhere.
        if !path.is_dir() || scripts().join("setups").join(name).exists() {
            continue;
        }
        let (code, out, err) = run(&["--setup", name, "leak"]);
        assert_eq!(code, Some(2), "{name}: {err}");
        for part in [name, "is data", "no recipe"] {
            assert!(err.contains(part), "{name}: no {part:?} in {err}");
        }
        assert!(out.is_empty(), "{name}: {out}");
        refused += 1;
    }
    assert!(
        refused > 0,
        "every set-up can be booted: this test checks nothing"
    );
}

#[test]
fn every_set_up_says_which_kernel_and_which_memory_controller() {
    for entry in std::fs::read_dir(scripts().join("setups")).unwrap() {
        let path = entry.unwrap().path();
        let text = std::fs::read_to_string(&path).unwrap();
        assert!(
            text.starts_with("# "),
            "{path:?} has no line that says what it is"
        );
        if text.contains("where=host") {
            continue;
        }
        assert!(
            text.contains("\npackage=") || text.contains("\nkernel="),
            "{path:?} names no kernel"
        );
        assert!(
            text.contains("\ncgroup=v") && text.contains("\nlru="),
            "{path:?}"
        );
    }
}

/// What runs only where it is asked for can be asked for by name, and says how.
#[test]
fn set_ups_that_are_asked_for_are_known_by_name() {
    let mut asked = Vec::new();
    for entry in std::fs::read_dir(scripts().join("setups")).unwrap() {
        let path = entry.unwrap().path();
        let text = std::fs::read_to_string(&path).unwrap();
        if !text.lines().any(|line| line == "asked=1") {
            continue;
        }
        let name = path.file_name().unwrap().to_str().unwrap().to_string();
        assert!(text.contains(&format!("--setup {name}")), "{name}: {text}");
        let (code, out, err) = run(&["--setup", &name, "./no-such.toml"]);
        assert_eq!(code, Some(2), "{name}: {err}");
        assert!(
            err.contains("no-such.toml") && out.is_empty(),
            "{name}: {err}"
        );
        assert!(!err.contains("no set-up"), "{name}: {err}");
        asked.push(name);
    }
    for name in ["6.12-v2-group-kill", "6.12-v2-noswap"] {
        assert!(asked.iter().any(|one| one == name), "{asked:?}");
    }
}

/// Puts a stand-in for mmdebstrap into `dir`: it notes its call, and then does what `then` says with `$tar`,
/// the last argument but one.
fn builder(dir: &Path, then: &str) {
    let bin = dir.join("bin");
    std::fs::create_dir_all(&bin).unwrap();
    let text = format!(
        "#!/bin/bash\necho called >>{0}/calls\nfor word; do case $word in --include=*) echo \"$word\" >>{0}/asked ;; esac; done\n\
         tar=${{@: -2:1}}\n{then}\n",
        dir.display()
    );
    let file = bin.join("mmdebstrap");
    std::fs::write(&file, text).unwrap();
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o755)).unwrap();
}

const BUILDS: &str = "cd \"$(mktemp -d)\" && echo 'a 1' >versions && tar -cf \"$tar\" ./versions; status=$?; rm -r \"$PWD\"; exit $status";

/// A run of one scenario on a file that is no kernel, with its cache in `dir`: what it built stays.
fn with_packages(dir: &Path, scenario: &str) -> Command {
    let path = std::env::var("PATH").unwrap_or_default();
    let mut command = Command::new(scripts().join("run"));
    command
        .env("XDG_CACHE_HOME", dir)
        .env("PATH", format!("{}/bin:{path}", dir.display()))
        .args(["--packages", "--kernel", "/proc/version", "--memtide"])
        .args([env!("CARGO_BIN_EXE_memtide"), "--out"])
        .arg(dir.join("out"))
        .arg(scenario);
    command
}

/// The disks that are in the cache, and what is there beside them.
fn cached(dir: &Path) -> (usize, usize) {
    let names: Vec<String> = std::fs::read_dir(dir.join("memtide/guests"))
        .map(|entries| entries.map(|e| e.unwrap().file_name().into_string().unwrap()))
        .map(|names| names.filter(|name| name != ".lock").collect())
        .unwrap_or_default();
    let disks = names.iter().filter(|name| {
        let folder = dir.join("memtide/guests").join(name);
        folder.join("disk").exists() && folder.join("versions").exists()
    });
    let disks = disks.count();
    (disks, names.len() - disks)
}

/// A disk of packages is built once, is whole or not there, and serves every list that it covers.
#[test]
fn a_disk_of_packages_is_whole_or_not_there() {
    // What the script itself wants to see first, and apt.
    let needed = "qemu-system-x86_64 busybox cpio mkfs.ext4 dpkg-deb jq xz setpriv apt-config";
    let what = "a disk of packages";
    if !needed.split(' ').all(|p| common::has_program(what, p)) {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let calls = || {
        let calls = std::fs::read_to_string(dir.path().join("calls"));
        calls.unwrap_or_default().lines().count()
    };

    builder(
        dir.path(),
        "echo half >$tar; echo no such package >&2; exit 25",
    );
    let output = with_packages(dir.path(), "python-all").output().unwrap();
    let err = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(3), "{err}");
    assert!(
        err.contains("no such package") && err.contains("can't be built"),
        "{err}"
    );
    assert_eq!((cached(dir.path()), calls()), ((0, 0), 1), "{err}");

    // Killed outright in the middle: what it left is no disk, its builder ends, and the next run clears up.
    let pid = dir.path().join("pid");
    builder(
        dir.path(),
        &format!(
            "echo half >$tar; echo $$ >{}; exec sleep 1000",
            pid.display()
        ),
    );
    let mut killed = with_packages(dir.path(), "python-all");
    let mut killed = killed.stderr(Stdio::null()).spawn().unwrap();
    let patience = Instant::now() + Duration::from_secs(120);
    let begun = || std::fs::metadata(&pid).is_ok_and(|file| file.len() > 0);
    while !begun() || cached(dir.path()).1 == 0 {
        assert!(Instant::now() < patience, "no build began");
        std::thread::sleep(Duration::from_millis(20));
    }
    killed.kill().unwrap();
    killed.wait().unwrap();
    assert_eq!(cached(dir.path()), (0, 1));

    builder(dir.path(), BUILDS);
    for (scenario, disks, called) in [
        ("python-all", 1, 3),
        ("python-pinned", 1, 3),
        // gcc is not on the first disk; the second has what the third asks for, and more.
        ("jemalloc-idle", 2, 4),
        ("glibc-top", 2, 4),
    ] {
        let output = with_packages(dir.path(), scenario).output().unwrap();
        let err = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(
            (cached(dir.path()), calls()),
            ((disks, 0), called),
            "{scenario}: {err}"
        );
    }
    // What can't hold in emulation is skipped, counted, and its reason printed.
    let output = with_packages(dir.path(), "nginx-log").output().unwrap();
    let table = String::from_utf8_lossy(&output.stdout);
    for part in ["skip: nginx-log on ", "its load lasts 40 s", "1 skipped"] {
        assert!(table.contains(part), "{part}: {table}");
    }
    let pid = std::fs::read_to_string(pid).unwrap();
    assert!(
        !Path::new("/proc").join(pid.trim()).exists(),
        "the builder still runs"
    );
    let asked = std::fs::read_to_string(dir.path().join("asked")).unwrap();
    assert!(
        asked.contains("--include=python3\n")
            && asked.contains("--include=gcc,libc6-dev,libjemalloc2\n"),
        "{asked}"
    );
}

/// Each program that a scenario requires comes with a package that scripts/setup knows.
#[test]
fn programs_of_scenarios_have_their_packages() {
    let setup = Path::new(env!("CARGO_MANIFEST_DIR")).join("scripts/setup");
    let mut seen = 0;
    for entry in memtide::scenario::catalogue() {
        for line in entry
            .text
            .lines()
            .filter(|line| line.starts_with("when") && line.contains("programs"))
        {
            let list = line.split_once('[').unwrap().1.split_once(']').unwrap().0;
            let programs: Vec<&str> = list
                .split(',')
                .map(|word| word.trim().trim_matches('"'))
                .collect();
            let output = Command::new(&setup)
                .arg("--packages-of")
                .args(&programs)
                .output()
                .unwrap();
            let packages = String::from_utf8(output.stdout).unwrap();
            let err = String::from_utf8_lossy(&output.stderr);
            assert!(
                output.status.success() && err.is_empty(),
                "{}: {err}",
                entry.name
            );
            assert!(!packages.is_empty(), "{}: no package", entry.name);
            seen += 1;
        }
    }
    assert!(seen > 30, "{seen}");
    let output = Command::new(&setup)
        .args(["--packages-of", "no-such-program"])
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&output.stderr).contains("no-such-program"));
}
