//! Time lost waiting for memory.

use super::Facts;

/// Below this, percent of the time, nobody notices.
const FELT_PERCENT: f64 = 1.0;

/// memory.pressure is above nothing.
pub fn pressure(facts: &Facts) -> Option<String> {
    let of = |name: &str| {
        let found = facts.reading.pressure.iter().find(|(key, _)| key == name);
        found.map(|(_, percent)| *percent)
    };
    let longest = |kind: &str| {
        [
            ("avg10", "10 s"),
            ("avg60", "minute"),
            ("avg300", "five minutes"),
        ]
        .into_iter()
        .filter_map(|(key, span)| Some((of(&format!("{kind}.{key}"))?, span)))
        .max_by(|a, b| a.0.total_cmp(&b.0))
    };
    let (some, span) = longest("some").or_else(|| longest("full"))?;
    if some < FELT_PERCENT {
        return None;
    }
    let full = longest("full")
        .filter(|(full, _)| *full >= FELT_PERCENT)
        .map_or(String::new(), |(full, span)| {
            format!(", and all of them at once {full:.0} % of the last {span}")
        });
    Some(format!(
        "Processes waited for memory (reclaim, refaults of pages just dropped, swap) {some:.0} % of the last \
             {span}{full}. A cache too small for the files in use does that as well as a heap too large."
    ))
}
