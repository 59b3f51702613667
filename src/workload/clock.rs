//! The monotonic clock, read without a system call and slept on by absolute deadlines.

use std::time::Duration;

use nix::errno::Errno;
use nix::sys::time::TimeSpec;
use nix::time::{ClockId, ClockNanosleepFlags, clock_gettime, clock_nanosleep};

/// Nanoseconds on the monotonic clock.
pub fn now() -> u64 {
    // It can't fail for this clock; if it did, a clock that has stopped makes no step wait.
    clock_gettime(ClockId::CLOCK_MONOTONIC).map_or(0, |time| Duration::from(time).as_nanos() as u64)
}

/// Sleeps until the clock shows `deadline`. Signals don't cut it short, and a deadline in the past
/// returns at once.
pub fn sleep_until(deadline: u64) {
    let time = TimeSpec::from_duration(Duration::from_nanos(deadline));
    while let Err(Errno::EINTR) = clock_nanosleep(
        ClockId::CLOCK_MONOTONIC,
        ClockNanosleepFlags::TIMER_ABSTIME,
        &time,
    ) {}
}

/// Milliseconds as nanoseconds.
pub fn ms(milliseconds: u64) -> u64 {
    milliseconds.saturating_mul(1_000_000)
}
