//! Who looks on while a run goes: a progress line, a live chart, a metrics endpoint.

use crate::recording::{Event, Group};

/// Told what happens as it happens; must be quick, the clock is running.
pub trait Observer {
    /// The groups that will be sampled, before the first sample (and again when a group is made
    /// anew and its columns may differ).
    fn groups(&mut self, _groups: &[Group]) {}

    /// One sample of one group: values in the order of its columns,
    /// [`crate::recording::MISSING`] where the kernel gave none. `t` in nanoseconds.
    fn sample(&mut self, _group: usize, _t: u64, _values: &[u64]) {}

    /// Something rare happened.
    fn event(&mut self, _event: &Event) {}

    /// Whether to stop, asked at every tick.
    fn wants_stop(&mut self) -> bool {
        false
    }

    /// Whether the next step should wait (a demo on pause).
    fn holds(&mut self) -> bool {
        false
    }
}

/// Nobody looks on.
#[derive(Debug, Default)]
pub struct Nobody;

impl Observer for Nobody {}
