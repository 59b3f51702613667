//! Every expected value of every fixture, through the formulas.
//!
//! A key nobody knows fails the test, so no expectation can be forgotten. What a fixture states
//! without giving the rows for it (an outcome, say) is counted apart and printed.

#[path = "support/fixture.rs"]
mod fixture;

use fixture::Case;
use memtide::explain::{self, Select, consistency, derive, input, meminfo};
use memtide::formula::{self, reclaim};
use memtide::rows::{CgroupVersion, Rows, View, is_unlimited};

#[test]
fn every_expected_value_comes_out() {
    let (mut checked, mut stated, mut wrong) = (0, Vec::new(), Vec::new());
    for (name, cases) in fixture::all() {
        for case in cases {
            for (key, want) in &case.expects {
                match compute(&case, key, want) {
                    Found::Value(seen) if seen == *want => checked += 1,
                    Found::Value(seen) => {
                        wrong.push(format!(
                            "{}: {key}: expected {want}, seen {seen}",
                            case.label
                        ));
                    }
                    Found::Holds(true) => checked += 1,
                    Found::Holds(false) => {
                        wrong.push(format!("{}: {key} {want}: does not hold", case.label));
                    }
                    Found::Stated(why) => stated.push(format!("{name}: {key} {want}: {why}")),
                    Found::Unknown => wrong.push(format!("{name}: no computation for key {key:?}")),
                }
            }
        }
    }
    for line in &stated {
        println!("only stated: {line}");
    }
    println!("{checked} values checked, {} only stated", stated.len());
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    // 48 measured phases and 63 lines of reports; fewer means that the fixture parser lost some.
    assert!(checked >= 90, "only {checked} values found");
    assert!(stated.len() <= 2, "{stated:?}");
}

/// What a computation gave.
enum Found {
    Value(String),
    Holds(bool),
    Stated(&'static str),
    Unknown,
}

/// A missing value prints as `none`, which no fixture expects.
fn value<T: ToString>(value: Option<T>) -> Found {
    Found::Value(value.map_or("none".into(), |v| v.to_string()))
}

fn eval(name: &str, view: &View) -> Option<i64> {
    (formula::by_name(name).unwrap().eval)(view)
}

/// `key value` lines and files with one number, by the names of rows.
fn rows(case: &Case) -> Rows {
    let mut rows = Rows::default();
    for (file, text) in &case.parts {
        match file.as_str() {
            "memory.stat.json" => {
                let map: serde_json::Map<String, serde_json::Value> =
                    serde_json::from_str(text).unwrap();
                for (key, number) in map {
                    rows.set(key, number.as_u64().unwrap());
                }
            }
            "docker_api" => key_values(text, |key, number| {
                let name = match key {
                    "usage" => "memory.usage_in_bytes".into(),
                    other => format!("total_{other}"),
                };
                rows.set(name, number);
            }),
            "meminfo" => {
                for (key, number) in meminfo::parse(text).iter() {
                    rows.set(key, number);
                }
            }
            _ => {
                if let Ok(number) = text.trim().parse() {
                    rows.set(file.as_str(), number);
                }
                key_values(text, |key, number| {
                    let name = key
                        .strip_prefix("memory.total_")
                        .map(|k| format!("total_{k}"));
                    rows.set(name.unwrap_or(key.into()), number);
                });
            }
        }
    }
    rows
}

fn key_values(text: &str, mut take: impl FnMut(&str, u64)) {
    for line in text.lines() {
        let words: Vec<_> = line.split_whitespace().collect();
        if let [key, number] = words[..]
            && let Ok(number) = number.parse()
        {
            take(key, number);
        }
    }
}

fn version(rows: &Rows) -> CgroupVersion {
    let v2 = ["anon", "file", "memory.current", "slab", "anon_thp"];
    let is_v2 = v2.iter().any(|name| rows.get(name).is_some());
    if is_v2 {
        CgroupVersion::V2
    } else {
        CgroupVersion::V1
    }
}

fn view(case: &Case) -> View {
    let rows = rows(case);
    let node = meminfo::view(&rows, meminfo::NodeUsage::AnonPlusFile);
    if case.part("meminfo").is_some() {
        return node;
    }
    derive::complete(View {
        node_capacity: rows.get("memory.capacity_in_bytes"),
        ..rows.view(version(&rows))
    })
}

fn compute(case: &Case, key: &str, want: &str) -> Found {
    if case.part("meminfo").is_some() {
        return node(case, key, want);
    }
    let view = view(case);
    let rows = rows(case);
    let formula = |name| value(eval(name, &view));
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
        "available_kb" => value(eval("kubelet_memory_available", &view).map(|v| v / 1024)),
        "available_mb" => value(eval("kubelet_memory_available", &view).map(|v| v / (1 << 20))),
        "docker_stats_human" => printed("docker_cli_17_06", &view),
        // The report gives usage only: kubectl had no inactive_file to take off.
        "kubectl_top" => printed(
            "kubectl_top",
            &View {
                inactive_file: Some(0),
                ..view
            },
        ),
        "flag" => Found::Holds(flagged(&view, &rows, want)),
        "limit" => limit(case, &view),
        "note" => note(case, &rows, &view),
        _ => derived(case, key, want, &rows, &view),
    }
}

fn printed(name: &str, view: &View) -> Found {
    let all = formula::by_name(name).unwrap().display(view);
    value(all.first().map(|(_, text)| text.as_str()))
}

fn flagged(view: &View, rows: &Rows, flag: &str) -> bool {
    let found = consistency::contradictions(view, rows, &[]);
    found.iter().any(|contradiction| contradiction.name == flag)
}

fn limit(case: &Case, view: &View) -> Found {
    match view.limit {
        Some(limit) if is_unlimited(limit) => Found::Value("unlimited".into()),
        Some(limit) => value(Some(limit)),
        // The dump's head, which held the limit, was cut; the report's prose names it.
        None => value(case.comments.split_whitespace().find_map(|word| {
            memtide::units::parse_bytes(word)
                .ok()
                .filter(|_| word.ends_with('i'))
        })),
    }
}

/// Sums and differences of rows that are no formula, and the reports' own arithmetic.
fn derived(case: &Case, key: &str, want: &str, rows: &Rows, view: &View) -> Found {
    let bound = derive::usage_lower_bound(rows, version(rows));
    let bounded = View {
        usage: bound,
        ..*view
    };
    let oom_usage = case.part("oom.kernel_log").and_then(kilobytes_after_usage);
    match key {
        "usage_derived" => value(bound),
        "ws_derived" => value(eval("cadvisor_working_set", &bounded)),
        "ws_minus_slab_reclaimable" => value(eval("working_set_minus_slab", &bounded)),
        "usage_estimate_minus_all_file" => value(eval("usage_minus_file_lru", &bounded)),
        "usage_gap" => value(view.usage.zip(bound).map(|(u, b)| u - b)),
        "file_lru" => value(sum([view.active_file, view.inactive_file])),
        "anon_lru" => value(sum([view.active_anon, view.inactive_anon])),
        "rss_plus_shmem" => value(sum([view.rss, view.shmem])),
        "cache_equals_shmem_plus_file_lru" => {
            assert_eq!(eval("lazyfree_estimate", view), Some(0));
            value(sum([view.shmem, view.active_file, view.inactive_file]))
        }
        "working_set_if_usage_at_limit" => {
            assert_eq!(oom_usage, view.limit);
            value(eval(
                "cadvisor_working_set",
                &View {
                    usage: oom_usage,
                    ..*view
                },
            ))
        }
        "working_set_percent_of_limit" => value(
            eval("cadvisor_working_set", view)
                .zip(view.limit)
                .map(|(ws, limit)| format!("{:.2}", ws as f64 / limit as f64 * 100.0)),
        ),
        "working_set_at_oom_equals_usage" => {
            let at_limit = View {
                usage: Some(128 << 20),
                ..*view
            };
            Found::Holds(eval("cadvisor_working_set", &at_limit) == eval("usage", &at_limit))
        }
        "oom_kill" | "failcnt" => Found::Stated("the outcome of the run; no row was read after it"),
        _ => reported(case, key, want),
    }
}

fn sum<const N: usize>(rows: [Option<u64>; N]) -> Option<u64> {
    rows.into_iter().sum()
}

fn kilobytes_after_usage(log: &str) -> Option<u64> {
    let text = log.split_once("usage ")?.1.split_once("kB")?.0;
    Some(text.parse::<u64>().ok()? * 1024)
}

/// Reports that give neither memory.stat nor meminfo.
fn reported(case: &Case, key: &str, want: &str) -> Found {
    let all: String = case.parts.iter().map(|(_, text)| text.as_str()).collect();
    let number = |name: &str| -> f64 {
        let found = all
            .lines()
            .find_map(|l| l.strip_prefix(name)?.trim().parse().ok());
        found.unwrap_or_else(|| panic!("{name} is in {}", case.label))
    };
    match key {
        "overstatement_ki" => value(Some(
            number("kubelet_memory_available_ki") - number("MemAvailable_kb"),
        )),
        "reclaim_efficiency_percent" => value(
            reclaim::efficiency_percent(number("pgscan_millions"), number("pgsteal_millions"))
                .map(|percent| format!("{percent:.1}")),
        ),
        "dying_memcg" => {
            let cgroups = |part| -> u64 {
                let text = case.part(part).unwrap();
                text.split_whitespace().nth(2).unwrap().parse().unwrap()
            };
            value(Some(
                cgroups("proc_cgroups.after_exit") - cgroups("proc_cgroups.before"),
            ))
        }
        "alert_ws_gt_70" => {
            let (sure, perhaps) = fires(&all, 1);
            Found::Holds(want.starts_with(&format!("fires_for {sure}..{}", sure + perhaps)))
        }
        "alert_rss_gt_70" => {
            let (sure, perhaps) = fires(&all, 2);
            Found::Holds(perhaps == 0 && want == format!("fires_for {sure}"))
        }
        "detector" => Found::Holds(stalled_below_high(case)),
        _ => Found::Unknown,
    }
}

/// How many pods of the table are above 70 % of the limit surely, and how many at times only.
fn fires(table: &str, column: usize) -> (usize, usize) {
    let alert = |percent: &str| {
        let view = View {
            usage: percent.parse().ok(),
            inactive_file: Some(0),
            ..View::default()
        };
        eval("cadvisor_working_set", &view).unwrap() > 70
    };
    let (mut sure, mut perhaps) = (0, 0);
    for line in table.lines() {
        let cell = line.split_whitespace().nth(column).unwrap();
        let (low, high) = cell.split_once('-').unwrap_or((cell, cell));
        match (alert(low), alert(high)) {
            (true, _) => sure += 1,
            (false, true) => perhaps += 1,
            (false, false) => {}
        }
    }
    (sure, perhaps)
}

/// What `explain` finds in the same lines.
fn stalled_below_high(case: &Case) -> bool {
    let paste: String = case
        .parts
        .iter()
        .map(|(name, text)| format!("{name}\n{text}"))
        .collect();
    let readings = input::read_bytes(paste.as_bytes(), &case.label, None, &Select::default());
    let explanation = explain::explain(readings.unwrap());
    explanation
        .findings
        .iter()
        .any(|finding| finding.code == "memory_high_stall")
}

fn note(case: &Case, rows: &Rows, view: &View) -> Found {
    let any = |names: &[&str], holds: fn(u64) -> bool| {
        names.iter().filter_map(|n| rows.get(n)).any(holds)
    };
    Found::Holds(match case.label.as_str() {
        l if l.starts_with("containerd-7102") => {
            any(&["slab", "slab_reclaimable", "percpu"], |v| v % 4096 != 0)
        }
        l if l.starts_with("kubernetes-114332") => {
            eval("kubelet_memory_available", view).is_some_and(|v| v < 0)
                && flagged(view, rows, "usage_exceeds_capacity")
        }
        l if l.starts_with("kubernetes-43916") => {
            view.inactive_file == rows.get("total_inactive_file")
                && view.inactive_file != rows.get("inactive_file")
        }
        _ => return Found::Unknown,
    })
}

/// Expectations of /proc/meminfo; in kB as the file is.
fn node(case: &Case, key: &str, want: &str) -> Found {
    let rows = rows(case);
    let by_lru = meminfo::view(&rows, meminfo::NodeUsage::AnonPlusFile);
    let by_free = meminfo::view(&rows, meminfo::NodeUsage::TotalMinusFree);
    let kb = |bytes: Option<i64>| value(bytes.map(|b| b / 1024));
    let get = |name: &str| rows.get(&format!("node:{name}")).map(|b| b as i64);
    let ws = |view| eval("cadvisor_working_set", view);
    let minus = |a: Option<i64>, b: Option<i64>| kb(a.zip(b).map(|(a, b)| a - b));
    match key {
        "active_file_plus_inactive_file_kb" => {
            kb(sum([by_free.active_file, by_free.inactive_file]).map(|v| v as i64))
        }
        "usage_total_minus_free_kb" => kb(eval("usage", &by_free)),
        "usage_anon_plus_file_kb" => {
            assert_eq!(eval("usage", &by_lru), eval("node_root_usage", &by_lru));
            kb(eval("node_root_usage", &by_lru))
        }
        "working_set_total_minus_free_kb" => kb(ws(&by_free)),
        "working_set_anon_plus_file_kb" => {
            assert_eq!(ws(&by_lru), eval("node_root_working_set", &by_lru));
            kb(eval("node_root_working_set", &by_lru))
        }
        "difference_kb" => minus(ws(&by_free), ws(&by_lru)),
        "note" => {
            let apart = (ws(&by_free).unwrap() - ws(&by_lru).unwrap()) >> 20;
            Found::Holds(want.contains(&format!("{apart} MiB")))
        }
        "available_kubelet_style_kb" => kb(eval("kubelet_memory_available", &by_free)),
        "memavailable_minus_kubelet_kb" => minus(
            get("MemAvailable"),
            eval("kubelet_memory_available", &by_free),
        ),
        "used_by_memavailable_kb" => minus(get("MemTotal"), get("MemAvailable")),
        // Neither MemFree nor AnonPages was pasted. The working set rises with usage, and usage is
        // at most all of RAM: 0 there is 0 everywhere.
        "working_set" => value(ws(&View {
            usage: by_lru.node_capacity,
            ..by_lru
        })),
        "flag" => Found::Holds(flagged(&by_lru, &rows, want)),
        // Inactive(file) was cut, but it is at most Inactive: the working set has two bounds.
        "kubectl_top" => {
            let usage = by_free.usage.unwrap() as i64;
            let seen = want.trim_end_matches("Mi").parse::<i64>().unwrap() << 20;
            Found::Holds((usage - get("Inactive").unwrap()..=usage).contains(&seen))
        }
        _ => Found::Unknown,
    }
}
