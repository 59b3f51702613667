//! The recordings that detectors are judged on, each with its truth.

use std::convert::Infallible;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use crate::need::{Recorded, SidecarError};
use crate::recording::Recording;
use crate::scenario;
use crate::shipped;

use super::feed::{self, Scraping};
use super::kind::Kind;
use super::spread::spread;
use super::truth::{self, Truth, TruthError};

/// One recording of the suite.
pub struct Case {
    /// Unique: `SET-UP/SCENARIO`, or the path of a user's recording.
    pub name: String,
    /// The kernel set-up.
    pub setup: String,
    /// The scenario, or the file's name.
    pub scenario: String,
    /// What it is a recording of.
    pub kind: Kind,
    /// What was recorded.
    pub recording: Recording,
    /// What is right.
    pub truth: Truth,
    /// What it needs, where that was measured.
    pub need: Option<Recorded>,
}

/// A recording that can't be judged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Skipped {
    /// The recording's name in scorecards.
    pub name: String,
    /// Why not.
    pub reason: String,
}

/// What can be judged and what can't.
#[derive(Default)]
pub struct Corpus {
    /// The suite, in a stable order.
    pub cases: Vec<Case>,
    /// What was left out.
    pub skipped: Vec<Skipped>,
}

/// Why a folder of recordings could not be read.
#[derive(Debug, thiserror::Error)]
#[error("{}: {source}", path.display())]
pub struct CorpusError {
    path: PathBuf,
    source: io::Error,
}

impl Corpus {
    fn insert(
        &mut self,
        name: String,
        setup: String,
        mut recording: Recording,
        truth: Result<Truth, TruthError>,
        need: Result<Option<Recorded>, SidecarError>,
    ) {
        let need = match need {
            Ok(need) => need,
            Err(error) => return self.skip(name, error.to_string()),
        };
        match truth {
            Ok(truth) => {
                if let Some(scale) = truth.time_scale {
                    recording.header.time_scale = scale;
                }
                self.cases.push(Case {
                    name,
                    setup,
                    scenario: recording.header.scenario.clone(),
                    kind: Kind::of(&recording),
                    recording,
                    truth,
                    need,
                });
            }
            Err(error) => self.skip(name, error.to_string()),
        }
    }

    /// Adds the recordings that come with memtide, those that `keep` says yes to by set-up and
    /// scenario. They are unpacked on all CPUs.
    pub fn add_shipped(&mut self, keep: &(dyn Fn(&str, &str) -> bool + Sync)) {
        let chosen: Vec<_> = shipped::all()
            .filter(|s| keep(s.setup, s.scenario))
            .collect();
        let threads = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        let Ok(read) = spread(&chosen, threads, |one| Ok::<_, Infallible>(one.read()));
        for (one, recording) in chosen.into_iter().zip(read) {
            let name = format!("{}/{}", one.setup, one.scenario);
            match recording {
                Ok(recording) => {
                    let truth = scenario_truth(&recording);
                    self.insert(name, one.setup.to_owned(), recording, truth, one.need());
                }
                Err(error) => self.skip(name, error.to_string()),
            }
        }
    }

    /// Notes a recording that can't be judged.
    pub fn skip(&mut self, name: String, reason: String) {
        self.skipped.push(Skipped { name, reason });
    }

    /// Adds every recording (`.jsonl`, `.jsonl.gz`) below a folder, or the one file given. The
    /// truth is in `NAME.truth.toml` beside it, else its scenario's.
    pub fn add_path(&mut self, path: &Path) -> Result<(), CorpusError> {
        for file in files(path)? {
            let name = file.display().to_string();
            let recording = match crate::recording::read_path(&file) {
                Ok(recording) => recording,
                Err(error) => {
                    self.skip(name, error.to_string());
                    continue;
                }
            };
            let truth = beside(&file, &recording);
            let setup = setup_of(&recording, &file);
            let need = need_beside(&file);
            self.insert(name, setup, recording, truth, need);
        }
        Ok(())
    }

    /// Leaves out what can't be scraped so, with the reason.
    pub fn keep_scrapable(&mut self, scraping: &Scraping) {
        let (fit, unfit): (Vec<_>, Vec<_>) = std::mem::take(&mut self.cases)
            .into_iter()
            .map(|case| {
                let check = feed::check(&case.recording, scraping)
                    .and_then(|()| feed::check_length(&case.recording, scraping));
                (check, case)
            })
            .partition(|(check, _)| check.is_ok());
        self.cases = fit.into_iter().map(|(_, case)| case).collect();
        for (check, case) in unfit {
            if let Err(error) = check {
                self.skip(case.name, error.to_string());
            }
        }
    }

    /// Keeps what `keep` says yes to, by set-up and scenario.
    pub fn retain(&mut self, keep: impl Fn(&str, &str) -> bool) {
        self.cases.retain(|case| keep(&case.setup, &case.scenario));
    }
}

/// The truth of the scenario in the recording's header.
fn scenario_truth(recording: &Recording) -> Result<Truth, TruthError> {
    let header = &recording.header;
    if header.scenario_text.is_empty() {
        return Err(TruthError::Missing {
            sidecar: "NAME.truth.toml".to_owned(),
        });
    }
    let scenario = scenario::parse(&header.scenario_text, &header.scenario, &header.scenario)
        .map_err(|e| TruthError::Scenario(e.to_string()))?;
    truth::from_scenario(&scenario, recording)
}

/// `NAME.KIND.toml` beside a recording.
fn sidecar(file: &Path, kind: &str) -> PathBuf {
    let name = file.file_name().unwrap_or_default().to_string_lossy();
    let stem = name.trim_end_matches(".gz").trim_end_matches(".jsonl");
    file.with_file_name(format!("{stem}.{kind}.toml"))
}

/// The need beside a file, if there is one.
fn need_beside(file: &Path) -> Result<Option<Recorded>, SidecarError> {
    let path = sidecar(file, "need");
    let text = fs::read_to_string(&path).ok();
    text.map(|text| Recorded::parse(&text, &path.display().to_string()))
        .transpose()
}

/// The truth beside a file, else the scenario's.
fn beside(file: &Path, recording: &Recording) -> Result<Truth, TruthError> {
    let sidecar = sidecar(file, "truth");
    match fs::read_to_string(&sidecar) {
        Ok(text) => truth::from_toml(&text, &sidecar, recording),
        Err(_) if recording.header.scenario_text.is_empty() => Err(TruthError::Missing {
            sidecar: sidecar.display().to_string(),
        }),
        Err(_) => scenario_truth(recording),
    }
}

/// The set-up's name as the run was given it, else the folder's.
pub fn setup_of(recording: &Recording, file: &Path) -> String {
    let folder = file.parent().and_then(Path::file_name);
    let host = &recording.header.host;
    host.setup.clone().unwrap_or_else(|| {
        folder.map_or_else(|| host.kernel.clone(), |f| f.to_string_lossy().into_owned())
    })
}

/// The recordings below a folder, sorted; or the one file given.
pub fn files(path: &Path) -> Result<Vec<PathBuf>, CorpusError> {
    let mut files = Vec::new();
    collect(path, &mut files)?;
    files.sort();
    Ok(files)
}

fn collect(path: &Path, files: &mut Vec<PathBuf>) -> Result<(), CorpusError> {
    let error = |source| CorpusError {
        path: path.to_owned(),
        source,
    };
    if !fs::metadata(path).map_err(error)?.is_dir() {
        files.push(path.to_owned());
        return Ok(());
    }
    for entry in fs::read_dir(path).map_err(error)? {
        let entry = entry.map_err(error)?;
        let path = entry.path();
        let name = entry.file_name();
        let name = name.to_string_lossy();
        // Not through symbolic links: they may lead back up.
        if entry.file_type().map_err(error)?.is_dir() {
            collect(&path, files)?;
        } else if name.ends_with(".jsonl") || name.ends_with(".jsonl.gz") {
            files.push(path);
        }
    }
    Ok(())
}
