//! The sampler: every memory number the kernel exposes of some cgroups, on a fixed clock.
//!
//! ```text
//! let mut sampler = Sampler::open(sources, true)?;          // columns are known now
//! let mut writer = Writer::create(path, &Header { groups: sampler.groups(), .. })?;
//! sampler.attach("app", "leaker", pid, Some(page));         // when the worker has started
//! let mut clock = Clock::start(interval)?;
//! loop {
//!     clock.wait()?;                                        // or poll its descriptor, then tick()
//!     for group in 0..sampler.len() {
//!         let t = clock.now_ns();
//!         let reading = sampler.sample(group);
//!         if reading.ended { continue; }
//!         if reading.grown { writer.columns(group, sampler.columns(group))?; }
//!         writer.sample(group, t, reading.cost_ns, sampler.values(group))?;
//!     }
//! }
//! ```
//!
//! Files are opened once and read by one `pread` each into one buffer; taking a sample allocates
//! nothing unless a row appears that was never seen before.

mod clock;
mod columns;
mod files;
mod group;
mod kept;
mod keyed;
mod lateness;
mod node;
mod picked;
mod settle;
mod text;
mod truth;
mod worker;

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

pub use clock::{Clock, Tick};
pub use files::{Reads, file_names, is_left_out};
pub use lateness::Lateness;
pub use settle::{Settle, Settled};
pub use truth::TruthSource;
pub use worker::smaps_rollup;

use crate::recording::{Group, GroupKind};
use crate::rows::CgroupVersion;
use group::GroupReader;
use kept::Descriptors;
use truth::{Sums, Told};
use worker::Worker;

/// A cgroup to sample.
#[derive(Debug, Clone, PartialEq)]
pub struct GroupSource {
    /// `pod`, or the container's name.
    pub name: String,
    /// What it is.
    pub kind: GroupKind,
    /// The cgroup's folder.
    pub path: PathBuf,
    /// Which controller that is.
    pub version: CgroupVersion,
    /// Its own limit, bytes; for the header.
    pub limit: Option<u64>,
    /// Actors whose processes will be attached: their columns are there from the start.
    pub actors: Vec<String>,
    /// Whether to keep the truth: the sum over the group's workers, for a pod over all workers.
    pub truth: bool,
}

/// Why a cgroup can't be sampled.
#[derive(Debug, thiserror::Error)]
pub enum SamplerError {
    /// Its files are not there or not readable.
    #[error("failed to sample {}: {source}; is it a {version} memory cgroup?", path.display())]
    Open {
        /// The file or folder.
        path: PathBuf,
        /// What was expected there.
        version: CgroupVersion,
        /// The first file that failed, and why.
        source: io::Error,
    },
}

/// What came of taking a sample.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reading {
    /// What it cost, nanoseconds.
    pub cost_ns: u64,
    /// The cgroup was removed; there is no sample, now and until [`Sampler::reopen`].
    pub ended: bool,
    /// Columns were added: write them down before the sample.
    pub grown: bool,
    /// `inactive_file` exceeds usage.
    pub inconsistent: bool,
}

/// Samples cgroups.
pub struct Sampler {
    groups: Vec<GroupReader>,
    fds: Descriptors,
    buffer: Vec<u8>,
}

impl Sampler {
    /// Opens the cgroups. `node` adds the node's memory and pressure to the pod, or to the first
    /// group where there is no pod.
    pub fn open(sources: Vec<GroupSource>, node: bool) -> Result<Self, SamplerError> {
        let pod = sources
            .iter()
            .position(|source| source.kind == GroupKind::Pod)
            .unwrap_or(0);
        let mut sampler = Sampler {
            groups: Vec::with_capacity(sources.len()),
            fds: Descriptors::new(),
            buffer: vec![0; kept::BUFFER_BYTES],
        };
        for (index, source) in sources.into_iter().enumerate() {
            sampler.open_group(source, node && index == pod)?;
        }
        Ok(sampler)
    }

    /// Adds a cgroup that has appeared; returns its index.
    pub fn add_group(&mut self, source: GroupSource) -> Result<usize, SamplerError> {
        self.open_group(source, false)
    }

    /// Gives the slot of a cgroup that has ended to another one: columns begin anew.
    pub fn replace(&mut self, index: usize, source: GroupSource) -> Result<(), SamplerError> {
        let new = self.open_group(source, false)?;
        self.groups.swap_remove(index).close(&mut self.fds);
        debug_assert!(index < new);
        Ok(())
    }

    /// The cgroup at this index is of no interest any more: its files are closed, and its samples
    /// say that it has ended.
    pub fn close(&mut self, group: usize) {
        self.groups[group].close(&mut self.fds);
    }

    fn open_group(&mut self, source: GroupSource, node: bool) -> Result<usize, SamplerError> {
        let (path, version) = (source.path.clone(), source.version);
        let group =
            GroupReader::open(source, node, &mut self.fds, &mut self.buffer).map_err(|source| {
                SamplerError::Open {
                    path,
                    version,
                    source,
                }
            })?;
        self.groups.push(group);
        Ok(self.groups.len() - 1)
    }

    /// Goes on with a group whose cgroup was made anew at `path`. Columns keep their indices; new
    /// ones make the next reading `grown`.
    pub fn reopen(&mut self, group: usize, path: &Path) -> Result<(), SamplerError> {
        let reader = &mut self.groups[group];
        let version = reader.source.version;
        let result = reader.reopen(path, &mut self.fds, &mut self.buffer);
        result.map_err(|source| SamplerError::Open {
            path: path.into(),
            version,
            source,
        })
    }

    /// From now on `actor` is the process `pid`, and tells the truth through `truth`. What its
    /// earlier processes wrote and left in files still counts.
    pub fn attach(
        &mut self,
        group: usize,
        actor: &str,
        pid: i32,
        truth: Option<Arc<dyn TruthSource>>,
    ) {
        let reader = &mut self.groups[group];
        let index = reader
            .workers
            .iter()
            .position(|worker| worker.actor == actor);
        let index = index.unwrap_or_else(|| {
            reader.workers.push(Worker::new(actor, &mut reader.columns));
            reader.workers.len() - 1
        });
        let worker = &mut reader.workers[index];
        worker.attach(pid, &mut self.fds, &mut self.buffer);
        if let Some(source) = truth {
            worker.told.push(Told {
                source,
                running: true,
            });
        }
    }

    /// From now on samples of `group` have this value in the column `name`, until the next call.
    pub fn tell(&mut self, group: usize, name: &str, value: u64) {
        self.groups[group].tell(name, value);
    }

    /// The actor's process has ended: its rows are missing, and of its truth only files and totals
    /// remain. The sampler sees this by itself at its next reading; calling it makes it so now.
    pub fn detach(&mut self, group: usize, actor: &str) {
        let mut workers = self.groups[group].workers.iter_mut();
        if let Some(worker) = workers.find(|worker| worker.actor == actor) {
            worker.ended(&mut self.fds);
        }
    }

    /// How many groups there are.
    pub fn len(&self) -> usize {
        self.groups.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.groups.is_empty()
    }

    /// The groups with the columns they have now, for a recording's header.
    pub fn groups(&self) -> Vec<Group> {
        (0..self.len()).map(|group| self.group(group)).collect()
    }

    /// One group, as it would stand in a header.
    pub fn group(&self, group: usize) -> Group {
        let GroupReader {
            source, columns, ..
        } = &self.groups[group];
        Group {
            image: None,
            name: source.name.clone(),
            kind: source.kind,
            limit: source.limit,
            path: source.path.display().to_string(),
            columns: columns.names.clone(),
        }
    }

    /// The column names of a group.
    pub fn columns(&self, group: usize) -> &[String] {
        &self.groups[group].columns.names
    }

    /// The values of the group's latest sample, in the order of its columns.
    pub fn values(&self, group: usize) -> &[u64] {
        &self.groups[group].columns.values
    }

    /// Takes a sample of one group: files, workers, node, truth.
    pub fn sample(&mut self, group: usize) -> Reading {
        self.sample_of(group, Reads::All)
    }

    /// Takes a sample of one group that may leave files out.
    pub fn sample_of(&mut self, group: usize, reads: Reads) -> Reading {
        let start = Instant::now();
        let reader = &mut self.groups[group];
        let known = reader.announced;
        let ended = reader.read(reads, &mut self.fds, &mut self.buffer).is_err();
        if let Some(first) = reader.truth {
            let sums = self.truth(group);
            self.groups[group].set_truth(first, &sums);
        }
        let reader = &mut self.groups[group];
        reader.announced = reader.columns.names.len();
        let grown = reader.announced > known;
        if grown {
            reader.find_rows();
        }
        Reading {
            ended,
            grown,
            inconsistent: reader.is_inconsistent(),
            cost_ns: u64::try_from(start.elapsed().as_nanos()).unwrap_or(u64::MAX),
        }
    }

    /// A pod's truth is that of all containers, as its memory is.
    fn truth(&self, group: usize) -> Sums {
        let mut sums = Sums::new();
        let all = self.groups[group].source.kind == GroupKind::Pod;
        for (index, reader) in self.groups.iter().enumerate() {
            if all || index == group {
                reader.sum_truth(&mut sums);
            }
        }
        sums
    }
}
