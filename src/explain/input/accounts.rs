//! What runtimes and allocators say of themselves: an account, or the same account several times.

use std::collections::HashMap;

use super::series;
use super::told::{after, first};
use crate::explain::clean::{self, has_one_of};
use crate::explain::kinds::{Runtime, Series};
use crate::explain::{Reading, What, number};

type Size = fn(&str) -> Option<u64>;

/// One runtime's account.
struct Account {
    name: &'static str,
    /// All of one group stand in such a text.
    marks: &'static [&'static [&'static str]],
    /// Bytes taken from the kernel, bytes of heap in use.
    total: Size,
    live: Size,
}

/// One line a runtime; the first that fits is it.
#[rustfmt::skip]
const ACCOUNTS: &[Account] = &[
    Account { name: "the JVM (OpenJ9)", marks: &[&["MEMUSER"]], total: |t| count(t, "JRE: "), live: |t| count(t, "Memory Manager (GC): ") },
    Account { name: "the JVM (MemoryMXBean)", marks: &[&["init = "]], total: |t| sizes(t, "used = ").and(sum(t, "committed = ")), live: |t| sizes(t, "used = ")?.first().copied() },
    Account { name: "the JVM (Native Memory Tracking)", marks: &[&["Native Memory Tracking"], &["Java Heap (reserved="]], total: |t| after(behind(t, "Total:"), "committed="), live: |t| after(t.split_once("Java Heap")?.1, "committed=") },
    Account { name: "the JVM (jstat)", marks: &[&["S0C", "EC", "OC"]], total: |t| jstat(t, ["S0C", "S1C", "EC", "OC", "MC"]), live: |t| jstat(t, ["S0U", "S1U", "EU", "OU", ""]) },
    Account { name: "the JVM (jmap)", marks: &[&["Heap Usage:", "capacity"]], total: |t| sum(t, "capacity"), live: |t| after(t, "used") },
    Account { name: "Go", marks: &[&["go_memstats_sys_bytes "]], total: |t| after(t, "go_memstats_sys_bytes "), live: |t| after(t, "go_memstats_heap_inuse_bytes ") },
    Account { name: "Go", marks: &[&["heap-in-use:", "sys:"]], total: |t| after(t, "\nsys:"), live: |t| after(t, "heap-in-use:") },
    Account { name: "Go", marks: &[&["HeapInuse"], &["HeapAlloc"], &["TotalAlloc"], &["NumGC"]], total: |t| first(t, &["\"Sys\"", "# Sys", " Sys", "\tSys", "\nSys", "MemStats.Sys"]), live: |t| first(t, &["HeapInuse", "HeapAlloc", "\"Alloc\"", "Alloc"]) },
    Account { name: "Node.js (V8)", marks: &[&["heapTotal"]], total: |t| keyed(t, "heapTotal").map(|heap| heap.saturating_add(keyed(t, "external").unwrap_or(0))), live: |t| keyed(t, "heapUsed") },
    Account { name: "Redis", marks: &[&["used_memory:"], &["used_memory_human:"]], total: |t| first(t, &["used_memory:", "used_memory_human:"]), live: |t| after(t, "used_memory_dataset:") },
    Account { name: "jemalloc", marks: &[&["llocated:", "resident:"], &["allocated=", "resident="]], total: |t| first(t, &["resident:", "resident="]), live: |t| first(t, &["llocated:", "allocated="]) },
    Account { name: "glibc's malloc", marks: &[&["system bytes", "in use bytes"]], total: |t| last(t, "system bytes"), live: |t| last(t, "in use bytes") },
    Account { name: "tcmalloc", marks: &[&["MALLOC:", "Actual memory used"]], total: |t| after(line(t, "Actual memory used")?, "="), live: |t| after(line(t, "Bytes in use by application")?, "MALLOC:") },
    Account { name: "PostgreSQL's contexts", marks: &[&["Grand total:", " blocks; "]], total: |t| after(t, "Grand total:"), live: |t| after(line(t, "Grand total:")?, "chunks);") },
    Account { name: ".NET", marks: &[&["GC Heap Size (MB)"]], total: |t| mb(t, "GC Committed Bytes (MB)").or_else(|| mb(t, "GC Heap Size (MB)")), live: |t| mb(t, "GC Heap Size (MB)") },
];

/// Keys of what the operating system counts for the process.
const RSS: &[&str] = &[
    "process_resident_memory_bytes ",
    "used_memory_rss:",
    "used_memory_rss_human:",
    "VmRSS:",
    "\nRss:",
    "Resident size:",
];

/// Keys of rss and of the heap where an account is printed again and again.
const RESIDENT: [&str; 6] = ["\"rss", "'rss", "rss:", "rss=", "rssMB", "Resident size"];
const HEAP: [&str; 4] = ["heapUsed", "heap=", "HeapAlloc", "MemStats.Alloc"];

/// What a runtime says of itself.
pub fn read(text: &str, lines: &[String]) -> Option<Reading> {
    let any = |keys: &[&str]| keys.iter().any(|key| text.contains(key));
    let traced = traced(text).or_else(|| text.contains("->").then(|| collections(lines))?);
    let several = || (any(&RESIDENT) && any(&HEAP)).then(|| over_time(lines))?;
    if let Some(found) = traced.or_else(several) {
        return Some(found);
    }
    // Redis ends its lines with a carriage return, which terminals show as `^M`.
    let clean = text.contains("^M").then(|| text.replace("^M", ""));
    let text = clean.as_deref().unwrap_or(text);
    let (account, total) = ACCOUNTS
        .iter()
        .filter(|account| has_one_of(text, account.marks))
        .find_map(|account| Some((account, (account.total)(text)?)))?;
    const OF_NODE: [&str; 4] = ["\"rss", "'rss", "rss:", "rssMB"];
    let own = match account.name {
        "Node.js (V8)" => OF_NODE.iter().find_map(|key| keyed(text, key)),
        ".NET" => mb(text, "Working Set (MB)"),
        _ => None,
    };
    let runtime = Runtime {
        name: account.name,
        total,
        live: (account.live)(text),
        rss: own.or_else(|| first(text, RSS)),
    };
    Some(reading(runtime.name, What::Runtime(runtime)))
}

fn reading(label: &str, what: What) -> Reading {
    Reading::told("runtime's account", label, what)
}

fn last(text: &str, key: &str) -> Option<u64> {
    after(&text[text.rfind(key)?..], key)
}

fn line<'a>(text: &'a str, mark: &str) -> Option<&'a str> {
    text.lines().find(|line| line.contains(mark))
}

fn behind<'a>(text: &'a str, mark: &str) -> &'a str {
    text.split_once(mark).map_or(text, |(_, rest)| rest)
}

/// All sizes behind a key; none where one of them can't be read.
fn sizes(text: &str, key: &str) -> Option<Vec<u64>> {
    let found = text.match_indices(key);
    let found = found.map(|(at, _)| after(&text[at..], key));
    let all: Option<Vec<u64>> = found.collect();
    all.filter(|all| !all.is_empty())
}

fn sum(text: &str, key: &str) -> Option<u64> {
    Some(number::sum(sizes(text, key)?))
}

/// A count whose digits stand in groups.
fn count(text: &str, mark: &str) -> Option<u64> {
    let word = text.split_once(mark)?.1.split_whitespace().next()?;
    word.replace(',', "").parse().ok()
}

fn mb(text: &str, key: &str) -> Option<u64> {
    let word = text.split_once(key)?.1.split_whitespace().next()?;
    number::scale(word, 1e6)
}

/// The columns of jstat, in KiB, of its last line.
fn jstat(text: &str, columns: [&str; 5]) -> Option<u64> {
    let cell = clean::last_row(text.lines(), "S0C")?;
    columns
        .into_iter()
        .filter_map(cell)
        .reduce(u64::saturating_add)
}

/// The size behind a key, whatever words and signs stand between (`"rss": "Memory: rss 265.21 MB"`); the key
/// may carry the unit (`heapUsedMB`).
fn keyed(text: &str, key: &str) -> Option<u64> {
    text.match_indices(key).find_map(|(at, _)| {
        let rest = &text[at + key.len()..];
        let letters = rest.find(|c: char| !c.is_ascii_alphabetic())?;
        let unit = number::unit(&rest[..letters]);
        // Another word that only begins so.
        if letters > 0 && unit.is_none() {
            return None;
        }
        let digit = rest.find(|c: char| c.is_ascii_digit() || matches!(c, ',' | '}' | '\n'))?;
        let value = (digit <= 24).then(|| &rest[digit..])?;
        match unit {
            Some(unit) => {
                let end = value.find(|c: char| !(c.is_ascii_digit() || c == '.'));
                number::scale(&value[..end.unwrap_or(value.len())], unit)
            }
            None => after(value, ""),
        }
    })
}

/// Several accounts of one process: its rss over time, and what its heap did meanwhile.
fn over_time(lines: &[String]) -> Option<Reading> {
    type Points = Vec<(Option<f64>, u64, Option<u64>)>;
    let mut processes: HashMap<&str, Points> = HashMap::new();
    let (mut now, mut of) = (None, "");
    for line in lines {
        let (stamp, rest) = series::stamped(line);
        now = stamp.or_else(|| series::inside(line)).or(now);
        let find = |keys: &[&str]| keys.iter().find_map(|key| keyed(rest, key));
        if let Some(rss) = find(&RESIDENT).filter(|rss| *rss >= 1 << 20) {
            // `[Name] Memory: heap=9MB, rss=148MB`.
            let named = rest.strip_prefix('[').and_then(|rest| rest.split_once(']'));
            of = named.map_or("", |(name, _)| name);
            processes.entry(of).or_default().push((now, rss, None));
        }
        if let Some(point) = processes.get_mut(of).and_then(|points| points.last_mut()) {
            point.2 = point.2.or_else(|| find(&HEAP));
        }
    }
    let change = |points: &Points| points[0].1.abs_diff(points[points.len() - 1].1);
    let (name, points) = processes
        .into_iter()
        .filter(|(_, points)| points.len() > 1 && points.iter().all(|point| point.2.is_some()))
        .max_by_key(|(name, points)| (change(points), *name))?;
    let label = match name {
        "" => "rss over time",
        name => name,
    };
    let rss = points.iter().map(|point| (point.0, point.1));
    let series = Series {
        heap: points[0].2.zip(points[points.len() - 1].2),
        ..Series::timed("rss", rss.collect())
    };
    Some(reading(label, What::Series(series)))
}

/// `gc 9 @3.059s 0%: ... ms cpu, 719->721->633 MB, 738 MB goal, 40 P`, as GODEBUG=gctrace=1 prints it: the
/// heap when a collection began, when it ended, and what was live after it.
fn traced(text: &str) -> Option<Reading> {
    if !text.contains(" ms cpu, ") {
        return None;
    }
    let points: Vec<(f64, u64, u64)> = text
        .lines()
        .filter_map(|line| {
            let line = &line[line.find("gc ")?..];
            let sizes = line.split_once(" ms cpu, ")?.1.split_once(" MB, ")?.0;
            let mut sizes = sizes.split("->").skip(1);
            let mib = |size: &str| size.parse::<u64>().ok()?.checked_mul(1 << 20);
            let (end, live) = (mib(sizes.next()?)?, mib(sizes.next()?)?);
            let at = line.split_once('@')?.1.split_once('s')?.0;
            Some((at.parse().ok()?, end, live))
        })
        .collect();
    let (_, end, live) = *points.last()?;
    let rising = points.windows(2).all(|two| two[0].0 < two[1].0);
    let what = if points.len() > 1 && rising {
        let live = points.into_iter().map(|(at, _, live)| (at, live));
        What::Series(Series::of("Go's live heap", live.collect()))
    } else {
        What::Runtime(Runtime {
            name: "Go",
            total: end,
            live: Some(live),
            rss: None,
        })
    };
    Some(reading("Go's live heap", what))
}

/// The JVM's log of collections, `812M->402M(1024M)`: what was left after each, and the heap's size as limit.
fn collections(lines: &[String]) -> Option<Reading> {
    let mut size = 0;
    let mut points: Vec<(Option<f64>, u64)> = Vec::new();
    for line in lines {
        let sizes = |word: &str| {
            let (_, rest) = word.split_once("->")?;
            let (left, whole) = rest.trim_end_matches([',', ')']).split_once('(')?;
            Some((number::parse(left)?, number::parse(whole)?))
        };
        let gc = line.contains("GC");
        // The last pair of a line is the whole heap's, those before it are generations'.
        if let Some((left, whole)) = line.split_whitespace().rev().filter(|_| gc).find_map(sizes) {
            points.push((series::stamped(line).0, left));
            size = whole;
        }
    }
    let (row, several) = ("The JVM's heap after a collection", points.len() > 1);
    let mut found = reading(row, What::Series(Series::timed(row, points)));
    found.rows.set("limit", size);
    several.then_some(found)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn of(text: &str) -> Option<Reading> {
        read(text, &crate::explain::clean::lines(text))
    }

    type Told = (&'static str, u64, Option<u64>, Option<u64>);

    /// A text, and what is told to be taken, of it live, and resident.
    #[rustfmt::skip]
    const TOLD: &[Told] = &[
        ("MALLOC: 700 ( 1 MiB) Bytes in use by application\nMALLOC: + 200 ( 0 MiB) Bytes in page heap freelist\nMALLOC: = 900 ( 1 MiB) Actual memory used (physical + swap)\n", 900, Some(700), None),
        ("TopMemoryContext: 68688 total in 5 blocks; 14056 free (18 chunks); 54632 used\nGrand total: 900 bytes in 341 blocks; 200 free (212 chunks); 700 used\n", 900, Some(700), None),
        ("Native Memory Tracking:\nTotal: reserved=664192KB, committed=253120KB\n- Java Heap (reserved=516096KB, committed=204800KB)", 253_120 << 10, Some(204_800 << 10), None),
        ("go_memstats_sys_bytes 7.5e+07\ngo_memstats_heap_inuse_bytes 5e+07\nprocess_resident_memory_bytes 9e+07\n", 75_000_000, Some(50_000_000), Some(90_000_000)),
        ("{ rss: 4935680, heapTotal: 1826816, heapUsed: 650472, external: 49879 }", 1_876_695, Some(650_472), Some(4_935_680)),
        ("{\"rss\": \"Memory: rss 265.5 MB\", \"heapTotal\": \"Memory: heapTotal 262.5 MB\", \"heapUsed\": \"244 MB\"}", 262_500_000, Some(244_000_000), Some(265_500_000)),
        ("\"heapUsedMB\":175,\"heapTotalMB\":179,\"rssMB\":298,\"heapDeltaMB\":2", 179_000_000, Some(175_000_000), Some(298_000_000)),
        ("# Memory\r\nused_memory:1000000\r\nused_memory_rss:2000000\r\n", 1_000_000, None, Some(2_000_000)),
        ("used_memory_human: 24M\nused_memory_rss_human: 236M\n", 24 << 20, None, Some(236 << 20)),
        ("heap-sys: 9MB\nsys: 142.31MB (149222144 bytes)\nheap-in-use: 48MB\n", 142_310_000, Some(48_000_000), None),
        ("Allocated: 786298648, active: 788901888, resident: 867696640", 867_696_640, Some(786_298_648), None),
        ("Arena 0:\nsystem bytes = 5\nin use bytes = 3\nTotal (incl. mmap):\nsystem bytes = 9000\nin use bytes = 7000\n", 9000, Some(7000), None),
        ("GC Heap Size (MB) 210\nGC Committed Bytes (MB) 318\nWorking Set (MB) 612\n", 318_000_000, Some(210_000_000), Some(612_000_000)),
        ("S0C S1C S0U S1U EC EU OC OU MC MU\n1.0 1.0 0.0 1.0 8.0 4.0 16.0 12.0 4.0 3.0\n", 30 << 10, Some(17 << 10), None),
        ("# HeapInuse = 5000\n# Sys = 9000\n", 9000, Some(5000), None),
    ];

    #[test]
    fn each_runtime_by_its_keys() {
        for (text, total, live, rss) in TOLD {
            let Some(Reading {
                what: What::Runtime(found),
                ..
            }) = of(text)
            else {
                panic!("{text}")
            };
            assert_eq!(
                (found.total, found.live, found.rss),
                (*total, *live, *rss),
                "{text}"
            );
        }
    }

    #[test]
    fn an_account_again_and_again_is_a_series() {
        for (text, span, heap) in [
            (
                "[A] Memory: heap=9MB, rss=148MB (cycle 1)\n[B] Memory: heap=1MB, rss=84MB\n[A] Memory: heap=7MB, rss=192MB\n",
                None,
                (9_000_000, 7_000_000),
            ),
            (
                "2024-11-05T11:00:00.0Z {\n rss: '148 MB',\n heapUsed: '9 MB' }\n2024-11-05T12:00:00.0Z {\n rss: '192 MB',\n heapUsed: '7 MB' }\n",
                Some(3600.0),
                (9_000_000, 7_000_000),
            ),
            (
                "{\"time\":\"2026-05-10T09:00:00.2Z\",\"heapUsedMB\":9,\"rssMB\":148}\n{\"time\":\"2026-05-10T11:00:00.2Z\",\"heapUsedMB\":7,\"rssMB\":192}\n",
                Some(7200.0),
                (9_000_000, 7_000_000),
            ),
        ] {
            let Some(Reading {
                what: What::Series(found),
                ..
            }) = of(text)
            else {
                panic!("{text}")
            };
            assert_eq!(
                (found.points[0].1, found.points[1].1),
                (148_000_000, 192_000_000),
                "{text}"
            );
            assert_eq!(found.heap, Some(heap), "{text}");
            let apart = found.points[1].0 - found.points[0].0;
            assert_eq!((!found.untimed).then_some(apart), span, "{text}");
        }
        let Some(Reading {
            what: What::Series(found),
            rows,
            ..
        }) = of(
            "12.3: [Full GC (Allocation Failure) 1023M->1020M(1024M), 2.1 secs]\n16.3: [Full GC 1023M->1021M(1024M), 2.2 secs]\n",
        )
        else {
            panic!("two collections")
        };
        assert_eq!(
            (found.points[1].1, rows.get("limit")),
            (1021 << 20, Some(1 << 30))
        );
    }

    proptest! {
        #[test]
        fn nothing_panics(told in "(heapTotal|heapUsed|rss|MB|\":|heap=|GC|->|\\(|[0-9]{1,22}(M|é)?|S0C EC OC|system bytes|in use bytes|resident:|llocated:|\n| ){0,14}") {
            of(&told);
        }
    }
}
