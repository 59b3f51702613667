//! `memtide __supervise`: is between the judge and a detector program; not for people.

use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use crate::judge::supervise::{self, Limits};

use super::Exit;

/// In the order in which the judge passes them.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Where to write how the detector ended.
    status: PathBuf,
    /// Milliseconds it may take.
    time_ms: u64,
    /// Bytes of memory it may hold.
    memory: u64,
    /// Processes it may have.
    processes: usize,
    /// What to run.
    command: String,
}

/// Runs the detector to its end.
pub fn run(args: Args) -> anyhow::Result<Exit> {
    let limits = Limits {
        time: Duration::from_millis(args.time_ms),
        memory: args.memory,
        processes: args.processes,
        ..Limits::default()
    };
    let ended = supervise::run(&args.command, &limits);
    fs::write(&args.status, serde_json::to_vec(&ended)?)?;
    Ok(Exit::Ok)
}
