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

mod table;

use serde::{Deserialize, Serialize};

use crate::named::named;

pub use table::{ROWS, View, ViewIndex};

/// What `max` in a v2 limit file is kept as; written as `"max"` in a recording.
pub const UNLIMITED: u64 = u64::MAX;

/// Whether a limit file's number means "no limit": v1 writes 2^63 less a page, old kernels 2^63 - 1, v2 `max`
/// ([`UNLIMITED`]). No machine has an exbibyte.
pub const fn is_unlimited(limit: u64) -> bool {
    limit >= 1 << 60
}

named! {
    /// Which memory controller a row came from: it decides which names mean what.
    #[derive(Serialize, Deserialize, schemars::JsonSchema)]
    #[serde(rename_all = "lowercase")]
    CgroupVersion, as_str {
        /// cgroup v1 (`memory.usage_in_bytes`, `total_` rows).
        V1 = "v1",
        /// cgroup v2 (`memory.current`, `anon`, `file`).
        V2 = "v2",
    }
}

/// What a row counts in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unit {
    /// A size in bytes.
    Bytes,
    /// Events, or pages that went by.
    Count,
    /// A time in microseconds.
    Microseconds,
}

/// Whether a sampler reads the file a row is in. Only files of one number are asked: `memory.stat`,
/// events and pressure are read as a whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Read {
    /// In every sample: any allocation moves it.
    Moving,
    /// Left out where many cgroups are watched: a limit, a peak, a count.
    Still,
    /// No file of its own, or not read.
    Never,
}

/// One row of the kernel's, on both cgroup versions.
#[derive(Debug)]
pub struct Row {
    /// The name that holds on both versions.
    pub name: &'static str,
    /// The kernel's names on v1 without `total_`, the preferred one first; empty if v1 has none.
    pub v1: &'static [&'static str],
    /// The kernel's names on v2; empty if v2 has none.
    pub v2: &'static [&'static str],
    /// Its unit.
    pub unit: Unit,
    /// The kernel it came with on v1 and on v2; empty where that version has no such row.
    pub since: [&'static str; 2],
    /// The row (by [`Row::name`]) it is a part of; empty for a whole.
    pub part_of: &'static str,
    /// Whether a sampler reads its file.
    pub read: Read,
    /// What it counts, in a sentence.
    pub meaning: &'static str,
}

/// Whether a name is a line of `memory.stat` (not a file, nor a line of another file).
pub fn is_stat(name: &str) -> bool {
    !name.contains(['.', ':'])
}

impl Row {
    /// The row of that name. Made for constants: there an unknown name does not compile.
    pub const fn named(name: &str) -> &'static Row {
        let mut at = 0;
        while !same(ROWS[at].name, name) {
            at += 1;
        }
        &ROWS[at]
    }

    /// The row that the kernel calls so on either version, `total_` or not; families (names that end
    /// in `*`) included.
    pub fn of(name: &str) -> Option<&'static Row> {
        let base = name.strip_prefix("total_").unwrap_or(name);
        let known = |known: &&str| match known.strip_suffix('*') {
            Some(start) => base.starts_with(start),
            None => *known == base || *known == name,
        };
        ROWS.iter()
            .find(|row| row.v1.iter().chain(row.v2).any(&known))
    }

    /// The kernel's names on `version`, the preferred one first.
    pub fn names(&self, version: CgroupVersion) -> &'static [&'static str] {
        match version {
            CgroupVersion::V1 => self.v1,
            CgroupVersion::V2 => self.v2,
        }
    }

    /// The index of its column; on v1 a `total_` row is preferred.
    pub fn column<S: AsRef<str>>(&self, version: CgroupVersion, columns: &[S]) -> Option<usize> {
        Row::position(self.v1, self.v2, version, columns)
    }

    /// Its value by name; on v1 a `total_` row is preferred.
    pub fn value(&self, version: CgroupVersion, get: impl Fn(&str) -> Option<u64>) -> Option<u64> {
        self.names(version).iter().find_map(|name| match version {
            CgroupVersion::V1 => hierarchical(name, &get),
            CgroupVersion::V2 => get(name),
        })
    }

    /// The name of its column in a recording of `version`: on v1 the hierarchical line of memory.stat.
    pub fn column_name(&self, version: CgroupVersion) -> Option<String> {
        let name = *self.names(version).first()?;
        let is_total = version == CgroupVersion::V1 && is_stat(name);
        let prefix = if is_total { "total_" } else { "" };
        Some(format!("{prefix}{name}"))
    }

    /// Its value under either version's names, the larger one where both are there: tools mix them.
    pub fn of_either(&self, get: impl Fn(&str) -> Option<u64>) -> Option<u64> {
        let versions = [CgroupVersion::V1, CgroupVersion::V2];
        versions
            .into_iter()
            .filter_map(|version| self.value(version, &get))
            .max()
    }

    fn position<S: AsRef<str>>(
        v1: &[&str],
        v2: &[&str],
        version: CgroupVersion,
        columns: &[S],
    ) -> Option<usize> {
        let find = |name: &str| columns.iter().position(|c| c.as_ref() == name);
        let total = |name: &str| {
            let is_total = |c: &S| c.as_ref().strip_prefix("total_") == Some(name);
            columns.iter().position(is_total)
        };
        match version {
            CgroupVersion::V1 => v1
                .iter()
                .find_map(|name| total(name).or_else(|| find(name))),
            CgroupVersion::V2 => v2.iter().find_map(|name| find(name)),
        }
    }
}

/// What `get` has of memory.stat's hierarchical line, or else of the cgroup's own, which is v2's only one.
pub fn hierarchical<T>(name: &str, get: impl Fn(&str) -> Option<T>) -> Option<T> {
    get(&format!("total_{name}")).or_else(|| get(name))
}

/// Pages that came back soon after they had been evicted, those of files and of anonymous memory; before 5.9 one row
/// counted both.
pub fn refaults(get: impl Fn(&str) -> Option<u64>) -> Option<u64> {
    let kinds = ["workingset_refault_file", "workingset_refault_anon"].map(&get);
    kinds
        .into_iter()
        .flatten()
        .reduce(|file, anon| file + anon)
        .or_else(|| get("workingset_refault"))
}

const fn same(a: &str, b: &str) -> bool {
    let (a, b) = (a.as_bytes(), b.as_bytes());
    if a.len() != b.len() {
        return false;
    }
    let mut at = 0;
    while at < a.len() {
        if a[at] != b[at] {
            return false;
        }
        at += 1;
    }
    true
}

impl Default for View {
    fn default() -> Self {
        View::NONE
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

    /// Sets those of the rows that are known.
    pub fn fill<S: Into<String>>(&mut self, rows: impl IntoIterator<Item = (S, Option<u64>)>) {
        for (name, value) in rows {
            if let Some(value) = value {
                self.set(name, value);
            }
        }
    }

    /// Adds to a row, up to the largest number there is.
    pub fn add(&mut self, name: &str, value: u64) {
        let sum = self.get(name).unwrap_or(0);
        self.set(name, sum.saturating_add(value));
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
    fn a_name_has_one_row_and_a_part_has_a_whole() {
        for row in ROWS {
            for name in row.v1.iter().chain(row.v2) {
                let found = Row::of(name.trim_end_matches('*')).map(|r| r.name);
                assert!(
                    found == Some(row.name) || name.ends_with('*'),
                    "{name}: {found:?}"
                );
            }
            assert_eq!(row.v1.is_empty(), row.since[0].is_empty(), "{}", row.name);
            assert_eq!(row.v2.is_empty(), row.since[1].is_empty(), "{}", row.name);
            let whole = row.part_of.is_empty() || ROWS.iter().any(|r| r.name == row.part_of);
            assert!(whole, "{} is a part of {}", row.name, row.part_of);
            assert!(row.meaning.ends_with('.'), "{}", row.name);
        }
        assert_eq!(Row::of("total_rss").map(|r| r.name), Some("rss"));
        assert_eq!(
            Row::of("pgscan_khugepaged").map(|r| r.unit),
            Some(Unit::Count)
        );
        assert!(Row::of("resident").is_none());
    }

    #[test]
    fn every_spelling_of_no_limit_is_none() {
        for limit in [UNLIMITED, i64::MAX as u64, 9_223_372_036_854_771_712] {
            assert!(is_unlimited(limit), "{limit}");
        }
        assert!(!is_unlimited(1 << 50));
    }

    #[test]
    fn a_column_has_the_name_of_its_version() {
        let name = |row, version| Row::named(row).column_name(version);
        let both = |row| [CgroupVersion::V1, CgroupVersion::V2].map(|version| name(row, version));
        assert_eq!(both("rss"), [Some("total_rss".into()), Some("anon".into())]);
        let usage = ["memory.usage_in_bytes", "memory.current"].map(|n| Some(n.into()));
        assert_eq!(both("usage"), usage, "a file of its own has no total");
        assert_eq!(both("sock"), [None, Some("sock".into())]);
    }

    #[test]
    fn of_either_versions_names_the_larger_counts() {
        let swap = |rows: &[(&str, u64)]| {
            let rows: Rows = rows.iter().copied().collect();
            Row::named("swap").of_either(|name| rows.get(name))
        };
        assert_eq!(swap(&[("swap", 3), ("memory.swap.current", 5)]), Some(5));
        assert_eq!(
            swap(&[("total_swap", 7), ("memory.swap.current", 5)]),
            Some(7)
        );
        assert_eq!(swap(&[("rss", 7)]), None);
    }

    #[test]
    fn refaults_of_both_kinds_are_summed_and_the_old_row_stands_in_for_both() {
        let of = |rows: &[(&str, u64)]| {
            let rows: Rows = rows.iter().copied().collect();
            refaults(|name| rows.get(name))
        };
        let (file, anon) = ("workingset_refault_file", "workingset_refault_anon");
        assert_eq!(
            of(&[(file, 2), (anon, 3), ("workingset_refault", 9)]),
            Some(5)
        );
        assert_eq!(of(&[(file, 2)]), Some(2));
        assert_eq!(of(&[("workingset_refault", 9)]), Some(9));
        assert_eq!(of(&[]), None);
    }

    #[test]
    fn every_counter_of_a_view_can_be_read_and_set() {
        for name in View::NAMES {
            let mut view = View::NONE;
            *view.counter_mut(name).unwrap() = Some(7);
            assert_eq!(View::counter(name).unwrap()(&view), Some(7), "{name}");
        }
    }

    #[test]
    fn what_is_missing_is_missing() {
        let view = Rows::default().view(CgroupVersion::V2);
        assert_eq!(view, View::default());
    }
}
