//! What must hold of every built-in detector, whatever it is made of.

use proptest::prelude::*;

use super::testing::{first_fire, labels};
use super::{BUILT_IN, BuiltIn, Changes, Row, Run, Verdict};
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

/// A container's life: pieces of so many scrapes, each with a kind of growth and how much of it.
fn life(pieces: &[(usize, u8, f64)], gap: f64) -> Run {
    let mut run = Run::new(labels(), LIMIT);
    let (mut anon, mut file, mut lazy, mut high) = (0.2, 0.1, 0.0, 0.0);
    let mut n = 0;
    for (scrapes, kind, by) in pieces {
        for step in 0..*scrapes {
            match kind {
                0 => {}
                1 => anon += by / 200.0,
                2 => file += by / 100.0,
                3 => anon = 0.3 + by * (step % 12) as f64 / 30.0,
                4 => (lazy, anon) = (lazy + by / 50.0, anon - by / 50.0),
                5 => (lazy, anon) = (0.0, anon + lazy),
                6 => high += by * 10.0,
                _ => anon += by / 30.0 * f64::from(n * 7919 % 13 - 6) / 6.0,
            }
            let page = |share: f64| (share.clamp(0.0, 1.0) * LIMIT / 4096.0).floor() * 4096.0;
            let (a, l) = (page(anon), page(lazy));
            let f = page(file).min(LIMIT - a - l).max(0.0);
            run.push(
                f64::from(n) * gap,
                Row {
                    usage: a + l + f,
                    working_set: a + f / 2.0,
                    rss: a + l,
                    cache: f,
                    inactive_file: l + f / 2.0,
                    active_file: f / 2.0,
                    events_high: Some(high.floor()),
                },
            );
            n += 1;
        }
    }
    run
}

/// As a fleet feeds them: so many scrapes at once, the means going on.
fn fed_in_runs(one: &BuiltIn, all: &Run, at_once: usize) -> Vec<(usize, bool)> {
    let (mut detector, mut changes) = ((one.new)(), Changes::default());
    let mut run = Run::new(all.labels.clone(), all.limit);
    let (mut found, mut first) = (Vec::new(), 0);
    for (n, (t, row)) in all.t.iter().zip(&all.rows).enumerate() {
        run.push(*t, *row);
        if run.t.len() == at_once || n + 1 == all.t.len() {
            detector.observe_run(&run, &mut changes);
            found.extend(
                changes
                    .at
                    .drain(..)
                    .map(|(at, firing)| (first + at, firing)),
            );
            first = n + 1;
            run.clear();
        }
    }
    found
}

fn fed_one_by_one(one: &BuiltIn, all: &Run) -> Vec<(usize, bool)> {
    let (mut detector, mut changes) = ((one.new)(), Changes::default());
    for index in 0..all.t.len() {
        let scrape = all.scrape(index).unwrap();
        changes.set(index, matches!(detector.observe(&scrape), Verdict::Fire(_)));
    }
    changes.at
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]
    #[test]
    fn many_scrapes_at_once_are_judged_as_one_by_one(
        pieces in proptest::collection::vec((1..300usize, 0..8u8, 0.0..1.0f64), 1..8),
        gap in prop_oneof![Just(15.0), Just(60.0), Just(7.0), Just(400.0)],
        at_once in prop_oneof![Just(1usize), Just(7), Just(256)],
    ) {
        let all = life(&pieces, gap);
        for one in &BUILT_IN {
            prop_assert_eq!(
                fed_in_runs(one, &all, at_once), fed_one_by_one(one, &all), "{}", one.name
            );
        }
    }
}
