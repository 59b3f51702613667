//! `memtide recordings`: the recordings in the binary, and those added to them.

use std::collections::BTreeSet;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use anyhow::Context;

use super::{Exit, common};
use crate::compare;
use crate::shipped::{self, Shipped};

/// A folder `SET-UP/SCENARIO.jsonl.gz` whose recordings every command takes as shipped ones.
const FOLDER: &str = "MEMTIDE_RECORDINGS";

#[derive(Debug, clap::Args)]
pub struct Args {
    /// Only this set-up (again for more).
    #[arg(long, value_name = "NAME")]
    setup: Vec<String>,
    /// Only this scenario (again for more).
    #[arg(long, value_name = "NAME")]
    scenario: Vec<String>,
    /// Write them out as DIR/SET-UP/SCENARIO.jsonl.gz.
    #[arg(long, value_name = "DIR")]
    export: Option<PathBuf>,
    /// How to print the list.
    #[arg(long, value_enum, default_value_t = Format::Human)]
    format: Format,
}

#[derive(Debug, Clone, Copy, clap::ValueEnum)]
enum Format {
    /// A line a set-up.
    Human,
    /// An object a recording.
    Json,
}

/// Adds the folder that the environment names, if it does.
///
/// # Errors
/// If something in it can't be read: a set-up that is left out without a word would be a wrong table.
pub fn add() -> anyhow::Result<()> {
    let Some(folder) = std::env::var_os(FOLDER).filter(|folder| !folder.is_empty()) else {
        return Ok(());
    };
    let folder = PathBuf::from(folder);
    shipped::add(&folder).context(FOLDER)?;
    compare::check_notes().with_context(|| format!("{FOLDER}: {}", folder.display()))
}

/// Lists them, or writes them out.
pub fn run(args: Args) -> anyhow::Result<Exit> {
    let chosen = chosen(&args)?;
    if let Some(dir) = &args.export {
        export(&chosen, dir)?;
    }
    match args.format {
        Format::Human => human(&chosen),
        Format::Json => json(&chosen),
    }
}

fn chosen(args: &Args) -> anyhow::Result<Vec<&'static Shipped>> {
    common::known_setups(&args.setup)?;
    for name in &args.scenario {
        anyhow::ensure!(
            shipped::of_scenario(name).next().is_some(),
            "no recordings of a scenario called `{name}`; `memtide recordings` lists them"
        );
    }
    let wanted = common::chosen;
    Ok(shipped::all()
        .filter(|s| wanted(&args.setup, s.setup) && wanted(&args.scenario, s.scenario))
        .collect())
}

fn export(chosen: &[&Shipped], dir: &Path) -> anyhow::Result<()> {
    for shipped in chosen {
        let path = dir.join(shipped.path());
        if let Some(parent) = path.parent() {
            std::fs::create_dir_all(parent)
                .with_context(|| format!("failed to create {}", parent.display()))?;
        }
        common::write_file(&path, shipped.packed)?;
    }
    Ok(())
}

fn human(chosen: &[&Shipped]) -> anyhow::Result<Exit> {
    let mut out = io::stdout().lock();
    let setups: Vec<&str> = shipped::setups();
    writeln!(
        out,
        "{:<14} {:<32} {:<6} {:<8} {:>9} {:>9}",
        "set-up", "kernel", "cgroup", "lru", "scenarios", "size"
    )?;
    for setup in setups {
        let of_setup: Vec<_> = chosen.iter().filter(|s| s.setup == setup).collect();
        let Some(first) = of_setup.first() else {
            continue;
        };
        let host = common::read_shipped(first)?.header.host;
        let size: usize = of_setup.iter().map(|s| s.packed.len()).sum();
        writeln!(
            out,
            "{:<14} {:<32} {:<6} {:<8} {:>9} {:>9}",
            setup,
            host.kernel,
            host.cgroup.to_string(),
            host.lru.to_string(),
            of_setup.len(),
            crate::units::bytes(size as u64)
        )?;
    }
    let scenarios: BTreeSet<&str> = chosen.iter().map(|s| s.scenario).collect();
    let size: usize = chosen.iter().map(|s| s.packed.len()).sum();
    writeln!(
        out,
        "\n{} recordings of {} scenarios, {}",
        chosen.len(),
        scenarios.len(),
        crate::units::bytes(size as u64)
    )?;
    Ok(Exit::Ok)
}

fn json(chosen: &[&Shipped]) -> anyhow::Result<Exit> {
    let mut list = Vec::new();
    for shipped in chosen {
        let recording = common::read_shipped(shipped)?;
        list.push(serde_json::json!({
            "setup": shipped.setup,
            "scenario": shipped.scenario,
            "path": shipped.path(),
            "size_bytes": shipped.packed.len(),
            "host": recording.header.host,
            "started": recording.header.started,
            "outcome": recording.footer.map(|f| f.outcome.as_str()),
        }));
    }
    let mut out = io::stdout().lock();
    serde_json::to_writer_pretty(&mut out, &serde_json::json!({ "recordings": list }))?;
    writeln!(out)?;
    Ok(Exit::Ok)
}
