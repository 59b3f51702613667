//! What a user meets first: help, names, files that are wrong, places that can't do it.

mod common;

use std::path::Path;
use std::process::Output;

fn run(arguments: &[&str]) -> Output {
    common::memtide().args(arguments).output().unwrap()
}

fn stdout(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// Runs a scenario file that must be refused with exit code 2, and gives the error.
fn refused(name: &str, content: &[u8]) -> String {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join(name);
    std::fs::write(&file, content).unwrap();
    let output = run(&["run", file.to_str().unwrap()]);
    assert_eq!(output.status.code(), Some(2), "{}", stderr(&output));
    assert!(output.stdout.is_empty(), "an error belongs on stderr");
    stderr(&output)
}

#[test]
fn without_arguments_the_commands_are_listed() {
    let output = run(&[]);
    assert_eq!(output.status.code(), Some(2));
    let text = stderr(&output);
    for command in [
        "run", "record", "watch", "replay", "collect", "list", "show", "doctor", "explain", "judge",
    ] {
        assert!(
            text.contains(&format!("  {command}")),
            "{command} is not listed:\n{text}"
        );
    }
}

#[test]
fn every_subcommand_has_help_that_names_its_arguments() {
    let all = stderr(&run(&[]));
    let commands = all
        .lines()
        .skip_while(|l| !l.starts_with("Commands:"))
        .skip(1);
    let mut checked = 0;
    for line in commands.take_while(|l| !l.is_empty()) {
        let Some(name) = line.strip_prefix("  ").and_then(|l| l.split(' ').next()) else {
            continue;
        };
        if name.is_empty() || name == "help" {
            continue;
        }
        let output = run(&[name, "--help"]);
        assert!(output.status.success(), "{name}");
        assert!(stdout(&output).contains("Usage: memtide"), "{name}");
        checked += 1;
    }
    assert!(checked >= 8, "only {checked} commands were found");
}

#[test]
fn a_wrong_name_is_told_with_the_right_one() {
    let output = run(&["run", "log-wrote"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(
        stderr(&output).contains("did you mean `log-write`?"),
        "{}",
        stderr(&output)
    );
}

/// Whatever takes a recording takes one that comes with memtide by its name, and says once what is wrong
/// with any other.
#[test]
fn a_recording_is_a_file_or_one_that_comes_with_memtide() {
    let dir = tempfile::tempdir().unwrap();
    let out = dir.path().join("out.svg");
    let out = out.to_str().unwrap();
    let listen = "replay NAME --speed 1e9 --metrics-listen 127.0.0.1:0";
    let commands = [
        "compare NAME 6.12-v2/leak".to_owned(),
        format!("plot NAME -o {out}"),
        format!("report NAME -o {out}"),
        listen.to_owned(),
    ];
    for command in commands {
        let output = |name: &str| {
            let arguments = command.split(' ');
            let arguments = arguments.map(|word| if word == "NAME" { name } else { word });
            run(&arguments.collect::<Vec<_>>())
        };
        let known = output("6.1-v2/leak");
        assert!(known.status.success(), "{}", stderr(&known));
        for (name, word) in [("nosuch.jsonl", "no file"), ("leak", "6.1-v2/leak")] {
            let unknown = output(name);
            let said = stderr(&unknown);
            assert_eq!(unknown.status.code(), Some(2), "{said}");
            assert!(said.contains(word), "{said}");
            assert_eq!(said.matches("failed to read").count(), 0, "{said}");
        }
    }
}

#[test]
fn files_that_are_no_scenarios_are_told_apart() {
    assert!(refused("a.toml", b"").contains("the file is empty"));
    assert!(refused("a.toml", &[0xff, 0xfe, 0, 1]).contains("not text"));
    assert!(refused("a.toml", &vec![b' '; 10 << 20]).contains("larger than"));
    let absurd = common::scenario("limit = \"1024TiB\"", "sleep = \"1ms\"");
    let absurd = refused("a.toml", absurd.as_bytes());
    assert!(
        absurd.contains("a.toml:3:9") && absurd.contains("more than any machine"),
        "{absurd}"
    );
    let typo = common::scenario("limt = \"64MiB\"", "sleep = \"1ms\"");
    let typo = refused("a.toml", typo.as_bytes());
    assert!(
        typo.contains("a.toml:3:1") && typo.contains("did you mean `limit`?"),
        "{typo}"
    );
}

#[test]
fn a_limit_above_the_machines_memory_is_refused() {
    let toml = common::scenario("limit = \"60000GiB\"", "sleep = \"1ms\"");
    if common::can_manage("a limit above RAM") {
        let error = refused("a.toml", toml.as_bytes());
        assert!(error.contains("is no limit on a machine with"), "{error}");
    }
}

#[test]
fn a_limit_too_small_to_measure_under_is_refused() {
    let output = run(&["run", "steady", "--limit", "8MiB"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(
        stderr(&output).contains("at least 64.0 MiB"),
        "{}",
        stderr(&output)
    );
}

#[test]
fn an_out_directory_that_cannot_be_written_is_found_before_anything_runs() {
    let output = run(&["run", "steady", "--out", "/proc/nowhere"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(
        stderr(&output).contains("/proc/nowhere"),
        "{}",
        stderr(&output)
    );
}

#[test]
fn a_work_directory_in_memory_is_refused_for_logs_and_not_made() {
    if !common::can_manage("a tmpfs work directory") {
        return;
    }
    let dir = Path::new("/dev/shm").join(format!("memtide-test-{}", std::process::id()));
    let output = run(&["run", "log-write", "--workdir", dir.to_str().unwrap()]);
    assert_eq!(output.status.code(), Some(3));
    assert!(stderr(&output).contains("tmpfs") && stderr(&output).contains("--workdir"));
    assert!(!dir.exists(), "it was made although it was refused");
}

#[test]
fn without_permission_it_says_what_was_tried_and_what_to_type() {
    use std::os::unix::process::CommandExt;
    if !nix::unistd::geteuid().is_root() {
        return common::skip("running without permission", "only root can become nobody");
    }
    // The binary, copied to where nobody may read it.
    let dir = tempfile::tempdir_in("/var/tmp").unwrap();
    let copy = dir.path().join("memtide");
    std::fs::copy(env!("CARGO_BIN_EXE_memtide"), &copy).unwrap();
    let open = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    std::fs::set_permissions(dir.path(), open).unwrap();
    let output = std::process::Command::new(&copy)
        .args(["run", "steady"])
        .uid(65_534)
        .gid(65_534)
        .output()
        .unwrap();
    if output.status.success() {
        return common::skip(
            "running without permission",
            "this cgroup has a limit: ambient works",
        );
    }
    let error = stderr(&output);
    assert_eq!(output.status.code(), Some(3), "{error}");
    assert!(
        error.contains("managed below") && error.contains("ambient in"),
        "{error}"
    );
    assert!(error.contains("systemd-run --user --scope"), "{error}");
}

#[test]
fn a_full_disk_is_a_failed_step_with_its_path_and_nothing_stays() {
    if !common::can_manage("a full disk") {
        return;
    }
    let dir = tempfile::tempdir_in("/var/tmp").unwrap();
    let Some(mount) = common::SmallDisk::mount(dir.path(), 100 << 20) else {
        return;
    };
    // The scenario's own bound fits; another program fills the disk while it runs.
    let filler = std::process::Command::new("fallocate")
        .args(["-l", "60MiB"])
        .arg(mount.path().join("filler"))
        .status();
    if !filler.is_ok_and(|s| s.success()) {
        return common::skip("a full disk", "fallocate can't fill the small disk");
    }
    let toml = common::scenario("limit = \"64MiB\"", "log_write = { total = \"50MiB\" }");
    let file = dir.path().join("a.toml");
    std::fs::write(&file, toml).unwrap();
    let output = run(&[
        "run",
        file.to_str().unwrap(),
        "--workdir",
        mount.path().to_str().unwrap(),
    ]);
    assert_eq!(output.status.code(), Some(3), "{}", stderr(&output));
    assert!(stderr(&output).contains("free"), "{}", stderr(&output));
    let left: Vec<_> = std::fs::read_dir(mount.path())
        .unwrap()
        .flatten()
        .filter(|e| e.file_name().to_string_lossy().starts_with("memtide-"))
        .collect();
    assert!(left.is_empty(), "{left:?}");
}

#[test]
fn list_and_show_tell_the_catalogue() {
    let list = stdout(&run(&["list"]));
    let json: serde_json::Value = serde_json::from_str(&stdout(&run(&["list", "--json"]))).unwrap();
    for entry in json.as_array().unwrap() {
        let name = entry["name"].as_str().unwrap();
        assert!(list.contains(name));
        let show = stdout(&run(&["show", name]));
        assert!(
            show.contains("Steps") && show.contains("What is checked"),
            "{name}"
        );
        let toml = stdout(&run(&["show", name, "--toml"]));
        assert!(
            memtide::scenario::parse(&toml, name, name).is_ok(),
            "{name}"
        );
    }
}

#[test]
fn completions_and_the_man_page_come_from_the_definition() {
    for (what, needle) in [
        ("bash", "_memtide"),
        ("zsh", "#compdef memtide"),
        ("fish", "complete -c memtide"),
        ("man", ".TH memtide"),
    ] {
        let text = stdout(&run(&["generate", what]));
        assert!(text.contains(needle), "{what}");
        assert!(text.contains("doctor"), "{what} lacks a subcommand");
    }
}

#[test]
fn a_reader_that_leaves_early_is_no_error() {
    use std::process::Stdio;
    let mut child = common::memtide()
        .args(["show", "log-write"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    assert!(output.stderr.is_empty());
}
