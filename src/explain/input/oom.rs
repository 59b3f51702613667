//! The kernel's OOM report, as it gets pasted from dmesg, journald or a cloud console.
//!
//! Lines come with and without time stamps and wrapped anywhere, so a report is flattened into
//! words first. v1 kernels before 5.3 print `cache:0KB rss:4KB` for every cgroup of the tree; later
//! ones `anon 132829184`, under v2's names even on v1 (until 6.6).

use crate::explain::{Killed, Reading, Scope, clean, names, number};

use super::text;

/// Whether a text holds such a report, or a part that can be recognised.
pub fn is_report(text: &str) -> bool {
    const MARKS: [&str; 6] = [
        "invoked oom-killer",
        "Memory cgroup out of memory",
        "Memory cgroup stats for",
        "oom-kill:constraint",
        "Out of memory: Kill",
        "killed as a result of limit of",
    ];
    MARKS.iter().any(|mark| text.contains(mark))
        || words_after(&words(text), &["memory:", "usage"]).is_some()
}

/// All reports in the text, in order.
pub fn read(text: &str) -> Vec<Reading> {
    let words = words(text);
    let mut starts: Vec<usize> = (0..words.len())
        .filter(|at| {
            words[*at] == "invoked"
                && words
                    .get(at + 1)
                    .is_some_and(|w| w.starts_with("oom-killer"))
        })
        // The name of the process that asked stands before.
        .map(|at| at.saturating_sub(1))
        .collect();
    if starts.len() > 1 {
        starts[0] = 0;
    } else {
        starts = vec![0];
    }
    let count = starts.len();
    let mut readings = Vec::new();
    for (index, start) in starts.iter().enumerate() {
        let end = starts.get(index + 1).copied().unwrap_or(words.len());
        let mut reading = report(&words[*start..end]);
        if count == 1 && !has_stats(&reading) {
            merge_rows(&mut reading, text);
        }
        if reading.is_empty() {
            continue;
        }
        let who = reading
            .killed
            .as_ref()
            .map_or(String::new(), |k| format!(", killed {}", k.name));
        let of = if count > 1 {
            format!(" {} of {count}", index + 1)
        } else {
            String::new()
        };
        reading.label = format!("OOM report{of}{who}");
        reading.recognise();
        name_usage(&mut reading);
        readings.push(reading);
    }
    readings
}

/// Whether rows of memory.stat are there, beside the usage line's numbers.
fn has_stats(reading: &Reading) -> bool {
    let beside = ["usage", "limit", "failcnt"];
    reading
        .rows
        .iter()
        .any(|(name, _)| names::is_stat(name) && !beside.contains(&name))
}

/// memory.stat pasted beside a few lines of the report.
fn merge_rows(reading: &mut Reading, pasted: &str) {
    if let Some(beside) = text::read(pasted, None)
        .into_iter()
        .max_by_key(|r| r.rows.iter().count())
    {
        for (name, value) in beside.rows.iter() {
            if reading.rows.get(name).is_none() {
                reading.rows.set(name, value);
            }
        }
    }
}

/// Usage and limit under the names of the version the rows turned out to be.
fn name_usage(reading: &mut Reading) {
    use crate::rows::CgroupVersion::{V1, V2};
    // Only v1 has these counters.
    let v1_only = ["memory.memsw.limit_in_bytes", "memory.kmem.usage_in_bytes"];
    let on_v1 = v1_only.iter().any(|name| reading.rows.get(name).is_some());
    if reading.version == Some(V2) && on_v1 {
        reading.host = Some(V1);
        reading.notes.push(
            "The kernel was on cgroup v1 (it names memory+swap or kmem); the rows have v2's names, as \
             Linux 5.3 to 6.6 prints them in reports on either version."
                .into(),
        );
        return;
    }
    let (usage, limit) = match reading.version {
        Some(V1) => ("memory.usage_in_bytes", "memory.limit_in_bytes"),
        Some(V2) => ("memory.current", "memory.max"),
        None => return,
    };
    reading.rows = reading
        .rows
        .iter()
        .map(|(name, value)| match name {
            "usage" => (usage, value),
            "limit" => (limit, value),
            name => (name, value),
        })
        .collect();
}

/// All words of the paste: prefixes off, wrapped words put together again.
fn words(text: &str) -> Vec<String> {
    let mut words: Vec<String> = Vec::new();
    for line in clean::lines(text) {
        let (line, had_prefix) = clean::without_log_prefix(&line);
        let mut parts = line.split_whitespace().map(str::to_string);
        if !had_prefix && let Some(next) = parts.next() {
            match words.last_mut() {
                Some(last) if belong_together(last, &next) => last.push_str(&next),
                _ => words.push(next),
            }
        }
        words.extend(parts);
    }
    words
}

/// Whether a line break went through the middle of a word.
fn belong_together(last: &str, next: &str) -> bool {
    let digits = |text: &str| text.bytes().all(|b| b.is_ascii_digit());
    if next.starts_with([':', '=', ',']) || last.ends_with('=') {
        return true;
    }
    let starts_with_digit = next.starts_with(|c: char| c.is_ascii_digit());
    if digits(last) {
        // `usage 10485` / `76kB,`, `anon 13282` / `9184`; a number is never followed by a number.
        let rest = next
            .trim_start_matches(|c: char| c.is_ascii_digit())
            .trim_end_matches(',');
        return (starts_with_digit && rest.is_empty()) || matches!(rest, "kB" | "KB" | "B");
    }
    match last.split_once(':') {
        // `rss:` / `5KB`, `rss:10` / `24KB`, `rss:1024` / `KB`.
        Some((key, value)) if names::is_stat(key) || key.ends_with("rss") => {
            digits(value) && (starts_with_digit || next.starts_with("KB") || next.starts_with("kB"))
        }
        Some(_) => false,
        None => {
            let whole = format!("{last}{next}");
            let key = whole.split(':').next().unwrap_or("");
            !is_word(last) && (is_word(key) || key.ends_with("-rss"))
        }
    }
}

/// Words of a report that mean something to this reader.
fn is_word(word: &str) -> bool {
    const WORDS: [&str; 14] = [
        "Memory", "cgroup", "stats", "for", "memory", "usage", "limit", "failcnt", "Killed",
        "process", "invoked", "anon-rss", "out", "oom-kill",
    ];
    let word = word.trim_end_matches([':', ',']);
    names::is_stat(word) || WORDS.contains(&word)
}

/// Where the words after a sequence begin.
fn words_after(words: &[String], sequence: &[&str]) -> Option<usize> {
    words
        .windows(sequence.len())
        .position(|window| window.iter().zip(sequence).all(|(w, s)| w == s))
        .map(|at| at + sequence.len())
}

fn report(words: &[String]) -> Reading {
    let mut reading = Reading {
        source: "OOM report",
        killed: killed(words),
        ..Reading::default()
    };
    for (line, usage, limit, failcnt) in [
        ("memory:", "usage", "limit", "failcnt"),
        (
            "memory+swap:",
            "memory.memsw.usage_in_bytes",
            "memory.memsw.limit_in_bytes",
            "memory.memsw.failcnt",
        ),
        ("kmem:", "memory.kmem.usage_in_bytes", "", ""),
        ("swap:", "memory.swap.current", "memory.swap.max", ""),
    ] {
        let Some(at) = words_after(words, &[line, "usage"]) else {
            continue;
        };
        let value = |at: usize| number::parse(words.get(at)?);
        for (name, value) in [
            (usage, value(at)),
            (limit, value(at + 2)),
            (failcnt, value(at + 4)),
        ] {
            // A kB count of pages cannot tell 2^63 from "no limit"; the largest it prints is that.
            if let Some(value) = value.filter(|_| !name.is_empty()) {
                reading.rows.set(name, value);
            }
        }
    }
    stats(words, &mut reading);
    reading.path = path(words);
    let memcg = reading.path.is_some()
        || words_after(words, &["Memory", "cgroup"]).is_some()
        || reading.rows.get("usage").is_some();
    if !memcg {
        node(words, &mut reading);
    }
    if reading.killed.is_some() && memcg {
        reading.rows.set("memory.events:oom_kill", 1);
    }
    reading
}

/// `Killed process 123 (java) total-vm:1kB, anon-rss:2kB, ...`.
fn killed(words: &[String]) -> Option<Killed> {
    killed_line(words).or_else(|| chosen(words))
}

/// The kernel's choice, where the line after it was cut: `oom-kill:...,task=java,pid=12,uid=0`.
fn chosen(words: &[String]) -> Option<Killed> {
    let line = words.iter().rfind(|word| word.starts_with("oom-kill:"))?;
    let of = |key: &str| line.split(',').find_map(|part| part.strip_prefix(key));
    Some(Killed {
        name: of("task=")?.to_string(),
        pid: of("pid=")?.parse().ok()?,
        anon_rss: None,
    })
}

fn killed_line(words: &[String]) -> Option<Killed> {
    let at = words
        .windows(2)
        .rposition(|w| (w[0].ends_with("Killed") || w[0].ends_with("Kill")) && w[1] == "process")?
        + 2;
    let rest = &words[at..];
    // A thread's name may hold spaces: `(npm start)`.
    let end = rest
        .iter()
        .take(8)
        .position(|word| word.trim_end_matches(',').ends_with(')'))?;
    let name = rest
        .get(1..=end)?
        .join(" ")
        .trim_matches(['(', ')', ','])
        .to_string();
    let anon = rest
        .iter()
        .take(24)
        .find_map(|word| word.strip_prefix("anon-rss:"));
    Some(Killed {
        name,
        pid: rest.first()?.parse().ok()?,
        anon_rss: anon.and_then(number::parse),
    })
}

/// The cgroup whose limit was hit.
fn path(words: &[String]) -> Option<String> {
    let from_kill = words.iter().find_map(|word| {
        let after = word.split_once("oom_memcg=")?.1;
        Some(after.split(',').next().unwrap_or(after).to_string())
    });
    from_kill.or_else(|| {
        let after = |sequence: &[&str]| words_after(words, sequence).and_then(|at| words.get(at));
        let path = after(&["result", "of", "limit", "of"])
            .or_else(|| after(&["cgroup", "stats", "for"]))?;
        Some(path.trim_end_matches(':').to_string())
    })
}

/// The rows after each `Memory cgroup stats for PATH:`; local rows of v1 add up over the tree.
fn stats(words: &[String], reading: &mut Reading) {
    let mut at = 0;
    while let Some(next) = words_after(&words[at..], &["cgroup", "stats", "for"]) {
        at += next;
        let end = words[at..]
            .iter()
            .position(|w| ends_stats(w))
            .map_or(words.len(), |e| at + e);
        let mut section = at;
        while section < end {
            let word = words[section].as_str();
            if let Some((key, value)) = word.split_once(':')
                && let (true, Some(bytes)) = (names::is_stat(key), number::parse(value))
            {
                let sum = reading.rows.get(key).unwrap_or(0);
                reading.rows.set(key, sum.saturating_add(bytes));
            } else if let (true, Some(Ok(value))) = (
                is_row(word),
                words.get(section + 1).map(|w| w.parse::<u64>()),
            ) {
                reading.rows.set(word, value);
                section += 1;
            }
            section += 1;
        }
        at = end;
    }
}

fn is_row(word: &str) -> bool {
    word.len() > 2 && word.bytes().all(|b| b.is_ascii_lowercase() || b == b'_')
}

/// The words that end a list of rows.
fn ends_stats(word: &str) -> bool {
    matches!(word, "Memory" | "Tasks" | "[" | "Killed")
        || word.starts_with("oom-kill:")
        || word.starts_with("[pid")
}

/// A report about the whole machine: the `Mem-Info:` block, in pages of 4 KiB.
fn node(words: &[String], reading: &mut Reading) {
    const PAGE: u64 = 4096;
    let Some(at) = words.iter().position(|word| word == "Mem-Info:") else {
        return;
    };
    let pages = |key: &str| {
        let found = words[at..]
            .iter()
            .find_map(|word| word.strip_prefix(key)?.strip_prefix(':'));
        found.and_then(|n| n.parse::<u64>().ok()?.checked_mul(PAGE))
    };
    for (key, name) in [
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
    ] {
        if let Some(bytes) = pages(key) {
            reading.rows.set(name, bytes);
        }
    }
    let ram = words
        .windows(3)
        .skip(at)
        .find(|w| w[1] == "pages" && w[2] == "RAM");
    if let Some(bytes) = ram.and_then(|w| w[0].parse::<u64>().ok()?.checked_mul(PAGE)) {
        reading.rows.set("node:MemTotal", bytes);
    }
    reading.scope = Scope::Node;
    reading
        .notes
        .push("Page counts were taken as pages of 4 KiB.".into());
}

#[cfg(test)]
#[path = "oom_tests.rs"]
mod tests;
