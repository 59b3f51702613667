//! A rate held against the clock.

use super::clock;

/// How far behind its schedule a workload may fall and still catch up. After a longer stall (the
/// limit was hit, the disk was full of dirty pages) the schedule moves instead: a burst to make up
/// for it would be a load nobody asked for.
const CATCH_UP_NS: u64 = 250_000_000;

/// The shortest sleep worth its price; what falls due within it is done in one go.
const GRAIN_NS: u64 = 1_000_000;

/// Lets bytes through at a rate, on a schedule fixed at the start: a late byte doesn't delay the
/// ones after it, so nothing drifts.
#[derive(Debug)]
pub struct Pace {
    rate: Option<u64>,
    start: u64,
    /// So many bytes may pass before the clock is read again.
    allowed: u64,
}

impl Pace {
    /// Starts the schedule now. No rate lets everything through.
    pub fn start(rate: Option<u64>) -> Self {
        let allowed = if rate.is_some() { 0 } else { u64::MAX };
        Pace {
            rate,
            start: clock::now(),
            allowed,
        }
    }

    /// When it was started (moved on by what could not be caught up), nanoseconds.
    pub fn started(&self) -> u64 {
        self.start
    }

    /// Waits until more than `done` bytes are due, but not beyond `deadline`.
    #[inline]
    pub fn wait(&mut self, done: u64, deadline: u64) {
        if done >= self.allowed {
            self.wait_slowly(done, deadline);
        }
    }

    fn wait_slowly(&mut self, done: u64, deadline: u64) {
        let Some(rate) = self.rate else { return };
        let due_at = self.start.saturating_add(time_for(done, rate));
        let mut now = clock::now();
        if now < due_at {
            clock::sleep_until(due_at.saturating_add(GRAIN_NS).min(deadline.max(now)));
            now = clock::now();
        } else if now - due_at > CATCH_UP_NS {
            self.start += now - due_at - CATCH_UP_NS;
        }
        let due = bytes_in(now.saturating_sub(self.start), rate);
        self.allowed = due.max(done + 1);
    }
}

/// Nanoseconds that `bytes` take.
fn time_for(bytes: u64, rate: u64) -> u64 {
    let ns = u128::from(bytes) * 1_000_000_000 / u128::from(rate.max(1));
    u64::try_from(ns).unwrap_or(u64::MAX)
}

/// Bytes due after `ns`.
pub fn bytes_in(ns: u64, rate: u64) -> u64 {
    let bytes = u128::from(ns) * u128::from(rate) / 1_000_000_000;
    u64::try_from(bytes).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rate_is_held_without_drift() {
        let mut pace = Pace::start(Some(1_000_000));
        let begin = clock::now();
        let mut done = 0;
        while done < 100_000 {
            pace.wait(done, u64::MAX);
            done += 100;
        }
        let ms = (clock::now() - begin) / 1_000_000;
        // Never early; late by the grain and whatever the machine was busy with.
        assert!(ms >= 99, "{ms} ms for 100 ms of work");
    }

    #[test]
    fn a_long_stall_is_not_made_up_for() {
        let mut pace = Pace::start(Some(1_000_000));
        pace.start -= 10_000_000_000;
        pace.wait(0, u64::MAX);
        // Ten seconds late are cut to the catch-up, a quarter of a second: 250,000 bytes.
        assert!(
            (250_000..300_000).contains(&pace.allowed),
            "{}",
            pace.allowed
        );
    }

    #[test]
    fn no_rate_never_waits_and_reads_no_clock() {
        let mut pace = Pace::start(None);
        pace.wait(u64::MAX - 1, 0);
        assert_eq!(pace.allowed, u64::MAX);
    }
}
