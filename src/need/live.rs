//! The need of a cgroup that runs: less and less, step by step, until it shows.
//!
//! Pure: readings in, the next step out. Who lowers what, and puts it back, is another's business.

use crate::named::named;

/// What a cgroup's files say at one moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reading {
    /// `memory.current`, bytes.
    pub usage: u64,
    /// `memory.pressure`, `some`, total, µs; none where the kernel has no pressure.
    pub stalled_us: Option<u64>,
    /// What was read again since it was evicted, bytes; none where it is not counted.
    pub read_again: Option<u64>,
    /// Processes that the OOM killer ended.
    pub killed: u64,
}

/// What happened between two readings.
#[derive(Debug, Clone, Copy, PartialEq, serde::Serialize)]
pub struct Seen {
    /// The size that it was asked to shrink to, bytes; none before the first step.
    pub target: Option<u64>,
    /// At the end, bytes.
    pub usage: u64,
    /// Share of the time in which some process waited for memory.
    pub stalled: Option<f64>,
    /// Bytes read again, a second.
    pub read_again: Option<f64>,
    /// Processes that the OOM killer ended.
    pub killed: u64,
}

impl Seen {
    /// Between two readings that lie `seconds` apart.
    pub fn between(target: Option<u64>, before: Reading, after: Reading, seconds: f64) -> Seen {
        let seconds = seconds.max(1e-3);
        let rise = |a: Option<u64>, b: Option<u64>| Some(b?.saturating_sub(a?) as f64 / seconds);
        Seen {
            target,
            usage: after.usage,
            stalled: rise(before.stalled_us, after.stalled_us).map(|us| us / 1e6),
            read_again: rise(before.read_again, after.read_again),
            killed: after.killed.saturating_sub(before.killed),
        }
    }
}

named! {
    /// Why it goes no lower.
    #[derive(serde::Serialize)]
    #[serde(rename_all = "snake_case")]
    Sign, words {
        /// Processes waited for memory.
        Stalled = "its processes waited for memory",
        /// What was taken was read again.
        ReadAgain = "it read again what had been taken",
        /// The OOM killer came.
        Killed = "the OOM killer came",
        /// What was asked for could not be taken.
        NotTaken = "the rest can't be taken from it",
        /// There is next to nothing left.
        Floor = "there is next to nothing left to take",
    }
}

/// What to do next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Next {
    /// Shrink it to so many bytes, and look.
    Lower(u64),
    /// Put back what was there.
    End(Sign),
}

/// The way down.
#[derive(Debug, Clone)]
pub struct Descent {
    step: u64,
    loss: f64,
    before: Option<Seen>,
    /// The last size that was asked for.
    target: u64,
    /// The last size at which nothing was seen.
    good: u64,
    sign: Option<Sign>,
}

impl Descent {
    /// From `usage` bytes down, by `share` of it a step. A sign is what exceeds what was seen before
    /// the first step by `loss`: of the time stalled; of a step's bytes a second read again.
    pub fn new(usage: u64, share: f64, loss: f64) -> Descent {
        let step = (usage as f64 * share) as u64;
        Descent {
            step: step.max(64 << 10),
            loss,
            before: None,
            target: usage,
            good: usage,
            sign: None,
        }
    }

    /// Takes what was seen since the last step (the first time: before any), and says what to do.
    /// After an end it never goes on.
    pub fn next(&mut self, seen: Seen) -> Next {
        if let Some(sign) = self.sign {
            return Next::End(sign);
        }
        if let Some(before) = self.before {
            if let Some(sign) = self.sign_in(before, seen) {
                self.sign = Some(sign);
                return Next::End(sign);
            }
            // It may hold less than it was left: then it lives with that.
            self.good = self.target.min(seen.usage);
        } else {
            self.before = Some(seen);
        }
        // It may have shrunk by itself; what grew again is taken again.
        let from = self.target.min(seen.usage.max(self.step));
        if from < 2 * self.step {
            self.sign = Some(Sign::Floor);
            return Next::End(Sign::Floor);
        }
        self.target = from - self.step;
        Next::Lower(self.target)
    }

    fn sign_in(&self, before: Seen, seen: Seen) -> Option<Sign> {
        let more = |now: Option<f64>, then: Option<f64>| now.unwrap_or(0.0) - then.unwrap_or(0.0);
        if seen.killed > 0 {
            Some(Sign::Killed)
        } else if more(seen.read_again, before.read_again) > self.loss * self.step as f64 {
            Some(Sign::ReadAgain)
        } else if more(seen.stalled, before.stalled) > self.loss {
            Some(Sign::Stalled)
        } else if seen.usage > self.target + self.step {
            Some(Sign::NotTaken)
        } else {
            None
        }
    }

    /// Above the first it showed no sign; at the first it did (at [`Sign::Floor`] it never did, and
    /// the first is 0). At the second, all was well. Bytes.
    pub fn interval(&self) -> (u64, u64) {
        match self.sign {
            Some(Sign::Floor) => (0, self.good),
            _ => (self.target.min(self.good), self.good),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const MIB: u64 = 1 << 20;

    /// A program that holds `usage`, and needs `need` of it, of which `fixed` can't be taken.
    fn walk(usage: u64, need: u64, fixed: u64) -> (Descent, Sign, Vec<u64>) {
        let mut descent = Descent::new(usage, 0.02, 0.05);
        let mut targets = Vec::new();
        let mut seen = Seen {
            target: None,
            usage,
            stalled: Some(0.01),
            read_again: Some(0.0),
            killed: 0,
        };
        loop {
            match descent.next(seen) {
                Next::End(sign) => return (descent, sign, targets),
                Next::Lower(target) => {
                    targets.push(target);
                    seen = Seen {
                        target: Some(target),
                        usage: target.max(fixed).min(usage),
                        read_again: Some(need.saturating_sub(target) as f64),
                        ..seen
                    };
                }
            }
            assert!(targets.len() < 100, "it never ends");
        }
    }

    proptest! {
        #[test]
        fn the_need_is_found_within_two_steps_and_it_never_goes_below_its_first_sign(
            usage in 8 * MIB..(1u64 << 36), share in 0.1f64..0.95,
        ) {
            let need = (usage as f64 * share) as u64;
            let (mut descent, sign, targets) = walk(usage, need, 0);
            prop_assert_eq!(sign, Sign::ReadAgain);
            let (above, most) = descent.interval();
            let step = usage / 50 + 1;
            prop_assert!(above < need && need <= most + step, "{} {} {}", above, need, most);
            prop_assert!(most - above <= 2 * step);
            prop_assert!(targets.is_sorted_by(|a, b| a > b));
            // Whatever it is asked after the end, it does not go on.
            let calm = Seen { target: None, usage, stalled: None, read_again: None, killed: 0 };
            prop_assert_eq!(descent.next(calm), Next::End(sign));
        }
    }

    #[test]
    fn every_sign_ends_it() {
        let (descent, sign, _) = walk(100 * MIB, 0, 60 * MIB);
        assert_eq!(sign, Sign::NotTaken);
        let (above, most) = descent.interval();
        assert!(above < 60 * MIB && most <= 62 * MIB, "{above} {most}");
        let (descent, sign, _) = walk(100 * MIB, 0, 0);
        assert_eq!((sign, descent.interval().0), (Sign::Floor, 0));
        for (seen, sign) in [
            (
                Seen {
                    stalled: Some(0.2),
                    ..calm()
                },
                Sign::Stalled,
            ),
            (
                Seen {
                    killed: 1,
                    ..calm()
                },
                Sign::Killed,
            ),
        ] {
            let mut descent = Descent::new(100 * MIB, 0.02, 0.05);
            assert_eq!(descent.next(calm()), Next::Lower(98 * MIB));
            assert_eq!(descent.next(seen), Next::End(sign));
            assert_eq!(descent.interval(), (98 * MIB, 100 * MIB));
        }
    }

    fn calm() -> Seen {
        Seen {
            target: None,
            usage: 100 * MIB,
            stalled: Some(0.0),
            read_again: Some(0.0),
            killed: 0,
        }
    }

    #[test]
    fn what_went_on_before_the_first_step_is_no_sign() {
        let mut descent = Descent::new(100 * MIB, 0.02, 0.05);
        let busy = Seen {
            stalled: Some(0.3),
            read_again: Some(1e9),
            ..calm()
        };
        assert!(matches!(descent.next(busy), Next::Lower(_)));
        assert!(matches!(descent.next(busy), Next::Lower(_)));
    }

    #[test]
    fn rates_are_of_the_time_between_readings() {
        let reading = |us, bytes| Reading {
            usage: 1,
            stalled_us: us,
            read_again: bytes,
            killed: 0,
        };
        let seen = Seen::between(
            None,
            reading(Some(0), None),
            reading(Some(500_000), Some(3)),
            2.0,
        );
        assert_eq!((seen.stalled, seen.read_again), (Some(0.25), None));
    }
}
