//! How an explanation is printed: the answer first, then the table, the rest on demand.

use std::io::{self, Write};

use crate::explain::kinds::{Cache, Process, Series};
use crate::explain::{Explanation, Scope, What, number};
use crate::rows::CgroupVersion;
use crate::units::bytes;

/// The most lines of a plain paste.
const LINES: usize = 25;
/// How many other readings, processes, ... are named.
const SHOWN: usize = 8;

/// The answer, the next step, the table, and what the tools would print: at most 25 lines.
pub fn brief(explanation: &Explanation, out: &mut impl Write) -> io::Result<()> {
    let mut lines = vec![
        explanation.answer.sentence.clone(),
        format!("Next: {}", explanation.answer.next),
    ];
    let single =
        ["only_working_set", "only_usage", "limit_only"].contains(&explanation.answer.code);
    lines.push(source(explanation));
    if !single || explanation.readings.len() > 1 {
        lines.extend(details(explanation));
    }
    if lines.len() > LINES {
        lines.truncate(LINES - 1);
        lines.push("  (more with --verbose)".into());
    }
    print(out, lines)
}

fn print(out: &mut impl Write, lines: impl IntoIterator<Item = String>) -> io::Result<()> {
    let mut lines = lines.into_iter();
    lines.try_for_each(|line| writeln!(out, "{}", line.trim_end()))
}

/// `web (docker stats): the first note`.
fn source(explanation: &Explanation) -> String {
    let reading = &explanation.reading;
    let version = reading.cgroup().map(|v| format!(", cgroup {v}"));
    let note = reading.notes.first().map(|note| format!(" {note}"));
    let (version, note) = (version.unwrap_or_default(), note.unwrap_or_default());
    let (label, source) = (&reading.label, reading.source);
    format!("From {label} ({source}{version}).{note}")
}

fn details(explanation: &Explanation) -> Vec<String> {
    let reading = &explanation.reading;
    let mut lines: Vec<String> = Vec::new();
    let contradictions = explanation.contradictions.iter();
    let contradictions = contradictions.map(|what| &what.sentence);
    for note in contradictions.chain(reading.notes.iter().skip(1)).take(3) {
        // What the answer says already is not said again.
        if !explanation.answer.sentence.contains(note.as_str()) {
            lines.push(format!("  {note}"));
        }
    }
    let others = &explanation.others;
    if !others.is_empty() {
        let named = others[..others.len().min(SHOWN)].join("; ");
        let rest = match others.len() {
            ..=SHOWN => String::new(),
            all => format!(" and {} more", all - SHOWN),
        };
        lines.push(format!(
            "  Also in it: {named}{rest}. Choose with --container, --pod or --at."
        ));
    }
    lines.extend(list(&reading.what));
    if explanation.contradictions.iter().any(|what| !what.settled) {
        return lines;
    }
    lines.extend(rows(explanation));
    lines.extend(reclaim(explanation));
    let of_kill = reading.oom().is_some() && reading.scope == Scope::Node;
    if !of_kill {
        lines.extend(tools(explanation));
    }
    lines
}

/// The table of what is no reading of a cgroup.
fn list(what: &What) -> Vec<String> {
    match what {
        What::Slab(caches) => {
            let row = |cache: &Cache| {
                let (name, size) = (&cache.name, bytes(cache.bytes));
                let (objects, used) = (cache.objects, cache.used);
                format!("  {name:<30} {size:>12} {objects:>14} objects, {used} % in use")
            };
            caches.iter().take(SHOWN).map(row).collect()
        }
        What::Processes(all) => {
            let row = |process: &Process| {
                let pss = process.pss.map(|pss| format!("  Pss {:>10}", bytes(pss)));
                let (rss, pss) = (bytes(process.rss), pss.unwrap_or_default());
                let name: String = process.name.chars().take(30).collect();
                format!("  {name:<30} Rss {rss:>10}{pss}")
            };
            all.iter().take(SHOWN).map(row).collect()
        }
        What::Series(Series { points, .. }) => {
            // First, last, and some between.
            let step = points.len().div_ceil(SHOWN).max(1);
            let start = points.first().map_or(0.0, |(t, _)| *t);
            let last = points.last().filter(|_| (points.len() - 1) % step != 0);
            let row = |(t, size): &(f64, u64)| {
                let (hours, size) = ((t - start) / 3600.0, bytes(*size));
                format!("  after {hours:>8.1} h {size:>12}")
            };
            points.iter().step_by(step).chain(last).map(row).collect()
        }
        _ => Vec::new(),
    }
}

/// What each tool would print, in few lines.
fn tools(explanation: &Explanation) -> Vec<String> {
    let mut printed: Vec<String> = Vec::new();
    for (tool, text) in explanation.formulas.iter().flat_map(|f| &f.printed) {
        let one = format!("{tool}: {text}");
        if !printed.contains(&one) {
            printed.push(one);
        }
    }
    if printed.is_empty() {
        return Vec::new();
    }
    wrapped("  Tools print: ", &printed.join("; "))
}

/// All formulas, all that follows, and what is not known.
pub fn verbose(explanation: &Explanation, out: &mut impl Write) -> io::Result<()> {
    let notes = explanation.reading.notes.iter();
    print(out, notes.flat_map(|note| wrapped("  ", note)))?;
    formulas(explanation, out)?;
    writeln!(out, "\nReading")?;
    let findings = explanation.findings.iter();
    print(
        out,
        findings.flat_map(|f| wrapped(&format!("  {}: ", f.code), &f.sentence)),
    )?;
    writeln!(out, "\nNot known from these numbers")?;
    for unknown in &explanation.unknown {
        writeln!(out, "  {}: {}", unknown.what, unknown.command)?;
    }
    Ok(())
}

/// The parts: for people, by the kernel's name, and bytes where known.
fn parts(explanation: &Explanation) -> [(&'static str, &'static str, Option<u64>); 10] {
    let parts = &explanation.parts;
    let total = if parts.at_least {
        "usage, at least"
    } else {
        "usage"
    };
    let known = (parts.total > 0 || !parts.at_least).then_some(parts.total);
    let some = |bytes: u64| (bytes > 0).then_some(bytes);
    let (lazy, hidden) = (some(parts.lazy_free), some(parts.thp_hidden));
    let hidden_name = if explanation.reading.has_swap() {
        "huge pages in part, or swap cache"
    } else {
        "huge pages mapped in part"
    };
    let (inactive, active) = (parts.cache_inactive, parts.cache_active);
    let row = |v1: &'static str, v2: &'static str| match explanation.reading.version {
        Some(CgroupVersion::V2) => v2,
        _ => v1,
    };
    [
        (total, "", known),
        ("anonymous memory", row("rss", "anon"), parts.anon),
        ("lazily freed, or written again", "", lazy),
        ("page cache, inactive", "inactive_file", inactive),
        ("page cache, active", "active_file", active),
        ("tmpfs and shared memory", "shmem", parts.shmem),
        (hidden_name, "", hidden),
        ("kernel memory", row("kmem", "kernel"), parts.kernel),
        ("socket buffers", "sock", parts.sock),
        ("in none of these rows", "", parts.unexplained),
    ]
}

/// The parts with their share of usage and limit.
fn rows(explanation: &Explanation) -> Vec<String> {
    let all = parts(explanation);
    if all.iter().all(|(_, _, bytes)| bytes.is_none()) {
        return Vec::new();
    }
    let (total, limit) = (explanation.parts.total, explanation.limit);
    let of_limit = limit.map(|limit| format!("of limit {}", bytes(limit)));
    let (head, of_limit) = ("What it is made of", of_limit.unwrap_or_default());
    let mut lines = vec![format!(
        "{head:<46} {:>12} {:>10} {of_limit:>20}",
        "", "of usage"
    )];
    for (name, row, size) in all {
        let Some(part) = size else { continue };
        // What contradicts itself has no share.
        let share = Some(percent(part, total)).filter(|_| part <= total);
        let share = share.unwrap_or_default();
        let limit = limit.map_or(String::new(), |limit| percent(part, limit));
        let size = bytes(part);
        lines.push(format!(
            "  {name:<30} {row:<13} {size:>12} {share:>10} {limit:>20}"
        ));
    }
    if let Some(working_set) = explanation.reading.working_set {
        let size = bytes(working_set);
        lines.push(format!("  {:<44} {size:>12}", "working set, as reported"));
    }
    lines
}

fn percent(part: u64, whole: u64) -> String {
    match whole {
        0 => String::new(),
        whole => format!("{:.1} %", number::percent(part, whole).min(100.0)),
    }
}

fn reclaim(explanation: &Explanation) -> Option<String> {
    let back = &explanation.reclaimable;
    let sizes = [
        ("at once", back.at_once),
        ("after writing it to disk", back.after_writing),
        ("lazily freed, if not written again", back.lazy_free),
        ("reclaimable slab", back.slab),
        ("only with swap", back.with_swap),
        ("not at all, or not known", back.never),
    ];
    let some = sizes.iter().filter(|(_, size)| *size > 0);
    let told = some.map(|(name, size)| format!("{name} {}", bytes(*size)));
    let told: Vec<String> = told.collect();
    (!told.is_empty()).then(|| format!("  The kernel could take back: {}.", told.join(", ")))
}

fn formulas(explanation: &Explanation, out: &mut impl Write) -> io::Result<()> {
    writeln!(out, "\nWhat the tools make of it")?;
    let mut missing = Vec::new();
    for evaluated in &explanation.formulas {
        let name = evaluated.formula.name;
        let value = match (evaluated.value, evaluated.bounds) {
            (Some(value), _) => value.to_string(),
            (None, Some((Some(least), Some(most)))) => format!("{least} to {most}"),
            (None, Some((Some(least), None))) => format!("at least {least}"),
            (None, Some((None, Some(most)))) => format!("at most {most}"),
            _ => {
                missing.push(name);
                continue;
            }
        };
        writeln!(
            out,
            "  {name:<28} {value:>16}  {}",
            evaluated.formula.expression
        )?;
        for (tool, text) in &evaluated.printed {
            writeln!(out, "      {tool}: {text}")?;
        }
    }
    if !missing.is_empty() {
        print(
            out,
            wrapped("  none (a row is missing): ", &missing.join(", ")),
        )?;
    }
    Ok(())
}

/// The width sentences are broken at.
const WIDTH: usize = 100;

fn wrapped(head: &str, text: &str) -> Vec<String> {
    let (mut lines, mut line) = (Vec::new(), head.to_string());
    for word in text.split_whitespace() {
        if line.trim().len() + 4 > 4 && line.len() + word.len() > WIDTH {
            lines.push(line.trim_end().to_string());
            line = "      ".into();
        }
        line += word;
        line.push(' ');
    }
    lines.push(line.trim_end().to_string());
    lines
}
