//! What a node's numbers say that a container's do not.

use super::Facts;
use crate::explain::meminfo::{NodeUsage, view};
use crate::explain::{Reading, Scope};
use crate::formula::cadvisor;
use crate::units;

/// The two usages of the root cgroup, and what the kernel itself calls available.
pub fn node_formulas(facts: &Facts) -> Option<String> {
    if facts.reading.scope != Scope::Node || facts.is_inconsistent() {
        return None;
    }
    let sentences = [usages(facts.reading), available(facts)];
    let found: Vec<String> = sentences.into_iter().flatten().collect();
    (!found.is_empty()).then(|| found.join(" "))
}

fn usages(reading: &Reading) -> Option<String> {
    let by_lru = cadvisor::working_set(&view(&reading.rows, NodeUsage::AnonPlusFile))?;
    let by_free = cadvisor::working_set(&view(&reading.rows, NodeUsage::TotalMinusFree))?;
    let get = |row: &str| reading.node(row).unwrap_or(0);
    let huge = get("HugePages_Total").saturating_mul(get("Hugepagesize"));
    let between = i64::try_from(huge).map_or(by_free - by_lru, |huge| by_free - by_lru - huge);
    let huge = match huge {
        0 => String::new(),
        huge => format!("{} of reserved huge pages and ", units::bytes(huge)),
    };
    let [by_lru, by_free, rest] = [by_lru, by_free, between.max(0)].map(units::signed_bytes);
    Some(format!(
        "The node's working set is {by_lru} if usage is AnonPages plus page cache (cgroup v1, and v2 from runc 1.1.8 on) \
         and {by_free} if it is MemTotal - MemFree (v2 with runc 1.1.7 and earlier): between them are {huge}{rest} of kernel memory."
    ))
}

fn available(facts: &Facts) -> Option<String> {
    let total = i64::try_from(facts.view.node_capacity?).ok()?;
    let kernel = i64::try_from(facts.reading.node("MemAvailable")?).ok()?;
    let kubelet = total - cadvisor::working_set(&facts.view)?;
    let [kernel, kubelet] = [kernel, kubelet].map(units::signed_bytes);
    Some(format!(
        "The kernel counts {kernel} as available (MemAvailable), the kubelet {kubelet}: it takes the active page cache for used."
    ))
}

/// How many memory cgroups the kernel keeps.
pub fn cgroup_count(facts: &Facts) -> Option<String> {
    let count = facts.reading.rows.get("cgroups:memory")?;
    Some(format!(
        "The kernel keeps {count} memory cgroups, removed ones included: a removed cgroup lives on as long as a \
             page charged to it does (page cache, tmpfs, dentries). If the number does not go back after a container \
             ended, that is why."
    ))
}
