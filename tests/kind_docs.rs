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
  "label node") echo "label $*" >> "$ANSWERS/calls" ;;
  "get nodes") case "$*" in
      *memtide/kind*) printf '%s\n' '<none> v2-classic-6.1' '<none> v2-mglru-6.1' '<none> v2-mglru-6.1' ;;
      *) printf '%s\n' '<none>' '<none>' ;;
    esac ;;
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

/// Where a Job's pods run: a node, and the set-up whose recordings they make.
const ONE: [(&str, &str); 1] = [("worker-1", "6.1-v2")];
const TWO: [(&str, &str); 2] = [("worker-1", "6.1-v2"), ("worker-2", "6.1-v2-mglru")];

fn answers(dir: &Path, job: &Job, nodes: &[(&str, &str)]) {
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
        let (node, setup) = nodes[index % nodes.len()];
        let packed = shipped::find(setup, scenario).map(|found| found.packed);
        let mut log = Vec::new();
        let mut unpacked = flate2::read::GzDecoder::new(
            packed.unwrap_or_else(|| panic!("no shipped recording of {scenario} on {setup}")),
        );
        std::io::Read::read_to_end(&mut unpacked, &mut log).unwrap();
        std::fs::write(dir.join(format!("{pod}.log")), log).unwrap();
        pods.push(json!({"metadata": {"name": pod,
                "labels": {"job-name": job.name, "controller-uid": job.name,
                    "batch.kubernetes.io/job-completion-index": index.to_string()}},
            "spec": {"nodeName": node, "containers": containers},
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
        answers(dir.path(), job, &ONE);
    }
    let each_node = Job {
        name: "memtide-each-node".into(),
        scenarios: vec!["log-write".into(); 2],
        ..jobs[0].clone()
    };
    answers(dir.path(), &each_node, &TWO);
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
        .env("REAL_KUBECTL", common::real_kubectl())
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
    // Both kinds of nodes ran, are labelled, and stand side by side.
    assert!(
        manifests.contains("topologyKey: memtide/kind"),
        "{manifests}"
    );
    for (node, setup) in TWO {
        let lru = if setup.ends_with("mglru") {
            "mglru"
        } else {
            "classic"
        };
        let label = format!("label node {node} memtide/kind=v2-{lru}-6.1.");
        let calls = std::fs::read_to_string(dir.path().join("calls")).unwrap();
        assert!(calls.contains(&label), "no {label:?} in {calls}");
        let summary = std::fs::read_to_string(project.join("each-kind/summary.md")).unwrap();
        let own = summary.split("## The cluster's own nodes").nth(1).unwrap();
        assert!(own.contains(node), "{own}");
    }
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

/// What a page shows as a command, in a line of its own or within a sentence, without what is only an
/// example of output.
fn commands(page: &str) -> Vec<Vec<String>> {
    let programs = ["memtide", "kubectl", "prometheus", "cargo"];
    let is = |text: &&str| {
        let first = text.split(' ').next().unwrap_or_default();
        text.contains(' ') && (programs.contains(&first) || first.starts_with("scripts/"))
    };
    let own = page.lines().filter_map(|line| line.strip_prefix("    "));
    let within = page.split('`').skip(1).step_by(2);
    let all = own
        .chain(within.filter(|text| !text.contains('\n')))
        .filter(is);
    all.map(|text| {
        let words = text.split_whitespace();
        let words = words.take_while(|word| !["#", "&", "|", ">"].contains(word));
        words.map(String::from).collect()
    })
    .collect()
}

/// Whether a command is one that its program takes.
fn assert_taken(words: &[String]) {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let (program, arguments) = words.split_first().unwrap();
    let help = |program: &str, arguments: &[String]| {
        let output = Command::new(program)
            .args(arguments)
            .arg("--help")
            .output()
            .unwrap();
        let said = [output.stdout, output.stderr].concat();
        let said = String::from_utf8_lossy(&said).into_owned();
        assert!(output.status.success(), "{words:?}: {said}");
        said
    };
    match program.as_str() {
        "memtide" => drop(help(env!("CARGO_BIN_EXE_memtide"), arguments)),
        "kubectl" => drop(help("kubectl", arguments)),
        "cargo" => {
            let bench = root.join("benches").join(format!("{}.rs", arguments[2]));
            assert!(
                arguments[..2] == ["bench", "--bench"] && bench.exists(),
                "{words:?}"
            );
        }
        "prometheus" => {
            let file = arguments[0].strip_prefix("--config.file=").unwrap();
            assert!(root.join(file).exists(), "{words:?}");
        }
        script => {
            let help = help(root.join(script).to_str().unwrap(), &[]);
            for option in arguments.iter().filter(|word| word.starts_with("--")) {
                assert!(help.contains(option.as_str()), "{words:?}: {help}");
            }
        }
    }
}

#[test]
fn every_command_that_the_page_names_is_one() {
    if !common::has_program("kind-docs", "kubectl") {
        return;
    }
    let page = include_str!("../docs/kubernetes.md");
    // What stands in the `sh` blocks is run by the test above.
    let mut rest = String::new();
    for (number, part) in page.split("```").enumerate() {
        rest.push_str(if number % 2 == 0 { part } else { "" });
    }
    let commands = commands(&rest);
    assert!(commands.len() > 10, "{commands:?}");
    for words in &commands {
        assert_taken(words);
    }
    // What is run there is all that would be copied from there.
    let list = Command::new("scripts/kind/docs")
        .arg("--list")
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .unwrap();
    let list = String::from_utf8_lossy(&list.stdout).into_owned();
    for (number, part) in page.split("```").enumerate() {
        if number % 2 == 1 {
            let block = part.strip_prefix("sh\n");
            let block = block.unwrap_or_else(|| panic!("a block that is not run: {part}"));
            assert!(list.contains(block), "{block}");
        }
    }
}
