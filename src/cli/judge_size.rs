//! `memtide judge --formulas` and `--sizer`: numbers to size by, against the need.

use std::collections::BTreeMap;
use std::io::{self, Write};

use anyhow::{Context, bail};
use serde_json::json;

use super::judge::{Args, Format};
use super::{Exit, Failure, common, scratch};
use crate::harness::{Environment, Nobody, Sink};
use crate::judge::feed::Scraping;
use crate::judge::size::sizers::{self, Candidate, SIZERS, SizerCard};
use crate::judge::size::{self, Known, Scored, formulas, render};
use crate::need::{By, Trial, Wanted};
use crate::recording;
use crate::scenario::{self, Scenario};

/// What is judged by the need.
#[derive(Debug, clap::Args)]
pub struct SizeArgs {
    /// Judge every formula's highest value against the need that was measured (NAME.need.toml beside a
    /// recording; `memtide need SCENARIO --write-sidecar FOLDER` writes them).
    #[arg(long, conflicts_with_all = ["detector", "rules", "save", "baseline"])]
    formulas: bool,
    /// Judge a right-sizer against it: `vpa`, `krr`, `max-working-set`, `max-rss`, `p95-plus-20%`, `all` of
    /// them, or a command that reads samples on stdin and ends by printing a limit in bytes.
    #[arg(long, value_name = "NAME|COMMAND", conflicts_with_all = ["detector", "rules", "save", "baseline"])]
    sizer: Vec<String>,
    /// Also run each scenario here, at its own limit and under what the sizer recommends, and say what
    /// came of it. Needs cgroups, and minutes.
    #[arg(long, requires = "sizer")]
    run_again: bool,
    #[command(flatten)]
    placed: common::Placed,
}

impl SizeArgs {
    /// Whether this is asked for.
    pub fn is_wanted(&self) -> bool {
        self.formulas || !self.sizer.is_empty()
    }
}

/// Judges and prints. Ends with 1 where a sizer's own program went wrong.
pub fn run(args: &Args) -> anyhow::Result<Exit> {
    if args.format == Format::Junit {
        bail!("--format junit is for detectors: numbers to size by have no test cases");
    }
    let scraping = args.scrape.scraping()?;
    let corpus = args.suite.measured(&scraping)?;
    let (known, without) = size::known(&corpus);
    if known.is_empty() {
        bail!(
            "the need of none of these recordings is known: `memtide need SCENARIO --write-sidecar \
             FOLDER` measures it and puts it beside a recording"
        );
    }
    let scores = match args.size.formulas {
        true => formulas::score(&known),
        false => Vec::new(),
    };
    let cards = common::adopting(|| cards(args, &known, &scraping))?;
    print(args.format, &scores, &cards, &known, &without)?;
    let wrong = cards.iter().flat_map(|card| &card.rows);
    let wrong = wrong.filter(|row| row.error.is_some()).count();
    Ok(if wrong == 0 {
        Exit::Ok
    } else {
        Exit::FellShort
    })
}

fn cards(args: &Args, known: &[Known<'_>], scraping: &Scraping) -> anyhow::Result<Vec<SizerCard>> {
    let mut candidates = Vec::new();
    for name in &args.size.sizer {
        match SIZERS.iter().find(|sizer| sizer.name == name) {
            Some(sizer) => candidates.push(Candidate::BuiltIn(sizer)),
            None if name == "all" => candidates.extend(SIZERS.iter().map(Candidate::BuiltIn)),
            None => {
                let names = SIZERS.iter().map(|sizer| sizer.name).chain(["all"]);
                args.known_command(name, "sizer", names)?;
                candidates.push(Candidate::Program(args.program(name)?));
            }
        }
    }
    let mut runner = match args.size.run_again {
        true => Some(Runner {
            environment: args.size.placed.environment()?,
            folder: scratch::folder(&args.size.placed.workdir())?,
            baseline: BTreeMap::new(),
        }),
        false => None,
    };
    let mut cards = Vec::new();
    for candidate in &candidates {
        let run = |known: &Known<'_>, limit| runner.as_mut().map(|r| r.said(known, limit));
        cards.push(sizers::score(candidate, known, scraping, run)?);
    }
    Ok(cards)
}

/// Runs scenarios under limits.
struct Runner {
    environment: Environment,
    folder: tempfile::TempDir,
    /// By scenario, at its own limit.
    baseline: BTreeMap<String, Trial>,
}

impl Runner {
    /// What came of it, in words.
    fn said(&mut self, known: &Known<'_>, limit: u64) -> String {
        self.run(known, limit)
            .unwrap_or_else(|e| format!("not run: {e:#}"))
    }

    fn run(&mut self, known: &Known<'_>, limit: u64) -> anyhow::Result<String> {
        let header = &known.case.recording.header;
        let scenario = scenario::parse(&header.scenario_text, &header.scenario, &header.scenario)?;
        self.environment
            .can_run(&scenario)
            .map_err(|why| anyhow::anyhow!("{why}"))?;
        let name = known.case.scenario.clone();
        let base = match self.baseline.get(&name) {
            Some(trial) => trial.clone(),
            None => {
                let trial = self.trial(scenario.clone())?;
                if !trial.is_done() {
                    bail!("at its own limit it ended: {}", trial.reason);
                }
                self.baseline.insert(name, trial.clone());
                trial
            }
        };
        let max = scenario.containers[0].limit;
        let mut smaller = scenario;
        smaller.containers[0].limit = limit.max(1 << 20);
        let trial = self.trial(smaller)?;
        Ok(format!("ran: {}", against(known, max, &base, &trial)))
    }

    fn trial(&self, scenario: Scenario) -> anyhow::Result<Trial> {
        let file = self.folder.path().join("again.jsonl");
        let sink = Sink::File(file.clone());
        let finished = self.environment.run(&scenario, &sink, &mut Nobody);
        let finished = finished.map_err(Failure::environment)?;
        if finished.interrupted {
            bail!("interrupted");
        }
        Ok(Trial::of(&recording::read_path(&file)?, None, false))
    }
}

/// A run against the one at the scenario's own limit `max`, judged as its need was.
fn against(known: &Known<'_>, max: u64, base: &Trial, trial: &Trial) -> String {
    let wanted = Wanted {
        max,
        loss: known.need.loss_percent / 100.0,
        runs: 1,
        by: known.need.by,
    };
    if !trial.is_done() {
        return trial.outcome.to_string();
    }
    match (known.need.by, wanted.cost(base), wanted.cost(trial)) {
        (By::Refaults, Some(before), Some(now)) => match wanted.is_as_good(now, before) {
            true => "as good".into(),
            false => format!("reads {:.0} % of its own limit again", 100.0 * now),
        },
        // A scenario prints no number, and not every kernel counts what is read again.
        _ => match trial.seconds / base.seconds.max(1e-3) - 1.0 {
            slower if slower > wanted.loss => format!("{:.0} % slower", 100.0 * slower),
            _ => "as fast".into(),
        },
    }
}

fn print(
    format: Format,
    scores: &[Scored],
    cards: &[SizerCard],
    known: &[Known<'_>],
    without: &[(String, String)],
) -> anyhow::Result<()> {
    if format == Format::Json {
        let without = without
            .iter()
            .map(|(name, why)| json!({"recording": name, "none_because": why}));
        let document = json!({
            "memtide": env!("CARGO_PKG_VERSION"),
            "recordings": known.len(),
            "without_need": without.collect::<Vec<_>>(),
            "formulas": scores,
            "sizers": cards,
        });
        return writeln!(io::stdout(), "{document:#}").context("writing the result");
    }
    let is_table = format == Format::Human;
    let mut text = format!(
        "Of {} recordings the need was measured: what is too much or too little is the mean over all of them, in \
         percent of each one's limit. Of {} more there is none: no limit is enough, or none could be told.\n\n",
        known.len(),
        without.len(),
    );
    let cards_scores: Vec<&Scored> = cards.iter().map(|card| &card.score).collect();
    for (scores, what) in [
        (scores.iter().collect(), "formula"),
        (cards_scores, "sizer"),
    ] {
        let scores: Vec<&Scored> = scores;
        if scores.is_empty() {
            continue;
        }
        text += &match is_table {
            true => render::human(&scores, what),
            false => render::markdown(&scores, what),
        };
        text.push('\n');
    }
    if is_table && !cards.is_empty() {
        text += &render::rows(cards);
    }
    io::stdout().write_all(text.as_bytes())?;
    Ok(())
}
