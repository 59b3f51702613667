//! Every fixture through `explain`, in the shapes people paste it, with the values that were right.

#[path = "support/fixture.rs"]
mod fixture;

use fixture::Case;
use memtide::explain::{self, ExplainError, Explanation, Select, input};
use serde_json::Value;

fn explained(text: &str, at: Option<&str>) -> Result<Explanation, ExplainError> {
    let select = Select {
        at: at.map(str::to_string),
        ..Select::default()
    };
    input::read_bytes(text.as_bytes(), "a paste", None, &select).map(explain::explain)
}

fn document(explanation: &Explanation) -> Value {
    serde_json::to_value(explain::wire::Document::from(explanation)).unwrap()
}

/// What a shell session looks like that shows the case's files.
fn session(case: &Case) -> String {
    let parts = case.parts.iter();
    parts
        .map(|(name, text)| match name.as_str() {
            "" | "docker_api" | "script" | "observed" | "summary" => text.clone(),
            name => format!("$ cat {name}\n{text}"),
        })
        .collect()
}

/// The same paste as different trackers and terminals leave it.
fn dressed(paste: &str) -> Vec<(&'static str, String)> {
    let each = |change: &dyn Fn(&str) -> String| -> String { paste.lines().map(change).collect() };
    vec![
        ("as it is", paste.to_string()),
        ("quoted", each(&|line| format!("> {line}\n"))),
        ("CRLF", each(&|line| format!("{line}\r\n"))),
        ("indented", each(&|line| format!("    {line}\n"))),
        ("tabs", paste.replace(' ', "\t")),
        (
            "code fence",
            format!("Here is what I see:\n\n```console\n{paste}```\nAny idea?\n"),
        ),
        (
            "HTML",
            format!("<details><summary>stat</summary><pre>{paste}</pre></details>"),
        ),
        ("no newline at the end", paste.trim_end().to_string()),
    ]
}

/// Where an expected value stands in the JSON document; none for the reports' own arithmetic.
fn seen(document: &Value, key: &str, want: &str) -> Option<String> {
    let formula = |name: &str| Some(document["formulas"][name].to_string());
    let least = |name: &str| Some(document["at_least"][name].to_string());
    let printed = |name: &str| {
        let all = document["printed"].as_array().unwrap();
        let found = all
            .iter()
            .find(|p| p["formula"] == name)
            .map(|p| &p["text"]);
        found
            .and_then(Value::as_str)
            .map(str::to_string)
            .or(Some("nothing".into()))
    };
    let divided = |name: &str, by: i64| {
        Some(
            document["formulas"][name]
                .as_i64()
                .map_or("none".into(), |v| (v / by).to_string()),
        )
    };
    match key {
        "working_set" => formula("cadvisor_working_set"),
        "rss" => formula("rss"),
        "max_ws_rss" => formula("max_working_set_rss"),
        "usage_minus_cache" | "docker_stats_17_06_to_19_03" => formula("docker_cli_17_06"),
        "usage_minus_all_file" | "usage_minus_all_file_lru" => formula("usage_minus_file_lru"),
        "anon_lru_minus_rss" => formula("thp_hidden_estimate"),
        "rss_plus_cache" => formula("node_root_usage"),
        "ws_estimate_rss_plus_cache_minus_inactive" => formula("node_root_working_set"),
        "available" => formula("kubelet_memory_available"),
        "available_kb" => divided("kubelet_memory_available", 1024),
        "available_mb" => divided("kubelet_memory_available", 1 << 20),
        "usage_anon_plus_file_kb" => divided("usage", 1024),
        "working_set_anon_plus_file_kb" => divided("cadvisor_working_set", 1024),
        "docker_stats_human" => printed("docker_cli_17_06"),
        "usage_derived" => Some(document["parts"]["total"].to_string()),
        "ws_derived" => least("cadvisor_working_set"),
        "ws_minus_slab_reclaimable" => least("working_set_minus_slab"),
        "usage_estimate_minus_all_file" => least("usage_minus_file_lru"),
        "working_set_if_usage_at_limit" => formula("cadvisor_working_set"),
        "usage_gap" => Some(document["parts"]["unexplained"].to_string()),
        "limit" => Some(match (&document["limit"], want) {
            // An unlimited cgroup has no limit, and is told so.
            (Value::Null, "unlimited") if codes(document).contains(&"no_limit".to_string()) => {
                want.into()
            }
            // The dump's head was cut with the limit in it.
            (Value::Null, "134217728") => return None,
            (limit, _) => limit.to_string(),
        }),
        "flag" => Some(if codes(document).contains(&"inconsistent".to_string()) {
            want.into()
        } else {
            "not flagged".into()
        }),
        "detector" => Some(
            if codes(document).contains(&"memory_high_stall".to_string()) {
                want.into()
            } else {
                "quiet".into()
            },
        ),
        "dying_memcg" => None,
        _ => None,
    }
}

fn codes(document: &Value) -> Vec<String> {
    let reading = document["reading"].as_array().unwrap();
    reading
        .iter()
        .map(|r| r["code"].as_str().unwrap().to_string())
        .collect()
}

/// The fixtures no memory number is in: a table of percentages.
fn has_no_memory_number(case: &Case) -> bool {
    case.label.starts_with("starkware")
}

#[test]
fn every_case_in_every_dress_gives_the_value_that_was_right() {
    let (mut checked, mut arithmetic, mut wrong) = (0, 0, Vec::new());
    for (_, cases) in fixture::all() {
        for case in cases.iter().filter(|c| !c.expects.is_empty()) {
            for (dress, text) in dressed(&session(case)) {
                let explanation = match explained(&text, None) {
                    Ok(explanation) => explanation,
                    Err(_) if has_no_memory_number(case) => continue,
                    Err(error) => {
                        wrong.push(format!("{} ({dress}): {error}", case.label));
                        continue;
                    }
                };
                let document = document(&explanation);
                for (key, want) in &case.expects {
                    match seen(&document, key, want) {
                        Some(seen) if seen == *want => checked += 1,
                        Some(seen) => wrong.push(format!(
                            "{} ({dress}): {key}: expected {want}, seen {seen}",
                            case.label
                        )),
                        None => arithmetic += 1,
                    }
                }
            }
        }
    }
    println!(
        "{checked} values checked, {arithmetic} are arithmetic of the reports (tests/fixtures.rs)"
    );
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    // 8 dresses of some 80 values.
    assert!(checked >= 8 * 75, "only {checked} values checked");
}

#[test]
fn the_same_files_in_a_directory_give_the_same() {
    let mut checked = 0;
    for (_, cases) in fixture::all() {
        for case in cases.iter().filter(|c| c.part("memory.stat").is_some()) {
            let folder = tempfile::tempdir().unwrap();
            for (name, text) in &case.parts {
                std::fs::write(folder.path().join(name), text).unwrap();
            }
            let readings = input::read_path(folder.path(), &Select::default()).unwrap();
            let document = document(&explain::explain(readings));
            for (key, want) in &case.expects {
                // The OOM log beside the files is text of its own kind.
                if let Some(seen) = seen(&document, key, want)
                    && case.part("oom.kernel_log").is_none()
                {
                    assert_eq!(seen, *want, "{}: {key}", case.label);
                    checked += 1;
                }
            }
        }
    }
    assert!(checked >= 15, "only {checked}");
}

/// The fixture files themselves, comments and expectations and all: nothing falls over, and what
/// has memory numbers is explained.
#[test]
fn every_file_as_it_lies_there() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures");
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap().to_string();
        match input::read_path(&path, &Select::default()) {
            Ok(readings) => {
                let explanation = explain::explain(readings);
                assert!(!explanation.findings.is_empty(), "{name}");
                for finding in &explanation.findings {
                    assert!(findings_are_known(finding.code), "{name}: {}", finding.code);
                    assert_never_healthy(&name, &finding.sentence);
                }
            }
            // Rules are `judge`'s, and hold no numbers.
            Err(error) => assert!(
                name.starts_with("starkware") || name.ends_with(".yaml"),
                "{name}: {error}"
            ),
        }
    }
}

fn findings_are_known(code: &str) -> bool {
    explain::findings::RULES
        .iter()
        .any(|(known, _)| *known == code)
}

/// No number here proves health, 0 least of all.
fn assert_never_healthy(name: &str, sentence: &str) {
    let lower = sentence.to_lowercase();
    for word in ["healthy", "all is well", "everything is fine", "no problem"] {
        assert!(!lower.contains(word), "{name}: {sentence}");
    }
}

/// Every phase of the measured files can be asked for by name, out of the whole file.
#[test]
fn a_phase_can_be_chosen() {
    let mut checked = 0;
    for (name, cases) in fixture::all()
        .iter()
        .filter(|(name, _)| name.starts_with("measured"))
    {
        let path = format!("{}/tests/fixtures/{name}", env!("CARGO_MANIFEST_DIR"));
        if cases.len() < 2 {
            continue;
        }
        for (index, case) in cases.iter().enumerate() {
            let select = Select {
                at: Some((index + 1).to_string()),
                ..Select::default()
            };
            let readings = input::read_path(path.as_ref(), &select).unwrap();
            let document = document(&explain::explain(readings));
            for (key, want) in &case.expects {
                assert_eq!(
                    seen(&document, key, want).as_ref(),
                    Some(want),
                    "{}",
                    case.label
                );
                checked += 1;
            }
        }
    }
    assert!(checked >= 40, "only {checked}");
}
