//! docs/kubernetes.md runs as it is written, by `scripts/kind/docs`: the cluster and the builder of the
//! image stand in, kustomize, the collection and the judging are real.

mod common;

use std::path::{Path, PathBuf};
use std::process::Command;

use memtide::cluster::jobs::{Job, plain};
use memtide::shipped;
use serde_json::{Value, json};

/// A kubectl whose cluster has what was applied, and runs it at once. Every Job's answers are there
/// before; what was not applied is not found.
const KUBECTL: &str = r#"#!/bin/bash
namespace=default
arguments=()
while [ $# -gt 0 ]; do
  case $1 in
    --namespace=*) namespace=${1#*=}; shift ;;
    --namespace) namespace=$2; shift 2 ;;
    --*=*) arguments+=("$1"); shift ;;
    *) arguments+=("$1"); shift ;;
  esac
done
set -- "${arguments[@]}"
there=$ANSWERS/cluster/$namespace
take() { sed -n '/^kind: Job/,/^spec:/s/^  name: //p' | while read -r job; do
  touch "$there/$job"; echo "job.batch/$job created"; done; }
missing() { echo "Error from server (NotFound): $1 \"$2\" not found" >&2; exit 1; }
case "$1 $2" in
  "kustomize "*) exec "$REAL_KUBECTL" "$@" ;;
  "create namespace") mkdir -p "$ANSWERS/cluster/$3" ;;
  "get namespace") [ -d "$ANSWERS/cluster/$3" ] || missing namespaces "$3" ;;
  "delete namespace") rm -r "$ANSWERS/cluster/$3" ;;
  "label namespace") ;;
  "get nodes") echo '<none>' ;;
  "apply --filename=-" | "apply -f") [ -d "$there" ] || missing namespaces "$namespace"
    cat "${3:--}" | tee -a "$ANSWERS/manifests" | take ;;
  "apply -k") [ -d "$there" ] || missing namespaces "$namespace"
    "$REAL_KUBECTL" kustomize "$3" | tee -a "$ANSWERS/manifests" | take ;;
  "get jobs") ls "$there" | sed 's|^|job.batch/|' ;;
  "get job") [ -f "$there/$3" ] || missing jobs.batch "$3"; cat "$ANSWERS/$3.job" ;;
  "get pods") job=${3##*=}; cat "$ANSWERS/$job.pods" ;;
  "get events") echo '{"kind": "List", "items": []}' ;;
  "logs "*) cat "$ANSWERS/$2.log" ;;
  *) echo "error: unknown command \"$*\"" >&2; exit 1 ;;
esac
"#;

/// Programs that need a machine of their own, each noting what it was told.
const KIND: &str = "#!/bin/sh\necho \"kind $*\" >> \"$ANSWERS/calls\"\n";
const PODMAN: &str = r#"#!/bin/sh
echo "podman $*" >> "$ANSWERS/calls"
case "$*" in
  "image inspect"*) echo 9000000 ;;
  "image save"*) echo archive > "$6" ;;
esac
"#;

fn answers(dir: &Path, job: &Job) {
    let mut args = vec!["run".to_string(), "--out=-".into()];
    args.extend(job.scenarios.clone());
    let containers = json!([{"name": "memtide", "args": args}]);
    let last = job.scenarios.len() - 1;
    let object = json!({"kind": "Job", "metadata": {"name": job.name, "uid": job.name},
        "spec": {"completionMode": "Indexed", "completions": job.scenarios.len(),
            "template": {"spec": {"containers": containers}}},
        "status": {"completedIndexes": format!("0-{last}"),
            "conditions": [{"type": "Complete", "status": "True"}]}});
    std::fs::write(dir.join(format!("{}.job", job.name)), object.to_string()).unwrap();
    let mut pods: Vec<Value> = Vec::new();
    for (index, scenario) in job.scenarios.iter().enumerate() {
        let pod = format!("{}-{index}-abcde", job.name);
        let packed = shipped::find("6.1-v2", scenario).map(|found| found.packed);
        let mut log = Vec::new();
        let mut unpacked = flate2::read::GzDecoder::new(
            packed.unwrap_or_else(|| panic!("no shipped recording of {scenario} on 6.1-v2")),
        );
        std::io::Read::read_to_end(&mut unpacked, &mut log).unwrap();
        std::fs::write(dir.join(format!("{pod}.log")), log).unwrap();
        pods.push(json!({"metadata": {"name": pod,
                "labels": {"job-name": job.name, "controller-uid": job.name,
                    "batch.kubernetes.io/job-completion-index": index.to_string()}},
            "spec": {"nodeName": "worker-1", "containers": containers},
            "status": {"phase": "Succeeded"}}));
    }
    let list = json!({"kind": "List", "items": pods}).to_string();
    std::fs::write(dir.join(format!("{}.pods", job.name)), list).unwrap();
}

fn program(dir: &Path, name: &str, text: &str) {
    let path = dir.join(name);
    std::fs::write(&path, text).unwrap();
    let mode = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    std::fs::set_permissions(&path, mode).unwrap();
}

fn real_kubectl() -> String {
    let found = Command::new("sh")
        .args(["-c", "command -v kubectl"])
        .output()
        .unwrap();
    String::from_utf8(found.stdout).unwrap().trim().to_string()
}

/// The project, without what git does not have: the page's commands write into their folder.
fn copy_of_the_project(to: &Path) -> PathBuf {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    for folder in ["scripts", "docs"] {
        let copied = Command::new("cp")
            .arg("-r")
            .arg(root.join(folder))
            .arg(to)
            .status();
        assert!(copied.unwrap().success());
    }
    for file in ["Containerfile", "Cargo.toml"] {
        std::fs::copy(root.join(file), to.join(file)).unwrap();
    }
    to.to_path_buf()
}

#[test]
fn the_page_runs_as_it_is_written() {
    if !common::has_program("kind-docs", "kubectl") {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let (tools, project) = (dir.path().join("tools"), dir.path().join("project"));
    for folder in [&tools, &project] {
        std::fs::create_dir(folder).unwrap();
    }
    let project = copy_of_the_project(&project);
    let jobs = plain().unwrap();
    for job in &jobs {
        answers(dir.path(), job);
    }
    program(&tools, "kubectl", KUBECTL);
    program(&tools, "kind", KIND);
    program(&tools, "podman", PODMAN);
    program(&tools, "docker", "#!/bin/sh\nexit 1\n");
    std::os::unix::fs::symlink(env!("CARGO_BIN_EXE_memtide"), tools.join("memtide")).unwrap();
    std::fs::create_dir_all(dir.path().join("cluster/default")).unwrap();
    let program = dir.path().join("static");
    std::fs::write(&program, "a static program\n").unwrap();
    let path = std::env::var("PATH").unwrap();
    let output = Command::new(project.join("scripts/kind/docs"))
        .env("PATH", format!("{}:{path}", tools.display()))
        .env("ANSWERS", dir.path())
        .env("REAL_KUBECTL", real_kubectl())
        .env("MEMTIDE_STATIC", &program)
        .env("NO_COLOR", "1")
        .output()
        .unwrap();
    let (said, shown) = (
        String::from_utf8_lossy(&output.stderr).into_owned(),
        String::from_utf8_lossy(&output.stdout).into_owned(),
    );
    assert!(output.status.success(), "{shown}\n{said}");
    let blocks = shown.matches("== block ").count();
    assert!(
        blocks >= 4 && shown.contains(&format!("all {blocks} blocks ran")),
        "{shown}"
    );
    // Every Job that the page applies is one that it collects, by the image that it names.
    let collected = project.join("collected/jobs");
    for job in &jobs {
        assert!(
            collected.join(format!("{}.json", job.name)).exists(),
            "{}",
            job.name
        );
    }
    let manifests = std::fs::read_to_string(dir.path().join("manifests")).unwrap();
    assert!(
        manifests.contains("image: registry.example/memtide:1"),
        "{manifests}"
    );
    let results = std::fs::read(project.join("collected/results.json")).unwrap();
    let results: Value = serde_json::from_slice(&results).unwrap();
    let expected: usize = jobs.iter().map(|job| job.scenarios.len()).sum();
    assert_eq!(results["runs"].as_array().unwrap().len(), expected);
    // The cluster that was made is gone, and the namespace of the one that was there, too.
    let calls = std::fs::read_to_string(dir.path().join("calls")).unwrap();
    assert!(
        calls.contains("kind create cluster") && calls.contains("kind delete cluster"),
        "{calls}"
    );
    assert!(calls.contains("podman build") && !dir.path().join("cluster/memtide-ci").exists());
}

#[test]
fn a_block_that_fails_is_said() {
    let dir = tempfile::tempdir().unwrap();
    let project = copy_of_the_project(dir.path());
    std::fs::write(
        project.join("docs/kubernetes.md"),
        "text\n```sh\ntrue\n```\n```\nnot run\n```\n```sh\ntrue\nfalse | cat\n```\n",
    )
    .unwrap();
    let output = Command::new(project.join("scripts/kind/docs"))
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(1));
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(
        said.contains("block 2 of docs/kubernetes.md ended with 1"),
        "{said}"
    );
    std::fs::write(project.join("docs/kubernetes.md"), "nothing\n").unwrap();
    let output = Command::new(project.join("scripts/kind/docs"))
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(1));
}
