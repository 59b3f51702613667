//! `memtide report`: recordings as one HTML file that opens offline.

use std::path::PathBuf;

#[derive(Debug, clap::Args)]
pub struct Args {
    /// Recordings, or folders of them (a run's `--out` folder).
    #[arg(value_name = "PATH", required_unless_present_any = ["setup", "scenario"])]
    paths: Vec<PathBuf>,
    /// Add the shipped recordings of this set-up (again for more; see `memtide recordings`).
    #[arg(long, value_name = "NAME")]
    setup: Vec<String>,
    /// Of the shipped recordings, only those of this scenario (again for more).
    #[arg(long, value_name = "NAME")]
    scenario: Vec<String>,
    /// Draw what detectors said: a file that `memtide judge --save` wrote.
    #[arg(long, value_name = "FILE")]
    scorecard: Option<PathBuf>,
    /// Where to write the page.
    #[arg(short, long, value_name = "FILE")]
    output: PathBuf,
}

/// Says what is missing.
#[cfg(not(feature = "report"))]
pub fn run(_: Args) -> anyhow::Result<super::Exit> {
    Err(super::Failure::environment(
        "this memtide was built without the feature `report`, so it can't write HTML; build it with \
         `--features report`",
    ))
}

#[cfg(feature = "report")]
pub use with_charts::run;

#[cfg(feature = "report")]
mod with_charts {
    use std::path::{Path, PathBuf};

    use anyhow::{Context, bail};

    use super::super::Exit;
    use super::super::common::{chosen, load_recording, write_file};
    use super::Args;
    use crate::recording::Recording;
    use crate::report::html::{self, Answer, Entry};
    use crate::{expect, judge, scenario, shipped};

    /// Writes the page.
    pub fn run(args: Args) -> anyhow::Result<Exit> {
        let mut entries = Vec::new();
        for path in files(&args.paths)? {
            let recording = load_recording(&path)?;
            entries.push(entry(path.display().to_string(), recording));
        }
        entries.extend(shipped(&args)?);
        let answers = match &args.scorecard {
            None => Vec::new(),
            Some(path) => answers(path)?,
        };
        let page = html::render(&entries, &answers)?;
        write_file(&args.output, page)?;
        log::info!("{} recordings in {}", entries.len(), args.output.display());
        Ok(Exit::Ok)
    }

    /// What each detector said, by recording.
    fn answers(path: &Path) -> anyhow::Result<Vec<Answer>> {
        let text = std::fs::read_to_string(path)
            .with_context(|| format!("failed to read the scorecard {}", path.display()))?;
        let card = judge::baseline::read(&text, &path.display().to_string())?;
        let answers = card.detectors.into_iter().flat_map(|card| {
            let detector = card.detector;
            card.rows.into_iter().map(move |row| Answer {
                detector: detector.clone(),
                setup: Some(row.setup),
                scenario: row.scenario,
                // Detectors count in their own, stretched time.
                fired: row.fired_at_s.map(|t| t / row.time_scale),
                judgement: row.error.or(row.not_judged).unwrap_or_else(|| {
                    let why = row
                        .why
                        .map_or_else(String::new, |why| format!(": {}", why.words()));
                    format!("{}{why}", row.verdict.words())
                }),
                right: row.verdict.is_right(),
            })
        });
        Ok(answers.collect())
    }

    fn entry(path: String, recording: Recording) -> Entry {
        let header = &recording.header;
        let scenario = match header.scenario_text.as_str() {
            "" => None,
            // A scenario this version can't read any more still leaves the numbers.
            text => scenario::parse(text, &path, &header.scenario)
                .map_err(|e| log::warn!("{path}: its scenario can't be read: {e}"))
                .ok(),
        };
        let checks = scenario
            .as_ref()
            .map_or_else(Vec::new, |s| expect::evaluate(s, &recording));
        Entry {
            path,
            scenario,
            recording,
            checks,
        }
    }

    fn shipped(args: &Args) -> anyhow::Result<Vec<Entry>> {
        if args.setup.is_empty() && args.scenario.is_empty() {
            return Ok(Vec::new());
        }
        let entries = shipped::all()
            .filter(|s| chosen(&args.setup, s.setup) && chosen(&args.scenario, s.scenario))
            .map(|s| Ok(entry(s.path(), s.read()?)))
            .collect::<anyhow::Result<Vec<_>>>()?;
        if entries.is_empty() {
            bail!(
                "no recording of that set-up and scenario is shipped; `memtide recordings` lists them"
            );
        }
        Ok(entries)
    }

    /// The files named, and the recordings in the folders named, sorted.
    fn files(paths: &[PathBuf]) -> anyhow::Result<Vec<PathBuf>> {
        let mut files = Vec::new();
        for path in paths {
            if !path.is_dir() {
                files.push(path.clone());
                continue;
            }
            let mut found = Vec::new();
            walk(path, &mut found)?;
            if found.is_empty() {
                bail!(
                    "{} holds no recording (*.jsonl or *.jsonl.gz)",
                    path.display()
                );
            }
            found.sort();
            files.extend(found);
        }
        Ok(files)
    }

    fn walk(dir: &Path, found: &mut Vec<PathBuf>) -> anyhow::Result<()> {
        let entries =
            std::fs::read_dir(dir).with_context(|| format!("failed to list {}", dir.display()))?;
        for entry in entries {
            let entry = entry.with_context(|| format!("failed to list {}", dir.display()))?;
            let (path, kind) = (entry.path(), entry.file_type()?);
            // Links are not followed: a folder that holds itself would never end.
            if kind.is_dir() {
                walk(&path, found)?;
            } else if kind.is_file() && is_recording(&path) {
                found.push(path);
            }
        }
        Ok(())
    }

    fn is_recording(path: &Path) -> bool {
        let name = path.to_string_lossy();
        name.ends_with(".jsonl") || name.ends_with(".jsonl.gz")
    }
}
