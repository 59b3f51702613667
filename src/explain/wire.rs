//! `explain --format json`: names are API.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::Value;

use super::account::{ANYTHING, QUANTITIES};
use super::{Explanation, Reading, Scope, names};
use crate::rows::UNLIMITED;

/// The document.
#[derive(Serialize)]
pub struct Document<'a> {
    /// The verdict: its code, one sentence, the next step.
    answer: AnswerOf<'a>,
    /// The least and the most of each quantity and formula that is bounded, bytes.
    bounds: BTreeMap<&'static str, Range>,
    /// All readings of the input, each with what it is.
    readings: Vec<ReadingOf<'a>>,
    contradictions: Vec<Clash<'a>>,
    source: &'a str,
    label: &'a str,
    scope: &'static str,
    /// `v1`, `v2`, or null where the rows fit both.
    cgroup: Option<String>,
    /// Bytes and counts by kernel name; an unlimited limit is `"max"`.
    rows: BTreeMap<&'a str, Value>,
    /// Each row in bytes as percent of the usage and of the limit.
    shares: BTreeMap<&'a str, Share>,
    /// The working set the source itself gave.
    working_set: Option<u64>,
    limit: Option<u64>,
    parts: Parts,
    reclaimable: Reclaimable,
    /// Bytes by name, null where a row is missing.
    formulas: BTreeMap<&'static str, Option<i64>>,
    /// The same from the least the usage can be, where no usage was given.
    at_least: BTreeMap<&'static str, i64>,
    printed: Vec<Printed<'a>>,
    reading: Vec<Sentence<'a>>,
    unknown: Vec<Open<'a>>,
    notes: &'a [String],
    others: &'a [String],
}

#[derive(Serialize)]
struct AnswerOf<'a> {
    code: &'static str,
    sentence: &'a str,
    next: &'a str,
}

#[derive(Serialize)]
struct Range {
    least: Option<i64>,
    most: Option<i64>,
}

#[derive(Serialize)]
struct ReadingOf<'a> {
    label: &'a str,
    source: &'a str,
    owner: &'static str,
    /// Seconds of the source's own clock.
    at: Option<f64>,
    unit: &'static str,
    working_set: Option<u64>,
    limit: Option<u64>,
    rows: BTreeMap<&'a str, Value>,
    /// Rows that are another owner's.
    set_aside: BTreeMap<&'a str, u64>,
}

#[derive(Serialize)]
struct Clash<'a> {
    name: &'static str,
    between: &'a [&'static str],
    sentence: &'a str,
    settled: bool,
}

#[derive(Serialize)]
struct Share {
    of_usage_percent: Option<f64>,
    of_limit_percent: Option<f64>,
}

#[derive(Serialize)]
struct Parts {
    total: u64,
    total_is_lower_bound: bool,
    anon: Option<u64>,
    lazy_free: u64,
    page_cache_inactive: Option<u64>,
    page_cache_active: Option<u64>,
    tmpfs: Option<u64>,
    thp_hidden: u64,
    kernel: Option<u64>,
    sock: Option<u64>,
    unexplained: Option<u64>,
}

#[derive(Serialize)]
struct Reclaimable {
    at_once: u64,
    after_writing: u64,
    lazy_free: u64,
    slab: u64,
    with_swap_only: u64,
    never: u64,
}

#[derive(Serialize)]
struct Printed<'a> {
    formula: &'static str,
    tool: &'static str,
    text: &'a str,
}

#[derive(Serialize)]
struct Sentence<'a> {
    code: &'static str,
    sentence: &'a str,
}

#[derive(Serialize)]
struct Open<'a> {
    what: &'static str,
    command: &'a str,
}

impl<'a> From<&'a Explanation> for Document<'a> {
    fn from(explanation: &'a Explanation) -> Self {
        let reading = &explanation.reading;
        let answer = &explanation.answer;
        Document {
            answer: AnswerOf {
                code: answer.code,
                sentence: &answer.sentence,
                next: &answer.next,
            },
            bounds: bounds(explanation),
            readings: explanation.readings.iter().map(ReadingOf::from).collect(),
            contradictions: explanation
                .contradictions
                .iter()
                .map(|what| Clash {
                    name: what.name,
                    between: &what.between,
                    sentence: &what.sentence,
                    settled: what.settled,
                })
                .collect(),
            source: reading.source,
            label: &reading.label,
            scope: match reading.scope {
                Scope::Cgroup => "cgroup",
                Scope::Node => "node",
            },
            cgroup: reading.cgroup().map(|version| version.to_string()),
            rows: reading
                .rows
                .iter()
                .map(|(name, v)| (name, value(name, v)))
                .collect(),
            shares: shares(explanation),
            working_set: reading.working_set,
            limit: explanation.limit,
            parts: Parts::from(&explanation.parts),
            reclaimable: Reclaimable::from(&explanation.reclaimable),
            formulas: explanation
                .formulas
                .iter()
                .map(|f| (f.formula.name, f.value))
                .collect(),
            at_least: explanation
                .formulas
                .iter()
                .filter_map(|f| Some((f.formula.name, f.at_least?)))
                .collect(),
            printed: printed(explanation),
            reading: explanation
                .findings
                .iter()
                .map(|f| Sentence {
                    code: f.code,
                    sentence: &f.sentence,
                })
                .collect(),
            unknown: explanation
                .unknown
                .iter()
                .map(|u| Open {
                    what: u.what,
                    command: &u.command,
                })
                .collect(),
            notes: &reading.notes,
            others: &explanation.others,
        }
    }
}

fn value(name: &str, value: u64) -> Value {
    match value {
        UNLIMITED if names::is_limit(name) => Value::from("max"),
        value => Value::from(value),
    }
}

impl<'a> From<&'a Reading> for ReadingOf<'a> {
    fn from(reading: &'a Reading) -> Self {
        ReadingOf {
            label: &reading.label,
            source: reading.source,
            owner: reading.owner().name(),
            at: reading.at,
            unit: "bytes",
            working_set: reading.working_set,
            limit: reading.limit(),
            rows: reading
                .rows
                .iter()
                .map(|(name, v)| (name, value(name, v)))
                .collect(),
            set_aside: reading
                .set_aside
                .iter()
                .map(|(name, v)| (name.as_str(), *v))
                .collect(),
        }
    }
}

/// Of quantities what the account knows, of formulas what follows from it. A formula of the same
/// name as a quantity is that quantity. Nothing where the numbers contradict each other.
fn bounds(explanation: &Explanation) -> BTreeMap<&'static str, Range> {
    if explanation.contradictions.iter().any(|what| !what.settled) {
        return BTreeMap::new();
    }
    let finite = |n: u64| (n < ANYTHING).then(|| i64::try_from(n).ok()).flatten();
    let formulas = explanation.formulas.iter().filter_map(|f| {
        let (least, most) = f.bounds?;
        Some((f.formula.name, Range { least, most }))
    });
    let quantities = QUANTITIES.iter().filter_map(|(quantity, name)| {
        let bounds = explanation.account.get(*quantity);
        let range = Range {
            least: finite(bounds.least),
            most: finite(bounds.most),
        };
        bounds.is_known().then_some((*name, range))
    });
    formulas.chain(quantities).collect()
}

fn shares(explanation: &Explanation) -> BTreeMap<&str, Share> {
    let doubtful = explanation.contradictions.iter().any(|what| !what.settled);
    let percent = |part: u64, whole: u64| {
        // Two decimals: more would be noise of the per-CPU batches, which can also take a part a
        // little above its whole.
        let share = (part as f64 / whole as f64 * 10_000.0).round() / 100.0;
        (whole > 0).then(|| if doubtful { share } else { share.min(100.0) })
    };
    let rows = explanation.reading.rows.iter();
    // What is not in use is no share of what is.
    const NOT_USED: [&str; 5] = [
        "node:MemTotal",
        "node:MemFree",
        "node:MemAvailable",
        "node:SwapTotal",
        "node:SwapFree",
    ];
    rows.filter(|(name, _)| names::is_bytes(name) && !names::is_limit(name))
        .filter(|(name, _)| !NOT_USED.contains(name))
        .map(|(name, bytes)| {
            let share = Share {
                of_usage_percent: percent(bytes, explanation.parts.total).filter(|share| {
                    names::is_part(name)
                        || *share < 100.0
                        || name.contains("usage")
                        || name == "memory.current"
                }),
                of_limit_percent: explanation.limit.and_then(|limit| percent(bytes, limit)),
            };
            (name, share)
        })
        .collect()
}

fn printed(explanation: &Explanation) -> Vec<Printed<'_>> {
    let of = |f: &'_ super::explanation::Evaluated| f.formula.name;
    explanation
        .formulas
        .iter()
        .flat_map(|f| {
            f.printed
                .iter()
                .map(move |(tool, text)| (of(f), tool, text))
        })
        .map(|(formula, tool, text)| Printed {
            formula,
            tool,
            text,
        })
        .collect()
}

impl From<&super::parts::Parts> for Parts {
    fn from(parts: &super::parts::Parts) -> Self {
        Parts {
            total: parts.total,
            total_is_lower_bound: parts.at_least,
            anon: parts.anon,
            lazy_free: parts.lazy_free,
            page_cache_inactive: parts.cache_inactive,
            page_cache_active: parts.cache_active,
            tmpfs: parts.shmem,
            thp_hidden: parts.thp_hidden,
            kernel: parts.kernel,
            sock: parts.sock,
            unexplained: parts.unexplained,
        }
    }
}

impl From<&super::parts::Reclaimable> for Reclaimable {
    fn from(back: &super::parts::Reclaimable) -> Self {
        Reclaimable {
            at_once: back.at_once,
            after_writing: back.after_writing,
            lazy_free: back.lazy_free,
            slab: back.slab,
            with_swap_only: back.with_swap,
            never: back.never,
        }
    }
}
