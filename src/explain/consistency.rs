//! Numbers that cannot all be true at once.

use super::names;
use crate::formula::display;
use crate::rows::{Rows, View};

/// One contradiction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Contradiction {
    /// `inactive_file` is larger than usage: read at different times or from different cgroups.
    InactiveFileExceedsUsage,
    /// Usage is larger than the machine's memory.
    UsageExceedsCapacity,
    /// `inactive_file` is larger than the machine's memory: a counter that leaks.
    InactiveFileExceedsTotal,
    /// MemAvailable is larger than MemTotal.
    MemAvailableExceedsMemTotal,
    /// A row in bytes that no machine has memory for: a counter below zero, printed unsigned.
    RowImpossible,
}

impl Contradiction {
    /// Its stable name.
    pub fn name(self) -> &'static str {
        match self {
            Contradiction::InactiveFileExceedsUsage => "inactive_file_exceeds_usage",
            Contradiction::UsageExceedsCapacity => "usage_exceeds_capacity",
            Contradiction::InactiveFileExceedsTotal => "inactive_file_exceeds_total",
            Contradiction::MemAvailableExceedsMemTotal => "memavailable_exceeds_memtotal",
            Contradiction::RowImpossible => "row_impossible",
        }
    }
}

/// All contradictions among these rows.
pub fn contradictions(view: &View, rows: &Rows) -> Vec<Contradiction> {
    let exceeds = |a: Option<u64>, b: Option<u64>| a.zip(b).is_some_and(|(a, b)| a > b);
    let capacity = view.node_capacity;
    [
        (
            exceeds(view.inactive_file, view.usage),
            Contradiction::InactiveFileExceedsUsage,
        ),
        (
            exceeds(view.usage, capacity),
            Contradiction::UsageExceedsCapacity,
        ),
        (
            exceeds(view.inactive_file, capacity),
            Contradiction::InactiveFileExceedsTotal,
        ),
        (
            exceeds(rows.get("node:MemAvailable"), capacity),
            Contradiction::MemAvailableExceedsMemTotal,
        ),
        (rows.iter().any(is_impossible), Contradiction::RowImpossible),
    ]
    .into_iter()
    .filter_map(|(holds, what)| holds.then_some(what))
    .collect()
}

fn is_impossible((name, value): (&str, u64)) -> bool {
    // The kernel prints VmallocTotal and huge limits as large as this without being wrong.
    names::is_bytes(name) && !names::is_limit(name) && display::is_unlimited(value)
}
