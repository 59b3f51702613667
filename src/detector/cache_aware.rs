//! `cache-aware`: our own. It takes a container's memory apart with what one cAdvisor scrape shows
//! ([`super::anatomy`]), and looks at what the kernel can't take back: anonymous memory that was
//! not freed lazily, and files in memory.
//!
//! It fires in four cases:
//!
//! - **near the limit and rising**: what can't be taken back is above 80 % of the limit, higher
//!   than it ever was before it was last given back, and has risen in most parts of the last three
//!   minutes. A level alone is no reason (a service may use what it was given), nor is a jump that
//!   is over.
//! - **in use again**: at the limit, memory that counted as lazily freed vanishes several times
//!   faster than memory is added: the kernel looks for free pages and finds used ones.
//! - **rising all along**: for half an hour the lowest point of every bucket is above that of the
//!   one before, with hardly an exception, and it adds up, but slowly. That is what a slow leak
//!   looks like from far away from the limit; a warm-up is faster, a garbage collector gives back.
//! - **standing still**: throttled at memory.high most of the last three minutes, with next to
//!   no cache that could be dropped instead (cgroup v2).
//!
//! Kernel memory and half-released huge pages are named but no reason to fire: the kernel takes
//! them back under pressure, and a scrape can't tell the kinds that it would not.

use super::anatomy::{Anatomy, Composition};
use super::recent::{Moment, Recent};
use super::trend::{Keep, Trend};
use super::{BuiltIn, Detector, Scrape, Verdict};
use crate::export::Metric;
use crate::scenario::Class;

/// Below this share of the limit nothing is urgent: the level the usual rules take.
const NEAR: f64 = 0.8;
/// From this share of the limit on, the kernel has to look for pages.
const AT_LIMIT: f64 = 0.98;
/// A rise smaller than this share of the limit is noise: kernel counters lag by some pages a CPU.
const NOISE: f64 = 0.002;
/// A fall of this share of the limit means that memory was given back by whoever held it.
const GIVEN_BACK: f64 = 0.1;

/// The long view: forty minutes, of which this many (one-minute) buckets must be there.
const LONG_S: f64 = 2400.0;
const LONG_BUCKETS: usize = 30;
/// The share of neighbouring buckets that must rise, and what the rise must come to, as a share
/// of the limit.
const STEADY: f64 = 0.9;
const ADDS_UP: f64 = 0.05;
/// What at its rate would fill the limit sooner than this is no slow leak, seconds: it is there
/// soon, or it ends; a start-up does. Longer would be quieter on recordings from emulators, where
/// everything takes its time, and deaf to the leaks of real machines.
const SLOW_S: f64 = 1.5 * 3600.0;
/// The deepest fall on the way up, as a share of the rise: more is giving back.
const FALLEN: f64 = 0.1;
/// With more cache than this share of usage, throttling is only the price of dropping some.
const DROPPABLE: f64 = 0.2;

pub(super) const BUILT_IN: BuiltIn = BuiltIn {
    name: "cache-aware",
    summary: "what can't be reclaimed nears the limit or rises for half an hour; names the class",
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
    long: Trend,
    /// The highest level from which memory was given back.
    survived: f64,
    /// The highest level since then.
    peak: f64,
    firing: Option<Class>,
    last_ms: Option<i64>,
}

impl CacheAware {
    fn new() -> Self {
        CacheAware {
            composition: Composition::default(),
            recent: Recent::default(),
            long: Trend::new(LONG_S, Keep::Lowest),
            survived: 0.0,
            peak: 0.0,
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
        // The long view is fed at every scrape, whatever else there is to say.
        let long = self.long.push(t, held) && self.rising_all_along(limit);
        let at_limit = anatomy.usage > AT_LIMIT * limit;
        if at_limit && self.recent.lazy_vanishes(GIVEN_BACK * limit) {
            return Some(Class::OomAhead);
        }
        let new_height = held > self.survived + NOISE * limit;
        let rising = |recent: &Recent| recent.rising(NOISE * limit, |m| Some(m.held));
        if long || (held > NEAR * limit && new_height && rising(&self.recent)) {
            return Some(self.composition.class_of_growth(anatomy, limit));
        }
        let stuck = anatomy.file < DROPPABLE * anatomy.usage && self.recent.rising(0.0, |m| m.high);
        stuck.then_some(Class::Throttled)
    }

    fn verdict(&self, limit: f64) -> Verdict {
        match self.firing {
            Some(class) => Verdict::Fire(Some(class)),
            None => Verdict::Quiet(Some(self.composition.class(limit))),
        }
    }

    /// Whether the long view shows nothing but a rise.
    fn rising_all_along(&mut self, limit: f64) -> bool {
        if self.long.buckets().len() < LONG_BUCKETS {
            return false;
        }
        let (mut highest, mut fallen): (f64, f64) = (0.0, 0.0);
        for (_, value) in self.long.buckets() {
            highest = value.max(highest);
            fallen = (highest - value).max(fallen);
        }
        let ends = (self.long.buckets().next(), self.long.buckets().next_back());
        let (Some((t0, first)), Some((t1, last))) = ends else {
            return false;
        };
        let rise = last - first;
        rise > ADDS_UP * limit
            && rise * SLOW_S < limit * (t1 - t0)
            && fallen < FALLEN * rise
            && self.long.rising(usize::MAX, 0.0) >= STEADY
    }
}

impl Detector for CacheAware {
    fn observe(&mut self, scrape: &Scrape) -> Verdict {
        let reading = &scrape.reading;
        let Some((anatomy, limit)) = Anatomy::of(reading).zip(reading.limit()) else {
            return Verdict::Quiet(None);
        };
        if self.last_ms.replace(scrape.timestamp_ms) == Some(scrape.timestamp_ms) {
            // The same sample again: nothing is known that was not known before.
            return self.verdict(limit);
        }
        let held = anatomy.held();
        self.composition.add(&anatomy, limit);
        if self.given_back(held, limit) {
            self.firing = None;
        }
        self.recent.push(Moment {
            t: scrape.t,
            held,
            rss: anatomy.rss,
            lazy: anatomy.lazy,
            high: reading.get(Metric::EventsHigh),
        });
        // An alarm stays on until memory is given back.
        if let Some(class) = self.reason(scrape.t, &anatomy, limit) {
            self.firing.get_or_insert(class);
        }
        self.verdict(limit)
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
        // 80 % is passed at 600 s.
        assert_eq!(fire(54, leak), Some(615.0));
    }

    #[test]
    fn a_level_and_a_jump_are_no_reason() {
        assert_eq!(fire(400, |_| (0.95 * LIMIT, 0.0)), None);
        let jump = |t: f64| (if t < 600.0 { 0.2 } else { 0.95 } * LIMIT, 0.0);
        assert_eq!(fire(400, jump), None);
    }

    #[test]
    fn a_saw_tooth_is_no_reason() {
        let tooth = |t: f64| ((0.4 + 0.5 * (t % 600.0) / 600.0) * LIMIT, 0.0);
        // Above 80 % the first tooth can't be told from a leak; the others have been seen before.
        let mut detector = CacheAware::new();
        let mut all = scrapes(400, tooth);
        let mut first = all.by_ref().take(41);
        while first_fire(&mut detector, first.by_ref()).is_some() {}
        assert_eq!(first_fire(&mut detector, all), None);
    }

    #[test]
    fn a_slow_steady_rise_is_seen_far_from_the_limit() {
        let slow = |t: f64| (0.1 * LIMIT + t * LIMIT / 30_000.0, 0.0);
        let at = fire(400, slow).unwrap();
        assert!((1800.0..=2000.0).contains(&at), "{at}");
    }
}
