//! A machine's memory as daemons and tools tell it in a line or two, and its free blocks.

use super::told::{after, first, size};
use crate::explain::{Reading, What, clean, number};

/// What a text tells of the machine.
pub fn read(text: &str, lines: &[String]) -> Option<Reading> {
    let told = TOLD.iter().find_map(|tool| tool(text));
    told.or_else(|| LISTED.iter().find_map(|tool| tool(lines)))
}

/// Sizes of a machine by meminfo's names.
fn machine(source: &'static str, rows: &[(&str, Option<u64>)]) -> Option<Reading> {
    let mut reading = Reading::machine(source, format!("the machine, by {source}"));
    let rows = rows.iter();
    let rows = rows.map(|(row, bytes)| (format!("node:{row}"), *bytes));
    reading.rows.fill(rows);
    reading.node("MemTotal")?;
    reading.node("MemAvailable").or(reading.node("MemFree"))?;
    Some(reading)
}

/// The tools that tell it in words, one function each, and those that list it.
const TOLD: [Tool<str>; 6] = [earlyoom, kubelet, oomctl, exporter, psutil, htop];
const LISTED: [Tool<[String]>; 3] = [sar, areas, blocks];

type Tool<T> = fn(&T) -> Option<Reading>;

/// The last line that has a mark.
fn line<'a>(text: &'a str, mark: &str) -> Option<&'a str> {
    let at = text.rfind(mark)?;
    let from = text[..at].rfind('\n').map_or(0, |end| end + 1);
    text[from..].lines().next()
}

fn less(all: Option<u64>, used: Option<u64>) -> Option<u64> {
    Some(all?.saturating_sub(used?))
}

/// `mem avail:    56 of 15881 MiB ( 0.35%), swap free: 2555 of 4095 MiB (62.38%)`.
fn earlyoom(text: &str) -> Option<Reading> {
    let line = line(text, "mem avail:")?;
    let of = |mark: &str| pair(line.split_once(mark)?.1);
    let (memory, swap) = (of("mem avail:")?, of("swap free:"));
    let rows = [
        ("MemAvailable", Some(memory.0)),
        ("MemTotal", Some(memory.1)),
        ("SwapFree", swap.map(|swap| swap.0)),
        ("SwapTotal", swap.map(|swap| swap.1)),
    ];
    let mut found = machine("earlyoom", &rows)?;
    let note = "earlyoom acts only when memory and swap are both below its thresholds.";
    found.notes.push(note.into());
    Some(found)
}

/// `signal=memory.available, available: 60687100Ki, capacity: 65973468Ki`.
fn kubelet(text: &str) -> Option<Reading> {
    let line = line(text, "signal=memory.available")
        .or_else(|| line(text, "signal=\"memory.available\""))?;
    let of = |key: &str| first(line, &[&format!("{key}: "), &format!("{key}=")]);
    let rows = [
        ("MemAvailable", of("available")),
        ("MemTotal", of("capacity")),
    ];
    machine("the kubelet's log", &rows)
}

fn oomctl(text: &str) -> Option<Reading> {
    let (_, rest) = text.split_once("System Context:")?;
    let swap = rest.split_once("Swap:").map_or("", |(_, swap)| swap);
    let (used, total) = (after(rest, "Used:"), after(rest, "Total:"));
    let (swap_used, swap_total) = (after(swap, "Used:"), after(swap, "Total:"));
    let rows = [
        ("Used", used),
        ("MemTotal", total),
        ("MemAvailable", less(total, used)),
        ("SwapTotal", swap_total),
        ("SwapFree", less(swap_total, swap_used)),
    ];
    machine("oomctl", &rows)
}

/// `node_memory_MemTotal_bytes 1.6657989632e+10`.
fn exporter(text: &str) -> Option<Reading> {
    if !text.contains("node_memory_MemTotal_bytes") {
        return None;
    }
    let rows = text.lines().filter_map(|line| {
        let metric = line.trim().strip_prefix("node_memory_")?;
        let (row, value) = metric.split_once("_bytes ")?;
        Some((row, size(value)))
    });
    machine("node_exporter", &rows.collect::<Vec<_>>())
}

/// `svmem(total=10367352832, available=6472179712, ...)`.
fn psutil(text: &str) -> Option<Reading> {
    let (_, rest) = text.split_once("svmem(")?;
    let of = |key: &str| after(rest, key);
    let rows = [
        ("MemTotal", of("total=")),
        ("MemAvailable", of("available=")),
        ("Used", of("used=")),
        ("MemFree", of("free=")),
        ("Buffers", of("buffers=")),
        ("Cached", of("cached=")),
        ("Shmem", of("shared=")),
    ];
    machine("psutil", &rows)
}

/// `Mem[|||||||11.2G/15.5G]`, the head of htop.
fn htop(text: &str) -> Option<Reading> {
    let (_, bar) = line(text, "Mem[")?.split_once("Mem[")?;
    let bar = bar.trim_start_matches(['|', '#', ' ', '*', '@']);
    let (used, total) = bar.split(']').next()?.split_once('/')?;
    let (used, total) = (number::parse(used), number::parse(total));
    let rows = [
        ("Used", used),
        ("MemTotal", total),
        ("MemAvailable", less(total, used)),
    ];
    machine("htop", &rows)
}

/// `56 of 15881 MiB`.
pub fn pair(text: &str) -> Option<(u64, u64)> {
    let words: Vec<&str> = text.split_whitespace().take(4).collect();
    let [left, "of", all, unit] = words[..] else {
        return None;
    };
    let unit = number::unit(unit)?;
    Some((number::scale(left, unit)?, number::scale(all, unit)?))
}

/// `sar -r`: its last line that is no average.
fn sar(lines: &[String]) -> Option<Reading> {
    let of = clean::last_row(lines.iter().map(String::as_str), "kbmemfree")?;
    let (free, used, cached) = (of("kbmemfree"), of("kbmemused"), of("kbcached"));
    let (available, buffers) = (of("kbavail"), of("kbbuffers"));
    // Since sysstat 11.7 memory in use is without the cache.
    let cache = [cached, buffers].map(|size| size.filter(|_| available.is_some()).unwrap_or(0));
    let total = number::sum([free?, used?].into_iter().chain(cache));
    let rows = [
        ("MemTotal", Some(total)),
        ("MemFree", free),
        ("MemAvailable", available),
        ("Cached", cached),
        ("Buffers", buffers),
    ];
    machine("sar", &rows)
}

/// `smem -w`: the machine by area.
fn areas(lines: &[String]) -> Option<Reading> {
    let of = |name: &str| -> Option<[u64; 3]> {
        let row = lines.iter().find_map(|line| line.strip_prefix(name))?;
        let cells = row.split_whitespace();
        let cells = cells.map(|cell| size(cell)?.checked_mul(1024));
        cells.collect::<Option<Vec<u64>>>()?.try_into().ok()
    };
    let (kernel, programs) = (of("kernel dynamic memory")?, of("userspace memory")?);
    let [free, ..] = of("free memory")?;
    let cache = kernel[1].saturating_add(programs[1]);
    let rows = [
        (
            "MemTotal",
            Some(number::sum([kernel[0], programs[0], free])),
        ),
        ("MemFree", Some(free)),
        ("MemAvailable", Some(cache.saturating_add(free))),
        ("BuffCache", Some(cache)),
    ];
    machine("smem -w", &rows)
}

/// `/proc/buddyinfo`: `Node 1, zone   Normal 426212 143208 ...`, free blocks by order.
fn blocks(lines: &[String]) -> Option<Reading> {
    let zone = |line: &String| {
        let (node, rest) = line.strip_prefix("Node ")?.split_once(", zone ")?;
        let mut words = rest.split_whitespace();
        let name = format!("node {} {}", node.trim(), words.next()?);
        let free: Option<Vec<u64>> = words.map(|word| word.parse().ok()).collect();
        free.filter(|free| (5..=20).contains(&free.len()))
            .map(|free| (name, free))
    };
    let zones: Vec<(String, Vec<u64>)> = lines.iter().filter_map(zone).collect();
    let mut found = Reading::machine("/proc/buddyinfo", "the machine's free blocks");
    let known = !zones.is_empty();
    found.what = What::Blocks(zones);
    known.then_some(found)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn of(text: &str) -> Option<Reading> {
        read(text, &crate::explain::clean::lines(text))
    }

    #[test]
    fn total_and_available_of_each() {
        for (text, total, available) in [
            (
                "mem avail: 9000 of 15881 MiB (1%)\nmem avail:    56 of 15881 MiB ( 0.35%), swap free: 2555 of 4095 MiB (62.38%)\n",
                15_881 << 20,
                56 << 20,
            ),
            (
                "I1215 eviction manager: signal=memory.available, available: 60687100Ki, capacity: 65973468Ki, time: x\n",
                65_973_468 << 10,
                60_687_100 << 10,
            ),
            (
                "System Context:\n Memory: Used: 1.5G Total: 3.5G\n Swap: Used: 1G Total: 4G\n",
                7 << 29,
                2 << 30,
            ),
            (
                "# HELP node_memory_MemTotal_bytes Memory information.\nnode_memory_MemTotal_bytes 1.5e+09\nnode_memory_MemFree_bytes 3e+08\nnode_memory_MemAvailable_bytes 1e+09\n",
                1_500_000_000,
                1_000_000_000,
            ),
            (
                "svmem(total=9000, available=5000, percent=37.6, used=3000, free=1000)",
                9000,
                5000,
            ),
            (
                "  Mem[|||||||||||11.5G/15.5G]   Tasks: 181\n",
                31 << 29,
                4 << 30,
            ),
            (
                "12:00:01 AM kbmemfree kbavail kbmemused %memused kbbuffers kbcached\n12:10:01 AM 100 600 200 1 50 550\nAverage: 1 1 1 1 1 1\n",
                900 << 10,
                600 << 10,
            ),
            (
                "Area Used Cache Noncache\nkernel dynamic memory 200 100 100\nuserspace memory 300 50 250\nfree memory 400 400 0\n",
                900 << 10,
                550 << 10,
            ),
        ] {
            let found = of(text).unwrap_or_else(|| panic!("{text}")).rows;
            let get = |row: &str| found.get(&format!("node:{row}"));
            assert_eq!(
                (get("MemTotal"), get("MemAvailable")),
                (Some(total), Some(available)),
                "{text}"
            );
        }
        let Some(What::Blocks(zones)) =
            of("Node 0, zone Normal 4 3 2 1 0 0\n").map(|found| found.what)
        else {
            panic!("free blocks")
        };
        assert_eq!(
            zones,
            [("node 0 Normal".to_string(), vec![4, 3, 2, 1, 0, 0])]
        );
    }

    proptest! {
        #[test]
        fn nothing_panics(text in "(mem avail:|swap free:| of | MiB|signal=memory.available|available: |Mem\\[\\|*|/|\\]|kbmemfree|kbmemused|userspace memory|Node |, zone |[0-9]{1,22}|é| |\n){0,14}") {
            of(&text);
        }
    }
}
