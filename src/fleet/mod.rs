//! Fleets: days of many pods, each one a draw from a population of services, judged by detectors.
//!
//! A fleet file says which services there are and in what numbers they differ ([`Fleet`]). Every pod
//! is drawn with a seed of its own from the fleet's seed and the pod's index, so that it is the same
//! pod on one thread and on many, on one machine and on a shard. It runs on the model's mechanics
//! ([`crate::model`]): one operation an actor and scrape, no steps. What its container would show is
//! handed to the detectors in memory.
//!
//! Nothing here is a recording of a kernel, and no result says so.

mod alarms;
mod dist;
mod drive;
mod keep;
mod parse;
mod pod;
mod render;
mod run;
mod setup;
mod spec;
mod stats;
mod tally;
#[cfg(test)]
mod tests;

pub use drive::{Drive, Happened};
pub use keep::{keep, keep_drawn};
pub use parse::{EXAMPLES, load, parse};
pub use pod::Pod;
pub use render::human;
pub use run::{Plan, Progress, Shard, run, run_told};
pub use setup::{setup, setups};
pub use spec::{Fault, FaultKind, Fleet, Service};
pub use tally::{MergeError, SHARDS_MAX, ShardError, Tallies, merge, read_shard};
