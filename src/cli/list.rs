//! `memtide list`: the catalogue, one line each.

use std::io::{IsTerminal, Write};

use serde::Serialize;

use super::{Exit, common};
use crate::report::{Align, Style, Table};
use crate::scenario::{self, Overrides, Scenario};
use crate::shipped;

#[derive(Debug, clap::Args)]
pub struct Args {
    /// Only scenarios whose name contains TEXT or that carry it as a tag.
    #[arg(long, value_name = "TEXT")]
    filter: Vec<String>,
    /// Tell which set-ups have a recording of each.
    #[arg(long)]
    setups: bool,
    /// Tell the kernel cards that `run --model` can predict.
    #[arg(long, conflicts_with_all = ["filter", "setups"])]
    cards: bool,
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
    /// The set-ups that have a recording of it.
    recordings: Vec<&'static str>,
}

/// Prints the catalogue in the order of the course.
pub fn run(args: Args) -> anyhow::Result<Exit> {
    if args.cards {
        return cards(args.json);
    }
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
    if args.setups {
        let mut table = Table::new(["name", "recorded on"].map(|h| (h, Align::Left)));
        for s in &scenarios {
            let setups = match recorded(&s.name) {
                none if none.is_empty() => "none".to_string(),
                some => some.join(" "),
            };
            table.plain(&[s.name.clone(), setups]);
        }
        write!(out, "{}", table.render(0, colour))?;
        return Ok(Exit::Ok);
    }
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

/// The set-ups that have a recording of a scenario, old kernels first.
fn recorded(name: &str) -> Vec<&'static str> {
    shipped::of_scenario(name).map(|one| one.setup).collect()
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
        recordings: recorded(&s.name),
    }
}

/// Prints the kernel cards.
fn cards(json: bool) -> anyhow::Result<Exit> {
    let cards = crate::model::card::all()?;
    let mut out = std::io::stdout();
    if json {
        writeln!(out, "{}", serde_json::to_string_pretty(&cards)?)?;
        return Ok(Exit::Ok);
    }
    let heads = ["card", "kernel", "cgroup", "LRU", "file system", "from"];
    let mut table = Table::new(heads.map(|h| (h, Align::Left)));
    for card in &cards {
        table.row([
            (card.name.clone(), Style::Plain),
            (card.kernel.clone(), Style::Plain),
            (card.cgroup.to_string(), Style::Plain),
            (card.rules.lru.to_string(), Style::Plain),
            (card.filesystem.clone(), Style::Plain),
            (card.source.clone(), Style::Dim),
        ]);
    }
    write!(
        out,
        "{}",
        table.render(0, common::colour(out.is_terminal()))
    )?;
    Ok(Exit::Ok)
}
