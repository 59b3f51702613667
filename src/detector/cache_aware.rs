//! `cache-aware`: our own. It takes a container's memory apart with what one cAdvisor scrape shows
//! ([`super::anatomy`]), and looks only at what the kernel can't take back.
//!
//! It fires in two cases:
//!
//! - **near the limit and rising**: what can't be taken back is above 80 % of the limit, higher
//!   than it ever was before it was last given back, and has risen in each of the last three
//!   minutes. A level alone is no reason (a service may use what it was given), nor is a jump that
//!   is over.
//! - **rising all along**: the lowest point of every bucket of the last half hour is above that of
//!   the bucket before, with hardly an exception, and it adds up. That is what a slow leak looks
//!   like from far away from the limit; a warm-up ends, a garbage collector gives back.

use std::collections::VecDeque;

use super::anatomy::{Anatomy, Composition};
use super::trend::{Keep, Trend};
use super::{BuiltIn, Detector, Scrape, Verdict};
use crate::export::Metric;
use crate::scenario::Class;

/// Below this share of the limit nothing is urgent: the level the usual rules take.
const NEAR: f64 = 0.8;
/// The time over which it must have been rising, seconds, and in how many parts of it.
const RISING_S: f64 = 180.0;
const PARTS: usize = 3;
/// A rise smaller than this share of the limit is noise: kernel counters lag by some pages a CPU.
const NOISE: f64 = 0.002;
/// A fall of this share of the limit means that memory was given back by whoever held it.
const GIVEN_BACK: f64 = 0.1;

/// The long view: half an hour, of which this many buckets must be there.
const LONG_S: f64 = 1800.0;
const LONG_BUCKETS: usize = 30;
/// The share of neighbouring buckets that must rise, and what the rise must come to, as a share
/// of the limit.
const STEADY: f64 = 0.9;
const ADDS_UP: f64 = 0.05;
/// The deepest fall on the way up, as a share of the rise: more is giving back.
const FALLEN: f64 = 0.1;

pub(super) const BUILT_IN: BuiltIn = BuiltIn {
    name: "cache-aware",
    summary: "what can't be reclaimed is near the limit and rising, or rises steadily for half an hour; names the class",
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
    recent: VecDeque<(f64, f64)>,
    long: Trend,
    /// The highest level from which memory was given back.
    survived: f64,
    /// The highest level since then.
    peak: f64,
    firing: Option<Class>,
}

impl CacheAware {
    fn new() -> Self {
        CacheAware {
            composition: Composition::default(),
            recent: VecDeque::new(),
            long: Trend::new(LONG_S, Keep::Lowest),
            survived: 0.0,
            peak: 0.0,
            firing: None,
        }
    }

    /// Keeps what is needed of the level's past.
    fn remember(&mut self, t: f64, level: f64, limit: f64) {
        self.peak = self.peak.max(level);
        if self.peak - level > GIVEN_BACK * limit {
            self.survived = self.survived.max(self.peak);
            self.peak = level;
        }
        self.recent.push_back((t, level));
        // One scrape from before the window is kept: its value held until the window began.
        while self
            .recent
            .get(1)
            .is_some_and(|(then, _)| *then <= t - RISING_S)
        {
            self.recent.pop_front();
        }
    }

    /// Whether the level rose in each part of the last minutes.
    fn rising(&self, t: f64, limit: f64) -> bool {
        let at = |ago: f64| {
            let until = self.recent.partition_point(|(then, _)| *then <= t - ago);
            until.checked_sub(1).map(|i| self.recent[i].1)
        };
        let step = RISING_S / PARTS as f64;
        (0..PARTS).all(|part| {
            let (later, earlier) = (at(part as f64 * step), at((part + 1) as f64 * step));
            later
                .zip(earlier)
                .is_some_and(|(later, earlier)| later - earlier > NOISE * limit)
        })
    }

    /// Whether the long view shows nothing but a rise.
    fn rising_all_along(&mut self, limit: f64) -> bool {
        if self.long.buckets().len() < LONG_BUCKETS {
            return false;
        }
        let (mut first, mut last, mut highest, mut fallen) = (None, 0.0, 0.0, 0.0);
        for (_, value) in self.long.buckets() {
            first.get_or_insert(value);
            last = value;
            highest = value.max(highest);
            fallen = (highest - value).max(fallen);
        }
        let rise = last - first.unwrap_or(last);
        rise > ADDS_UP * limit
            && fallen < FALLEN * rise
            && self.long.rising(usize::MAX, 0.0) >= STEADY
    }
}

impl Detector for CacheAware {
    fn observe(&mut self, scrape: &Scrape) -> Verdict {
        let Some((anatomy, limit)) = Anatomy::of(&scrape.reading).zip(scrape.reading.limit())
        else {
            return Verdict::Quiet(None);
        };
        self.composition.add(&anatomy, &scrape.reading, limit);
        let level = anatomy.held();
        self.remember(scrape.t, level, limit);
        let new_height = level > self.survived + NOISE * limit;
        let near = level > NEAR * limit && new_height && self.rising(scrape.t, limit);
        let long = self.long.push(scrape.t, anatomy.held()) && self.rising_all_along(limit);
        if near || long {
            let class = self.composition.class_of_growth(&anatomy, limit);
            self.firing.get_or_insert(class);
        } else if level < NEAR * limit && !self.rising(scrape.t, limit) {
            self.firing = None;
        }
        match self.firing {
            Some(class) => Verdict::Fire(Some(class)),
            None => Verdict::Quiet(Some(self.composition.class(limit))),
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
        assert!((1300.0..=1600.0).contains(&at), "{at}");
    }
}
