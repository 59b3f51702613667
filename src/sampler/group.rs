//! One sampled cgroup: its files, its workers, its latest sample.

use std::io;
use std::path::{Path, PathBuf};

use super::GroupSource;
use super::columns::Columns;
use super::files::{Files, Reads, Removed};
use super::kept::Descriptors;
use super::node::Node;
use super::truth::{self, Sums};
use super::worker::Worker;
use crate::rows::Row;

pub(super) struct GroupReader {
    pub source: GroupSource,
    pub columns: Columns,
    pub workers: Vec<Worker>,
    pub truth: Option<usize>,
    pub node: Option<Node>,
    /// How many columns the caller knows of.
    pub announced: usize,
    /// None once the cgroup was removed.
    files: Option<Files>,
    usage: Option<usize>,
    inactive_file: Option<usize>,
    /// Values from outside: a column's index and its latest value.
    told: Vec<(usize, u64)>,
}

impl GroupReader {
    pub fn open(
        source: GroupSource,
        node: bool,
        fds: &mut Descriptors,
        buffer: &mut Vec<u8>,
    ) -> io::Result<Self> {
        let mut columns = Columns::default();
        let files = Files::open(&source.path, source.version, &mut columns, fds, buffer)?;
        let workers = source
            .actors
            .iter()
            .map(|actor| Worker::new(actor, &mut columns))
            .collect();
        let mut group = GroupReader {
            truth: source.truth.then(|| truth::reserve(&mut columns)),
            node: node.then(|| Node::open(&mut columns, fds, buffer)),
            announced: columns.names.len(),
            source,
            columns,
            workers,
            files: Some(files),
            usage: None,
            inactive_file: None,
            told: Vec::new(),
        };
        group.find_rows();
        Ok(group)
    }

    /// The cgroup was made anew, perhaps elsewhere. Columns keep their indices.
    pub fn reopen(
        &mut self,
        path: &Path,
        fds: &mut Descriptors,
        buffer: &mut Vec<u8>,
    ) -> io::Result<()> {
        self.close(fds);
        let version = self.source.version;
        self.files = Some(Files::open(path, version, &mut self.columns, fds, buffer)?);
        self.source.path = PathBuf::from(path);
        self.find_rows();
        Ok(())
    }

    /// Reads files, then workers, then the node. Gives whether the cgroup is still there.
    pub fn read(
        &mut self,
        reads: Reads,
        fds: &mut Descriptors,
        buffer: &mut Vec<u8>,
    ) -> Result<(), Removed> {
        self.columns.clear();
        let files = self.files.as_mut().ok_or(Removed)?;
        if files.read(reads, &mut self.columns, buffer).is_err() {
            self.close(fds);
            return Err(Removed);
        }
        for worker in &mut self.workers {
            worker.read(&mut self.columns, buffer, fds);
        }
        for (index, value) in &self.told {
            self.columns.values[*index] = *value;
        }
        if let Some(node) = &self.node {
            node.read(&mut self.columns, buffer);
        }
        Ok(())
    }

    /// From now on the column `name` has this value, which memtide did not read itself.
    pub fn tell(&mut self, name: &str, value: u64) {
        let index = self.columns.index(name);
        match self.told.iter_mut().find(|(p, _)| *p == index) {
            Some(told) => told.1 = value,
            None => self.told.push((index, value)),
        }
    }

    /// Closes its files.
    pub fn close(&mut self, fds: &mut Descriptors) {
        if let Some(files) = self.files.take() {
            files.close(fds);
        }
    }

    /// Adds this group's workers to `sums`.
    pub fn sum_truth(&self, sums: &mut Sums) {
        let told = self.workers.iter().flat_map(|worker| &worker.told);
        told.for_each(|told| sums.add(told));
    }

    /// Puts the sums into this sample.
    pub fn set_truth(&mut self, first: usize, sums: &Sums) {
        self.columns.values[first..first + sums.0.len()].copy_from_slice(&sums.0);
    }

    /// Whether `inactive_file` exceeds usage: pages moved between the two reads, or lazily freed
    /// memory is on that list.
    pub fn is_inconsistent(&self) -> bool {
        let values = (
            self.columns.value(self.inactive_file),
            self.columns.value(self.usage),
        );
        matches!(values, (Some(inactive), Some(usage)) if inactive > usage)
    }

    pub fn find_rows(&mut self) {
        const USAGE: &Row = Row::named("usage");
        const INACTIVE_FILE: &Row = Row::named("inactive_file");
        let find = |row: &Row| row.column(self.source.version, &self.columns.names);
        (self.usage, self.inactive_file) = (find(USAGE), find(INACTIVE_FILE));
    }
}
