//! `scripts/kind/ci`: the cluster it makes is gone on every exit, and one that was there is used and
//! left as it was. Kind and the cluster stand in by scripts that note what they are told; the
//! manifests, the collection and the judging are real.

mod common;

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use memtide::shipped;

/// Programs in front of PATH, and what they were told.
struct Tools {
    dir: tempfile::TempDir,
}

impl Tools {
    fn new(scripts: &[(&str, &str)]) -> Self {
        let dir = tempfile::tempdir().unwrap();
        for (name, script) in scripts {
            let path = dir.path().join(name);
            std::fs::write(
                &path,
                format!("#!/bin/bash\necho \"{name} $*\" >> \"$CALLS\"\n{script}\n"),
            )
            .unwrap();
            let mode = std::os::unix::fs::PermissionsExt::from_mode(0o755);
            std::fs::set_permissions(&path, mode).unwrap();
        }
        Tools { dir }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn ci(&self, arguments: &[&str]) -> Command {
        let mut command =
            Command::new(Path::new(env!("CARGO_MANIFEST_DIR")).join("scripts/kind/ci"));
        let path = std::env::var("PATH").unwrap();
        command
            .args(arguments)
            .args(["--memtide", env!("CARGO_BIN_EXE_memtide"), "--out"])
            .arg(self.path("out"))
            .env("PATH", format!("{}:{path}", self.dir.path().display()))
            .env("CALLS", self.path("calls"))
            .env("ANSWERS", self.dir.path())
            .env("NO_COLOR", "1");
        command
    }

    fn calls(&self) -> String {
        std::fs::read_to_string(self.path("calls")).unwrap_or_default()
    }
}

/// A stand-in's script: options before the command are dropped, kustomize is the real one, and `script` is
/// the rest.
fn kubectl(script: &str) -> String {
    format!(
        r#"while [[ "$1" == -* ]]; do case $1 in --*=*) shift ;; *) shift 2 ;; esac; done
[ "$1" != kustomize ] || exec {} "$@"
{script}"#,
        common::real_kubectl()
    )
}

#[test]
fn a_cluster_that_was_made_is_deleted_when_something_fails() {
    let tools = Tools::new(&[("kind", ""), ("kubectl", "exit 1")]);
    let output = tools
        .ci(&["--name", "c1", "--image", "localhost/no-such-image:x"])
        .output()
        .unwrap();
    assert_eq!(
        output.status.code(),
        Some(3),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let calls = tools.calls();
    assert!(calls.contains("kind create cluster --name c1"), "{calls}");
    assert!(calls.contains("kind delete cluster --name c1"), "{calls}");
}

#[test]
fn a_cluster_that_was_made_is_deleted_on_a_signal() {
    let tools = Tools::new(&[
        (
            "kind",
            // Until the signal was sent: the shell acts on it when this has ended.
            "[ \"$1\" != create ] || { touch \"$ANSWERS/creating\"; n=0; until [ -e \"$ANSWERS/sent\" ] || [ $n = 1200 ]; \
             do sleep 0.1; n=$((n + 1)); done; }",
        ),
        ("kubectl", "exit 1"),
    ]);
    let mut child = tools
        .ci(&["--name", "c2", "--image", "localhost/no-such-image:x"])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let start = Instant::now();
    while !tools.path("creating").exists() {
        assert!(
            start.elapsed() < Duration::from_secs(120),
            "nothing was created"
        );
        std::thread::sleep(Duration::from_millis(10));
    }
    let killed = Command::new("kill")
        .args(["-TERM", &child.id().to_string()])
        .status()
        .unwrap();
    assert!(killed.success());
    std::fs::write(tools.path("sent"), "").unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(143));
    assert!(
        tools.calls().contains("kind delete cluster --name c2"),
        "{}",
        tools.calls()
    );
}

#[test]
fn an_existing_cluster_is_used_judged_and_left_as_it_was() {
    if !common::has_program("kind-ci", "kubectl") {
        return;
    }
    let kubectl = kubectl(
        r#"case "$1 $2" in
  "get namespace") exit 0 ;;
  "get nodes") echo "<none>" ;;
  "get job") cat "$ANSWERS/job.json" ;;
  "get pods") cat "$ANSWERS/pods.json" ;;
  "logs "*) cat "$ANSWERS/log" ;;
  "apply "*) cp "$3" "$ANSWERS/applied" ;;
esac"#,
    );
    let tools = Tools::new(&[("kubectl", &kubectl)]);
    let data = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/kubectl");
    let read = |name: &str| std::fs::read_to_string(data.join(name)).unwrap();
    let job = read("job.json").replace("\"completions\": 11", "\"completions\": 1");
    std::fs::write(tools.path("job.json"), job).unwrap();
    let pods = read("succeeded.json").replace(
        "\"memtide\",\n     \"job-name",
        "\"memtide-each-node\",\n     \"job-name",
    );
    std::fs::write(
        tools.path("pods.json"),
        pods.replace(
            "job-name\": \"memtide\"",
            "job-name\": \"memtide-each-node\"",
        ),
    )
    .unwrap();
    let mut log = Vec::new();
    let packed = shipped::find("6.1-v2", "log-write").unwrap().packed;
    std::io::Read::read_to_end(&mut flate2::read::GzDecoder::new(packed), &mut log).unwrap();
    std::fs::write(tools.path("log"), log).unwrap();

    let arguments = [
        "--existing-cluster",
        "--image",
        "registry.test/memtide:1",
        "--overlay",
        "each-node",
    ];
    let output = tools.ci(&arguments).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(0), "{said}");
    let applied = std::fs::read_to_string(tools.path("applied")).unwrap();
    assert!(
        applied.contains("image: registry.test/memtide:1"),
        "{applied}"
    );
    // One node: one run.
    assert!(applied.contains("completions: 1\n"), "{applied}");
    for file in [
        "results.json",
        "junit.xml",
        "summary.md",
        "report.html",
        "judge.txt",
    ] {
        assert!(
            tools
                .path("out")
                .join(file)
                .metadata()
                .is_ok_and(|m| m.len() > 0),
            "{file}: {said}"
        );
    }
    let calls = tools.calls();
    assert!(calls.contains(" delete --ignore-not-found"), "{calls}");
    assert!(!calls.contains("delete namespace"), "{calls}");
    assert!(!calls.contains("label namespace"), "{calls}");
}

#[test]
fn a_namespace_that_was_made_lets_in_what_the_overlays_need_and_is_gone_again() {
    for (overlays, level) in [
        (
            &["--overlay", "base", "--overlay", "each-node"][..],
            "restricted",
        ),
        (
            &["--overlay", "base", "--overlay", "hostpath"],
            "privileged",
        ),
        (&["--overlay", "managed"], "privileged"),
    ] {
        let tools = Tools::new(&[(
            "kubectl",
            "case \"$1 $2\" in \"get namespace\" | kustomize*)
               echo 'Error from server (NotFound): namespaces \"n1\" not found' >&2; exit 1 ;; esac",
        )]);
        let mut arguments = vec!["--existing-cluster", "--image", "x", "--namespace", "n1"];
        arguments.extend(overlays);
        let output = tools.ci(&arguments).output().unwrap();
        assert!(!output.status.success());
        let calls = tools.calls();
        let label = format!("label namespace n1 pod-security.kubernetes.io/enforce={level}");
        assert!(calls.contains(&label), "{calls}");
        assert!(calls.contains("delete namespace n1"), "{calls}");
    }
}

/// A cluster with a namespace in which somebody has a Job; kustomize is the real one.
fn with_a_job_of_somebody(job: &str, apply: &str) -> Option<Tools> {
    if !common::has_program("kind-ci", "kubectl") {
        return None;
    }
    let kubectl = kubectl(&format!(
        r#"case "$1 $2" in
  "get namespace") exit 0 ;;
  "get nodes") echo "<none>" ;;
  "get jobs") echo job.batch/{job} ;;
  "apply "*) {apply} ;;
esac"#
    ));
    Some(Tools::new(&[("kubectl", &kubectl)]))
}

#[test]
fn jobs_that_were_there_before_are_neither_adopted_nor_deleted() {
    let Some(tools) = with_a_job_of_somebody("memtide-each-node", "echo adopted >&2") else {
        return;
    };
    let arguments = [
        "--existing-cluster",
        "--image",
        "x",
        "--overlay",
        "each-node",
    ];
    let output = tools.ci(&arguments).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(2), "{said}");
    assert!(
        said.contains("has a Job memtide-each-node of its own"),
        "{said}"
    );
    let calls = tools.calls();
    assert!(
        !calls.contains(" apply ") && !calls.contains(" delete "),
        "{calls}"
    );
}

#[test]
fn after_an_apply_that_was_refused_only_what_it_made_goes() {
    let apply = "echo job.batch/memtide-each-node created; echo refused >&2; exit 1";
    let Some(tools) = with_a_job_of_somebody("theirs", apply) else {
        return;
    };
    let arguments = [
        "--existing-cluster",
        "--image",
        "x",
        "--overlay",
        "each-node",
    ];
    let output = tools.ci(&arguments).output().unwrap();
    assert_eq!(output.status.code(), Some(3));
    let calls = tools.calls();
    let deleted: Vec<&str> = calls.lines().filter(|l| l.contains(" delete ")).collect();
    assert_eq!(deleted.len(), 1, "{calls}");
    assert!(
        deleted[0].ends_with("job.batch/memtide-each-node"),
        "{calls}"
    );
    // Refused as a whole: nothing of it is there, and nothing is deleted.
    let Some(tools) = with_a_job_of_somebody("theirs", "echo refused >&2; exit 1") else {
        return;
    };
    let output = tools.ci(&arguments).output().unwrap();
    assert_eq!(output.status.code(), Some(3));
    assert!(!tools.calls().contains("delete"), "{}", tools.calls());
}

#[test]
fn a_namespace_that_may_not_be_looked_at_is_used_and_no_cluster_is_said() {
    for (said, code, words) in [
        (
            "Error from server (Forbidden): namespaces \"memtide\" is forbidden: User \"u\" cannot get",
            3,
            "is taken to be there",
        ),
        (
            "The connection to the server localhost:8080 was refused",
            3,
            "was refused",
        ),
    ] {
        let script = format!(
            "case \"$1 $2\" in \"get namespace\" | kustomize*) echo '{said}' >&2; exit 1 ;; esac"
        );
        let tools = Tools::new(&[("kubectl", &script)]);
        let output = tools
            .ci(&["--existing-cluster", "--image", "x"])
            .output()
            .unwrap();
        let told = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(code), "{told}");
        assert!(told.contains(words), "{told}");
        assert!(!tools.calls().contains("create namespace"), "{told}");
    }
}

#[test]
fn wrong_commands_are_said() {
    let tools = Tools::new(&[]);
    for (arguments, words) in [
        (
            &["--overlay", "nothing"][..],
            "no overlay is called nothing",
        ),
        (&["--existing-cluster"], "--image NAME"),
        (&["--what"], "unknown option"),
    ] {
        let output = tools.ci(arguments).output().unwrap();
        assert_eq!(output.status.code(), Some(2));
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(said.contains(words), "{said}");
    }
}

/// A cluster that hears every command of `ci` only when it is told it again, and is away in the middle of
/// what it is to make.
#[test]
fn a_cluster_that_is_away_for_a_while_is_asked_again_at_each_step() {
    if !common::has_program("kind-ci", "kubectl") {
        return;
    }
    let kubectl = kubectl(
        r#"if [ "$1" != config ] && [ ! -e "$ANSWERS/heard-$1-$2" ]; then
  touch "$ANSWERS/heard-$1-$2"
  [ "$1" != apply ] || echo job.batch/memtide-each-node created
  [ "$1" != create ] || touch "$ANSWERS/made"
  echo "The connection to the server 10.0.0.1:6443 was refused - did you specify the right host or port?" >&2
  exit 1
fi
case "$1 $2" in
  "get namespace") echo 'Error from server (NotFound): namespaces "n1" not found' >&2; exit 1 ;;
  "get nodes") echo "<none>" ;;
  "create namespace") # It was made when nothing was heard of it.
    [ ! -e "$ANSWERS/made" ] || { echo 'Error from server (AlreadyExists): namespaces "n1" already exists' >&2; exit 1; } ;;
  "get job") echo 'Error from server (NotFound): jobs.batch "memtide-each-node" not found' >&2; exit 1 ;;
esac"#,
    );
    let tools = Tools::new(&[("kubectl", &kubectl)]);
    let arguments = ["--existing-cluster", "--image", "x", "--namespace", "n1"];
    let arguments = [&arguments[..], &["--overlay", "each-node"]].concat();
    let output = tools.ci(&arguments).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    // As far as `collect`, whose Job is not there.
    assert_eq!(output.status.code(), Some(2), "{said}");
    assert!(said.contains("apply the manifests first"), "{said}");
    let calls = tools.calls();
    // Those of `collect` have the namespace before the command.
    for step in [
        "get namespace",
        "create namespace",
        "label namespace",
        "get nodes",
    ] {
        let asked = calls.matches(&format!("kubectl {step}")).count();
        assert_eq!(asked, 2, "{step}: {calls}");
    }
    assert_eq!(calls.matches("delete namespace n1").count(), 2, "{calls}");

    // One that does not come back is given up, and that is no shortfall of the scenarios.
    let tools = Tools::new(&[(
        "kubectl",
        "echo 'Unable to connect to the server: EOF' >&2; exit 1",
    )]);
    let output = tools
        .ci(&arguments)
        .env("MEMTIDE_CI_PATIENCE", "1")
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(3));
    assert!(String::from_utf8_lossy(&output.stderr).contains("Unable to connect"));
}

#[test]
fn a_namespace_that_is_refused_or_going_is_neither_used_nor_a_shortfall() {
    for (script, code, words, applied) in [
        (
            "case \"$1 $2\" in
               \"get namespace\") echo 'Error from server (NotFound): namespaces \"n1\" not found' >&2; exit 1 ;;
               \"create namespace\") echo 'Error from server (Forbidden): namespaces is forbidden' >&2; exit 1 ;;
             esac",
            3,
            "namespace n1 can't be made",
            false,
        ),
        (
            "case \"$1 $2\" in
               \"get namespace\") echo Terminating ;;
               \"wait --for=delete\") echo 'error: timed out waiting for the condition' >&2; exit 1 ;;
             esac",
            3,
            "is being deleted and does not go",
            false,
        ),
        (
            // Gone while it was waited for: a new one is made.
            "case \"$1 $2\" in
               \"get namespace\") echo Terminating ;;
               kustomize*) exit 1 ;;
             esac",
            3,
            "waiting until namespace n1 is gone",
            true,
        ),
    ] {
        let tools = Tools::new(&[("kubectl", script)]);
        let output = tools
            .ci(&["--existing-cluster", "--image", "x", "--namespace", "n1"])
            .env("MEMTIDE_CI_PATIENCE", "0")
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(code), "{said}");
        assert!(said.contains(words), "{said}");
        let calls = tools.calls();
        assert_eq!(calls.contains("label namespace n1"), applied, "{calls}");
        assert_eq!(calls.contains("delete namespace n1"), applied, "{calls}");
    }
}

#[test]
fn each_node_is_for_every_node_that_takes_pods_or_for_each_kind_of_them() {
    if !common::has_program("kind-ci", "kubectl") {
        return;
    }
    let kubectl = kubectl(
        r#"case "$*" in
  "get nodes"*memtide/kind*)
    printf '%s\n' "<none> v2-classic-6.1" "<none> v2-classic-6.1" "PreferNoSchedule v2-mglru-6.12" \
      "NoSchedule v1-classic-3.10" "<none> <none>" ;;
  "get nodes"*other/label*) printf '%s\n' "<none> <none>" ;;
  "get nodes"*) printf '%s\n' "<none>" "<none>" "PreferNoSchedule" "NoSchedule" "NoExecute,NoSchedule" ;;
  "get job "*) echo 'Error from server (NotFound): jobs.batch "memtide-each-node" not found' >&2; exit 1 ;;
  "apply "*) cp "$3" "$ANSWERS/applied" ;;
esac"#,
    );
    for (more, counted, key) in [
        (&[][..], "completions: 3", "kubernetes.io/hostname"),
        (
            &["--kind-label", "memtide/kind"][..],
            "completions: 2",
            "memtide/kind",
        ),
    ] {
        let tools = Tools::new(&[("kubectl", &kubectl)]);
        let arguments = [
            "--existing-cluster",
            "--image",
            "x",
            "--overlay",
            "each-node",
        ];
        tools.ci(&[&arguments[..], more].concat()).output().unwrap();
        let applied = std::fs::read_to_string(tools.path("applied")).unwrap();
        for part in [
            counted,
            &counted.replace("completions", "parallelism"),
            &format!("topologyKey: {key}"),
        ] {
            assert!(applied.contains(part), "no {part:?} in {applied}");
        }
    }
    let tools = Tools::new(&[("kubectl", &kubectl)]);
    let arguments = [
        "--existing-cluster",
        "--image",
        "x",
        "--overlay",
        "each-node",
    ];
    let arguments = [&arguments[..], &["--kind-label", "other/label"]].concat();
    let output = tools.ci(&arguments).output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&output.stderr).contains("no node has the label other/label"));
    assert!(!tools.path("applied").exists());
}
