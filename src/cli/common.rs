//! What several subcommands share: finding a scenario, choosing where it runs, colour.

use std::io::{IsTerminal, Write};
use std::path::{Path, PathBuf};

use anyhow::Context;

use super::Failure;
use crate::cgroup::Placement;
use crate::descendants;
use crate::harness::Environment;
use crate::judge::corpus::Skipped;
use crate::model::{self, Card};
use crate::recording::{self, Recording};
use crate::scenario::{self, Overrides, Scenario};
use crate::shipped::{self, Shipped};
use crate::units;

/// Refuses a limit under which not even one page could be held: the kernel takes it for 0.
pub fn holds_something(limit: u64) -> anyhow::Result<()> {
    let page = crate::sys::process::page_size();
    if limit < page {
        anyhow::bail!(
            "--limit {} leaves nothing to run in, a page has {}: say how much it may have at most",
            units::bytes_exact(limit),
            units::bytes(page)
        );
    }
    Ok(())
}

/// Where scenarios run and write.
#[derive(Debug, Clone, clap::Args)]
pub struct Placed {
    /// Where the containers' cgroups come from.
    #[arg(long, value_enum, default_value = "auto")]
    placement: Placement,
    /// Where logs are written: a directory on a disk (default: /data/log where it exists, else
    /// /var/tmp).
    #[arg(long, value_name = "DIR", env = "MEMTIDE_WORKDIR")]
    workdir: Option<PathBuf>,
}

impl Placed {
    /// The work directory that was asked for, or the default.
    pub fn workdir(&self) -> PathBuf {
        self.workdir.clone().unwrap_or_else(default_workdir)
    }

    /// What was asked for.
    pub fn placement(&self) -> Placement {
        self.placement
    }

    /// Finds a place, removes what killed runs left there, and looks at the machine.
    pub fn environment(&self) -> anyhow::Result<Environment> {
        Environment::prepare(self.placement(), &self.workdir()).map_err(Failure::environment)
    }
}

/// The article's log directory where it is mounted, else the one for temporary files that is on a
/// disk by convention (`/tmp` often is in memory).
pub fn default_workdir() -> PathBuf {
    ["/data/log", "/var/tmp"]
        .iter()
        .map(Path::new)
        .find(|path| path.is_dir())
        .map_or_else(std::env::temp_dir, Path::to_path_buf)
}

/// A scenario by name or file.
pub fn load_scenario(name: &str, overrides: Overrides) -> anyhow::Result<Scenario> {
    if let Some(entry) = scenario::find(name) {
        return Ok(entry.parse(overrides)?);
    }
    let path = Path::new(name);
    let looks_like_a_file = name.contains('/') || name.ends_with(".toml") || path.exists();
    if looks_like_a_file {
        return Ok(scenario::load(path, overrides)?);
    }
    let names = scenario::catalogue().iter().map(|entry| entry.name);
    let hint = scenario::did_you_mean(name, names);
    anyhow::bail!("no scenario is called `{name}`: {hint}`memtide list` shows them all")
}

/// A recording by its file, or one that comes with memtide by its name (`6.1-v1/log-write`).
pub fn load_recording(name: &Path) -> anyhow::Result<Recording> {
    if name.exists() {
        return Ok(recording::read_path(name)?);
    }
    let text = name.to_string_lossy();
    // As `memtide recordings` lists them, too.
    let text = text.trim_end_matches(".jsonl.gz");
    if let Some(shipped) = text.split_once('/').and_then(|(s, n)| shipped::find(s, n)) {
        return Ok(shipped.read()?);
    }
    let of_scenario: Vec<String> = shipped::of_scenario(text)
        .map(|one| format!("{}/{}", one.setup, one.scenario))
        .collect();
    match of_scenario.is_empty() {
        true => anyhow::bail!(
            "{text} is no file, and no recording called so comes with memtide; `memtide recordings` \
             lists those that do"
        ),
        false => anyhow::bail!(
            "{text} is a scenario: name one of its recordings ({}), or a file",
            of_scenario.join(", ")
        ),
    }
}

/// What the model of a kernel card predicts for a scenario, and the card.
pub fn predicted(name: &str, card: &str) -> anyhow::Result<(Recording, Card)> {
    let card = model::card::find(card)?;
    let scenario = load_scenario(name, Overrides::default())?;
    let recording = model::predict(&scenario, &card)
        .with_context(|| format!("the model can't do {name} on {}", card.name))?;
    Ok((recording, card))
}

/// Which recordings a command takes.
#[derive(Debug, Clone, clap::Args)]
pub struct Only {
    /// Only recordings of this kernel set-up.
    #[arg(long, value_name = "NAME")]
    setup: Vec<String>,
    /// Only recordings of this scenario.
    #[arg(long, value_name = "NAME")]
    scenario: Vec<String>,
}

impl Only {
    /// Whether one of this set-up and scenario is meant.
    pub fn fits(&self, setup: &str, scenario: &str) -> bool {
        chosen(&self.setup, setup) && chosen(&self.scenario, scenario)
    }
}

/// Whether `name` is among the wanted ones: all are where none is named.
pub fn chosen(wanted: &[String], name: &str) -> bool {
    wanted.is_empty() || wanted.iter().any(|one| one == name)
}

/// A set-up that no recording is of is an error, not an empty table.
pub fn known_setups(wanted: &[String]) -> anyhow::Result<()> {
    let known = shipped::setups();
    if let Some(unknown) = wanted.iter().find(|s| !known.contains(&s.as_str())) {
        anyhow::bail!(
            "no recordings of a set-up called `{unknown}`; there are: {}",
            known.join(", ")
        );
    }
    Ok(())
}

/// Reads a recording that comes with memtide.
pub fn read_shipped(one: &Shipped) -> anyhow::Result<Recording> {
    one.read()
        .with_context(|| format!("failed to read {}", one.path()))
}

/// Writes a file that was asked for.
pub fn write_file(path: &Path, content: impl AsRef<[u8]>) -> anyhow::Result<()> {
    std::fs::write(path, content).with_context(|| format!("failed to write {}", path.display()))
}

/// The extension of a picture's name.
///
/// # Errors
/// Any other than `svg` and `png`.
pub fn picture(path: &Path) -> anyhow::Result<&str> {
    let extension = path.extension().and_then(|e| e.to_str()).unwrap_or("");
    if !["svg", "png"].contains(&extension) {
        anyhow::bail!(
            "{}: a picture's name ends in `.svg` or `.png`",
            path.display()
        );
    }
    Ok(extension)
}

/// Does what runs others' programs: should one kill its own supervisor, its orphans come to us and are ended.
pub fn adopting<T>(work: impl FnOnce() -> T) -> T {
    let subreaper = nix::sys::prctl::set_child_subreaper(true);
    log::debug!("child subreaper: {subreaper:?}");
    let done = work();
    let _ = descendants::end_all();
    done
}

/// Whether to colour: on a terminal, unless the user said no (no-color.org).
pub fn colour(terminal: bool) -> bool {
    terminal
        && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
        && std::env::var_os("TERM").is_none_or(|term| term != "dumb")
}

/// Whether a scenario is meant by `--filter`: part of its name, or one of its tags.
pub fn matches(scenario: &Scenario, filter: &str) -> bool {
    scenario.name.contains(filter) || scenario.tags.iter().any(|tag| tag == filter)
}

/// Names what is left out of a corpus, and why.
pub fn tell_skipped(skipped: &[Skipped]) -> std::io::Result<()> {
    let mut err = std::io::stderr();
    for skipped in skipped {
        writeln!(err, "skipped: {}: {}", skipped.name, skipped.reason)?;
    }
    Ok(())
}

/// Where lines for people go: stderr where stdout carries a recording.
#[derive(Debug, Clone, Copy)]
pub enum Terminal {
    /// Nothing else goes there.
    Stdout,
    /// Stdout is taken.
    Stderr,
}

impl Terminal {
    /// Writes it at once.
    pub fn write(self, text: &str) -> std::io::Result<()> {
        match self {
            Terminal::Stdout => std::io::stdout().write_all(text.as_bytes()),
            Terminal::Stderr => std::io::stderr().write_all(text.as_bytes()),
        }
    }

    /// Whether somebody looks.
    pub fn is_terminal(self) -> bool {
        match self {
            Terminal::Stdout => std::io::stdout().is_terminal(),
            Terminal::Stderr => std::io::stderr().is_terminal(),
        }
    }
}
