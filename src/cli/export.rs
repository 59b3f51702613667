//! `memtide export`: recordings in other tools' formats.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};

use crate::export::flat::Flat;
use crate::export::promtool::{Expected, TestFile, checks};
use crate::export::{Naming, Pages, csv, jsonl, openmetrics};
use crate::judge::corpus::{Case, Corpus};
use crate::judge::feed::{self, Feed};
use crate::judge::rulefile::RuleFile;
use crate::judge::verdict::Window;
use crate::recording::{self, Recording};
use crate::shipped;

use super::judge::Scrape;
use super::{Exit, common};

#[derive(Debug, clap::Args)]
#[command(group(clap::ArgGroup::new("format").required(true)))]
pub struct Args {
    /// Recordings, or folders of them; those that come with memtide where none is given.
    recordings: Vec<PathBuf>,
    /// OpenMetrics text with timestamps, for `promtool tsdb create-blocks-from openmetrics`.
    #[arg(long, group = "format")]
    openmetrics: bool,
    /// A promtool unit test of each recording, written into this folder.
    #[arg(long, group = "format", value_name = "DIR")]
    promtool: Option<PathBuf>,
    /// CSV, one line a sample.
    #[arg(long, group = "format")]
    csv: bool,
    /// JSON Lines of plain objects, one a sample.
    #[arg(long, group = "format")]
    jsonl: bool,
    /// What `memtide judge` would write to a detector's stdin.
    #[arg(long, group = "format")]
    feed: bool,
    /// With --promtool: the rules file the tests name, as seen from the folder.
    #[arg(
        long,
        value_name = "FILE",
        default_value = "alerts.yaml",
        requires = "promtool"
    )]
    rules: String,
    /// With --promtool: the alerts that should fire, a regular expression.
    #[arg(
        long,
        value_name = "REGEX",
        default_value = ".+",
        requires = "promtool"
    )]
    alert: String,
    #[command(flatten)]
    scrape: Scrape,
    #[command(flatten)]
    only: common::Only,
    /// Where to write instead of stdout.
    #[arg(short, long, value_name = "FILE", conflicts_with = "promtool")]
    out: Option<PathBuf>,
}

/// Writes the chosen format.
pub fn run(args: Args) -> anyhow::Result<Exit> {
    if let Some(dir) = &args.promtool {
        return promtool(&args, dir);
    }
    let recordings = recordings(&args)?;
    match &args.out {
        Some(path) => {
            let failed = || format!("cannot write {}", path.display());
            let file = File::create(path).with_context(failed)?;
            write(&args, &recordings, BufWriter::new(file)).with_context(failed)?;
        }
        None => write(&args, &recordings, BufWriter::new(io::stdout().lock()))?,
    }
    Ok(Exit::Ok)
}

/// The recordings with their set-up's names; unlike the judge, this needs no truth.
fn recordings(args: &Args) -> anyhow::Result<Vec<(String, Recording)>> {
    let mut all = Vec::new();
    for path in &args.recordings {
        for file in crate::judge::corpus::files(path)? {
            let recording = recording::read_path(&file)?;
            all.push((crate::judge::corpus::setup_of(&recording, &file), recording));
        }
    }
    if args.recordings.is_empty() {
        for one in shipped::all().filter(|s| args.only.fits(s.setup, s.scenario)) {
            all.push((one.setup.to_owned(), one.read()?));
        }
    }
    all.retain(|(setup, recording)| args.only.fits(setup, &recording.header.scenario));
    if all.is_empty() {
        bail!(
            "no recording to export: --setup and --scenario leave none; `memtide recordings` lists those there are"
        );
    }
    Ok(all)
}

fn write(
    args: &Args,
    recordings: &[(String, Recording)],
    mut out: impl Write,
) -> anyhow::Result<()> {
    let scraping = args.scrape.scraping()?;
    for (setup, recording) in recordings {
        feed::check(recording, &scraping)
            .with_context(|| format!("{setup}/{}", recording.header.scenario))?;
    }
    let scale = |r: &Recording| scraping.time_scale.unwrap_or(r.header.time_scale);
    let pages: Vec<(String, Pages)> = recordings
        .iter()
        .map(|(setup, r)| {
            let pages = Pages::new(r, Naming::Telling, scale(r));
            (setup.clone(), pages.dressed(&scraping.dress))
        })
        .collect();
    if args.openmetrics {
        openmetrics::write(&mut out, &pages)?;
    } else if args.feed {
        for (setup, recording) in recordings {
            let key = format!("{setup}/{}", recording.header.scenario);
            feed::write(&mut out, &Feed::new(recording, &scraping, &key))?;
        }
    } else if args.jsonl {
        for (setup, pages) in &pages {
            jsonl::write(&mut out, &Flat::new(setup, pages))?;
        }
    } else {
        same_columns(&pages)?;
        for (i, (setup, pages)) in pages.iter().enumerate() {
            csv::write(&mut out, &Flat::new(setup, pages), i == 0)?;
        }
    }
    out.flush()?;
    Ok(())
}

/// One CSV has one header: recordings with other rows would be misread.
fn same_columns(pages: &[(String, Pages)]) -> anyhow::Result<()> {
    let columns = |(setup, pages): &(String, Pages)| Flat::new(setup, pages).columns();
    let mut all = pages.iter().map(columns);
    let first = all.next();
    if all.all(|next| Some(next) == first) {
        return Ok(());
    }
    bail!(
        "these recordings have different rows, so they don't fit one CSV: export them one by one, or as --jsonl"
    )
}

fn promtool(args: &Args, dir: &Path) -> anyhow::Result<Exit> {
    let mut corpus = Corpus::default();
    if args.recordings.is_empty() {
        corpus.add_shipped(&|setup, scenario| args.only.fits(setup, scenario));
    }
    for path in &args.recordings {
        corpus.add_path(path)?;
    }
    corpus.retain(|setup, scenario| args.only.fits(setup, scenario));
    corpus.keep_scrapable(&args.scrape.scraping()?);
    if corpus.cases.is_empty() {
        common::tell_skipped(&corpus.skipped)?;
        bail!("no recording with a truth to export: --setup, --scenario and RECORDINGS leave none");
    }
    fs::create_dir_all(dir).with_context(|| format!("cannot make {}", dir.display()))?;
    let mut written = BTreeMap::new();
    for case in &corpus.cases {
        let name = format!("{}--{}", case.setup, case.scenario).replace(['/', ' '], "_");
        // Several recordings of one scenario are several tests.
        let count = written.entry(name.clone()).or_insert(0);
        *count += 1;
        let path = match *count {
            1 => dir.join(format!("{name}.yaml")),
            n => dir.join(format!("{name}--{n}.yaml")),
        };
        fs::write(&path, unit_test(args, case)?)
            .with_context(|| format!("cannot write {}", path.display()))?;
    }
    common::tell_skipped(&corpus.skipped)?;
    let rules = dir.join(&args.rules);
    let step = match fs::read_to_string(&rules) {
        // promtool reads `groups` at the first column and nothing else.
        Ok(text) if text.lines().any(|line| line.starts_with("groups:")) => {
            format!("they test {}", rules.display())
        }
        Ok(text) if RuleFile::parse(&text, "").is_ok() => format!(
            "{} has its rules in a frame (a manifest, a bare list) that promtool does not read: keep its groups \
             beside it, then",
            rules.display()
        ),
        Ok(_) => format!("they test {}", rules.display()),
        Err(_) => format!("put your rules at {}, then", rules.display()),
    };
    writeln!(
        io::stderr(),
        "{} tests written; {step}: promtool test rules {}/*.yaml",
        corpus.cases.len(),
        dir.display()
    )?;
    Ok(Exit::Ok)
}

fn unit_test(args: &Args, case: &Case) -> anyhow::Result<String> {
    let scraping = args.scrape.scraping()?;
    let feed = Feed::new(&case.recording, &scraping, &case.name);
    let window = Window::new(&case.truth, feed.pages.time_scale(), feed.pages.end());
    let expected = if window.fire {
        Expected::Fire {
            onset: window.onset_s,
            until: window.until(),
        }
    } else {
        Expected::Quiet { end: window.end_s }
    };
    let checks = checks(expected, &args.alert);
    let source = (&feed.pages, feed.rounds.as_slice());
    let test = TestFile::new(&case.name, &args.rules, scraping.interval_s, source, checks);
    let fire = if window.fire { "fire" } else { "stay quiet" };
    let class = case.truth.class;
    let scale = feed.pages.time_scale();
    Ok(format!(
        "# {}: should {fire} ({class}). {}\n# One recorded second is {scale} s here.\n{}",
        case.name,
        case.truth.why.replace('\n', " "),
        test.to_yaml()?
    ))
}
