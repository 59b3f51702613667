//! `memtide explain`: from pasted numbers to what they mean.

use std::io::{self, Read, Write};
use std::path::PathBuf;

use anyhow::Context;

use super::Exit;
use crate::explain::{self, Explanation, Readings, Select, input, wire};
use crate::rows::CgroupVersion;
use crate::units;

/// Explain memory numbers: a cgroup, copied kernel files, an OOM report, a metrics page, ...
#[derive(Debug, clap::Args)]
pub struct Args {
    /// A cgroup directory, a file or directory of copied kernel files, /proc/meminfo, an OOM report
    /// from dmesg, a cAdvisor or kubelet metrics page, JSON of the kubelet or docker, what docker stats,
    /// kubectl top, systemctl or free printed, or a recording; `-` reads standard input.
    #[arg(required_unless_present_any = ["usage", "rows"])]
    what: Option<PathBuf>,
    /// Where in a recording: a step's name or a time (`2.5s`). Elsewhere: which of several readings,
    /// by number from 1 or by a part of its name.
    #[arg(long, value_name = "STEP|TIME")]
    at: Option<String>,
    /// The container, by name or by the beginning of its id.
    #[arg(long, value_name = "NAME")]
    container: Option<String>,
    /// The pod.
    #[arg(long, value_name = "NAME")]
    pod: Option<String>,
    /// The usage in bytes (or `2418MiB`), instead of a file.
    #[arg(long, value_name = "BYTES", conflicts_with = "what")]
    usage: Option<String>,
    /// The limit in bytes (or `4GiB`).
    #[arg(long, value_name = "BYTES", conflicts_with = "what")]
    limit: Option<String>,
    /// One more row by its kernel name: `inactive_file=334565376`. Can be given several times.
    #[arg(long = "row", value_name = "NAME=BYTES", conflicts_with = "what")]
    rows: Vec<String>,
    /// How to print it.
    #[arg(long, value_enum, default_value = "human")]
    format: Format,
}

#[derive(Debug, Clone, Copy, clap::ValueEnum)]
enum Format {
    /// Tables and sentences.
    Human,
    /// One JSON document.
    Json,
}

/// Runs it.
pub fn run(args: Args) -> anyhow::Result<Exit> {
    let explanation = explain::explain(read(&args)?);
    let mut out = io::stdout().lock();
    match args.format {
        Format::Human => human(&explanation, &mut out)?,
        Format::Json => {
            let text = serde_json::to_string_pretty(&wire::Document::from(&explanation))
                .context("failed to write the explanation as JSON")?;
            writeln!(out, "{text}")?;
        }
    }
    Ok(Exit::Ok)
}

fn read(args: &Args) -> anyhow::Result<Readings> {
    let select = Select {
        at: args.at.clone(),
        container: args.container.clone(),
        pod: args.pod.clone(),
    };
    let Some(what) = &args.what else {
        let reading = input::given::read(args.usage.as_deref(), args.limit.as_deref(), &args.rows)?;
        return Ok(Readings {
            all: vec![reading],
            chosen: 0,
        });
    };
    if what.as_os_str() != "-" {
        return Ok(input::read_path(what, &select)?);
    }
    let mut bytes = Vec::new();
    io::stdin()
        .lock()
        .take(input::BYTES_MAX + 1)
        .read_to_end(&mut bytes)
        .context("failed to read standard input")?;
    Ok(input::read_bytes(&bytes, "standard input", None, &select)?)
}

/// How many other readings are named.
const OTHERS_SHOWN: usize = 8;

fn human(explanation: &Explanation, out: &mut impl Write) -> io::Result<()> {
    let reading = &explanation.reading;
    let version = reading
        .cgroup()
        .map_or(String::new(), |v| format!(", cgroup {v}"));
    writeln!(out, "{} ({}{version})", reading.label, reading.source)?;
    for note in &reading.notes {
        wrapped(out, "  ", note)?;
    }
    if !explanation.others.is_empty() {
        let named: Vec<&str> = explanation
            .others
            .iter()
            .take(OTHERS_SHOWN)
            .map(String::as_str)
            .collect();
        let more = explanation.others.len() - named.len();
        let rest = if more > 0 {
            format!(" and {more} more")
        } else {
            String::new()
        };
        writeln!(
            out,
            "  Also in it: {}{rest}. Choose with --container, --pod or --at.",
            named.join("; ")
        )?;
    }
    rows(explanation, out)?;
    reclaim(explanation, out)?;
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
        ("huge pages mapped in part", "", hidden(parts.thp_hidden)),
        ("kernel memory", row("kmem", "kernel"), parts.kernel),
        ("socket buffers", "sock", parts.sock),
        ("in none of these rows", "", parts.unexplained),
    ]
}

/// The parts with their share of usage and limit.
fn rows(explanation: &Explanation, out: &mut impl Write) -> io::Result<()> {
    let known = parts(explanation)
        .iter()
        .any(|(_, _, bytes)| bytes.is_some());
    if !known && explanation.reading.working_set.is_none() {
        return Ok(());
    }
    let of_limit = match explanation.limit {
        Some(limit) => format!("of limit {}", units::bytes(limit)),
        None => String::new(),
    };
    let head = "What it is made of";
    let head = format!("{head:<46} {:>12} {:>10} {of_limit:>20}", "", "of usage");
    writeln!(out, "\n{}", head.trim_end())?;
    for (name, row, bytes) in parts(explanation) {
        let Some(bytes) = bytes else {
            continue;
        };
        let share = percent(bytes, explanation.parts.total);
        let limit = explanation
            .limit
            .map_or(String::new(), |limit| percent(bytes, limit));
        let size = units::bytes(bytes);
        let line = format!("  {name:<30} {row:<13} {size:>12} {share:>10} {limit:>20}");
        writeln!(out, "{}", line.trim_end())?;
    }
    if let Some(working_set) = explanation.reading.working_set {
        let size = units::bytes(working_set);
        writeln!(out, "  {:<44} {size:>12}", "working set, as reported")?;
    }
    Ok(())
}

fn percent(part: u64, whole: u64) -> String {
    if whole == 0 {
        return String::new();
    }
    format!("{:.1} %", part as f64 / whole as f64 * 100.0)
}

fn reclaim(explanation: &Explanation, out: &mut impl Write) -> io::Result<()> {
    let back = &explanation.reclaimable;
    let sizes = [
        ("at once: clean page cache", back.at_once),
        ("after writing it to disk", back.after_writing),
        ("if not written again: lazy free", back.lazy_free),
        ("reclaimable slab", back.slab),
        ("only with swap: heap, tmpfs", back.with_swap),
        ("not at all, or not known", back.never),
    ];
    if sizes.iter().all(|(_, bytes)| *bytes == 0) {
        return Ok(());
    }
    writeln!(out, "\nWhat the kernel could take back")?;
    for (name, bytes) in sizes {
        if bytes > 0 {
            writeln!(out, "  {name:<32} {:>10}", units::bytes(bytes))?;
        }
    }
    Ok(())
}

fn formulas(explanation: &Explanation, out: &mut impl Write) -> io::Result<()> {
    writeln!(out, "\nWhat the tools make of it")?;
    let mut missing = Vec::new();
    for evaluated in &explanation.formulas {
        let name = evaluated.formula.name;
        let value = match (evaluated.value, evaluated.at_least) {
            (Some(value), _) => value.to_string(),
            (None, Some(least)) => format!("at least {least}"),
            (None, None) => {
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
