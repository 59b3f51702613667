//! The table of `free`.

use crate::explain::number::in_unit;
use crate::explain::{Reading, clean, number};

/// The head of `top`: procps since 3.3 and before, busybox.
pub fn top(lines: &[String]) -> Option<Reading> {
    let mut reading = Reading::machine("top", "the machine, by top");
    for line in lines {
        let Some((head, rest)) = line.split_once(':') else {
            continue;
        };
        // `MiB Mem`; before procps 3.3 and in busybox without a unit.
        let (unit, what) = head.trim().split_once(' ').unwrap_or(("B", head.trim()));
        let default = Some(unit).filter(|unit| ["B", "KiB", "MiB", "GiB"].contains(unit));
        let (Some(default), "Mem" | "Swap") = (default.and_then(number::unit), what) else {
            continue;
        };
        let swap = what == "Swap";
        let rest = rest.replace('+', "+ ");
        let words: Vec<&str> = rest.split_whitespace().collect();
        for pair in words.windows(2) {
            let with_unit = pair[0].ends_with(|c: char| c.is_ascii_alphabetic());
            let bytes = match pair[0].strip_suffix('+') {
                // A digit that had no room.
                Some(cut) => number::scale(cut, default * 10.0),
                None if with_unit => number::parse(pair[0]),
                None => number::scale(pair[0], default),
            };
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
    if reading.node("MemTotal").is_none() {
        let total = reading
            .node("Used")?
            .saturating_add(reading.node("MemFree")?);
        reading.rows.set("node:MemTotal", total);
    }
    Some(reading)
}

/// The readings of all tables of `free` among the lines, in any language.
pub fn read(lines: &[String]) -> Vec<Reading> {
    // Each of its rows has a name and a colon.
    let has_row =
        |line: &String| row(line).is_some() || line.contains(" Mem:") || line.contains("MemUse");
    if !lines.iter().any(has_row) {
        return Vec::new();
    }
    // Bold marks of an issue's text.
    let lines = lines
        .iter()
        .flat_map(|line| broken(&line.replace("**", "")));
    let lines: Vec<String> = lines.collect();
    let found = |at| table(&lines, at).or_else(|| in_one_line(&lines, at));
    (0..lines.len()).filter_map(found).collect()
}

/// A table that a web page ran together into one line, as lines.
fn broken(line: &str) -> Vec<String> {
    if !line.contains("total used free") || !line.contains(" Mem:") {
        return vec![line.to_string()];
    }
    let marks = [" Mem:", " -/+ buffers", " Swap:"];
    let mut line = line.to_string();
    for mark in marks {
        line = line.replace(mark, &format!("\n{}", mark.trim_start()));
    }
    line.lines().map(str::to_string).collect()
}

/// `free -L`: `SwapUse 126936 CachUse 9812284 MemUse 6340120 MemFree 16124932`.
fn in_one_line(lines: &[String], at: usize) -> Option<Reading> {
    let words = clean::words(&lines[at]);
    if !words.contains(&"MemUse") || !words.contains(&"CachUse") {
        return None;
    }
    let value = |key: &str| {
        let place = words.iter().position(|word| *word == key)?;
        in_unit(words.get(place + 1)?, unit_of(lines, at, None).max(1 << 10))
    };
    let (used, cache, free) = (value("MemUse")?, value("CachUse")?, value("MemFree")?);
    let mut reading = Reading::machine("free", "the machine");
    let note = "Its numbers were taken as KiB where they have no unit; the total is their sum.";
    reading.notes.push(note.into());
    reading.rows.fill([
        ("node:Used", Some(used)),
        ("node:BuffCache", Some(cache)),
        ("node:MemFree", Some(free)),
        ("node:MemTotal", Some(number::sum([used, cache, free]))),
    ]);
    Some(reading)
}

/// The names of the columns of a table that begins with this line, by the line itself in English,
/// else by its shape: as many words as the first row has sizes, and sizes that add up.
fn columns(lines: &[String], at: usize) -> Option<Vec<&str>> {
    let words = clean::words(&lines[at]);
    if words.len() >= 3 && words[..3] == ["total", "used", "free"] {
        return Some(words);
    }
    let plain = |word: &&str| !word.contains(|c: char| c.is_ascii_digit() || ":|%=".contains(c));
    if !matches!(words.len(), 3 | 6 | 7) || !words.iter().all(plain) {
        return None;
    }
    let (memory, swap) = (row(lines.get(at + 1)?)?.1, row(lines.get(at + 2)?)?);
    let fits = memory.len() == words.len() && (swap.1.len() == 3 || swap.0.starts_with('-'));
    let sizes: Vec<u64> = memory.iter().filter_map(|cell| in_unit(cell, 1)).collect();
    if !fits || sizes.len() != memory.len() || sizes[0] < sizes[1].max(sizes[2]) {
        return None;
    }
    // procps before 3.3.10 counted cache as used.
    let old = sizes[1].saturating_add(sizes[2]).abs_diff(sizes[0]) <= sizes[0] / 100;
    Some(match words.len() {
        3 => vec!["total", "used", "free"],
        7 => vec![
            "total",
            "used",
            "free",
            "shared",
            "buffers",
            "cache",
            "available",
        ],
        _ if old => vec!["total", "used", "free", "shared", "buffers", "cached"],
        _ => vec!["total", "used", "free", "shared", "buff/cache", "available"],
    })
}

/// A row's name and its cells.
fn row(line: &str) -> Option<(&str, Vec<&str>)> {
    let (name, cells) = line.split_once(':')?;
    let name = name.trim();
    let fits = name.chars().count() <= 24 && !name.contains(|c: char| c.is_ascii_digit());
    let cells: Vec<&str> = cells.split_whitespace().collect();
    let sized = cells.len() <= 7 && cells.iter().all(|cell| in_unit(cell, 1).is_some());
    (fits && sized && cells.len() >= 2).then_some((name, cells))
}

fn table(lines: &[String], at: usize) -> Option<Reading> {
    let columns = columns(lines, at)?;
    let english = lines[at].split_whitespace().nth(1) == Some("used");
    let (mut reading, mut guessed) = (Reading::machine("free", "the machine"), None);
    for (index, line) in lines[at + 1..].iter().take(5).enumerate() {
        let Some((name, cells)) = row(line) else {
            break;
        };
        let name = name.to_lowercase();
        let named = name.starts_with("swap") || name.starts_with("inter");
        let swap = named || cells.len() == 3 && !english && index > 0;
        let rows: &[(&str, &str)] = match (index, swap) {
            (0, _) => &[
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
            (_, true) => &[("total", "node:SwapTotal"), ("free", "node:SwapFree")],
            _ => continue,
        };
        let unit = *guessed.get_or_insert_with(|| unit_of(lines, at, cells.first()));
        let of = |column: &str| {
            let place = columns.iter().position(|c| *c == column)?;
            in_unit(cells.get(place)?, unit)
        };
        let found = rows.iter().map(|(column, row)| (*row, of(column)));
        reading.rows.fill(found);
        if swap {
            break;
        }
    }
    reading.rows.get("node:MemTotal")?;
    // The prompt and the words above it often name the machine.
    reading.container = Some(lines[at.saturating_sub(2)..at].join(" "));
    reading.notes.push(
        "free says nothing of cgroups, and its buff/cache holds tmpfs and reclaimable slab beside page cache: \
         what is inactive, and so the working set, is in /proc/meminfo only."
            .into(),
    );
    if let Some(unit) = guessed.filter(|_| !has_unit(&lines[at + 1])) {
        let name = ["B", "KiB", "MiB", "GiB"][unit.ilog2() as usize / 10];
        let note = format!("Its numbers were taken as {name}.");
        reading.notes.push(note);
    }
    Some(reading)
}

fn has_unit(row: &str) -> bool {
    let (_, cells) = row.split_once(':').unwrap_or(("", ""));
    let mut cells = cells.split_whitespace();
    cells.any(|cell| cell.ends_with(|c: char| c.is_ascii_alphabetic()))
}

/// The unit of bare numbers: as the command above says, else the one that makes the total a
/// machine's memory (between 256 MiB and 4 TiB).
fn unit_of(lines: &[String], heading: usize, total: Option<&&str>) -> u64 {
    let command = lines[..heading].last().map_or("", |line| line.as_str());
    let named = command.split_once("free");
    if let Some((_, options)) = named.filter(|(_, rest)| rest.is_empty() || rest.starts_with(' ')) {
        const UNITS: [(&str, u64); 4] =
            [("-b", 1), ("-k", 1 << 10), ("-m", 1 << 20), ("-g", 1 << 30)];
        let named = |(option, _): &&(&str, u64)| {
            let mut words = options.split_whitespace();
            words.any(|word| word.starts_with(option))
        };
        return UNITS.iter().find(named).map_or(1 << 10, |(_, unit)| *unit);
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
        read(&lines).first()?.rows.get("node:MemTotal")
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

    #[test]
    fn a_table_is_known_by_its_shape_in_any_language() {
        let rows = |text: &str| {
            let lines: Vec<String> = text.lines().map(|line| line.trim().to_string()).collect();
            let found = read(&lines);
            assert_eq!(found.len(), 1, "{text}");
            ["MemTotal", "Used", "MemAvailable", "Cached", "SwapFree"].map(|row| {
                found[0]
                    .rows
                    .get(&format!("node:{row}"))
                    .map(|bytes| bytes >> 20)
            })
        };
        for (head, memory, swap) in [
            (
                "gesamt benutzt frei gemns. Puffer/Cache verfügbar",
                "Speicher:",
                "Swap:",
            ),
            (
                "total utilisé libre partagé tamp/cache disponible",
                "Mem:",
                "Partition d'échange:",
            ),
            (
                "total usado libre compartido búf/caché disponible",
                "Mem:",
                "Inter:",
            ),
            ("总计 已用 空闲 共享 缓冲/缓存 可用", "内存:", "交换:"),
            (
                "всего занято свободно общая буф./врем. доступно",
                "Память:",
                "Подкачка:",
            ),
        ] {
            let text = format!(
                "{head}\n{memory} 15Gi 9,5Gi 793Mi 334Mi 5,4Gi 5,5Gi\n{swap} 2,0Gi 500Mi 1,5Gi\n"
            );
            assert_eq!(
                rows(&text),
                [Some(15360), Some(9728), Some(5632), None, Some(1536)],
                "{text}"
            );
        }
        let old = "razem użyte wolne dzielone bufory cache\nPamięć: 15000 14000 1000 0 300 5000\n\
                   -/+ buf/cache: 8700 6300\nWymiana: 2000 500 1500\n";
        assert_eq!(
            rows(old),
            [Some(15000), Some(14000), None, Some(5000), Some(1500)]
        );
    }

    proptest! {
        #[test]
        fn nothing_panics(rows in "(total used free( shared)?\n)?(Mem:( [0-9.GiMk]{0,22}){0,7}\n){0,3}") {
            total(&rows);
        }
    }
}
