//! `memtide demo`: a scenario as a show, live or from a recording.

use std::io;
use std::path::Path;

use anyhow::{Context, bail};

use super::{Exit, Failure, common};
use crate::demo::{Tape, live, plain};
use crate::host::HostFacts;
use crate::recording;
use crate::scenario::Overrides;
use crate::shipped::{self, Shipped};

#[derive(Debug, clap::Args)]
pub struct Args {
    /// A scenario by name or TOML file, or a recording; without it, a menu.
    #[arg(value_name = "SCENARIO")]
    scenario: Option<String>,
    /// Show a recording that comes with memtide instead of running here.
    #[arg(long)]
    replay: bool,
    /// Which one: the set-up's name (see `memtide recordings`).
    #[arg(long, value_name = "NAME")]
    setup: Option<String>,
    /// Show what the model of this kernel card predicts (`memtide list --cards`): no kernel is asked.
    #[arg(long, value_name = "CARD", conflicts_with_all = ["replay", "setup"], requires = "scenario")]
    model: Option<String>,
    /// Show another recording beside it, in step: a shipped set-up's, or a file.
    #[arg(long, value_name = "SETUP|FILE")]
    versus: Option<String>,
    /// How fast: 2 is twice as fast.
    #[arg(long, value_name = "FACTOR", default_value = "1", value_parser = speed)]
    speed: f64,
}

fn speed(text: &str) -> Result<f64, String> {
    match text.trim_end_matches('x').parse::<f64>() {
        Ok(speed) if (0.05..=100.0).contains(&speed) => Ok(speed),
        _ => Err("a factor between 0.05 and 100".into()),
    }
}

/// What is shown, and what the viewer should know about it.
struct Opened {
    main: Tape,
    other: Option<Tape>,
    note: String,
}

/// Shows it.
pub fn run(args: Args) -> anyhow::Result<Exit> {
    match &args.scenario {
        #[cfg(feature = "tui")]
        None if is_full_screen() => full_screen::course(&args),
        None => bail!("say which scenario: `memtide demo NAME`; `memtide list` shows them all"),
        #[cfg(feature = "tui")]
        Some(name) if is_full_screen() => full_screen::one(&args, name),
        Some(name) => printed(&args, name),
    }
}

/// Whether the terminal can do more than print.
#[cfg(feature = "tui")]
fn is_full_screen() -> bool {
    use std::io::IsTerminal;

    let term = std::env::var("TERM").unwrap_or_default();
    let able = !matches!(term.as_str(), "" | "dumb" | "unknown");
    able && io::stdout().is_terminal() && io::stdin().is_terminal()
}

fn printed(args: &Args, name: &str) -> anyhow::Result<Exit> {
    let mut opened = open(args, name, &|| false)?;
    let mut out = io::stdout().lock();
    plain::tell(&mut opened.main, &opened.note, &mut out)?;
    if let Some(mut other) = opened.other {
        plain::tell(&mut other, "", &mut out)?;
    }
    Ok(Exit::Ok)
}

/// Finds what to show: a recording file, a shipped recording, or a run; `stop` ends the waiting.
fn open(args: &Args, name: &str, stop: &dyn Fn() -> bool) -> anyhow::Result<Opened> {
    if let Some(card) = &args.model {
        return predicted(args, name, card);
    }
    if is_recording(name) {
        return beside(args, from_file(name)?, String::new());
    }
    let scenario = common::load_scenario(name, Overrides::default())?;
    if args.replay || args.setup.is_some() || args.versus.is_some() {
        return replay(args, &scenario.name, String::new());
    }
    match live::start(name, stop).context("failed to start the run")? {
        live::Started::Running(live, first) => {
            beside(args, Tape::live(*first, live), String::new())
        }
        live::Started::NotHere(reason) => {
            let reason = reason.lines().next().unwrap_or_default().to_string();
            replay(args, &scenario.name, format!("can't run here: {reason}"))
        }
    }
}

/// What the model of a kernel makes of a scenario, and that it is no measurement.
fn predicted(args: &Args, name: &str, card: &str) -> anyhow::Result<Opened> {
    let (recording, card) = common::predicted(name, card)?;
    let note = format!("a model of kernel {}, not a measurement", card.kernel);
    let label = format!("model:{}", card.name);
    beside(args, Tape::finished(recording, label), note)
}

/// The shipped recording that was asked for, or the one most like this machine.
fn replay(args: &Args, scenario: &str, note: String) -> anyhow::Result<Opened> {
    let shipped = match &args.setup {
        Some(setup) => find(scenario, setup)?,
        None => nearest(scenario, args.versus.as_deref()).ok_or_else(|| {
            let note = if note.is_empty() {
                String::new()
            } else {
                format!("{note}; and ")
            };
            Failure::environment(format!(
                "{note}no recording of {scenario} is shipped; run it where cgroups can be made \
                 (`memtide doctor` says what is missing), then `memtide demo FILE.jsonl`"
            ))
        })?,
    };
    beside(
        args,
        Tape::finished(shipped.read()?, shipped.setup.into()),
        note,
    )
}

fn beside(args: &Args, main: Tape, note: String) -> anyhow::Result<Opened> {
    let scenario = &main.recording.header.scenario;
    let other = match &args.versus {
        None => None,
        Some(file) if is_recording(file) => Some(from_file(file)?),
        Some(setup) => {
            let shipped = find(scenario, setup)?;
            Some(Tape::finished(shipped.read()?, shipped.setup.into()))
        }
    };
    Ok(Opened { main, other, note })
}

fn is_recording(name: &str) -> bool {
    name.ends_with(".jsonl") || name.ends_with(".gz")
}

fn from_file(name: &str) -> anyhow::Result<Tape> {
    let recording = recording::read_path(Path::new(name))?;
    let host = &recording.header.host;
    let label = host
        .setup
        .clone()
        .unwrap_or_else(|| format!("{} {} {}", host.kernel, host.cgroup, host.lru));
    Ok(Tape::finished(recording, label))
}

fn find(scenario: &str, setup: &str) -> anyhow::Result<&'static Shipped> {
    shipped::find(setup, scenario).with_context(|| {
        let have: Vec<_> = shipped::of_scenario(scenario).map(|s| s.setup).collect();
        match have.is_empty() {
            true => format!("no recording of {scenario} is shipped"),
            false => format!(
                "no recording of {scenario} on {setup} is shipped; there is {}",
                have.join(", ")
            ),
        }
    })
}

/// The shipped recording whose machine is most like this one; not `except`, which is shown beside it.
fn nearest(scenario: &str, except: Option<&str>) -> Option<&'static Shipped> {
    let candidates: Vec<(&Shipped, HostFacts)> = shipped::of_scenario(scenario)
        .filter(|s| Some(s.setup) != except)
        .filter_map(|s| Some((s, s.read().ok()?.header.host)))
        .collect();
    let hosts: Vec<&HostFacts> = candidates.iter().map(|(_, host)| host).collect();
    let here = crate::cgroup::Hierarchy::discover()
        .ok()
        .map(|hierarchy| crate::host::detect(&hierarchy, &std::env::temp_dir(), "managed"));
    let index = match here {
        Some(here) => crate::compare::nearest(&here, &hosts)?,
        // A machine without a memory controller is like none of them: the newest kernel then.
        None => candidates.len().checked_sub(1)?,
    };
    candidates.get(index).map(|(shipped, _)| *shipped)
}

#[cfg(feature = "tui")]
mod full_screen {
    use super::super::Exit;
    use super::{Args, open};
    use crate::demo::{self, Left, Player, Screen};

    /// One scenario.
    pub fn one(args: &Args, name: &str) -> anyhow::Result<Exit> {
        let mut screen = Screen::open()?;
        demo::waiting(&mut screen, &format!("starting {name} ..."))?;
        let opened = open(args, name, &|| screen.ended())?;
        let mut player = Player::new(opened.main, opened.other, args.speed);
        demo::show(&mut screen, &mut player, &opened.note, false)?;
        Ok(Exit::Ok)
    }

    /// The menu, and what is chosen from it, until the viewer has enough.
    pub fn course(args: &Args) -> anyhow::Result<Exit> {
        let lessons = demo::lessons();
        let mut screen = Screen::open()?;
        let (mut chosen, mut note) = (0, String::new());
        while let Some(name) = demo::choose(&mut screen, &lessons, &mut chosen, &note)? {
            demo::waiting(&mut screen, &format!("starting {name} ..."))?;
            let opened = match open(args, name, &|| screen.ended()) {
                Ok(opened) => opened,
                // One lesson that can't be shown is no reason to leave the course.
                Err(error) => {
                    note = format!("{error:#}");
                    continue;
                }
            };
            let mut player = Player::new(opened.main, opened.other, args.speed);
            if demo::show(&mut screen, &mut player, &opened.note, true)? == Left::Quit {
                break;
            }
            note.clear();
        }
        Ok(Exit::Ok)
    }
}
