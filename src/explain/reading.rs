//! One reading of one cgroup or node, whatever it was pasted from.

use super::kinds::{Killed, Oom, Process, Runtime, What};
use super::{derive, meminfo, names, number, owner};
use crate::rows::{CgroupVersion, Row, Rows, View, is_unlimited};

/// What the numbers are about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Scope {
    /// One cgroup: a container, a pod, a service.
    #[default]
    Cgroup,
    /// A whole machine, from /proc/meminfo.
    Node,
}

/// One reading.
#[derive(Debug, Clone, Default)]
pub struct Reading {
    /// What it is, for people: a path, a container's name, "OOM report 2 of 3".
    pub label: String,
    /// The kind of input it came from.
    pub source: &'static str,
    /// What it is about.
    pub scope: Scope,
    /// Whose row names these are; none where they fit both.
    pub version: Option<CgroupVersion>,
    /// The version of the host where that is not whose names the rows have: OOM reports of kernels
    /// 5.3 to 6.6 on cgroup v1 print v2's names.
    pub host: Option<CgroupVersion>,
    /// The rows, bytes and counts, by kernel name where there is one.
    pub rows: Rows,
    /// The working set as the source itself computed it.
    pub working_set: Option<u64>,
    /// Stall shares in percent, by `full.avg300` and so on.
    pub pressure: Vec<(String, f64)>,
    /// Who was killed, in an OOM report.
    pub killed: Option<Killed>,
    /// Container, pod and cgroup path, as far as the source names them.
    pub container: Option<String>,
    /// The pod's name.
    pub pod: Option<String>,
    /// The cgroup's path.
    pub path: Option<String>,
    /// What had to be assumed, in sentences.
    pub notes: Vec<String>,
    /// What it is, where it is more than rows.
    pub what: What,
    /// The instant it is of, in seconds of the source's own clock.
    pub at: Option<f64>,
    /// Rows that cannot be of the same owner as the others, taken out of `rows`.
    pub set_aside: Vec<(String, u64)>,
}

impl Reading {
    /// Rows of a cgroup without a name.
    pub fn of(source: &'static str) -> Reading {
        Reading::told(source, "", What::Memory)
    }

    /// What a source tells that is more than rows.
    pub fn told(source: &'static str, label: impl Into<String>, what: What) -> Reading {
        Reading {
            source,
            label: label.into(),
            what,
            ..Reading::default()
        }
    }

    /// A machine's, by a source.
    pub fn machine(source: &'static str, label: impl Into<String>) -> Reading {
        Reading {
            scope: Scope::Node,
            ..Reading::told(source, label, What::Memory)
        }
    }

    /// Whether nothing was read.
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
            && self.working_set.is_none()
            && self.pressure.is_empty()
            && self.what == What::Memory
    }

    /// The facts of a kill, if it is one.
    pub fn oom(&self) -> Option<&Oom> {
        match &self.what {
            What::Kill(oom) => Some(oom),
            _ => None,
        }
    }

    /// A row of the machine's, by its name in /proc/meminfo.
    pub fn node(&self, row: &str) -> Option<u64> {
        self.rows.get(&format!("node:{row}"))
    }

    /// Memory and swap together and their limit, where that is reached and is not memory's own.
    pub fn swap_limit_reached(&self) -> Option<(u64, u64)> {
        let limit = self.rows.get("memory.memsw.limit_in_bytes");
        let limit = limit.filter(|limit| *limit > 0 && !is_unlimited(*limit))?;
        let usage = self.rows.get("memory.memsw.usage_in_bytes")?;
        // Where no swap is allowed the two limits are one.
        let apart = self.limit().is_none_or(|memory| memory < limit);
        (apart && number::reaches(usage, limit, 99)).then_some((usage, limit))
    }

    /// The number that it is about: what is used, or what a tool showed for that.
    pub fn value(&self) -> Option<u64> {
        let shown = self.rows.get("shown");
        self.view().usage.or(self.working_set).or(shown)
    }

    /// Whether it is of what is charged to a cgroup, in rows.
    pub fn is_charged(&self) -> bool {
        self.scope == Scope::Cgroup && self.what == What::Memory
    }

    /// The percent of what a node's pods may have, where it is above that.
    pub fn above_allocatable(&self) -> Option<u64> {
        let percent = self.rows.get("shown_percent");
        percent.filter(|percent| *percent > 100)
    }

    /// The processes that it lists.
    pub fn processes(&self) -> Option<&[Process]> {
        match &self.what {
            What::Processes(list) => Some(list),
            _ => None,
        }
    }

    /// The account of a runtime.
    pub fn runtime(&self) -> Option<&Runtime> {
        match &self.what {
            What::Runtime(runtime) => Some(runtime),
            _ => None,
        }
    }

    /// Whose numbers they are.
    pub fn owner(&self) -> owner::Owner {
        owner::of(self)
    }

    /// Takes rows out that cannot be trusted beside the others.
    pub fn put_aside(&mut self, distrusted: impl Fn(&str) -> bool) {
        let (aside, kept): (Vec<_>, Vec<_>) = self
            .rows
            .iter()
            .map(|(name, value)| (name.to_string(), value))
            .partition(|(name, _)| distrusted(name));
        self.rows = kept.into_iter().collect();
        self.set_aside.extend(aside);
    }

    /// Takes those of the rows that it lacks.
    pub fn take_missing<'a>(&mut self, rows: impl Iterator<Item = (&'a str, u64)>) {
        for (name, value) in rows {
            if self.rows.get(name).is_none() {
                self.rows.set(name, value);
            }
        }
    }

    /// The version of cgroups it is of, as far as the source tells.
    pub fn cgroup(&self) -> Option<CgroupVersion> {
        self.host
            .or(self.version)
            .filter(|_| self.scope == Scope::Cgroup)
    }

    /// Takes the version and the scope from the names of the rows.
    pub fn recognise(&mut self) {
        let cgroup = |name: &str| !name.contains(':') || name.starts_with("memory.");
        if !self.rows.iter().any(|(name, _)| cgroup(name))
            && self
                .rows
                .iter()
                .any(|(name, _)| name.starts_with("node:") || name.starts_with("cgroups:"))
            && self.working_set.is_none()
        {
            self.scope = Scope::Node;
            return;
        }
        if self.version.is_none() {
            self.version = recognised(&self.rows);
        }
    }

    /// The counters formulas read. What the rows imply is filled in, nothing is guessed.
    pub fn view(&self) -> View {
        let get = |name: &str| self.rows.get(name);
        let view = match self.scope {
            Scope::Node => {
                let view = meminfo::view(&self.rows, meminfo::NodeUsage::AnonPlusFile);
                let older = meminfo::view(&self.rows, meminfo::NodeUsage::TotalMinusFree);
                View {
                    usage: view.usage.or(older.usage),
                    ..view
                }
            }
            // v1's local names are what tools that name no version use.
            Scope::Cgroup => self.rows.view(self.version.unwrap_or(CgroupVersion::V1)),
        };
        let usage = view.usage.or_else(|| get("usage"));
        // working_set is usage less inactive_file unless it was clamped to 0.
        let implied = usage
            .zip(self.working_set.filter(|ws| *ws > 0))
            .and_then(|(usage, ws)| usage.checked_sub(ws));
        derive::complete(View {
            usage,
            // The cgroup's own limit, what the source says, and v1's row for all ancestors.
            limit: [view.limit, get("limit"), get("hierarchical_memory_limit")]
                .into_iter()
                .flatten()
                .min(),
            kernel: view
                .kernel
                .or_else(|| get("kernel"))
                .or_else(|| get("memory.kmem.usage_in_bytes"))
                .or_else(|| derive::kernel_parts(&self.rows)),
            inactive_file: view.inactive_file.or(implied),
            node_capacity: view.node_capacity.or_else(|| get("node:MemTotal")),
            ..view
        })
    }

    /// The limit in bytes, or none where there is none below the machine's memory.
    pub fn limit(&self) -> Option<u64> {
        let view = self.view();
        view.limit
            .filter(|limit| !is_unlimited(*limit))
            .filter(|limit| view.node_capacity.is_none_or(|capacity| *limit < capacity))
    }

    /// Whether it is v1's root cgroup, whose usage is of pages only: kernel memory stands beside it.
    fn is_v1_root(&self) -> bool {
        let path = self.path.as_deref().map(|path| path.trim_end_matches('/'));
        self.version == Some(CgroupVersion::V1)
            && path.is_some_and(|path| path.is_empty() || path == "/sys/fs/cgroup/memory")
    }

    /// Kernel memory that is a part of the usage, bytes.
    pub fn kernel_in_usage(&self) -> Option<u64> {
        self.view().kernel.filter(|_| !self.is_v1_root())
    }

    /// Whether pages are in swap or its cache, so that lists and `anon` differ for that reason too.
    pub fn has_swap(&self) -> bool {
        let aside = self
            .set_aside
            .iter()
            .any(|(name, value)| name == "swapcached" && *value > 0);
        let both = self
            .rows
            .get("memory.memsw.usage_in_bytes")
            .zip(self.view().usage);
        let rows = [self.rows.get("swapcached"), self.in_swap()];
        aside
            || rows.into_iter().flatten().any(|swap| swap > 0)
            || both.is_some_and(|(both, usage)| both > usage)
    }

    /// What of it is in swap, bytes.
    pub fn in_swap(&self) -> Option<u64> {
        SWAP.of_either(|name| self.rows.get(name))
    }

    /// Whether there is no room in swap, as far as the rows tell.
    pub fn swap_is_full(&self) -> bool {
        let at_limit = |usage: &str, limit: &str| {
            let limit = self.rows.get(limit);
            let limit = limit.filter(|limit| !is_unlimited(*limit));
            let of = self.rows.get(usage).zip(limit);
            of.is_some_and(|(usage, limit)| number::reaches(usage, limit, 99))
        };
        at_limit("memory.memsw.usage_in_bytes", "memory.memsw.limit_in_bytes")
            || at_limit("memory.swap.current", "memory.swap.max")
            || self.rows.get("node:SwapFree") == Some(0)
    }

    /// How often a counter of verdicts was raised, by any of its names.
    pub fn count(&self, names: &[&str]) -> Option<u64> {
        names.iter().filter_map(|name| self.rows.get(name)).max()
    }
}

/// Names that only v1's kernels give, of those that readers of other forms do not use for theirs.
const V1: [&str; 8] = [
    "rss",
    "cache",
    "rss_huge",
    "mapped_file",
    "hierarchical_memory_limit",
    "memory.usage_in_bytes",
    "memory.limit_in_bytes",
    "memory.kmem.usage_in_bytes",
];

/// Names that only v2's kernels give, likewise.
const V2: [&str; 14] = [
    "anon",
    "file",
    "kernel",
    "kernel_stack",
    "sock",
    "slab",
    "slab_reclaimable",
    "file_mapped",
    "anon_thp",
    "memory.current",
    "memory.max",
    "memory.peak",
    "memory.events:high",
    "memory.events:max",
];

const SWAP: &Row = Row::named("swap");

/// The version whose names are among the rows.
fn recognised(rows: &Rows) -> Option<CgroupVersion> {
    let among = |known: &[&str]| known.iter().filter(|name| rows.get(name).is_some()).count();
    let totals = rows
        .iter()
        .filter(|(name, _)| names::is_total(name))
        .count();
    // `usage` beside `rss` and `cache` is how tools list them, for either version.
    let of_tools = if rows.get("usage").is_some() {
        ["rss", "cache", "mapped_file", "kernel"]
            .iter()
            .filter(|name| rows.get(name).is_some())
            .count()
    } else {
        0
    };
    let v1 = among(&V1) + totals;
    if v1 + among(&V2) == of_tools {
        return None;
    }
    match (v1, among(&V2)) {
        (0, 0) => None,
        (v1, v2) if v1 >= v2 => Some(CgroupVersion::V1),
        _ => Some(CgroupVersion::V2),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_tells_a_version_is_a_row_of_that_version_alone() {
        for (known, version) in [(&V1[..], CgroupVersion::V1), (&V2[..], CgroupVersion::V2)] {
            for name in known {
                let has = |version| Row::of(name).is_some_and(|r| r.names(version).contains(name));
                let on = [CgroupVersion::V1, CgroupVersion::V2].map(has);
                assert_eq!(
                    on,
                    [version == CgroupVersion::V1, version == CgroupVersion::V2],
                    "{name}"
                );
            }
        }
    }
}
