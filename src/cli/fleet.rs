//! `memtide fleet`: days of many pods, judged by detectors; and its shards joined.

use std::io::{IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Context;

use super::pace::{self, Pace};
use super::{Exit, common};
use crate::detector::{BUILT_IN, BuiltIn, by_name};
use crate::export::Metric;
use crate::fleet::{self, Fleet, Plan, Progress, SHARDS_MAX, Shard, Tallies};
use crate::judge::corpus::Corpus;
use crate::judge::feed::Scraping;
use crate::judge::panel::{self, Candidate, Manner};
use crate::judge::program::Program;
use crate::judge::render;
use crate::judge::rules::Rules;
use crate::judge::scorecard::Scorecard;
use crate::judge::supervise::Limits;
use crate::model::Card;
use crate::scenario::{did_you_mean, nearest};
use crate::units;

#[derive(Debug, clap::Args)]
#[command(args_conflicts_with_subcommands = true, subcommand_negates_reqs = true)]
pub struct Args {
    #[command(subcommand)]
    command: Option<Command>,
    /// The fleet: services, in what they differ, and what goes wrong; or one that comes with memtide:
    /// `mixed`, `log-heavy`, `batch`.
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
    /// Built-in detectors, or `all`; or a command that reads samples on stdin: it is judged on drawn pods.
    #[arg(long = "detector", value_name = "NAME|COMMAND", num_args = 1..)]
    detectors: Vec<String>,
    /// Prometheus alert rules, judged by promtool on drawn pods: a file in any frame, or a folder.
    #[arg(long, value_name = "PATH")]
    rules: Vec<PathBuf>,
    /// How many pods are drawn for commands and rules.
    #[arg(long, value_name = "N", default_value_t = 20, value_parser = clap::value_parser!(u64).range(1..=10_000))]
    drawn: u64,
    /// Time a command may take for one pod, and promtool for the rules.
    #[arg(long, value_name = "TIME", default_value = "60s", value_parser = units::parse_duration)]
    timeout: Duration,
    /// The share of the pods to run; the index from 0. By default JOB_COMPLETION_INDEX of MEMTIDE_SHARDS, as an
    /// Indexed Job sets them.
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
    /// The counts in one line: what `fleet merge` and `collect` read.
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
    if of == 0 || of > SHARDS_MAX || index >= of {
        return Err("I is from 0 to below N, and N at most 100000".to_owned());
    }
    Ok(Shard { index, of })
}

/// Runs a fleet, or joins shards.
pub fn run(args: Args) -> anyhow::Result<Exit> {
    if let Some(Command::Merge { shards, format }) = &args.command {
        let all: Result<Vec<Tallies>, _> = shards.iter().map(|path| read(path)).collect();
        print(&fleet::merge(all?)?, *format)?;
        return Ok(Exit::Ok);
    }
    let path = args.file.as_deref().context("give a fleet file")?;
    let mut population = fleet::load(path)?;
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
    let (detectors, outside) = detectors(&args)?;
    let shard = match args.shard {
        Some(shard) => shard,
        None => job_shard()?,
    };
    anyhow::ensure!(
        outside.is_empty() || shard.of == 1,
        "commands and rules are judged on drawn pods, which shards don't join: run them without --shard"
    );
    let cpus = std::thread::available_parallelism().map_or(1, usize::from);
    let plan = Plan {
        fleet: &population,
        detectors: &detectors,
        shard,
        threads: args.threads.unwrap_or(cpus).clamp(1, 1024),
    };
    let pace = Pace::default();
    let tallies = fleet::run_told(&plan, &|progress| tell(&pace, progress));
    if let Some(dir) = &args.keep {
        fleet::keep(&population, &tallies, dir)?;
    }
    if !detectors.is_empty() {
        print(&tallies, args.format)?;
    }
    if !outside.is_empty() {
        print_drawn(&args, &population, &outside, plan.threads)?;
    }
    Ok(Exit::Ok)
}

/// Says on stderr how far a run is, from when that is worth saying.
fn tell(pace: &Pace, progress: &Progress) {
    let Progress { done, of, elapsed } = *progress;
    if done == of || !pace.is_due(elapsed) {
        return;
    }
    let left = pace::left(progress.left());
    let (again, end) = match std::io::stderr().is_terminal() {
        true => ("\r", ""),
        false => ("", "\n"),
    };
    // Whoever closed stderr does not want to know.
    let _ = write!(
        std::io::stderr(),
        "{again}fleet: {done} of {of} pods{left}{end}"
    );
}

/// The share of an Indexed Job's pod: its completion index, of as many as MEMTIDE_SHARDS says.
fn job_shard() -> anyhow::Result<Shard> {
    let index = std::env::var("JOB_COMPLETION_INDEX").ok();
    let of = std::env::var("MEMTIDE_SHARDS").ok();
    match (index, of) {
        (None, None) => Ok(Shard { index: 0, of: 1 }),
        (Some(index), Some(of)) => shard(&format!("{index}/{of}")).map_err(|why| {
            anyhow::anyhow!("JOB_COMPLETION_INDEX is {index:?} and MEMTIDE_SHARDS is {of:?}: {why}")
        }),
        (Some(index), None) => anyhow::bail!(
            "this is pod {index} of an Indexed Job (JOB_COMPLETION_INDEX), and nothing says of how many: set \
             MEMTIDE_SHARDS to the Job's completions, or give --shard {index}/N (--shard 0/1 for the whole fleet)"
        ),
        (None, Some(_)) => anyhow::bail!(
            "MEMTIDE_SHARDS is set, and JOB_COMPLETION_INDEX is not: is the Job's completionMode Indexed? \
             Without a Job give --shard I/N"
        ),
    }
}

/// Judges commands and rules on pods that are drawn: each is a recording, as `judge` reads them.
fn print_drawn(
    args: &Args,
    population: &Fleet,
    outside: &[Candidate],
    threads: usize,
) -> anyhow::Result<()> {
    let dir = tempfile::tempdir().context("cannot make a folder for the drawn pods")?;
    let drawn = fleet::keep_drawn(population, args.drawn, dir.path())?;
    let mut corpus = Corpus::default();
    corpus.add_path(dir.path())?;
    let scraping = Scraping {
        interval_s: population.scrape_s,
        ..Scraping::default()
    };
    let manner = Manner {
        scraping: &scraping,
        threads,
        keep_going: false,
        progress: &|_| (),
    };
    let card = common::adopting(|| panel::judge_so(outside, &corpus, &manner))?;
    print_card(&card, args.format, &drawn, population.pods)
}

fn print_card(card: &Scorecard, format: Format, drawn: &[u64], pods: u64) -> anyhow::Result<()> {
    for note in card.detectors.iter().flat_map(|detector| &detector.notes) {
        log::warn!("{note}");
    }
    let mut out = std::io::stdout().lock();
    match format {
        Format::Json => writeln!(out, "{}", serde_json::to_string(card)?)?,
        Format::Human => write!(
            out,
            "\nCommands and rules: on {} of {pods} pods, drawn ({}); one verdict a pod, as `memtide judge` gives it.\n{}",
            drawn.len(),
            drawn
                .iter()
                .map(u64::to_string)
                .collect::<Vec<_>>()
                .join(", "),
            render::human(card)
        )?,
    }
    Ok(())
}

fn card(name: &str) -> anyhow::Result<&'static Card> {
    if let Some(setup) = fleet::setup(name) {
        return Ok(setup);
    }
    let names: Vec<&str> = fleet::setups()
        .iter()
        .map(|setup| setup.name.as_str())
        .collect();
    let hint = did_you_mean(name, names.iter().copied());
    anyhow::bail!(
        "no card is called `{name}`: {hint}there are {}",
        names.join(", ")
    )
}

/// The named detectors: built-in ones, and what is judged on drawn pods. A built-in one that reads what the
/// model does not fill is told and left out.
fn detectors(args: &Args) -> anyhow::Result<(Vec<&'static BuiltIn>, Vec<Candidate>)> {
    let (mut chosen, mut outside): (Vec<&'static BuiltIn>, Vec<Candidate>) = Default::default();
    let all = args.detectors.is_empty() && args.rules.is_empty();
    for name in &args.detectors {
        if let Some(detector) = by_name(name) {
            chosen.push(detector);
        } else if name != "all" {
            outside.push(Candidate::Program(program(name, args.timeout)?));
        }
    }
    if all || args.detectors.iter().any(|name| name == "all") {
        chosen = BUILT_IN.iter().collect();
    }
    let rules = Rules::open(&args.rules, None, args.timeout)?;
    outside.extend(
        rules
            .into_iter()
            .map(|rules| Candidate::Rules(rules.shown.clone(), rules)),
    );
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
        !judged.is_empty() || !outside.is_empty(),
        "none of these detectors can be judged on a model"
    );
    Ok((judged, outside))
}

fn program(command: &str, time: Duration) -> anyhow::Result<Program> {
    let word = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
    let near = nearest(command, BUILT_IN.iter().map(|one| one.name));
    let path = std::env::var_os("PATH").unwrap_or_default();
    let program = |dir: PathBuf| dir.join(command).is_file();
    if command.chars().all(word) && !std::env::split_paths(&path).any(program) {
        let hint = near.map_or_else(String::new, |near| format!(": did you mean `{near}`?"));
        anyhow::bail!(
            "no built-in detector and no program on PATH is called `{command}`{hint} (`memtide detectors` \
             lists them)"
        );
    }
    Ok(Program {
        command: command.to_owned(),
        limits: Limits {
            time,
            ..Limits::default()
        },
        supervisor: std::env::current_exe().context("cannot find this binary")?,
        subreaper: true,
    })
}

fn read(path: &Path) -> anyhow::Result<Tallies> {
    let text =
        std::fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
    fleet::read_shard(&text).with_context(|| format!("cannot read {}", path.display()))
}

fn print(tallies: &Tallies, format: Format) -> anyhow::Result<()> {
    let mut out = std::io::stdout().lock();
    match format {
        Format::Human => write!(out, "{}", fleet::human(tallies))?,
        // One line, so that it is found in a log.
        Format::Json => writeln!(out, "{}", serde_json::to_string(tallies)?)?,
    }
    Ok(())
}
