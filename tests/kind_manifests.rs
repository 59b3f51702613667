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
    let all = jobs(&bin, "overlays/watch-servicemonitor");
    assert_eq!(all.len(), objects.len() + 1);
    let monitor = all.iter().find(|o| o["kind"] == "ServiceMonitor").unwrap();
    let schema = include_str!("data/servicemonitor.schema.json");
    let schema: Value = serde_json::from_str(schema).unwrap();
    assert_eq!(breaks(&schema, monitor, ""), Vec::<String>::new());
    // What would pass anything proves nothing.
    let mut wrong = monitor.clone();
    wrong["spec"]["endpoints"][0]["intervall"] = "15s".into();
    wrong["spec"]["endpoints"][0]["honorLabels"] = "true".into();
    wrong["spec"]["endpoints"][0]["interval"] = "15 seconds".into();
    wrong["spec"].as_object_mut().unwrap().remove("selector");
    assert_eq!(
        breaks(&schema, &wrong, "").len(),
        4,
        "{:?}",
        breaks(&schema, &wrong, "")
    );
    // It finds the Service, whose port it names.
    let service = all.iter().find(|o| o["kind"] == "Service").unwrap();
    let wanted = &monitor["spec"]["selector"]["matchLabels"];
    for (label, value) in wanted.as_object().unwrap() {
        assert_eq!(&service["metadata"]["labels"][label], value, "{label}");
    }
    assert_eq!(
        service["spec"]["ports"][0]["name"],
        monitor["spec"]["endpoints"][0]["port"]
    );
}

/// Where an object breaks a schema as CRDs have it: types, properties that are not known, patterns, what is
/// required.
fn breaks(schema: &Value, value: &Value, at: &str) -> Vec<String> {
    let mut found = Vec::new();
    let fits = match schema["type"].as_str() {
        Some("object") => value.is_object(),
        Some("array") => value.is_array(),
        Some("string") => value.is_string(),
        Some("boolean") => value.is_boolean(),
        Some("integer") => value.is_i64() || value.is_u64(),
        other => panic!("{at}: the schema's type is {other:?}"),
    };
    if !fits {
        return vec![format!("{at}: {value} is no {}", schema["type"])];
    }
    if let (Some(pattern), Some(text)) = (schema["pattern"].as_str(), value.as_str())
        && !regex_lite::Regex::new(pattern).unwrap().is_match(text)
    {
        found.push(format!("{at}: {text} is not {pattern}"));
    }
    for item in value.as_array().into_iter().flatten() {
        found.extend(breaks(&schema["items"], item, &format!("{at}[]")));
    }
    let required = schema["required"].as_array().into_iter().flatten();
    for name in required
        .filter_map(Value::as_str)
        .filter(|name| value[name].is_null())
    {
        found.push(format!("{at}: {name} is missing"));
    }
    for (name, value) in value.as_object().into_iter().flatten() {
        let (known, any) = (&schema["properties"][name], &schema["additionalProperties"]);
        match (known.is_object(), any.is_object()) {
            (true, _) => found.extend(breaks(known, value, &format!("{at}.{name}"))),
            (false, true) => found.extend(breaks(any, value, &format!("{at}.{name}"))),
            (false, false) if schema["properties"].is_object() => {
                found.push(format!("{at}: there is no {name}"));
            }
            // Anything may be in it: metadata.
            (false, false) => {}
        }
    }
    found
}

/// Keys of GitHub's workflows, by their place. A misspelt one is refused there, or worse, does nothing.
fn workflow_keys(at: &str) -> &'static [&'static str] {
    match at {
        "" => &[
            "name",
            "on",
            "permissions",
            "concurrency",
            "env",
            "defaults",
            "jobs",
        ],
        "job" => &[
            "name",
            "runs-on",
            "needs",
            "if",
            "timeout-minutes",
            "strategy",
            "env",
            "steps",
            "permissions",
            "outputs",
            "container",
            "services",
            "continue-on-error",
        ],
        "step" => &[
            "name",
            "id",
            "if",
            "uses",
            "with",
            "run",
            "env",
            "shell",
            "working-directory",
            "continue-on-error",
            "timeout-minutes",
        ],
        "strategy" => &["fail-fast", "matrix", "max-parallel"],
        other => panic!("{other}"),
    }
}

fn assert_keys(at: &str, object: &Value) {
    for key in object.as_object().unwrap().keys() {
        assert!(workflow_keys(at).contains(&key.as_str()), "{at}: {key}");
    }
}

/// Every workflow has known keys; what its jobs need and its matrix has is there; its scripts are the project's
/// own and its shell is one that a shell can read; its calls of scripts and of memtide have options that
/// they take.
#[test]
fn the_workflow_for_kind_is_one_that_github_and_its_programs_take() {
    let text = include_str!("../.github/workflows/kind.yml");
    let workflow: Value = serde_saphyr::from_str(text).unwrap();
    assert_keys("", &workflow);
    let jobs = workflow["jobs"].as_object().unwrap();
    let mut commands = Vec::new();
    for (name, job) in jobs {
        assert_keys("job", job);
        if job["strategy"].is_object() {
            assert_keys("strategy", &job["strategy"]);
        }
        if let Some(needs) = job["needs"].as_str() {
            assert!(jobs.contains_key(needs), "{name}: {needs}");
        }
        let steps = job["steps"].as_array().unwrap();
        for step in steps {
            assert_keys("step", step);
            assert!(
                step["run"].is_string() != step["uses"].is_string(),
                "{step}"
            );
            if let Some(uses) = step["uses"].as_str() {
                let (action, version) = uses.split_once('@').unwrap();
                assert!(action.contains('/') && version.starts_with('v'), "{uses}");
            }
            // What stands in braces is of the matrix, or one of GitHub's own contexts.
            for expression in step.to_string().split("${{").skip(1) {
                let inner = expression.split("}}").next().unwrap().trim();
                let known = match inner.strip_prefix("matrix.") {
                    Some(key) => job["strategy"]["matrix"][key].is_array(),
                    None => ["runner.", "github.", "hashFiles("]
                        .iter()
                        .any(|c| inner.starts_with(c)),
                };
                assert!(known, "{name}: {inner}");
            }
            commands.extend(step["run"].as_str().map(String::from));
        }
    }
    assert!(commands.len() >= 4, "{commands:?}");
    for overlay in jobs["scenarios"]["strategy"]["matrix"]["overlay"]
        .as_array()
        .unwrap()
    {
        let overlay = overlay.as_str().unwrap();
        let folder = if overlay == "base" {
            "base".into()
        } else {
            format!("overlays/{overlay}")
        };
        assert!(kind().join(&folder).is_dir(), "{overlay}");
    }
    commands.iter().for_each(|command| assert_takes(command));
}

/// A step's shell: it can be read, its scripts are there, and every long option of a script or of memtide is
/// named in that program's help.
fn assert_takes(command: &str) {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let plain = command
        .replace("${{", "")
        .replace("}}", "")
        .replace("\\\n", " ");
    let read = Command::new("bash")
        .args(["-n", "-c", &plain])
        .output()
        .unwrap();
    assert!(read.status.success(), "{command}: {}", text(&read.stderr));
    for line in plain.lines() {
        let words: Vec<&str> = line.split_whitespace().collect();
        for (at, word) in words
            .iter()
            .enumerate()
            .filter(|(_, word)| word.starts_with("scripts/"))
        {
            let script = root.join(word);
            assert!(script.is_file(), "{word}");
            let help = Command::new(&script).arg("--help").output().unwrap();
            let help = text(&help.stdout) + &text(&help.stderr);
            let options = words[at..].iter().filter(|word| word.starts_with("--"));
            for option in options {
                let option = option.split('=').next().unwrap();
                assert!(help.contains(option), "{word} has no {option}: {help}");
            }
        }
    }
}
