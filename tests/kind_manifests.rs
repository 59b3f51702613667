//! The Kubernetes manifests: current, accepted by the published schemas, and without rights.

mod common;

use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::Mutex;

use serde_json::Value;

const OVERLAYS: [&str; 5] = [
    "base",
    "overlays/hostpath",
    "overlays/each-node",
    "overlays/managed",
    "overlays/fleet",
];

fn kind() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("scripts/kind")
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[test]
fn the_jobs_are_those_of_the_catalogue() {
    for (what, file) in [
        ("kind-jobs", "base/jobs.yaml"),
        ("kind-managed-jobs", "overlays/managed/jobs.yaml"),
    ] {
        let output = common::memtide().args(["generate", what]).output().unwrap();
        let path = kind().join(file);
        if std::env::var_os("MEMTIDE_UPDATE").is_some() {
            std::fs::write(&path, &output.stdout).unwrap();
        }
        let kept = std::fs::read_to_string(&path).unwrap();
        assert!(
            kept == text(&output.stdout),
            "scripts/kind/{file} is not current: `memtide generate {what}` or MEMTIDE_UPDATE=1"
        );
    }
}

/// Two tests that make the same folder would find it half made.
static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());

/// A Python with kubernetes-validate, in a folder that is kept between runs.
fn validator(test: &str) -> Option<PathBuf> {
    if !common::has_program(test, "kubectl") || !common::has_program(test, "python3") {
        return None;
    }
    let venv = Path::new(env!("CARGO_TARGET_TMPDIR")).join("kubernetes-validate");
    let tool = venv.join("bin/kubernetes-validate");
    let _one = ONE_AT_A_TIME.lock();
    if !tool.exists() {
        let made = Command::new("python3")
            .args(["-m", "venv"])
            .arg(&venv)
            .output();
        let installed = Command::new(venv.join("bin/pip"))
            .args(["install", "-q", "kubernetes-validate"])
            .output();
        let fine = |r: &std::io::Result<Output>| r.as_ref().is_ok_and(|o| o.status.success());
        if !fine(&made) || !fine(&installed) {
            common::skip(test, "kubernetes-validate can't be installed from PyPI");
            return None;
        }
    }
    Some(venv.join("bin"))
}

fn rendered(overlay: &str) -> Vec<u8> {
    let output = Command::new("kubectl")
        .arg("kustomize")
        .arg(kind().join(overlay))
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "{overlay}: {}",
        text(&output.stderr)
    );
    output.stdout
}

/// The two newest versions whose strict schemas the validator carries.
fn versions(bin: &Path) -> Vec<String> {
    let script = "import kubernetes_validate, os, re\n\
        d = os.path.join(os.path.dirname(kubernetes_validate.__file__), 'kubernetes-json-schema')\n\
        v = {tuple(map(int, m.groups())) for m in (re.match(r'v(\\d+)\\.(\\d+)\\.(\\d+)-local-strict', n) \
        for n in os.listdir(d)) if m}\n\
        print('\\n'.join('.'.join(map(str, x)) for x in sorted(v)[-2:]))";
    let output = Command::new(bin.join("python3"))
        .args(["-c", script])
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", text(&output.stderr));
    text(&output.stdout).lines().map(String::from).collect()
}

#[test]
fn the_published_schemas_accept_every_overlay_and_know_every_field() {
    let Some(bin) = validator("kind-schemas") else {
        return;
    };
    let versions = versions(&bin);
    assert_eq!(versions.len(), 2);
    let dir = tempfile::tempdir().unwrap();
    let validate = |version: &str, manifest: &[u8]| {
        let file = dir.path().join("manifest.yaml");
        std::fs::write(&file, manifest).unwrap();
        Command::new(bin.join("kubernetes-validate"))
            .args(["-k", version, "--strict"])
            .arg(&file)
            .output()
            .unwrap()
    };
    for version in &versions {
        // The watch is no Job, and a ServiceMonitor's schema is not Kubernetes' own.
        for overlay in OVERLAYS.into_iter().chain(["overlays/watch"]) {
            let output = validate(version, &rendered(overlay));
            assert!(
                output.status.success(),
                "{overlay} {version}: {}{}",
                text(&output.stdout),
                text(&output.stderr)
            );
        }
        // What would pass anything proves nothing.
        let wrong = text(&rendered("base")).replace("completionMode", "completionMood");
        assert!(!validate(version, wrong.as_bytes()).status.success());
    }
}

/// The Jobs of an overlay as JSON.
fn jobs(bin: &Path, overlay: &str) -> Vec<Value> {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("manifest.yaml");
    std::fs::write(&file, rendered(overlay)).unwrap();
    let script =
        "import json, sys, yaml; print(json.dumps(list(yaml.safe_load_all(open(sys.argv[1])))))";
    let output = Command::new(bin.join("python3"))
        .args(["-c", script])
        .arg(&file)
        .output()
        .unwrap();
    serde_json::from_slice(&output.stdout).unwrap()
}

/// What a real API server refuses although the schemas do not.
fn assert_server_rules(overlay: &str, job: &Value) {
    let spec = &job["spec"];
    let pod = &spec["template"]["spec"];
    let container = &pod["containers"][0];
    let name = &job["metadata"]["name"];
    // backoffLimitPerIndex and FailIndex need both.
    assert_eq!(spec["completionMode"], "Indexed", "{overlay} {name}");
    assert_eq!(pod["restartPolicy"], "Never", "{overlay} {name}");
    assert!(spec["backoffLimitPerIndex"].is_number(), "{overlay} {name}");
    for rule in spec["podFailurePolicy"]["rules"].as_array().unwrap() {
        let codes = &rule["onExitCodes"];
        if codes.is_null() {
            continue;
        }
        assert_eq!(codes["containerName"], container["name"]);
        let values: Vec<u64> = codes["values"]
            .as_array()
            .unwrap()
            .iter()
            .map(|v| v.as_u64().unwrap())
            .collect();
        // A pod that was deleted before it began ends with 137: its index must be tried again.
        assert!(!values.contains(&137) && !values.contains(&130) && !values.contains(&143));
        assert!(values.is_sorted() && !values.contains(&0), "{values:?}");
    }
    assert_eq!(
        container["resources"]["limits"],
        container["resources"]["requests"]
    );
    // Long enough to be collected, and pods are not tried for ever: an hour and more for all.
    assert!(spec["ttlSecondsAfterFinished"].as_u64() >= Some(3600));
    assert!(spec["activeDeadlineSeconds"].as_u64() >= Some(3600));
    // A pod's name is the Job's, its index and five letters: 63 characters in all.
    let index = spec["completions"].to_string();
    assert!(
        name.as_str().unwrap().len() + index.len() + 7 <= 63,
        "{name}"
    );
    // What `kind load` brought is used: a tag `latest` alone would be pulled again.
    assert_eq!(container["imagePullPolicy"], "IfNotPresent");
    let security = &container["securityContext"];
    let privileged = security["privileged"] == true;
    assert!(!(privileged && security["allowPrivilegeEscalation"] == false));
    assert!(
        !(pod["securityContext"]["runAsNonRoot"] == true
            && pod["securityContext"]["runAsUser"] == 0)
    );
    // One volume source only.
    for volume in pod["volumes"].as_array().unwrap() {
        assert_eq!(volume.as_object().unwrap().len(), 2, "{overlay}: {volume}");
    }
}

#[test]
fn pods_have_no_rights_but_in_the_privileged_overlay() {
    let Some(bin) = validator("kind-rights") else {
        return;
    };
    for overlay in OVERLAYS {
        let jobs = jobs(&bin, overlay);
        assert!(!jobs.is_empty());
        for job in jobs {
            assert_server_rules(overlay, &job);
            let pod = &job["spec"]["template"]["spec"];
            let security = &pod["containers"][0]["securityContext"];
            assert_eq!(security["readOnlyRootFilesystem"], true, "{overlay}");
            if overlay.ends_with("managed") {
                assert_eq!(security["privileged"], true);
                continue;
            }
            assert_eq!(security["allowPrivilegeEscalation"], false, "{overlay}");
            assert_eq!(
                security["capabilities"]["drop"],
                serde_json::json!(["ALL"]),
                "{overlay}"
            );
            assert_eq!(
                pod["securityContext"]["seccompProfile"]["type"],
                "RuntimeDefault"
            );
            let root = overlay.ends_with("hostpath");
            assert_eq!(pod["securityContext"]["runAsNonRoot"], !root, "{overlay}");
        }
    }
}

#[test]
fn a_fleets_job_has_as_many_shards_as_indexes() {
    let path = kind().join("overlays/fleet/job.yaml");
    let manifest = std::fs::read_to_string(path).unwrap();
    let after = |key: &str| {
        let rest = manifest.split(key).nth(1).unwrap();
        let word = rest.split_whitespace().next().unwrap();
        word.trim_matches('"').to_string()
    };
    assert_eq!(
        after("completions: "),
        after("name: MEMTIDE_SHARDS\n              value: ")
    );
    let args: Vec<&str> = manifest.split("args:").nth(1).unwrap().lines().collect();
    let args = args
        .iter()
        .filter_map(|line| line.trim().strip_prefix("- "));
    // A small share of it, as its pod would be asked for it.
    let output = common::memtide()
        .args(args)
        .args(["--days=0.01", "--detector=threshold", "--card=6.1-v2"])
        .env("JOB_COMPLETION_INDEX", "2")
        .env("MEMTIDE_SHARDS", "5000")
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", text(&output.stderr));
    let shard: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(shard["shard"], serde_json::json!({"index": 2, "of": 5000}));
}

#[test]
fn a_completion_index_picks_its_scenario() {
    let output = common::memtide()
        .args(["run", "--pick", "3", "no-such-a", "no-such-b"])
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(2));
    let dir = tempfile::tempdir().unwrap();
    for name in ["one", "two"] {
        let toml = common::scenario("limit = \"64MiB\"", "sleep = \"1ms\"");
        std::fs::write(dir.path().join(format!("{name}.toml")), toml).unwrap();
    }
    if !common::can_manage("kind-pick") {
        return;
    }
    // Index 3 of two scenarios is the second one again.
    let output = common::memtide()
        .args([
            "run", "--pick", "3", "one.toml", "two.toml", "--format", "json",
        ])
        .current_dir(dir.path())
        .output()
        .unwrap();
    let document: Value = serde_json::from_slice(&output.stdout).unwrap();
    let runs = document["runs"].as_array().unwrap();
    assert_eq!(runs.len(), 1);
    assert_eq!(runs[0]["scenario"], "two");
}

#[test]
fn the_watch_on_every_node_has_no_rights_and_reads_only() {
    let Some(bin) = validator("kind-watch") else {
        return;
    };
    let objects = jobs(&bin, "overlays/watch");
    let watch = objects.iter().find(|o| o["kind"] == "DaemonSet").unwrap();
    let pod = &watch["spec"]["template"]["spec"];
    let container = &pod["containers"][0];
    assert_eq!(pod["securityContext"]["runAsNonRoot"], true);
    assert_eq!(
        container["securityContext"]["capabilities"]["drop"],
        serde_json::json!(["ALL"])
    );
    assert_eq!(container["securityContext"]["readOnlyRootFilesystem"], true);
    assert!(pod["hostPID"].is_null() && pod["hostNetwork"].is_null());
    let mounts = container["volumeMounts"].as_array().unwrap();
    assert!(mounts.len() == 2 && mounts.iter().all(|mount| mount["readOnly"] == true));
    assert_eq!(
        watch["spec"]["selector"]["matchLabels"],
        watch["spec"]["template"]["metadata"]["labels"]
    );
    // Its arguments are ones that memtide takes.
    let mut args: Vec<&str> = container["args"]
        .as_array()
        .unwrap()
        .iter()
        .filter_map(Value::as_str)
        .collect();
    args.push("--help");
    let output = common::memtide().args(args).output().unwrap();
    assert!(output.status.success(), "{}", text(&output.stderr));
    let monitor = jobs(&bin, "overlays/watch-servicemonitor");
    assert!(monitor.iter().any(|o| o["kind"] == "ServiceMonitor"));
    assert_eq!(monitor.len(), objects.len() + 1);
}
