//! `memtide mark`: a moment that a load or a command puts into the recording of its run.

use super::{Exit, Failure};
use crate::harness::{self, MarkError};

#[derive(Debug, clap::Args)]
pub struct Args {
    /// What happens now: `load doubled`, `leak on`. `onset = "mark:TEXT"` in a truth means its moment.
    text: String,
}

/// Sets the mark.
pub fn run(args: Args) -> anyhow::Result<Exit> {
    match harness::mark(&args.text) {
        Ok(()) => Ok(Exit::Ok),
        Err(error @ MarkError::Text) => Err(anyhow::anyhow!(error)),
        Err(error) => Err(Failure::environment(error.to_string())),
    }
}
