//! `memtide need`: how much memory a program needs, found by running it.

mod draw;
mod keep;
mod live;
mod print;
mod program;
mod trials;
mod unread;

use std::io::{IsTerminal, Write};
use std::path::{Path, PathBuf};

use clap::ValueEnum;
use serde_json::json;

use super::common::{self, Placed};
use super::record_service::ServiceArgs;
use super::{Exit, scratch};
use crate::harness::Environment;
use crate::need::{self, By, Measured, Recorded, Stop, Wanted, Where};
use crate::units;
pub use keep::{KeepArgs, run as keep};
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
    drawn: draw::Drawn,
    /// Keep the need of each scenario in this folder, as NAME.need.toml: `judge --formulas` and `judge
    /// --sizer` take it for the truth of the recording beside it. That there is no number is kept too.
    #[arg(long, value_name = "FOLDER", requires = "scenarios")]
    write_sidecar: Option<PathBuf>,
    #[command(flatten)]
    live: live::LiveArgs,
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

/// One program's need.
pub struct Found {
    name: String,
    measured: Measured,
    /// Its need by construction, bytes, where it says one.
    known: Option<u64>,
    /// What must be known to trust it.
    notes: Vec<String>,
}

impl Found {
    /// What was found is not what is known by construction.
    fn is_wrong(&self) -> bool {
        self.known
            .is_some_and(|known| !self.measured.is_near(known))
    }
}

/// Measures the need of the command, or of each scenario, and prints it.
pub fn run(args: Args) -> anyhow::Result<Exit> {
    if let Some(wanted) = args.live.wanted()? {
        return live::run(&args, wanted);
    }
    let programs = Program::all(&args)?;
    args.drawn.check(programs.len())?;
    let environment = args.placed.environment()?;
    let (mut all, mut documents) = (Vec::new(), Vec::new());
    let mut exit = Exit::Ok;
    for program in &programs {
        match measure(&args, &environment, program)? {
            Ended::Found(found) => {
                if found.is_wrong() {
                    exit = Exit::FellShort;
                }
                if args.format == Format::Human {
                    let mut out = std::io::stdout();
                    let colour = common::colour(out.is_terminal());
                    write!(out, "{}", print::human(&found, colour))?;
                }
                documents.push(print::document(&found));
                all.push(*found);
            }
            Ended::NoNumber(why) => {
                writeln!(std::io::stderr(), "{}: {why}", program.name())?;
                documents.push(print::no_number(&program.name(), program.known(), &why));
                exit = Exit::FellShort;
            }
            Ended::Interrupted => return Ok(Exit::Interrupted),
        }
    }
    if args.format == Format::Json {
        let document = json!({ "memtide": env!("CARGO_PKG_VERSION"), "needs": documents });
        writeln!(std::io::stdout(), "{document:#}")?;
    }
    args.drawn.write(&all)?;
    Ok(exit)
}

/// What came of measuring one program.
enum Ended {
    Found(Box<Found>),
    /// Why.
    NoNumber(String),
    /// Ctrl-C.
    Interrupted,
}

fn measure(args: &Args, environment: &Environment, program: &Program) -> anyhow::Result<Ended> {
    if let Program::Scenario(scenario) = program
        && let Err(why) = environment.can_run(scenario)
    {
        return Ok(Ended::NoNumber(format!("can't run here: {why}")));
    }
    let folder = scratch::folder(&args.placed.workdir())?;
    let mut trials = Trials::new(environment, program, folder.path(), args.measure.as_ref())?;
    let wanted = args.wanted(program);
    let result = need::measure(wanted, |limit, give_up| trials.run(wanted, limit, give_up));
    trials.end();
    let result = match result {
        Err(Stop::Trial(error)) if trials.interrupted => {
            log::debug!("{error}");
            return Ok(Ended::Interrupted);
        }
        Err(Stop::Trial(error)) => return Err(error),
        other => other,
    };
    if let Some(folder) = &args.write_sidecar {
        let recorded = recorded(&result, wanted, environment);
        write_sidecar(folder, &program.name(), &recorded)?;
    }
    Ok(match result {
        Ok(measured) => {
            let mut notes = trials.notes();
            notes.extend(measured.reads_its_limit.map(reads_its_limit));
            Ended::Found(Box::new(Found {
                name: program.name(),
                measured,
                known: program.known(),
                notes,
            }))
        }
        Err(stop) => Ended::NoNumber(stop.to_string()),
    })
}

fn reads_its_limit(at: u64) -> String {
    format!(
        "under {} it did worse each time, though it never came to that limit: it reads its limit and sizes itself by \
         it, as a Java heap does; the need is that of these settings",
        units::bytes(at)
    )
}

fn recorded(
    result: &Result<Measured, Stop<anyhow::Error>>,
    wanted: Wanted,
    environment: &Environment,
) -> Recorded {
    let host = environment.host();
    let at = Where {
        setup: host.setup.as_deref().unwrap_or(&host.kernel),
        kernel: &host.kernel,
    };
    Recorded::of(result, wanted, at)
}

fn write_sidecar(folder: &Path, name: &str, recorded: &Recorded) -> anyhow::Result<()> {
    let path = folder.join(format!("{name}.need.toml"));
    let text = recorded.to_toml(name)?;
    common::write_file(&path, text)
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
