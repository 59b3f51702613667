//! The measurement: a baseline at the highest limit, then bisection, with medians over runs.

use super::search::{Search, Verdict};
use super::trial::Trial;
use crate::scenario::Outcome;

/// What a run is judged by, as long as it does its work.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum By {
    /// Seconds.
    Time,
    /// What had to be read again since it was evicted, as a share of the highest limit: says nothing
    /// of speed, and so nothing that else runs on the machine can change it.
    Refaults,
    /// A number that the program or its load prints, less is better (a latency).
    Less,
    /// The same, more is better (requests a second).
    More,
}

/// What is asked for.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Wanted {
    /// The highest limit, bytes.
    pub max: u64,
    /// How much slower is still as fast: 0.05 for 5 %.
    pub loss: f64,
    /// Runs under each limit.
    pub runs: usize,
    /// What a run is judged by.
    pub by: By,
}

impl Wanted {
    /// 2 % of the highest limit: with it the bisection takes six limits more.
    pub fn resolution(&self) -> u64 {
        self.max / 50
    }

    /// What a run cost, in what it is judged by; none where that is not known.
    pub fn cost(&self, run: &Trial) -> Option<f64> {
        match self.by {
            By::Time => Some(run.seconds),
            By::Refaults => run.read_again.map(|bytes| bytes as f64 / self.max as f64),
            By::Less | By::More => run.number,
        }
    }

    /// Whether `cost` is as good as `baseline`, within the loss.
    pub fn is_as_good(&self, cost: f64, baseline: f64) -> bool {
        match self.by {
            By::Time | By::Less => cost <= baseline * (1.0 + self.loss),
            By::Refaults => cost <= baseline + self.loss,
            By::More => cost >= baseline * (1.0 - self.loss),
        }
    }

    /// How far apart two costs are, on the scale of the loss.
    fn apart(&self, from: f64, to: f64, median: f64) -> f64 {
        match self.by {
            By::Refaults => to - from,
            _ if median > 0.0 => (to - from) / median,
            _ => 0.0,
        }
    }
}

/// A run that takes this many times as long as the baseline is cut off: it is too slow anyway.
const CUT_OFF: f64 = 10.0;

/// Shorter runs can't be told apart: making a cgroup and starting a process in it varies by a few
/// milliseconds, which is 5 % of this.
const SHORTEST_S: f64 = 0.05;

/// Where time is not what is judged, a short run may take this long: what else runs must not decide.
const PATIENCE_S: f64 = 20.0;

/// All runs under one limit.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
pub struct Tried {
    /// The limit, bytes.
    pub limit: u64,
    /// What they say together.
    pub verdict: Verdict,
    /// Median of those that did the work, seconds.
    pub seconds: Option<f64>,
    /// Median of what they are judged by, of those that did the work.
    pub cost: Option<f64>,
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
    /// Median there of what the runs are judged by.
    pub baseline_cost: f64,
    /// All limits, the highest first.
    pub curve: Vec<Tried>,
}

/// What is known by construction may differ by this much, bytes: the program itself and its libraries.
const KNOWN_WITHIN: u64 = 4 << 20;

/// Or by this share of the highest limit: the resolution, and the kernel's records of cached files.
const KNOWN_WITHIN_SHARE: f64 = 0.03;

impl Measured {
    /// Whether `known` bytes, a need that is known by construction, were found.
    pub fn is_near(&self, known: u64) -> bool {
        let share = (self.wanted.max as f64 * KNOWN_WITHIN_SHARE) as u64;
        self.need.abs_diff(known) <= share.max(KNOWN_WITHIN)
    }

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
    /// The number that was asked for is not in its output.
    #[error(
        "it ended well, and nothing in its output matches --measure: try the expression on it by hand"
    )]
    NoNumber,
    /// The kernel does not count what was to be judged by.
    #[error("this kernel does not count for a cgroup what is read again (refaults); judge by time")]
    NoRefaults,
    /// Its runs differ by more than the loss that was asked for.
    #[error(
        "its runs differ by {spread:.0} % at one and the same limit ({from:.3} to {to:.3} {unit}), more \
         than the loss of {loss:.0} % that was asked for: no number would mean anything; ask for a \
         larger --loss, give it more work, let nothing else run, or judge --by refaults"
    )]
    Noisy {
        /// Percent of the median.
        spread: f64,
        /// The least at one limit.
        from: f64,
        /// The most at the same limit.
        to: f64,
        /// The unit of both.
        unit: &'static str,
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
    check(wanted, &trial(wanted.max, None).map_err(Stop::Trial)?)?;
    let mut base = Vec::new();
    for _ in 0..wanted.runs {
        let run = trial(wanted.max, None).map_err(Stop::Trial)?;
        check(wanted, &run)?;
        base.push(run);
    }
    let baseline_cost = agreed(wanted, &base)?;
    let baseline = median(&base, |run| Some(run.seconds)).unwrap_or(0.0);
    let patience = patience(wanted, &base);
    let mut search = Search::new(wanted.max, wanted.resolution());
    let mut curve = vec![Tried::of(wanted, wanted.max, Verdict::Fits, base)];
    while let Some(limit) = search.next() {
        let mut runs = Vec::new();
        while runs.len() < wanted.runs {
            let run = trial(limit, Some(patience)).map_err(Stop::Trial)?;
            let done = run.is_done();
            runs.push(run);
            if !done {
                break;
            }
        }
        let verdict = verdict(wanted, &runs, baseline_cost);
        search.tell(limit, verdict);
        curve.push(Tried::of(wanted, limit, verdict, runs));
    }
    still_as_it_was(wanted, baseline_cost, &curve, &mut trial)?;
    curve.sort_by_key(|tried| std::cmp::Reverse(tried.limit));
    Ok(Measured {
        wanted,
        need: search.need(),
        interval: search.interval(),
        baseline,
        baseline_cost,
        curve,
    })
}

impl Tried {
    fn of(wanted: Wanted, limit: u64, verdict: Verdict, runs: Vec<Trial>) -> Tried {
        Tried {
            limit,
            verdict,
            seconds: median(&runs, |run| Some(run.seconds)),
            cost: median(&runs, |run| wanted.cost(run)),
            runs,
        }
    }

    /// Whether some run did its work, and was too slow.
    fn was_slow(&self) -> bool {
        self.verdict != Verdict::Fits && self.runs.iter().all(Trial::is_done)
    }
}

/// Seconds after which a run is cut off.
fn patience(wanted: Wanted, base: &[Trial]) -> f64 {
    let usual = CUT_OFF * median(base, |run| Some(run.whole)).unwrap_or(0.0);
    match wanted.by {
        By::Time => usual,
        _ => usual.max(PATIENCE_S),
    }
}

/// Where limits were found too small because runs were slow, one run more at the highest limit: a
/// machine that has become slower meanwhile would have made every limit look too small.
fn still_as_it_was<E>(
    wanted: Wanted,
    baseline: f64,
    curve: &[Tried],
    trial: &mut impl FnMut(u64, Option<f64>) -> Result<Trial, E>,
) -> Result<(), Stop<E>> {
    if !curve.iter().any(Tried::was_slow) {
        return Ok(());
    }
    let last = trial(wanted.max, None).map_err(Stop::Trial)?;
    check(wanted, &last)?;
    match wanted.cost(&last) {
        Some(cost) if !wanted.is_as_good(cost, baseline) => Err(noisy(
            wanted,
            baseline.min(cost),
            baseline.max(cost),
            baseline,
        )),
        _ => Ok(()),
    }
}

fn check<E>(wanted: Wanted, run: &Trial) -> Result<(), Stop<E>> {
    let is_timed = wanted.by == By::Time;
    match run.outcome {
        Outcome::OomKilled | Outcome::Killed => Err(Stop::KilledAtMax(run.reason.clone())),
        _ if !run.is_done() => Err(Stop::FailsAtMax(run.reason.clone())),
        _ if is_timed && run.seconds < SHORTEST_S => Err(Stop::TooShort(run.seconds)),
        _ if wanted.cost(run).is_some() => Ok(()),
        _ if wanted.by == By::Refaults => Err(Stop::NoRefaults),
        _ => Err(Stop::NoNumber),
    }
}

/// The median of the baseline, if its runs agree well enough.
fn agreed<E>(wanted: Wanted, runs: &[Trial]) -> Result<f64, Stop<E>> {
    let costs = || runs.iter().filter_map(|run| wanted.cost(run));
    let (from, to) = costs().fold((f64::MAX, f64::MIN), |(a, b), c| (a.min(c), b.max(c)));
    let median = median(runs, |run| wanted.cost(run)).unwrap_or(to);
    if wanted.apart(from, to, median) > wanted.loss {
        return Err(noisy(wanted, from, to, median));
    }
    Ok(median)
}

fn noisy<E>(wanted: Wanted, from: f64, to: f64, median: f64) -> Stop<E> {
    let unit = match wanted.by {
        By::Time => "s",
        By::Refaults => "of the limit read again",
        By::Less | By::More => "by --measure",
    };
    Stop::Noisy {
        spread: 100.0 * wanted.apart(from, to, median),
        from,
        to,
        unit,
        loss: 100.0 * wanted.loss,
    }
}

/// One that did not do its work is enough to say that a limit is too small.
fn verdict(wanted: Wanted, runs: &[Trial], baseline: f64) -> Verdict {
    if runs.iter().any(|run| !run.is_done()) {
        return Verdict::TooSmall;
    }
    let good = |run: &&Trial| {
        let cost = wanted.cost(run);
        cost.is_some_and(|cost| wanted.is_as_good(cost, baseline))
    };
    match runs.iter().filter(good).count() {
        0 => Verdict::TooSmall,
        n if n == runs.len() => Verdict::Fits,
        n => Verdict::Unclear {
            fits: 2 * n > runs.len(),
        },
    }
}

/// Of the runs that did their work.
fn median(runs: &[Trial], of: impl Fn(&Trial) -> Option<f64>) -> Option<f64> {
    let done = runs.iter().filter(|run| run.is_done());
    let mut values: Vec<f64> = done.filter_map(of).collect();
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied()
}

#[cfg(test)]
#[path = "measure_tests.rs"]
mod tests;
