//! `memtide __keep`: holds a cgroup's old memory.high and puts it back; not for people.

use std::path::PathBuf;

use super::super::Exit;
use crate::harness::keeper;

/// In the order in which they are passed.
#[derive(Debug, clap::Args)]
pub struct KeepArgs {
    /// The cgroup.
    path: PathBuf,
    /// What was there.
    old: String,
}

/// Obeys until its input ends, then puts the old value back.
pub fn run(args: KeepArgs) -> anyhow::Result<Exit> {
    keeper::keep(&args.path, &args.old)?;
    Ok(Exit::Ok)
}
