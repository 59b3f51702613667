//! OpenMetrics text with timestamps, for `promtool tsdb create-blocks-from openmetrics`.
//!
//! The labels a scrape would have added (`job`, `metrics_path`, ...) are written too: backfilled
//! series pass no scrape configuration, and public rules select by them.

use std::io::{self, Write};

use super::cadvisor::{Kind, METRICS, number};
use super::labels::{Labels, pairs, selector};
use super::orchestrator;
use super::page::Pages;

/// Writes all recordings as one exposition. Two recordings of one scenario are told apart by the
/// label `setup`.
pub fn write(out: &mut impl Write, recordings: &[(String, Pages)]) -> io::Result<()> {
    let mut first = 0;
    while first < METRICS.len() {
        let name = METRICS[first].name;
        let last = METRICS
            .iter()
            .rposition(|m| m.name == name)
            .unwrap_or(first);
        write_family(out, first..=last, recordings)?;
        first = last + 1;
    }
    write_orchestrator(out, recordings)?;
    writeln!(out, "# EOF")
}

/// What kube-state-metrics and the node exporter say.
fn write_orchestrator(out: &mut impl Write, recordings: &[(String, Pages)]) -> io::Result<()> {
    let all: Vec<_> = recordings
        .iter()
        .map(|(setup, pages)| (setup, pages, orchestrator::series(pages)))
        .collect();
    for family in orchestrator::FAMILIES {
        write_header(out, (family.name, family.kind, family.help))?;
        for (setup, pages, series) in &all {
            for series in series.iter().filter(|s| s.name == family.name) {
                let labels = pairs(&series.labels).chain([("setup", setup.as_str())]);
                let selector = selector(labels);
                for t_s in scrape_times(pages) {
                    let value = series.at(pages.recording(), pages.nanoseconds(t_s));
                    if let Some(value) = value {
                        let t = pages.timestamp_ms(t_s) as f64 / 1e3;
                        writeln!(out, "{}{selector} {} {t:.3}", series.name, number(value))?;
                    }
                }
            }
        }
    }
    Ok(())
}

fn write_header(out: &mut impl Write, (name, kind, help): (&str, Kind, &str)) -> io::Result<()> {
    // OpenMetrics names a counter's family without the `_total` of its samples; where cAdvisor's
    // counter has no such suffix, only an untyped family may carry its name.
    let (family, kind) = match (name.strip_suffix("_total"), kind) {
        (Some(family), Kind::Counter) => (family, "counter"),
        (None, Kind::Counter) => (name, "unknown"),
        (_, Kind::Gauge) => (name, "gauge"),
    };
    writeln!(out, "# HELP {family} {help}\n# TYPE {family} {kind}")
}

fn write_family(
    out: &mut impl Write,
    indices: std::ops::RangeInclusive<usize>,
    recordings: &[(String, Pages)],
) -> io::Result<()> {
    let head = &METRICS[*indices.start()];
    write_header(out, (head.name, head.kind, head.help))?;
    for index in indices {
        for (setup, pages) in recordings {
            for (group, labels) in pages.labels.iter().enumerate() {
                write_series(out, index, pages, (group, labels, setup))?;
            }
        }
    }
    Ok(())
}

fn write_series(
    out: &mut impl Write,
    index: usize,
    pages: &Pages,
    (group, labels, setup): (usize, &Labels, &str),
) -> io::Result<()> {
    let metric = &METRICS[index];
    let all = labels
        .set()
        .chain(metric.labels.iter().copied())
        .chain(pairs(&pages.scraped))
        .chain([("setup", setup)]);
    let selector = selector(all);
    let table = &pages.recording().tables[group];
    let mut last = i64::MIN;
    for sample in 0..table.len() {
        let at_ms = pages.timestamp_ms(pages.seconds(table.t[sample]));
        // Prometheus keeps milliseconds: a second sample within one would be a duplicate.
        if at_ms == last {
            continue;
        }
        if let Some((_, value)) = pages.read(group, sample).nth(index) {
            last = at_ms;
            let t = at_ms as f64 / 1e3;
            writeln!(out, "{}{selector} {} {t:.3}", metric.name, number(value))?;
        }
    }
    Ok(())
}

/// Every 15 s of detector time, seconds from the start.
fn scrape_times(pages: &Pages) -> impl Iterator<Item = f64> {
    let steps = (pages.end() / 15.0) as usize;
    (0..=steps).map(|i| i as f64 * 15.0)
}
