//! The table of `free`.

use crate::explain::{Reading, Scope, number};

/// The head of `top`: procps since 3.3 and before, busybox.
pub fn top(lines: &[String]) -> Option<Reading> {
    let mut reading = Reading::default();
    for line in lines {
        let Some((head, rest)) = line.split_once(':') else {
            continue;
        };
        let (swap, default) = match head.trim() {
            "Mem" => (false, 1.0),
            "Swap" => (true, 1.0),
            "KiB Mem" => (false, 1024.0),
            "KiB Swap" => (true, 1024.0),
            "MiB Mem" => (false, 1_048_576.0),
            "MiB Swap" => (true, 1_048_576.0),
            "GiB Mem" => (false, 1_073_741_824.0),
            "GiB Swap" => (true, 1_073_741_824.0),
            _ => continue,
        };
        let words: Vec<&str> = rest.split_whitespace().collect();
        for pair in words.windows(2) {
            let bytes = number::parse(pair[0].trim_end_matches('+'))
                .filter(|_| pair[0].ends_with(|c: char| c.is_ascii_alphabetic()))
                .or_else(|| number::scale(pair[0], default));
            let row = match (pair[1].trim_end_matches([',', '.']), swap) {
                ("total", false) => "node:MemTotal",
                ("free", false) => "node:MemFree",
                ("used", false) => "node:Used",
                ("buff/cache", false) => "node:BuffCache",
                ("buffers" | "buff", false) => "node:Buffers",
                ("shrd", false) => "node:Shmem",
                ("total", true) => "node:SwapTotal",
                ("free", true) => "node:SwapFree",
                ("avail", true) => "node:MemAvailable",
                ("cached", _) => "node:Cached",
                _ => continue,
            };
            if let Some(bytes) = bytes {
                reading.rows.set(row, bytes);
            }
        }
    }
    reading.rows.get("node:MemFree")?;
    // busybox gives no total.
    if reading.rows.get("node:MemTotal").is_none() {
        let parts = reading
            .rows
            .get("node:Used")
            .zip(reading.rows.get("node:MemFree"));
        reading.rows.set(
            "node:MemTotal",
            parts.map(|(used, free)| used.saturating_add(free))?,
        );
    }
    reading.source = "top";
    reading.scope = Scope::Node;
    reading.label = "the machine, by top".into();
    Some(reading)
}

/// The reading of the first table of `free` among the lines.
pub fn read(lines: &[String]) -> Option<Reading> {
    // Bold marks of an issue's text.
    let lines: &[String] = &lines
        .iter()
        .map(|line| line.replace("**", ""))
        .collect::<Vec<_>>();
    let at = lines.iter().position(|line| {
        let mut words = line.split_whitespace();
        (words.next(), words.next(), words.next()) == (Some("total"), Some("used"), Some("free"))
    })?;
    let columns: Vec<&str> = lines[at].split_whitespace().collect();
    let (mut reading, mut guessed) = (Reading::default(), None);
    for line in lines[at + 1..].iter().take(4) {
        let mut words = line.split_whitespace();
        let rows: &[(&str, &str)] = match words.next() {
            Some("Mem:") => &[
                ("used", "node:Used"),
                ("buff/cache", "node:BuffCache"),
                ("buffers", "node:Buffers"),
                ("cached", "node:Cached"),
                ("cache", "node:Cached"),
                ("total", "node:MemTotal"),
                ("free", "node:MemFree"),
                ("shared", "node:Shmem"),
                ("available", "node:MemAvailable"),
            ],
            Some("Swap:") => &[("total", "node:SwapTotal"), ("free", "node:SwapFree")],
            _ => continue,
        };
        let cells: Vec<&str> = words.collect();
        let unit = *guessed.get_or_insert_with(|| unit_of(lines, at, cells.first()));
        for (column, row) in rows {
            let cell = columns
                .iter()
                .position(|c| c == column)
                .and_then(|at| cells.get(at));
            if let Some(bytes) = cell.and_then(|cell| bytes(cell, unit)) {
                reading.rows.set(*row, bytes);
            }
        }
    }
    reading.rows.get("node:MemTotal")?;
    reading.source = "free";
    reading.scope = Scope::Node;
    reading.label = "the machine".into();
    // The prompt and the words above it often name the machine.
    reading.container = Some(lines[at.saturating_sub(2)..at].join(" "));
    reading.notes.push(
        "free says nothing of cgroups, and its buff/cache holds tmpfs and reclaimable slab beside page cache: \
         what is inactive, and so the working set, is in /proc/meminfo only."
            .into(),
    );
    if let Some(unit) = guessed.filter(|_| !has_unit(&lines[at + 1])) {
        let name = ["B", "KiB", "MiB", "GiB"][unit.ilog2() as usize / 10];
        reading
            .notes
            .push(format!("Its numbers were taken as {name}."));
    }
    Some(reading)
}

fn has_unit(row: &str) -> bool {
    row.split_whitespace()
        .skip(1)
        .any(|cell| cell.ends_with(|c: char| c.is_ascii_alphabetic()))
}

fn bytes(cell: &str, unit: u64) -> Option<u64> {
    match cell.parse::<u64>() {
        Ok(count) => count.checked_mul(unit),
        Err(_) => number::parse(cell),
    }
}

/// The unit of bare numbers: as the command above says, else the one that makes the total a
/// machine's memory (between 256 MiB and 4 TiB).
fn unit_of(lines: &[String], heading: usize, total: Option<&&str>) -> u64 {
    let command = lines[..heading].last().map_or("", |line| line.as_str());
    let named = command.split_once("free");
    if let Some((_, options)) = named.filter(|(_, rest)| rest.is_empty() || rest.starts_with(' ')) {
        for (option, unit) in [("-b", 1), ("-k", 1 << 10), ("-m", 1 << 20), ("-g", 1 << 30)] {
            if options
                .split_whitespace()
                .any(|word| word.starts_with(option))
            {
                return unit;
            }
        }
        return 1 << 10;
    }
    match total.and_then(|cell| cell.parse::<u64>().ok()).unwrap_or(0) {
        0..250_000 => 1 << 20,
        250_000..4_294_967_296 => 1 << 10,
        _ => 1,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn total(text: &str) -> Option<u64> {
        let lines: Vec<String> = text.lines().map(|line| line.trim().to_string()).collect();
        read(&lines)?.rows.get("node:MemTotal")
    }

    #[test]
    fn units_by_command_letter_or_size() {
        let head = "total used free shared buff/cache available\n";
        for (before, row, want) in [
            ("", "Mem: 15886 4512 873 342 10500 10700", 15886 << 20),
            (
                "",
                "Mem: 16267568 4512000 873000 342 10500 10700",
                16_267_568 << 10,
            ),
            ("$ free -g\n", "Mem: 15 4 1 0 10 10", 15 << 30),
            ("$ free\n", "Mem: 201000 4 1 0 10 10", 201_000 << 10),
            ("", "Mem: 15Gi 4.4Gi 873Mi 342Mi 10Gi 10Gi", 15 << 30),
            ("", "Mem: 16657989632 1 1 1 1 1", 16_657_989_632),
        ] {
            assert_eq!(
                total(&format!("{before}{head}{row}\n")),
                Some(want),
                "{row}"
            );
        }
    }

    proptest! {
        #[test]
        fn nothing_panics(rows in "(total used free( shared)?\n)?(Mem:( [0-9.GiMk]{0,22}){0,7}\n){0,3}") {
            total(&rows);
        }
    }
}
