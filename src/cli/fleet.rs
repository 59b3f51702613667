//! `memtide fleet`: days of many pods, judged by detectors; and its shards joined.

use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::Context;

use super::Exit;
use crate::detector::{BUILT_IN, BuiltIn, by_name};
use crate::export::Metric;
use crate::fleet::{self, Plan, Shard, Tallies};
use crate::scenario::nearest;

#[derive(Debug, clap::Args)]
#[command(args_conflicts_with_subcommands = true, subcommand_negates_reqs = true)]
pub struct Args {
    #[command(subcommand)]
    command: Option<Command>,
    /// The fleet: services, in what they differ, and what goes wrong.
    #[arg(value_name = "FILE", required = true)]
    file: Option<PathBuf>,
    /// How many pods, in place of the file's.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..=10_000_000))]
    pods: Option<u64>,
    /// How many days, in place of the file's.
    #[arg(long, value_name = "D", value_parser = days)]
    days: Option<f64>,
    /// Draws every pod, in place of the file's.
    #[arg(long, value_name = "SEED")]
    seed: Option<u64>,
    /// The kernels of the nodes by the set-up's name, in place of the file's.
    #[arg(long = "card", value_name = "NAME", num_args = 1..)]
    cards: Vec<String>,
    /// Built-in detectors, or `all`.
    #[arg(long = "detector", value_name = "NAME", num_args = 1.., default_value = "all")]
    detectors: Vec<String>,
    /// The share of the pods to run; the index from 0. By default the completion index of an Indexed Job.
    #[arg(long, value_name = "I/N", value_parser = shard)]
    shard: Option<Shard>,
    /// Threads; results do not depend on it (default: the CPUs).
    #[arg(long, value_name = "N")]
    threads: Option<usize>,
    /// Write the ten pods that detectors did worst on as recordings, with what is true of them.
    #[arg(long, value_name = "DIR")]
    keep: Option<PathBuf>,
    /// How to print the result.
    #[arg(long, value_enum, default_value_t = Format::Human)]
    format: Format,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// Join all shards of a run into what one machine would have said.
    Merge {
        /// The shards, as --format json wrote them.
        #[arg(value_name = "SHARD", required = true)]
        shards: Vec<PathBuf>,
        /// How to print the result.
        #[arg(long, value_enum, default_value_t = Format::Human)]
        format: Format,
    },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Format {
    /// Tables for people.
    Human,
    /// The counts: what `fleet merge` reads.
    Json,
}

fn days(text: &str) -> Result<f64, String> {
    let days = text.parse::<f64>().ok().filter(|d| *d > 0.0 && *d <= 366.0);
    days.ok_or_else(|| "days are a number above 0 and at most 366".to_owned())
}

fn shard(text: &str) -> Result<Shard, String> {
    let (index, of) = text.split_once('/').ok_or("write it as I/N: `0/8`")?;
    let number = |n: &str| {
        n.parse::<u64>()
            .map_err(|_| format!("{n:?} is not a whole number"))
    };
    let (index, of) = (number(index)?, number(of)?);
    if of == 0 || of > 100_000 || index >= of {
        return Err("I is from 0 to below N, and N at most 100000".to_owned());
    }
    Ok(Shard { index, of })
}

/// Runs a fleet, or joins shards.
pub fn run(args: Args) -> anyhow::Result<Exit> {
    if let Some(Command::Merge { shards, format }) = args.command {
        let all: Result<Vec<Tallies>, _> = shards.iter().map(|path| read(path)).collect();
        return print(&fleet::merge(all?)?, format);
    }
    let path = args.file.context("give a fleet file")?;
    let mut population = fleet::load(&path)?;
    population.pods = args.pods.unwrap_or(population.pods);
    population.days = args.days.unwrap_or(population.days);
    population.seed = args.seed.unwrap_or(population.seed);
    if !args.cards.is_empty() {
        population.cards = args
            .cards
            .iter()
            .map(|name| card(name))
            .collect::<Result<_, _>>()?;
    }
    let detectors = detectors(&args.detectors)?;
    let shard = match args.shard {
        Some(shard) => shard,
        None => job_shard()?,
    };
    let cpus = std::thread::available_parallelism().map_or(1, usize::from);
    let plan = Plan {
        fleet: &population,
        detectors: &detectors,
        shard,
        threads: args.threads.unwrap_or(cpus).clamp(1, 1024),
    };
    let tallies = fleet::run(&plan);
    if let Some(dir) = &args.keep {
        fleet::keep(&population, &tallies, dir)?;
    }
    print(&tallies, args.format)
}

/// The share of an Indexed Job's pod: its completion index, of as many as MEMTIDE_SHARDS says.
fn job_shard() -> anyhow::Result<Shard> {
    let alone = Shard { index: 0, of: 1 };
    let Ok(of) = std::env::var("MEMTIDE_SHARDS") else {
        return Ok(alone);
    };
    let index = std::env::var("JOB_COMPLETION_INDEX")
        .context("MEMTIDE_SHARDS is set, and JOB_COMPLETION_INDEX is not: is the Job Indexed?")?;
    shard(&format!("{index}/{of}")).map_err(anyhow::Error::msg)
}

fn card(name: &str) -> anyhow::Result<&'static fleet::Setup> {
    if let Some(setup) = fleet::setup(name) {
        return Ok(setup);
    }
    let names: Vec<&str> = fleet::setups()
        .iter()
        .map(|setup| setup.name.as_str())
        .collect();
    let near = nearest(name, names.iter().copied());
    let hint = near.map_or_else(String::new, |near| format!("did you mean `{near}`? "));
    anyhow::bail!(
        "no card is called `{name}`: {hint}there are {}",
        names.join(", ")
    )
}

/// The named detectors. One that reads what the model does not fill is told and left out.
fn detectors(names: &[String]) -> anyhow::Result<Vec<&'static BuiltIn>> {
    let mut chosen: Vec<&'static BuiltIn> = Vec::new();
    for name in names {
        if name == "all" {
            chosen.extend(&BUILT_IN);
        } else if let Some(detector) = by_name(name) {
            chosen.push(detector);
        } else {
            anyhow::bail!(
                "no built-in detector is called `{name}` (`memtide detectors` lists them). Programs and \
                 rules are judged on the pods that --keep writes: `memtide judge --detector COMMAND DIR`"
            );
        }
    }
    let known = |d: &&BuiltIn| {
        d.reads
            .iter()
            .all(|m| !matches!(m, Metric::PressureStalled))
    };
    let (judged, blind): (Vec<_>, Vec<_>) = chosen.into_iter().partition(known);
    for detector in blind {
        log::warn!("{}: not judged, the model has no pressure", detector.name);
    }
    anyhow::ensure!(
        !judged.is_empty(),
        "none of these detectors can be judged on a model"
    );
    Ok(judged)
}

fn read(path: &Path) -> anyhow::Result<Tallies> {
    let text =
        std::fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
    serde_json::from_str(&text).with_context(|| {
        format!(
            "{} is no shard of `memtide fleet --format json`",
            path.display()
        )
    })
}

fn print(tallies: &Tallies, format: Format) -> anyhow::Result<Exit> {
    let mut out = std::io::stdout().lock();
    match format {
        Format::Human => write!(out, "{}", fleet::human(tallies))?,
        Format::Json => writeln!(out, "{}", serde_json::to_string_pretty(tallies)?)?,
    }
    Ok(Exit::Ok)
}
