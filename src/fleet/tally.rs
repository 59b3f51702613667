//! What a fleet comes to: whole numbers only, so that shards add up to exactly what one machine says.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::Shard;

/// How many pods are kept to look at.
pub const WORST: usize = 10;
/// More shares than this are a mistake.
pub const SHARDS_MAX: u64 = 100_000;
/// What a shard's file begins with.
pub const FORMAT: &str = "memtide.fleet/1";

/// What must be the same in all shards.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Identity {
    /// The version of memtide.
    pub memtide: String,
    /// The fleet's title.
    pub title: String,
    /// FNV-1a 64 of the file's text, in hex.
    pub hash: String,
    /// Pods of all shards.
    pub pods: u64,
    /// For how many days.
    pub days: f64,
    /// The fleet's seed.
    pub seed: u64,
    /// Seconds between scrapes.
    pub scrape_s: f64,
    /// Set-ups by name.
    pub cards: Vec<String>,
    /// Detectors by name.
    pub detectors: Vec<String>,
}

/// The finest cell of the results.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Key {
    /// The detector.
    pub detector: String,
    /// The service.
    pub service: String,
    /// The set-up.
    pub card: String,
    /// `healthy`, or the fault's word.
    pub kind: String,
}

/// Counts of one cell.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Tally {
    /// Pods by their number of false alarms.
    pub pods_by_false_alarms: BTreeMap<u32, u64>,
    /// Faults that could be judged: found, or ended in a kill, or at memory.high.
    pub faults: u64,
    /// Of these, those in which an alarm began while the fault was at work.
    pub hits: u64,
    /// Misses in which an alarm was on already when the fault began.
    pub masked: u64,
    /// Faults that neither came to their end nor were found: they say nothing.
    pub unfinished: u64,
    /// Hits by scrapes from the onset to the alarm.
    pub detect: BTreeMap<u64, u64>,
    /// Hits by scrapes from the alarm to the kill.
    pub lead: BTreeMap<u64, u64>,
}

impl Tally {
    /// Adds another's counts.
    pub fn add(&mut self, other: &Tally) {
        self.faults += other.faults;
        self.hits += other.hits;
        self.masked += other.masked;
        self.unfinished += other.unfinished;
        for (value, n) in &other.pods_by_false_alarms {
            *self.pods_by_false_alarms.entry(*value).or_default() += n;
        }
        for (into, from) in [
            (&mut self.detect, &other.detect),
            (&mut self.lead, &other.lead),
        ] {
            for (value, n) in from {
                *into.entry(*value).or_default() += n;
            }
        }
    }

    /// How many pods it counts.
    pub fn pods(&self) -> u64 {
        self.pods_by_false_alarms.values().sum()
    }

    /// False alarms.
    pub fn false_alarms(&self) -> u64 {
        let all = self.pods_by_false_alarms.iter();
        all.map(|(alarms, pods)| u64::from(*alarms) * pods).sum()
    }
}

/// A pod that detectors did badly on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Worst {
    /// False alarms of all detectors, and 100 for each miss.
    pub score: u64,
    /// Which pod.
    pub pod: u64,
}

/// A cell with its key.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Cell {
    /// What it is of.
    #[serde(flatten)]
    pub key: Key,
    /// Its counts.
    pub tally: Tally,
}

/// Why a text is no shard.
#[derive(Debug, thiserror::Error)]
pub enum ShardError {
    /// It is something else, or was cut.
    #[error("no shard of `memtide fleet --format json`: {0}")]
    Json(#[from] serde_json::Error),
    /// Of another version's format, or of no share.
    #[error("no shard of this memtide's `fleet --format json`: {0}")]
    Other(String),
}

/// Reads a shard as `memtide fleet --format json` wrote it.
///
/// # Errors
/// When it is none, or none that this version can join.
pub fn read_shard(text: &str) -> Result<Tallies, ShardError> {
    let shard: Tallies = serde_json::from_str(text)?;
    if shard.format != FORMAT {
        return Err(ShardError::Other(format!(
            "its format is {:?}, not {FORMAT:?}",
            shard.format
        )));
    }
    let Shard { index, of } = shard.shard;
    if index >= of || of > SHARDS_MAX {
        return Err(ShardError::Other(format!("it is share {index} of {of}")));
    }
    Ok(shard)
}

impl Tallies {
    /// The pods it counts.
    pub fn pods(&self) -> u64 {
        let first = self.fleet.detectors.first();
        let cells = self
            .cells
            .iter()
            .filter(|cell| Some(&cell.key.detector) == first);
        cells.map(|cell| cell.tally.pods()).sum()
    }
}

/// All of a fleet's results, or a shard's.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Tallies {
    /// `FORMAT`.
    pub format: String,
    /// The run it is of.
    pub fleet: Identity,
    /// Which part of it.
    pub shard: Shard,
    /// Sorted by key.
    pub cells: Vec<Cell>,
    /// The worst pods, worst first.
    pub worst: Vec<Worst>,
}

/// The worst first; of equally bad ones the lowest index.
pub fn worst_first(worst: &mut Vec<Worst>) {
    worst.sort_by_key(|w| (std::cmp::Reverse(w.score), w.pod));
    worst.truncate(WORST);
}

/// Why shards can't be joined.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum MergeError {
    /// Nothing was given.
    #[error("no shard was given")]
    None,
    /// Two of different runs.
    #[error(
        "shard {0} is of another run than the first one: text, options and version must be the same"
    )]
    Other(u64),
    /// The same one twice.
    #[error("shard {0} was given twice")]
    Twice(u64),
    /// Some are not there.
    #[error("of {of} shards these are missing: {missing}")]
    Missing {
        /// All of them.
        of: u64,
        /// The missing indexes.
        missing: String,
    },
}

/// Joins all shards of a run into what one machine would have said.
///
/// # Errors
/// When they are not all the shards of one run, each once.
pub fn merge(shards: Vec<Tallies>) -> Result<Tallies, MergeError> {
    let mut all = shards.into_iter();
    let first = all.next().ok_or(MergeError::None)?;
    let of = first.shard.of;
    let mut seen = BTreeSet::from([first.shard.index]);
    let mut cells: BTreeMap<Key, Tally> = BTreeMap::new();
    let (fleet, mut worst) = (first.fleet, first.worst);
    let mut add = |from: Vec<Cell>| {
        for cell in from {
            cells.entry(cell.key).or_default().add(&cell.tally);
        }
    };
    add(first.cells);
    for shard in all {
        if shard.fleet != fleet || shard.shard.of != of {
            return Err(MergeError::Other(shard.shard.index));
        }
        if !seen.insert(shard.shard.index) {
            return Err(MergeError::Twice(shard.shard.index));
        }
        worst.extend(shard.worst);
        add(shard.cells);
    }
    let missing: Vec<String> = (0..of.min(SHARDS_MAX))
        .filter(|index| !seen.contains(index))
        .map(|index| index.to_string())
        .collect();
    if !missing.is_empty() {
        let missing = missing.join(", ");
        return Err(MergeError::Missing { of, missing });
    }
    worst_first(&mut worst);
    Ok(Tallies {
        format: FORMAT.to_owned(),
        fleet,
        shard: Shard { index: 0, of: 1 },
        cells: cells
            .into_iter()
            .map(|(key, tally)| Cell { key, tally })
            .collect(),
        worst,
    })
}
