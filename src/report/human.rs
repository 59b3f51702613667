//! A run's result for people: rows, formulas, the kernel's verdict, expectations.

use std::fmt::Write;

use super::{Align, RunResult, StepRow, Style, Table, Verdict};
use crate::formula::{FORMULAS, Kind};
use crate::rows::{CgroupVersion, Row};
use crate::units;

/// A formula stands out when it is off the truth by more than this share of the limit: less is
/// kernel metadata (about 3 % of the page cache) and per-CPU stock.
const OFF_SHARE: f64 = 0.10;

/// The rows of the first table.
const ROWS: [&Row; 6] = [
    Row::named("usage"),
    Row::named("rss"),
    Row::named("inactive_file"),
    Row::named("active_file"),
    Row::named("cache"),
    Row::named("shmem"),
];

/// The formulas people look at first; the others are for who asks for them.
const COMMON: [&str; 5] = [
    "cadvisor_working_set",
    "docker_stats",
    "usage",
    "rss",
    "kubectl_top",
];

/// How much of a result is printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Detail {
    /// One line. A result that fell short is printed whole all the same.
    Line,
    /// Tables, with the formulas that people look at first.
    Common,
    /// Tables, with every formula.
    All,
}

/// The result of one scenario.
pub fn render(run: &RunResult, detail: Detail, colour: bool) -> String {
    if detail == Detail::Line && run.result != Verdict::Fail {
        return line(run, colour);
    }
    let common = detail == Detail::Common && run.result != Verdict::Fail;
    let mut out = heading(run, colour);
    if run.result == Verdict::Skip {
        return out;
    }
    if !run.steps.is_empty() {
        out.push_str("\n  What the kernel says and what is true, MiB, after each step\n");
        out.push_str(&rows_table(run).render(2, colour));
        out.push_str("\n  What each formula makes of it, MiB");
        out.push_str(" (! more than 10 % of the limit off what the program holds)\n");
        out.push_str(&formula_table(run, common).render(2, colour));
        if common {
            out.push_str("  (the other formulas: -v)\n");
        }
    }
    out.push('\n');
    out.push_str(&verdict(run));
    out.push_str(&expectations(run, colour));
    out
}

/// The verdict as a word.
fn word(run: &RunResult, colour: bool) -> String {
    let (word, style) = match run.result {
        Verdict::Pass => ("pass", Style::Good),
        Verdict::Fail => ("FAIL", Style::Bad),
        Verdict::Skip => ("skip", Style::Off),
    };
    style.paint(word, colour)
}

/// `pass  log-write  survived, 6 claims held; working_set 16.4, rss 0.4, held 0.3 of 256MiB (after "fill")`:
/// at the step where working_set was furthest from what the program held.
fn line(run: &RunResult, colour: bool) -> String {
    let mut out = format!("{}  {:<20}  ", word(run, colour), run.scenario);
    if run.result == Verdict::Skip {
        let _ = writeln!(out, "{}", run.reason);
        return out;
    }
    let outcome = run.outcome.map_or("cut off", |outcome| outcome.as_str());
    let claims = run.expectations.len();
    let _ = write!(out, "{outcome:<10}  {claims:>2} claims held");
    let knows = knows_what_is_held(run);
    let furthest = (run.steps.iter())
        .filter_map(|step| {
            let working_set = step.formulas.get("cadvisor_working_set").copied()??;
            let held = if knows { held(step)? } else { 0.0 };
            Some((working_set, held, step))
        })
        .max_by(|a, b| {
            let off = |(set, held, _): &(i64, f64, &StepRow)| (*set as f64 - held).abs();
            off(a).total_cmp(&off(b))
        });
    if let Some((working_set, held, step)) = furthest {
        let limit = run.limit.map_or("no limit".to_string(), units::bytes);
        let held = match knows {
            true => format!(" where {} are held,", units::mib(held as u64)),
            false => String::new(),
        };
        let _ = write!(
            out,
            "   working_set {}{held} of {limit} ({})",
            units::mib(working_set.max(0).cast_unsigned()),
            step.name
        );
    }
    out.push('\n');
    out
}

fn heading(run: &RunResult, colour: bool) -> String {
    let mut out = format!("{}  {}: {}\n", word(run, colour), run.scenario, run.title);
    if run.result == Verdict::Skip {
        let _ = writeln!(out, "  skipped: {}", run.reason);
    }
    if let Some(host) = &run.host {
        let limit = run.limit.map_or("none".to_string(), units::bytes);
        let _ = writeln!(
            out,
            "  {}kernel {}, cgroup {}, {} LRU, limit {limit}, {} placement, seed {}",
            // No table mixes a kernel and a model without saying which is which.
            if host.is_model() { "a model of " } else { "" },
            host.kernel,
            host.cgroup,
            host.lru,
            host.placement,
            run.seed
        );
    }
    out
}

fn rows_table(run: &RunResult) -> Table {
    let several = run
        .steps
        .iter()
        .any(|s| s.container != run.steps[0].container);
    let headings = ["step", "t"]
        .into_iter()
        .chain(ROWS.iter().map(|row| row.name))
        .chain(["| heap", "leaked", "files"]);
    let mut table = Table::new(headings.map(|name| match name {
        "step" => (name, Align::Left),
        _ => (name, Align::Right),
    }));
    let host = run.host.as_ref();
    let version = host.map_or(CgroupVersion::V2, |host| host.cgroup);
    let knows = knows_what_is_held(run);
    for step in &run.steps {
        let mut cells = vec![
            (step_name(step, several), Style::Plain),
            (format!("{:.1} s", step.t), Style::Dim),
        ];
        for row in ROWS {
            let value = row.value(version, |name| step.rows.get(name).copied());
            cells.push((mib_or_dash(value), Style::Plain));
        }
        for name in ["live", "leaked", "file_live"] {
            let bar = if name == "live" { "| " } else { "" };
            let value = step.truth.get(name).copied().filter(|_| knows);
            let value = mib_or_dash(value);
            cells.push((format!("{bar}{value:>5}"), Style::Plain));
        }
        table.row(cells);
    }
    table
}

fn step_name(step: &StepRow, several: bool) -> String {
    let mut name = if several {
        format!("{}/{}", step.container, step.name)
    } else {
        step.name.clone()
    };
    if step.result != "done" {
        let _ = write!(name, " ({})", step.result);
    }
    name
}

fn mib_or_dash(value: Option<u64>) -> String {
    value.map_or("-".to_string(), units::mib)
}

/// Formulas as rows, steps as columns: there are more formulas than a line has room for.
fn formula_table(run: &RunResult, common: bool) -> Table {
    let headings = std::iter::once(("formula".to_string(), Align::Left))
        .chain(run.steps.iter().map(|s| (s.name.clone(), Align::Right)));
    let mut table = Table::new(headings);
    let limit = run.limit.unwrap_or(u64::MAX) as f64;
    let knows = knows_what_is_held(run);
    let wanted = FORMULAS
        .iter()
        .filter(|f| !common || COMMON.contains(&f.name));
    for formula in wanted {
        let values: Vec<Option<i64>> = run
            .steps
            .iter()
            .map(|s| s.formulas.get(formula.name).copied().flatten())
            .collect();
        if values.iter().all(Option::is_none) {
            continue;
        }
        let mut cells = vec![(formula.name.to_string(), Style::Plain)];
        for (step, value) in run.steps.iter().zip(&values) {
            cells.push(formula_cell(
                *value,
                held(step).filter(|_| knows),
                limit,
                formula.kind != Kind::Used,
            ));
        }
        table.row(cells);
    }
    table
}

/// Whether memtide's own workers held anything: of a real service or runtime it does not know what is held, and
/// nothing would be off from what is not known.
fn knows_what_is_held(run: &RunResult) -> bool {
    let counted = ["live", "leaked", "file_live", "shmem_live", "freed_lazy"];
    let mut steps = run.steps.iter();
    steps.any(|step| {
        let mut values = counted.iter().filter_map(|name| step.truth.get(name));
        values.any(|value| *value > 0)
    })
}

/// What the program holds and nothing can take from it: heap and files in memory.
fn held(step: &StepRow) -> Option<f64> {
    let part = |name| step.truth.get(name).map(|v| *v as f64);
    Some(part("live")? + part("shmem_live").unwrap_or(0.0))
}

fn formula_cell(
    value: Option<i64>,
    held: Option<f64>,
    limit: f64,
    estimate: bool,
) -> (String, Style) {
    let Some(value) = value else {
        return ("-".into(), Style::Dim);
    };
    let text = units::signed_mib(value);
    let off = held.is_some_and(|held| (value as f64 - held).abs() > OFF_SHARE * limit);
    if off && !estimate {
        (format!("!{text}"), Style::Off)
    } else {
        (text, Style::Plain)
    }
}

fn verdict(run: &RunResult) -> String {
    let mut out = String::new();
    let outcome = match (run.outcome, run.reason.is_empty()) {
        (Some(outcome), _) => outcome.as_str(),
        (None, true) => "unknown (the recording was cut)",
        // Of a pod: what became of it.
        (None, false) => &run.reason,
    };
    let _ = write!(out, "  outcome: {outcome}");
    for (group, rows) in &run.counters.0 {
        let risen = rows.0.iter().filter(|(_, value)| *value > 0);
        let rows: Vec<String> = risen
            .map(|(name, value)| format!("{name} {value}"))
            .collect();
        if !rows.is_empty() {
            let _ = write!(out, "; {group}: {}", rows.join(", "));
        }
    }
    out.push('\n');
    if let Some(cost) = &run.harness {
        let _ = writeln!(
            out,
            "  sampling: {} samples, {} missed, {} us CPU each, late by {} us (p99)",
            cost.samples,
            cost.missed,
            cost.cpu_ns_mean / 1000,
            cost.lateness_p99 / 1000
        );
    }
    for warning in &run.warnings {
        let _ = writeln!(out, "  note: {warning}");
    }
    for step in run.steps.iter().filter(|s| s.result != "done") {
        let _ = writeln!(out, "  step {} {}: {}", step.name, step.result, step.reason);
    }
    if let Some(path) = &run.recording {
        let _ = writeln!(out, "  recording: {path}");
    }
    out
}

fn expectations(run: &RunResult, colour: bool) -> String {
    let mut out = String::new();
    for expected in &run.expectations {
        let (word, style) = if expected.pass {
            ("ok  ", Style::Good)
        } else {
            ("FAIL", Style::Bad)
        };
        let _ = writeln!(
            out,
            "  {} {}: expected {}, seen {}",
            style.paint(word, colour),
            expected.text,
            expected.expected,
            expected.seen
        );
        if !expected.pass && !expected.why.is_empty() {
            let _ = writeln!(out, "       why it should hold: {}", expected.why);
        }
    }
    for other in &run.not_here {
        let line = format!("  --   {}: {}", other.text, other.reason);
        let _ = writeln!(out, "{}", Style::Dim.paint(&line, colour));
    }
    out
}

/// The last line of a `run`: how many passed, failed and were skipped.
pub fn summary(runs: &[RunResult]) -> String {
    let count = |verdict| runs.iter().filter(|r| r.result == verdict).count();
    format!(
        "{} passed, {} failed, {} skipped",
        count(Verdict::Pass),
        count(Verdict::Fail),
        count(Verdict::Skip)
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{recording, scenario};

    #[test]
    fn of_a_real_program_nothing_is_said_of_what_it_holds() {
        let rendered = |file: &str| {
            let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join(file);
            let read = recording::read_path(&path).unwrap();
            let header = &read.header;
            let parsed = scenario::parse(&header.scenario_text, file, &header.scenario).unwrap();
            let run = crate::report::analyze(&parsed, &read, None);
            [Detail::Line, Detail::Common].map(|detail| render(&run, detail, false))
        };
        let [line, all] = rendered("suites/6.18-v1/nginx-log.jsonl.gz");
        assert!(
            line.contains("working_set ") && !line.contains("are held"),
            "{line}"
        );
        let usage = all
            .lines()
            .find(|line| line.trim_start().starts_with("usage "));
        assert!(usage.is_some_and(|line| !line.contains('!')), "{all}");
        let [line, all] = rendered("recordings/6.12-v2/log-write.jsonl.gz");
        assert!(line.contains("where 12.8 are held"), "{line}");
        assert!(all.contains("!255.8"), "{all}");
    }
}
