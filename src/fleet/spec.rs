//! What a fleet is, checked.

use super::dist::Dist;
use crate::model::Card;
use crate::named::named;
use crate::scenario::Class;

/// A population of pods and how long they are watched.
#[derive(Debug, Clone, PartialEq)]
pub struct Fleet {
    /// A line for people.
    pub title: String,
    /// FNV-1a 64 of the file's text, in hex: shards of other texts are not merged.
    pub hash: String,
    /// How many pods.
    pub pods: u64,
    /// Days each of them is watched.
    pub days: f64,
    /// Every pod's seed comes from it and the pod's index.
    pub seed: u64,
    /// Seconds between scrapes.
    pub scrape_s: f64,
    /// The set-ups of the nodes; each pod is on one, all as likely.
    pub cards: Vec<&'static Card>,
    /// The services, in the file's order.
    pub services: Vec<Service>,
}

/// One kind of pod. Shares are of the limit; times in seconds, sizes in bytes.
#[derive(Debug, Clone, PartialEq)]
pub struct Service {
    /// Its name in results.
    pub name: String,
    /// How common it is beside the others.
    pub weight: f64,
    /// The memory limit, bytes.
    pub limit: Dist,
    /// The live heap as a share of the limit.
    pub live: Dist,
    /// How much of the live heap comes and goes with the time of day, as a share of it.
    pub day: Dist,
    /// What a garbage collector lets grow between two collections, as a share of the limit.
    pub gc: Dist,
    /// Seconds between two collections.
    pub gc_every: Dist,
    /// Whether the heap gives back with MADV_FREE, as a probability; else with MADV_DONTNEED.
    pub lazy: f64,
    /// Bytes of log a second.
    pub log: Dist,
    /// Bytes of a line: before 4.7 lines shorter than a page make pages active.
    pub line: Dist,
    /// The size at which a log is rotated, bytes; and how many rotated ones are kept.
    pub rotate: Dist,
    /// Rotated logs that are kept.
    pub keep: Dist,
    /// How many readers follow the log.
    pub readers: Dist,
    /// Seconds between restarts, deployments included.
    pub restart_every: Dist,
    /// What may go wrong.
    pub faults: Vec<Fault>,
}

/// Something that goes wrong in a share of a service's pods, once a pod.
#[derive(Debug, Clone, PartialEq)]
pub struct Fault {
    /// What it is.
    pub kind: FaultKind,
    /// The probability that a pod has it.
    pub share: f64,
    /// Seconds in which it fills what the pod leaves free of its limit.
    pub fills_in: Dist,
}

named! {
    /// The kinds of faults.
    FaultKind, word {
        /// Anonymous memory is lost.
        Leak = "leak",
        /// Files in memory grow.
        Tmpfs = "tmpfs",
        /// The heap, freed lazily, is used again while more is wanted.
        Reuse = "lazy_reuse",
        /// The heap meets memory.high (cgroup v2 only; else the pod is healthy).
        High = "memory_high",
        /// A file is read again and again, and no longer fits: every page of it is read from the disk each time.
        Cache = "cache_needed",
    }
}

impl FaultKind {
    /// What a detector should call it.
    pub fn class(self) -> Class {
        match self {
            FaultKind::Leak => Class::Leak,
            FaultKind::Tmpfs => Class::Tmpfs,
            FaultKind::Reuse => Class::OomAhead,
            FaultKind::High => Class::Throttled,
            FaultKind::Cache => Class::PageCache,
        }
    }

    /// Whether it goes on to the end instead of ending in a kill.
    pub fn stands(self) -> bool {
        matches!(self, FaultKind::High | FaultKind::Cache)
    }
}
