use super::pod::Pod;
use super::*;
use crate::detector::{BUILT_IN, BuiltIn};

const SMALL: &str = r#"
pods = 24
days = 0.5
scrape = "2m"
[[service]]
name = "api"
weight = 2
limit = { choice = ["64MiB", "128MiB"] }
live = { uniform = ["20%", "50%"] }
gc = "10%"
log = { log_normal = { median = "20KiB/s", sigma = 1 } }
readers = { uniform = [0, 2] }
lazy = "50%"
[[service.fault]]
kind = "leak"
share = "40%"
fills_in = "1h"
[[service.fault]]
kind = "memory_high"
share = "20%"
fills_in = "30m"
[[service]]
name = "quiet"
limit = "64MiB"
[[service.fault]]
kind = "tmpfs"
share = "30%"
fills_in = "1h"
[[service.fault]]
kind = "lazy_reuse"
share = "40%"
fills_in = "1h"
[[service.fault]]
kind = "cache_needed"
share = "30%"
fills_in = "10m"
"#;

fn small() -> Fleet {
    parse(SMALL, "small.toml").unwrap()
}

fn detectors() -> Vec<&'static BuiltIn> {
    BUILT_IN.iter().filter(|d| d.name != "psi").collect()
}

fn run_part(fleet: &Fleet, index: u64, of: u64, threads: usize) -> Tallies {
    run(&Plan {
        fleet,
        detectors: &detectors(),
        shard: Shard { index, of },
        threads,
    })
}

#[test]
fn shards_and_threads_say_exactly_what_one_machine_says() {
    let fleet = small();
    let whole = run_part(&fleet, 0, 1, 1);
    assert!(whole.cells.iter().any(|cell| cell.tally.hits > 0));
    assert_eq!(whole, run_part(&fleet, 0, 1, 2));
    for of in [1, 3, 8] {
        // The order in which they come in says nothing, nor does the way through a file.
        let shards = (0..of).rev().map(|index| {
            let text = serde_json::to_string(&run_part(&fleet, index, of, 2)).unwrap();
            serde_json::from_str(&text).unwrap()
        });
        let joined = merge(shards.collect()).unwrap();
        assert_eq!(joined, whole, "{of} shards");
        assert_eq!(human(&joined), human(&whole));
    }
}

#[test]
fn shards_that_do_not_fit_are_told() {
    let mut fleet = small();
    fleet.pods = 3;
    let part = |index| run_part(&fleet, index, 3, 1);
    let missing = merge(vec![part(0), part(2)]).unwrap_err();
    assert!(missing.to_string().contains("missing: 1"), "{missing}");
    assert_eq!(
        merge(vec![part(0), part(0)]).unwrap_err(),
        MergeError::Twice(0)
    );
    assert_eq!(merge(Vec::new()).unwrap_err(), MergeError::None);
    let mut other = part(1);
    other.fleet.seed += 1;
    assert_eq!(
        merge(vec![part(0), other]).unwrap_err(),
        MergeError::Other(1)
    );
}

#[test]
fn every_pod_is_counted_once_and_a_healthy_one_is_never_killed() {
    let fleet = small();
    let whole = run_part(&fleet, 0, 1, 1);
    for detector in detectors() {
        let cells = whole
            .cells
            .iter()
            .filter(|c| c.key.detector == detector.name);
        assert_eq!(cells.map(|c| c.tally.pods()).sum::<u64>(), fleet.pods);
    }
    let mut faults = 0;
    for index in 0..fleet.pods {
        let pod = Pod::draw(&fleet, index);
        let mut drive = drive::Drive::new(&pod, fleet.scrape_s);
        let mut kills = 0;
        for n in 0..run::scrapes(&fleet) {
            let kill = drive.step(n as f64 * fleet.scrape_s) == drive::Happened::Kill;
            kills += u32::from(kill);
            let rows = drive.rows();
            assert!(rows[0] <= pod.limit, "usage {} of {}", rows[0], pod.limit);
        }
        let ends = pod.trouble.is_some_and(|t| !t.kind.stands());
        assert!(
            kills <= u32::from(ends),
            "pod {index} ({}): {kills}",
            pod.kind()
        );
        faults += u32::from(pod.trouble.is_some());
    }
    assert!(faults > 5, "{faults}");
}

/// A pod with a fault of this kind, run to its end: whether it was killed, and its rows at the end.
fn with_fault(kind: FaultKind, card: &str) -> (bool, [u64; 8], u64) {
    let word = kind.word();
    let text = format!(
        "days = 1\nscrape = \"1m\"\ncards = [\"{card}\"]\n[[service]]\nname = \"a\"\nlimit = \"256MiB\"\n\
         lazy = \"100%\"\n[[service.fault]]\nkind = \"{word}\"\nshare = \"100%\"\nfills_in = \"1h\""
    );
    let fleet = parse(&text, "one.toml").unwrap();
    let pod = Pod::draw(&fleet, 0);
    let mut drive = drive::Drive::new(&pod, fleet.scrape_s);
    let (mut killed, mut began) = (false, false);
    for n in 0..run::scrapes(&fleet) {
        let kill = drive.step(n as f64 * fleet.scrape_s) == drive::Happened::Kill;
        assert!(!kill || began, "a kill before the fault");
        killed |= kill;
        began |= drive.troubled();
    }
    assert!(began, "{word}");
    (killed, drive.rows(), drive.refaults())
}

#[test]
fn every_fault_does_what_it_is_called() {
    for card in ["6.1-v2", "6.12-v2-mglru"] {
        for kind in FaultKind::ALL {
            let (killed, rows, refaults) = with_fault(kind, card);
            let [usage, limit, ..] = rows;
            assert_eq!(killed, !kind.stands(), "{card} {}", kind.word());
            match kind {
                FaultKind::High => assert!(rows[7] > 100 && usage < limit, "{card} {rows:?}"),
                // A pass an hour, for at least four: every page comes from the disk each time.
                FaultKind::Cache => assert!(
                    refaults > 3 * limit / 4096 / 2 && usage > limit * 99 / 100,
                    "{card} {refaults} {rows:?}"
                ),
                _ => {}
            }
        }
    }
}

#[test]
fn a_pod_is_the_same_whatever_the_number_of_pods() {
    let (few, mut many) = (small(), small());
    many.pods *= 100;
    for index in 0..few.pods {
        let (a, b) = (Pod::draw(&few, index), Pod::draw(&many, index));
        assert_eq!((a.limit, a.live, a.trouble), (b.limit, b.live, b.trouble));
    }
}

/// A fleet's text, and where and by which word it is told what is wrong.
const WRONG: &[(&str, usize, usize, &str)] = &[
    (
        "pods = 0\n[[service]]\nname = \"a\"\nlimit = \"1GiB\"",
        1,
        8,
        "whole number from 1",
    ),
    ("[[service]]\nname = \"a\"\nlimt = \"1GiB\"", 3, 1, "limt"),
    (
        "[[service]]\nname = \"a\"\nlimit = \"1GiX\"",
        3,
        9,
        "not a size",
    ),
    (
        "[[service]]\nname = \"a\"\nlimit = { unifrm = [1, 2] }",
        3,
        11,
        "unifrm",
    ),
    (
        "[[service]]\nname = \"a\"\nlimit = { uniform = [2, 1] }",
        3,
        21,
        "lower one first",
    ),
    (
        "[[service]]\nname = \"a\"\nlimit = \"1GiB\"\nlive = 0.4",
        4,
        8,
        "a share: `40%`",
    ),
    (
        "[[service]]\nname = \"a\"\nlimit = \"1GiB\"\n[[service.fault]]\nkind = \"leek\"\nshare = \"1%\"",
        5,
        8,
        "leek",
    ),
    (
        "cards = [\"6.1-v3\"]\n[[service]]\nname = \"a\"\nlimit = \"1GiB\"",
        1,
        10,
        "6.1-v3",
    ),
    ("days = \"x\n", 1, 10, ""),
    (
        "[[service]]\nname = \"a\"\nweight = 0\nlimit = \"1GiB\"",
        3,
        10,
        "above 0",
    ),
    (
        "[[service]]\nname = \"a\"\nweight = nan\nlimit = \"1GiB\"",
        3,
        10,
        "a number",
    ),
    (
        "[[service]]\nname = \"a\"\nlimit = \"1GiB\"\nlive = \"140%\"",
        4,
        8,
        "at most `100%`",
    ),
    (
        "[[service]]\nname = \"a\"\nlimit = \"1GiB\"\nlazy = \"101%\"",
        4,
        8,
        "at most `100%`",
    ),
    (
        "[[service]]\nname = \"a\"\nlimit = \"1GiB\"\nlive = \"-5%\"",
        4,
        8,
        "",
    ),
    (
        "[[service]]\nname = \"a\"\nlimit = 99999999999999999999",
        3,
        9,
        "",
    ),
    (
        "pods = 1e9\n[[service]]\nname = \"a\"\nlimit = \"1GiB\"",
        1,
        8,
        "whole number",
    ),
    (
        "days = inf\n[[service]]\nname = \"a\"\nlimit = \"1GiB\"",
        1,
        8,
        "a number",
    ),
    (
        "days = 1e300\n[[service]]\nname = \"a\"\nlimit = \"1GiB\"",
        1,
        8,
        "too large",
    ),
    (
        "scrape = \"1ms\"\n[[service]]\nname = \"a\"\nlimit = \"1GiB\"",
        1,
        10,
        "`1s`",
    ),
    (
        "cards = []\n[[service]]\nname = \"a\"\nlimit = \"1GiB\"",
        1,
        9,
        "names none",
    ),
    (
        "cards = \"6.1-v2\"\n[[service]]\nname = \"a\"\nlimit = \"1GiB\"",
        1,
        9,
        "list",
    ),
    ("service = 3", 1, 11, "[[service]]"),
    (
        "[[service]]\nname = \"a\"\nlimit = { choice = [] }",
        3,
        20,
        "one number or more",
    ),
    (
        "[[service]]\nname = \"a\"\nlimit = { exponential = 0 }",
        3,
        25,
        "above 0",
    ),
    (
        "[[service]]\nname = \"a\"\nlimit = { log_normal = { median = \"1GiB\", sigma = 9 } }",
        3,
        24,
        "sigma",
    ),
    (
        "[[service]]\nname = \"a\"\nlimit = \"1GiB\"\n[[service.fault]]\nkind = \"leak\"\nshare = \"60%\"\n[[service.fault]]\nkind = \"tmpfs\"\nshare = \"60%\"",
        1,
        1,
        "above 100 %",
    ),
];

#[test]
fn what_is_wrong_with_a_file_is_told_with_its_place_and_remedy() {
    for (text, line, column, word) in WRONG {
        let found = parse(text, "x.toml").unwrap_err();
        let places: Vec<_> = found
            .iter()
            .map(|d| (found.position(d), &d.message))
            .collect();
        let told = places
            .iter()
            .any(|(place, message)| *place == Some((*line, *column)) && message.contains(word));
        assert!(told, "{text}\n{places:?}");
    }
    let many = parse("pdos = 1\ndays = -1\n[[service]]\nweigth = 1", "x.toml").unwrap_err();
    assert!(many.len() >= 4, "{many:?}");
    let remedy = format!("{many}");
    assert!(
        remedy.contains("did you mean `pods`") && remedy.contains("did you mean `weight`"),
        "{remedy}"
    );
    let empty = parse("", "x.toml").unwrap_err().to_string();
    assert!(empty.contains("[[service]]"), "{empty}");
    let reversed = parse(
        "[[service]]\nname = \"a\"\nlimit = { uniform = [2, 1] }",
        "x.toml",
    );
    let reversed = reversed.unwrap_err().to_string();
    assert!(reversed.contains("other way round"), "{reversed}");
    // Ten megabytes, from a file: told as too large, not read to its end.
    let dir = tempfile::tempdir().unwrap();
    let large = dir.path().join("large.toml");
    std::fs::write(&large, vec![b'#'; 10 << 20]).unwrap();
    assert!(
        load(&large)
            .unwrap_err()
            .to_string()
            .contains("larger than 1 MiB")
    );
    let missing = load(&dir.path().join("none.toml")).unwrap_err().to_string();
    assert!(missing.contains("`mixed`"), "{missing}");
    assert_eq!(
        load(std::path::Path::new("mixed")).unwrap().title,
        "mixed services"
    );
}

proptest::proptest! {
    #[test]
    fn any_text_is_read_without_panic(text in "(pods|days|cards|service|limit|log_normal|uniform|=|\\[|\\]|\\{|\\}|\"|\n|1|-1|e9|%| ){0,40}") {
        let _ = parse(&text, "x.toml");
    }
}

#[test]
fn intervals_hold_what_was_counted() {
    let counted = [(0, 900), (1, 80), (5, 20)].into();
    let (low, high) = stats::mean_interval(&counted, "x");
    assert!(
        low < 0.18 && 0.18 < high && low > 0.1 && high < 0.3,
        "{low} {high}"
    );
    let (low, high) = stats::mean_interval(&[(0, 100)].into(), "x");
    assert!(low == 0.0 && (0.036..0.038).contains(&high), "{high}");
    let (low, high) = stats::share_interval(9, 10);
    assert!(
        (0.59..0.60).contains(&low) && (0.98..0.99).contains(&high),
        "{low} {high}"
    );
    assert_eq!(
        stats::quantile(&[(1, 1), (2, 1), (9, 1)].into(), 0.5),
        Some(2)
    );
}

#[test]
fn the_example_fleets_are_right() {
    let dir = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/examples/fleets");
    let mut n = 0;
    for entry in std::fs::read_dir(dir).unwrap() {
        load(&entry.unwrap().path()).unwrap();
        n += 1;
    }
    assert!(n >= 3);
}
