//! How an explanation is printed: the answer first, then the table, the rest on demand.

use std::io::{self, Write};

use crate::explain::{Explanation, Scope, What};
use crate::rows::CgroupVersion;
use crate::units;

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
    for line in lines {
        writeln!(out, "{}", line.trim_end())?;
    }
    Ok(())
}

/// `web (docker stats): the first note`.
fn source(explanation: &Explanation) -> String {
    let reading = &explanation.reading;
    let version = reading
        .cgroup()
        .map_or(String::new(), |v| format!(", cgroup {v}"));
    let note = reading
        .notes
        .first()
        .map_or(String::new(), |note| format!(" {note}"));
    format!(
        "From {} ({}{version}).{note}",
        reading.label, reading.source
    )
}

fn details(explanation: &Explanation) -> Vec<String> {
    let reading = &explanation.reading;
    let mut lines: Vec<String> = Vec::new();
    let contradictions = explanation
        .contradictions
        .iter()
        .map(|what| what.sentence.as_str());
    for note in contradictions
        .chain(reading.notes.iter().skip(1).map(String::as_str))
        .take(3)
    {
        // What the answer says already is not said again.
        if !explanation.answer.sentence.contains(note) {
            lines.push(format!("  {note}"));
        }
    }
    if !explanation.others.is_empty() {
        let named: Vec<&str> = explanation
            .others
            .iter()
            .take(SHOWN)
            .map(String::as_str)
            .collect();
        let more = explanation.others.len() - named.len();
        let rest = if more > 0 {
            format!(" and {more} more")
        } else {
            String::new()
        };
        lines.push(format!(
            "  Also in it: {}{rest}. Choose with --container, --pod or --at.",
            named.join("; ")
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
        What::Slab(caches) => caches
            .iter()
            .take(SHOWN)
            .map(|cache| {
                format!(
                    "  {:<30} {:>12} {:>14} objects, {} % in use",
                    cache.name,
                    units::bytes(cache.bytes),
                    cache.objects,
                    cache.used
                )
            })
            .collect(),
        What::Processes(all) => all
            .iter()
            .take(SHOWN)
            .map(|p| {
                let pss = p.pss.map_or(String::new(), |pss| {
                    format!("  Pss {:>10}", units::bytes(pss))
                });
                format!(
                    "  {:<30} Rss {:>10}{pss}",
                    p.name.chars().take(30).collect::<String>(),
                    units::bytes(p.rss)
                )
            })
            .collect(),
        What::Series(series) => {
            // First, last, and some between.
            let step = series.points.len().div_ceil(SHOWN).max(1);
            let start = series.points.first().map_or(0.0, |(t, _)| *t);
            let chosen = series.points.iter().step_by(step).chain(
                series
                    .points
                    .last()
                    .filter(|_| (series.points.len() - 1) % step != 0),
            );
            chosen
                .map(|(t, bytes)| {
                    format!(
                        "  after {:>8.1} h {:>12}",
                        (t - start) / 3600.0,
                        units::bytes(*bytes)
                    )
                })
                .collect()
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
    let mut text = Vec::new();
    // A Vec takes any number of bytes.
    let written = wrapped(&mut text, "  Tools print: ", &printed.join("; "));
    debug_assert!(written.is_ok(), "a Vec takes all");
    String::from_utf8_lossy(&text)
        .lines()
        .map(str::to_string)
        .collect()
}

/// All formulas, all that follows, and what is not known.
pub fn verbose(explanation: &Explanation, out: &mut impl Write) -> io::Result<()> {
    for note in &explanation.reading.notes {
        wrapped(out, "  ", note)?;
    }
    formulas(explanation, out)?;
    writeln!(out, "\nReading")?;
    for finding in &explanation.findings {
        wrapped(out, &format!("  {}: ", finding.code), &finding.sentence)?;
    }
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
    let hidden = |bytes: u64| (bytes > 0).then_some(bytes);
    let hidden_name = if explanation.reading.has_swap() {
        "huge pages in part, or swap cache"
    } else {
        "huge pages mapped in part"
    };
    let row = |v1: &'static str, v2: &'static str| match explanation.reading.version {
        Some(CgroupVersion::V2) => v2,
        _ => v1,
    };
    [
        (total, "", known),
        ("anonymous memory", row("rss", "anon"), parts.anon),
        (
            "lazily freed, or written again",
            "",
            hidden(parts.lazy_free),
        ),
        (
            "page cache, inactive",
            "inactive_file",
            parts.cache_inactive,
        ),
        ("page cache, active", "active_file", parts.cache_active),
        ("tmpfs and shared memory", "shmem", parts.shmem),
        (hidden_name, "", hidden(parts.thp_hidden)),
        ("kernel memory", row("kmem", "kernel"), parts.kernel),
        ("socket buffers", "sock", parts.sock),
        ("in none of these rows", "", parts.unexplained),
    ]
}

/// The parts with their share of usage and limit.
fn rows(explanation: &Explanation) -> Vec<String> {
    let mut lines = Vec::new();
    let known = parts(explanation)
        .iter()
        .any(|(_, _, bytes)| bytes.is_some());
    if !known {
        return lines;
    }
    let of_limit = match explanation.limit {
        Some(limit) => format!("of limit {}", units::bytes(limit)),
        None => String::new(),
    };
    let head = "What it is made of";
    lines.push(format!(
        "{head:<46} {:>12} {:>10} {of_limit:>20}",
        "", "of usage"
    ));
    for (name, row, bytes) in parts(explanation) {
        let Some(bytes) = bytes else {
            continue;
        };
        // What contradicts itself has no share.
        let share = if bytes <= explanation.parts.total {
            percent(bytes, explanation.parts.total)
        } else {
            String::new()
        };
        let limit = explanation
            .limit
            .map_or(String::new(), |limit| percent(bytes, limit));
        let size = units::bytes(bytes);
        lines.push(format!(
            "  {name:<30} {row:<13} {size:>12} {share:>10} {limit:>20}"
        ));
    }
    if let Some(working_set) = explanation.reading.working_set {
        let size = units::bytes(working_set);
        lines.push(format!("  {:<44} {size:>12}", "working set, as reported"));
    }
    lines
}

fn percent(part: u64, whole: u64) -> String {
    if whole == 0 {
        return String::new();
    }
    format!("{:.1} %", (part as f64 / whole as f64 * 100.0).min(100.0))
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
    let told: Vec<String> = sizes
        .iter()
        .filter(|(_, bytes)| *bytes > 0)
        .map(|(name, bytes)| format!("{name} {}", units::bytes(*bytes)))
        .collect();
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
        wrapped(out, "  none (a row is missing): ", &missing.join(", "))?;
    }
    Ok(())
}

/// The width sentences are broken at.
const WIDTH: usize = 100;

fn wrapped(out: &mut impl Write, head: &str, text: &str) -> io::Result<()> {
    let mut line = head.to_string();
    for word in text.split_whitespace() {
        if line.trim().len() + 4 > 4 && line.len() + word.len() > WIDTH {
            writeln!(out, "{}", line.trim_end())?;
            line = "      ".into();
        }
        line += word;
        line.push(' ');
    }
    writeln!(out, "{}", line.trim_end())
}
