//! Kernel files as text: one file, several under headings, or `key value` lines with noise around.
//!
//! A heading is any line that names a kernel file: `$ cat /sys/fs/cgroup/memory.stat`, the
//! `==> memory.current <==` of head and tail, `memory.stat:`. A key that comes again begins a new
//! reading, so that the same files pasted twice (before and after) stay apart.

use std::borrow::Cow;
use std::collections::VecDeque;

use super::{READINGS_MAX, columns};
use crate::explain::kinds::Process;
use crate::explain::{Reading, What, clean, meminfo, names, number, pairs};
use crate::rows::is_unlimited;

/// Reads a paste. `file` is the name it had on disk, where that is a kernel file's.
pub fn read(text: &str, lines: &[String], file: Option<&str>) -> Vec<Reading> {
    let mut collector = Collector::default();
    if let Some(file) = file {
        collector.file(file, text);
        return collector.finish();
    }
    if let Some(sides) = sides(text) {
        return sides;
    }
    let joined = clean::unbroken(lines);
    let lines = joined.as_deref().unwrap_or(lines);
    let unfolded = lines.iter().any(|line| line.contains('|'));
    let unfolded = unfolded.then(|| columns::unfolded(lines));
    for line in unfolded.as_deref().unwrap_or(lines) {
        collector.line(line);
    }
    let mut readings = collector.finish();
    if joined.is_some()
        && let Some(last) = readings.last_mut()
    {
        let note = "Lines looked wrapped inside a number: a line of digits alone was taken for the rest of the number \
                    before it.";
        last.notes.push(note.into());
    }
    readings
}

/// The two sides of a diff of rows, as two readings.
fn sides(text: &str) -> Option<Vec<Reading>> {
    let changed = |sign: char| {
        let mut rows = text.lines().filter_map(|line| line.strip_prefix(sign));
        rows.any(|row| row.split(' ').next().is_some_and(names::is_stat))
    };
    if !changed('-') || !changed('+') {
        return None;
    }
    let side = |name: &'static str, other: char| {
        let lines = text.lines().filter(|line| !line.starts_with(other));
        let rows: String = lines
            .map(|line| format!("{}\n", line.trim_start_matches(['-', '+', ' '])))
            .collect();
        let readings = read(&rows, &clean::lines(&rows), None).into_iter();
        readings.map(move |reading| Reading {
            label: name.into(),
            ..reading
        })
    };
    Some(side("before", '+').chain(side("after", '-')).collect())
}

/// The most rows of one reading: memory.stat has some 60, and looking one up is linear.
const ROWS_MAX: usize = 1024;

/// Builds readings from lines.
#[derive(Default)]
pub struct Collector {
    done: Vec<Reading>,
    current: Reading,
    /// The kernel file of several lines we are in.
    section: Option<&'static str>,
    /// Files of one number whose number has not come yet.
    pending: VecDeque<&'static str>,
    /// The first key of the current reading: seen again it begins the next.
    first: Option<String>,
    /// The last line that was neither a row nor a file's name.
    title: Option<String>,
    /// How many rows the current reading has.
    rows: usize,
    /// The directory before the file's name, where lines carry it as grep writes them.
    directory: Option<String>,
    /// The processes of the current reading.
    processes: Vec<Process>,
    /// Whether a process is listed mapping by mapping.
    mappings: bool,
}

impl Collector {
    /// Takes one cleaned line.
    pub fn line(&mut self, line: &str) {
        let in_verdicts =
            |section: &str| section.starts_with("memory.events") || section == "memory.oom_control";
        if let Some((name, value)) =
            plain_row(line).filter(|_| !self.section.is_some_and(in_verdicts))
        {
            self.set(name, value);
            return;
        }
        let line = clean::without_row_prefix(line);
        // ctr metrics: `memory.stat.cache 0`.
        let line = line.strip_prefix("memory.stat.").unwrap_or(line);
        if line.is_empty() {
            return;
        }
        if let Some(note) = not_a_number(line) {
            self.current.notes.push(note);
            return;
        }
        // numa_stat repeats rows by node, on v1 in pages.
        if line.contains(" N0=") {
            return;
        }
        if let Some((file, rest)) = leading_file(line) {
            self.of_directory(line);
            if self.after_file(file, rest) {
                return;
            }
        }
        let line = &braces(line)[..];
        let files: Vec<&str> = line.split_whitespace().filter_map(names::file_in).collect();
        if !files.is_empty() && !is_comment(line) {
            self.heading_files(&files);
            return;
        }
        if let Some(value) = lone_number(line)
            && let Some(file) = self.pending.pop_front()
        {
            self.set(file, value);
            return;
        }
        if is_comment(line) {
            return;
        }
        // memory.events begins so, and nothing else does.
        let digits = |text: &str| text.trim().bytes().all(|b| b.is_ascii_digit());
        if line.strip_prefix("low ").is_some_and(digits) {
            let local = self.section.filter(|file| *file == "memory.events.local");
            self.section = local.or(Some("memory.events"));
        }
        if !self.rows(line, self.section) && is_title(line) {
            self.title = Some(title(line));
        }
    }

    /// `DIRECTORY/memory.current:123` of another directory is another cgroup's.
    fn of_directory(&mut self, line: &str) {
        let of_path = line.split_once(':').or_else(|| line.split_once(' '));
        let of_path = of_path.filter(|(path, value)| !value.is_empty() && !path.contains(' '));
        let Some((directory, file)) = of_path.and_then(|(path, _)| path.rsplit_once('/')) else {
            return;
        };
        if !file.starts_with("memory.") {
            return;
        }
        if self.directory.as_deref() != Some(directory) {
            if self.directory.is_some() {
                self.close();
            }
            self.directory = Some(directory.to_string());
        }
    }

    /// Takes the text of one kernel file.
    pub fn file(&mut self, name: &str, text: &str) {
        self.section = None;
        self.heading_files(&[name]);
        for line in clean::lines(text) {
            self.line(&line);
        }
    }

    /// Everything read so far.
    pub fn finish(mut self) -> Vec<Reading> {
        self.close();
        // Of several cgroups those that say no more than `max` say nothing.
        let told = |reading: &Reading| {
            let mut rows = reading.rows.iter();
            rows.any(|(_, value)| !is_unlimited(value))
        };
        if self.done.iter().any(told) {
            self.done.retain(told);
        }
        self.done
    }

    /// A line that names kernel files and nothing else of interest.
    fn heading_files(&mut self, files: &[&str]) {
        self.pending.clear();
        for file in files {
            match names::number_file(file) {
                Some(name) => self.pending.push_back(name),
                None => self.section = names::LINE_FILES.iter().copied().find(|n| n == file),
            }
        }
    }

    /// `memory.current: 123` or, from grep, `memory.stat:anon 123`. False if it was a heading.
    fn after_file(&mut self, file: &'static str, rest: &str) -> bool {
        let rest = rest
            .trim()
            .trim_start_matches([':', '=', '|', ',', '"', ' '])
            .trim_end_matches(['|', ',', ';', '"', ' ']);
        let rest = clean::without_row_prefix(rest);
        if names::number_file(file).is_some() {
            let value = lone_number(rest).or_else(|| leading_number(rest));
            return value.map(|value| self.set(file, value)).is_some();
        }
        !rest.is_empty() && self.rows(rest, Some(file))
    }

    /// The rows of one line of `section`; false if there was none.
    fn rows(&mut self, line: &str, section: Option<&'static str>) -> bool {
        if let Some(file @ ("memory.events" | "memory.events.local" | "memory.oom_control")) =
            section
        {
            let verdicts = pairs::of(line, verdict);
            if !verdicts.is_empty() {
                for (key, value) in verdicts {
                    self.set(&format!("{file}:{key}"), value);
                }
                return true;
            }
        }
        if self.pressure(line) || self.process(line) || self.controller(line) {
            return true;
        }
        if let Some((name, value)) = meminfo::line(line)
            && names::is_meminfo(name.trim_start_matches("node:"))
        {
            self.set(&name, value);
            return true;
        }
        let found = pairs::of_stat(line, section == Some("memory.stat"));
        let others = pairs::of(line, |key| loose(key).is_some());
        // Some names are known to both.
        let more = others
            .iter()
            .filter(|(key, _)| !found.iter().any(|(known, _)| known == key));
        for (key, value) in found.iter().chain(more) {
            let name = match loose(key) {
                Some(name) => name,
                None if names::is_meminfo(key) => format!("node:{key}"),
                None => key.clone(),
            };
            self.set(&name, *value);
        }
        !found.is_empty() || !others.is_empty()
    }

    /// `some avg10=0.00 avg60=0.00 avg300=0.00 total=0`, or a part of it.
    fn pressure(&mut self, line: &str) -> bool {
        let mut words = line.split_whitespace();
        let Some(kind @ ("some" | "full")) = words.next() else {
            return false;
        };
        for word in words {
            let Some((key, value)) = word.split_once('=') else {
                continue;
            };
            if key == "total" {
                let row = format!("memory.pressure:{kind}.total");
                self.current.rows.fill([(row, value.parse().ok())]);
            } else if let Ok(share) = value.parse::<f64>()
                && share.is_finite()
            {
                self.current.pressure.push((format!("{kind}.{key}"), share));
            }
        }
        true
    }

    /// Lines of smaps_rollup and /proc/PID/status. Those of several processes add up, and each is kept.
    fn process(&mut self, line: &str) -> bool {
        let mut words = line.split_whitespace();
        let key = words.next().and_then(|key| key.strip_suffix(':'));
        let (Some(key), Some(value)) = (key, words.next()) else {
            return false;
        };
        // A whole smaps has a Size for each mapping: all of it is one process.
        self.mappings |= key == "Size";
        let smaps = names::SMAPS.contains(&key)
            || (key == "AnonHugePages" && self.current.rows.get("smaps:Rss").is_some());
        let status = matches!(key, "VmRSS" | "RssAnon" | "RssFile" | "RssShmem" | "VmSwap");
        let of_process = ["Pss_", "Private_", "Shared_", "Swap", "SwapPss"]
            .iter()
            .any(|known| key.starts_with(known));
        let Ok(kb) = value.parse::<u64>() else {
            return false;
        };
        let bytes = kb.saturating_mul(1024);
        if !(smaps || status) {
            let known = of_process && !self.processes.is_empty();
            if known {
                self.part(key, bytes);
            }
            return known;
        }
        if matches!(key, "Rss" | "VmRSS") && (!self.mappings || self.processes.is_empty()) {
            // `Name:` of /proc/PID/status; another line of a file is no name.
            let title = self.title.take().unwrap_or_default();
            let name = match title.split_once(':') {
                Some(("Name", name)) => name.trim().to_string(),
                Some((key, _)) if key.starts_with("Vm") || key == "Size" => String::new(),
                _ => title,
            };
            self.processes.push(Process {
                name,
                ..Process::default()
            });
        }
        self.part(key, bytes);
        let name = format!("{}:{key}", if smaps { "smaps" } else { "proc" });
        self.current.rows.add(&name, bytes);
        true
    }

    /// Adds a line to the process it is of.
    fn part(&mut self, key: &str, bytes: u64) {
        let Some(process) = self.processes.last_mut() else {
            return;
        };
        let add = |sum: &mut Option<u64>| *sum = Some(sum.unwrap_or(0).saturating_add(bytes));
        match key {
            "Rss" | "VmRSS" => process.rss = process.rss.saturating_add(bytes),
            "Pss" => add(&mut process.pss),
            "Pss_Anon" | "RssAnon" => add(&mut process.anon),
            "Pss_File" | "RssFile" => add(&mut process.file),
            "Pss_Shmem" | "RssShmem" => add(&mut process.shmem),
            "Private_Clean" | "Private_Dirty" => add(&mut process.private),
            "Swap" | "VmSwap" => add(&mut process.swap),
            _ => {}
        }
    }

    /// The line of the memory controller in /proc/cgroups: `memory 2 53 1`.
    fn controller(&mut self, line: &str) -> bool {
        let words: Vec<&str> = line.split_whitespace().collect();
        let ["memory", hierarchy, number, "0" | "1"] = words[..] else {
            return false;
        };
        let (Ok(_), Ok(number)) = (hierarchy.parse::<u32>(), number.parse()) else {
            return false;
        };
        self.set("cgroups:memory", number);
        true
    }

    fn set(&mut self, name: &str, value: u64) {
        // The first key again is told without a look at all rows.
        let again = self.first.as_deref() == Some(name);
        if again || self.current.rows.get(name).is_some_and(|old| old != value) {
            self.close();
        }
        if self.first.is_none() {
            self.first = Some(name.to_string());
            let label = self.directory.clone().or(self.title.take());
            self.current.label = label.unwrap_or_default();
            self.current.path = self.directory.clone();
        }
        self.rows += 1;
        match name {
            _ if self.rows > ROWS_MAX => {}
            // Only from tools that print it so: the bare word is what people call their own sums.
            "memory.working_set" => self.current.working_set = Some(value),
            "working_set" => {}
            _ => self.current.rows.set(name, value),
        }
    }

    fn close(&mut self) {
        let mut reading = std::mem::take(&mut self.current);
        self.first = None;
        self.rows = 0;
        self.mappings = false;
        let processes = std::mem::take(&mut self.processes);
        let charged = reading.rows.iter().any(|(name, _)| !name.contains(':'));
        if !processes.is_empty() && !charged {
            reading.what = What::Processes(processes);
        }
        if !reading.is_empty() && self.done.len() < READINGS_MAX {
            reading.source = "kernel files";
            reading.recognise();
            self.done.push(reading);
        }
    }
}

/// A line of memory.stat as the kernel prints it, which most lines of a long log are.
pub fn plain_row(line: &str) -> Option<(&str, u64)> {
    let (name, value) = line.split_once(' ')?;
    let plain = |b: u8| b.is_ascii_lowercase() || b == b'_' || b.is_ascii_digit();
    if !name.bytes().all(plain) || !value.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let value = value.parse().ok()?;
    (names::is_stat(name) && loose(name).is_none()).then_some((name, value))
}

/// The keys of memory.events and memory.oom_control.
fn verdict(key: &str) -> bool {
    const KEYS: [&str; 10] = [
        "low",
        "high",
        "max",
        "oom",
        "oom_kill",
        "oom_group_kill",
        "sock_throttled",
        "oom_kill_disable",
        "under_oom",
        "oom_group",
    ];
    KEYS.contains(&key)
}

/// Names that stand for a row of another file: `memory.total_inactive_file`, `oom_kill`.
fn loose(key: &str) -> Option<String> {
    match key {
        "memory.working_set" => return Some(key.into()),
        "usage_in_bytes" | "limit_in_bytes" | "max_usage_in_bytes" => {
            return Some(format!("memory.{key}"));
        }
        "memory.capacity_in_bytes" => return Some("node:MemTotal".into()),
        "oom_kill" | "oom_group_kill" => return Some(format!("memory.events:{key}")),
        "under_oom" | "oom_kill_disable" => return Some(format!("memory.oom_control:{key}")),
        _ => {}
    }
    let stat = key.strip_prefix("memory.")?;
    // ctr metrics on v2 calls the limit so.
    if stat == "usage_limit" {
        return Some("limit".into());
    }
    (names::is_stat(stat) && names::number_file(key).is_none()).then(|| stat.to_string())
}

/// A kernel file's name at the beginning of the line, and what follows it.
fn leading_file(line: &str) -> Option<(&'static str, &str)> {
    let end = line
        .char_indices()
        .find(|(_, c)| c.is_whitespace() || matches!(c, ':' | '=' | '|'))
        .map_or(line.len(), |(at, _)| at);
    let file = names::file_in(line[..end].trim_matches(['"', '`', '*']))?;
    Some((file, &line[end..]))
}

fn lone_number(line: &str) -> Option<u64> {
    let words: Vec<&str> = line.split_whitespace().collect();
    match words[..] {
        [one] => number::parse(one),
        [one, two] if number::unit(two).is_some() => number::apart(one, two),
        _ if number::is_grouped(&words) => words.concat().parse().ok(),
        _ => None,
    }
}

/// The number before a remark: `123 (117 MiB)`.
fn leading_number(line: &str) -> Option<u64> {
    let (first, rest) = line.split_once(' ')?;
    rest.trim_start()
        .starts_with(['(', '#', '-', '<'])
        .then(|| number::parse(first))?
}

/// What to say of a row whose value can't be one: `anon -4096`, `memory.current 0x5f`.
fn not_a_number(line: &str) -> Option<String> {
    let mut words = line.split_whitespace();
    let (key, value) = (words.next()?.trim_end_matches([':', '=']), words.next()?);
    let known = names::is_stat(key) || names::number_file(key).is_some();
    let digits = value.strip_prefix('-').unwrap_or(value);
    let like = digits.starts_with(|c: char| c.is_ascii_digit());
    let more = words.next().is_some();
    (known && like && !more && number::parse(value).is_none()).then(|| {
        format!("{key} is left out: {value} is no number of bytes the kernel could have meant.")
    })
}

/// A comment, and not a root shell's prompt.
fn is_comment(line: &str) -> bool {
    const COMMANDS: [&str; 5] = ["cat ", "head ", "tail ", "grep ", "more "];
    let text = line.trim_start_matches('#').trim_start();
    let command = COMMANDS.iter().any(|command| text.starts_with(command));
    line.starts_with('#') && !command || line.starts_with("//")
}

/// A shell's `memory.{stat,usage_in_bytes}` as the names it stands for.
fn braces(line: &str) -> Cow<'_, str> {
    let open = line.split_once("memory.{").and_then(|(before, rest)| {
        let (inside, after) = rest.split_once('}')?;
        let names: Vec<String> = inside
            .split(',')
            .map(|name| format!("memory.{name}"))
            .collect();
        Some(format!("{before}{}{after}", names.join(" ")))
    });
    open.map_or(Cow::Borrowed(line), Cow::Owned)
}

/// Whether a line may name what comes below it: no sentence and no row of another table.
fn is_title(line: &str) -> bool {
    let words = line.split_whitespace();
    let number = |word: &&str| number::parse(word).is_some();
    line.len() < 100 && words.clone().count() <= 8 && words.filter(number).count() < 2
}

fn title(line: &str) -> String {
    // What a log puts before the message is no name: `Dec 16 13:38:01 host app[14870]: `.
    let line = line.split_once("]: ").map_or(line, |(_, message)| message);
    let text = line.trim_matches(|c: char| !c.is_alphanumeric() && c != ')');
    text.trim().to_string()
}

#[cfg(test)]
#[path = "text_tests.rs"]
mod tests;
