//! `memtide judge`: detectors against recordings whose truth is known.

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, bail};

use crate::export::dress::{self, Dress};
use crate::judge::baseline;
use crate::judge::corpus::Corpus;
use crate::judge::feed::Scraping;
use crate::judge::kind::Kind;
use crate::judge::panel::{self, Candidate, Manner, PanelError};
use crate::judge::patience::Progress;
use crate::judge::program::Program;
use crate::judge::realism::Realism;
use crate::judge::render;
use crate::judge::rules::Rules;
use crate::judge::rules_error::RulesError;
use crate::judge::scorecard::Scorecard;
use crate::judge::supervise::Limits;
use crate::{detector, scenario, shipped, units};

use super::judge_size::{self, SizeArgs};
use super::pace::{self, Pace};
use super::{Exit, Failure, common};

/// How to print the scorecard.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Format {
    /// Tables for a terminal.
    Human,
    /// Everything, as `--save` writes it.
    Json,
    /// For CI.
    Junit,
    /// For a comment on a pull request: totals, verdicts by scenario, and what was wrong.
    Markdown,
    /// The same without the rows that were wrong.
    MarkdownSummary,
    /// F1 by corpus, with its interval.
    MarkdownCorpora,
}

#[derive(Debug, clap::Args)]
pub struct Args {
    /// A built-in detector's name, `all` for all of them, or a command that reads samples on stdin.
    #[arg(long, value_name = "NAME|COMMAND")]
    detector: Vec<String>,
    /// Prometheus alert rules, judged by promtool: a file in any frame (groups, a bare list, a
    /// PrometheusRule, a ConfigMap, a page with code blocks), a folder of them, `-` for standard input.
    #[arg(long, value_name = "PATH")]
    rules: Vec<PathBuf>,
    /// Of the rules only the alerts whose whole name this regular expression matches.
    #[arg(long, value_name = "REGEX", requires = "rules")]
    alert: Option<String>,
    #[command(flatten)]
    pub(super) size: SizeArgs,
    #[command(flatten)]
    pub(super) suite: Suite,
    #[command(flatten)]
    pub(super) scrape: Scrape,
    /// Ask on, however often a detector hangs; otherwise it is given up after three recordings in a
    /// row on which it had not ended in time.
    #[arg(long)]
    keep_going: bool,
    /// Time a detector may take for one recording.
    #[arg(long, value_name = "TIME", default_value = "10s", value_parser = units::parse_duration)]
    timeout: Duration,
    /// Memory a detector program may hold, all its processes together.
    #[arg(long, value_name = "SIZE", default_value = "1GiB", value_parser = units::parse_bytes)]
    memory: u64,
    /// Recordings judged at a time; as many as there are CPUs by default.
    #[arg(long, value_name = "N")]
    jobs: Option<usize>,
    /// How to print the scorecard.
    #[arg(long, value_enum, default_value_t = Format::Human)]
    pub(super) format: Format,
    /// Also write the scorecard as JSON.
    #[arg(long, value_name = "FILE")]
    save: Option<PathBuf>,
    /// Compare with a saved scorecard: exit 1 when any row got worse, 0 otherwise.
    #[arg(long, value_name = "FILE")]
    baseline: Option<PathBuf>,
}

/// Which recordings.
#[derive(Debug, clap::Args)]
pub struct Suite {
    /// Recordings of your own: a file or a folder; the truth in NAME.truth.toml beside each.
    #[arg(long, value_name = "PATH")]
    recordings: Vec<PathBuf>,
    /// Leave out the recordings that come with memtide.
    #[arg(long)]
    no_shipped: bool,
    #[command(flatten)]
    only: common::Only,
    /// Only recordings of this corpus: `lessons`, `runtimes`, `services`, or `own` for what no scenario made.
    #[arg(long, value_name = "NAME")]
    corpus: Vec<Kind>,
}

/// How they are shown to the detectors.
#[derive(Debug, clap::Args)]
pub struct Scrape {
    /// Time between scrapes, in the detector's time.
    #[arg(long, value_name = "TIME", default_value = "15s", value_parser = units::parse_duration)]
    scrape_interval: Duration,
    /// Seconds of the detector's time for one recorded second, instead of each recording's own.
    #[arg(long, value_name = "N", value_parser = parse_scale)]
    time_scale: Option<f64>,
    /// Scrape as in real life: jitter, lost scrapes, and samples as old as the kubelet's.
    #[arg(long)]
    realism: bool,
    /// Draws the realism.
    #[arg(long, value_name = "N", default_value_t = 1, requires = "realism")]
    seed: u64,
    /// A label that every series shall have instead of its own (`namespace=payments`): for rules
    /// that select by names of their own.
    #[arg(long, value_name = "LABEL=VALUE", value_parser = dress::parse_label)]
    set: Vec<(String, String)>,
    /// Show the recordings as of a container with this limit: for rules that compare with bytes.
    /// All sizes are multiplied, rates and times stay.
    #[arg(long, value_name = "SIZE", value_parser = scale_to)]
    scale_to: Option<u64>,
}

fn scale_to(text: &str) -> Result<u64, String> {
    let size = units::parse_bytes(text).map_err(|e| e.to_string())?;
    if (1 << 12..=1 << 50).contains(&size) {
        Ok(size)
    } else {
        Err("a size from 4KiB to 1PiB, like `4GiB`".to_owned())
    }
}

fn parse_scale(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(scale) if scale.is_finite() && (1e-3..=1e6).contains(&scale) => Ok(scale),
        _ => Err("a time scale is a number from 0.001 to 1000000, like `60`".to_owned()),
    }
}

impl Suite {
    /// Gathers the recordings.
    pub fn corpus(&self, scraping: &Scraping) -> anyhow::Result<Corpus> {
        self.gather(scraping, |_, _| true)
    }

    /// Gathers the recordings; of the shipped ones, those whose need was measured.
    pub fn measured(&self, scraping: &Scraping) -> anyhow::Result<Corpus> {
        let known = |setup: &str, name: &str| {
            shipped::find(setup, name).is_some_and(|one| one.need.is_some())
        };
        self.gather(scraping, known)
    }

    fn gather(
        &self,
        scraping: &Scraping,
        keep: impl Fn(&str, &str) -> bool + Sync,
    ) -> anyhow::Result<Corpus> {
        let mut corpus = Corpus::default();
        if !self.no_shipped {
            corpus.add_shipped(&|setup, scenario| {
                self.only.fits(setup, scenario) && keep(setup, scenario)
            });
        }
        for path in &self.recordings {
            corpus.add_path(path)?;
        }
        corpus.retain(|setup, scenario| self.only.fits(setup, scenario));
        if !self.corpus.is_empty() {
            corpus.cases.retain(|case| self.corpus.contains(&case.kind));
        }
        corpus.keep_scrapable(scraping);
        common::tell_skipped(&corpus.skipped)?;
        if corpus.cases.is_empty() {
            bail!(
                "no recording to judge on: --setup, --scenario, --corpus, --recordings and --no-shipped leave none"
            );
        }
        Ok(corpus)
    }
}

impl Scrape {
    /// As the judge takes it.
    pub fn scraping(&self) -> anyhow::Result<Scraping> {
        if self.scrape_interval.is_zero() {
            bail!("--scrape-interval must be longer than 0");
        }
        Ok(Scraping {
            interval_s: self.scrape_interval.as_secs_f64(),
            time_scale: self.time_scale,
            realism: self.realism.then(|| Realism::usual(self.seed)),
            dress: Dress {
                labels: self.set.clone(),
                scale_to: self.scale_to,
            },
        })
    }
}

/// Judges, prints the scorecard, and says by the exit code whether it fell short.
pub fn run(args: Args) -> anyhow::Result<Exit> {
    if args.size.is_wanted() {
        return judge_size::run(&args);
    }
    let candidates = candidates(&args)?;
    let before = args.baseline.as_deref().map(read_baseline).transpose()?;
    let scraping = args.scrape.scraping()?;
    let corpus = args.suite.corpus(&scraping)?;
    let save = args.save.as_deref().map(writable).transpose()?;
    let threads = args
        .jobs
        .unwrap_or_else(|| std::thread::available_parallelism().map_or(1, std::num::NonZero::get));
    let pace = Pace::default();
    let manner = Manner {
        scraping: &scraping,
        threads,
        keep_going: args.keep_going,
        progress: &|progress| tell(&pace, progress),
    };
    let card = common::adopting(|| panel::judge_so(&candidates, &corpus, &manner));
    let card = card.map_err(environment)?;
    for note in card.detectors.iter().flat_map(|detector| &detector.notes) {
        log::warn!("{note}");
    }
    if let Some(path) = save {
        let text = serde_json::to_string_pretty(&card)?;
        fs::write(path, text).with_context(|| format!("cannot write {}", path.display()))?;
    }
    print(&card, args.format)?;
    match before {
        Some((old, path)) => compare(&old, &card, &path),
        None if card.detectors.iter().all(|d| d.totals.all_right()) => Ok(Exit::Ok),
        None => Ok(Exit::FellShort),
    }
}

/// Says on stderr how far a detector is, from when that is worth saying.
fn tell(pace: &Pace, progress: &Progress) {
    if progress.done == progress.of || !pace.is_due(progress.elapsed) {
        return;
    }
    let left = pace::left(progress.left());
    let Progress {
        detector, done, of, ..
    } = progress;
    // Whoever closed stderr does not want to know.
    let _ = writeln!(
        io::stderr(),
        "judge: {detector}: {done} of {of} recordings{left}"
    );
}

/// Opens the file that is written at the end, so that a wrong path is known before the work is done.
fn writable(path: &Path) -> anyhow::Result<&Path> {
    let mut options = fs::OpenOptions::new();
    options.append(true).create(true);
    options
        .open(path)
        .with_context(|| format!("cannot write {}", path.display()))?;
    Ok(path)
}

fn candidates(args: &Args) -> anyhow::Result<Vec<Candidate>> {
    let mut all = Vec::new();
    for name in &args.detector {
        match detector::by_name(name) {
            Some(built_in) => all.push(Candidate::BuiltIn(built_in)),
            None if name == "all" => {
                all.extend(detector::BUILT_IN.iter().map(Candidate::BuiltIn));
            }
            None => {
                let known = detector::BUILT_IN.iter().map(|one| one.name);
                args.known_command(name, "detector", known.chain(["all"]))?;
                all.push(Candidate::Program(args.program(name)?));
            }
        }
    }
    let opened = Rules::open(&args.rules, args.alert.as_deref(), args.timeout);
    for rules in opened.map_err(|e| environment(e.into()))? {
        all.push(Candidate::Rules(rules.shown.clone(), rules));
    }
    if all.is_empty() {
        bail!(
            "nothing to judge: give --detector NAME (`memtide detectors` lists them), --detector \
             'COMMAND' or --rules FILE"
        );
    }
    Ok(all)
}

impl Args {
    /// A lone word that is no program is a built-in's name written wrong: better said before it fails
    /// on every recording.
    pub fn known_command<'a>(
        &self,
        name: &str,
        kind: &str,
        known: impl Iterator<Item = &'a str>,
    ) -> anyhow::Result<()> {
        let word = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
        let Some(near) = scenario::nearest(name, known).filter(|_| name.chars().all(word)) else {
            return Ok(());
        };
        let path = std::env::var_os("PATH").unwrap_or_default();
        let is_program = std::env::split_paths(&path).any(|dir| dir.join(name).is_file());
        let list = match kind {
            "detector" => "`memtide detectors` lists them",
            _ => "`memtide judge --help` names them",
        };
        anyhow::ensure!(
            is_program,
            "no built-in {kind} and no program on PATH is called `{name}`: did you mean `{near}`? {list}"
        );
        Ok(())
    }

    /// A program that is judged, with its bounds.
    pub fn program(&self, command: &str) -> anyhow::Result<Program> {
        if command.trim().is_empty() {
            bail!("an empty command can't be judged: give a built-in's name or a command");
        }
        Ok(Program {
            command: command.to_owned(),
            limits: Limits {
                time: self.timeout,
                memory: self.memory,
                ..Limits::default()
            },
            supervisor: std::env::current_exe().context("cannot find this binary")?,
            subreaper: true,
        })
    }
}

/// A missing promtool is the environment's fault, rules it refuses are the file's.
fn environment(error: PanelError) -> anyhow::Error {
    match error {
        PanelError::Rules(e @ RulesError::NoPromtool) => Failure::environment(e.to_string()),
        other => other.into(),
    }
}

fn read_baseline(path: &Path) -> anyhow::Result<(Scorecard, String)> {
    let name = path.display().to_string();
    let text = fs::read_to_string(path).with_context(|| format!("cannot read {name}"))?;
    Ok((baseline::read(&text, &name)?, name))
}

fn print(card: &Scorecard, format: Format) -> anyhow::Result<()> {
    let text = match format {
        Format::Human => render::human(card),
        Format::Json => serde_json::to_string_pretty(card)? + "\n",
        Format::Junit => render::junit(card),
        Format::Markdown => render::markdown(card),
        Format::MarkdownSummary => render::markdown_summary(card),
        Format::MarkdownCorpora => render::markdown_corpora(card),
    };
    io::stdout().write_all(text.as_bytes())?;
    Ok(())
}

fn compare(old: &Scorecard, new: &Scorecard, path: &str) -> anyhow::Result<Exit> {
    let (worse, compared) = baseline::compare(old, new);
    if compared == 0 {
        let path = path.to_owned();
        bail!(baseline::BaselineError::NothingInCommon { path });
    }
    let mut err = io::stderr().lock();
    for row in &worse {
        writeln!(
            err,
            "worse: {} on {}: {}",
            row.detector, row.recording, row.change
        )?;
    }
    writeln!(
        err,
        "{compared} rows compared with {path}, {} worse",
        worse.len()
    )?;
    Ok(if worse.is_empty() {
        Exit::Ok
    } else {
        Exit::FellShort
    })
}
