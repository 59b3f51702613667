//! Sentences that follow from a reading, each with a stable code.

mod content;
mod doubt;
mod node;
pub mod printed;
mod process;
mod stall;
mod verdict;

use super::account::Account;
use super::parts::Parts;
use super::{Reading, consistency};
use crate::rows::View;

/// One sentence.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// Stable: API of `--format json`.
    pub code: &'static str,
    /// For people.
    pub sentence: String,
}

/// Everything the rules look at.
pub struct Facts<'a> {
    /// The reading.
    pub reading: &'a Reading,
    /// Its rows as formulas see them.
    pub view: View,
    /// What it is made of.
    pub parts: Parts,
    /// Its limit, where it has one.
    pub limit: Option<u64>,
    /// What contradicts itself in it.
    pub contradictions: Vec<consistency::Contradiction>,
    /// Least and most of each quantity.
    pub account: Account,
}

impl<'a> Facts<'a> {
    /// Looks at a reading; `settled` is what was set aside of it.
    pub fn of(reading: &'a Reading, settled: Vec<consistency::Contradiction>) -> Facts<'a> {
        let view = reading.view();
        let account = Account::of(reading);
        let mut contradictions = settled;
        contradictions.extend(consistency::contradictions(
            &view,
            &reading.rows,
            &account.clashes,
        ));
        Facts {
            reading,
            view,
            parts: Parts::of(reading),
            limit: reading.limit(),
            contradictions,
            account,
        }
    }

    /// Whether the numbers contradict each other, so that no other sentence can be trusted.
    pub fn is_inconsistent(&self) -> bool {
        self.contradictions.iter().any(|what| !what.settled)
    }
}

/// Every code there is. Codes are API: one may be added, none changes its meaning.
#[rustfmt::skip]
pub const CODES: &[&str] = &[
    "inconsistent", "clamped_to_zero", "usage_missing", "printed_only", "local_rows_only", "oom_killed",
    "oom_near", "near_limit", "swap_limit_hit", "memory_high_stall", "pressure", "limit_hit",
    "near_empty", "anon_heap", "lazy_free", "thp_hidden", "page_cache_inactive", "page_cache_active",
    "dirty_cache", "tmpfs", "slab", "socket_buffers", "kernel_memory", "unknown_kernel_memory",
    "swapped", "working_set_blind", "process_memory", "no_limit", "node_formulas", "cgroup_count",
    "leak_unknown",
];

/// A rule gives at most one sentence.
type Rule = fn(&Facts) -> Option<Finding>;

/// All rules, in the order their sentences are shown: doubts about the numbers first, then what
/// the memory is, then what it means.
const RULES: &[Rule] = &[
    doubt::inconsistent,
    doubt::clamped_to_zero,
    doubt::usage_missing,
    printed::printed_only,
    doubt::local_rows_only,
    verdict::oom_killed,
    verdict::oom_near,
    verdict::near_limit,
    verdict::swap_limit_hit,
    verdict::memory_high_stall,
    stall::pressure,
    verdict::limit_hit,
    content::near_empty,
    content::anon_heap,
    content::lazy_free,
    content::thp_hidden,
    |facts| content::plain(facts, "page_cache_inactive"),
    content::page_cache_active,
    |facts| content::plain(facts, "dirty_cache"),
    |facts| content::plain(facts, "tmpfs"),
    |facts| content::plain(facts, "slab"),
    |facts| content::plain(facts, "socket_buffers"),
    |facts| content::plain(facts, "kernel_memory"),
    content::unknown_kernel_memory,
    content::swapped,
    doubt::working_set_blind,
    process::process_memory,
    doubt::no_limit,
    node::node_formulas,
    node::cgroup_count,
    verdict::leak_unknown,
];

/// All sentences about a reading.
pub fn find(facts: &Facts) -> Vec<Finding> {
    RULES.iter().filter_map(|rule| rule(facts)).collect()
}

/// A size with its share of the usage.
fn sized(facts: &Facts, bytes: u64) -> String {
    let whole = if facts.parts.at_least {
        "what is given"
    } else {
        "usage"
    };
    // A machine's kernel objects stand beside its usage, which is of pages on lists.
    if bytes > facts.parts.total {
        return crate::units::bytes(bytes);
    }
    format!(
        "{} ({:.0} % of {whole})",
        crate::units::bytes(bytes),
        facts.parts.share(bytes)
    )
}
