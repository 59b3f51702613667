//! `memtide list`: the catalogue, one line each.

use std::io::{IsTerminal, Write};

use serde::Serialize;

use super::{Exit, common};
use crate::report::{Align, Style, Table};
use crate::scenario::{self, Overrides, Scenario};

#[derive(Debug, clap::Args)]
pub struct Args {
    /// Only scenarios whose name contains TEXT or that carry it as a tag.
    #[arg(long, value_name = "TEXT")]
    filter: Vec<String>,
    /// As JSON.
    #[arg(long)]
    json: bool,
}

#[derive(Serialize)]
struct Line<'a> {
    name: &'a str,
    title: &'a str,
    class: &'a str,
    fire: bool,
    containers: usize,
    limit: u64,
    tags: &'a [String],
}

/// Prints the catalogue in the order of the course.
pub fn run(args: Args) -> anyhow::Result<Exit> {
    let mut scenarios = Vec::new();
    for entry in scenario::catalogue() {
        let scenario = entry.parse(Overrides::default())?;
        if args.filter.iter().all(|f| common::matches(&scenario, f)) {
            scenarios.push(scenario);
        }
    }
    let mut out = std::io::stdout();
    if args.json {
        let lines: Vec<Line> = scenarios.iter().map(line).collect();
        writeln!(out, "{}", serde_json::to_string_pretty(&lines)?)?;
        return Ok(Exit::Ok);
    }
    let colour = common::colour(out.is_terminal());
    let mut table = Table::new(["name", "truth", "what you will see"].map(|h| (h, Align::Left)));
    for s in &scenarios {
        table.row([
            (s.name.as_str(), Style::Plain),
            (s.truth.class.as_str(), Style::Dim),
            (s.title.as_str(), Style::Plain),
        ]);
    }
    write!(out, "{}", table.render(0, colour))?;
    if out.is_terminal() {
        writeln!(
            out,
            "\n`memtide show NAME` tells the story; `memtide run NAME` runs it."
        )?;
    }
    Ok(Exit::Ok)
}

fn line(s: &Scenario) -> Line<'_> {
    Line {
        name: &s.name,
        title: &s.title,
        class: s.truth.class.as_str(),
        fire: s.truth.fire,
        containers: s.containers.len(),
        limit: s.containers[0].limit,
        tags: &s.tags,
    }
}
