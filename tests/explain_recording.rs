//! `explain` of a recording: a step's settled end, a time, another container; and that it, `record` and
//! `watch` begin with the same answer.

mod common;
#[path = "support/header.rs"]
mod header;

use std::path::Path;

use memtide::explain::{self, ExplainError, Explanation, Select, input};
use memtide::recording::{
    Event, EventKind, Group, GroupKind, Header, StepEnd, StepId, StepResult, Writer,
};
use memtide::rows::{CgroupVersion, Rows};

const MIB: u64 = 1 << 20;

fn header() -> Header {
    let columns = [
        "memory.usage_in_bytes",
        "total_rss",
        "total_cache",
        "total_shmem",
        "total_inactive_file",
        "total_active_file",
    ];
    let group = |name: &str, kind| Group {
        image: None,
        name: name.into(),
        kind,
        limit: Some(256 * MIB),
        path: format!("/sys/fs/cgroup/memory/x/{name}"),
        columns: columns.map(String::from).to_vec(),
    };
    let groups = vec![
        group("pod", GroupKind::Pod),
        group("app", GroupKind::Container),
    ];
    Header {
        scenario: "release-free".into(),
        ..header::header(CgroupVersion::V1, groups)
    }
}

/// Two steps: 128 MiB touched by 1 s, released with MADV_FREE by 2 s.
fn recording(folder: &std::path::Path) -> std::path::PathBuf {
    let path = folder.join("release-free.jsonl");
    let mut writer = Writer::create(&path, &header()).unwrap();
    let touched = [129 * MIB, 128 * MIB, 4096, 0, 4096, 0];
    let freed = [129 * MIB, 128 * MIB, 4096, 0, 128 * MIB, 0];
    for (second, values) in [(1, touched), (2, freed)] {
        writer
            .sample(0, second * 1_000_000_000, 5, &values)
            .unwrap();
        writer
            .sample(1, second * 1_000_000_000, 5, &values)
            .unwrap();
    }
    for (second, step) in [(1, "touch"), (2, "free")] {
        let smaps: Rows = [("LazyFree", if second == 2 { 100 * MIB } else { 0 })]
            .into_iter()
            .collect();
        let id = StepId {
            container: "app".into(),
            actor: "app".into(),
            step: step.into(),
            index: second as usize - 1,
        };
        let end = StepEnd {
            id,
            work_done: second * 1_000_000_000,
            result: StepResult::Done,
            target: 1,
            achieved: 1,
            unit: "bytes".into(),
            smaps,
        };
        let event = Event {
            t: second * 1_000_000_000,
            kind: EventKind::StepEnd(end),
        };
        writer.event(&event).unwrap();
    }
    path
}

fn at(
    path: &std::path::Path,
    at: Option<&str>,
    container: Option<&str>,
) -> Result<Explanation, ExplainError> {
    let select = Select {
        at: at.map(String::from),
        container: container.map(String::from),
        pod: None,
    };
    input::read_path(path, &select).map(explain::explain)
}

fn codes(explanation: &Explanation) -> Vec<&'static str> {
    explanation.findings.iter().map(|f| f.code).collect()
}

#[test]
fn steps_times_and_containers() {
    let folder = tempfile::tempdir().unwrap();
    let path = recording(folder.path());
    let last = at(&path, None, None).unwrap();
    assert!(codes(&last).contains(&"lazy_free"));
    assert_eq!(last.reading.container.as_deref(), Some("app"));
    assert_eq!(last.limit, Some(256 * MIB));
    for place in ["touch", "app.touch", "1s", "1500ms"] {
        let early = at(&path, Some(place), None).unwrap();
        assert!(!codes(&early).contains(&"lazy_free"), "{place}");
        assert!(codes(&early).contains(&"anon_heap"), "{place}");
    }
    let pod = at(&path, Some("free"), Some("pod")).unwrap();
    assert_eq!(pod.reading.container, None);
    // What memory.stat cannot tell, smaps_rollup at the step's end does.
    let free = at(&path, Some("free"), None).unwrap();
    let lazy = free
        .findings
        .iter()
        .find(|f| f.code == "lazy_free")
        .unwrap();
    assert!(lazy.sentence.contains("100.0 MiB"), "{}", lazy.sentence);
    // The header's machine is in the kubelet's formula.
    let available = free
        .formulas
        .iter()
        .find(|f| f.formula.name == "kubelet_memory_available")
        .unwrap();
    assert_eq!(available.value, Some((8i64 << 30) - MIB as i64));
}

#[test]
fn what_is_not_in_it_is_said() {
    let folder = tempfile::tempdir().unwrap();
    let path = recording(folder.path());
    let error = at(&path, Some("grow"), None).err().unwrap().to_string();
    assert!(
        error.contains("grow") && error.contains("touch, free"),
        "{error}"
    );
    let error = at(&path, None, Some("db")).err().unwrap().to_string();
    assert!(
        error.contains("db") && error.contains("pod, app"),
        "{error}"
    );
    assert!(
        at(&path, Some("1ms"), None).is_err(),
        "before the first sample"
    );
}

#[test]
fn a_cut_recording_is_told_to_be_cut() {
    let folder = tempfile::tempdir().unwrap();
    let path = recording(folder.path());
    let explanation = at(&path, None, None).unwrap();
    assert!(
        explanation
            .reading
            .notes
            .iter()
            .any(|note| note.contains("cut"))
    );
}

/// The answer and the next step among the lines of what was printed.
fn answered(text: &str) -> (&str, &str) {
    let at = text
        .lines()
        .position(|line| line.contains(" held at most "));
    let at = at.unwrap_or_else(|| panic!("no answer in {text}"));
    let next = text.lines().nth(at + 1).unwrap_or("");
    (text.lines().nth(at).unwrap_or(""), next)
}

/// What at its peak, how much the kernel could have taken, what a dashboard showed, whether it was short.
#[test]
fn a_recording_is_explained_by_its_peak() {
    let folder = tempfile::tempdir().unwrap();
    let path = recording(folder.path());
    let output = common::memtide()
        .arg("explain")
        .arg(&path)
        .output()
        .unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let (answer, next) = answered(&text);
    assert_eq!(text.lines().next(), Some(answer), "it comes first");
    for told in [
        "app held at most 129.0 MiB of 256.0 MiB",
        "128.0 MiB heap",
        "the kernel could have taken 4.0 KiB",
        "a dashboard would have shown 129.0 MiB (working_set)",
        "the limit was never short: 127.0 MiB more than was held",
    ] {
        assert!(answer.contains(told), "{told:?} in {answer}");
    }
    assert!(next.starts_with("Next: "), "{next}");
    assert_eq!(at(&path, None, None).unwrap().answer.code, "recording");
    // The table is of the end, and says how the peak is seen.
    let shown = text
        .split("--at ")
        .nth(1)
        .and_then(|rest| rest.split(' ').next());
    let shown = shown.unwrap_or_else(|| panic!("no way to the peak in {text}"));
    let peak = at(&path, Some(shown), None).unwrap();
    assert_eq!(peak.parts.total, 129 * MIB, "{shown}");
    // A place in it is about that place.
    let step = at(&path, Some("free"), None).unwrap();
    assert_ne!(step.answer.code, "recording");
}

/// What `record` prints of a shell's command, which it records into `file`.
fn recorded(file: &Path, limit: &str, interval: &str, command: &str) -> String {
    let output = common::memtide()
        .args(["record", "--limit", limit, "--interval", interval, "--out"])
        .arg(file)
        .args(["--", "sh", "-c", command])
        .output()
        .unwrap();
    String::from_utf8(output.stderr).unwrap()
}

/// What came and went between two samples is not called "next to nothing": the kernel has seen it.
#[test]
fn a_peak_that_no_sample_saw_is_told() {
    if !common::can_manage("a peak between two samples") {
        return;
    }
    let dir = tempfile::tempdir_in("/var/tmp").unwrap();
    let heap = "head -c 100M /dev/zero | tail -c 60M | wc -c; exit 0";
    let file = dir.path().join("r.jsonl");
    let said = recorded(&file, "32MiB", "60s", heap);
    // One, or two where another of the pipe asks for memory before the first is gone.
    let footer = memtide::recording::read_path(&file).unwrap().footer;
    let counters = footer.expect("a whole run").counters;
    let rows = counters.iter().flat_map(|(_, rows)| rows.iter());
    let kills = rows.filter(|(row, _)| row.ends_with(":oom_kill"));
    let kills = kills.map(|(_, kills)| kills).max().unwrap_or(0);
    assert!(kills >= 1, "{said}");
    let answer = said.lines().find(|line| line.starts_with("app "));
    let answer = answer.unwrap_or_else(|| panic!("no answer in {said}"));
    for told in [
        "app used up to 32.0 MiB of 32.0 MiB between two samples".to_string(),
        format!("the limit was short: the OOM killer took {kills}."),
    ] {
        assert!(answer.contains(&told), "{told:?} in {answer}");
    }
    assert!(
        said.contains("shorter --interval (it was 60.00 s)"),
        "{said}"
    );
}

/// Each way to end has a next step of its own, which this machine's kernel can take.
#[test]
fn the_next_step_is_that_of_the_end() {
    if !common::can_manage("record's next step") {
        return;
    }
    let dir = tempfile::tempdir_in("/var/tmp").unwrap();
    // Each MiB is on the disk before the next is written: what can be dropped is dropped.
    let write = "dd if=/dev/zero bs=1M count=48 oflag=dsync of=";
    let write = format!("{write}{}", dir.path().join("written").display());
    let pressure = match memtide::cgroup::Hierarchy::discover().unwrap().version {
        memtide::rows::CgroupVersion::V1 => "memtide need -- COMMAND tells",
        memtide::rows::CgroupVersion::V2 => "memory.pressure tells",
    };
    for (command, answer, next) in [
        (
            "kill -9 $$",
            "somebody killed it, and not for memory",
            "look for who sends SIGKILL",
        ),
        (
            "true",
            "the limit was never short",
            "a limit can be as low as",
        ),
        // What it held before is no measure of its need.
        ("exit 3", "the limit was never short", "see why it failed"),
        (
            "kill -SEGV $$",
            "the limit was never short",
            "see why it failed",
        ),
        (
            write.as_str(),
            "the kernel took pages back each time",
            pressure,
        ),
    ] {
        let said = recorded(&dir.path().join("r.jsonl"), "16MiB", "10ms", command);
        assert!(
            said.contains(answer) && said.contains(next),
            "{command}: {said}"
        );
    }
}

#[test]
fn record_and_its_recording_begin_with_the_same_answer() {
    if !common::can_manage("record's answer") {
        return;
    }
    let dir = tempfile::tempdir_in("/var/tmp").unwrap();
    let file = dir.path().join("r.jsonl");
    let told = recorded(&file, "64MiB", "10ms", "sleep 0.3");
    let (answer, next) = answered(&told);
    assert!(answer.contains(" of 64.0 MiB"), "{answer}");
    assert!(answer.contains("the limit was never short"), "{answer}");
    assert!(next.starts_with("Next: "), "{told}");
    let table = told.find("peak usage").expect("the table is there");
    assert!(told.find(answer).is_some_and(|at| at < table), "{told}");
    let explained = common::memtide()
        .arg("explain")
        .arg(&file)
        .output()
        .unwrap();
    let text = String::from_utf8(explained.stdout).unwrap();
    assert_eq!(text.lines().next(), Some(answer));
}

#[test]
fn watch_ends_with_the_answer() {
    let Ok(hierarchy) = memtide::cgroup::Hierarchy::discover() else {
        return common::skip("watch's answer", "no memory cgroup can be found");
    };
    if !hierarchy.own.join("memory.stat").exists() {
        return common::skip("watch's answer", "the own cgroup has no memory.stat");
    }
    let own = std::process::id().to_string();
    let output = common::memtide()
        .args(["watch", &own, "--interval", "20ms", "--duration", "200ms"])
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let (answer, next) = answered(&text);
    assert!(answer.contains("the kernel could have taken"), "{answer}");
    assert!(next.starts_with("Next: "), "{text}");
    let table = text.find("peak rss").expect("the table is there");
    assert!(text.find(answer).is_some_and(|at| at < table), "{text}");
}
