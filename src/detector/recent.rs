//! The last minutes of a container, scrape by scrape.

use super::newest::Queue;

/// The time over which a rise must be seen, seconds; in how many parts of it is looked, and in how
/// many it must be there. A jump falls into two parts at most, a leak may stand still in one.
const RISING_S: f64 = 180.0;
const PARTS: usize = 4;
const RISING_PARTS: usize = 3;
/// The time over which lazily freed memory is compared with what was added, seconds.
const VANISH_S: f64 = 60.0;
/// How long what was added is remembered for that, seconds, and how many moments at the least.
const MEMORY_S: f64 = 600.0;
const MOMENTS: usize = 2 * PARTS + 1;
/// How many times faster it must go than memory was added.
const FASTER: f64 = 3.0;

/// What is remembered of a scrape.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Moment {
    /// When, seconds.
    pub t: f64,
    /// What can't be taken back, bytes.
    pub held: f64,
    /// Everything anonymous, bytes.
    pub rss: f64,
    /// What of it counts as lazily freed, bytes.
    pub lazy: f64,
    /// Times the container was throttled at memory.high.
    pub high: Option<f64>,
}

/// The moments of the last minutes, the newest last.
#[derive(Debug, Clone, Default)]
pub struct Recent {
    moments: Queue<Moment>,
    /// When the counter of throttling last differed from the moment before.
    throttled: Option<f64>,
    /// When there was last anything lazily freed.
    lazy: Option<f64>,
}

impl Recent {
    /// Adds a moment and forgets what is too old.
    pub fn push(&mut self, moment: Moment) {
        let last = self.moments.last();
        if last.is_some_and(|last| last.high != moment.high) {
            self.throttled = Some(moment.t);
        }
        if moment.lazy > 0.0 {
            self.lazy = Some(moment.t);
        }
        self.moments.push(moment);
        let from = moment.t - MEMORY_S;
        // One from before the window is kept: its values held until the window began.
        while self.moments.len() > MOMENTS && self.moments[1].t <= from {
            self.moments.drop_first();
        }
    }

    /// The values that held `ago` seconds before the newest.
    fn at(&self, ago: f64) -> Option<&Moment> {
        let t = self.moments.last()?.t - ago;
        let until = self.moments.partition_point(|moment| moment.t <= t);
        self.moments.get(until.checked_sub(1)?)
    }

    /// By how much what is held has grown in the last `seconds`; the whole time where that is less.
    pub fn grown(&self, seconds: f64) -> f64 {
        let now = self.moments.last().map_or(0.0, |m| m.held);
        let then = self
            .at(seconds)
            .or(self.moments.first())
            .map_or(now, |m| m.held);
        now - then
    }

    /// By how much the newest scrape is above the one before.
    pub fn newest_rise(&self) -> f64 {
        let mut newest = self.moments.iter().rev().map(|m| m.held);
        newest
            .next()
            .zip(newest.next())
            .map_or(0.0, |(now, before)| now - before)
    }

    /// Whether each of the last two scrapes showed a rise of more than `noise`, and both together
    /// one of more than `left`: another such, and nothing is.
    pub fn stepped(&self, left: f64, noise: f64) -> bool {
        let mut newest = self.moments.iter().rev().map(|m| m.held);
        let (Some(now), Some(before), Some(first)) = (newest.next(), newest.next(), newest.next())
        else {
            return false;
        };
        now - before > noise && before - first > noise && now - first > left
    }

    /// Whether it was throttled at memory.high in most parts of the last three minutes.
    pub fn throttling(&self) -> bool {
        // Nothing of that, if the counter has stood still for as long as anything is remembered.
        let oldest = self.moments.first().map(|m| m.t);
        let moved = self.throttled.zip(oldest).is_some_and(|(at, t)| at >= t);
        moved && self.rising(0.0, |m| m.high)
    }

    /// Whether a value rose by more than `noise` in most parts of the last three minutes.
    pub fn rising(&self, noise: f64, value: impl Fn(&Moment) -> Option<f64>) -> bool {
        // With samples further apart than a part is long, a part is from sample to sample.
        let newest = self.moments.iter().rev().take(PARTS + 1).map(|m| m.t);
        let gaps = newest
            .clone()
            .zip(newest.skip(1))
            .map(|(late, early)| late - early);
        let step = gaps.fold(RISING_S / PARTS as f64, f64::max);
        let value = |ago: f64| self.at(ago).and_then(&value);
        let rising = (0..PARTS).filter(|part| {
            let later = value(*part as f64 * step);
            let earlier = value((part + 1) as f64 * step);
            later.zip(earlier).is_some_and(|(l, e)| l - e > noise)
        });
        rising.count() >= RISING_PARTS
    }

    /// Whether what counted as lazily freed goes faster than memory is added: `least` bytes of it
    /// in the last minute, and several times what was added in any minute of the last ten.
    ///
    /// Reclaim takes one page for each that is asked for. Where it looks at many more, it finds
    /// pages that were written again after they were freed: they are in use, and it puts them back.
    pub fn lazy_vanishes(&self, least: f64) -> bool {
        // Most containers never have any.
        let oldest = self.moments.first().map(|m| m.t);
        let known = self.lazy.zip(oldest).is_some_and(|(at, t)| at >= t);
        if !known && least > 0.0 {
            return false;
        }
        let Some((newest, before)) = self.moments.last().zip(self.at(VANISH_S)) else {
            return false;
        };
        let gone = before.lazy - newest.lazy;
        if gone < least {
            return false;
        }
        let mut earlier = 0;
        let mut added: f64 = 0.0;
        for later in self.moments.iter() {
            while self.moments[earlier].t < later.t - VANISH_S {
                earlier += 1;
            }
            // From the last moment before the minute began, or growth between two scrapes that
            // are more than a minute apart would be overlooked.
            let from = self.moments[earlier.saturating_sub(1)].rss;
            added = added.max(later.rss - from);
        }
        // In a fall of rss the pages were unmapped, not looked at.
        gone > FASTER * added && newest.rss > before.rss - least / 2.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn moments(of: impl Fn(f64) -> (f64, f64)) -> Recent {
        let mut recent = Recent::default();
        for i in 0..40 {
            let t = i as f64 * 15.0;
            let (rss, lazy) = of(t);
            recent.push(Moment {
                t,
                held: rss - lazy,
                rss,
                lazy,
                high: None,
            });
        }
        recent
    }

    #[test]
    fn what_was_freed_goes_as_fast_as_memory_is_added() {
        // 600 s at 1 a second; at 500 the limit of 1,000 is reached and 1 a second is dropped.
        let dropped = moments(|t| ((500.0 + t).min(1000.0), 400.0 - (t - 500.0).max(0.0)));
        assert!(!dropped.lazy_vanishes(50.0));
    }

    #[test]
    fn what_is_in_use_again_goes_at_once() {
        let looked_at = moments(|t| ((500.0 + t).min(1000.0), 400.0 - 10.0 * (t - 560.0).max(0.0)));
        assert!(looked_at.lazy_vanishes(50.0));
    }

    #[test]
    fn a_step_is_two_rises_and_a_jump_is_one() {
        let at_585 = |t: f64| f64::from(u8::from(t >= 585.0));
        assert!(
            moments(|t| (700.0 + 60.0 * at_585(t) + 60.0 * at_585(t + 15.0), 0.0))
                .stepped(100.0, 1.0)
        );
        assert!(!moments(|t| (700.0 + 120.0 * at_585(t), 0.0)).stepped(100.0, 1.0));
        assert!(!moments(|t| (700.0 + 60.0 * at_585(t + 15.0), 0.0)).stepped(100.0, 1.0));
        assert_eq!(moments(|t| (t, 0.0)).grown(60.0), 60.0);
    }

    #[test]
    fn rising_is_rising_all_the_time() {
        let held = |m: &Moment| Some(m.held);
        assert!(moments(|t| (t, 0.0)).rising(1.0, held));
        assert!(!moments(|t| (t.min(450.0), 0.0)).rising(1.0, held));
        // One part without a rise is let pass, a jump is not.
        assert!(moments(|t| (t.min(500.0) + (t - 540.0).max(0.0), 0.0)).rising(1.0, held));
        assert!(!moments(|t| (500.0 * (t / 500.0).floor(), 0.0)).rising(1.0, held));
        assert!(!moments(|t| (t, 0.0)).rising(1.0, |m| m.high));
    }
}
