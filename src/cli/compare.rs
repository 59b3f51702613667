//! `memtide compare`: the same scenario on several kernels, or before and after a change.

use std::io::{self, Write};
use std::path::{Path, PathBuf};

use anyhow::Context;

use super::common::load_recording;
use super::{Exit, common};
use crate::compare::{self, Comparison, Run, Show};
use crate::recording::Recording;
use crate::{scenario, shipped};

#[derive(Debug, clap::Args)]
#[command(group = clap::ArgGroup::new("what").required(true).multiple(true).args(["recordings", "scenario"]))]
pub struct Args {
    /// Recordings to put side by side, of one or several scenarios: files, or those that come
    /// with memtide by name (`6.1-v1/log-write`). A column is called after the recording's set-up or its
    /// file, or as LABEL says.
    #[arg(value_name = "[LABEL=]RECORDING")]
    recordings: Vec<PathBuf>,
    /// Add the shipped recordings of this scenario (again for more).
    #[arg(long, value_name = "NAME")]
    scenario: Vec<String>,
    /// Of the shipped recordings, only those of this set-up (again for more).
    #[arg(long, value_name = "NAME")]
    setup: Vec<String>,
    /// Add what the model of this kernel card predicts for the scenarios (again for more; `memtide list
    /// --cards`). Its columns are called `model:CARD`: no kernel was asked.
    #[arg(long, value_name = "CARD", requires = "scenario")]
    model: Vec<String>,
    /// Hold each recording against the shipped one of the set-up most like its machine.
    #[arg(long, value_enum, conflicts_with = "scenario", requires = "recordings")]
    against: Option<Against>,
    /// The column the others are held against (default: of two the first, of more the one that
    /// agrees with most others).
    #[arg(long, value_name = "LABEL", conflicts_with = "against")]
    baseline: Option<String>,
    /// Compare this value: a formula, a counter, a column (again for more).
    #[arg(long, value_name = "NAME")]
    value: Vec<String>,
    /// Compare this group: `pod` or a container (default: the first container).
    #[arg(long, value_name = "NAME")]
    group: Option<String>,
    /// Show the values that are the same everywhere, too.
    #[arg(long)]
    all: bool,
    /// Exit with 1 if anything differs beyond the tolerance.
    #[arg(long)]
    check: bool,
    /// How to print.
    #[arg(long, value_enum, default_value_t = Format::Human)]
    format: Format,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Against {
    /// The recordings in the binary.
    Shipped,
}

#[derive(Debug, Clone, Copy, clap::ValueEnum)]
enum Format {
    /// Tables for a terminal.
    Human,
    /// Markdown tables.
    Markdown,
    /// One JSON document with `comparisons[]`.
    Json,
}

/// Compares and prints.
pub fn run(args: Args) -> anyhow::Result<Exit> {
    let fresh = read_all(&args)?;
    let comparisons = match args.against {
        Some(Against::Shipped) => against_shipped(&args, fresh)?,
        None => side_by_side(&args, fresh)?,
    };
    print(&args, &comparisons)?;
    let differs = args.check && comparisons.iter().any(Comparison::differs);
    Ok(if differs { Exit::FellShort } else { Exit::Ok })
}

fn values(args: &Args) -> Vec<String> {
    match args.value.is_empty() {
        true => compare::VALUES.map(String::from).to_vec(),
        false => args.value.clone(),
    }
}

fn reduce(args: &Args, label: &str, recording: &Recording) -> anyhow::Result<Run> {
    Ok(Run::new(
        label,
        recording,
        args.group.as_deref(),
        &values(args),
    )?)
}

fn read_all(args: &Args) -> anyhow::Result<Vec<Run>> {
    let mut runs = Vec::new();
    let mut paths = Vec::new();
    for argument in &args.recordings {
        let (told, path) = told_label(argument);
        let recording = load_recording(&path)?;
        let label = told.clone().unwrap_or_else(|| label(&path, &recording));
        runs.push(reduce(args, &label, &recording)?);
        paths.push((path, told.is_some()));
    }
    unique_labels(&mut runs, &paths);
    Ok(runs)
}

/// `LABEL=PATH` apart, unless there is a file of that whole name.
fn told_label(argument: &Path) -> (Option<String>, PathBuf) {
    let text = argument.to_str().filter(|_| !argument.exists());
    match text.and_then(|text| text.split_once('=')) {
        Some((label, path)) if !label.is_empty() => (Some(label.into()), path.into()),
        _ => (None, argument.into()),
    }
}

/// The set-up's name where the recording has one, else its file's.
fn label(path: &Path, recording: &Recording) -> String {
    recording.header.host.setup.clone().unwrap_or_else(|| {
        let name = path.file_name().unwrap_or(path.as_os_str());
        let name = name.to_string_lossy();
        let name = name.trim_end_matches(".gz").trim_end_matches(".jsonl");
        name.to_string()
    })
}

/// Before and after have one set-up and often one file name: then the path tells them apart.
fn unique_labels(runs: &mut [Run], paths: &[(PathBuf, bool)]) {
    let labels: Vec<(String, String)> = runs
        .iter()
        .map(|r| (r.scenario.clone(), r.label.clone()))
        .collect();
    for (i, run) in runs.iter_mut().enumerate() {
        let (path, told) = &paths[i];
        if !told && labels.iter().filter(|l| **l == labels[i]).count() > 1 {
            run.label = path.display().to_string();
        }
    }
}

fn shipped_runs(args: &Args, scenario: &str) -> anyhow::Result<Vec<Run>> {
    common::known_setups(&args.setup)?;
    let mut runs = Vec::new();
    for entry in shipped::of_scenario(scenario) {
        if common::chosen(&args.setup, entry.setup) {
            let recording = common::read_shipped(entry)?;
            runs.push(reduce(args, entry.setup, &recording)?);
        }
    }
    Ok(runs)
}

/// What models of kernels make of a scenario of the catalogue, or of a file.
fn predicted(args: &Args, name: &str) -> anyhow::Result<Vec<Run>> {
    let mut runs = Vec::new();
    for card in &args.model {
        let (recording, card) = common::predicted(name, card)?;
        runs.push(reduce(args, &format!("model:{}", card.name), &recording)?);
    }
    Ok(runs)
}

fn side_by_side(args: &Args, fresh: Vec<Run>) -> anyhow::Result<Vec<Comparison>> {
    let mut scenarios: Vec<String> = args.scenario.clone();
    for run in &fresh {
        if !scenarios.contains(&run.scenario) {
            scenarios.push(run.scenario.clone());
        }
    }
    let (mut comparisons, mut alone) = (Vec::new(), Vec::new());
    for scenario in scenarios {
        let mut runs = match args.scenario.contains(&scenario) {
            true => shipped_runs(args, &scenario)?,
            false => Vec::new(),
        };
        if args.scenario.contains(&scenario) {
            runs.extend(predicted(args, &scenario)?);
        }
        runs.extend(fresh.iter().filter(|r| r.scenario == scenario).cloned());
        if runs.is_empty() {
            let names = shipped::all().map(|one| one.scenario);
            let hint = scenario::did_you_mean(&scenario, names);
            anyhow::bail!(
                "no recordings of a scenario called `{scenario}`: {hint}`memtide list` shows them all"
            );
        }
        if runs.len() == 1 {
            alone.push(scenario);
            continue;
        }
        let baseline = match &args.baseline {
            // Of two, the first is "before".
            None if runs.len() == 2 => 0,
            None => compare::most_typical(&runs),
            Some(name) => runs
                .iter()
                .position(|r| r.label == *name)
                .with_context(|| format!("no column is called `{name}`: {}", labels(&runs)))?,
        };
        comparisons.push(Comparison::new(runs, baseline)?);
    }
    let names = alone.join(", ");
    anyhow::ensure!(
        !comparisons.is_empty(),
        "nothing to compare {names} with: 1 recording of it; give a second one, or use `--against \
         shipped` or `--scenario NAME`"
    );
    // Of many runs one may have come to nothing, and the others are to be seen all the same.
    if !alone.is_empty() {
        log::warn!("left out, since there is one recording only: {names}");
    }
    Ok(comparisons)
}

fn labels(runs: &[Run]) -> String {
    let labels: Vec<&str> = runs.iter().map(|r| r.label.as_str()).collect();
    format!("there are {}", labels.join(", "))
}

fn against_shipped(args: &Args, fresh: Vec<Run>) -> anyhow::Result<Vec<Comparison>> {
    let mut comparisons = Vec::new();
    for mut run in fresh {
        let shipped = shipped_runs(args, &run.scenario)?;
        let hosts: Vec<_> = shipped.iter().map(|r| &r.host).collect();
        let Some(nearest) = compare::nearest(&run.host, &hosts) else {
            anyhow::bail!(
                "there is no shipped recording of {}; `memtide recordings` lists what there is",
                run.scenario
            );
        };
        if shipped.iter().any(|s| s.label == run.label) {
            run.label = format!("{} (this run)", run.label);
        }
        let base = shipped[nearest].clone();
        let mut comparison = Comparison::new(vec![base, run], 0)?;
        comparison
            .notes
            .extend(compare::likeness(&comparison.runs[1], &shipped, nearest));
        comparisons.push(comparison);
    }
    Ok(comparisons)
}

fn print(args: &Args, comparisons: &[Comparison]) -> anyhow::Result<()> {
    let show = if args.all { Show::All } else { Show::Differing };
    let mut out = io::stdout().lock();
    match args.format {
        Format::Json => {
            let all: Vec<_> = comparisons.iter().map(compare::json).collect();
            let document = serde_json::json!({ "comparisons": all });
            serde_json::to_writer_pretty(&mut out, &document)?;
            writeln!(out)?;
        }
        Format::Human => {
            for (i, comparison) in comparisons.iter().enumerate() {
                let gap = if i == 0 { "" } else { "\n" };
                write!(out, "{gap}{}", compare::human(comparison, show))?;
            }
        }
        Format::Markdown => {
            for comparison in comparisons {
                write!(out, "{}", compare::markdown(comparison, show))?;
            }
        }
    }
    Ok(())
}

/// docs/kernels.md, from the shipped recordings.
pub fn kernels_doc() -> anyhow::Result<String> {
    let mut comparisons = Vec::new();
    for entry in crate::scenario::catalogue() {
        let mut runs = Vec::new();
        for shipped in shipped::of_scenario(entry.name) {
            let recording = common::read_shipped(shipped)?;
            let values = compare::VALUES.map(String::from);
            runs.push(Run::new(shipped.setup, &recording, None, &values)?);
        }
        if runs.len() > 1 {
            let baseline = compare::most_typical(&runs);
            comparisons.push(Comparison::new(runs, baseline)?);
        }
    }
    Ok(compare::kernels_doc(&comparisons)?)
}
