//! `memtide record`: any program in a limited cgroup, as `time` does for seconds.

use std::io::{ErrorKind, IsTerminal, Write};
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{ExitCode, ExitStatus};
use std::time::Duration;

use super::common::{self, Placed};
use super::{Exit, Failure, profile};
use crate::harness::{HarnessError, Nobody, Sink};
use crate::units;

#[derive(Debug, clap::Args)]
pub struct Args {
    /// Memory limit of the command's cgroup: memtide never runs a program without one.
    #[arg(long, value_name = "SIZE", value_parser = units::parse_bytes)]
    limit: u64,
    /// The recording's file (default: memtide-COMMAND.jsonl in this directory).
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// Time between samples.
    #[arg(long, value_name = "TIME", default_value = "100ms", value_parser = units::parse_duration)]
    interval: Duration,
    #[command(flatten)]
    placed: Placed,
    /// The command and its arguments. `record` ends with its code; 127 if there is no such command,
    /// 126 if it can't be executed.
    #[arg(required = true, trailing_var_arg = true, value_name = "CMD")]
    command: Vec<String>,
}

/// Runs the command, then tells what its memory was made of. Ends with the command's own code.
pub fn run(args: Args) -> anyhow::Result<ExitCode> {
    let out = args
        .out
        .clone()
        .unwrap_or_else(|| default_name(&args.command[0]));
    if out == Path::new("-") {
        anyhow::bail!(
            "--out - is for `run` and `watch`: here stdout is the command's; name a file, or a \
             pipe such as /dev/fd/3"
        );
    }
    let environment = args.placed.environment()?;
    let finished = environment
        .record(
            &args.command,
            args.limit,
            args.interval,
            &Sink::File(out.clone()),
            &mut Nobody,
        )
        .map_err(|error| explain(error, &args.command[0]))?;
    let recording = crate::recording::read_path(&out)?;
    let mut stderr = std::io::stderr();
    let colour = common::colour(stderr.is_terminal());
    // On stderr, as `time` does: stdout is the command's.
    write!(stderr, "{}", profile::render(&recording, colour))?;
    writeln!(stderr, "  recording: {}", out.display())?;
    Ok(exit_code(finished.exit, finished.interrupted))
}

/// The command's own code; 128 and the signal's number where one ended it, as shells have it.
fn exit_code(exit: Option<ExitStatus>, interrupted: bool) -> ExitCode {
    match exit {
        Some(status) => {
            let code = status
                .code()
                .or(status.signal().map(|s| 128 + s))
                .unwrap_or(1);
            ExitCode::from(u8::try_from(code).unwrap_or(1))
        }
        None if interrupted => ExitCode::from(Exit::Interrupted as u8),
        None => ExitCode::from(Exit::FellShort as u8),
    }
}

fn explain(error: HarnessError, program: &str) -> anyhow::Error {
    if let HarnessError::Spawn { source, .. } = &error {
        let (exit, hint) = match source.kind() {
            ErrorKind::NotFound if program.contains('/') => {
                (Exit::NotFound, "there is no such file")
            }
            ErrorKind::NotFound => (Exit::NotFound, "no such command on PATH"),
            ErrorKind::PermissionDenied => (Exit::NotExecutable, "it is not executable"),
            _ => (Exit::Environment, "it did not start"),
        };
        let message = format!("can't run {program}: {hint} ({source})");
        return Failure { exit, message }.into();
    }
    if error.is_environment() {
        Failure::environment(error.to_string())
    } else {
        anyhow::anyhow!(error.to_string())
    }
}

fn default_name(program: &str) -> PathBuf {
    let name = program.rsplit('/').next().unwrap_or(program);
    PathBuf::from(format!("memtide-{name}.jsonl"))
}
