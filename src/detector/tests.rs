//! What must hold of every built-in detector, whatever it is made of.

use proptest::prelude::*;

use super::testing::first_fire;
use super::{BUILT_IN, BuiltIn};
use crate::export::Metric;

const LIMIT: f64 = 1e9;

/// A container whose memory is all anonymous, a scrape every 15 s.
fn anonymous(
    n: usize,
    share: impl Fn(f64) -> f64,
) -> impl Iterator<Item = (f64, Vec<(Metric, f64)>)> {
    (0..n).map(move |i| {
        let t = i as f64 * 15.0;
        let bytes = share(t) * LIMIT;
        let values = vec![
            (Metric::Usage, bytes),
            (Metric::WorkingSet, bytes),
            (Metric::Rss, bytes),
            (Metric::Cache, 0.0),
            (Metric::ActiveFile, 0.0),
            (Metric::InactiveFile, 0.0),
            (Metric::PressureStalled, 0.0),
            (Metric::SpecLimit, LIMIT),
        ];
        (t, values)
    })
}

fn fires(one: &BuiltIn, n: usize, share: impl Fn(f64) -> f64) -> Option<f64> {
    first_fire(&mut *(one.new)(), anonymous(n, share))
}

fn by_trend() -> impl Iterator<Item = &'static BuiltIn> {
    BUILT_IN
        .iter()
        .filter(|one| one.reads != [Metric::PressureStalled])
}

#[test]
fn a_level_that_never_moves_is_no_reason() {
    for one in &BUILT_IN {
        assert_eq!(fires(one, 2000, |_| 0.5), None, "{}", one.name);
        assert_eq!(fires(one, 2000, |_| 0.0), None, "{}", one.name);
    }
}

#[test]
fn a_rise_to_the_limit_is_seen_before_it_is_there() {
    // The limit after two hours; what waits five minutes at 80 % has time for it.
    let share = |t: f64| 0.1 + 0.9 * t / 7200.0;
    for one in by_trend() {
        let at = fires(one, 480, share);
        assert!(at.is_some_and(|t| t < 7200.0), "{}: {at:?}", one.name);
    }
}

#[test]
fn a_fall_is_no_reason() {
    for one in BUILT_IN
        .iter()
        .filter(|one| !one.name.ends_with("threshold") && one.name != "max-ws-rss")
    {
        assert_eq!(
            fires(one, 1000, |t| 0.79 - 0.7 * t / 15_000.0),
            None,
            "{}",
            one.name
        );
    }
}

fn value() -> impl Strategy<Value = f64> {
    prop_oneof![
        0.0..2e9f64,
        any::<f64>(),
        Just(f64::NAN),
        Just(f64::INFINITY),
        Just(0.0),
        Just(-1.0),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 32, ..ProptestConfig::default() })]
    /// Whatever comes, an answer comes: no panic, no endless loop.
    #[test]
    fn any_values_at_any_times_are_taken(
        scrapes in proptest::collection::vec((0.0..600.0f64, proptest::collection::vec(value(), 8)), 0..120)
    ) {
        for one in &BUILT_IN {
            let mut t = 0.0;
            let mut detector = (one.new)();
            for (gap, values) in &scrapes {
                t += gap;
                let metrics = [
                    Metric::Usage, Metric::WorkingSet, Metric::Rss, Metric::Cache, Metric::ActiveFile,
                    Metric::InactiveFile, Metric::PressureStalled, Metric::SpecLimit,
                ];
                let row = metrics.into_iter().zip(values.iter().copied()).collect();
                let _ = first_fire(&mut *detector, [(t, row)]);
            }
        }
    }
}
