//! How much the kernel got for its trouble when it reclaimed.

/// Pages given back per hundred pages looked at; none where nothing was scanned.
///
/// `pgsteal` over `pgscan` of memory.stat (v2). A healthy cache gives 90 and more. A few percent
/// while `memory.events:high` climbs is a container that is stalled below its limit without ever
/// being killed: there is next to nothing left to reclaim.
pub fn efficiency_percent(pgscan: f64, pgsteal: f64) -> Option<f64> {
    (pgscan > 0.0 && pgsteal >= 0.0).then(|| pgsteal / pgscan * 100.0)
}

#[cfg(test)]
mod tests {
    use super::efficiency_percent;

    #[test]
    fn nothing_scanned_has_no_efficiency_and_nothing_given_back_has_none_of_it() {
        assert_eq!(efficiency_percent(200.0, 6.0), Some(3.0));
        assert_eq!(efficiency_percent(200.0, 0.0), Some(0.0));
        for (scanned, given) in [(0.0, 0.0), (0.0, 5.0), (200.0, -1.0)] {
            assert_eq!(
                efficiency_percent(scanned, given),
                None,
                "{scanned} {given}"
            );
        }
    }
}
