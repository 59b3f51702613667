//! Whether the numbers can be trusted, and what they hide.

use super::Facts;
use crate::explain::said::Said;
use crate::explain::{Scope, derive, names};
use crate::formula::cadvisor;
use crate::rows::CgroupVersion;
use crate::units;

/// Numbers that cannot all be true.
pub fn inconsistent(facts: &Facts) -> Option<String> {
    if facts.contradictions.is_empty() {
        return None;
    }
    let found = facts.contradictions.iter();
    let sentences: Vec<&str> = found.map(|what| what.sentence.as_str()).collect();
    let end = if facts.is_inconsistent() {
        " Nothing computed from these numbers means anything."
    } else {
        " The rows that are another's are set aside."
    };
    Some(sentences.join(" ") + end)
}

/// working_set 0 because of the clamp.
pub fn clamped_to_zero(facts: &Facts) -> Option<String> {
    let computed = derive::working_set(&facts.view);
    let zero = computed.map_or(facts.reading.working_set == Some(0), |ws| ws == 0);
    let most = facts.view.usage.or(facts.view.node_capacity);
    let used = most.is_some_and(|usage| usage > 0);
    (zero && used).then(|| {
        "working_set reads 0 because inactive_file is not below usage; that is where the formula \
                   stops, not a measurement, and says nothing about health."
            .into()
    })
}

/// Usage was not among the numbers.
pub fn usage_missing(facts: &Facts) -> Option<String> {
    let parts = &facts.parts;
    let of_node = facts.reading.scope == Scope::Node;
    let no_node = of_node && facts.view.node_capacity.is_none();
    if !parts.at_least || facts.reading.source == "metrics page" || no_node {
        return None;
    }
    let from = if facts.reading.working_set == Some(parts.total) {
        " It is at least @, the working set."
    } else {
        " It is at least @, the sum of the parts that are."
    };
    let bound = Some(parts.total).filter(|total| *total > 0).said(from);
    let what = match facts.reading.scope {
        Scope::Cgroup => "The usage is not given, so every formula that starts from it gives none.",
        Scope::Node => "MemFree and AnonPages are not given, so the node's usage is not known.",
    };
    Some(format!("{what}{bound}"))
}

/// v1 rows without their `total_` twins.
pub fn local_rows_only(facts: &Facts) -> Option<String> {
    let rows = &facts.reading.rows;
    // Rows that only a whole memory.stat has: tools list a few under the same names.
    let local = ["pgpgin", "inactive_anon", "unevictable"]
        .iter()
        .any(|name| rows.get(name).is_some());
    let total = rows.iter().any(|(name, _)| names::is_total(name));
    let kernel_file =
        facts.reading.source == "kernel files" || facts.reading.source == "live cgroup";
    let is_v1 = facts.reading.version == Some(CgroupVersion::V1);
    (is_v1 && local && !total && kernel_file).then(|| {
        "Only the local rows of memory.stat are there, not the total_ ones: cgroups below this one \
                   (a pod's containers) are in usage but not in these rows."
            .into()
    })
}

/// The working set is far below what the processes hold.
pub fn working_set_blind(facts: &Facts) -> Option<String> {
    let working_set = cadvisor::working_set(&facts.view)?.max(0) as u64;
    let rss = facts.view.rss?;
    // Lazily freed memory is the only way for rss to be above working_set.
    let hidden = rss.saturating_sub(working_set);
    let much = facts.parts.matters(hidden, 10);
    let [working_set, hidden, rss] = [working_set, hidden, rss].map(units::bytes);
    (much && !facts.is_inconsistent()).then(|| format!(
            "working_set ({working_set}) leaves out {hidden} that processes still have mapped (rss {rss}). If that was written \
             again it is in use, so take max(working_set, rss) as the safe reading."
        ))
}

/// No limit of its own.
pub fn no_limit(facts: &Facts) -> Option<String> {
    // A limit row that was read and says "none" is a fact; a missing one is not.
    let read = facts.view.limit.is_some() && facts.limit.is_none();
    (read && facts.reading.scope == Scope::Cgroup).then(|| {
        "There is no memory limit here: page cache may grow until the machine or a cgroup above is \
                   full, and a growing usage means nothing by itself."
            .into()
    })
}
