//! What `memtide record` says of a command line, a file or a cgroup that a recording can't have for itself.

mod common;

use memtide::recording;

#[test]
fn what_can_mean_nothing_is_refused_before_anything_runs() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("script"), "#!/nowhere/sh\n").unwrap();
    let script = dir.path().join("script");
    let mode = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    std::fs::set_permissions(&script, mode).unwrap();
    std::fs::write(dir.path().join("text"), "no program\n").unwrap();
    let service = ["--limit=9MiB", "--load=true"];
    let cases: [(&[&str], &str, i32, &str); 11] = [
        (
            &["--limit=9MiB"],
            "no-such-command",
            127,
            "no such command on PATH",
        ),
        (&service, "no-such-command", 127, "no such command on PATH"),
        (&service, "./no-such-file", 127, "there is no such file"),
        (&service, "", 127, "its name is empty"),
        (&service, "./text", 126, "it is not executable"),
        (&["--limit=0"], "true", 2, "a page has"),
        (&["--limit=3KiB"], "true", 2, "--limit 3KiB leaves nothing"),
        (&["--limit=9MiB"], "", 127, "its name is empty"),
        (
            &["--limit=9MiB"],
            script.to_str().unwrap(),
            127,
            "the interpreter that its first line names",
        ),
        (
            &[
                service[0],
                service[1],
                "--truth=a=file:x",
                "--truth=a=file:y",
            ],
            "true",
            2,
            "two --truth are called `a`",
        ),
        (
            &[service[0], service[1], "--env-port=A=B"],
            "true",
            2,
            "not a variable's name",
        ),
    ];
    for (options, command, code, expected) in cases {
        if code == 127 && !common::can_manage("a command that can't be run") {
            continue;
        }
        let output = common::memtide()
            .arg("record")
            .args(options)
            .args(["--out", "r.jsonl", "--", command])
            .current_dir(dir.path())
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(code), "{options:?}: {said}");
        assert!(said.contains(expected), "{options:?}: {said}");
    }
}

#[test]
fn two_recordings_at_once_do_not_share_a_file() {
    if !common::can_manage("two recordings") {
        return;
    }
    let dir = tempfile::tempdir_in("/var/tmp").unwrap();
    let begin = |script: &str| {
        let mut command = common::record_in(dir.path());
        command.args(["--", "sh", "-c", script]);
        command
    };
    let mut first = begin("until test -e second; do sleep 0.05; done")
        .stderr(std::process::Stdio::null())
        .spawn()
        .unwrap();
    let file = dir.path().join("memtide-sh.jsonl");
    let longest = std::time::Duration::from_secs(60);
    let begun = common::wait_until(longest, || file.exists());
    let second = begin("true").output().unwrap();
    // Also ends the first where something is wrong.
    std::fs::write(dir.path().join("second"), "").unwrap();
    assert!(begun, "the first makes no file");
    let said = String::from_utf8_lossy(&second.stderr);
    assert_eq!(second.status.code(), Some(2), "{said}");
    assert!(said.contains("another run is writing it"), "{said}");
    assert!(first.wait().unwrap().success());
    assert!(recording::read_path(&file).unwrap().complete);
    assert!(begin("true").output().unwrap().status.success());
}

/// What is in another cgroup is in no number, and no limit holds it.
#[test]
fn a_command_that_leaves_its_cgroup_is_told() {
    if !common::can_manage("a command that leaves its cgroup") {
        return;
    }
    let hierarchy = memtide::cgroup::Hierarchy::discover().unwrap();
    let own = hierarchy.cgroup_of(std::process::id() as i32).unwrap();
    let dir = tempfile::tempdir_in("/var/tmp").unwrap();
    let record = |script: &str| {
        let output = common::record_in(dir.path())
            .args(["--", "sh", "-c", script])
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        (output.status.code(), said)
    };
    let leaves = format!("echo $$ > {}/cgroup.procs; sleep 2", own.display());
    for script in [
        leaves.clone(),
        format!("sleep 0.3; {leaves}"),
        format!("(sleep 0.3; exec sh -c '{leaves}'); sleep 0.3"),
    ] {
        let (code, said) = record(&script);
        assert_eq!(code, Some(0), "{said}");
        assert!(said.contains("left its cgroup"), "{script}: {said}");
    }
    for script in ["(sleep 0.3); sleep 0.3", "exit 3"] {
        let (_, said) = record(script);
        assert!(!said.contains("left its cgroup"), "{script}: {said}");
    }
}
