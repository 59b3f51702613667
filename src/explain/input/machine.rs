//! A machine's memory as the kernel reports it: `Mem-Info`, zones, the end of an OOM report,
//! /proc/vmstat. Pages are 4 KiB but on some ARM and POWER machines; the reading says so.

use crate::explain::kinds::Zone;
use crate::explain::{Reading, Scope, clean, number};

const PAGE: u64 = 4096;
const PAGES: &str = "Page counts were taken as pages of 4 KiB.";

/// Counters in pages, as `Mem-Info` and `nr_` in /proc/vmstat name them, and meminfo's name.
const COUNTERS: [(&str, &str); 16] = [
    ("active_anon", "node:Active(anon)"),
    ("inactive_anon", "node:Inactive(anon)"),
    ("active_file", "node:Active(file)"),
    ("inactive_file", "node:Inactive(file)"),
    ("unevictable", "node:Unevictable"),
    ("slab_reclaimable", "node:SReclaimable"),
    ("slab_unreclaimable", "node:SUnreclaim"),
    ("mapped", "node:Mapped"),
    ("shmem", "node:Shmem"),
    ("pagetables", "node:PageTables"),
    ("free", "node:MemFree"),
    ("dirty", "node:Dirty"),
    ("writeback", "node:Writeback"),
    ("kernel_misc_reclaimable", "node:KMisc"),
    // Only in vmstat.
    ("anon_pages", "node:AnonPages"),
    ("page_table_pages", "node:PageTables"),
];

/// Whether a text has lines of such a report.
pub fn is_report(text: &str) -> bool {
    [
        "Mem-Info:",
        " pages RAM",
        "total pagecache pages",
        "lowmem_reserve[]",
        "isolated_anon:",
    ]
    .iter()
    .any(|mark| text.contains(mark))
        || (text.contains("Node ") && text.contains(" free:") && text.contains(" min:"))
}

/// Fills `reading` with a machine's rows from the words of a report, and gives its zones.
pub fn fill(words: &[String], reading: &mut Reading) -> Vec<Zone> {
    let pages = |key: &str| {
        words.iter().find_map(|word| {
            let count = word
                .strip_prefix(key)?
                .strip_prefix(':')?
                .parse::<u64>()
                .ok()?;
            count.checked_mul(PAGE)
        })
    };
    let counted = COUNTERS[..13].iter().map(|(key, name)| (*name, pages(key)));
    reading.rows.fill(counted);
    let before = |sequence: [&str; 2]| {
        words
            .windows(3)
            .find(|w| w[1] == sequence[0] && w[2] == sequence[1])
            .and_then(|w| w[0].parse::<u64>().ok()?.checked_mul(PAGE))
    };
    let swap = |first: &str| {
        let mut four = words.windows(4);
        let found = four.find(|w| w[0] == first && w[1] == "swap" && w[2] == "=")?;
        number::parse(&found[3])
    };
    reading.rows.fill([
        ("node:MemTotal", before(["pages", "RAM"])),
        ("node:Reserved", before(["pages", "reserved"])),
        ("node:Cached", before(["total", "pagecache"])),
        ("node:SwapFree", swap("Free")),
        ("node:SwapTotal", swap("Total")),
    ]);
    let zones = zones(words, reading);
    if reading.rows.get("node:MemFree").is_none()
        && let Some(free) = buddies(words)
    {
        reading.rows.set("node:MemFree", free);
    }
    if !reading.is_empty() {
        reading.scope = Scope::Node;
        reading.notes.push(PAGES.into());
    }
    zones
}

/// `Node 0 Normal free:65140kB min:65180kB ... managed:63287848kB`: their sums where the report's
/// own totals are missing.
fn zones(words: &[String], reading: &mut Reading) -> Vec<Zone> {
    // `Node 0 DMA free:...`, and without NUMA only `DMA free:...`.
    let starts: Vec<usize> = (0..words.len().saturating_sub(2))
        .filter(|at| {
            words[at + 1].starts_with("free:")
                && (words[at + 2].starts_with("min:") || words[at + 2].starts_with("boost:"))
        })
        .collect();
    let totals = reading.rows.clone();
    let mut zones = Vec::new();
    for (index, start) in starts.iter().enumerate() {
        let end = starts.get(index + 1).copied().unwrap_or(words.len());
        let body: Vec<&String> = words[start + 1..end]
            .iter()
            .take_while(|w| w.contains(':'))
            .collect();
        let size = |key: &str| {
            let found = body
                .iter()
                .find_map(|word| word.strip_prefix(key)?.strip_prefix(':'));
            found.and_then(number::parse)
        };
        // The counters that a zone has, too.
        let of_zone = COUNTERS[..7].iter().chain(&COUNTERS[10..11]);
        for (key, name) in of_zone.chain(&[("managed", "node:MemTotal")]) {
            if let (None, Some(bytes)) = (totals.get(name), size(key)) {
                reading.rows.add(name, bytes);
            }
        }
        zones.push(Zone {
            name: match start.checked_sub(2).filter(|node| words[*node] == "Node") {
                Some(node) => words[node..=*start].join(" "),
                None => words[*start].clone(),
            },
            free: size("free").unwrap_or(0),
            cma: size("free_cma").unwrap_or(0),
            min: size("min").unwrap_or(0),
            managed: size("managed").or_else(|| size("present")).unwrap_or(0),
            reclaimable: 0,
        });
    }
    zones
}

/// The totals of `Node 0 DMA: 0*4kB ... = 8248kB`.
fn buddies(words: &[String]) -> Option<u64> {
    let totals = words
        .windows(3)
        .filter(|w| w[0].ends_with("B") && w[1] == "=");
    let blocks = totals
        .filter(|w| w[0].contains("*") || w[0].starts_with('('))
        .filter_map(|w| number::parse(&w[2]));
    let flagged = words
        .windows(3)
        .filter(|w| w[0].ends_with(')') && w[1] == "=");
    let flagged = flagged.filter_map(|w| number::parse(&w[2]));
    blocks.chain(flagged).reduce(u64::saturating_add)
}

/// The kernel's clock at each line of a kill, seconds.
pub fn kill_times(text: &str) -> Vec<f64> {
    let lines = text.lines().filter(|line| line.contains("Killed process"));
    lines
        .filter_map(|line| {
            line.split('[').skip(1).find_map(|part| {
                let inside = part.split(']').next()?.trim();
                inside.contains('.').then(|| inside.parse().ok())?
            })
        })
        .collect()
}

/// The largest process of the report's table, which counts pages of 4 KiB.
pub fn largest_task(lines: &[String]) -> Option<(String, u64)> {
    let mut column = None;
    let mut largest: Option<(String, u64)> = None;
    for line in lines {
        let line = clean::without_log_prefix(line).0.replace(['[', ']'], " ");
        let words = clean::words(&line);
        if words.first() == Some(&"pid") && words.contains(&"total_vm") {
            column = words.iter().position(|word| *word == "rss");
            continue;
        }
        let Some(column) = column else { continue };
        let pages = words.get(column).and_then(|word| word.parse::<u64>().ok());
        let is_row = words.len() >= 7
            && words[..4]
                .iter()
                .all(|w| w.bytes().all(|b| b.is_ascii_digit()));
        if let Some(bytes) = pages
            .filter(|_| is_row)
            .and_then(|pages| pages.checked_mul(4096))
            && largest.as_ref().is_none_or(|(_, most)| bytes > *most)
        {
            largest = words.last().map(|name| ((*name).to_string(), bytes));
        }
    }
    largest
}

/// The command `vmstat`: a line each second, the first of them since boot; with `-s` a count a line.
pub fn vmstat_command(lines: &[String]) -> Option<Reading> {
    let mut reading = Reading::machine("vmstat", "the machine, by vmstat");
    reading.notes = vec!["Its numbers were taken as KiB; it says nothing of cgroups.".into()];
    sums(lines, &mut reading);
    if reading.rows.get("node:MemTotal").is_some() {
        return Some(reading);
    }
    let at = lines.iter().position(|line| {
        ["swpd", "si", "so"]
            .iter()
            .all(|name| line.split_whitespace().any(|word| word == *name))
    })?;
    let mut head = clean::words(&lines[at]);
    // In other languages the columns have other names in the same places.
    if let ["r", "b", "swpd", free, buffers, cache, ..] = &mut head[..]
        && *free != "free"
    {
        (*free, *buffers, *cache) = ("free", "buff", "cache");
    }
    let column = |name: &str| head.iter().position(|word| *word == name);
    let rows: Vec<Vec<u64>> = lines[at + 1..]
        .iter()
        .filter_map(|line| {
            line.split_whitespace()
                .map(|word| word.parse().ok())
                .collect()
        })
        .filter(|row: &Vec<u64>| row.len() == head.len())
        .collect();
    let last = rows.last()?;
    let of = |name| last.get(column(name)?)?.checked_mul(1024);
    reading.rows.fill([
        ("node:MemFree", of("free")),
        ("node:Buffers", of("buff")),
        ("node:Cached", of("cache")),
        ("node:Inactive", of("inact")),
        ("node:Active", of("active")),
        ("node:SwapUsed", of("swpd")),
    ]);
    // The first line is of all the time since boot.
    let now = if rows.len() > 1 {
        &rows[1..]
    } else {
        &rows[..]
    };
    for name in ["si", "so"] {
        let at = column(name)?;
        let sum: f64 = now
            .iter()
            .filter_map(|row| row.get(at))
            .map(|kib| *kib as f64)
            .sum();
        reading
            .pressure
            .push((format!("swap.{name}"), sum * 1024.0 / now.len() as f64));
    }
    Some(reading)
}

/// The lines of `vmstat -s`.
fn sums(lines: &[String], reading: &mut Reading) {
    const SUMS: [(&str, &str); 7] = [
        ("K total memory", "node:MemTotal"),
        ("K used memory", "node:Used"),
        ("K free memory", "node:MemFree"),
        ("K buffer memory", "node:Buffers"),
        ("K swap cache", "node:Cached"),
        ("K total swap", "node:SwapTotal"),
        ("K free swap", "node:SwapFree"),
    ];
    for line in lines {
        let row = SUMS.iter().find(|(name, _)| line.ends_with(name));
        let count = line
            .split(' ')
            .next()
            .and_then(|word| word.parse::<u64>().ok());
        if let Some((row, bytes)) = row.zip(count.and_then(|kib| kib.checked_mul(1024))) {
            reading.rows.set(row.1, bytes);
        }
    }
}

/// /proc/vmstat's `nr_` lines.
pub fn vmstat(lines: &[String]) -> Option<Reading> {
    let mut reading = Reading::machine("/proc/vmstat", "the machine");
    reading.notes = vec![PAGES.into()];
    for line in lines {
        let mut words = line.split_whitespace();
        let (Some(key), Some(Ok(count))) = (words.next(), words.next().map(str::parse::<u64>))
        else {
            continue;
        };
        let Some(key) = key.strip_prefix("nr_") else {
            continue;
        };
        let known = match key {
            "free_pages" => Some("node:MemFree"),
            "file_pages" => Some("node:FilePages"),
            "kernel_misc_reclaimable" => None,
            key => COUNTERS
                .iter()
                .find(|(name, _)| *name == key)
                .map(|(_, row)| *row),
        };
        if let Some((row, bytes)) = known.zip(count.checked_mul(PAGE)) {
            reading.rows.set(row, bytes);
        }
    }
    if reading.rows.iter().count() < 3 {
        return None;
    }
    if let Some(file) = reading.rows.get("node:FilePages") {
        reading.rows.set("node:Cached", file);
        reading.rows.set("node:Buffers", 0);
    }
    Some(reading)
}
