//! Formulas: what each consumer of container memory makes of the same rows.
//!
//! Pure functions of one [`View`]. A formula whose row is missing gives none, not a number, even
//! where its consumer would have taken the missing row for 0: what a tool would print for rows
//! nobody has read is a guess. All values are bytes.
//!
//! One file a family: [`cadvisor`], [`docker`], [`kubelet`], [`plain`] readings of one row,
//! [`programs`] that look at themselves, [`proposals`] of people who found the others wanting, and
//! memtide's own [`estimates`]. [`display`] holds the number formats of the tools.

pub mod cadvisor;
pub mod display;
pub mod docker;
pub mod estimates;
pub mod kubelet;
pub mod plain;
pub mod programs;
pub mod proposals;
pub mod reclaim;

use crate::rows::View;

/// One consumer's way of computing "memory used".
pub struct Formula {
    /// Its name: API, used in scenarios, JSON and exports.
    pub name: &'static str,
    /// The expression for people: `usage - inactive_file, not below 0`.
    pub expression: &'static str,
    /// What its value claims to be.
    pub kind: Kind,
    /// Who computes it so.
    pub used_by: &'static str,
    /// Bytes, or none where a row is missing. Signed: some formulas may be below zero.
    pub eval: fn(&View) -> Option<i64>,
    /// The tools that print it, each with its own way to write a number.
    pub tools: &'static [Tool],
}

/// What a formula's value claims to be. Only [`Kind::Used`] can be off from what a program holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Memory used by the container.
    Used,
    /// An estimate of one kind of memory.
    Part,
    /// What a node has left.
    Available,
    /// A node's root cgroup.
    Node,
}

/// A tool that prints a formula's value.
pub struct Tool {
    /// The command, metric or field (`docker stats`, `container_memory_rss`).
    pub name: &'static str,
    /// What it prints for a value in bytes; the view gives the limit it prints beside.
    pub print: fn(i64, &View) -> String,
}

const fn tool(name: &'static str, print: fn(i64, &View) -> String) -> Tool {
    Tool { name, print }
}

impl Formula {
    /// What each tool prints for these rows: (tool, text). Empty where a row is missing.
    pub fn display(&self, view: &View) -> Vec<(&'static str, String)> {
        let Some(value) = (self.eval)(view) else {
            return Vec::new();
        };
        self.tools
            .iter()
            .map(|tool| (tool.name, (tool.print)(value, view)))
            .collect()
    }
}

/// All formulas, in the order they are shown.
pub const FORMULAS: &[Formula] = &[
    cadvisor::WORKING_SET,
    cadvisor::WORKING_SET_2016,
    docker::STATS,
    docker::CLI_17_06,
    plain::USAGE,
    programs::USAGE_MINUS_FILE_LRU,
    plain::RSS,
    proposals::MAX_WORKING_SET_RSS,
    proposals::WORKING_SET_MINUS_MAPPED,
    proposals::RSS_PLUS_MAPPED,
    proposals::WORKING_SET_MINUS_SLAB,
    programs::ANON_SOCK_KERNEL,
    estimates::LAZYFREE,
    estimates::THP_HIDDEN,
    kubelet::MEMORY_AVAILABLE,
    kubelet::TOP,
    cadvisor::NODE_ROOT_USAGE,
    cadvisor::NODE_ROOT_WORKING_SET,
];

/// The formula of that name.
pub fn by_name(name: &str) -> Option<&'static Formula> {
    FORMULAS.iter().find(|f| f.name == name)
}

/// A sum that may be below zero, or none where it does not fit: no memory is that large, and a
/// wrapped number would be worse than none.
fn signed(value: i128) -> Option<i64> {
    i64::try_from(value).ok()
}

/// The same, not below zero.
fn clamped(value: i128) -> Option<i64> {
    signed(value.max(0))
}

#[cfg(test)]
mod tests;
