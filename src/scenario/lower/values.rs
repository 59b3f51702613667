//! The names a value can have: formulas, the counters formulas read, the truth, and kernel rows.

use crate::formula;
use crate::rows::{ROWS, View, is_stat};
use crate::scenario::suggest;
use crate::truth;

/// Counters under one name for both cgroup versions, so that one expectation holds on v1 and v2:
/// `cache` is `total_cache` on v1 and `file` on v2. `anon_lru` is inactive_anon + active_anon: which
/// of the two lists holds anonymous memory depends on the reclaim order. `anon_or_unevictable_lru` has
/// the unevictable list too: where tmpfs is depends on whether it is mounted with noswap.
pub fn counters() -> impl Iterator<Item = &'static str> {
    View::NAMES
        .iter()
        .copied()
        .chain(["anon_lru", "anon_or_unevictable_lru"])
}

/// How often the container was restarted up to the moment.
const RESTARTS: &str = "restarts";

/// Rows of memory.stat that may be named without further ado, of v1 (where `total_` may stand before
/// them) and v2. Any other row is written `row:NAME`.
fn stat_rows() -> impl Iterator<Item = &'static str> {
    ROWS.iter()
        .flat_map(|row| row.v1.iter().chain(row.v2).copied())
        .filter(|name| is_stat(name) && !name.ends_with('*'))
}

/// Rows of a worker's `smaps_rollup` (4.14 and later), read at the end of each step: `smaps:LazyFree`
/// tells memory that was freed lazily from memory that is in use again, which memory.stat can't.
const SMAPS_ROWS: [&str; 8] = [
    "Rss",
    "Pss",
    "Private_Clean",
    "Private_Dirty",
    "Anonymous",
    "LazyFree",
    "AnonHugePages",
    "Swap",
];

/// Whether `name` can be the name of a value; if not, what may have been meant.
pub fn check(name: &str) -> Result<(), Option<String>> {
    if let Some(counter) = name.strip_prefix("truth:") {
        return match truth::COUNTERS.contains(&counter) {
            true => Ok(()),
            false => Err(suggest::help(
                counter,
                "the truth's counters are",
                &truth::COUNTERS,
            )),
        };
    }
    if let Some(row) = name.strip_prefix("smaps:") {
        return match SMAPS_ROWS.contains(&row) {
            true => Ok(()),
            false => Err(suggest::help(row, "rows of smaps_rollup are", &SMAPS_ROWS)),
        };
    }
    // A file's name, `file:key`, `proc:`, `node:` and `row:` say themselves that they are rows.
    if name.contains(['.', ':']) && !name.ends_with([':', '.']) {
        return Ok(());
    }
    let stat = name.strip_prefix("total_").unwrap_or(name);
    if name == RESTARTS
        || formula::by_name(name).is_some()
        || counters().any(|known| known == name)
        || stat_rows().any(|known| known == stat)
    {
        return Ok(());
    }
    let formulas = formula::FORMULAS.iter().map(|f| f.name);
    let known = formulas.chain(counters());
    let nearest = suggest::nearest(name, known.chain(stat_rows()));
    Err(Some(match nearest {
        Some(nearest) => format!("did you mean `{nearest}`?"),
        None => "a value is a formula, a row of memory.stat, `file:key`, `truth:NAME`, or \
                 `row:NAME` for any other row"
            .into(),
    }))
}
