//! Every scenario of the catalogue on this machine's kernel, one test each, one after the other: a
//! run's numbers must not be another run's disturbance.

mod common;

use libtest_mimic::{Arguments, Failed, Trial};
use memtide::cgroup::{Hierarchy, Placement};
use memtide::harness;
use memtide::host;
use memtide::scenario::{self, Overrides};
use serde_json::Value;

fn main() {
    let mut arguments = Arguments::from_args();
    arguments.test_threads = Some(1);
    let mut missing = Vec::new();
    let trials = scenario::catalogue()
        .iter()
        .filter(|entry| !is_suite(entry) || OF_THE_SUITES.contains(&entry.name))
        .map(|entry| trial(entry.name, &mut missing))
        .collect();
    if !missing.is_empty() && !arguments.list {
        let what = format!("{} scenarios of the catalogue", missing.len());
        common::note_skip(&what, &missing.join("; "));
    }
    libtest_mimic::run(&arguments, trials).exit();
}

/// Of the runtimes and services, which take half an hour, these run with every test; all of them by
/// `memtide run --filter runtime` and `memtide run --filter service`.
const OF_THE_SUITES: [&str; 4] = [
    "glibc-pinned",
    "python-all",
    "redis-bgsave-oom",
    "node-heap",
];

fn is_suite(entry: &scenario::CatalogueEntry) -> bool {
    let scenario = entry.parse(Overrides::default());
    scenario.is_ok_and(|s| s.tags.iter().any(|t| t == "runtime" || t == "service"))
}

fn trial(name: &'static str, missing: &mut Vec<String>) -> Trial {
    match cannot_run(name) {
        Some(reason) => {
            missing.push(format!("{name}: {reason}"));
            Trial::test(name, || Ok(())).with_ignored_flag(true)
        }
        None => Trial::test(name, move || run(name)),
    }
}

/// Why this machine can't run it.
fn cannot_run(name: &str) -> Option<String> {
    let scenario = scenario::find(name)?.parse(Overrides::default()).ok()?;
    let hierarchy = match Hierarchy::discover() {
        Ok(hierarchy) => hierarchy,
        Err(error) => return Some(error.to_string()),
    };
    let chosen = match Placement::Managed.choose(&hierarchy) {
        Ok(choice) => choice.chosen,
        Err(no) => return Some(no.to_string().replace('\n', " ")),
    };
    let workdir = std::path::Path::new("/var/tmp");
    let host = host::detect(&hierarchy, workdir, "managed");
    harness::can_run(&scenario, &host, &chosen).err()
}

fn run(name: &str) -> Result<(), Failed> {
    let output = common::memtide()
        .args([
            "run",
            name,
            "--placement",
            "managed",
            "--workdir",
            "/var/tmp",
            "--format",
            "json",
        ])
        .output()?;
    let document: Value = serde_json::from_slice(&output.stdout)
        .map_err(|error| format!("{error}: {}", String::from_utf8_lossy(&output.stderr)))?;
    let run = &document["runs"][0];
    for step in run["steps"].as_array().into_iter().flatten() {
        if step["result"] == "skipped" {
            let text = |key: &str| step[key].as_str().unwrap_or_default().to_string();
            common::note_skip(&format!("{name}, step {}", text("name")), &text("reason"));
        }
    }
    let checked = run["expectations"].as_array().map_or(0, Vec::len);
    match (run["result"].as_str(), checked) {
        (Some("pass"), 1..) => Ok(()),
        (Some("pass"), _) => Err("it passed without checking anything".into()),
        _ => Err(broken(run).into()),
    }
}

/// What fell short, in words.
fn broken(run: &Value) -> String {
    let expectations = run["expectations"].as_array().into_iter().flatten();
    let lines = expectations.filter(|e| e["pass"] == false).map(|e| {
        let text = |key: &str| e[key].as_str().unwrap_or_default();
        format!(
            "{}: expected {}, seen {}",
            text("text"),
            text("expected"),
            text("seen")
        )
    });
    let reason = run["reason"].as_str().unwrap_or_default().to_string();
    std::iter::once(reason)
        .chain(lines)
        .collect::<Vec<_>>()
        .join("\n  ")
}
