//! `memtide run`: scenarios in real cgroups, with every number and every claim.

use std::io::{IsTerminal, Write};
use std::path::{Path, PathBuf};

use anyhow::Context;
use clap::ValueEnum;
use tempfile::TempDir;

use super::common::{self, Placed};
use super::metrics::Listen;
use super::progress::Progress;
use super::{Exit, Failure, scratch};
use crate::harness::{Both, Environment, Sink};
use crate::metrics::Publisher;
use crate::model::{self, Card};
use crate::recording;
use crate::report::human::Detail;
use crate::report::{self, Document, RunResult, Verdict};
use crate::scenario::{self, Overrides, Scenario};
use crate::units;

#[derive(Debug, clap::Args)]
pub struct Args {
    /// Scenarios by name (see `memtide list`) or TOML file; without any, the article's four:
    /// log-write, heap-churn, release-free, release-dontneed.
    #[arg(value_name = "NAME|FILE")]
    scenarios: Vec<String>,
    /// Run every scenario of the catalogue.
    #[arg(long, conflicts_with = "scenarios")]
    all: bool,
    /// Only scenarios whose name contains TEXT or that carry it as a tag.
    #[arg(long, value_name = "TEXT")]
    filter: Vec<String>,
    /// How results are written to stdout.
    #[arg(long, value_enum, default_value = "human")]
    format: Format,
    /// Keep the recordings in DIR (made if missing); `-` streams one to stdout, and the result
    /// goes to stderr.
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// Memory limit of every container instead of the scenario's; shares of the limit scale with it.
    #[arg(long, value_name = "SIZE", value_parser = limit)]
    limit: Option<u64>,
    /// Time between samples instead of the scenario's.
    #[arg(long, value_name = "TIME", value_parser = units::parse_duration)]
    interval: Option<std::time::Duration>,
    /// Seed instead of the scenario's.
    #[arg(long)]
    seed: Option<u64>,
    /// Run only number N of them, from 0, beginning again after the last: a completion index of an
    /// Indexed Job.
    #[arg(long, value_name = "N")]
    pick: Option<usize>,
    /// Ask no kernel: predict what the one of this kernel card would count (`memtide list --cards`; a
    /// path ending in .toml is a card of your own). Needs no cgroup.
    #[arg(long, value_name = "CARD")]
    model: Option<String>,
    /// With --model: how long work takes, as `memtide doctor --speed` measured it, instead of what
    /// the card says.
    #[arg(long, value_name = "FILE", requires = "model")]
    speed: Option<PathBuf>,
    #[command(flatten)]
    listen: Listen,
    #[command(flatten)]
    placed: Placed,
}

/// The least limit that a scenario can be scaled down to. A worker is charged about 1 MiB for itself
/// and expectations allow 2 % of the limit: below this it would be the worker that they measure.
const LEAST_LIMIT: u64 = 64 << 20;

fn limit(text: &str) -> Result<u64, String> {
    match units::parse_bytes(text) {
        Ok(limit) if limit < LEAST_LIMIT => Err(format!(
            "{} is below what scenarios need; give at least {}",
            units::bytes(limit),
            units::bytes(LEAST_LIMIT)
        )),
        other => other.map_err(|error| error.to_string()),
    }
}

/// How results are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// Tables for people.
    Human,
    /// One JSON document with `runs[]`.
    Json,
    /// JUnit XML.
    Junit,
}

/// Runs the scenarios one after the other and prints what came of each.
///
/// `verbose` tells everything of each; else several scenarios get a line each, and one its tables.
pub fn run(args: Args, verbose: bool) -> anyhow::Result<Exit> {
    let scenarios = args.load()?;
    let detail = match (verbose, scenarios.len()) {
        (true, _) => Detail::All,
        (false, 1) => Detail::Common,
        (false, _) => Detail::Line,
    };
    let out = OutDir::open(args.out.as_deref(), scenarios.len(), &args.placed.workdir())?;
    if let Some(card) = &args.model {
        let mut card = model::card::find(card)?;
        if let Some(file) = &args.speed {
            card.speed = model::card::read_speed(file)?;
        }
        let results = predicted(&card, &scenarios, &out)?;
        if args.format == Format::Human {
            for result in &results {
                print_human(result, detail, out.streams())?;
            }
        }
        return finish(&args, &out, results, false);
    }
    let environment = args.placed.environment()?;
    let mut publisher = args.listen.start_in_pod()?;
    let mut results = Vec::new();
    for (i, scenario) in scenarios.iter().enumerate() {
        let result = one(
            &environment,
            scenario,
            &out,
            (i + 1, scenarios.len()),
            publisher.as_mut(),
        )?;
        let interrupted = result.1;
        if args.format == Format::Human {
            print_human(&result.0, detail, out.streams())?;
        }
        results.push(result.0);
        if interrupted {
            return finish(&args, &out, results, true);
        }
    }
    finish(&args, &out, results, false)
}

impl Args {
    fn load(&self) -> anyhow::Result<Vec<Scenario>> {
        let names: Vec<String> = match (&self.scenarios[..], self.all || !self.filter.is_empty()) {
            ([], true) => scenario::catalogue()
                .iter()
                .map(|e| e.name.to_string())
                .collect(),
            ([], false) => scenario::ARTICLE
                .iter()
                .map(|name| name.to_string())
                .collect(),
            (names, _) => names.to_vec(),
        };
        let overrides = Overrides { limit: self.limit };
        let mut scenarios = Vec::new();
        for name in names {
            let mut scenario = common::load_scenario(&name, overrides)?;
            scenario.interval = self.interval.unwrap_or(scenario.interval);
            scenario.seed = self.seed.unwrap_or(scenario.seed);
            if self.filter.iter().all(|f| common::matches(&scenario, f)) {
                scenarios.push(scenario);
            }
        }
        if scenarios.is_empty() {
            anyhow::bail!(
                "no scenario has {:?} in its name or as a tag; `memtide list` shows them all",
                self.filter.join(" and ")
            );
        }
        if let Some(number) = self.pick {
            let picked = scenarios.swap_remove(number % scenarios.len());
            scenarios = vec![picked];
        }
        Ok(scenarios)
    }
}

/// Where recordings go.
enum OutDir {
    /// Kept here.
    Kept(PathBuf),
    /// Thrown away with the temporary folder.
    Temporary(TempDir),
    /// To stdout, and to a temporary folder for the result.
    Stream(TempDir),
}

impl OutDir {
    fn open(out: Option<&Path>, scenarios: usize, workdir: &Path) -> anyhow::Result<Self> {
        match out {
            Some(path) if path == Path::new("-") => {
                if scenarios != 1 {
                    anyhow::bail!("--out - streams one recording: name one scenario");
                }
                scratch::folder(workdir).map(OutDir::Stream)
            }
            Some(path) => {
                std::fs::create_dir_all(path)
                    .and_then(|()| tempfile::tempfile_in(path).map(drop))
                    .with_context(|| {
                        format!("can't write recordings to {} (--out)", path.display())
                    })?;
                Ok(OutDir::Kept(path.to_path_buf()))
            }
            None => scratch::folder(workdir).map(OutDir::Temporary),
        }
    }

    fn streams(&self) -> bool {
        matches!(self, OutDir::Stream(_))
    }

    fn sink(&self, scenario: &str) -> Sink {
        let name = format!("{scenario}.jsonl");
        match self {
            OutDir::Kept(dir) => Sink::File(dir.join(name)),
            OutDir::Temporary(dir) => Sink::File(dir.path().join(name)),
            OutDir::Stream(dir) => Sink::StdoutAndFile(dir.path().join(name)),
        }
    }
}

/// Runs one scenario: its result and whether the user wants to stop.
fn one(
    environment: &Environment,
    scenario: &Scenario,
    out: &OutDir,
    place: (usize, usize),
    publisher: Option<&mut Publisher>,
) -> anyhow::Result<(RunResult, bool)> {
    if let Err(reason) = environment.can_run(scenario) {
        return Ok((
            report::skipped(scenario, Some(environment.host().clone()), reason),
            false,
        ));
    }
    let sink = out.sink(&scenario.name);
    let mut progress = Progress::start(scenario, place);
    let finished = match publisher {
        Some(publisher) => {
            let finished = environment.run(scenario, &sink, &mut Both(&mut progress, publisher));
            publisher.end();
            finished
        }
        None => environment.run(scenario, &sink, &mut progress),
    };
    progress.end();
    let finished = finished.map_err(|error| {
        let message = format!("{}: {error}", scenario.name);
        Failure::of_harness(&error, message)
    })?;
    let recording = recording::read_path(sink.path())?;
    let kept = match (&sink, out) {
        (Sink::File(path), OutDir::Kept(_)) => Some(path.display().to_string()),
        _ => None,
    };
    let mut result = report::analyze(scenario, &recording, kept);
    if finished.interrupted {
        result.result = Verdict::Fail;
        result.reason = "interrupted".into();
    }
    Ok((result, finished.interrupted))
}

/// What the model of a kernel makes of the scenarios.
fn predicted(card: &Card, scenarios: &[Scenario], out: &OutDir) -> anyhow::Result<Vec<RunResult>> {
    let mut results = Vec::new();
    for scenario in scenarios {
        let recording = match model::predict(scenario, card) {
            Ok(recording) => recording,
            Err(why) => {
                results.push(report::skipped(scenario, Some(card.host()), why.reason));
                continue;
            }
        };
        let mut kept = None;
        let outputs = match out.sink(&scenario.name) {
            Sink::File(path) => {
                if matches!(out, OutDir::Kept(_)) {
                    kept = Some(path.display().to_string());
                }
                vec![recording::Writer::file(&path)]
            }
            Sink::StdoutAndFile(_) => vec![recording::Writer::stdout()],
        };
        recording::Writer::tee(outputs, &recording.header)?.whole(&recording)?;
        results.push(report::analyze(scenario, &recording, kept));
    }
    Ok(results)
}

fn print_human(result: &RunResult, detail: Detail, to_stderr: bool) -> anyhow::Result<()> {
    // Between lines no line is empty; tables are told apart by one.
    let end = match detail {
        Detail::Line if result.result != Verdict::Fail => "",
        _ => "\n",
    };
    let render = |terminal| report::human::render(result, detail, common::colour(terminal));
    if to_stderr {
        let text = render(std::io::stderr().is_terminal());
        write!(std::io::stderr(), "{text}{end}")?;
    } else {
        let text = render(std::io::stdout().is_terminal());
        write!(std::io::stdout(), "{text}{end}")?;
    }
    Ok(())
}

fn finish(
    args: &Args,
    out: &OutDir,
    results: Vec<RunResult>,
    interrupted: bool,
) -> anyhow::Result<Exit> {
    let failed = results.iter().any(|r| r.result == Verdict::Fail);
    let text = match args.format {
        Format::Human => report::human::summary(&results),
        Format::Json => {
            let document = Document {
                memtide: env!("CARGO_PKG_VERSION"),
                runs: results,
            };
            serde_json::to_string_pretty(&document).context("can't write the result as JSON")?
        }
        Format::Junit => report::junit::render(&results),
    };
    if out.streams() {
        writeln!(std::io::stderr(), "{text}")?;
    } else {
        writeln!(std::io::stdout(), "{text}")?;
    }
    Ok(match (interrupted, failed) {
        (true, _) => Exit::Interrupted,
        (_, true) => Exit::FellShort,
        _ => Exit::Ok,
    })
}
