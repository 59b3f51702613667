//! `memtide pack`: recordings compressed, readable by everything memtide has.

use std::io::Write;
use std::path::PathBuf;

use super::Exit;
use crate::recording::{self, Original};
use crate::units;

#[derive(Debug, clap::Args)]
pub struct Args {
    /// Recordings (`.jsonl`); each becomes `.jsonl.gz` beside it.
    #[arg(required = true, value_name = "RECORDING")]
    recordings: Vec<PathBuf>,
    /// Remove the original once the packed one is safely written.
    #[arg(long)]
    remove: bool,
    /// Keep about N samples a cgroup: those at steps and extremes, and of the others every so many.
    #[arg(long, value_name = "N")]
    samples: Option<usize>,
}

/// Packs each recording and says what it saved.
pub fn run(args: Args) -> anyhow::Result<Exit> {
    let original = if args.remove {
        Original::Remove
    } else {
        Original::Keep
    };
    for path in &args.recordings {
        let packed = recording::pack_thinned(path, original, args.samples.unwrap_or(usize::MAX))?;
        let cut = if packed.complete {
            ""
        } else {
            " (the recording is cut: it has no end)"
        };
        writeln!(
            std::io::stdout(),
            "{}: {} to {}, {} samples{cut}",
            packed.path.display(),
            units::bytes(packed.bytes_before),
            units::bytes(packed.bytes_after),
            packed.samples
        )?;
    }
    Ok(Exit::Ok)
}
