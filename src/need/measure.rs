//! The measurement: a baseline at the highest limit, then bisection, with medians over runs.

use super::search::{Search, Verdict};
use super::trial::Trial;
use crate::scenario::Outcome;

/// What is asked for.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Wanted {
    /// The highest limit, bytes.
    pub max: u64,
    /// How much slower is still as fast: 0.05 for 5 %.
    pub loss: f64,
    /// Runs under each limit.
    pub runs: usize,
}

impl Wanted {
    /// 2 % of the highest limit: with it the bisection takes six limits more.
    pub fn resolution(&self) -> u64 {
        self.max / 50
    }
}

/// A run that takes this many times as long as the baseline is cut off: it is too slow anyway.
const CUT_OFF: f64 = 10.0;

/// Shorter runs can't be told apart: making a cgroup and starting a process in it varies by a few
/// milliseconds, which is 5 % of this.
const SHORTEST_S: f64 = 0.05;

/// All runs under one limit.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
pub struct Tried {
    /// The limit, bytes.
    pub limit: u64,
    /// What they say together.
    pub verdict: Verdict,
    /// Median of those that did the work, seconds.
    pub seconds: Option<f64>,
    /// In the order they ran; after one that did not do its work there are no more.
    pub runs: Vec<Trial>,
}

/// The result.
#[derive(Debug, Clone, PartialEq)]
pub struct Measured {
    /// What was asked for.
    pub wanted: Wanted,
    /// The smallest limit that fits, bytes.
    pub need: u64,
    /// Nothing fitted at the first, everything at the second.
    pub interval: (u64, u64),
    /// Median time at the highest limit, seconds.
    pub baseline: f64,
    /// All limits, the highest first.
    pub curve: Vec<Tried>,
}

impl Measured {
    /// The limits between which the time rises most, the lower first; none where every run that did
    /// its work was as fast.
    pub fn knee(&self) -> Option<(u64, u64)> {
        let slower = |a: &Tried, b: &Tried| Some(a.seconds? / b.seconds?);
        let steps = self.curve.windows(2).filter_map(|pair| {
            let rise = slower(&pair[1], &pair[0])?;
            (rise > 1.0 + self.wanted.loss).then_some((rise, pair[1].limit, pair[0].limit))
        });
        let most = steps.max_by(|a, b| a.0.total_cmp(&b.0));
        most.map(|(_, low, high)| (low, high))
    }
}

/// Why there is no number.
#[derive(Debug, thiserror::Error)]
pub enum Stop<E> {
    /// A trial could not be made.
    #[error(transparent)]
    Trial(E),
    /// It was killed with all it may have.
    #[error(
        "it was killed at the highest limit already ({0}): its need is above that; give a higher --limit"
    )]
    KilledAtMax(String),
    /// It does not do its work at all.
    #[error(
        "it fails at the highest limit already ({0}): a need can be measured of work that is done"
    )]
    FailsAtMax(String),
    /// Its runs are too short to be told apart.
    #[error(
        "it ended after {0:.3} s: too short for its time to tell anything (at least {SHORTEST_S} s); \
         give it more work, in a loop for example"
    )]
    TooShort(f64),
    /// Its runs differ by more than the loss that was asked for.
    #[error(
        "its runs differ by {spread:.0} % at one and the same limit ({from:.2} s to {to:.2} s), more \
         than the loss of {loss:.0} % that was asked for: no number would mean anything; ask for a \
         larger --loss, give it more work, or let nothing else run"
    )]
    Noisy {
        /// Percent of the median.
        spread: f64,
        /// The median at the first limit, seconds.
        from: f64,
        /// The median at the other, seconds.
        to: f64,
        /// The loss that was asked for, percent.
        loss: f64,
    },
}

/// Measures the need of what `trial` runs: a limit (bytes) and the seconds after which to give up in,
/// what came of it out.
///
/// # Errors
/// When there is no number, see [`Stop`].
pub fn measure<E>(
    wanted: Wanted,
    mut trial: impl FnMut(u64, Option<f64>) -> Result<Trial, E>,
) -> Result<Measured, Stop<E>> {
    // The first run reads what nobody has read yet, the program itself included: it is not counted.
    check(&trial(wanted.max, None).map_err(Stop::Trial)?)?;
    let mut base = Vec::new();
    for _ in 0..wanted.runs {
        let run = trial(wanted.max, None).map_err(Stop::Trial)?;
        check(&run)?;
        base.push(run);
    }
    let baseline = spread(&base, wanted.loss)?;
    let mut search = Search::new(wanted.max, wanted.resolution());
    let mut curve = vec![Tried {
        limit: wanted.max,
        verdict: Verdict::Fits,
        seconds: Some(baseline),
        runs: base,
    }];
    while let Some(limit) = search.next() {
        let mut runs = Vec::new();
        while runs.len() < wanted.runs {
            let run = trial(limit, Some(baseline * CUT_OFF)).map_err(Stop::Trial)?;
            let done = run.is_done();
            runs.push(run);
            if !done {
                break;
            }
        }
        let verdict = verdict(&runs, baseline * (1.0 + wanted.loss));
        search.tell(limit, verdict);
        curve.push(Tried {
            limit,
            verdict,
            seconds: median(&runs),
            runs,
        });
    }
    curve.sort_by_key(|tried| std::cmp::Reverse(tried.limit));
    Ok(Measured {
        wanted,
        need: search.need(),
        interval: search.interval(),
        baseline,
        curve,
    })
}

fn check<E>(run: &Trial) -> Result<(), Stop<E>> {
    match run.outcome {
        Outcome::OomKilled | Outcome::Killed => Err(Stop::KilledAtMax(run.reason.clone())),
        _ if !run.is_done() => Err(Stop::FailsAtMax(run.reason.clone())),
        _ if run.seconds < SHORTEST_S => Err(Stop::TooShort(run.seconds)),
        _ => Ok(()),
    }
}

/// The median of the baseline, if its runs agree well enough.
fn spread<E>(runs: &[Trial], loss: f64) -> Result<f64, Stop<E>> {
    let seconds = || runs.iter().map(|run| run.seconds);
    let (from, to) = seconds().fold((f64::MAX, 0.0f64), |(a, b), s| (a.min(s), b.max(s)));
    let median = median(runs).unwrap_or(to);
    if to - from > loss * median {
        return Err(Stop::Noisy {
            spread: 100.0 * (to - from) / median,
            from,
            to,
            loss: 100.0 * loss,
        });
    }
    Ok(median)
}

/// One that did not do its work is enough to say that a limit is too small.
fn verdict(runs: &[Trial], allowed: f64) -> Verdict {
    if runs.iter().any(|run| !run.is_done()) {
        return Verdict::TooSmall;
    }
    let fast = runs.iter().filter(|run| run.seconds <= allowed).count();
    match fast {
        0 => Verdict::TooSmall,
        n if n == runs.len() => Verdict::Fits,
        n => Verdict::Unclear {
            fits: 2 * n > runs.len(),
        },
    }
}

/// Of the runs that did their work.
fn median(runs: &[Trial]) -> Option<f64> {
    let done = runs.iter().filter(|run| run.is_done());
    let mut seconds: Vec<f64> = done.map(|run| run.seconds).collect();
    seconds.sort_by(f64::total_cmp);
    seconds.get(seconds.len() / 2).copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    const MIB: u64 = 1 << 20;
    const WANTED: Wanted = Wanted {
        max: 256 * MIB,
        loss: 0.05,
        runs: 3,
    };

    fn ran(seconds: f64) -> Trial {
        Trial {
            seconds,
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
            Err(Stop::FailsAtMax(_)) => "fails".into(),
            Err(Stop::TooShort(_)) => "short".into(),
            Err(Stop::Noisy { .. }) => "noisy".into(),
        };
        assert_eq!(said(of(|_| ended(Outcome::OomKilled))), "killed");
        assert_eq!(said(of(|_| ended(Outcome::Killed))), "killed");
        assert_eq!(said(of(|_| ended(Outcome::Failed))), "fails");
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
}
