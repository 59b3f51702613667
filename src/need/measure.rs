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
            // By its size: a number that is printed may be below zero.
            By::Time | By::Less => cost <= baseline + baseline.abs() * self.loss,
            By::Refaults => cost <= baseline + self.loss,
            By::More => cost >= baseline - baseline.abs() * self.loss,
        }
    }

    /// How far apart two costs are, on the scale of the loss.
    fn apart(&self, from: f64, to: f64, median: f64) -> f64 {
        match self.by {
            By::Refaults => to - from,
            _ if median != 0.0 => (to - from) / median.abs(),
            _ if to > from => 1.0,
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

/// A run that was bad under a limit that it never met is made again, in turn with one at the highest
/// limit, this often: a slower moment of the machine does not come back five times in turn, and only then.
const AGAIN: usize = 4;

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
    /// The first limit, bytes, at which every run was bad although none came to it: it reads its limit.
    pub reads_its_limit: Option<u64>,
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
            let met = !pair[1].runs.iter().all(Trial::never_met_its_limit);
            let rises = rise > 1.0 + self.wanted.loss && (met || self.reads_its_limit.is_some());
            rises.then_some((rise, pair[1].limit, pair[0].limit))
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
    /// It was killed with all it may have, and not for memory.
    #[error(
        "something killed it at the highest limit already ({0}), and it never came to that limit: a need can be \
         measured of work that is done"
    )]
    KilledByOthers(String),
    /// It was bad under a limit that it never met, and good under the same limit another time.
    #[error(
        "at {} it went wrong ({reason}), although it never came to that limit, and did its work there another \
         time: it fails by chance, and no number would mean anything",
        crate::units::bytes(*limit)
    )]
    ByChance {
        /// The limit, bytes.
        limit: u64,
        /// What went wrong.
        reason: String,
    },
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
        "it ended well, and --measure finds no number in its output: try the expression on it by hand"
    )]
    NoNumber,
    /// The kernel does not count what was to be judged by.
    #[error("this kernel does not count for a cgroup what is read again (refaults); judge by time")]
    NoRefaults,
    /// Its runs differ by more than the loss that was asked for.
    #[error(
        "its runs differ by {spread:.0} % at one and the same limit ({from:.3} to {to:.3} {unit}), more \
         than the loss of {loss:.0} % that was asked for: no number would mean anything{}; ask for a \
         larger --loss, give it more work, or let nothing else run{}",
        known(*fits),
        otherwise(unit)
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
        /// A limit, bytes, below the highest one at which every run was as good.
        fits: Option<u64>,
    },
}

/// What of a run is judged by unless it is said.
const SECONDS: &str = "s";

fn otherwise(unit: &str) -> &'static str {
    match unit {
        SECONDS => "; --by refaults does not hang on time",
        _ => "",
    }
}

fn known(fits: Option<u64>) -> String {
    let at = |limit| format!(" (at {} it was still as good)", crate::units::bytes(limit));
    fits.map(at).unwrap_or_default()
}

impl<E> Stop<E> {
    /// With what the runs have shown until then.
    fn knowing(mut self, search: &Search, max: u64) -> Self {
        if let Stop::Noisy { fits, .. } = &mut self {
            *fits = Some(search.interval().1).filter(|limit| *limit < max);
        }
        self
    }
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
    let mut measuring = Measuring {
        wanted,
        trial,
        base: Vec::new(),
        reads_its_limit: None,
        doubted: 0,
    };
    for _ in 0..wanted.runs {
        measuring.at_max()?;
    }
    let mut curve = Vec::new();
    let search = measuring.search(&mut curve)?;
    measuring.still_as_it_was(&curve)?;
    let Measuring { base, .. } = &measuring;
    let baseline = median(base, |run| Some(run.seconds)).unwrap_or(0.0);
    let baseline_cost = median(base, |run| wanted.cost(run)).unwrap_or(0.0);
    curve.push(Tried::of(wanted, wanted.max, Verdict::Fits, base.clone()));
    curve.sort_by_key(|tried| std::cmp::Reverse(tried.limit));
    Ok(Measured {
        wanted,
        need: search.need(),
        interval: search.interval(),
        baseline,
        baseline_cost,
        curve,
        reads_its_limit: measuring.reads_its_limit,
    })
}

/// The runs, and what those at the highest limit have shown so far.
struct Measuring<F> {
    wanted: Wanted,
    trial: F,
    /// At the highest limit, each of which did its work.
    base: Vec<Trial>,
    reads_its_limit: Option<u64>,
    /// How often another run at the highest limit was made since one below was faster than all of them.
    doubted: usize,
}

/// What one run says beside those at the highest limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Beside {
    Good,
    Bad,
    /// Within what runs at the highest limit differ by, which is more than the loss.
    Either,
}

impl<E, F: FnMut(u64, Option<f64>) -> Result<Trial, E>> Measuring<F> {
    fn at_max(&mut self) -> Result<(), Stop<E>> {
        let run = (self.trial)(self.wanted.max, None).map_err(Stop::Trial)?;
        check(self.wanted, &run)?;
        self.base.push(run);
        Ok(())
    }

    fn at(&mut self, limit: u64) -> Result<Trial, Stop<E>> {
        let patience = patience(self.wanted, &self.base);
        (self.trial)(limit, Some(patience)).map_err(Stop::Trial)
    }

    /// The bisection, until the limit that it ended above is too small whenever it is tried.
    fn search(&mut self, curve: &mut Vec<Tried>) -> Result<Search, Stop<E>> {
        let wanted = self.wanted;
        loop {
            let mut search = Search::new(wanted.max, wanted.resolution());
            curve
                .iter()
                .for_each(|tried| search.tell(tried.limit, tried.verdict));
            while let Some(limit) = search.next() {
                let tried = self.under(limit);
                let tried = tried.map_err(|stop| stop.knowing(&search, wanted.max))?;
                search.tell(limit, tried.verdict);
                curve.push(tried);
            }
            let last = curve.iter_mut().find(|tried| tried.limit == search.low());
            let otherwise = last.map(|tried| self.is_otherwise(tried)).transpose()?;
            if otherwise != Some(true) {
                return Ok(search);
            }
        }
    }

    /// All runs under a limit below the highest.
    fn under(&mut self, limit: u64) -> Result<Tried, Stop<E>> {
        let mut runs = Vec::new();
        while runs.len() < self.wanted.runs {
            let run = self.at(limit)?;
            let done = run.is_done();
            runs.push(run);
            if !done {
                break;
            }
        }
        let met = !runs.iter().all(Trial::never_met_its_limit);
        while met && self.is_better_than_max(&runs) && self.doubted < AGAIN {
            self.doubted += 1;
            self.at_max()?;
        }
        let mut verdict = self.verdict(&runs)?;
        let unmet = runs.iter().all(Trial::never_met_its_limit);
        if verdict != Verdict::Fits && unmet && self.reads_its_limit.is_none() {
            verdict = self.again(limit, &mut runs)?;
        }
        Ok(Tried::of(self.wanted, limit, verdict, runs))
    }

    /// Whether a limit that is too small since one run was killed says something else when it is tried again: two
    /// runs more that fit outweigh it. A kill can be chance where the kernel cannot reclaim for a moment (pages on
    /// their way to a slow disk, on v1, where nobody who dirties them is made to wait).
    fn is_otherwise(&mut self, tried: &mut Tried) -> Result<bool, Stop<E>> {
        let ended = |run: &Trial| !run.is_done() && !run.cut_off;
        let once = tried.runs.iter().filter(|run| ended(run)).count() == 1;
        if tried.verdict != Verdict::TooSmall || !once {
            return Ok(false);
        }
        let (limit, mut runs) = (tried.limit, std::mem::take(&mut tried.runs));
        let mut verdict = tried.verdict;
        for nth in 1..=2 {
            let run = self.at(limit)?;
            let fits = self.verdict(std::slice::from_ref(&run))? == Verdict::Fits;
            runs.push(run);
            if nth == 1 && !fits {
                break;
            }
            verdict = Verdict::Unclear { fits };
        }
        let changed = verdict != tried.verdict;
        *tried = Tried::of(self.wanted, limit, verdict, runs);
        Ok(changed)
    }

    /// Runs were bad though their limit had no part in it. Either the machine was slower for a while, or
    /// the program fails by chance, or it reads its limit and does less under a smaller one (a Java heap, a
    /// Go program's GOMEMLIMIT): more runs, in turn with some at the highest limit, tell.
    fn again(&mut self, limit: u64, runs: &mut Vec<Trial>) -> Result<Verdict, Stop<E>> {
        for _ in 0..AGAIN {
            if let Some(verdict) = self.by_noise(limit, runs)? {
                return Ok(verdict);
            }
            self.at_max()?;
            let run = self.at(limit)?;
            let unmet = run.never_met_its_limit();
            runs.push(run);
            if !unmet {
                return self.verdict(runs);
            }
        }
        if let Some(verdict) = self.by_noise(limit, runs)? {
            return Ok(verdict);
        }
        self.reads_its_limit = Some(limit);
        Ok(Verdict::TooSmall)
    }

    /// One run among those that never met their limit that was as good as one at the highest limit is enough to
    /// tell that the others were worse for another reason. None where there is no such run yet.
    fn by_noise(&self, limit: u64, runs: &[Trial]) -> Result<Option<Verdict>, Stop<E>> {
        if !runs.iter().any(|run| self.is_within_noise(run)) {
            return Ok(None);
        }
        match runs.iter().find(|run| !run.is_done() && !run.cut_off) {
            Some(run) => Err(Stop::ByChance {
                limit,
                reason: run.reason.clone(),
            }),
            None => Ok(Some(Verdict::Fits)),
        }
    }

    /// Whether the runs under a lower limit did more than `loss` better than any at the highest: then those were
    /// slow for another reason, and too much would pass beside them.
    fn is_better_than_max(&self, runs: &[Trial]) -> bool {
        let (least, most) = self.range();
        let best = match self.wanted.by {
            By::More => most,
            _ => least,
        };
        median(runs, |run| self.wanted.cost(run))
            .is_some_and(|cost| !self.wanted.is_as_good(best, cost))
    }

    /// The least and the most that runs at the highest limit cost.
    fn range(&self) -> (f64, f64) {
        let costs = self.base.iter().filter_map(|run| self.wanted.cost(run));
        costs.fold((f64::MAX, f64::MIN), |(a, b), c| (a.min(c), b.max(c)))
    }

    fn median_cost(&self) -> f64 {
        median(&self.base, |run| self.wanted.cost(run)).unwrap_or(0.0)
    }

    /// Whether it did its work, as well as the worst run at the highest limit.
    fn is_within_noise(&self, run: &Trial) -> bool {
        let (least, most) = self.range();
        let worst = if self.wanted.by == By::More {
            least
        } else {
            most
        };
        let cost = self.wanted.cost(run);
        run.is_done() && cost.is_some_and(|cost| self.wanted.is_as_good(cost, worst))
    }

    fn beside(&self, run: &Trial) -> Beside {
        let Some(cost) = self.wanted.cost(run) else {
            return Beside::Bad;
        };
        let (least, most) = self.range();
        let median = self.median_cost();
        let agreed = self.wanted.apart(least, most, median) <= self.wanted.loss;
        let best = if self.wanted.by == By::More {
            most
        } else {
            least
        };
        let good = match agreed {
            true => self.wanted.is_as_good(cost, median),
            false => self.wanted.is_as_good(cost, best),
        };
        match good {
            true => Beside::Good,
            // What never met its limit is as it is without one.
            false if run.never_met_its_limit() && self.is_within_noise(run) => Beside::Good,
            false if agreed || run.never_met_its_limit() => Beside::Bad,
            false => Beside::Either,
        }
    }

    /// What runs under one limit say together. One that did not do its work is enough to say that a limit is
    /// too small.
    fn verdict(&self, runs: &[Trial]) -> Result<Verdict, Stop<E>> {
        if runs.iter().any(|run| !run.is_done()) {
            return Ok(Verdict::TooSmall);
        }
        let said: Vec<Beside> = runs.iter().map(|run| self.beside(run)).collect();
        if said.contains(&Beside::Either) {
            let (from, to) = self.range();
            return Err(noisy(self.wanted, from, to, self.median_cost()));
        }
        Ok(
            match said.iter().filter(|one| **one == Beside::Good).count() {
                0 => Verdict::TooSmall,
                n if n == runs.len() => Verdict::Fits,
                n => Verdict::Unclear {
                    fits: 2 * n > runs.len(),
                },
            },
        )
    }

    /// Where limits were found too small because runs were slow, one run more at the highest limit: a
    /// machine that has become slower meanwhile would have made every limit look too small.
    fn still_as_it_was(&mut self, curve: &[Tried]) -> Result<(), Stop<E>> {
        if !curve.iter().any(Tried::was_slow) {
            return Ok(());
        }
        let before = self.median_cost();
        self.at_max()?;
        let last = self.base.pop();
        match last.and_then(|run| self.wanted.cost(&run)) {
            Some(cost) if !self.wanted.is_as_good(cost, before) => Err(noisy(
                self.wanted,
                before.min(cost),
                before.max(cost),
                before,
            )),
            _ => Ok(()),
        }
    }
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

    /// Whether some run did its work, and was too slow. Those that never met their limit were made in turn
    /// with runs at the highest one already.
    fn was_slow(&self) -> bool {
        let done = self.runs.iter().all(Trial::is_done);
        let met = !self.runs.iter().all(Trial::never_met_its_limit);
        self.verdict != Verdict::Fits && done && met
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

fn check<E>(wanted: Wanted, run: &Trial) -> Result<(), Stop<E>> {
    let is_timed = wanted.by == By::Time;
    match run.outcome {
        Outcome::Killed if run.never_met_its_limit() => {
            Err(Stop::KilledByOthers(run.reason.clone()))
        }
        Outcome::OomKilled | Outcome::Killed => Err(Stop::KilledAtMax(run.reason.clone())),
        _ if !run.is_done() => Err(Stop::FailsAtMax(run.reason.clone())),
        _ if is_timed && run.seconds < SHORTEST_S => Err(Stop::TooShort(run.seconds)),
        _ if wanted.cost(run).is_some() => Ok(()),
        _ if wanted.by == By::Refaults => Err(Stop::NoRefaults),
        _ => Err(Stop::NoNumber),
    }
}

fn noisy<E>(wanted: Wanted, from: f64, to: f64, median: f64) -> Stop<E> {
    let unit = match wanted.by {
        By::Time => SECONDS,
        By::Refaults => "of the limit read again",
        By::Less | By::More => "by --measure",
    };
    Stop::Noisy {
        spread: 100.0 * wanted.apart(from, to, median),
        from,
        to,
        unit,
        loss: 100.0 * wanted.loss,
        fits: None,
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
