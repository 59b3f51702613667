//! Rows: kernel counters by their kernel names, and the few of them that formulas read.
//!
//! # Names
//!
//! | source | name of the row |
//! |---|---|
//! | `memory.stat` | as in the file: `total_inactive_file`, `anon` |
//! | a file with one number | the file's name: `memory.usage_in_bytes`, `memory.current` |
//! | a file of `key value` lines | `file:key`: `memory.events:oom_kill`, `memory.oom_control:oom_kill` |
//! | a pressure file | `memory.pressure:some.total`, `:full.total`, in microseconds |
//! | the node | `node:MemAvailable` (bytes), `node:pressure.full.total` (microseconds) |
//! | a worker's `/proc/PID/status` | `proc:ACTOR.VmRSS`, `proc:ACTOR.RssAnon`, ... (bytes) |
//! | the truth | `truth:live`, `truth:file_written`, ... see [`crate::truth`] |

use serde::{Deserialize, Serialize};

/// What `max` in a v2 limit file is kept as; written as `"max"` in a recording.
pub const UNLIMITED: u64 = u64::MAX;

/// Which memory controller a row came from: it decides which names mean what.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum CgroupVersion {
    /// cgroup v1 (`memory.usage_in_bytes`, `total_` rows).
    V1,
    /// cgroup v2 (`memory.current`, `anon`, `file`).
    V2,
}

impl std::fmt::Display for CgroupVersion {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            CgroupVersion::V1 => "v1",
            CgroupVersion::V2 => "v2",
        })
    }
}

/// The counters that formulas read, under one set of names for both cgroup versions.
///
/// A counter that the kernel did not give is `None`, never 0. On v1 the hierarchical `total_` rows
/// are preferred, as libcontainer and cAdvisor do.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct View {
    /// `memory.usage_in_bytes` or `memory.current`.
    pub usage: Option<u64>,
    /// The cgroup's own limit; [`UNLIMITED`] where it has none.
    pub limit: Option<u64>,
    /// v1 `total_rss`, v2 `anon`.
    pub rss: Option<u64>,
    /// v1 `total_cache`, v2 `file`. Includes shmem.
    pub cache: Option<u64>,
    /// `shmem`.
    pub shmem: Option<u64>,
    /// v1 `mapped_file`, v2 `file_mapped`.
    pub mapped_file: Option<u64>,
    /// Anonymous and shmem pages on the inactive list.
    pub inactive_anon: Option<u64>,
    /// Anonymous and shmem pages on the active list.
    pub active_anon: Option<u64>,
    /// File pages, and lazily freed anonymous ones, on the inactive list.
    pub inactive_file: Option<u64>,
    /// File pages on the active list.
    pub active_file: Option<u64>,
    /// v2 `slab_reclaimable`.
    pub slab_reclaimable: Option<u64>,
    /// v2 `sock`.
    pub sock: Option<u64>,
    /// v2 `kernel` (5.18 and later); v1 `memory.kmem.usage_in_bytes`.
    pub kernel: Option<u64>,
    /// The node's capacity (MemTotal); from host facts, not from the cgroup.
    pub node_capacity: Option<u64>,
}

/// Where in a sample each counter of a [`View`] stands: resolved once, then read without a search.
#[derive(Debug, Clone, Default)]
pub struct ViewIndex {
    at: [Option<usize>; 13],
}

/// The candidates for each field of a [`View`], in order of preference, for v1 and v2.
const CANDIDATES: [(&[&str], &[&str]); 13] = [
    (&["memory.usage_in_bytes"], &["memory.current"]),
    // memory.stat's own row stands in where the limit file was not read; it is the smallest limit of
    // the cgroup and its ancestors.
    (
        &["memory.limit_in_bytes", "hierarchical_memory_limit"],
        &["memory.max"],
    ),
    (&["total_rss", "rss"], &["anon"]),
    (&["total_cache", "cache"], &["file"]),
    (&["total_shmem", "shmem"], &["shmem"]),
    (&["total_mapped_file", "mapped_file"], &["file_mapped"]),
    (
        &["total_inactive_anon", "inactive_anon"],
        &["inactive_anon"],
    ),
    (&["total_active_anon", "active_anon"], &["active_anon"]),
    (
        &["total_inactive_file", "inactive_file"],
        &["inactive_file"],
    ),
    (&["total_active_file", "active_file"], &["active_file"]),
    (&[], &["slab_reclaimable"]),
    (&[], &["sock"]),
    (&["memory.kmem.usage_in_bytes"], &["kernel"]),
];

impl ViewIndex {
    /// Finds the rows of `version` among `columns`.
    pub fn new<S: AsRef<str>>(version: CgroupVersion, columns: &[S]) -> Self {
        let mut at = [None; 13];
        for (slot, (v1, v2)) in at.iter_mut().zip(CANDIDATES) {
            let names = if version == CgroupVersion::V1 { v1 } else { v2 };
            *slot = names
                .iter()
                .find_map(|name| columns.iter().position(|c| c.as_ref() == *name));
        }
        ViewIndex { at }
    }

    /// Reads the view out of one sample, whose values `get` gives by column.
    pub fn view(&self, get: impl Fn(usize) -> Option<u64>) -> View {
        let v = |i: usize| self.at[i].and_then(&get);
        View {
            usage: v(0),
            limit: v(1),
            rss: v(2),
            cache: v(3),
            shmem: v(4),
            mapped_file: v(5),
            inactive_anon: v(6),
            active_anon: v(7),
            inactive_file: v(8),
            active_file: v(9),
            slab_reclaimable: v(10),
            sock: v(11),
            kernel: v(12),
            node_capacity: None,
        }
    }
}

/// Named rows of one reading, in the order they were read.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Rows(Vec<(String, u64)>);

impl Rows {
    /// The row called `name`, or none if the kernel did not give it.
    pub fn get(&self, name: &str) -> Option<u64> {
        self.0.iter().find(|(n, _)| n == name).map(|(_, v)| *v)
    }

    /// Adds a row, or replaces the one of that name.
    pub fn set(&mut self, name: impl Into<String>, value: u64) {
        let name = name.into();
        match self.0.iter_mut().find(|(n, _)| *n == name) {
            Some((_, old)) => *old = value,
            None => self.0.push((name, value)),
        }
    }

    /// All rows in reading order.
    pub fn iter(&self) -> impl Iterator<Item = (&str, u64)> {
        self.0.iter().map(|(n, v)| (n.as_str(), *v))
    }

    /// Whether nothing was read.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The counters formulas read, by the names of `version`.
    pub fn view(&self, version: CgroupVersion) -> View {
        let names: Vec<&str> = self.0.iter().map(|(n, _)| n.as_str()).collect();
        ViewIndex::new(version, &names).view(|i| Some(self.0[i].1))
    }
}

impl<S: Into<String>> FromIterator<(S, u64)> for Rows {
    fn from_iter<T: IntoIterator<Item = (S, u64)>>(iter: T) -> Self {
        let mut rows = Rows::default();
        for (name, value) in iter {
            rows.set(name, value);
        }
        rows
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn v1_prefers_the_hierarchical_rows() {
        let rows: Rows = [("inactive_file", 24_576), ("total_inactive_file", 16_384)]
            .into_iter()
            .collect();
        assert_eq!(rows.view(CgroupVersion::V1).inactive_file, Some(16_384));
    }

    #[test]
    fn what_is_missing_is_missing() {
        let view = Rows::default().view(CgroupVersion::V2);
        assert_eq!(view, View::default());
    }
}
