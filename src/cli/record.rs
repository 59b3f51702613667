//! `memtide record`: any program in a limited cgroup, as `time` does for seconds.

use std::collections::BTreeSet;
use std::io::{self, ErrorKind, IsTerminal, Write};
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{ExitCode, ExitStatus};
use std::time::Duration;

use super::common::{self, Placed};
use super::record_service::ServiceArgs;
use super::{Exit, Failure, profile};
use crate::cgroup;
use crate::harness::{self, Command, Environment, Finished, HarnessError, Observer, Sink};
use crate::recording::{Event, EventKind, GroupKind, Header};
use crate::scenario::{self, Outcome};
use crate::sys::process;
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
    /// Its name in the recording (default: the command line).
    #[arg(long, value_name = "NAME")]
    name: Option<String>,
    /// Seconds of a detector's time that one recorded second represents.
    #[arg(long, value_name = "N", default_value_t = 1.0, value_parser = parse_scale)]
    time_scale: f64,
    /// Run the command with this user's rights (needs root).
    #[arg(long, value_name = "USER")]
    user: Option<String>,
    /// Put the command's output into this file; its end is in the recording if the command fails. With --load the
    /// service's.
    #[arg(long, value_name = "FILE")]
    output: Option<PathBuf>,
    #[command(flatten)]
    service: ServiceArgs,
    #[command(flatten)]
    placed: Placed,
    /// The command and its arguments. `record` ends with its code; 127 if there is no such command,
    /// 126 if it can't be executed. At Ctrl-C it has 10 s to end, or until a second one. With --load `record` ends with 0
    /// if the command served until the load had ended well.
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
    args.service.check()?;
    common::holds_something(args.limit)?;
    if args.service.is_service() {
        startable(&args.command[0]).map_err(|error| explain(error, &args.command[0]))?;
    }
    let environment = args.placed.environment()?;
    let mut left = Left::default();
    let finished = record(&args, &environment, &out, &mut left);
    let finished = finished.map_err(|e| explain(e, &args.command[0]))?;
    let recording = crate::recording::read_path(&out)?;
    let mut stderr = std::io::stderr();
    let colour = common::colour(stderr.is_terminal());
    // On stderr, as `time` does: stdout is the command's.
    write!(stderr, "{}", profile::render(&recording, colour))?;
    for event in &recording.events {
        if let EventKind::Warning { text, .. } = &event.kind {
            writeln!(stderr, "  warning: {text}")?;
        }
    }
    if left.processes > 0 {
        writeln!(
            stderr,
            "  note: processes that the command left running when it ended: {}; they were ended then. With --load a \
             service is recorded while it runs, daemons that fork away included",
            left.processes
        )?;
    }
    if left.has_moved() {
        writeln!(
            stderr,
            "  warning: a part of the command left its cgroup for another (as systemd-run, lxc or cgexec do), where no \
             limit of memtide's holds it: what it had there is not in these numbers"
        )?;
    }
    writeln!(stderr, "  recording: {}", out.display())?;
    if args.service.is_service() && finished.outcome == Outcome::Survived {
        return Ok(ExitCode::SUCCESS);
    }
    Ok(exit_code(finished.exit, finished.interrupted))
}

/// Whom the numbers leave out: what a command leaves running when it ends, and what left its cgroup.
#[derive(Debug, Default)]
struct Left {
    /// The command's cgroup, and its number among the sampled.
    cgroup: Option<(usize, PathBuf)>,
    processes: usize,
    /// Who was in it at the last sample.
    seen: Vec<i32>,
    /// It was seen without anybody in it so many times in a row while the command ran.
    empty: usize,
    ended: bool,
    /// Who went to another cgroup.
    moved: BTreeSet<i32>,
}

impl Left {
    /// Whether the numbers lack something that the command was.
    fn has_moved(&self) -> bool {
        // Between the command's end and the notice of it there are up to three: two ticks that came late, and the
        // notice's own.
        !self.moved.is_empty() || self.empty > 3
    }
}

/// Whether a process lives, and in another cgroup than this.
fn is_elsewhere(pid: i32, cgroup: &Path) -> bool {
    let read = |file: &str| std::fs::read_to_string(format!("/proc/{pid}/{file}"));
    let (Ok(cgroups), Ok(stat)) = (read("cgroup"), read("stat")) else {
        return false;
    };
    // The state follows the name, which is in parentheses; one that has ended is nowhere.
    let state = stat.rsplit_once(") ").map(|(_, rest)| &rest[..1]);
    let run = cgroup.parent().and_then(Path::file_name);
    let own = run.is_some_and(|run| cgroups.contains(&*run.to_string_lossy()));
    !own && !matches!(state, None | Some("Z" | "X"))
}

impl Observer for Left {
    fn begin(&mut self, header: &Header) {
        let mut groups = header.groups.iter().enumerate();
        let container = groups.find(|(_, group)| group.kind == GroupKind::Container);
        // In a cgroup that was there before, others are no business of the command's.
        let own = container.filter(|_| header.host.placement == "managed");
        self.cgroup = own.map(|(number, group)| (number, PathBuf::from(&group.path)));
    }

    fn sample(&mut self, group: usize, _: u64, _: &[u64]) {
        let Some((_, path)) = self.cgroup.as_ref().filter(|(own, _)| *own == group) else {
            return;
        };
        let Ok(now) = cgroup::pids(path) else {
            return;
        };
        let gone = self.seen.iter().filter(|pid| !now.visible.contains(pid));
        self.moved
            .extend(gone.filter(|pid| is_elsewhere(**pid, path)));
        let is_empty = now.visible.is_empty() && now.invisible == 0;
        match is_empty {
            true if !self.ended => self.empty += 1,
            true => {}
            false => self.empty = 0,
        }
        self.seen = now.visible;
    }

    fn event(&mut self, event: &Event) {
        if let (EventKind::ActorExit { .. }, Some((_, path))) = (&event.kind, &self.cgroup) {
            let left = cgroup::pids(path).unwrap_or_default();
            self.processes = left.visible.len() + left.invisible;
            self.ended = true;
        }
    }
}

fn record(
    args: &Args,
    environment: &Environment,
    out: &Path,
    left: &mut Left,
) -> Result<Finished, HarnessError> {
    let sink = Sink::File(out.to_path_buf());
    let output = args.output.as_deref().map(made).transpose()?;
    let mut scenario = if args.service.is_service() {
        let service = args.service.service(&args.command, args.user.as_deref());
        let mut service = service.map_err(harness::doing("looking for the working directory"))?;
        service.output = output;
        harness::service_scenario(service, args.limit, args.interval)
    } else {
        harness::command_scenario(&args.command, args.limit, args.interval)
    };
    scenario.time_scale = args.time_scale;
    if let Some(name) = &args.name {
        scenario.name.clone_from(name);
    }
    if args.service.is_service() {
        return environment.run(&scenario, &sink, left);
    }
    let command = Command {
        words: &args.command,
        user: args.user.as_deref(),
        output: args.output.as_deref(),
    };
    environment.record_as(&scenario, &command, &sink, left)
}

/// Makes the file for the output before anything runs.
fn made(output: &Path) -> Result<PathBuf, HarnessError> {
    std::fs::File::create(output)
        .and_then(|_| std::path::absolute(output))
        .map_err(|error| {
            let named = io::Error::new(error.kind(), format!("{}: {error}", output.display()));
            harness::doing("making the output's file")(named)
        })
}

fn parse_scale(text: &str) -> Result<f64, String> {
    let scale = text
        .parse::<f64>()
        .ok()
        .filter(|s| (0.001..=1e6).contains(s));
    scale.ok_or_else(|| "a number from 0.001 to 1000000; 60 makes a minute of a second".into())
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
            ErrorKind::NotFound if program.is_empty() => (Exit::NotFound, "its name is empty"),
            ErrorKind::NotFound if is_there(program) => (Exit::NotFound, process::NO_INTERPRETER),
            ErrorKind::NotFound if program.contains('/') => {
                (Exit::NotFound, "there is no such file")
            }
            ErrorKind::NotFound => (Exit::NotFound, "no such command on PATH"),
            ErrorKind::PermissionDenied => (Exit::NotExecutable, "it is not executable"),
            _ => (Exit::Environment, "it did not start"),
        };
        let message = format!("can't run {program:?}: {hint} ({source})");
        return Failure { exit, message }.into();
    }
    Failure::of_harness(&error, error.to_string())
}

/// What the kernel would say of a program when it is to be run: a service is started by its worker, far from here.
fn startable(program: &str) -> Result<(), HarnessError> {
    let kind = match std::fs::metadata(program) {
        _ if !is_there(program) => ErrorKind::NotFound,
        Ok(file) if program.contains('/') && !scenario::is_executable(&file) => {
            ErrorKind::PermissionDenied
        }
        _ => return Ok(()),
    };
    Err(HarnessError::Spawn {
        actor: program.into(),
        source: kind.into(),
    })
}

fn is_there(program: &str) -> bool {
    match program.contains('/') {
        true => Path::new(program).is_file(),
        false => scenario::on_path(program),
    }
}

fn default_name(program: &str) -> PathBuf {
    let name = program.rsplit('/').next().unwrap_or(program);
    PathBuf::from(format!("memtide-{name}.jsonl"))
}
