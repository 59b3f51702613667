//! The sampler's clock: deadlines at `start + N x interval`, so that being late once does not make
//! every later sample late.

use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::time::Duration;

use nix::errno::Errno;
use nix::sys::time::TimeSpec;
use nix::sys::timerfd::{ClockId, Expiration, TimerFd, TimerFlags, TimerSetTimeFlags};
use nix::time::{ClockId as Now, clock_gettime};

use super::lateness::Lateness;
use crate::recording::HarnessCost;

/// Ticks at a fixed interval, and what they cost.
///
/// It belongs to one thread: the CPU time it reports is that of the thread that made it.
pub struct Clock {
    timer: TimerFd,
    interval_ns: u64,
    /// CLOCK_MONOTONIC at t = 0.
    origin_ns: u64,
    /// Expirations so far: the next deadline is `origin + expired * interval`.
    expired: u64,
    ticks: u64,
    lateness: Lateness,
    cpu_start_ns: u64,
}

/// One tick.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tick {
    /// Which deadline this is, from 0.
    pub index: u64,
    /// Deadlines before it that passed without a tick.
    pub missed: u64,
    /// How long after its deadline it is served.
    pub lateness_ns: u64,
}

impl Clock {
    /// Starts now: the first tick is due at once, at t = 0. The interval is not below 1 us.
    pub fn start(interval: Duration) -> io::Result<Self> {
        let interval = interval.max(Duration::from_micros(1));
        let origin_ns = monotonic_ns()?;
        let flags = TimerFlags::TFD_CLOEXEC | TimerFlags::TFD_NONBLOCK;
        let timer = TimerFd::new(ClockId::CLOCK_MONOTONIC, flags)?;
        // A first deadline that has passed fires at once.
        timer.set(
            Expiration::IntervalDelayed(
                TimeSpec::from_duration(Duration::from_nanos(origin_ns)),
                TimeSpec::from_duration(interval),
            ),
            TimerSetTimeFlags::TFD_TIMER_ABSTIME,
        )?;
        Ok(Clock {
            timer,
            interval_ns: u64::try_from(interval.as_nanos()).unwrap_or(u64::MAX),
            origin_ns,
            expired: 0,
            ticks: 0,
            lateness: Lateness::default(),
            cpu_start_ns: thread_cpu_ns(),
        })
    }

    /// Nanoseconds since the start.
    pub fn now_ns(&self) -> u64 {
        // It worked at the start, and the kernel does not take clocks away.
        monotonic_ns()
            .unwrap_or(self.origin_ns)
            .saturating_sub(self.origin_ns)
    }

    /// The tick that is due, if one is. Does not wait.
    pub fn tick(&mut self) -> io::Result<Option<Tick>> {
        let mut count = [0; 8];
        match nix::unistd::read(self.timer.as_fd(), &mut count) {
            Ok(_) => {}
            Err(Errno::EAGAIN | Errno::EINTR) => return Ok(None),
            Err(e) => return Err(e.into()),
        }
        let expired = u64::from_ne_bytes(count).max(1);
        let index = self.expired + expired - 1;
        self.expired += expired;
        self.ticks += 1;
        let deadline = index.saturating_mul(self.interval_ns);
        let lateness_ns = self.now_ns().saturating_sub(deadline);
        self.lateness.add(lateness_ns);
        Ok(Some(Tick {
            index,
            missed: expired - 1,
            lateness_ns,
        }))
    }

    /// Waits for the next tick. For loops that wait for nothing else; a signal does not end it.
    pub fn wait(&mut self) -> io::Result<Tick> {
        use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
        loop {
            let mut fds = [PollFd::new(self.timer.as_fd(), PollFlags::POLLIN)];
            match poll(&mut fds, PollTimeout::NONE) {
                Ok(_) | Err(Errno::EINTR) => {}
                Err(e) => return Err(e.into()),
            }
            if let Some(tick) = self.tick()? {
                return Ok(tick);
            }
        }
    }

    /// Ticks missed so far.
    pub fn missed(&self) -> u64 {
        self.expired - self.ticks
    }

    /// The cost up to now, for the footer; `rss` (bytes) is the caller's to find.
    ///
    /// CPU is the thread's whole time since the start over the ticks: all that the harness did
    /// in that thread, not only the reading.
    pub fn cost(&self, rss: u64) -> HarnessCost {
        let cpu = thread_cpu_ns().saturating_sub(self.cpu_start_ns);
        HarnessCost {
            samples: self.ticks,
            missed: self.missed(),
            cpu_ns_mean: cpu / self.ticks.max(1),
            lateness_p50: self.lateness.quantile(0.5),
            lateness_p99: self.lateness.quantile(0.99),
            lateness_max: self.lateness.max(),
            rss,
        }
    }
}

impl AsFd for Clock {
    /// Readable when a tick is due.
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.timer.as_fd()
    }
}

fn monotonic_ns() -> io::Result<u64> {
    Ok(nanoseconds(clock_gettime(Now::CLOCK_MONOTONIC)?))
}

/// The CPU time of this thread; 0 if the kernel can't say. Not getrusage: its split into user and
/// system, and on some kernels its sum, goes by timer ticks.
fn thread_cpu_ns() -> u64 {
    clock_gettime(Now::CLOCK_THREAD_CPUTIME_ID).map_or(0, nanoseconds)
}

fn nanoseconds(time: TimeSpec) -> u64 {
    // Neither clock is below 0, and 2^64 ns are 584 years.
    time.tv_sec() as u64 * 1_000_000_000 + time.tv_nsec() as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_tick_is_at_once_and_deadlines_do_not_drift() {
        let interval = Duration::from_millis(5);
        let mut clock = Clock::start(interval).unwrap();
        let mut last = None;
        for _ in 0..20 {
            let tick = clock.wait().unwrap();
            let due = tick.index * 5_000_000;
            // A tick is never early, and belongs to the latest deadline that has passed (the clock
            // is read after the timer, so the next one may just have passed as well).
            let served = due + tick.lateness_ns;
            assert!(served <= clock.now_ns());
            assert_eq!(
                tick.index,
                last.map_or(0, |last: u64| last + 1) + tick.missed
            );
            last = Some(tick.index);
        }
        let cost = clock.cost(7);
        assert_eq!((cost.samples, cost.rss), (20, 7));
        assert_eq!(cost.samples + cost.missed, last.unwrap() + 1);
        assert!(cost.lateness_max >= cost.lateness_p99 && cost.lateness_p99 >= cost.lateness_p50);
        assert!(cost.cpu_ns_mean > 0);
    }

    #[test]
    fn missed_deadlines_are_counted() {
        let mut clock = Clock::start(Duration::from_millis(1)).unwrap();
        assert_eq!(clock.wait().unwrap().index, 0);
        while clock.now_ns() < 10_000_000 {
            std::thread::yield_now();
        }
        let tick = clock.tick().unwrap().unwrap();
        assert!(tick.missed >= 9, "{tick:?}");
        assert_eq!(clock.missed(), tick.missed);
        assert_eq!(tick.index, tick.missed + 1);
    }

    #[test]
    fn no_tick_is_due_before_its_time() {
        let mut clock = Clock::start(Duration::from_secs(60)).unwrap();
        assert!(clock.tick().unwrap().is_some());
        assert_eq!(clock.tick().unwrap(), None);
    }
}
