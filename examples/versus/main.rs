//! memtide beside what people use instead: the same work, in turns, in one run.
//!
//! Started by `scripts/versus`. Prints one Markdown table a subject, with versions and the machine.
//! A peer that is not here is named in its row; nothing is ever filled in from elsewhere.

mod anon;
mod hold;
mod judging;
mod log;
mod machine;
mod sample;
mod series;
#[path = "../../benches/support/mod.rs"]
mod support;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, ValueEnum};
use series::Table;

/// memtide beside what people use instead.
#[derive(Parser)]
#[command(name = "scripts/versus")]
struct Args {
    /// Turns of each; medians are of these.
    #[arg(long, default_value_t = 7, value_parser = clap::value_parser!(u32).range(1..=1000))]
    runs: u32,
    /// Only these subjects.
    #[arg(long, value_enum)]
    only: Vec<Subject>,
    /// Seconds that memory is held.
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u64).range(1..=600))]
    hold: u64,
    /// Where files are written: the file system is part of what is measured.
    #[arg(long, default_value = ".")]
    workdir: PathBuf,
    /// The program of `scripts/versus-cgroupfs`, if it was built.
    #[arg(long)]
    cgroupfs: Option<PathBuf>,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Subject {
    Log,
    Anon,
    Sample,
    Hold,
    Judge,
}

fn main() -> ExitCode {
    // A worker is this program again, as it is memtide in a run.
    if std::env::args_os()
        .nth(1)
        .is_some_and(|first| first == memtide::worker::ARGUMENT)
    {
        return memtide::worker::main();
    }
    let args = Args::parse();
    let wanted = |subject| args.only.is_empty() || args.only.contains(&subject);
    let workdir = match tempfile::tempdir_in(&args.workdir) {
        Ok(workdir) => workdir,
        Err(error) => {
            eprintln!("versus: cannot work in {}: {error}", args.workdir.display());
            return ExitCode::from(2);
        }
    };
    println!("{}\n", machine::describe(workdir.path()));
    let print = |table: Table| println!("{table}");
    if wanted(Subject::Log) {
        print(log::compare(workdir.path(), args.runs));
    }
    if wanted(Subject::Anon) {
        print(anon::compare(workdir.path(), args.runs));
    }
    if wanted(Subject::Sample) {
        print(sample::compare(args.cgroupfs.as_deref(), args.runs));
    }
    if wanted(Subject::Hold) {
        print(hold::compare(workdir.path(), args.hold, args.runs));
    }
    if wanted(Subject::Judge) {
        print(judging::compare(args.runs));
    }
    ExitCode::SUCCESS
}
