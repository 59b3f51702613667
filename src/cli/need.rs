//! `memtide need`: how much memory a program needs, found by running it.

use std::fmt::Write as _;
use std::io::{IsTerminal, Write};
use std::path::PathBuf;
use std::time::{Duration, Instant};

use clap::ValueEnum;
use serde_json::json;

use super::common::{self, Placed};
use super::{Exit, Failure, scratch};
use crate::cgroup;
use crate::harness::{Environment, HarnessError, Observer, Options, Sink};
use crate::need::{self, Measured, Stop, Trial, Tried, Verdict, Wanted};
use crate::recording::{self, Event, EventKind, GroupKind, Header};
use crate::report::{Align, Style, Table};
use crate::rows::CgroupVersion;
use crate::scenario::{Overrides, Scenario};
use crate::units;

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
    /// How the result is written to stdout.
    #[arg(long, value_enum, default_value = "human")]
    format: Format,
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

/// What is run again and again.
enum Program {
    Command(Vec<String>, u64),
    Scenario(Box<Scenario>),
}

/// Measures the need of the command, or of each scenario, and prints it.
pub fn run(args: Args) -> anyhow::Result<Exit> {
    let programs = args.programs()?;
    let environment = args.placed.environment()?;
    let folder = scratch::folder(&args.placed.workdir())?;
    let file = folder.path().join("trial.jsonl");
    let mut documents = Vec::new();
    for program in &programs {
        let mut trials = Trials::new(&environment, program, file.clone());
        let wanted = Wanted {
            max: program.max(),
            loss: args.loss / 100.0,
            runs: usize::from(args.runs),
        };
        let measured = need::measure(wanted, |limit, give_up| {
            trials.progress(limit, wanted);
            trials.run(limit, give_up)
        });
        trials.end();
        let measured = match measured {
            Ok(measured) => measured,
            Err(Stop::Trial(error)) if trials.interrupted => {
                log::debug!("{error}");
                return Ok(Exit::Interrupted);
            }
            Err(Stop::Trial(error)) => return Err(error),
            Err(stop) => {
                return Err(Failure {
                    exit: Exit::FellShort,
                    message: format!("{}: {stop}", program.name()),
                }
                .into());
            }
        };
        let mut out = std::io::stdout();
        match args.format {
            Format::Human => {
                let colour = common::colour(out.is_terminal());
                write!(
                    out,
                    "{}",
                    human(&program.name(), &measured, &trials, colour)
                )?;
            }
            Format::Json => documents.push(document(&program.name(), &measured, &trials)),
        }
    }
    if args.format == Format::Json {
        let document = json!({ "memtide": env!("CARGO_PKG_VERSION"), "needs": documents });
        writeln!(std::io::stdout(), "{document:#}")?;
    }
    Ok(Exit::Ok)
}

impl Args {
    fn programs(&self) -> anyhow::Result<Vec<Program>> {
        if !self.command.is_empty() {
            let Some(limit) = self.limit else {
                anyhow::bail!(
                    "say how much memory the command may have at most: \
                     `memtide need --limit 512MiB -- {}`",
                    self.command.join(" ")
                );
            };
            return Ok(vec![Program::Command(self.command.clone(), limit)]);
        }
        if self.scenarios.is_empty() {
            anyhow::bail!(
                "nothing to measure: `memtide need --limit 512MiB -- COMMAND`, or the name of a scenario"
            );
        }
        let overrides = Overrides { limit: self.limit };
        let load = |name: &String| common::load_scenario(name, overrides);
        let scenarios = self.scenarios.iter().map(load);
        scenarios
            .map(|scenario| Ok(Program::Scenario(Box::new(scenario?))))
            .collect()
    }
}

impl Program {
    fn name(&self) -> String {
        match self {
            Program::Command(command, _) => command.join(" "),
            Program::Scenario(scenario) => scenario.name.clone(),
        }
    }

    fn max(&self) -> u64 {
        match self {
            Program::Command(_, limit) => *limit,
            Program::Scenario(scenario) => scenario.containers[0].limit,
        }
    }
}

/// Makes trials, and knows what they showed beside their times.
struct Trials<'a> {
    environment: &'a Environment,
    program: &'a Program,
    file: PathBuf,
    interrupted: bool,
    /// Processes that were still there when the command had ended.
    left_behind: usize,
    /// Why the page cache of a trial could not be given back before the next.
    warm: Option<String>,
    started: Instant,
    tried: Vec<u64>,
    shown: bool,
    /// The command's output was shown once.
    heard: bool,
}

impl<'a> Trials<'a> {
    fn new(environment: &'a Environment, program: &'a Program, file: PathBuf) -> Self {
        Trials {
            environment,
            program,
            file,
            interrupted: false,
            left_behind: 0,
            warm: None,
            started: Instant::now(),
            tried: Vec::new(),
            shown: false,
            heard: false,
        }
    }

    /// One run under `limit`, given up after `give_up` seconds.
    fn run(&mut self, limit: u64, give_up: Option<f64>) -> anyhow::Result<Trial> {
        let mut watcher = Watcher {
            give_up: give_up.map(Duration::from_secs_f64),
            started: Instant::now(),
            cut_off: false,
            cgroup: None,
            left_behind: 0,
            warm: None,
        };
        let sink = Sink::File(self.file.clone());
        let finished = match self.program {
            Program::Command(command, _) => {
                let interval = Duration::from_millis(20);
                let quiet = std::mem::replace(&mut self.heard, true);
                let command = muted(command, quiet);
                self.environment
                    .record(&command, limit, interval, &sink, &mut watcher)
            }
            Program::Scenario(scenario) => {
                let mut scenario = scenario.clone();
                scenario.containers[0].limit = limit;
                self.environment
                    .run(&scenario, &Options { sink }, &mut watcher)
            }
        };
        let finished = match finished {
            Ok(finished) => finished,
            // Below its least a program can't even be started.
            Err(error) if give_up.is_some() && is_start(&error) => {
                return Ok(Trial::not_begun(error.to_string()));
            }
            Err(error) if error.is_environment() => {
                return Err(Failure::environment(error.to_string()));
            }
            Err(error) => return Err(anyhow::anyhow!(error.to_string())),
        };
        self.left_behind = self.left_behind.max(watcher.left_behind);
        self.warm = self.warm.take().or(watcher.warm);
        if finished.interrupted && !watcher.cut_off {
            self.interrupted = true;
            anyhow::bail!("interrupted");
        }
        let recording = recording::read_path(&self.file)?;
        Ok(Trial::of(&recording, watcher.cut_off))
    }

    /// A line on stderr: which run this is, and how long the rest may take.
    fn progress(&mut self, limit: u64, wanted: Wanted) {
        if self.tried.last() != Some(&limit) {
            self.tried.push(limit);
        }
        let run = self.tried.len();
        // The highest limit and six of the bisection.
        const LIMITS: usize = 7;
        let left = match run {
            0 | 1 => String::new(),
            _ => {
                let each = self.started.elapsed().as_secs_f64() / (run - 1) as f64;
                let rest = each * (LIMITS + 1).saturating_sub(run) as f64;
                format!(
                    ", at most {} left",
                    units::duration(Duration::from_secs_f64(rest))
                )
            }
        };
        let line = format!(
            "limit {run} of about {LIMITS}: {} of {}{left}",
            units::bytes(limit),
            units::bytes(wanted.max)
        );
        // Progress is a courtesy: a closed stderr must not end the measurement.
        let mut stderr = std::io::stderr();
        if stderr.is_terminal() {
            let _ = write!(stderr, "\r\x1b[K{line}").and_then(|()| stderr.flush());
            self.shown = true;
        } else if self.tried.len() > usize::from(self.shown) {
            let _ = writeln!(stderr, "{line}");
        }
    }

    fn end(&mut self) {
        if std::mem::take(&mut self.shown) {
            let _ = write!(std::io::stderr(), "\r\x1b[K");
        }
    }

    /// What a reader must know to trust the number.
    fn notes(&self) -> Vec<String> {
        let mut notes = Vec::new();
        if self.left_behind > 0 {
            notes.push(format!(
                "the command left {} processes running when it ended; they were ended, and what they \
                 would have needed is not in the number",
                self.left_behind
            ));
        }
        if let Some(why) = &self.warm {
            notes.push(format!(
                "files that a trial had read could not be given back before the next ({why}): a need \
                 that is page cache comes out too small"
            ));
        }
        notes
    }
}

/// The command with its output on stderr, or nowhere: stdout is for the result, and nobody wants to
/// read the same output two dozen times. The shell is replaced by the command.
fn muted(command: &[String], quiet: bool) -> Vec<String> {
    let to = if quiet { ">/dev/null 2>&1" } else { ">&2" };
    let script = format!("exec \"$@\" </dev/null {to}");
    let mut muted: Vec<String> = ["sh", "-c", &script, "sh"].map(String::from).to_vec();
    muted.extend(command.iter().cloned());
    muted
}

/// Whether the program could not be started at all.
fn is_start(error: &HarnessError) -> bool {
    matches!(error, HarnessError::Spawn { .. })
}

/// Ends a trial that takes too long, and leaves the files it has read cold.
struct Watcher {
    give_up: Option<Duration>,
    started: Instant,
    cut_off: bool,
    cgroup: Option<(PathBuf, CgroupVersion)>,
    left_behind: usize,
    warm: Option<String>,
}

impl Observer for Watcher {
    fn begin(&mut self, header: &Header) {
        let mut groups = header.groups.iter();
        let container = groups.find(|g| g.kind == GroupKind::Container);
        self.cgroup = container.map(|g| (PathBuf::from(&g.path), header.host.cgroup));
    }

    fn event(&mut self, event: &Event) {
        let (EventKind::ActorExit { .. }, Some((path, version))) = (&event.kind, &self.cgroup)
        else {
            return;
        };
        let processes = std::fs::read_to_string(path.join("cgroup.procs")).unwrap_or_default();
        self.left_behind = processes.lines().count();
        if let Err(error) = cgroup::give_back(path, *version) {
            self.warm = Some(error.to_string());
        }
    }

    fn wants_stop(&mut self) -> bool {
        self.cut_off |= self
            .give_up
            .is_some_and(|patience| self.started.elapsed() > patience);
        self.cut_off
    }
}

fn human(name: &str, measured: &Measured, trials: &Trials<'_>, colour: bool) -> String {
    let (above, most) = measured.interval;
    let advice = need::advice(measured);
    let mut out = format!(
        "{name} needs {} (above {}, at most {}): the smallest limit at which it is within {:.0} % of \
         its {:.2} s at {}\n",
        units::bytes(measured.need),
        units::bytes(above),
        units::bytes(most),
        100.0 * measured.wanted.loss,
        measured.baseline,
        units::bytes(measured.wanted.max),
    );
    let _ = writeln!(
        out,
        "set requests.memory to {}Mi and limits.memory to {}Mi: {}\n",
        advice.request >> 20,
        advice.limit >> 20,
        advice.why
    );
    out.push_str(&curve(measured).render(2, colour));
    match measured.knee() {
        Some((low, high)) => {
            let (low, high) = (units::bytes(low), units::bytes(high));
            let _ = writeln!(
                out,
                "  the knee: its time rises most between {high} and {low}"
            );
        }
        None => out.push_str("  no knee: below its need it is killed, not slow\n"),
    }
    out.push('\n');
    out.push_str(&errors(measured).render(2, colour));
    for note in trials.notes() {
        let _ = writeln!(out, "  note: {note}");
    }
    out
}

/// A line a limit, the highest first.
fn curve(measured: &Measured) -> Table {
    let headings = ["limit", "time", "stalled", "refaults", "major faults", ""];
    let mut table = Table::new(headings.map(|h| (h, Align::Right)));
    for tried in &measured.curve {
        let last = tried.runs.last();
        let number = |n: Option<u64>| n.map_or("-".to_string(), |n| n.to_string());
        let seconds = |s: Option<f64>| s.map_or("-".to_string(), |s| format!("{s:.2} s"));
        let style = match tried.verdict {
            Verdict::Fits => Style::Plain,
            _ => Style::Dim,
        };
        let cells = [
            units::bytes(tried.limit),
            seconds(tried.seconds),
            seconds(last.and_then(|run| run.stalled_some)),
            number(last.and_then(|run| run.refaults)),
            number(last.and_then(|run| run.major_faults)),
            said(tried),
        ];
        table.row(cells.map(|cell| (cell, style)));
    }
    table
}

fn said(tried: &Tried) -> String {
    let bad = tried.runs.iter().find(|run| !run.is_done());
    match (tried.verdict, bad) {
        (_, Some(run)) if run.cut_off => "cut off".into(),
        (_, Some(run)) => run.outcome.to_string(),
        (Verdict::Fits, _) => "as fast".into(),
        (Verdict::TooSmall, _) => "slower".into(),
        (Verdict::Unclear { .. }, _) => "some runs slower".into(),
    }
}

/// What each formula would have said at the highest limit.
fn errors(measured: &Measured) -> Table {
    let max = units::bytes(measured.wanted.max);
    let headings = [
        ("formula".to_string(), Align::Left),
        (format!("at {max}"), Align::Right),
        ("against the need".to_string(), Align::Left),
    ];
    let mut table = Table::new(headings);
    for error in need::formula_errors(measured) {
        let words = match error.percent {
            p if p >= 0.5 => format!("{p:.0} % too much"),
            p if p <= -0.5 => format!("{:.0} % too little", -p),
            _ => "right".into(),
        };
        let said = units::signed_bytes(error.said);
        table.row([error.formula.to_string(), said, words].map(|cell| (cell, Style::Plain)));
    }
    table
}

fn document(name: &str, measured: &Measured, trials: &Trials<'_>) -> serde_json::Value {
    json!({
        "name": name,
        "need_bytes": measured.need,
        "interval_bytes": [measured.interval.0, measured.interval.1],
        "max_bytes": measured.wanted.max,
        "loss_percent": 100.0 * measured.wanted.loss,
        "runs": measured.wanted.runs,
        "baseline_seconds": measured.baseline,
        "knee_bytes": measured.knee().map(|(low, high)| [low, high]),
        "curve": measured.curve,
        "formulas": need::formula_errors(measured),
        "suggested": need::advice(measured),
        "notes": trials.notes(),
    })
}
