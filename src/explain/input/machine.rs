//! A machine's memory as the kernel reports it: `Mem-Info`, zones, the end of an OOM report,
//! /proc/vmstat. Pages are 4 KiB but on some ARM and POWER machines; the reading says so.

use crate::explain::kinds::Zone;
use crate::explain::number::whole_times;
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
    const MARKS: &[&[&str]] = &[
        &["Mem-Info:"],
        &[" pages RAM"],
        &["total pagecache pages"],
        &["lowmem_reserve[]"],
        &["isolated_anon:"],
        &["Node ", " free:", " min:"],
    ];
    clean::has_one_of(text, MARKS)
}

/// Fills `reading` with a machine's rows from the words of a report, and gives its zones.
pub fn fill(words: &[String], reading: &mut Reading) -> Vec<Zone> {
    let pages = |key: &str| {
        let mut counts = words
            .iter()
            .filter_map(|word| word.strip_prefix(key)?.strip_prefix(':'));
        counts.find_map(|count| whole_times(count, PAGE))
    };
    let counted = COUNTERS[..13].iter().map(|(key, name)| (*name, pages(key)));
    reading.rows.fill(counted);
    let before = |sequence: [&str; 2]| {
        let mut three = words.windows(3);
        whole_times(&three.find(|three| three[1..] == sequence)?[0], PAGE)
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
    let buddies = buddies(words).filter(|_| reading.node("MemFree").is_none());
    reading.rows.fill([("node:MemFree", buddies)]);
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
    let begins = |at: &usize| {
        let (free, next) = (&words[at + 1], &words[at + 2]);
        free.starts_with("free:") && (next.starts_with("min:") || next.starts_with("boost:"))
    };
    let all = 0..words.len().saturating_sub(2);
    let starts: Vec<usize> = all.filter(begins).collect();
    let totals = reading.rows.clone();
    let mut zones = Vec::new();
    for (index, start) in starts.iter().enumerate() {
        let end = starts.get(index + 1).copied().unwrap_or(words.len());
        let body = words[start + 1..end].iter();
        let body = body.take_while(|word| word.contains(':'));
        let size = |key: &str| {
            let mut body = body.clone();
            let found = body.find_map(|word| word.strip_prefix(key)?.strip_prefix(':'));
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
    let blocks = |word: &str| {
        let counted = word.contains('*') || word.starts_with('(');
        word.ends_with('B') && counted || word.ends_with(')')
    };
    let totals = words
        .windows(3)
        .filter(|three| three[1] == "=" && blocks(&three[0]));
    let totals = totals.filter_map(|three| number::parse(&three[2]));
    totals.reduce(u64::saturating_add)
}

/// The kernel's clock at each line of a kill, seconds.
pub fn kill_times(text: &str) -> Vec<f64> {
    let lines = text.lines().filter(|line| line.contains("Killed process"));
    let stamp = |part: &str| {
        let inside = part.split(']').next()?.trim();
        inside.contains('.').then(|| inside.parse().ok())?
    };
    let stamps = lines.filter_map(|line| line.split('[').skip(1).find_map(stamp));
    stamps.collect()
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
        let number = |word: &&str| word.bytes().all(|b| b.is_ascii_digit());
        if words.len() >= 7
            && words[..4].iter().all(number)
            && let Some(bytes) = words.get(column).and_then(|pages| whole_times(pages, PAGE))
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
    let heads = |words: &Vec<&str>| ["swpd", "si", "so"].iter().all(|name| words.contains(name));
    let mut rows = lines.iter().map(|line| clean::words(line));
    let mut head = rows.find(heads)?;
    // In other languages the columns have other names in the same places.
    if let ["r", "b", "swpd", free, buffers, cache, ..] = &mut head[..]
        && *free != "free"
    {
        (*free, *buffers, *cache) = ("free", "buff", "cache");
    }
    let column = |name: &str| head.iter().position(|word| *word == name);
    let rows = rows.filter(|row| row.len() == head.len());
    let rows = rows.map(|row| row.iter().map(|word| word.parse().ok()).collect());
    let rows: Vec<Vec<u64>> = rows.flat_map(|row: Option<Vec<u64>>| row).collect();
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
    let now = &rows[usize::from(rows.len() > 1)..];
    for name in ["si", "so"] {
        let at = column(name)?;
        let sum: f64 = now.iter().map(|row| row[at] as f64).sum();
        let rate = sum * 1024.0 / now.len() as f64;
        reading.pressure.push((format!("swap.{name}"), rate));
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
        let bytes = line
            .split(' ')
            .next()
            .and_then(|kib| whole_times(kib, 1024));
        reading.rows.fill(row.map(|(_, row)| (*row, bytes)));
    }
}

/// /proc/vmstat's `nr_` lines.
pub fn vmstat(lines: &[String]) -> Option<Reading> {
    let mut reading = Reading::machine("/proc/vmstat", "the machine");
    reading.notes = vec![PAGES.into()];
    for line in lines {
        let [key, count, ..] = clean::words(line)[..] else {
            continue;
        };
        let row = match key {
            "nr_free_pages" => Some("node:MemFree"),
            "nr_file_pages" => Some("node:FilePages"),
            "nr_kernel_misc_reclaimable" => None,
            key => key.strip_prefix("nr_").and_then(|key| {
                let mut counters = COUNTERS.iter();
                counters.find_map(|(name, row)| (*name == key).then_some(*row))
            }),
        };
        reading
            .rows
            .fill(row.map(|row| (row, whole_times(count, PAGE))));
    }
    if reading.rows.iter().count() < 3 {
        return None;
    }
    if let Some(file) = reading.node("FilePages") {
        reading.rows.set("node:Cached", file);
        reading.rows.set("node:Buffers", 0);
    }
    Some(reading)
}
