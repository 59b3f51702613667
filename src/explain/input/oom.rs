//! The kernel's OOM report, as it gets pasted from dmesg, journald or a cloud console.
//!
//! Lines come with and without time stamps and wrapped anywhere, so a report is flattened into
//! words first. v1 kernels before 5.3 print `cache:0KB rss:4KB` for every cgroup of the tree; later
//! ones `anon 132829184`, under v2's names even on v1 (until 6.6).

use crate::explain::kinds::Oom;
use crate::explain::{Killed, Reading, Scope, What, clean, names, number};

use super::{machine, text};

/// Whether a text holds such a report, or a part that can be recognised.
pub fn is_report(text: &str) -> bool {
    const MARKS: [&str; 7] = [
        "invoked oom-killer",
        "Memory cgroup out of memory",
        "Memory cgroup stats for",
        "oom-kill:constraint",
        "Out of memory: Kill",
        "killed as a result of limit of",
        "Killed process",
    ];
    machine::is_report(text)
        || MARKS.iter().any(|mark| text.contains(mark))
        || text.contains("memory:")
            && words_after(&words(&clean::lines(text)), &["memory:", "usage"]).is_some()
}

/// All reports in the text, in order.
pub fn read(text: &str, lines: &[String]) -> Vec<Reading> {
    let words = words(lines);
    let starts = starts(&words);
    let mut readings = Vec::new();
    for (index, start) in starts.iter().enumerate() {
        let end = starts.get(index + 1).copied().unwrap_or(words.len());
        let mut reading = report(&words[*start..end]);
        if starts.len() == 1 {
            if !has_stats(&reading) && reading.scope == Scope::Cgroup {
                merge_rows(&mut reading, text, lines);
            }
            if let What::Kill(oom) = &mut reading.what {
                oom.largest = machine::largest_task(lines);
            }
        }
        if reading.is_empty() {
            continue;
        }
        reading.recognise();
        name_usage(&mut reading);
        readings.push(reading);
    }
    // A first line alone, whose report was cut off, is no kill of its own beside others.
    let whole = |reading: &Reading| reading.killed.is_some() || !reading.rows.is_empty();
    if readings.iter().any(whole) {
        readings.retain(whole);
    }
    as_the_others(&mut readings);
    // A refused allocation prints the machine's account too: nobody was killed for it.
    if text.contains("page allocation failure")
        && !text.contains("oom-killer")
        && !text.contains("Killed process")
    {
        for reading in &mut readings {
            reading.what = What::Memory;
        }
    }
    let times = machine::kill_times(text);
    let count = readings.len();
    for (index, reading) in readings.iter_mut().enumerate() {
        let killed = reading.killed.as_ref();
        let who = killed.map_or(String::new(), |k| format!(", killed {}", k.name));
        let of = match count {
            1 => String::new(),
            _ => format!(" {} of {count}", index + 1),
        };
        reading.label = format!("OOM report{of}{who}");
        reading.at = times.get(index).copied().filter(|_| times.len() == count);
    }
    readings
}

/// A bare `Killed process`, cut off above, is of the same kind as the kills below it.
fn as_the_others(readings: &mut [Reading]) {
    let of_cgroup = |reading: &Reading| reading.oom().is_some_and(|oom| !oom.machine);
    if let [reading, others @ ..] = readings
        && others.iter().any(of_cgroup)
        && let What::Kill(oom) = &mut reading.what
        && !oom.told
        && oom.constraint.is_none()
        && reading.rows.is_empty()
    {
        oom.machine = false;
        reading.scope = Scope::Cgroup;
    }
}

/// Where each report begins: at a mark that the report before it already has.
fn starts(words: &[String]) -> Vec<usize> {
    let mut starts = vec![0];
    let mut seen: Vec<&str> = Vec::new();
    let mut root: Option<&str> = None;
    let mut killed: Option<&str> = None;
    let mut intended: Option<&str> = None;
    let mut group = false;
    for at in 0..words.len() {
        let word = words[at].as_str();
        let next = words.get(at + 1).map_or("", String::as_str);
        let after = words.get(at + 2).map_or("", String::as_str);
        let (mark, back) = match (word, next) {
            ("invoked", next) if next.starts_with("oom-killer") => ("invoked", 1),
            ("memory:", "usage") => ("usage", 0),
            ("Mem-Info:", _) => ("machine", 0),
            ("Task", "in") if words.get(at + 3).is_some_and(|w| w == "killed") => ("task", 0),
            ("stats", "for") if at > 0 && words[at - 1] == "cgroup" => {
                let path = after.trim_end_matches(':');
                let below = root.is_some_and(|root| {
                    // A path that a line break cut is no other path.
                    let cut = !after.ends_with(':') && root.starts_with(path);
                    cut || (path.len() > root.len() && path.starts_with(root))
                });
                match root {
                    Some(_) if below && killed.is_none() => continue,
                    None if killed.is_none() => {
                        root = Some(path);
                        seen.push("stats");
                        continue;
                    }
                    _ => ("stats", 2),
                }
            }
            ("killed", "due") => {
                group = true;
                continue;
            }
            (word, _) if word.starts_with("oom-kill:") && !late(word, killed) => ("constraint", 0),
            (word, "process") if word.ends_with("Killed") => ("killed", kill_words(words, at)),
            (word, "process") if word.ends_with("Kill") => ("intent", kill_words(words, at)),
            _ => continue,
        };
        let again = match mark {
            "killed" => killed.is_some_and(|pid| pid != after && !group),
            // What old kernels mean to do, and do in the next line, perhaps to a child.
            "intent" => killed.is_some() || intended.is_some_and(|pid| pid != after),
            "invoked" => !seen.is_empty() || killed.is_some(),
            "stats" => true,
            mark => seen.contains(&mark) || killed.is_some(),
        };
        if again {
            let previous = starts.last().copied().unwrap_or(0);
            starts.push(at.saturating_sub(back).max(previous));
            seen.clear();
            (root, killed, intended, group) = (None, None, None, false);
        }
        match mark {
            "killed" => killed = Some(after),
            "intent" => intended = Some(after),
            "stats" => root = Some(after.trim_end_matches(':')),
            _ => {}
        }
        seen.push(mark);
    }
    starts.dedup();
    starts
}

/// Whether the line is of the kill above it: `journalctl -r` prints it behind.
fn late(word: &str, killed: Option<&str>) -> bool {
    killed.is_some_and(|pid| word.contains(pid))
}

/// How many words before `Killed process` belong to it: `Memory cgroup out of memory:`.
fn kill_words(words: &[String], at: usize) -> usize {
    let begins = |back: usize, word: &str| at >= back && words[at - back] == word;
    match () {
        () if begins(5, "Memory") => 5,
        () if begins(3, "Out") => 3,
        () => 0,
    }
}

/// Whether rows of memory.stat are there, beside the usage line's numbers.
fn has_stats(reading: &Reading) -> bool {
    let beside = ["usage", "limit", "failcnt"];
    let mut rows = reading.rows.iter();
    rows.any(|(name, _)| names::is_stat(name) && !beside.contains(&name))
}

/// memory.stat pasted beside a few lines of the report.
fn merge_rows(reading: &mut Reading, pasted: &str, lines: &[String]) {
    let beside = text::read(pasted, lines, None).into_iter();
    if let Some(beside) = beside.max_by_key(|r| r.rows.iter().count()) {
        reading.take_missing(beside.rows.iter());
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
    let rows = reading.rows.iter().map(|(name, value)| match name {
        "usage" => (usage, value),
        "limit" => (limit, value),
        name => (name, value),
    });
    reading.rows = rows.collect();
}

/// All words of the paste: prefixes off, wrapped words put together again.
fn words(lines: &[String]) -> Vec<String> {
    let mut words: Vec<String> = Vec::new();
    for line in lines {
        let (line, had_prefix) = clean::without_log_prefix(line);
        // Quotes of the JSON a line was taken from.
        let bare = |word: &str| word.trim_matches('"').trim_end_matches("\",").to_string();
        let mut parts = line.split_whitespace().map(bare);
        if !had_prefix && let Some(next) = parts.next() {
            match words.last_mut() {
                Some(last) if belong_together(last, &next) => last.push_str(&next),
                _ => words.push(next),
            }
        }
        for part in parts {
            // `anon-rss:   4152300 kB`, as people lay it out.
            match words.last_mut() {
                Some(last) if is_spread(last, &part) => last.push_str(&part),
                _ => words.push(part),
            }
        }
    }
    words
}

/// Whether a size of the victim's stands apart from its name, or its unit from its digits.
fn is_spread(last: &str, part: &str) -> bool {
    let sized = |key: &str| key.ends_with("-rss") || key == "total-vm";
    match last.split_once(':') {
        Some((key, "")) => sized(key) && part.starts_with(|c: char| c.is_ascii_digit()),
        Some((key, value)) => {
            sized(key) && part.starts_with("kB") && value.bytes().all(|b| b.is_ascii_digit())
        }
        None => false,
    }
}

/// Whether a line break went through the middle of a word.
fn belong_together(last: &str, next: &str) -> bool {
    let digits = |text: &str| text.bytes().all(|b| b.is_ascii_digit());
    if next.starts_with([':', '=', ',']) || last.ends_with('=') {
        return true;
    }
    // A cgroup's path, cut at the screen's edge: no line of a report begins with the rest of one.
    let hex = |text: &str| text.len() >= 12 && text.bytes().all(|b| b.is_ascii_hexdigit());
    let id = next.rsplit('/').next().unwrap_or("").trim_end_matches(':');
    if last.starts_with('/') && !next.starts_with('/') && (next.contains("/pod") || hex(id)) {
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
            // `anon-rss:` that is whole by itself is no rest of the word before it.
            let mut kinds = ["anon-", "file-", "shmem-"].iter();
            let begins = kinds.any(|kind| next.starts_with(kind));
            !is_word(last) && (is_word(key) || key.ends_with("-rss") && !begins)
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

/// The word after a sequence.
fn word_after(words: &[String], sequence: &[&str]) -> Option<String> {
    words.get(words_after(words, sequence)?).cloned()
}

fn report(words: &[String]) -> Reading {
    let mut reading = Reading {
        source: "OOM report",
        killed: killed(words),
        ..Reading::default()
    };
    usage_lines(words, &mut reading);
    stats(words, &mut reading);
    reading.path = path(words);
    let constraint =
        of_choice(words, "constraint=").or_else(|| by_trace(words).map(str::to_string));
    let memcg = reading.path.is_some()
        || words_after(words, &["Memory", "cgroup"]).is_some()
        || words_after(words, &["group", "out", "of"]).is_some()
        || constraint.as_deref() == Some("CONSTRAINT_MEMCG")
        || reading.rows.get("usage").is_some();
    let zones = if memcg {
        Vec::new()
    } else {
        machine::fill(words, &mut reading)
    };
    let order = |word: &String| {
        let order = word.strip_prefix("order=")?;
        order.trim_end_matches(',').parse().ok()
    };
    let oom = Oom {
        gfp: words.iter().find_map(|word| {
            let mask = word.split_once("gfp_mask=")?.1;
            Some(mask.trim_end_matches(',').to_string())
        }),
        order: words.iter().find_map(order).unwrap_or(0),
        limit_of: reading.path.clone(),
        task_in: of_choice(words, "task_memcg=").or_else(|| word_after(words, &["Task", "in"])),
        group: group(words, reading.killed.as_ref()),
        zones,
        largest: None,
        machine: !memcg,
        told: words_after(words, &["Out", "of", "memory:"]).is_some(),
        nodes: allowed(words, constraint.as_deref()),
        constraint,
    };
    if reading.killed.is_some() || !reading.rows.is_empty() || oom.gfp.is_some() {
        reading.what = What::Kill(Box::new(oom));
    }
    if reading.killed.is_some() && !memcg {
        reading.scope = Scope::Node;
    }
    if reading.killed.is_some() && memcg {
        reading.rows.set("memory.events:oom_kill", 1);
    }
    reading
}

/// The lines of usage, limit and failcnt.
fn usage_lines(words: &[String], reading: &mut Reading) {
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
}

/// `Killed process 123 (java) total-vm:1kB, anon-rss:2kB, ...`.
fn killed(words: &[String]) -> Option<Killed> {
    let last = kills(words).last().and_then(|at| killed_at(words, at));
    last.or_else(|| chosen(words))
}

/// Where the words after each `Killed process` begin; the intent of old kernels only where the
/// deed is missing.
fn kills(words: &[String]) -> Vec<usize> {
    let of = |verb: &str| -> Vec<usize> {
        let is_kill = |at: &usize| words[*at - 2].ends_with(verb) && words[*at - 1] == "process";
        (2..=words.len()).filter(is_kill).collect()
    };
    let done = of("Killed");
    if done.is_empty() { of("Kill") } else { done }
}

/// The others that went with it.
fn group(words: &[String], last: Option<&Killed>) -> Vec<Killed> {
    let all = kills(words)
        .into_iter()
        .filter_map(|at| killed_at(words, &at));
    all.filter(|one| last.is_none_or(|last| last.pid != one.pid))
        .collect()
}

/// Whether a cgroup's limit or the page allocator called the OOM killer, by the trace and the first line,
/// where the kernel's own word for it was cut off.
fn by_trace(words: &[String]) -> Option<&'static str> {
    let any = |marks: &[&str]| {
        let marked = |word: &String| marks.iter().any(|mark| word.starts_with(mark));
        words.iter().any(marked)
    };
    const CHARGE: [&str; 5] = [
        "mem_cgroup_out_of_memory",
        "mem_cgroup_oom",
        "try_charge",
        "__mem_cgroup_try_charge",
        "mem_cgroup_charge",
    ];
    if any(&CHARGE) {
        return Some("CONSTRAINT_MEMCG");
    }
    // Only the allocator names nodes, and only it calls from its slow path.
    let nodes = words.iter().any(|word| {
        word.strip_prefix("nodemask=")
            .is_some_and(|mask| mask.starts_with(|c: char| c.is_ascii_digit()))
    });
    (nodes || any(&["__alloc_pages", "__alloc_frozen_pages"])).then_some("CONSTRAINT_NONE")
}

/// A field of the kernel's choice: `oom-kill:constraint=...,task=java,pid=12,uid=0`.
fn of_choice(words: &[String], key: &str) -> Option<String> {
    let line = words.iter().rfind(|word| word.starts_with("oom-kill:"))?;
    let mut fields = line.trim_start_matches("oom-kill:").split(',');
    let found = fields.find_map(|part| part.strip_prefix(key));
    found.filter(|value| !value.is_empty()).map(str::to_string)
}

/// The NUMA nodes that were allowed, where that is why.
fn allowed(words: &[String], constraint: Option<&str>) -> Option<String> {
    let key = match constraint? {
        "CONSTRAINT_MEMORY_POLICY" => "nodemask=",
        "CONSTRAINT_CPUSET" => "mems_allowed=",
        _ => return None,
    };
    of_choice(words, key).filter(|nodes| nodes.starts_with(|c: char| c.is_ascii_digit()))
}

/// The kernel's choice, where the line after it was cut.
fn chosen(words: &[String]) -> Option<Killed> {
    Some(Killed {
        name: of_choice(words, "task=")?,
        pid: of_choice(words, "pid=")?.parse().ok()?,
        ..Killed::default()
    })
}

fn killed_at(words: &[String], at: &usize) -> Option<Killed> {
    let rest = &words[*at..];
    // A thread's name may hold spaces: `(npm start)`.
    let mut first = rest.iter().take(8);
    let end = first.position(|word| word.trim_end_matches(',').ends_with(')'))?;
    // `Killed process 1, UID 503, (java)`, before 3.4; people leave the pid out.
    let from = rest[..=end].iter().position(|word| word.starts_with('('))?;
    let name = rest.get(from..=end)?.join(" ");
    let name = name.trim_end_matches(',');
    let bare = name.strip_prefix('(').and_then(|n| n.strip_suffix(')'));
    let of = |key: &str| {
        let found = rest.iter().take(24).find_map(|word| word.strip_prefix(key));
        found.map(|text| text.trim_end_matches(','))
    };
    Some(Killed {
        name: bare.unwrap_or(name).to_string(),
        pid: match from {
            0 => 0,
            _ => rest.first()?.trim_end_matches(',').parse().ok()?,
        },
        anon_rss: of("anon-rss:").and_then(number::parse),
        file_rss: of("file-rss:").and_then(number::parse),
        shmem_rss: of("shmem-rss:").and_then(number::parse),
        score_adj: of("oom_score_adj:").and_then(|text| text.parse().ok()),
    })
}

/// The cgroup whose limit was hit.
fn path(words: &[String]) -> Option<String> {
    of_choice(words, "oom_memcg=").or_else(|| {
        let path = word_after(words, &["result", "of", "limit", "of"])
            .or_else(|| word_after(words, &["cgroup", "stats", "for"]))?;
        Some(path.trim_end_matches(':').to_string())
    })
}

/// The rows after each `Memory cgroup stats for PATH:`; local rows of v1 add up over the tree.
fn stats(words: &[String], reading: &mut Reading) {
    let mut at = 0;
    while let Some(next) = words_after(&words[at..], &["cgroup", "stats", "for"]) {
        at += next;
        let end = words[at..].iter().position(|word| ends_stats(word));
        let end = end.map_or(words.len(), |end| at + end);
        let mut section = at;
        while section < end {
            let word = words[section].as_str();
            if let Some((key, value)) = word.split_once(':')
                && let (true, Some(bytes)) = (names::is_stat(key), number::parse(value))
            {
                reading.rows.add(key, bytes);
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

#[cfg(test)]
#[path = "oom_tests.rs"]
mod tests;
