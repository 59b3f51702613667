//! The sampler on folders with a kernel's files in them: v2, odd files, and cgroups that change.
//! What the files say is all it knows, so any kernel's can be tried anywhere.

use std::path::Path;

use memtide::recording::{GroupKind, MISSING};
use memtide::rows::{CgroupVersion, UNLIMITED};
use memtide::sampler::{GroupSource, Sampler};

fn source(path: &Path, version: CgroupVersion) -> GroupSource {
    GroupSource {
        name: "app".into(),
        kind: GroupKind::Container,
        path: path.into(),
        version,
        limit: None,
        actors: Vec::new(),
        truth: false,
    }
}

fn folder(files: &[(&str, &str)]) -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    for (name, text) in files {
        std::fs::write(dir.path().join(name), text).unwrap();
    }
    dir
}

fn rows(sampler: &Sampler, group: usize) -> Vec<(&str, u64)> {
    let names = sampler.columns(group).iter().map(String::as_str);
    names.zip(sampler.values(group).iter().copied()).collect()
}

const V2_FILES: [(&str, &str); 8] = [
    (
        "memory.stat",
        "anon 10\nfile 20\ninactive_file 15\nworkingset_refault_anon 0\n",
    ),
    ("memory.current", "40\n"),
    ("memory.max", "max\n"),
    ("memory.high", "300\n"),
    ("memory.events", "low 0\noom_kill 1\noom_group_kill 0\n"),
    ("memory.events.local", "low 0\noom_kill 2\n"),
    (
        "memory.pressure",
        "some avg10=0.00 avg60=0.00 avg300=0.00 total=5\nfull avg10=0.00 avg60=0.00 avg300=0.00 total=4\n",
    ),
    ("memory.numa_stat", "not read\n"),
];

#[test]
fn every_row_of_a_v2_cgroup_is_there_under_its_name_and_nothing_else() {
    let dir = folder(&V2_FILES);
    let mut sampler = Sampler::open(vec![source(dir.path(), CgroupVersion::V2)], false).unwrap();
    let reading = sampler.sample(0);
    assert!(!reading.grown && !reading.ended && !reading.inconsistent);
    let want = [
        ("memory.current", 40),
        ("memory.max", UNLIMITED),
        ("memory.high", 300),
        ("memory.pressure:some.total", 5),
        ("memory.pressure:full.total", 4),
        ("anon", 10),
        ("file", 20),
        ("inactive_file", 15),
        ("workingset_refault_anon", 0),
        ("memory.events:low", 0),
        ("memory.events:oom_kill", 1),
        ("memory.events:oom_group_kill", 0),
        ("memory.events.local:low", 0),
        ("memory.events.local:oom_kill", 2),
    ];
    let mut rows = rows(&sampler, 0);
    rows.sort();
    let mut want = want.to_vec();
    want.sort();
    assert_eq!(rows, want);
}

#[test]
fn a_new_row_grows_the_columns_and_a_lost_one_is_missing() {
    let dir = folder(&V2_FILES);
    let mut sampler = Sampler::open(vec![source(dir.path(), CgroupVersion::V2)], false).unwrap();
    let known = sampler.columns(0).to_vec();
    std::fs::write(
        dir.path().join("memory.stat"),
        "file 21\nzswap 7\nanon 11\n",
    )
    .unwrap();
    assert!(sampler.sample(0).grown);
    assert_eq!(sampler.columns(0)[..known.len()], known);
    assert_eq!(sampler.columns(0).last().unwrap(), "zswap");
    let rows = rows(&sampler, 0);
    let value = |name: &str| rows.iter().find(|(n, _)| *n == name).unwrap().1;
    assert_eq!((value("anon"), value("file"), value("zswap")), (11, 21, 7));
    assert_eq!(value("inactive_file"), MISSING);
    assert!(!sampler.sample(0).grown, "it is said once");
}

#[test]
fn inactive_file_above_usage_is_flagged() {
    let dir = folder(&[
        ("memory.stat", "inactive_file 50\n"),
        ("memory.current", "40\n"),
    ]);
    let mut sampler = Sampler::open(vec![source(dir.path(), CgroupVersion::V2)], false).unwrap();
    assert!(sampler.sample(0).inconsistent);
}

#[test]
fn a_file_larger_than_the_buffer_is_read_whole() {
    let long: String = (0..5000).map(|i| format!("row_{i} {i}\n")).collect();
    let dir = folder(&[("memory.stat", &long), ("memory.current", "40\n")]);
    let mut sampler = Sampler::open(vec![source(dir.path(), CgroupVersion::V2)], false).unwrap();
    sampler.sample(0);
    assert_eq!(sampler.columns(0).len(), 5001);
    assert!(rows(&sampler, 0).contains(&("row_4999", 4999)));
}

#[test]
fn a_group_can_appear_and_be_made_anew_with_other_rows() {
    let (first, second) = (folder(&V2_FILES), folder(&V2_FILES[..2]));
    let mut sampler = Sampler::open(vec![source(first.path(), CgroupVersion::V2)], false).unwrap();
    let late = sampler
        .add_group(source(second.path(), CgroupVersion::V2))
        .unwrap();
    assert_eq!((late, sampler.len(), sampler.columns(1).len()), (1, 2, 5));
    assert!(
        !sampler.sample(1).grown,
        "its columns were known when it was added"
    );

    std::fs::write(second.path().join("memory.stat"), "anon 99\nnew 1\n").unwrap();
    sampler.reopen(0, second.path()).unwrap();
    let reading = sampler.sample(0);
    assert!(reading.grown && !reading.ended);
    let rows = rows(&sampler, 0);
    assert!(rows.contains(&("anon", 99)) && rows.contains(&("new", 1)));
    assert!(
        rows.contains(&("memory.high", MISSING)),
        "that file is not there any more"
    );
}

#[test]
fn what_is_no_cgroup_is_refused_with_its_path() {
    let dir = folder(&[("readme", "hello\n")]);
    for path in [dir.path(), Path::new("/nowhere/at/all")] {
        let error = Sampler::open(vec![source(path, CgroupVersion::V1)], false)
            .err()
            .unwrap();
        let text = error.to_string();
        let said = text.contains(path.to_str().unwrap()) && text.contains("v1 memory cgroup");
        assert!(said && text.contains("memory.stat"), "{text}");
    }
}
