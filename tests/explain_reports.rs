//! Public inputs that were misread once: the first sentence's code, what it must say and never say,
//! and the values that are right.

use memtide::explain::{self, Explanation, Select, input};
use serde_json::Value;

/// File, code, words of the sentence, words that must not be anywhere, values as `path=value`.
type Pair = (
    &'static str,
    &'static str,
    &'static [&'static str],
    &'static [&'static str],
    &'static [&'static str],
);

const PAIRS: &[Pair] = &[
    (
        "01-stats-lines-only.txt",
        "oom_several",
        &["2 kills", "242.1 MiB", "243.6 MiB"],
        &["485.7"],
        &[
            "readings/0/rows/rss=253870080",
            "readings/1/rows/rss=255438848",
        ],
    ),
    (
        "01-two-cgroups-summed.txt",
        "oom_several",
        &[
            "containers' own limits of 256.0 MiB",
            "242.1 MiB",
            "94.6 %",
            "95.2 %",
        ],
        &["485.7", "190 %", "working_set_blind"],
        &[
            "readings/0/rows/rss=253870080",
            "formulas/usage=268435456",
            "formulas/cadvisor_working_set=268435456",
        ],
    ),
    (
        "02-ws-and-rss-no-usage.txt",
        "not_heap",
        &["507.1 MiB", "583.8 MiB", "76.8 MiB", "13.2 %"],
        &["100 %"],
        &["bounds/usage/least=612192256", "parts/total=612192256"],
    ),
    (
        "02-ws-minus-rss-unmentioned.json",
        "not_heap",
        &["507.1 MiB", "78 %"],
        &[],
        &[],
    ),
    (
        "03-file-known-lists-not.txt",
        "oom_pod_limit",
        &[
            "the pod's limit of 4.0 GiB",
            "99.7 %",
            "556.0 KiB",
            "2084326",
        ],
        &["normal"],
        &[
            "bounds/cadvisor_working_set/least=4294397952",
            "bounds/cadvisor_working_set/most=4294967296",
            "parts/unexplained=0",
        ],
    ),
    (
        "04-systemd-swap-max-larger.txt",
        "only_usage",
        &["900.0 MiB", "1.0 GiB", "87.9 %"],
        &["43.9"],
        &["limit=1073741824"],
    ),
    (
        "04-systemd-swap-max.txt",
        "only_usage",
        &["24.5 MiB of 900.0 MiB (2.7 %)", "memory.high 500.0 MiB"],
        &["2450"],
        &["limit=943718400", "rows/memory.swap.max=1048576"],
    ),
    (
        "04-systemd-swap-used.txt",
        "only_usage",
        &["3.2 GiB", "no limit", "252.0 KiB"],
        &[],
        &[
            "rows/max_usage=3435973837",
            "rows/memory.swap.current=258048",
        ],
    ),
    (
        "05-global-kill-lines.txt",
        "oom_several",
        &[
            "4 kills within 28 ms",
            "machine",
            "not by a container's limit",
            "not the cause",
            "python3 twice",
        ],
        &[],
        &[],
    ),
    (
        "06-meminfo-pages.txt",
        "oom_machine_not_short",
        &["not short", "9.5 GiB", "10.5 GiB", "page fault"],
        &["8616 %", "-79"],
        &[
            "rows/node:Dirty=491520",
            "rows/node:Inactive(file)=5542526976",
        ],
    ),
    (
        "06-tail-of-report.txt",
        "oom_machine",
        &["ran out", "2.0 GiB", "748.0 KiB", "51.3 MiB", "no swap"],
        &["Swap cache stats"],
        &["rows/node:MemTotal=2147061760"],
    ),
    (
        "06-zones-of-one-node.txt",
        "oom_machine",
        &[
            "61.9 GiB",
            "62.7 GiB",
            "Normal",
            "63.6 MiB",
            "63.7 MiB",
            "lowmem_reserve",
        ],
        &["kubectl top", "docker stats"],
        &["rows/node:MemTotal=67288887296"],
    ),
    (
        "07-free-available.txt",
        "machine_not_short",
        &[
            "6.3 GiB of 7.4 GiB",
            "409.0 MiB is used",
            "5.9 GiB",
            "363.0 MiB is tmpfs",
            "5.2 GiB",
        ],
        &[],
        &["reclaimable/at_once=5583457485"],
    ),
    (
        "07-top-header.txt",
        "machine_not_short",
        &["1.8 GiB of 1.9 GiB", "71.5 MiB"],
        &[],
        &["rows/node:MemAvailable=1967548006"],
    ),
    (
        "08-top-and-summary.txt",
        "tools_differ",
        &["4.5 GiB", "7.6 GiB", "active list", "905.7 MiB"],
        &["the programs' own memory is 456.0 KiB", "docker stats"],
        &["scope=\"node\""],
    ),
    (
        "08-top-higher-than-free.txt",
        "tools_differ",
        &["server", "91.2 GiB", "active list", "No leak"],
        &[],
        &[],
    ),
    (
        "08-top-lower-than-free.txt",
        "memory_uncounted",
        &[
            "kube-gateway",
            "21.4 GiB",
            "counted by no cgroup",
            "not evict",
        ],
        &[],
        &[],
    ),
    (
        "10-killed-line-cut-off.txt",
        "oom_container_limit",
        &[
            "was killed by the container's own limit of 1.0 GiB",
            "100.0 %",
            "24.0 KiB",
            "189",
        ],
        &["0 B more and the kernel kills", "normal"],
        &["limit=1073741824"],
    ),
    (
        "10-limit-is-another-cgroups.txt",
        "oom_slice_limit",
        &[
            "kubelet (pid 989)",
            "/podruntime.slice",
            "not by the machine",
            "48.4 MiB",
            "kubelet.service",
            "others in it",
        ],
        &["usage_missing:"],
        &[],
    ),
    (
        "10-three-kills.txt",
        "oom_several",
        &["3 kills", "java (953.7 MiB)", "node"],
        &[],
        &[],
    ),
    (
        "10-victim-is-not-the-holder.txt",
        "oom_pod_limit",
        &[
            "envoy",
            "pod's limit of 512.0 MiB",
            "29.3 MiB of 476.8 MiB",
            "6 %",
            "another container",
        ],
        &["more and the kernel kills"],
        &[],
    ),
    (
        "11-lxcfs-meminfo.txt",
        "contradiction",
        &["lxcfs", "2.4 GiB", "2.3 GiB"],
        &["-309"],
        &["contradictions/0/name=\"lxcfs_mixes_host_rows\""],
    ),
    (
        "11-lxd-meminfo-over-total.txt",
        "contradiction",
        &["lxcfs", "394.6 MiB", "207.8 MiB in swap"],
        &["-6388320Ki", "kernel's counter is wrong"],
        &[],
    ),
    (
        "11-swap-equals-usage.txt",
        "contradiction",
        &["to the byte", "0 B are in swap"],
        &["11.6 GiB more"],
        &["rows/swap=0"],
    ),
    (
        "12-reserved-huge-pages.txt",
        "huge_pages_reserved",
        &["80.0 GiB", "78.1 GiB", "103.3 GiB", "19.5 GiB", "83.8 GiB"],
        &["87.8 GiB between"],
        &[],
    ),
    (
        "13-swapcache-taken-for-thp.txt",
        "oom_swap_limit",
        &["memory and swap together, 4.0 GiB", "both full"],
        &[],
        &[
            "reclaimable/with_swap_only=0",
            "contradictions/0/name=\"swapcached_exceeds_usage\"",
        ],
    ),
    (
        "14-kubectl-timestamps.txt",
        "heap",
        &["2.3 GiB", "7.3 GiB"],
        &[],
        &[
            "formulas/cadvisor_working_set=2481471488",
            "formulas/rss=2472849408",
        ],
    ),
    (
        "14-numbered-lines.txt",
        "heap",
        &["2.3 GiB"],
        &[],
        &["formulas/cadvisor_working_set=2481471488"],
    ),
    (
        "15-cloud-run.txt",
        "platform_limit",
        &["512.0 MiB", "516.0 MiB", "file system is memory"],
        &[],
        &[],
    ),
    (
        "15-docker-stats-no-spaces.txt",
        "only_usage",
        &["fblogstash", "288.2 MiB of 1.0 GiB (29.0 %)"],
        &[],
        &["limit=1042284544", "formulas/usage=302199603"],
    ),
    (
        "15-event-json.json",
        "oom_cgroup_limit",
        &[
            "kubectl (pid 3504804)",
            "57.4 MiB",
            "28.7 MiB",
            "BestEffort",
        ],
        &[],
        &[],
    ),
    (
        "15-eviction-message.txt",
        "evicted_memory",
        &[
            "Evicted by the node, not killed by a limit",
            "85.6 MiB",
            "100.0 MiB",
            "46.2 GiB",
            "3.1 times",
            "15.0 GiB",
        ],
        &[],
        &[],
    ),
    (
        "15-nomad-json.json",
        "only_usage",
        &["299.9 MiB", "1.3 GiB"],
        &[],
        &["formulas/usage=314494976", "formulas/rss=null"],
    ),
    (
        "15-slabtop.txt",
        "kernel_leak",
        &[
            "ebitmap_node",
            "43.8 GiB",
            "45.2 GiB",
            "96.9 %",
            "734506368",
            "SELinux",
        ],
        &[],
        &[],
    ),
    (
        "16-rollups-added-up.txt",
        "processes",
        &[
            "2 processes",
            "77.1 MiB",
            "18.9 MiB heap",
            "50.0 MiB shared",
            "22.0 MiB",
        ],
        &[],
        &[],
    ),
    (
        "16-top-sum-against-docker.txt",
        "outside_processes",
        &["2.5 GiB", "370.2 MiB", "2.2 GiB", "/dev/shm"],
        &[],
        &["formulas/usage=2733746684"],
    ),
    (
        "17-answer-at-the-end.txt",
        "only_working_set",
        &["1.8 GiB", "xxl"],
        &[],
        &[],
    ),
    (
        "18-range-query.json",
        "grows",
        &[
            "76.8 MiB to 105.4 MiB",
            "3 h",
            "9.5 MiB an hour",
            "every step up",
            "4 readings are few",
        ],
        &["One reading is no evidence"],
        &[],
    ),
    (
        "19-no-kernel-row.txt",
        "heap",
        &["5382844416 B", "5.0 GiB"],
        &[],
        &["parts/kernel=8326928", "parts/unexplained=237808"],
    ),
    (
        "20-wrapped-narrow.txt",
        "cache",
        &[],
        &[],
        &[
            "rows/inactive_file=314572800",
            "rows/active_file=419430400",
            "formulas/usage=1288490188",
        ],
    ),
];

fn explained(file: &str) -> Explanation {
    let path = format!("{}/tests/data/reports/{file}", env!("CARGO_MANIFEST_DIR"));
    let readings = input::read_path(path.as_ref(), &Select::default());
    explain::explain(readings.unwrap_or_else(|error| panic!("{file}: {error}")))
}

#[test]
fn every_pair_says_first_what_is_right() {
    let mut wrong = Vec::new();
    for (file, code, words, never, values) in PAIRS {
        let explanation = explained(file);
        let document = serde_json::to_value(explain::wire::Document::from(&explanation)).unwrap();
        let answer = &explanation.answer;
        if answer.code != *code {
            wrong.push(format!(
                "{file}: {} in place of {code}: {}",
                answer.code, answer.sentence
            ));
            continue;
        }
        for word in words
            .iter()
            .filter(|word| !answer.sentence.contains(**word))
        {
            wrong.push(format!("{file}: no {word:?} in: {}", answer.sentence));
        }
        let mut said = vec![
            answer.sentence.clone(),
            document["reading"].to_string(),
            document["printed"].to_string(),
        ];
        said.push(document["contradictions"].to_string());
        for word in never
            .iter()
            .filter(|word| said.iter().any(|text| text.contains(**word)))
        {
            wrong.push(format!("{file}: {word:?} is said"));
        }
        for value in *values {
            let (path, want) = value.rsplit_once('=').unwrap();
            let seen = path.split('/').fold(&document, |at, key| match at {
                Value::Array(all) => &all[key.parse::<usize>().unwrap()],
                at => &at[key],
            });
            let seen = seen.to_string();
            if seen != want {
                wrong.push(format!("{file}: {path} is {seen}, not {want}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_file_of_the_folder_is_tested() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/reports");
    for entry in std::fs::read_dir(folder).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        let known =
            PAIRS.iter().any(|(file, ..)| *file == name) || name == "09-prose-read-as-rows.txt";
        assert!(known, "{name} has no pair");
    }
}

/// A paste of tests/data/pastes.txt.
struct Paste {
    name: String,
    code: String,
    words: Vec<String>,
    text: String,
}

fn pastes() -> Vec<Paste> {
    let all = include_str!("data/pastes.txt");
    all.split("\n=== ")
        .skip(1)
        .map(|part| {
            let (head, body) = part.split_once('\n').unwrap();
            let (name, code) = head.split_once(' ').unwrap();
            let (words, text): (Vec<&str>, Vec<&str>) =
                body.lines().partition(|line| line.starts_with("? "));
            Paste {
                name: name.into(),
                code: code.into(),
                words: words.iter().map(|word| word[2..].into()).collect(),
                text: text.join("\n") + "\n",
            }
        })
        .collect()
}

#[test]
fn pastes_of_strangers_say_first_what_is_right() {
    let mut wrong = Vec::new();
    let all = pastes();
    assert!(all.len() > 100, "{}", all.len());
    for paste in &all {
        let read = input::read_bytes(paste.text.as_bytes(), "a paste", None, &Select::default());
        let answer = match read {
            Ok(readings) => explain::explain(readings).answer,
            Err(error) => {
                wrong.push(format!("{}: {error}", paste.name));
                continue;
            }
        };
        if answer.code != paste.code {
            wrong.push(format!(
                "{}: {} in place of {}: {}",
                paste.name, answer.code, paste.code, answer.sentence
            ));
        }
        for word in &paste.words {
            if !answer.sentence.contains(word.as_str()) {
                wrong.push(format!(
                    "{}: no {word:?} in: {}",
                    paste.name, answer.sentence
                ));
            }
        }
        if answer.next.is_empty() {
            wrong.push(format!("{}: no next step", paste.name));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn prose_is_refused() {
    let path = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/tests/data/reports/09-prose-read-as-rows.txt"
    );
    let refused = input::read_path(path.as_ref(), &Select::default());
    assert!(refused.is_err(), "{:?}", refused.map(|r| r.all));
}

/// The answer is short: 25 lines for a plain paste, 3 for a single number.
#[test]
fn the_answer_is_short() {
    for (file, code, ..) in PAIRS {
        let path = format!("{}/tests/data/reports/{file}", env!("CARGO_MANIFEST_DIR"));
        let output = assert_cmd::Command::new(env!("CARGO_BIN_EXE_memtide"))
            .args(["explain", &path])
            .output()
            .unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        let lines: Vec<&str> = text.lines().collect();
        assert!(lines.len() <= 25, "{file}: {} lines", lines.len());
        assert_eq!(lines[0], explained(file).answer.sentence, "{file}");
        assert!(lines[1].starts_with("Next: "), "{file}");
        if *code == "only_working_set" {
            assert_eq!(lines.len(), 3, "{file}");
        }
    }
    for paste in pastes().iter().step_by(4) {
        let output = assert_cmd::Command::new(env!("CARGO_BIN_EXE_memtide"))
            .arg("explain")
            .write_stdin(paste.text.as_str())
            .output()
            .unwrap();
        let lines = output.stdout.iter().filter(|byte| **byte == b'\n').count();
        assert!((2..=25).contains(&lines), "{}: {lines} lines", paste.name);
    }
}
