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
use crate::units;

/// One sentence.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
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

/// Says one sentence about a reading, or nothing.
type Rule = fn(&Facts) -> Option<String>;

/// All codes and their rules, in the order their sentences are shown: doubts about the numbers first, then what
/// the memory is, then what it means. A code without a rule is a part of which the size says all. Codes are API: one
/// may be added, none changes its meaning.
pub const RULES: &[(&str, Option<Rule>)] = &[
    ("inconsistent", Some(doubt::inconsistent)),
    ("clamped_to_zero", Some(doubt::clamped_to_zero)),
    ("usage_missing", Some(doubt::usage_missing)),
    ("printed_only", Some(printed::printed_only)),
    ("local_rows_only", Some(doubt::local_rows_only)),
    ("oom_killed", Some(verdict::oom_killed)),
    ("oom_near", Some(verdict::oom_near)),
    ("near_limit", Some(verdict::near_limit)),
    ("swap_limit_hit", Some(verdict::swap_limit_hit)),
    ("memory_high_stall", Some(verdict::memory_high_stall)),
    ("pressure", Some(stall::pressure)),
    ("limit_hit", Some(verdict::limit_hit)),
    ("near_empty", Some(content::near_empty)),
    ("anon_heap", Some(content::anon_heap)),
    ("lazy_free", Some(content::lazy_free)),
    ("thp_hidden", Some(content::thp_hidden)),
    ("page_cache_inactive", None),
    ("page_cache_active", Some(content::page_cache_active)),
    ("dirty_cache", None),
    ("tmpfs", None),
    ("slab", None),
    ("socket_buffers", None),
    ("kernel_memory", None),
    (
        "unknown_kernel_memory",
        Some(content::unknown_kernel_memory),
    ),
    ("swapped", Some(content::swapped)),
    ("working_set_blind", Some(doubt::working_set_blind)),
    ("process_memory", Some(process::process_memory)),
    ("no_limit", Some(doubt::no_limit)),
    ("node_formulas", Some(node::node_formulas)),
    ("cgroup_count", Some(node::cgroup_count)),
    ("leak_unknown", Some(verdict::leak_unknown)),
];

/// All sentences about a reading.
pub fn find(facts: &Facts) -> Vec<Finding> {
    let found = RULES.iter().filter_map(|(code, rule)| {
        let sentence = match rule {
            Some(rule) => rule(facts)?,
            None => content::plain(facts, code)?,
        };
        Some(Finding { code, sentence })
    });
    found.collect()
}

/// A size with its share of the usage.
fn sized(facts: &Facts, bytes: u64) -> String {
    let whole = if facts.parts.at_least {
        "what is given"
    } else {
        "usage"
    };
    let (size, percent) = (units::bytes(bytes), facts.parts.share(bytes));
    // A machine's kernel objects stand beside its usage, which is of pages on lists.
    if bytes > facts.parts.total {
        size
    } else {
        format!("{size} ({percent:.0} % of {whole})")
    }
}
