//! `memtide` alone: what to try first, by what this machine can do.

use std::io::Write;

use super::Exit;
use super::common;
use crate::cgroup::{Choice, Chosen, Hierarchy, NoPlacement, Placement};
use crate::report::{Align, Style, Table};

/// Commands that need a place to run in, with what each shows.
const LIVE: [(&str, &str); 3] = [
    (
        "memtide run log-write",
        "a service that writes a log, and what every tool makes of it",
    ),
    ("memtide demo", "the same and all other lessons, as a show"),
    (
        "memtide record --limit 512MiB -- ./my-service",
        "what your own program's memory is made of",
    ),
];

/// Commands that work anywhere.
const ANYWHERE: [(&str, &str); 3] = [
    (
        "memtide explain FILE",
        "numbers that somebody sent you: what they are, what to do next",
    ),
    (
        "memtide judge --rules FILE",
        "whether an alert on container memory is any good",
    ),
    (
        "memtide demo log-write --replay",
        "a lesson from a recording, on any machine",
    ),
];

/// Prints what to try, what can run here first.
pub fn run() -> anyhow::Result<Exit> {
    let mut out = std::io::stdout();
    let colour = common::colour(true);
    writeln!(out, "memtide, a gauge for container memory.\n")?;
    let choice = Hierarchy::discover()
        .map_err(|error| error.to_string())
        .and_then(|hierarchy| {
            let choice = Placement::Auto.choose(&hierarchy);
            choice.map_err(|no| no_place(&no))
        });
    let commands: Vec<_> = match &choice {
        Ok(choice) => {
            writeln!(
                out,
                "Scenarios run on this machine: {}. Try first:\n",
                place(choice)
            )?;
            LIVE.iter().chain(&ANYWHERE).collect()
        }
        Err(why) => {
            writeln!(out, "Scenarios can't run here: {why}.")?;
            writeln!(
                out,
                "`memtide doctor` tells what would help. This works all the same:\n"
            )?;
            ANYWHERE.iter().collect()
        }
    };
    let mut table = Table::new(["", ""].map(|h| (h, Align::Left)));
    for (command, what) in commands {
        table.row([(*command, Style::Plain), (*what, Style::Dim)]);
    }
    let text = table.render(2, colour);
    // The headings are empty: their line would be, too.
    let rows = text.lines().skip_while(|line| line.trim().is_empty());
    for row in rows {
        writeln!(out, "{row}")?;
    }
    writeln!(out, "\nAll commands: memtide --help")?;
    Ok(Exit::Ok)
}

fn place(choice: &Choice) -> String {
    match &choice.chosen {
        Chosen::Managed { .. } => "memtide can make cgroups of its own".into(),
        Chosen::Ambient { limit, .. } => format!(
            "in the cgroup it is in, limited to {}",
            crate::units::bytes(*limit)
        ),
    }
}

/// The last thing that was tried, in a line.
fn no_place(no: &NoPlacement) -> String {
    no.tried
        .last()
        .map_or_else(|| "no cgroup is there".into(), ToString::to_string)
}
