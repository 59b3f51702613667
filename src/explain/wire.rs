//! `explain --format json`: names are API.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::Value;

use super::account::{ANYTHING, Quantity};
use super::answer::Answer;
use super::consistency::Contradiction;
use super::findings::Finding;
use super::parts::{Parts, Reclaimable};
use super::unknown::Unknown;
use super::{Explanation, Reading, Scope, names};
use crate::rows::UNLIMITED;

/// The document.
#[derive(Serialize)]
pub struct Document<'a> {
    /// The verdict: its code, one sentence, the next step.
    answer: &'a Answer,
    /// The least and the most of each quantity and formula that is bounded, bytes.
    bounds: BTreeMap<&'static str, Range>,
    /// All readings of the input, each with what it is.
    readings: Vec<ReadingOf<'a>>,
    contradictions: &'a [Contradiction],
    source: &'a str,
    label: &'a str,
    scope: Scope,
    /// `v1`, `v2`, or null where the rows fit both.
    cgroup: Option<String>,
    /// Bytes and counts by kernel name; an unlimited limit is `"max"`.
    rows: BTreeMap<&'a str, Value>,
    /// Each row in bytes as percent of the usage and of the limit.
    shares: BTreeMap<&'a str, Share>,
    /// The working set the source itself gave.
    working_set: Option<u64>,
    limit: Option<u64>,
    parts: &'a Parts,
    reclaimable: &'a Reclaimable,
    /// Bytes by name, null where a row is missing.
    formulas: BTreeMap<&'static str, Option<i64>>,
    /// The same from the least the usage can be, where no usage was given.
    at_least: BTreeMap<&'static str, i64>,
    printed: Vec<Printed<'a>>,
    reading: &'a [Finding],
    unknown: &'a [Unknown],
    notes: &'a [String],
    others: &'a [String],
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
struct Share {
    of_usage_percent: Option<f64>,
    of_limit_percent: Option<f64>,
}

#[derive(Serialize)]
struct Printed<'a> {
    formula: &'static str,
    tool: &'static str,
    text: &'a str,
}

impl<'a> From<&'a Explanation> for Document<'a> {
    fn from(explanation: &'a Explanation) -> Self {
        let reading = &explanation.reading;
        Document {
            answer: &explanation.answer,
            bounds: bounds(explanation),
            readings: explanation.readings.iter().map(ReadingOf::from).collect(),
            contradictions: &explanation.contradictions,
            source: reading.source,
            label: &reading.label,
            scope: reading.scope,
            cgroup: reading.cgroup().map(|version| version.to_string()),
            rows: rows(reading),
            shares: shares(explanation),
            working_set: reading.working_set,
            limit: explanation.limit,
            parts: &explanation.parts,
            reclaimable: &explanation.reclaimable,
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
            reading: &explanation.findings,
            unknown: &explanation.unknown,
            notes: &reading.notes,
            others: &explanation.others,
        }
    }
}

/// Rows by name, an unlimited limit as `"max"`.
fn rows(reading: &Reading) -> BTreeMap<&str, Value> {
    let value = |name: &str, value| match value {
        UNLIMITED if names::is_limit(name) => Value::from("max"),
        value => Value::from(value),
    };
    let rows = reading.rows.iter();
    rows.map(|(name, bytes)| (name, value(name, bytes)))
        .collect()
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
            rows: rows(reading),
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
    let quantities = Quantity::ALL.iter().filter_map(|quantity| {
        let bounds = explanation.account.get(*quantity);
        let range = Range {
            least: finite(bounds.least),
            most: finite(bounds.most),
        };
        bounds.is_known().then_some((quantity.name(), range))
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
    let all = explanation.formulas.iter();
    let printed = all.flat_map(|f| {
        f.printed.iter().map(|(tool, text)| Printed {
            formula: f.formula.name,
            tool,
            text,
        })
    });
    printed.collect()
}
