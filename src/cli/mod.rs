//! The command line: one file a subcommand. The only place that prints.

mod collect;
mod common;
mod compare;
mod demo;
mod detectors;
mod doctor;
mod exit;
mod explain;
mod explain_print;
mod export;
mod first;
mod fleet;
mod generate;
mod judge;
mod judge_size;
mod list;
mod logger;
mod mark;
mod metrics;
mod need;
mod pace;
mod pack;
mod plot;
mod profile;
mod progress;
mod record;
mod record_service;
mod recordings;
mod replay;
mod report;
mod run;
mod scratch;
mod show;
mod speed;
mod supervise;
mod watch;
mod watch_recursive;

use std::process::ExitCode;

use clap::{CommandFactory, Parser, Subcommand};

pub use exit::{Exit, Failure};

/// A gauge for container memory.
///
/// memtide puts a real workload inside a memory-limited cgroup, knows exactly what that workload
/// holds, records every memory number the kernel gives, and shows what cAdvisor's working_set and
/// the other formulas in use made of it.
#[derive(Debug, Parser)]
#[command(version, propagate_version = true)]
pub struct Cli {
    #[command(subcommand)]
    command: Option<Command>,
    /// Say more: every table and formula, and on stderr the steps of the work; twice for its details.
    #[arg(short, long, global = true, action = clap::ArgAction::Count)]
    verbose: u8,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run scenarios in real cgroups and check every claim.
    Run(run::Args),
    /// Record any program in a limited cgroup, as `time` does for seconds.
    Record(record::Args),
    /// Measure how much memory a program needs: the smallest limit under which it is as fast.
    Need(need::Args),
    /// Put a moment into the recording of the run that this is called from.
    Mark(mark::Args),
    /// Watch an existing cgroup, a line a sample.
    Watch(watch::Args),
    /// Play a recording as if it happened now, for Prometheus and dashboards.
    Replay(replay::Args),
    /// List the scenarios.
    List(list::Args),
    /// Show one scenario: its story, steps, truth and expectations.
    Show(show::Args),
    /// Explain pasted memory numbers: what they are made of, what each tool prints, what follows.
    Explain(explain::Args),
    /// List the recordings that come with memtide, or write them out.
    Recordings(recordings::Args),
    /// Compare a scenario across kernels, or before and after.
    Compare(compare::Args),
    /// Collect what ran as Kubernetes Jobs: recordings, verdicts, comparisons.
    Collect(collect::Args),
    /// Show a scenario as it happens, on the whole screen, with its story.
    Demo(demo::Args),
    /// Make one HTML file of recordings: charts, tables, expectations.
    Report(report::Args),
    /// Draw one recording as a picture.
    Plot(plot::Args),
    /// Tell what this machine is, where scenarios would run, and which.
    Doctor(doctor::Args),
    /// Compress recordings.
    Pack(pack::Args),
    /// Score detectors against recordings whose truth is known.
    Judge(judge::Args),
    /// Judge detectors on days of many pods that a model runs: false alarms, recall, lead.
    Fleet(fleet::Args),
    /// List the built-in detectors.
    Detectors(detectors::Args),
    /// Write recordings in other tools' formats.
    Export(export::Args),
    /// Stand between the judge and a detector program.
    #[command(name = crate::judge::program::SUPERVISE, hide = true)]
    Supervise(supervise::Args),
    /// Hold a cgroup's old limit and put it back.
    #[command(name = crate::harness::keeper::KEEP, hide = true)]
    Keep(need::KeepArgs),
    /// Write completions for a shell, the man page, or the JSON Schemas.
    Generate(generate::Args),
}

/// Parses, runs, reports.
pub fn main() -> ExitCode {
    let cli = Cli::parse();
    logger::start(cli.verbose);
    if let Err(error) = recordings::add() {
        return exit::report(&error);
    }
    let Some(command) = cli.command else {
        return alone();
    };
    let result = match command {
        Command::Run(args) => run::run(args, cli.verbose > 0),
        Command::Record(args) => {
            return record::run(args).unwrap_or_else(|error| exit::report(&error));
        }
        Command::Need(args) => need::run(args),
        Command::Mark(args) => mark::run(args),
        Command::Watch(args) => watch::run(args),
        Command::Replay(args) => replay::run(args),
        Command::List(args) => list::run(args),
        Command::Show(args) => show::run(args),
        Command::Explain(args) => explain::run(args, cli.verbose > 0),
        Command::Recordings(args) => recordings::run(args),
        Command::Compare(args) => compare::run(args),
        Command::Collect(args) => collect::run(args),
        Command::Demo(args) => demo::run(args),
        Command::Report(args) => report::run(args),
        Command::Plot(args) => plot::run(args),
        Command::Doctor(args) => doctor::run(args),
        Command::Pack(args) => pack::run(args),
        Command::Judge(args) => judge::run(args),
        Command::Fleet(args) => fleet::run(args),
        Command::Detectors(args) => detectors::run(args),
        Command::Export(args) => export::run(args),
        Command::Supervise(args) => supervise::run(args),
        Command::Keep(args) => need::keep(args),
        Command::Generate(args) => generate::run(args),
    };
    match result {
        Ok(exit) => ExitCode::from(exit as u8),
        Err(error) => exit::report(&error),
    }
}

/// Without a command: on a terminal what to try first, else the help, as an error.
fn alone() -> ExitCode {
    use std::io::IsTerminal;

    if !std::io::stdout().is_terminal() {
        return exit::help(&mut Cli::command());
    }
    match first::run() {
        Ok(exit) => ExitCode::from(exit as u8),
        Err(error) => exit::report(&error),
    }
}
