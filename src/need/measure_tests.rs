//! The measurement against programs whose need is a rule.

use rand::RngExt;

use super::*;

const MIB: u64 = 1 << 20;
const WANTED: Wanted = Wanted {
    max: 256 * MIB,
    loss: 0.05,
    runs: 3,
    by: By::Time,
};

fn ran(seconds: f64) -> Trial {
    Trial {
        seconds,
        whole: seconds,
        outcome: Outcome::Survived,
        ..Trial::not_begun(String::new())
    }
}

fn ended(outcome: Outcome) -> Trial {
    Trial {
        outcome,
        ..ran(1.0)
    }
}

/// A run whose limit had no part in it.
fn far_below(run: Trial) -> Trial {
    Trial {
        met_limit: Some(false),
        ..run
    }
}

/// One that came to its limit.
fn at_it(run: Trial) -> Trial {
    Trial {
        met_limit: Some(true),
        ..run
    }
}

fn of(mut program: impl FnMut(u64) -> Trial) -> Result<Measured, Stop<()>> {
    measure(WANTED, |limit, _| Ok::<_, ()>(program(limit)))
}

#[test]
fn a_heap_is_killed_below_its_need_and_a_cache_is_slow() {
    let heap = of(|limit| match limit >= 100 * MIB {
        true => ran(2.0),
        false => ended(Outcome::OomKilled),
    })
    .unwrap();
    assert!((100 * MIB..=106 * MIB).contains(&heap.need), "{heap:?}");
    assert!(heap.interval.0 < 100 * MIB && heap.interval.1 == heap.need);
    assert_eq!(heap.knee(), None, "no run that did its work was slower");
    let cache = of(|limit| ran(if limit >= 110 * MIB { 0.6 } else { 2.0 })).unwrap();
    assert!((110 * MIB..=116 * MIB).contains(&cache.need));
    let (low, high) = cache.knee().unwrap();
    assert!(low < 110 * MIB && high >= 110 * MIB);
    assert!(cache.curve.len() <= 8, "{}", cache.curve.len());
}

/// Killed once at a limit that is enough: the search goes on below it, and the interval says what was seen.
#[test]
fn one_kill_by_chance_does_not_decide() {
    for runs in [1, 3] {
        for nth in 0..8 {
            let wanted = Wanted { runs, ..WANTED };
            let mut seen = 0;
            let found = measure(wanted, |limit, _| {
                let enough = limit >= 20 * MIB;
                seen += usize::from(enough && limit < wanted.max);
                Ok::<_, ()>(match enough && seen != nth + 1 {
                    true => ran(1.0),
                    false => at_it(ended(Outcome::OomKilled)),
                })
            });
            let found = found.unwrap();
            let (low, high) = found.interval;
            assert!(
                (20 * MIB..=26 * MIB).contains(&found.need),
                "{nth}: {found:?}"
            );
            assert!(low < 20 * MIB && high >= found.need, "{nth}: {found:?}");
            // The curve has the time of the runs that came later, too.
            let done = |tried: &Tried| tried.runs.iter().any(Trial::is_done);
            let mut curve = found.curve.iter();
            assert!(
                curve.all(|tried| tried.seconds.is_some() == done(tried)),
                "{nth}: {found:?}"
            );
        }
    }
}

/// Killed in two of three runs is too small, and killed in all of them at the end too: one run more tells.
#[test]
fn what_is_killed_again_is_too_small() {
    let mut at_the_edge = 0;
    let found = of(|limit| match limit {
        l if l >= 128 * MIB => ran(1.0),
        l if l < 124 * MIB => ended(Outcome::OomKilled),
        _ => {
            at_the_edge += 1;
            match at_the_edge {
                2 => ran(1.0),
                _ => at_it(ended(Outcome::OomKilled)),
            }
        }
    })
    .unwrap();
    assert_eq!((found.need, found.interval.1), (128 * MIB, 128 * MIB));
    assert!(found.interval.0 < 124 * MIB, "{:?}", found.interval);
    assert_eq!(at_the_edge, 3);
}

#[test]
fn what_takes_ten_times_as_long_is_cut_off() {
    let mut asked = Vec::new();
    let measured = measure(WANTED, |limit, give_up| {
        asked.push(give_up);
        let cut_off = limit < 200 * MIB;
        Ok::<_, ()>(Trial {
            cut_off,
            ..ran(1.5)
        })
    });
    let measured = measured.unwrap();
    assert!((200 * MIB..=206 * MIB).contains(&measured.need));
    assert_eq!(&asked[..4], [None; 4]);
    assert!(asked[4..].iter().all(|s| *s == Some(15.0)), "{asked:?}");
}

#[test]
fn there_is_no_number_where_none_would_mean_anything() {
    let said = |result: Result<Measured, Stop<()>>| match result {
        Ok(measured) => format!("{measured:?}"),
        Err(Stop::Trial(())) => "trial".into(),
        Err(Stop::KilledAtMax(_)) => "killed".into(),
        Err(Stop::KilledByOthers(_)) => "by others".into(),
        Err(Stop::ByChance { .. }) => "chance".into(),
        Err(Stop::FailsAtMax(_)) => "fails".into(),
        Err(Stop::TooShort(_)) => "short".into(),
        Err(Stop::NoNumber) => "no number".into(),
        Err(Stop::NoRefaults) => "no refaults".into(),
        Err(Stop::Noisy { .. }) => "noisy".into(),
    };
    assert_eq!(said(of(|_| ended(Outcome::OomKilled))), "killed");
    assert_eq!(said(of(|_| ended(Outcome::Killed))), "killed");
    assert_eq!(said(of(|_| far_below(ended(Outcome::Killed)))), "by others");
    assert_eq!(said(of(|_| ended(Outcome::Failed))), "fails");
    assert_eq!(said(of(|_| far_below(ended(Outcome::Failed)))), "fails");
    assert_eq!(said(of(|_| ran(0.001))), "short");
    let mut turn = 0.0;
    let noisy = of(|_| {
        turn += 1.0;
        ran(1.0 + turn / 10.0)
    });
    assert_eq!(said(noisy), "noisy");
}

#[test]
fn runs_that_differ_at_the_edge_widen_the_interval() {
    let mut turn = 0;
    let measured = of(|limit| {
        turn += 1;
        match limit / MIB {
            120.. => ran(1.0),
            // One of three is slow.
            60..120 => ran(if turn % 3 == 0 { 1.5 } else { 1.0 }),
            _ => ran(3.0),
        }
    })
    .unwrap();
    assert!(
        (60 * MIB..=66 * MIB).contains(&measured.need),
        "{measured:?}"
    );
    let (above, most) = measured.interval;
    assert!(above < 60 * MIB && most >= 120 * MIB, "{above} {most}");
}

#[test]
fn what_is_judged_by_decides() {
    let wanted = |by| Wanted { by, ..WANTED };
    // Time says nothing here: every third run is slow. What is read again does.
    let mut turn = 0;
    let read_again = |limit: u64| if limit >= 100 * MIB { MIB } else { 60 * MIB };
    let found = measure(wanted(By::Refaults), |limit, give_up| {
        turn += 1;
        assert!(give_up.is_none_or(|s| s >= 20.0), "{give_up:?}");
        Ok::<_, ()>(Trial {
            read_again: Some(read_again(limit)),
            ..ran(if turn % 3 == 0 { 3.0 } else { 0.01 })
        })
    });
    let need = found.unwrap().need;
    assert!((100 * MIB..=106 * MIB).contains(&need), "{need}");
    for by in [By::Less, By::More] {
        let found = measure(wanted(by), |limit, _| {
            let good = (limit >= 100 * MIB) == (by == By::More);
            Ok::<_, ()>(Trial {
                number: Some(if good { 1000.0 } else { 900.0 }),
                ..ran(1.0)
            })
        });
        let need = found.unwrap().need;
        assert!((100 * MIB..=106 * MIB).contains(&need), "{by:?}: {need}");
    }
}

#[test]
fn what_can_not_be_judged_by_is_said() {
    let of = |by| {
        let wanted = Wanted { by, ..WANTED };
        measure(wanted, |_, _| Ok::<_, ()>(ran(1.0)))
    };
    assert!(matches!(of(By::Refaults), Err(Stop::NoRefaults)));
    assert!(matches!(of(By::More), Err(Stop::NoNumber)));
}

#[test]
fn a_machine_that_became_slower_meanwhile_gives_no_number() {
    let mut turn = 0;
    let drifting = of(|_| {
        turn += 1;
        ran(if turn > 6 { 1.3 } else { 1.0 })
    });
    assert!(matches!(drifting, Err(Stop::Noisy { .. })), "{drifting:?}");
}

#[test]
fn time_says_nothing_of_a_limit_that_was_never_met() {
    // Twice and thrice as long at random, and killed below its need.
    for seed in 0..200u64 {
        let mut random = crate::seed::rng(seed);
        let measured = of(|limit| match limit >= 100 * MIB {
            true => far_below(ran(random.random_range(1.0..3.0))),
            false => at_it(ended(Outcome::OomKilled)),
        });
        let Ok(measured) = measured else {
            panic!("{seed}: {measured:?}");
        };
        assert!(
            (100 * MIB..=106 * MIB).contains(&measured.need),
            "{seed}: {measured:?}"
        );
        assert_eq!((measured.knee(), measured.reads_its_limit), (None, None));
    }
}

#[test]
fn noise_is_told_where_the_limit_was_met_and_time_decides() {
    let mut turn = 0;
    let noisy = of(|limit| {
        turn += 1;
        let seconds = if turn % 2 == 0 { 1.0 } else { 1.4 };
        match limit >= 200 * MIB {
            true => far_below(ran(seconds)),
            false => at_it(ran(seconds)),
        }
    });
    let Err(Stop::Noisy { fits: None, .. }) = noisy else {
        panic!("{noisy:?}");
    };
    // What is known is said: below 100 MiB time would have to decide.
    let mut turn = 0;
    let noisy = of(|limit| {
        turn += 1;
        let seconds = if turn % 2 == 0 { 1.0 } else { 1.4 };
        match limit >= 100 * MIB {
            true => far_below(ran(seconds)),
            false => at_it(ran(seconds)),
        }
    });
    let Err(Stop::Noisy { fits, .. }) = noisy else {
        panic!("{noisy:?}");
    };
    assert_eq!(fits, Some(128 * MIB));
    assert!(known(fits).contains("at 128.0 MiB it was still as good"));
    // Who judges by something else already is not told to.
    for (by, told) in [(By::Time, true), (By::Refaults, false), (By::More, false)] {
        let stop: Stop<std::io::Error> = super::noisy(Wanted { by, ..WANTED }, 1.0, 2.0, 1.0);
        assert_eq!(stop.to_string().contains("--by refaults"), told, "{stop}");
    }
}

/// Beside a baseline of a busy moment what is slow seems fast.
#[test]
fn a_machine_that_becomes_faster_gives_no_need_that_is_too_small() {
    for runs in [1, 3] {
        for slow in 2..8 {
            let mut turn = 0;
            let wanted = Wanted { runs, ..WANTED };
            let found = measure(wanted, |limit, _| {
                turn += 1;
                let seconds = if limit >= 100 * MIB { 1.0 } else { 1.8 };
                let busy = if turn <= slow { 2.0 } else { 1.0 };
                Ok::<_, ()>(at_it(ran(seconds * busy)))
            });
            match found {
                Ok(found) => assert!(found.need >= 100 * MIB, "{runs}, {slow}: {found:?}"),
                Err(stop) => assert!(matches!(stop, Stop::Noisy { .. }), "{stop:?}"),
            }
        }
    }
    // One that is faster with less each time is taken at its word: that is no noise.
    let mut at_max = 0;
    let found = of(|limit| {
        at_max += usize::from(limit == WANTED.max);
        at_it(ran(if limit == WANTED.max { 2.0 } else { 1.0 }))
    });
    assert!(found.unwrap().need <= 6 * MIB);
    assert_eq!(at_max, 1 + WANTED.runs + AGAIN);
}

#[test]
fn what_reads_its_limit_is_told_from_what_fails_by_chance() {
    // A Java heap of a quarter of the limit: it never comes to the limit, and fails every time.
    for bad in [ended(Outcome::Failed), ended(Outcome::Killed), ran(9.0)] {
        let java = of(|limit| match limit >= 150 * MIB {
            true => far_below(ran(1.0)),
            false => far_below(bad.clone()),
        });
        let java = java.unwrap();
        assert!((150 * MIB..=156 * MIB).contains(&java.need), "{java:?}");
        assert_eq!(java.reads_its_limit, Some(128 * MIB));
        let runs: usize = java.curve.iter().map(|tried| tried.runs.len()).sum();
        assert!(
            runs <= 8 * 3 + 2 * AGAIN,
            "asked again once, not at each limit: {runs}"
        );
    }
    let mut turn = 0;
    let chance = of(|_| {
        turn += 1;
        far_below(if turn == 6 {
            ended(Outcome::Failed)
        } else {
            ran(1.0)
        })
    });
    let Err(Stop::ByChance { limit, .. }) = chance else {
        panic!("{chance:?}");
    };
    assert_eq!(limit, 128 * MIB);
    // And one whose limit was met fails for it.
    let met = of(|limit| match limit >= 150 * MIB {
        true => far_below(ran(1.0)),
        false => at_it(ended(Outcome::Failed)),
    });
    assert!((150 * MIB..=156 * MIB).contains(&met.unwrap().need));
}

#[test]
fn a_number_below_zero_is_judged_by_its_size() {
    for by in [By::Less, By::More] {
        let found = measure(Wanted { by, ..WANTED }, |limit, _| {
            let good = (limit >= 100 * MIB) == (by == By::More);
            Ok::<_, ()>(Trial {
                number: Some(if good { -900.0 } else { -1000.0 }),
                ..ran(1.0)
            })
        });
        let need = found.unwrap().need;
        assert!((100 * MIB..=106 * MIB).contains(&need), "{by:?}: {need}");
    }
}
