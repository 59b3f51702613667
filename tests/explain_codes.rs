//! Each code of a reading has an input where it must appear and one where it must not.

use memtide::explain::{self, Select, findings, input};

/// A fixture's name with the number of the reading, or text.
enum From {
    Fixture(&'static str, Option<&'static str>),
    Text(&'static str),
}
use From::{Fixture, Text};

const OOM: &str = "app invoked oom-killer: gfp_mask=0xcc0\nmemory: usage 131072kB, limit 131072kB, failcnt 66\n\
    Memory cgroup stats for /docker/abc:\nanon 130023424\nfile 4096\nkernel 1298432\nsock 0\nshmem 0\n\
    inactive_anon 130023424\nactive_anon 0\ninactive_file 4096\nactive_file 0\nslab_reclaimable 8192\n\
    Memory cgroup out of memory: Killed process 9 (app) total-vm:1kB, anon-rss:126976kB, UID:0\n";
const SOCKETS: &str = "memory.current 209715200\nmemory.max 1073741824\nanon 10485760\nfile 0\nkernel 1048576\nsock 188743680\nshmem 0\n";
const SWAPPED: &str =
    "memory.current 104857600\nmemory.swap.current 524288000\nanon 94371840\nfile 4096\n";
const WRAPPED_COUNTER: &str = "memory.current 104857600\nanon 18446744073709547520\nfile 4096\n";

const AT_LIMIT: &str = "memory.usage_in_bytes 268435456\nmemory.limit_in_bytes 268435456\ntotal_cache 267386880\n\
    total_rss 106496\ntotal_shmem 0\ntotal_inactive_file 4096\ntotal_active_file 267382784\n";

/// (code, where it must appear, where it must not).
const TABLE: &[(&str, From, From)] = &[
    (
        "inconsistent",
        Fixture("crio-4068-wrong-cgroup-clamp.txt", None),
        Fixture("podman-19905.txt", None),
    ),
    (
        "inconsistent",
        Fixture("kubernetes-114332-node-negative-available.txt", None),
        Fixture("lerd-1378-all-active.txt", None),
    ),
    (
        "inconsistent",
        Fixture("oracle-linux-218-counter-leak.txt", None),
        Fixture("kubernetes-118916-node-meminfo.txt", None),
    ),
    ("inconsistent", Text(WRAPPED_COUNTER), Text(SWAPPED)),
    (
        "clamped_to_zero",
        Fixture("crio-4068-wrong-cgroup-clamp.txt", None),
        Fixture("measured-v1-madv-free-reuse-oom.txt", None),
    ),
    (
        "usage_missing",
        Fixture("ray-35989.txt", None),
        Fixture("podman-19905.txt", None),
    ),
    (
        "local_rows_only",
        Fixture("podman-19905.txt", None),
        Fixture("measured-v1-tmpfs.txt", None),
    ),
    ("oom_killed", Text(OOM), Fixture("podman-19905.txt", None)),
    (
        "oom_near",
        Text(OOM),
        Fixture("real-kubelet-metrics-cadvisor.txt", None),
    ),
    (
        "oom_near",
        Fixture("kubernetes-43916-30s-before-oom.txt", None),
        Fixture("measured-v1-log-at-64MiB-limit.txt", Some("2")),
    ),
    ("near_limit", Text(AT_LIMIT), Text(OOM)),
    (
        "near_limit",
        Text("memory.current 520000000\nmemory.max 524288000\n"),
        Text(SOCKETS),
    ),
    (
        "limit_hit",
        Text("memory.current 5000000\nmemory.peak 524288000\nmemory.max 524288000\n"),
        Text(SOCKETS),
    ),
    (
        "memory_high_stall",
        Fixture("containarium-1454-memory-high-livelock.txt", None),
        Text(SOCKETS),
    ),
    (
        "limit_hit",
        Fixture("measured-v1-log-at-64MiB-limit.txt", Some("2")),
        Fixture("measured-v1-log-at-64MiB-limit.txt", Some("1")),
    ),
    (
        "near_empty",
        Fixture("measured-v1-tmpfs.txt", Some("1")),
        Fixture("measured-v1-tmpfs.txt", Some("2")),
    ),
    (
        "anon_heap",
        Fixture("measured-v1-madv-free.txt", Some("2")),
        Fixture("measured-v1-madv-free.txt", Some("3")),
    ),
    (
        "lazy_free",
        Fixture("measured-v1-madv-free.txt", Some("3")),
        Fixture("measured-v1-madv-free.txt", Some("5")),
    ),
    (
        "thp_hidden",
        Fixture("cadvisor-3587-thp-before.txt", None),
        Fixture("measured-v1-thp-partial-dontneed.txt", Some("2")),
    ),
    (
        "page_cache_inactive",
        Fixture("measured-v1-log-write-read.txt", Some("4")),
        Fixture("measured-v1-log-write-read.txt", Some("5")),
    ),
    (
        "page_cache_active",
        Fixture("measured-v1-log-write-read.txt", Some("5")),
        Fixture("measured-v1-log-write-read.txt", Some("4")),
    ),
    (
        "dirty_cache",
        Fixture("measured-v1-log-write-read.txt", Some("2")),
        Fixture("measured-v1-log-write-read.txt", Some("3")),
    ),
    (
        "tmpfs",
        Fixture("measured-v1-tmpfs.txt", Some("2")),
        Fixture("measured-v1-tmpfs.txt", Some("4")),
    ),
    (
        "tmpfs",
        Fixture("ray-35989.txt", None),
        Fixture("lerd-1378-all-active.txt", None),
    ),
    (
        "slab",
        Fixture("cadvisor-3081-slab.txt", None),
        Text(SOCKETS),
    ),
    ("socket_buffers", Text(SOCKETS), Text(SWAPPED)),
    (
        "kernel_memory",
        Fixture("measured-v1-negative-dentries.txt", Some("2")),
        Fixture("measured-v1-negative-dentries.txt", Some("1")),
    ),
    (
        "unknown_kernel_memory",
        Fixture("kubernetes-43916-30s-before-oom.txt", None),
        Fixture("measured-v1-tmpfs.txt", Some("2")),
    ),
    (
        "unknown_kernel_memory",
        Fixture("measured-v1-negative-dentries.txt", Some("2")),
        Fixture("lerd-1378-all-active.txt", None),
    ),
    ("swapped", Text(SWAPPED), Text(SOCKETS)),
    (
        "working_set_blind",
        Fixture("measured-v1-madv-free-reuse-oom.txt", None),
        Fixture("podman-19905.txt", None),
    ),
    (
        "no_limit",
        Fixture("podman-19905.txt", None),
        Fixture("measured-v1-madv-free-reuse-oom.txt", None),
    ),
    (
        "node_formulas",
        Fixture("kubernetes-118916-node-meminfo.txt", None),
        Fixture("podman-19905.txt", None),
    ),
    (
        "cgroup_count",
        Fixture("moby-30909-proc-cgroups.txt", None),
        Fixture("podman-19905.txt", None),
    ),
    (
        "swap_limit_hit",
        Text(
            "memory: usage 32461120kB, limit 33554432kB, failcnt 0\nmemory+swap: usage 35651584kB, limit 35651584kB, failcnt 24892068\nkmem: usage 0kB, limit 9007199254740988kB, failcnt 0\n",
        ),
        Text(
            "memory: usage 524288kB, limit 524288kB, failcnt 9\nmemory+swap: usage 524288kB, limit 524288kB, failcnt 0\nkmem: usage 0kB, limit 9007199254740988kB, failcnt 0\n",
        ),
    ),
    (
        "printed_only",
        Text("NAME CPU(cores) MEMORY(bytes)\nweb-1 3m 245Mi\n"),
        Fixture("podman-19905.txt", None),
    ),
    (
        "printed_only",
        Text("total used free shared buff/cache available\nMem: 15886 4512 873 342 10500 10700\n"),
        Fixture("kubernetes-118916-node-meminfo.txt", None),
    ),
    (
        "pressure",
        Text(
            "some avg10=12.31 avg60=8.02 avg300=3.11 total=99\nfull avg10=0.00 avg60=0.00 avg300=0.00 total=9\n",
        ),
        Text("some avg10=0.00 avg60=0.00 avg300=0.31 total=99\n"),
    ),
    (
        "process_memory",
        Text("VmRSS:\t  521140 kB\nRssAnon:\t  500000 kB\n"),
        Text(SWAPPED),
    ),
    (
        "process_memory",
        Text("Rss: 521140 kB\nAnonymous: 500000 kB\nLazyFree: 1024 kB\n"),
        Fixture("kubernetes-118916-node-meminfo.txt", None),
    ),
    (
        "leak_unknown",
        Fixture("podman-19905.txt", None),
        Fixture("moby-30909-proc-cgroups.txt", None),
    ),
];

fn codes(from: &From) -> Vec<&'static str> {
    let readings = match from {
        Text(text) => input::read_bytes(text.as_bytes(), "text", None, &Select::default()),
        Fixture(name, at) => {
            let select = Select {
                at: at.map(str::to_string),
                ..Select::default()
            };
            let path = format!("{}/tests/fixtures/{name}", env!("CARGO_MANIFEST_DIR"));
            input::read_path(path.as_ref(), &select)
        }
    };
    let explanation = explain::explain(readings.unwrap());
    explanation.findings.iter().map(|f| f.code).collect()
}

#[test]
fn every_code_where_it_must_and_not_where_it_must_not() {
    let mut wrong = Vec::new();
    for (index, (code, present, absent)) in TABLE.iter().enumerate() {
        let (with, without) = (codes(present), codes(absent));
        if !with.contains(code) {
            wrong.push(format!("row {index}: {code} is missing among {with:?}"));
        }
        if without.contains(code) {
            wrong.push(format!(
                "row {index}: {code} should not be among {without:?}"
            ));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn the_table_covers_every_code() {
    for (code, _) in findings::RULES {
        assert!(
            TABLE.iter().any(|(known, _, _)| known == code),
            "{code} has no row"
        );
    }
}

/// Codes that would contradict each other never come together.
#[test]
fn a_cache_is_no_near_oom_and_nonsense_is_nothing_else() {
    let seen = codes(&Text(AT_LIMIT));
    assert!(
        seen.contains(&"page_cache_active") && !seen.contains(&"oom_near"),
        "{seen:?}"
    );
    let nonsense = codes(&Text(
        "memory.usage_in_bytes 4096\ntotal_inactive_file 268435456\ntotal_cache 5\ntotal_rss 6\n",
    ));
    assert!(
        nonsense.contains(&"inconsistent") && !nonsense.contains(&"page_cache_inactive"),
        "{nonsense:?}"
    );
}
