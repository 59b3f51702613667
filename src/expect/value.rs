//! Named values of a sample: formulas, counters under one name for v1 and v2, rows, truth.

use crate::formula::{self, Formula};
use crate::recording::{EventKind, GroupKind, Recording};
use crate::rows::{View, ViewIndex};

/// The value called `name` of one sample of one group, in bytes (or a count, for rows that are one).
///
/// Looked up in this order: a formula; a counter that formulas read, which has one name on v1 and v2
/// (`cache` is `total_cache` or `file`; `anon_lru` is both anonymous lists together); a column by its
/// exact name. `row:NAME` is always the column; `restarts` counts those of the container. None where the kernel gave no such row.
pub fn value(recording: &Recording, group: usize, name: &str, sample: usize) -> Option<i64> {
    Source::new(recording, group, name).at(sample)
}

/// A value's name resolved in one group, so that reading it in many samples is cheap.
pub struct Source<'a> {
    recording: &'a Recording,
    group: usize,
    kind: Kind<'a>,
}

enum Kind<'a> {
    Formula(&'static Formula, ViewIndex),
    Counter(fn(&View) -> Option<u64>, ViewIndex),
    Column(usize),
    /// How often the container was restarted so far: times of the restarts, nanoseconds.
    Restarts(Vec<u64>),
    /// The pod has no worker of its own: its truth is that of its containers.
    Sum(Vec<Source<'a>>),
    Nothing,
}

impl<'a> Source<'a> {
    /// Finds `name` in the group at index `group`.
    pub fn new(recording: &'a Recording, group: usize, name: &str) -> Self {
        Source {
            recording,
            group,
            kind: Kind::find(recording, group, name),
        }
    }

    /// The value in one sample; none where the kernel gave none.
    pub fn at(&self, sample: usize) -> Option<i64> {
        let view = |index| self.recording.view(self.group, index, sample);
        let table = &self.recording.tables[self.group];
        if sample >= table.len() {
            return None;
        }
        match &self.kind {
            Kind::Formula(formula, index) => (formula.eval)(&view(index)),
            Kind::Counter(counter, index) => counter(&view(index)).map(signed),
            Kind::Column(column) => table.get(sample, *column).map(signed),
            Kind::Restarts(times) => {
                let so_far = times.iter().filter(|t| **t <= table.t[sample]).count();
                i64::try_from(so_far).ok()
            }
            Kind::Sum(parts) => parts.iter().try_fold(0i64, |sum, part| {
                let there = self.recording.tables[part.group].at(table.t[sample])?;
                Some(sum.saturating_add(part.at(there)?))
            }),
            Kind::Nothing => None,
        }
    }
}

impl<'a> Kind<'a> {
    fn find(recording: &'a Recording, group: usize, name: &str) -> Self {
        let table = &recording.tables[group];
        if let Some(row) = name.strip_prefix("row:") {
            return table.column(row).map_or(Kind::Nothing, Kind::Column);
        }
        if name == RESTARTS {
            return Kind::Restarts(restarts(recording, group));
        }
        if let Some(formula) = formula::by_name(name) {
            return Kind::Formula(formula, recording.view_index(group));
        }
        if let Some(counter) = counter(name) {
            return Kind::Counter(counter, recording.view_index(group));
        }
        if let Some(column) = table.column(name) {
            return Kind::Column(column);
        }
        let groups = &recording.header.groups;
        if name.starts_with("truth:") && groups[group].kind == GroupKind::Pod {
            let containers = (0..groups.len()).filter(|g| groups[*g].kind == GroupKind::Container);
            let parts: Vec<_> = containers
                .map(|g| Source::new(recording, g, name))
                .collect();
            return match parts.is_empty() {
                true => Kind::Nothing,
                false => Kind::Sum(parts),
            };
        }
        Kind::Nothing
    }
}

/// The value that counts restarts; all of them where the group is the pod.
pub const RESTARTS: &str = "restarts";

fn restarts(recording: &Recording, group: usize) -> Vec<u64> {
    let of = &recording.header.groups[group];
    let counts = |name: &str| of.kind == GroupKind::Pod || of.name == name;
    let times = recording.events.iter().filter_map(|e| match &e.kind {
        EventKind::Restart { container, .. } if counts(container) => Some(e.t),
        _ => None,
    });
    times.collect()
}

/// Rows go up to "unlimited" (2^64 - 1); above 2^63 the difference means nothing.
fn signed(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

/// The counters of a [`View`] by name, and sums of lists that are reclaimed alike.
fn counter(name: &str) -> Option<fn(&View) -> Option<u64>> {
    match name {
        "anon_lru" => Some(|v| Some(v.inactive_anon?.saturating_add(v.active_anon?))),
        "anon_or_unevictable_lru" => Some(|v| {
            v.unevictable?
                .checked_add(v.inactive_anon?.checked_add(v.active_anon?)?)
        }),
        _ => View::counter(name),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_counter_a_scenario_may_name_can_be_read() {
        for name in crate::scenario::values::counters() {
            assert!(counter(name).is_some(), "{name}");
        }
    }
}
