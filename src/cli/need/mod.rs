//! `memtide need`: how much memory a program needs, found by running it.

mod print;
mod program;
mod trials;

use std::io::{IsTerminal, Write};

use clap::ValueEnum;
use serde_json::json;

use super::common::{self, Placed};
use super::record_service::ServiceArgs;
use super::{Exit, Failure, scratch};
use crate::harness::Environment;
use crate::need::{self, By, Measured, Stop, Wanted};
use crate::units;
use program::Program;
use trials::Trials;

#[derive(Debug, clap::Args)]
pub struct Args {
    /// The highest limit: the program is run under it first, then below it.
    #[arg(long, value_name = "SIZE", value_parser = units::parse_bytes)]
    limit: Option<u64>,
    /// How much slower is still as fast.
    #[arg(long, value_name = "PERCENT", default_value = "5%", value_parser = units::parse_percent)]
    loss: f64,
    /// Runs under each limit; their median counts.
    #[arg(long, value_name = "N", default_value = "3", value_parser = clap::value_parser!(u8).range(1..=99))]
    runs: u8,
    /// What a run that does its work is judged by.
    #[arg(long, value_enum, default_value = "time", conflicts_with = "measure")]
    by: JudgedBy,
    /// Judge by a number that the load (or the command) prints instead of its time: the last match of
    /// this regular expression, its first group if it has one.
    #[arg(long, value_name = "REGEX", value_parser = regex)]
    measure: Option<regex_lite::Regex>,
    /// Whether less or more of that number is better.
    #[arg(long, value_enum, default_value = "less", requires = "measure")]
    better: Better,
    /// How the result is written to stdout.
    #[arg(long, value_enum, default_value = "human")]
    format: Format,
    #[command(flatten)]
    service: ServiceArgs,
    #[command(flatten)]
    placed: Placed,
    /// Scenarios by name or TOML file, instead of a command; each is run with the sizes that it has
    /// at its own limit.
    #[arg(value_name = "SCENARIO", conflicts_with = "command")]
    scenarios: Vec<String>,
    /// The command and its arguments. Its output is shown once, on stderr.
    #[arg(last = true, value_name = "CMD")]
    command: Vec<String>,
}

/// How the result is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    /// Tables for people.
    Human,
    /// One JSON document with `needs[]`.
    Json,
}

/// `--by`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum JudgedBy {
    /// Seconds, `--loss` in percent of what it takes at the highest limit.
    Time,
    /// What it has to read again, `--loss` in percent of the highest limit: for a machine that does other
    /// work too.
    Refaults,
}

/// `--better`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Better {
    /// As with seconds.
    Less,
    /// As with requests a second.
    More,
}

fn regex(text: &str) -> Result<regex_lite::Regex, String> {
    regex_lite::Regex::new(text).map_err(|error| error.to_string())
}

/// Measures the need of the command, or of each scenario, and prints it.
pub fn run(args: Args) -> anyhow::Result<Exit> {
    let programs = Program::all(&args)?;
    let environment = args.placed.environment()?;
    let mut documents = Vec::new();
    for program in &programs {
        let Some((measured, notes)) = measure(&args, &environment, program)? else {
            return Ok(Exit::Interrupted);
        };
        let mut out = std::io::stdout();
        match args.format {
            Format::Human => {
                let colour = common::colour(out.is_terminal());
                let text = print::human(&program.name(), &measured, &notes, colour);
                write!(out, "{text}")?;
            }
            Format::Json => documents.push(print::document(&program.name(), &measured, &notes)),
        }
    }
    if args.format == Format::Json {
        let document = json!({ "memtide": env!("CARGO_PKG_VERSION"), "needs": documents });
        writeln!(std::io::stdout(), "{document:#}")?;
    }
    Ok(Exit::Ok)
}

/// One program's need and what must be known of it; none after Ctrl-C.
fn measure(
    args: &Args,
    environment: &Environment,
    program: &Program,
) -> anyhow::Result<Option<(Measured, Vec<String>)>> {
    let folder = scratch::folder(&args.placed.workdir())?;
    let mut trials = Trials::new(environment, program, folder.path(), args.measure.as_ref());
    let wanted = args.wanted(program);
    let measured = need::measure(wanted, |limit, give_up| trials.run(wanted, limit, give_up));
    trials.end();
    match measured {
        Ok(measured) => Ok(Some((measured, trials.notes()))),
        Err(Stop::Trial(error)) if trials.interrupted => {
            log::debug!("{error}");
            Ok(None)
        }
        Err(Stop::Trial(error)) => Err(error),
        Err(stop) => Err(Failure {
            exit: Exit::FellShort,
            message: format!("{}: {stop}", program.name()),
        }
        .into()),
    }
}

impl Args {
    fn wanted(&self, program: &Program) -> Wanted {
        let by = match (&self.measure, self.better, self.by) {
            (Some(_), Better::Less, _) => By::Less,
            (Some(_), Better::More, _) => By::More,
            (None, _, JudgedBy::Time) => By::Time,
            (None, _, JudgedBy::Refaults) => By::Refaults,
        };
        Wanted {
            max: program.max(),
            loss: self.loss / 100.0,
            runs: usize::from(self.runs),
            by,
        }
    }
}
