//! Inside a real container (podman with runc) that may make no cgroups: the ambient placement.

mod common;

use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

use memtide::recording;

/// A container under a memory limit, or none where podman and runc are missing or can't work. Its
/// image has nothing in it, the libraries the test binary needs are mounted; both have its name, and
/// both are gone when it is dropped.
struct Container {
    dir: tempfile::TempDir,
    name: String,
    _alone: std::fs::File,
}

impl Drop for Container {
    fn drop(&mut self) {
        let image = format!("localhost/{}", self.name);
        let _ = common::podman()
            .args(["rm", "--force", &self.name])
            .output();
        let _ = common::podman().args(["rmi", "--force", &image]).output();
    }
}

impl Container {
    fn new(test: &str) -> Option<Self> {
        if !common::has_program(test, "podman") || !common::has_program(test, "runc") {
            return None;
        }
        let dir = tempfile::tempdir_in("/var/tmp").unwrap();
        std::fs::write(dir.path().join("Containerfile"), "FROM scratch\n").unwrap();
        std::fs::create_dir(dir.path().join("log")).unwrap();
        let name = format!("memtide-test-{test}-{}", std::process::id());
        let container = Container {
            dir,
            name,
            _alone: common::podman_alone(),
        };
        let built = common::podman()
            .args(["build", "--layers=false", "-q", "-t"])
            .arg(format!("localhost/{}", container.name))
            .arg(container.dir.path())
            .output()
            .unwrap();
        let tried = built
            .status
            .success()
            .then(|| container.run("64m", &["--version"]));
        match tried {
            Some(output) if output.status.success() => Some(container),
            other => {
                let output = other.unwrap_or(built);
                let why = String::from_utf8_lossy(&output.stderr);
                common::skip(
                    test,
                    &format!("podman can't run: {}", why.trim().replace('\n', " ")),
                );
                None
            }
        }
    }

    fn command(&self, memory: &str, arguments: &[&str]) -> Command {
        let mut command = common::podman_run(memory);
        command.args(["--name", &self.name]);
        for path in ["/lib", "/lib64", "/usr/lib"] {
            if Path::new(path).exists() {
                command.arg("-v").arg(format!("{path}:{path}:ro"));
            }
        }
        command
            .arg("-v")
            .arg(format!("{}:/memtide:ro", env!("CARGO_BIN_EXE_memtide")))
            .arg("-v")
            .arg(format!(
                "{}:/data/log",
                self.dir.path().join("log").display()
            ))
            .arg(format!("localhost/{}", self.name))
            .arg("/memtide")
            .args(arguments);
        command
    }

    fn run(&self, memory: &str, arguments: &[&str]) -> Output {
        self.command(memory, arguments).output().unwrap()
    }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[test]
fn a_scenario_passes_in_the_cgroup_it_was_given_and_leaves_the_log_directory_empty() {
    let Some(container) = Container::new("ambient-run") else {
        return;
    };
    let output = container.run("256m", &["run", "log-read-twice", "--format", "json"]);
    assert!(
        output.status.success(),
        "{}{}",
        text(&output.stdout),
        text(&output.stderr)
    );
    let document: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(document["runs"][0]["result"], "pass");
    assert_eq!(document["runs"][0]["host"]["placement"], "ambient");
    // The harness's own share: its resident memory is charged to the same cgroup.
    let rss = document["runs"][0]["harness"]["rss_bytes"]
        .as_u64()
        .unwrap();
    assert!(rss > 0);
    let left: Vec<_> = std::fs::read_dir(container.dir.path().join("log"))
        .unwrap()
        .collect();
    assert!(left.is_empty(), "{left:?}");
}

#[test]
fn an_oom_kill_inside_is_recorded_on_stdout() {
    let Some(container) = Container::new("ambient-oom") else {
        return;
    };
    let output = container.run("256m", &["run", "leak", "--out", "-"]);
    assert!(output.status.success(), "{}", text(&output.stderr));
    let recording = recording::read_bytes(&output.stdout).unwrap();
    assert!(recording.complete);
    assert_eq!(recording.footer.unwrap().outcome.as_str(), "oom_killed");
    let left = Path::new(env!("CARGO_MANIFEST_DIR")).join("oom");
    assert!(!left.exists(), "podman's monitor left {}", left.display());
}

#[test]
fn what_a_killed_container_printed_is_a_readable_recording() {
    let Some(container) = Container::new("ambient-killed") else {
        return;
    };
    let out = container.dir.path().join("stdout");
    // It takes minutes: it has not ended by itself when the kill comes, however busy the machine is.
    let slow = common::scenario(
        "limit = \"128MiB\"\ninterval = \"20ms\"\ndeadline = \"15m\"",
        "anon = { size = \"32MiB\", rate = \"64KiB/s\" }",
    );
    std::fs::write(container.dir.path().join("log/slow.toml"), slow).unwrap();
    let mut child = container
        .command("128m", &["run", "/data/log/slow.toml", "--out", "-"])
        .stdout(std::fs::File::create(&out).unwrap())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let start = Instant::now();
    // A header, a first step and some samples.
    while std::fs::metadata(&out).unwrap().len() < 20_000 {
        assert!(
            start.elapsed() < Duration::from_secs(60),
            "nothing was printed"
        );
        std::thread::sleep(Duration::from_millis(10));
    }
    let killed = common::podman()
        .args(["kill", "--signal", "KILL", &container.name])
        .output()
        .unwrap();
    assert!(killed.status.success(), "{}", text(&killed.stderr));
    child.wait().unwrap();
    let recording = recording::read_path(&out).unwrap();
    assert!(!recording.complete, "it was killed, so there is no footer");
    assert!(!recording.tables[0].is_empty());
}

#[test]
fn without_a_limit_it_says_how_to_get_one() {
    let Some(container) = Container::new("ambient-unlimited") else {
        return;
    };
    let output = container.run("0", &["run", "steady"]);
    let error = text(&output.stderr);
    assert_eq!(output.status.code(), Some(3), "{error}");
    assert!(
        error.contains("--memory") && error.contains("limits"),
        "{error}"
    );
}

#[test]
fn a_limit_below_what_a_scenario_needs_is_a_skip_with_the_remedy() {
    let Some(container) = Container::new("ambient-small") else {
        return;
    };
    let output = container.run("64m", &["run", "steady", "--format", "json"]);
    let document: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(document["runs"][0]["result"], "skip");
    let reason = document["runs"][0]["reason"].as_str().unwrap();
    assert!(reason.contains("--limit"), "{reason}");
}
