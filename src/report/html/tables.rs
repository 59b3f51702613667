//! The tables of one recording: steps, expectations, host.

use std::fmt::Write as _;

use super::Entry;
use super::text::{mib_cell, table};
use crate::expect::{CheckResult, Checked};
use crate::formula::cadvisor;
use crate::markup::escape;
use crate::plot::layers;
use crate::plot::steps::StepBand;
use crate::recording::{Recording, StepResult};
use crate::units;

/// The columns of the step table beside the formulas.
const COUNTERS: [&str; 6] = [
    "rss",
    "cache",
    "active_file",
    "inactive_file",
    "shmem",
    "kernel",
];
const TRUTH: [&str; 2] = ["live", "file_live"];

/// Each step with the numbers that stood when it had settled.
pub fn steps(recording: &Recording, bands: &[StepBand]) -> String {
    let mut head = String::from(
        "<th scope=col>step<th scope=col>by<th scope=col class=n>at\
         <th scope=col class=n>usage<th scope=col class=n>working_<wbr>set",
    );
    // A narrow page may break a long name after its underscore.
    let breakable = |name: &str| name.replace('_', "_<wbr>");
    for name in COUNTERS.map(breakable) {
        let _ = write!(head, "<th scope=col class=n>{name}");
    }
    for name in TRUTH.map(breakable) {
        let _ = write!(
            head,
            "<th scope=col class=n title=\"what the worker itself knows\">truth: {name}"
        );
    }
    let mut rows = String::new();
    for band in bands {
        step(&mut rows, recording, band);
    }
    let caption = "Steps, and the numbers in MiB when each had settled";
    table(caption, &head, &rows)
}

fn step(out: &mut String, recording: &Recording, band: &StepBand) {
    let note = match &band.result {
        Some(StepResult::Done) => String::new(),
        Some(StepResult::Failed(why)) => format!(" <b class=bad>failed: {}</b>", escape(why)),
        Some(StepResult::Skipped(why)) => format!(" <i>skipped: {}</i>", escape(why)),
        None => " <b class=bad>did not end</b>".into(),
    };
    let _ = write!(
        out,
        "<tr><th scope=row>{}{note}{}</th><td>{}/{}</td><td class=n>{:.2} s</td>",
        escape(&band.id.step),
        match band.say.as_str() {
            "" => String::new(),
            say => format!("<p class=say>{}</p>", escape(say)),
        },
        escape(&band.id.container),
        escape(&band.id.actor),
        band.end,
    );
    let group = recording.group(&band.id.container);
    let at = group.and_then(|g| recording.tables.get(g)?.at((band.end * 1e9).round() as u64));
    let (Some(group), Some(sample)) = (group, at) else {
        let _ = writeln!(
            out,
            "<td colspan={}>no sample</td></tr>",
            2 + COUNTERS.len() + TRUTH.len()
        );
        return;
    };
    let view = recording.view(group, &recording.view_index(group), sample);
    let table = &recording.tables[group];
    out.push_str(&mib_cell(view.usage));
    out.push_str(&mib_cell(cadvisor::working_set(&view)));
    for name in COUNTERS {
        out.push_str(&mib_cell(view.get(name)));
    }
    for name in TRUTH {
        let column = table.column(&format!("truth:{name}"));
        out.push_str(&mib_cell(column.and_then(|c| table.get(sample, c))));
    }
    out.push_str("</tr>\n");
}

/// Expected and seen.
pub fn checks(checks: &[Checked]) -> String {
    if checks.is_empty() {
        return "<p>No expectation is known for this recording.</p>\n".into();
    }
    let mut rows = String::new();
    for check in checks {
        let (class, word, seen) = match &check.result {
            CheckResult::Pass => ("good", "✓ met", &check.seen),
            CheckResult::Fail => ("bad", "✗ not met", &check.seen),
            CheckResult::NotHere(reason) => ("none", "not here", reason),
        };
        let _ = writeln!(
            rows,
            "<tr class={class}><td><b class={class}>{word}</b></td><th scope=row>{}</th><td>{}</td><td>{}</td><td>{}</td></tr>",
            escape(&check.text),
            escape(&check.expected),
            escape(seen),
            escape(&check.why),
        );
    }
    let head = "<th scope=col><th scope=col>claim<th scope=col>expected<th scope=col>seen<th scope=col>why";
    table("Expectations", head, &rows)
}

/// The machine, and what the harness cost.
pub fn host(entry: &Entry) -> String {
    let header = &entry.recording.header;
    let host = &header.host;
    let unknown = || "unknown".to_string();
    let limit = layers::limit(&entry.recording, entry.recording.main_group());
    let mut facts = vec![
        ("recording", entry.path.clone()),
        ("recorded", header.started.clone()),
        ("memtide", header.memtide.clone()),
        ("kernel", format!("{} ({})", host.kernel, host.arch)),
        (
            "cgroup",
            format!("{}, {} placement", host.cgroup, host.placement),
        ),
        ("LRU", host.lru.to_string()),
        ("limit", limit.map_or("none".into(), units::bytes)),
        ("CPUs", host.cpus.to_string()),
        ("memory", units::bytes(host.mem_total)),
        ("swap", units::bytes(host.swap_total)),
        ("huge pages", host.thp.clone().unwrap_or_else(unknown)),
        ("pressure file", if host.psi { "yes" } else { "no" }.into()),
        (
            "MADV_FREE",
            if host.madv_free {
                "works"
            } else {
                "does not work"
            }
            .into(),
        ),
        (
            "file system",
            host.filesystem.clone().unwrap_or_else(unknown),
        ),
        ("seed", format!("{} ({})", header.seed, header.rng)),
        (
            "between samples",
            units::duration(std::time::Duration::from_nanos(header.interval_ns)),
        ),
    ];
    if let Some(footer) = &entry.recording.footer {
        let cost = &footer.harness;
        facts.push((
            "samples",
            format!("{}, {} missed", cost.samples, cost.missed),
        ));
        let mean = std::time::Duration::from_nanos(cost.cpu_ns_mean);
        facts.push(("cost of a sample", units::duration(mean)));
    }
    let mut out = String::from("<dl>\n");
    for (name, value) in facts {
        let _ = writeln!(out, "<div><dt>{name}</dt><dd>{}</dd></div>", escape(&value));
    }
    out.push_str("</dl>\n");
    out
}
