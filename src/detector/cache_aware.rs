//! `cache-aware`: our own. It takes a container's memory apart with what one cAdvisor scrape shows
//! ([`super::anatomy`]), and looks at what the kernel can't take back: anonymous memory that was
//! not freed lazily, and files in memory.
//!
//! It fires in five cases, all but the last two only on what is higher than ever before memory was last given back:
//!
//! - **near the limit and rising**: what can't be taken back is above 92 % of the limit, or above
//!   80 % and at the pace of the last minute half a minute from the limit; and it has risen in most
//!   parts of the last three minutes, or evenly for twenty. A level alone is no reason (a service may
//!   use what it was given, and many are set to use nine tenths), nor is a jump that is over.
//! - **one more such step**: above 90 %, two scrapes in a row rose, together by more than is left.
//! - **rising far from the limit** ([`super::far`]): the lowest points of twenty minutes, of an hour or of some
//!   hours are on a straight line, and it comes to more the faster it is. A start-up is over before, a warm-up
//!   becomes slower, a garbage collector gives back.
//! - **in use again**: at the limit, memory that counted as lazily freed vanishes several times
//!   faster than memory is added: the kernel looks for free pages and finds used ones.
//! - **standing still**: throttled at memory.high most of the last three minutes, with next to
//!   no cache that could be dropped instead (cgroup v2).
//!
//! Kernel memory and half-released huge pages are named but no reason to fire: the kernel takes
//! them back under pressure, and a scrape can't tell the kinds that it would not.
//!
//! The numbers near the limit were chosen on the shipped lessons and on one half of the recordings of runtimes and
//! services ([`crate::judge::half`]), those far from it on all of them and on 128 more that do not ship, each at
//! several speeds; docs/scorecards.md has what they come to on 67 that were recorded later. What no number can tell
//! is a cache that fills evenly for an hour from a leak at its pace: the one stops.

use super::anatomy::{Anatomy, Composition};
use super::far::Far;
use super::recent::{Moment, Recent};
use super::{BuiltIn, Changes, Detector, Row, Run, Scrape, Verdict};
use crate::export::Metric;
use crate::scenario::Class;

/// Below this share of the limit nothing is urgent: the level the usual rules take.
const NEAR: f64 = 0.8;
/// Above this share whatever rises is urgent. What is set to fill its container stops below: servers
/// are set to use 75 to 90 % of it.
const CLOSE: f64 = 0.92;
/// Between the two a rise is urgent that reaches the limit within this time (two scrapes) at the pace
/// of the time before, seconds.
const SOON_S: f64 = 30.0;
const PACE_S: f64 = 60.0;
/// Above this share a step as large as what is left is looked at.
const STEP_NEAR: f64 = 0.9;
/// Slow growth near the limit: over so many minutes this share of the limit, and in each third of them three
/// quarters of an even share of it. What becomes slower than that is a warm-up.
const CLOSE_MINUTES: usize = 20;
const CLOSE_ADDS_UP: f64 = 0.01;
const CLOSE_THIRD: f64 = 0.25;
/// From this share of the limit on, the kernel has to look for pages.
const AT_LIMIT: f64 = 0.98;
/// A rise smaller than this share of the limit is noise: kernel counters lag by some pages a CPU.
const NOISE: f64 = 0.002;
/// A fall of this share of the limit means that memory was given back by whoever held it.
const GIVEN_BACK: f64 = 0.1;

/// With more cache than this share of usage, throttling is only the price of dropping some.
const DROPPABLE: f64 = 0.2;

pub(super) const BUILT_IN: BuiltIn = BuiltIn {
    name: "cache-aware",
    summary: "what can't be reclaimed nears the limit or keeps rising; names the class",
    reads: &[
        Metric::Usage,
        Metric::Rss,
        Metric::Cache,
        Metric::ActiveFile,
        Metric::InactiveFile,
        Metric::EventsHigh,
        Metric::SpecLimit,
    ],
    new: || Box::new(CacheAware::new()),
};

struct CacheAware {
    composition: Composition,
    recent: Recent,
    far: Far,
    /// The highest level from which memory was given back.
    survived: f64,
    /// The highest level since then.
    peak: f64,
    /// Whether it has risen evenly for twenty minutes, and for which limit that was found: it is looked at
    /// once a bucket.
    evenly: Option<bool>,
    limit: f64,
    firing: Option<Class>,
    last_ms: Option<i64>,
}

impl CacheAware {
    fn new() -> Self {
        CacheAware {
            composition: Composition::default(),
            recent: Recent::default(),
            far: Far::new(),
            survived: 0.0,
            peak: 0.0,
            evenly: None,
            limit: 0.0,
            firing: None,
            last_ms: None,
        }
    }

    /// Keeps the highest level that turned out to be none to worry about; says whether memory was
    /// given back just now.
    fn given_back(&mut self, level: f64, limit: f64) -> bool {
        self.peak = self.peak.max(level);
        let given_back = self.peak - level > GIVEN_BACK * limit;
        if given_back {
            self.survived = self.survived.max(self.peak);
            self.peak = level;
        }
        given_back
    }

    /// The reason to fire now, as a class.
    fn reason(&mut self, t: f64, anatomy: &Anatomy, limit: f64) -> Option<Class> {
        let held = anatomy.held();
        // The far view is fed at every scrape, whatever else there is to say.
        let looked = self.far.push(t, held);
        if looked || self.limit != limit {
            (self.evenly, self.limit) = (None, limit);
        }
        let at_limit = anatomy.usage > AT_LIMIT * limit;
        if at_limit && self.recent.lazy_vanishes(GIVEN_BACK * limit) {
            return Some(Class::OomAhead);
        }
        let new_height = held > self.survived + NOISE * limit;
        if new_height && (looked && self.far.rises(limit) || self.urgent(held, limit)) {
            return Some(self.composition.class_of_growth(anatomy, limit));
        }
        let stuck = anatomy.file < DROPPABLE * anatomy.usage && self.recent.throttling();
        stuck.then_some(Class::Throttled)
    }

    fn verdict(&self, limit: f64) -> Verdict {
        match self.firing {
            Some(class) => Verdict::Fire(Some(class)),
            None => Verdict::Quiet(Some(self.composition.class(limit))),
        }
    }

    /// Whether little is left, and that is becoming less.
    fn urgent(&mut self, held: f64, limit: f64) -> bool {
        let left = limit - held;
        let noise = NOISE * limit;
        let close = held > CLOSE * limit || held > NEAR * limit && self.soon_full(left, noise);
        close && (self.recent.rising(noise, |m| Some(m.held)) || self.rises_evenly(limit))
            || held > STEP_NEAR * limit && self.recent.stepped(left, noise)
    }

    fn rises_evenly(&mut self, limit: f64) -> bool {
        if let Some(known) = self.evenly {
            return known;
        }
        let (far, least) = (&self.far, CLOSE_ADDS_UP * limit);
        *self
            .evenly
            .insert(far.rises_evenly(CLOSE_MINUTES, least, CLOSE_THIRD))
    }

    /// Whether it still rises, and nothing is left after [`SOON_S`] more of the last minute.
    fn soon_full(&self, left: f64, noise: f64) -> bool {
        self.recent.newest_rise() > noise && self.recent.grown(PACE_S) * SOON_S > left * PACE_S
    }
}

impl CacheAware {
    /// Takes a new sample in.
    #[inline]
    fn take(&mut self, t: f64, anatomy: &Anatomy, limit: f64, high: Option<f64>) {
        let held = anatomy.held();
        if self.given_back(held, limit) {
            self.firing = None;
        }
        self.recent.push(Moment {
            t,
            held,
            rss: anatomy.rss,
            lazy: anatomy.lazy,
            high,
        });
        // An alarm stays on until memory is given back.
        if let Some(class) = self.reason(t, anatomy, limit) {
            self.firing.get_or_insert(class);
        }
    }
}

impl Detector for CacheAware {
    fn observe(&mut self, scrape: &Scrape) -> Verdict {
        let reading = &scrape.reading;
        let Some((anatomy, limit)) = Anatomy::of(reading).zip(reading.limit()) else {
            return Verdict::Quiet(None);
        };
        // The same sample again: nothing is known that was not known before.
        if self.last_ms.replace(scrape.timestamp_ms) != Some(scrape.timestamp_ms) {
            self.composition.add(&anatomy, limit);
            self.take(scrape.t, &anatomy, limit, reading.get(Metric::EventsHigh));
        }
        self.verdict(limit)
    }

    /// A level that a life before this one reached and was not killed at is none to worry about: without
    /// that the first tooth of every life's saw looks like a leak.
    fn begin_again(&mut self) -> bool {
        let survived = self.survived.max(self.peak);
        *self = CacheAware {
            survived,
            ..CacheAware::new()
        };
        true
    }

    fn observe_run(&mut self, run: &Run, changes: &mut Changes) {
        let mut known: Option<(&Row, Anatomy)> = None;
        for (index, (t, row)) in run.t.iter().zip(&run.rows).enumerate() {
            // Most of a day nothing moves.
            let same = known.filter(|(before, _)| *before == row).map(|(_, a)| a);
            if let Some(anatomy) = same.or_else(|| Anatomy::of_row(row)) {
                known = Some((row, anatomy));
                // What it is made of names an alarm and decides none, and nobody asks a run for a name.
                self.take(*t, &anatomy, run.limit, row.events_high);
                changes.set(index, self.firing.is_some());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::detector::testing::first_fire;

    const LIMIT: f64 = 1e9;

    /// Scrapes of a container with so much anon and active file cache at each time.
    fn scrapes(
        n: usize,
        memory: impl Fn(f64) -> (f64, f64),
    ) -> impl Iterator<Item = (f64, Vec<(Metric, f64)>)> {
        (0..n).map(move |i| {
            let t = i as f64 * 15.0;
            let (anon, cache) = memory(t);
            let values = vec![
                (Metric::Usage, anon + cache),
                (Metric::Rss, anon),
                (Metric::Cache, cache),
                (Metric::ActiveFile, cache),
                (Metric::InactiveFile, 0.0),
                (Metric::SpecLimit, LIMIT),
            ];
            (t, values)
        })
    }

    fn fire(n: usize, memory: impl Fn(f64) -> (f64, f64)) -> Option<f64> {
        first_fire(&mut CacheAware::new(), scrapes(n, memory))
    }

    #[test]
    fn cache_up_to_the_limit_is_no_reason() {
        let cached = |t: f64| (0.1 * LIMIT, (t * 1e6).min(0.9 * LIMIT));
        assert_eq!(fire(400, cached), None);
    }

    #[test]
    fn a_leak_below_the_cache_is_seen() {
        let leak = |t: f64| {
            let anon = (0.2 + t / 1000.0) * LIMIT;
            (anon, LIMIT - anon)
        };
        // 92 % is passed at 720 s.
        assert_eq!(fire(54, leak), Some(735.0));
    }

    #[test]
    fn a_level_and_a_jump_are_no_reason() {
        assert_eq!(fire(400, |_| (0.95 * LIMIT, 0.0)), None);
        let jump = |t: f64| (if t < 600.0 { 0.2 } else { 0.95 } * LIMIT, 0.0);
        assert_eq!(fire(400, jump), None);
    }

    #[test]
    fn a_saw_tooth_is_no_reason() {
        let tooth = |t: f64| ((0.46 + 0.5 * (t % 600.0) / 600.0) * LIMIT, 0.0);
        // Near the limit the first tooth can't be told from a leak; the others have been seen before.
        let mut detector = CacheAware::new();
        let mut all = scrapes(400, tooth);
        let mut first = all.by_ref().take(41);
        while first_fire(&mut detector, first.by_ref()).is_some() {}
        assert_eq!(first_fire(&mut detector, all), None);
    }

    #[test]
    fn a_slow_steady_rise_is_seen_far_from_the_limit() {
        let slow = |t: f64| (0.1 * LIMIT + t * LIMIT / 20_000.0, 0.0);
        let at = fire(400, slow).unwrap();
        assert!((4200.0..=4600.0).contains(&at), "{at}");
    }

    #[test]
    fn what_fills_up_to_its_setting_and_what_warms_up_is_no_reason() {
        for top in [0.6, 0.75, 0.86, 0.9] {
            for seconds in [120.0, 600.0, 1100.0] {
                let fill = |t: f64| (0.05f64.max(top * (t / seconds).min(1.0)) * LIMIT, 0.0);
                assert_eq!(fire(600, fill), None, "to {top} in {seconds} s");
            }
            let warm_up = |t: f64| {
                (
                    (0.05 + (top - 0.05) * (1.0 - (-t / 1200.0).exp())) * LIMIT,
                    0.0,
                )
            };
            assert_eq!(fire(600, warm_up), None, "to {top}, slower and slower");
        }
        // A start is in the first bucket, and then there is next to nothing.
        let start = |t: f64| {
            (
                (0.2 + t / 1e6 - 0.15 * f64::from(u8::from(t < 1.0))) * LIMIT,
                0.0,
            )
        };
        assert_eq!(fire(600, start), None);
    }

    #[test]
    fn what_came_back_to_where_it_was_is_no_news() {
        let twice = |t: f64| {
            let since = if t < 3600.0 { t } else { t - 3600.0 };
            ((0.05 + 0.55 * (since / 3500.0).min(1.0)) * LIMIT, 0.0)
        };
        let mut detector = CacheAware::new();
        let mut all = scrapes(480, twice);
        // At such a pace the first rise can't be told from a leak.
        let mut first = all.by_ref().take(240);
        while first_fire(&mut detector, first.by_ref()).is_some() {}
        assert_eq!(first_fire(&mut detector, all), None);
    }

    #[test]
    fn a_level_that_the_life_before_reached_is_no_news_and_more_than_that_is() {
        let rise = |to: f64| move |t: f64| ((0.05 + (to - 0.05) * t / 6000.0) * LIMIT, 0.0);
        let mut detector = CacheAware::new();
        let mut first = scrapes(400, rise(0.6));
        // At such a pace the first rise can't be told from a leak.
        assert!(first_fire(&mut detector, first.by_ref()).is_some());
        while first_fire(&mut detector, first.by_ref()).is_some() {}
        assert!(detector.begin_again());
        assert_eq!(first_fire(&mut detector, scrapes(400, rise(0.58))), None);
        assert!(detector.begin_again());
        assert!(first_fire(&mut detector, scrapes(400, rise(0.9))).is_some());
    }

    #[test]
    fn a_rise_near_the_limit_is_seen_fast_slow_or_in_steps() {
        let at_pace = |per_minute: f64| {
            fire(4000, move |t| {
                ((0.3 + per_minute * t / 60.0).min(1.0) * LIMIT, 0.0)
            })
        };
        for per_minute in [0.3, 0.05, 0.02] {
            let at = at_pace(per_minute).unwrap();
            assert!(
                (0.3 + per_minute * at / 60.0) < 1.0,
                "{per_minute} a minute: {at}"
            );
        }
        // Too slow for three minutes to show it, and in bursts.
        let bursts = |t: f64| ((0.9 + 0.004 * (t / 300.0).floor()) * LIMIT, 0.0);
        let at = fire(4000, bursts).unwrap();
        assert!(at < 0.08 / 0.004 * 300.0, "{at}");
        // A fork copies pages: from a level to the limit in a minute.
        let steps = |t: f64| {
            (
                (0.83 + 0.045 * ((t - 600.0).max(0.0) / 15.0).floor()) * LIMIT,
                0.0,
            )
        };
        assert_eq!(fire(44, steps), Some(630.0));
    }
}
