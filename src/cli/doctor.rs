//! `memtide doctor`: what this machine is, where scenarios would run, and which.

use std::io::{IsTerminal, Write};
use std::path::Path;

use anyhow::Context;

use super::{Exit, Failure, common};
use crate::cgroup::Hierarchy;
use crate::harness;
use crate::host::Doctor;
use crate::report::{Align, Style, Table};
use crate::scenario::{self, Overrides};
use crate::sys::probe;
use crate::units;

#[derive(Debug, clap::Args)]
pub struct Args {
    /// Instead: measure how long the work of scenarios takes in the work directory, some seconds, and
    /// write the profile that `run --model CARD --speed FILE` takes.
    #[arg(long)]
    speed: bool,
    #[command(flatten)]
    placed: common::Placed,
}

/// Prints the facts, then the scenarios that run, are skipped, and why. Ends with 3 where nothing
/// can run.
pub fn run(args: Args) -> anyhow::Result<Exit> {
    let workdir = args.placed.workdir();
    if args.speed {
        return profile(&workdir);
    }
    let hierarchy = Hierarchy::discover().map_err(Failure::environment)?;
    let choice = args.placed.placement().choose(&hierarchy);
    let doctor = Doctor::examine(hierarchy, harness::existing(&workdir));
    let mut out = std::io::stdout();
    let colour = common::colour(out.is_terminal());
    write!(
        out,
        "{}",
        facts(&doctor, &workdir.display().to_string()).render(0, colour)
    )?;
    let exit = match &choice {
        Ok(choice) => {
            writeln!(out, "\nplacement: {}", choice.chosen.as_str())?;
            for attempt in &choice.tried {
                writeln!(out, "  {attempt}")?;
            }
            Exit::Ok
        }
        Err(no) => {
            writeln!(out, "\nplacement: none\n{no}")?;
            Exit::Environment
        }
    };
    if let Some(preparation) = doctor.preparation() {
        writeln!(out, "  {preparation}")?;
    }
    let chosen = choice.as_ref().ok().map(|c| &c.chosen);
    write!(out, "\n{}", scenarios(&doctor, chosen)?.render(0, colour))?;
    Ok(exit)
}

/// The speed profile, to stdout.
fn profile(workdir: &Path) -> anyhow::Result<Exit> {
    let existing = harness::existing(workdir);
    let speed = super::speed::measure(existing)
        .with_context(|| format!("measuring in {}", existing.display()))?;
    let (kernel, _) = crate::host::uname();
    let filesystem = crate::host::filesystem_of(existing).unwrap_or_else(|| "a file system".into());
    let text = super::speed::to_toml(&speed, &kernel, &filesystem)?;
    write!(std::io::stdout(), "{text}")?;
    Ok(Exit::Ok)
}

fn facts(doctor: &Doctor, workdir: &str) -> Table {
    let facts = &doctor.facts;
    let or_unknown = |text: Option<String>| text.unwrap_or_else(|| "unknown".into());
    let mut table = Table::new(["fact", "here"].map(|h| (h, Align::Left)));
    let mut row = |name: &str, value: String| {
        table.row([(name.to_string(), Style::Dim), (value, Style::Plain)]);
    };
    row(
        "kernel",
        format!("{} ({}, {} CPUs)", facts.kernel, facts.arch, facts.cpus),
    );
    row(
        "cgroup",
        format!("{} at {}", facts.cgroup, doctor.hierarchy.mount.display()),
    );
    row("controllers", doctor.controllers.join(" "));
    row("own cgroup", doctor.hierarchy.own.display().to_string());
    row("memory limit", doctor.limit.to_string());
    row("LRU", facts.lru.to_string());
    row("page size", units::bytes(facts.page_size));
    row("huge pages (THP)", or_unknown(facts.thp.clone()));
    row("memory", units::bytes(facts.mem_total));
    let swap = match facts.swap_total {
        0 => "none".to_string(),
        n => units::bytes(n),
    };
    let swappiness = doctor
        .swappiness
        .map_or(String::new(), |s| format!(", swappiness {s}"));
    row("swap", format!("{swap}{swappiness}"));
    row(
        "pressure (PSI)",
        if facts.psi { "yes" } else { "no" }.into(),
    );
    row(
        "MADV_FREE",
        probe::madv_free_kind().map_or_else(
            || "unknown: no page to try it on".into(),
            |kind| kind.to_string(),
        ),
    );
    let block = facts
        .block_size
        .map_or(String::new(), |b| format!(", {b}-byte blocks"));
    let free = doctor
        .free_space
        .map_or(String::new(), |b| format!(", {} free", units::bytes(b)));
    row(
        "work directory",
        format!(
            "{workdir} ({}{block}{free})",
            or_unknown(facts.filesystem.clone())
        ),
    );
    let systemd = doctor
        .systemd_user
        .as_ref()
        .map(|p| p.display().to_string());
    row(
        "systemd user manager",
        systemd.unwrap_or_else(|| "not running".into()),
    );
    table
}

fn scenarios(doctor: &Doctor, chosen: Option<&crate::cgroup::Chosen>) -> anyhow::Result<Table> {
    let mut table = Table::new(["scenario", "here", ""].map(|h| (h, Align::Left)));
    for entry in scenario::catalogue() {
        let scenario = entry.parse(Overrides::default())?;
        let verdict = match chosen {
            Some(chosen) => harness::can_run(&scenario, &doctor.facts, chosen),
            None => Err("no cgroup to run in".into()),
        };
        let (word, style, why) = match verdict {
            Ok(()) => ("runs", Style::Good, String::new()),
            Err(why) => ("skipped", Style::Off, why),
        };
        table.row([
            (entry.name.to_string(), Style::Plain),
            (word.to_string(), style),
            (why, Style::Plain),
        ]);
    }
    Ok(table)
}
