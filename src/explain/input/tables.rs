//! What tools printed: `docker stats`, `podman stats`, `crictl stats`, `kubectl top`,
//! `systemctl status`, `systemd-cgtop`, `free`.
//!
//! Such a number is rounded, and it is the tool's formula, not the kernel's counter: each reading
//! says which formula it is taken for and what follows from it can't be more exact than the print.

use super::{READINGS_MAX, free, series};
use crate::explain::{Reading, number};
use crate::formula::plain::PODMAN_COUNTS;

/// The kind of table the lines that follow belong to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Table {
    Docker,
    OldDocker,
    Podman,
    Crictl,
    Top {
        node: bool,
        namespace: bool,
        container: bool,
    },
    Cgtop,
}

/// All rows of all tables in the text.
pub fn read(text: &str, lines: &[String]) -> Vec<Reading> {
    let mut found = Vec::new();
    let mut table = None;
    let (mut tables, mut now) = (0, None);
    let unit = is_unit(text);
    let mut name = None;
    for (at, line) in lines.iter().enumerate() {
        if found.len() >= READINGS_MAX {
            break;
        }
        if let Some(next) = heading(line, lines.get(at + 1).map_or("", |next| next)) {
            table = Some(next);
            tables += 1;
            continue;
        }
        let (stamp, line) = series::stamped(line);
        now = stamp.or(now);
        if unit {
            name = unit_name(line).or(name);
        }
        let one = match table {
            Some(table) => row(table, &words(line)),
            None if line.contains('/') || line.contains("Mi") => bare(&words(line)),
            None => None,
        };
        let one = one.or_else(|| unit.then(|| unit_memory(line, name.as_deref()))?);
        if let Some(mut reading) = one {
            reading.at = now;
            // A row without a heading is one of its own.
            let of = table.map_or(at + lines.len(), |_| tables);
            found.push((reading, of));
        }
    }
    let once = [unit_properties(lines), lxc(lines), dyno(lines)];
    found.extend(once.into_iter().flatten().map(|reading| (reading, 0)));
    found.extend(free::read(lines).into_iter().zip(0..));
    found.extend(free::top(lines).map(|reading| (reading, 0)));
    series::repeated(found)
}

/// Whether a text shows a unit's memory as systemd prints it.
pub fn is_unit(text: &str) -> bool {
    const KEYS: [&str; 3] = ["Main PID:", "Loaded:", "CGroup:"];
    const PARTS: [&str; 7] = [
        "(max:", "(high:", "(limit:", "(peak:", "(swap", "(min:", "(low:",
    ];
    let status = |line: &str| {
        let line = line.trim_start_matches(['>', ' ', '\t']);
        let memory = line.starts_with("Memory:");
        KEYS.iter().any(|key| line.starts_with(key))
            || memory && PARTS.iter().any(|part| line.contains(part))
    };
    let mut marks = KEYS.iter().chain(&["Memory:"]);
    marks.any(|mark| text.contains(mark)) && text.lines().any(status)
}

/// The words of a line; `495.2 MB` becomes one.
fn words(line: &str) -> Vec<String> {
    let mut words: Vec<String> = Vec::new();
    // `41.16 MiB/994 MiB`, as docker wrote it before 1.13.
    let line = line.replace("B/", "B / ");
    for word in line.split_whitespace() {
        match words.last_mut() {
            Some(last)
                if number::unit(word).is_some()
                    && last.bytes().all(|b| b.is_ascii_digit() || b == b'.') =>
            {
                last.push_str(word);
            }
            _ => words.push(word.to_string()),
        }
    }
    words
}

/// The table that begins with this line; `next` is its first row.
fn heading(line: &str, next: &str) -> Option<Table> {
    let upper = line.trim_start_matches("# ");
    if !upper.contains("MEM") && !upper.starts_with("Control Group") {
        return None;
    }
    let has = |name: &str| upper.contains(name);
    if has("MEMORY(bytes)") {
        return Some(Table::Top {
            node: has("MEMORY%") || has("MEMORY(%)"),
            namespace: has("NAMESPACE"),
            container: has("POD ") && has(" NAME"),
        });
    }
    if has("MEM USAGE") && has("LIMIT") {
        // podman always prints decimal units. docker names the ids since 17.06, and put a space before
        // a unit until 1.12.
        let old = upper.starts_with("CONTAINER") && !upper.starts_with("CONTAINER ID");
        return Some(match (next.contains("iB"), upper.starts_with("ID")) {
            (true, _) if old => Table::OldDocker,
            (true, _) => Table::Docker,
            (false, true) => Table::Podman,
            (false, false) => Table::OldDocker,
        });
    }
    if upper.starts_with("Control Group") && has("Memory") {
        return Some(Table::Cgtop);
    }
    (upper.starts_with("CONTAINER") && has("CPU %") && has(" MEM ")).then_some(Table::Crictl)
}

/// A row without its heading, where its shape leaves no doubt.
fn bare(words: &[String]) -> Option<Reading> {
    // `web-1 3m 245Mi`, as grep leaves it of kubectl top.
    let millis = |cpu: &str| {
        cpu.strip_suffix('m')
            .is_some_and(|n| n.parse::<u32>().is_ok())
    };
    if let [_, cpu, memory] = words
        && millis(cpu)
        && memory.ends_with("Mi")
    {
        return top(words, false, false, false);
    }
    let is_share = |word: &String| word.trim_matches(['(', ')', ',']).ends_with('%');
    let share = |word: Option<&String>| word.is_some_and(is_share);
    let slash = words.iter().position(|word| word == "/")?;
    let (used, percent) = (words.get(slash.checked_sub(1)?)?, words.get(slash + 2));
    // `web: 412MiB / 512MiB (80.53%)` of a format of one's own has no share of CPU before it.
    let before = words.get(slash.checked_sub(2)?);
    let named = slash == 2 && before.is_some_and(|name| name.ends_with(':'));
    if !share(percent) || !(share(before) || named) || !used.ends_with('B') {
        return None;
    }
    // Decimal units are of docker before 1.13, or of podman: usage in most of them.
    let table = if used.ends_with("iB") {
        Table::Docker
    } else {
        Table::OldDocker
    };
    row(table, words)
}

fn row(table: Table, words: &[String]) -> Option<Reading> {
    match table {
        Table::Docker | Table::OldDocker | Table::Podman => stats(table, words),
        Table::Crictl => crictl(words),
        Table::Top {
            node,
            namespace,
            container,
        } => top(words, node, namespace, container),
        Table::Cgtop => cgtop(words),
    }
}

/// `ID NAME 2.21% 2.87GB / 3.843GB 74.68% ...`.
fn stats(table: Table, words: &[String]) -> Option<Reading> {
    let at = words
        .windows(3)
        .position(|w| w[1] == "/" && size(&w[0]).is_some())?;
    let name = match &words[..at] {
        [id, name, ..] if !name.ends_with('%') && !id.ends_with('%') => name,
        [id, ..] if !id.ends_with('%') => id.trim_end_matches(':'),
        _ => "a container",
    };
    usage_of_limit(table, name, &words[at], words.get(at + 2))
}

/// The cell of usage and limit alone, from the tools' JSON.
pub fn stats_cell(cell: &str, name: &str, podman: bool) -> Option<Reading> {
    let words = words(cell);
    let table = match (podman, cell.contains("iB")) {
        (true, _) => Table::Podman,
        (false, true) => Table::Docker,
        (false, false) => Table::OldDocker,
    };
    usage_of_limit(table, name, words.first()?, words.get(2))
}

fn usage_of_limit(table: Table, name: &str, used: &str, limit: Option<&String>) -> Option<Reading> {
    let bytes = size(used)?;
    let podman =
        format!("none of what podman counts ({PODMAN_COUNTS}), since it does not say which");
    let (source, formula) = match table {
        Table::Podman => ("podman stats", podman.as_str()),
        Table::OldDocker => (
            "docker stats",
            "usage, cache included, as docker did before 17.06",
        ),
        _ => (
            "docker stats",
            "usage - inactive_file (docker_stats, since docker 20.10); docker 17.06 to 19.03 would mean \
             usage - cache, and older ones usage",
        ),
    };
    let mut reading = shown(source, name, used, formula);
    reading.rows.set("shown", bytes);
    match table {
        Table::Docker => reading.working_set = Some(bytes),
        Table::OldDocker => reading.rows.set("usage", bytes),
        _ => {}
    }
    if let Some(limit) = limit.and_then(|word| size(word)) {
        reading.rows.set("limit", limit);
        let note = "The limit printed is the machine's memory where the container has none.";
        reading.notes.push(note.into());
    }
    Some(reading)
}

fn crictl(words: &[String]) -> Option<Reading> {
    let is_size = |word: &String| word.ends_with('B') && size(word).is_some();
    let at = words.iter().position(is_size)?;
    let name = match &words[..at] {
        [_, name, _, ..] => name,
        [id, ..] => id,
        [] => return None,
    };
    let formula = "the working set as the runtime computes it (cadvisor_working_set)";
    let mut reading = shown("crictl stats", name, &words[at], formula);
    reading.working_set = size(&words[at]);
    Some(reading)
}

fn top(words: &[String], node: bool, namespace: bool, container: bool) -> Option<Reading> {
    let is_size = |word: &String| word.ends_with('i') && size(word).is_some();
    let at = words.iter().rposition(is_size)?;
    // Names, then the CPU column.
    let names = words.get(usize::from(namespace)..at.checked_sub(1)?)?;
    let first = names.first()?.clone();
    let formula =
        "the working set of the metrics API (cadvisor_working_set), truncated to whole Mi";
    let mut reading = shown("kubectl top", &first, &words[at], formula);
    reading.working_set = size(&words[at]);
    match (node, names.get(1).filter(|_| container)) {
        (true, _) => {
            reading.scope = crate::explain::Scope::Node;
            reading.label = format!("node {first}");
            let percent = words.get(at + 1);
            let percent = percent.and_then(|word| word.strip_suffix('%')?.parse().ok());
            reading.rows.fill([("shown_percent", percent)]);
        }
        (false, Some(name)) => {
            reading.label = format!("container {name} of pod {first}");
            reading.container = Some(name.clone());
            reading.pod = Some(first);
        }
        (false, None) => {
            reading.label = format!("pod {first}");
            reading.container = None;
            reading.pod = Some(first);
            let note = "A pod's number is the sum of its containers.";
            reading.notes.push(note.into());
        }
    }
    Some(reading)
}

fn cgtop(words: &[String]) -> Option<Reading> {
    let used = words.get(3)?;
    let bytes = size(used)?;
    let mut reading = shown("systemd-cgtop", &words[0], used, "usage (memory.current)");
    reading.rows.set("usage", bytes);
    reading.path = Some(format!("/{}", words[0].trim_start_matches('/')));
    Some(reading)
}

/// `● web.service - Web`.
fn unit_name(line: &str) -> Option<String> {
    let word = line.split_whitespace().find(|word| is_unit_name(word))?;
    line.contains(" - ").then(|| word.to_string())
}

/// Whether a word is the name of a unit that has memory.
pub fn is_unit_name(word: &str) -> bool {
    const KINDS: [&str; 3] = [".service", ".slice", ".scope"];
    KINDS.iter().any(|kind| word.ends_with(kind))
}

/// `Memory: 796.7M (max: 1.0G available: 227.3M peak: 858.3M)`.
fn unit_memory(line: &str, name: Option<&str>) -> Option<Reading> {
    let words = words(line.strip_prefix("Memory:")?);
    let used = words.first()?;
    let (name, formula) = (
        name.unwrap_or("the unit"),
        "usage (memory.current), with one decimal",
    );
    let mut reading = shown("systemctl status", name, used, formula);
    reading.rows.set("usage", size(used)?);
    // Names of one or two words, each before its size: `(max: 1.0G swap max: 2.0G)`.
    let mut key = String::new();
    for word in &words[1..] {
        let word = word.trim_matches(['(', ')', ',']);
        if let Some(last) = word.strip_suffix(':') {
            key = format!("{key} {last}").trim().to_string();
        } else if let Some(bytes) = size(word) {
            let row = match std::mem::take(&mut key).as_str() {
                "max" | "limit" => "limit",
                "peak" => "max_usage",
                "high" => "memory.high",
                "low" => "memory.low",
                "min" => "memory.min",
                "swap" => "memory.swap.current",
                "swap max" => "memory.swap.max",
                "swap peak" => "memory.swap.peak",
                "zswap" => "memory.zswap.current",
                _ => continue,
            };
            reading.rows.set(row, bytes);
        } else {
            key = word.to_string();
        }
    }
    Some(reading)
}

/// `systemctl show`: `MemoryCurrent=835407052`.
fn unit_properties(lines: &[String]) -> Option<Reading> {
    const ROWS: [(&str, &str); 8] = [
        ("MemoryCurrent", "usage"),
        ("MemoryPeak", "max_usage"),
        ("MemoryMax", "limit"),
        ("MemoryLimit", "limit"),
        ("MemoryHigh", "memory.high"),
        ("MemorySwapCurrent", "memory.swap.current"),
        ("MemorySwapMax", "memory.swap.max"),
        ("MemoryZSwapCurrent", "memory.zswap.current"),
    ];
    let value = |key: &str| {
        let mut lines = lines.iter();
        lines.find_map(|line| Some(line.strip_prefix(key)?.strip_prefix('=')?.trim()))
    };
    let used = value("MemoryCurrent")?;
    let name = value("Id").unwrap_or("The unit");
    let mut reading = shown("systemctl show", name, used, "usage (memory.current)");
    // `infinity` is no limit, `[not set]` is not known.
    let bytes = |key| value(key)?.parse().ok().filter(|bytes| *bytes != u64::MAX);
    reading.rows.fill(ROWS.map(|(key, row)| (row, bytes(key))));
    (!reading.rows.is_empty()).then_some(reading)
}

/// Heroku's `sample#memory_total=512.12MB sample#memory_rss=498.21MB`; its total has swap in it.
fn dyno(lines: &[String]) -> Option<Reading> {
    let mut lines = lines.iter();
    let line = lines.rfind(|line| line.contains("sample#memory_total="))?;
    let cell = |key: &str| line.split_once(key)?.1.split(' ').next();
    let of = |key: &str| cell(key).and_then(size);
    let total = of("memory_total=")?;
    let name = cell("source=").unwrap_or("the dyno");
    let formula = "memory and swap together";
    let mut reading = shown("heroku", name, cell("memory_total=")?, formula);
    let swap = of("memory_swap=");
    reading.rows.fill([
        ("usage", Some(total.saturating_sub(swap.unwrap_or(0)))),
        ("rss", of("memory_rss=")),
        ("cache", of("memory_cache=")),
        ("swap", swap),
        ("limit", of("memory_quota=")),
    ]);
    Some(reading)
}

/// `lxc info` and `lxc-info`.
fn lxc(lines: &[String]) -> Option<Reading> {
    const ROWS: [(&str, &str); 5] = [
        ("Memory (current):", "usage"),
        ("Memory (peak):", "max_usage"),
        ("Swap (current):", "swap"),
        ("Memory use:", "usage"),
        ("KMem use:", "kernel"),
    ];
    let cell = |key: &str| {
        let mut lines = lines.iter();
        lines.find_map(|line| Some(line.strip_prefix(key)?.trim()))
    };
    let used = cell("Memory (current):").or_else(|| cell("Memory use:"))?;
    let name = cell("Name:").unwrap_or("the container");
    let formula = "usage (memory.current or memory.usage_in_bytes), page cache included";
    let mut reading = shown("lxc info", name, used, formula);
    let bytes = |key| size(words(cell(key)?).first()?);
    reading.rows.fill(ROWS.map(|(key, row)| (row, bytes(key))));
    reading.rows.get("usage").is_some().then_some(reading)
}

/// A number with a unit, in bytes; a bare `0B` too.
fn size(word: &str) -> Option<u64> {
    let digit = word.starts_with(|c: char| c.is_ascii_digit());
    let unit = word.ends_with(|c: char| c.is_ascii_alphabetic());
    (digit && unit).then(|| number::parse(word))?
}

/// A reading of one printed number.
fn shown(source: &'static str, name: &str, printed: &str, formula: &str) -> Reading {
    Reading {
        source,
        label: name.to_string(),
        container: Some(name.to_string()),
        notes: vec![format!(
            "{source} printed {printed}, taken for {formula}. It is rounded, and so is everything below."
        )],
        ..Reading::default()
    }
}

#[cfg(test)]
#[path = "tables_tests.rs"]
mod tests;
