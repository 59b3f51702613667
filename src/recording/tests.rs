//! What a recording promises: it comes back as it was written, whatever happened to its end.

use std::io::Write;
use std::sync::{Arc, Mutex};

use proptest::prelude::*;

use super::*;
use crate::rows::UNLIMITED;

fn host() -> HostFacts {
    HostFacts {
        cgroup: CgroupVersion::V1,
        filesystem: None,
        ..crate::host::testing::host()
    }
}

fn group(name: &str, kind: GroupKind, columns: &[&str]) -> Group {
    Group {
        image: None,
        name: name.into(),
        kind,
        limit: (kind == GroupKind::Container).then_some(256 << 20),
        path: format!("/sys/fs/cgroup/memory/{name}"),
        columns: columns.iter().map(|c| String::from(*c)).collect(),
    }
}

fn small_header() -> Header {
    let groups = vec![
        group(
            "pod",
            GroupKind::Pod,
            &["total_cache", "memory.usage_in_bytes"],
        ),
        group(
            "app",
            GroupKind::Container,
            &["total_cache", "memory.limit_in_bytes"],
        ),
    ];
    Header {
        scenario_text: "title = \"a \\\"log\\\"\"\n# ü\n".into(),
        scenario_hash: "00f1e2d3".into(),
        seed: u64::MAX,
        rng: "xoshiro256++".into(),
        interval_ns: 50_000_000,
        time_scale: 60.0,
        started: "2026-11-25T08:00:00Z".into(),
        ..testing::header(host(), "log-write", groups)
    }
}

fn step() -> StepId {
    StepId {
        container: "app".into(),
        actor: "log".into(),
        step: "write".into(),
        index: 0,
    }
}

fn small_events() -> Vec<Event> {
    let text = |s: &str| String::from(s);
    let kinds = [
        EventKind::StepStart(step()),
        EventKind::Kernel {
            group: text("app"),
            what: text("memory.failcnt"),
            value: 7,
        },
        EventKind::StepEnd(StepEnd {
            id: step(),
            work_done: 15,
            result: StepResult::Skipped("no MADV_FREE".into()),
            target: 100,
            achieved: 0,
            unit: "bytes".into(),
            smaps: [("Rss", 4096), ("LazyFree", 0)].into_iter().collect(),
        }),
        EventKind::ActorExit {
            container: text("app"),
            actor: text("log"),
            code: None,
            signal: Some(9),
            oom_killed: true,
        },
        EventKind::Restart {
            container: text("app"),
            reason: text("80 %"),
        },
        EventKind::GroupEnd {
            group: 1,
            name: text("app"),
            reason: text("its cgroup was removed"),
        },
        EventKind::Warning {
            code: text("swap_on"),
            text: text("turn it off\n"),
        },
        EventKind::Other(serde_json::json!({"type": "moon_phase", "t_ns": 80, "full": [1, null]})),
        EventKind::Mark {
            text: text("load doubled"),
        },
    ];
    kinds
        .into_iter()
        .zip(1..)
        .map(|(kind, i)| Event { t: i * 10, kind })
        .collect()
}

fn small_footer() -> Footer {
    Footer {
        t: 99,
        outcome: Outcome::OomKilled,
        reason: "the kernel ended app/log".into(),
        containers: vec![super::ContainerOutcome {
            container: "app".into(),
            outcome: Outcome::OomKilled,
            reason: "the kernel ended app/log".into(),
        }],
        counters: vec![("app".into(), [("memory.failcnt", 7)].into_iter().collect())],
        harness: HarnessCost {
            samples: 3,
            lateness_max: 5,
            ..HarnessCost::default()
        },
    }
}

/// Collects what is written, and how many writes it took.
#[derive(Clone, Default)]
struct Shared(Arc<Mutex<(Vec<u8>, usize)>>);

impl Write for Shared {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        let mut inner = self.0.lock().unwrap();
        inner.0.extend_from_slice(bytes);
        inner.1 += 1;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl Shared {
    fn text(&self) -> Vec<u8> {
        self.0.lock().unwrap().0.clone()
    }
}

/// A recording with everything in it.
fn small() -> Vec<u8> {
    let out = Shared::default();
    let mut writer = Writer::to("test", Box::new(out.clone()), &small_header()).unwrap();
    writer.sample(0, 0, 9, &[1, 2]).unwrap();
    writer.sample(1, 1, 9, &[MISSING, UNLIMITED]).unwrap();
    for event in small_events() {
        writer.event(&event).unwrap();
    }
    let columns = ["total_cache", "new_row", "memory.limit_in_bytes"].map(String::from);
    writer.columns(1, &columns).unwrap();
    writer.sample(1, 70, 8, &[3, 4, 5]).unwrap();
    let late = group("late", GroupKind::Container, &["x"]);
    assert_eq!(writer.add_group(80, &late).unwrap(), 2);
    writer.sample(2, 81, 7, &[6]).unwrap();
    writer.finish(&small_footer()).unwrap();
    out.text()
}

fn gzip(text: &[u8]) -> Vec<u8> {
    compressed(text).unwrap()
}

#[test]
fn everything_comes_back() {
    let text = small();
    for bytes in [text.clone(), gzip(&text)] {
        let r = read_bytes(&bytes).unwrap();
        assert!(r.complete);
        assert_eq!(r.events, small_events());
        assert_eq!(r.footer, Some(small_footer()));
        assert_eq!(r.header.host, host());
        assert_eq!(r.header.seed, u64::MAX);
        assert_eq!(r.header.scenario_text, small_header().scenario_text);
        assert_eq!(r.header.groups.len(), 3);
        let app = &r.tables[1];
        assert_eq!(
            app.columns,
            ["total_cache", "memory.limit_in_bytes", "new_row"]
        );
        assert_eq!(r.header.groups[1].columns, app.columns);
        assert_eq!(app.values, [MISSING, UNLIMITED, MISSING, 3, 5, 4]);
        assert_eq!(
            (app.t.as_slice(), app.cost.as_slice()),
            (&[1, 70][..], &[9, 8][..])
        );
        assert_eq!(r.tables[2].values, [6]);
    }
}

/// Whole lines that are gone from the middle, one or several, are counted; those of the end are a cut.
#[test]
fn missing_lines_are_told_by_the_footer() {
    let text = String::from_utf8(small()).unwrap();
    let lines: Vec<&str> = text.lines().collect();
    for first in 1..lines.len() - 1 {
        for many in 1..lines.len() - first {
            let mut left = lines.clone();
            left.drain(first..first + many);
            let read = read_bytes((left.join("\n") + "\n").as_bytes());
            assert!(read.is_err(), "{many} from {first} on");
        }
        let cut = read_bytes((lines[..first].join("\n") + "\n").as_bytes()).unwrap();
        assert!(!cut.complete);
    }
    let samples = lines.iter().position(|line| line.starts_with('[')).unwrap();
    let mut left = lines.clone();
    left.remove(samples);
    let error = read_bytes((left.join("\n") + "\n").as_bytes()).unwrap_err();
    let whole = lines.len() - 1;
    assert!(
        error
            .to_string()
            .contains(&format!("1 of its {} lines", whole + 1)),
        "{error}"
    );
    // Recordings of before footers counted, and those of others, say nothing of it.
    let footer = lines[whole].replacen(&format!("\"lines\":{whole},"), "", 1);
    assert_ne!(footer, lines[whole]);
    *left.last_mut().unwrap() = &footer;
    assert!(
        read_bytes((left.join("\n") + "\n").as_bytes())
            .unwrap()
            .complete
    );
}

#[test]
fn a_line_is_one_write() {
    let out = Shared::default();
    let mut writer = Writer::to("test", Box::new(out.clone()), &small_header()).unwrap();
    writer.sample(0, 0, 9, &[1, 2]).unwrap();
    assert_eq!(out.0.lock().unwrap().1, 2);
}

#[test]
fn every_output_gets_every_line_and_a_full_one_is_named() {
    let (file, out) = (
        std::fs::OpenOptions::new().write(true).open("/dev/full"),
        Shared::default(),
    );
    let full: Sink = Box::new(file.unwrap());
    let outputs = vec![
        ("/dev/full".into(), full),
        ("copy".into(), Box::new(out.clone()) as Sink),
    ];
    let error = Writer::tee(outputs, &small_header())
        .err()
        .unwrap()
        .to_string();
    assert!(
        error.contains("/dev/full") && error.contains("space"),
        "{error}"
    );
    assert!(out.text().ends_with(b"\n"), "the other output has the line");
}

#[test]
fn a_sample_of_another_width_is_refused_and_not_written() {
    let out = Shared::default();
    let mut writer = Writer::to("test", Box::new(out.clone()), &small_header()).unwrap();
    let before = out.text();
    assert!(matches!(
        writer.sample(0, 0, 0, &[1]),
        Err(WriteError::Shape { columns: 2, .. })
    ));
    assert!(matches!(
        writer.sample(5, 0, 0, &[]),
        Err(WriteError::Shape { group: 5, .. })
    ));
    assert!(writer.columns(5, &[]).is_err());
    assert_eq!(out.text(), before);
}

#[test]
fn a_file_cut_at_any_byte_keeps_all_that_was_before() {
    let text = small();
    let header_end = text.iter().position(|c| *c == b'\n').unwrap();
    let is_sample = |line: &&[u8]| line.first() == Some(&b'[') && line.last() == Some(&b']');
    for cut in 0..text.len() {
        let result = read_bytes(&text[..cut]);
        if cut < header_end {
            let error = result.unwrap_err().to_string();
            assert!(error.contains("not a memtide recording"), "{cut}: {error}");
            continue;
        }
        let r = result.unwrap_or_else(|e| panic!("cut at {cut}: {e}"));
        let want = text[..cut].split(|c| *c == b'\n').filter(is_sample).count();
        assert_eq!(
            r.tables.iter().map(Table::len).sum::<usize>(),
            want,
            "cut at {cut}"
        );
        // Only the newline after the footer may be missing.
        assert_eq!(r.complete, cut == text.len() - 1, "cut at {cut}");
    }
}

#[test]
fn a_gzip_file_cut_at_any_byte_keeps_what_decodes() {
    let packed = gzip(&small());
    let mut last = 0;
    let mut readable = 0;
    for cut in 0..packed.len() {
        match read_bytes(&packed[..cut]) {
            Ok(r) => {
                let samples = r.tables.iter().map(Table::len).sum::<usize>();
                assert!(!r.complete, "cut at {cut}");
                assert!(samples >= last, "cut at {cut}: {samples} after {last}");
                (last, readable) = (samples, readable + 1);
            }
            Err(e) => assert!(
                e.to_string().contains("not a memtide recording"),
                "{cut}: {e}"
            ),
        }
    }
    assert!(
        last == 4 && readable > 20,
        "{last} samples, {readable} cuts readable"
    );
}

#[test]
fn damage_in_the_middle_is_an_error_with_its_line() {
    let text = String::from_utf8(small()).unwrap();
    for (from, to, place, what) in [
        ("[1,70,8,3,4,5]", "[1,70,8,3,x,5]", "14:11", "`x`"),
        ("[1,70,8,3,4,5]", "[1,70,8,3,4]", "14:13", "2 values"),
        (
            "[1,70,8,3,4,5]",
            "[1,70,8,3,4,5,6]",
            "14:15",
            "more than the 3",
        ),
        ("[1,70,8,3,4,5]", "[9,70,8,3,4,5]", "14:2", "group 9 of 2"),
        ("[1,70,8,3,4,5]", "[1,0,8,3,4,5]", "14:2", "after a sample"),
        (
            "\"type\":\"restart\"",
            "\"type\":\"restart",
            ":8:",
            "expected",
        ),
        (
            "\"type\":\"restart\"",
            "\"kind\":\"restart\"",
            ":8:1",
            "type",
        ),
        (
            "\"work_done_ns\":15",
            "\"work_done_ns\":\"x\"",
            ":6:",
            "invalid type",
        ),
    ] {
        let bad = text.replacen(from, to, 1);
        assert_ne!(bad, text);
        let error = read_named(bad.as_bytes(), "a.jsonl")
            .unwrap_err()
            .to_string();
        let found = error.starts_with("a.jsonl:") && error.contains(place) && error.contains(what);
        assert!(found, "{to}: {error}");
        // The same line as the last one is a cut file, not damage.
        let end = bad.find(to).unwrap() + bad[bad.find(to).unwrap()..].find('\n').unwrap();
        assert!(
            !read_bytes(&bad.as_bytes()[..=end]).unwrap().complete,
            "{to}"
        );
    }
}

#[test]
fn minor_versions_are_read_and_newer_majors_refused() {
    let text = String::from_utf8(small()).unwrap();
    let with = |format: &str| {
        let text = text.replacen("memtide.recording/1", format, 1);
        let text = text.replacen("\"seed\":", "\"future\":{\"a\":[1]},\"seed\":", 1);
        read_named(text.as_bytes(), "a.jsonl")
            .map(|r| r.complete)
            .map_err(|e| e.to_string())
    };
    assert_eq!(with("memtide.recording/1.7"), Ok(true));
    let error = with("memtide.recording/2").unwrap_err();
    assert!(error.contains("recording/2\", newer"), "{error}");
    assert!(
        with("memtide.recording/x")
            .unwrap_err()
            .contains("not a memtide")
    );
    assert!(
        with("memtide.result/1")
            .unwrap_err()
            .contains("memtide.result/1")
    );
}

#[test]
fn what_is_no_recording_is_said_to_be_none() {
    for bytes in [
        &b""[..],
        b"\n",
        b"hello\n",
        b"{}\n",
        b"[1,2]\n",
        b"\x1f\x8b\x08garbage",
        b"\0\xff",
    ] {
        let error = read_named(bytes, "f").unwrap_err().to_string();
        assert!(error.starts_with("f is not a memtide recording"), "{error}");
    }
}

#[test]
fn packing_is_all_or_nothing_and_the_same_each_time() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a.jsonl");
    std::fs::write(&path, small()).unwrap();
    let packed = pack(&path, Original::Keep).unwrap();
    assert_eq!((packed.samples, packed.complete), (4, true));
    let first = std::fs::read(&packed.path).unwrap();
    assert!(read_path(&packed.path).unwrap().complete && path.exists());
    assert!(matches!(
        pack(&path, Original::Keep),
        Err(PackError::Exists(_))
    ));
    assert!(matches!(
        pack(&packed.path, Original::Keep),
        Err(PackError::Already(_))
    ));
    std::fs::remove_file(&packed.path).unwrap();
    pack(&path, Original::Remove).unwrap();
    assert_eq!(std::fs::read(&packed.path).unwrap(), first);
    assert!(!path.exists());

    let other = dir.path().join("b.jsonl");
    std::fs::write(&other, "no recording\n").unwrap();
    assert!(matches!(
        pack(&other, Original::Remove),
        Err(PackError::Read(_))
    ));
    let mut left: Vec<_> = dir
        .path()
        .read_dir()
        .unwrap()
        .map(|e| e.unwrap().file_name())
        .collect();
    left.sort();
    assert_eq!(left, ["a.jsonl.gz", "b.jsonl"], "no temporary file is left");
}

#[test]
fn the_schema_in_the_repository_is_current() {
    let path = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/docs/schema/recording.schema.json"
    );
    if std::env::var_os("MEMTIDE_UPDATE").is_some() {
        std::fs::write(path, schema()).unwrap();
    }
    let kept = std::fs::read_to_string(path).unwrap_or_default();
    assert!(
        kept == schema(),
        "write it anew: MEMTIDE_UPDATE=1 cargo test schema_in_the_repository"
    );
}

fn any_value() -> impl Strategy<Value = u64> {
    prop_oneof![
        Just(MISSING),
        Just(UNLIMITED),
        Just(0),
        any::<u32>().prop_map(u64::from),
        any::<u64>()
    ]
}

proptest! {
    #[test]
    fn samples_round_trip(
        widths in prop::collection::vec(0usize..6, 1..4),
        picks in prop::collection::vec((any::<prop::sample::Index>(), 0u64..1000, any::<u64>()), 0..30),
        values in prop::collection::vec(any_value(), 200),
        names in prop::collection::vec(".{1,8}", 3),
    ) {
        let mut header = small_header();
        header.groups = widths.iter().enumerate().map(|(g, width)| {
            let mut made = group(&names[g % 3], GroupKind::Container, &[]);
            made.columns = (0..*width).map(|c| format!("{c}{}", names[c % 3])).collect();
            made
        }).collect();
        let out = Shared::default();
        let mut writer = Writer::to("test", Box::new(out.clone()), &header).unwrap();
        let mut want: Vec<Table> = header.groups.iter()
            .map(|g| Table { columns: g.columns.clone(), ..Table::default() })
            .collect();
        let (mut t, mut from) = (0, values.iter().copied().cycle());
        for (pick, step, cost) in picks {
            let g = pick.index(widths.len());
            let row: Vec<u64> = from.by_ref().take(widths[g]).collect();
            t += step;
            writer.sample(g, t, cost, &row).unwrap();
            want[g].t.push(t);
            want[g].cost.push(cost);
            want[g].values.extend(row);
        }
        let text = out.text();
        let back = read_bytes(&text).unwrap();
        prop_assert!(!back.complete);
        prop_assert_eq!(&back.header.groups, &header.groups);
        for (table, want) in back.tables.iter().zip(&want) {
            prop_assert_eq!(&table.values, &want.values);
            prop_assert_eq!((&table.t, &table.cost), (&want.t, &want.cost));
        }
    }

    #[test]
    fn damage_anywhere_never_panics(
        place in any::<prop::sample::Index>(),
        junk in prop::collection::vec(any::<u8>(), 0..12),
        packed: bool,
    ) {
        let mut bytes = if packed { gzip(&small()) } else { small() };
        let at = place.index(bytes.len());
        let end = (at + junk.len()).min(bytes.len());
        bytes.splice(at..end, junk);
        let _ = read_bytes(&bytes);
    }

    #[test]
    fn garbage_never_panics(bytes: Vec<u8>, lines in "(\\[[0-9,]{0,9}\\]?\n|\\{\"type\":\"[a-z]{0,4}\"\\}\n){0,5}") {
        let _ = read_bytes(&bytes);
        let mut text = small();
        text.extend_from_slice(lines.as_bytes());
        let _ = read_bytes(&text);
    }
}
