//! Who looks on while a run goes: a progress line, a live chart, a metrics endpoint.

use crate::recording::{Event, Group, Header};

/// Told what happens as it happens; must be quick, the clock is running.
pub trait Observer {
    /// What is known before anything else is reported.
    fn begin(&mut self, _header: &Header) {}

    /// The groups that will be sampled, before the first sample (and again when a group is made
    /// anew and its columns may differ).
    fn groups(&mut self, _groups: &[Group]) {}

    /// A group that was not there at the start, or whose columns have grown; `index` may be that of
    /// one that has ended.
    fn joined(&mut self, _index: usize, _group: &Group) {}

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

/// Reports nothing.
#[derive(Debug, Default)]
pub struct Nobody;

impl Observer for Nobody {}

/// Two look on.
pub struct Both<'a>(pub &'a mut dyn Observer, pub &'a mut dyn Observer);

impl Observer for Both<'_> {
    fn begin(&mut self, header: &Header) {
        self.0.begin(header);
        self.1.begin(header);
    }

    fn groups(&mut self, groups: &[Group]) {
        self.0.groups(groups);
        self.1.groups(groups);
    }

    fn joined(&mut self, index: usize, group: &Group) {
        self.0.joined(index, group);
        self.1.joined(index, group);
    }

    fn sample(&mut self, group: usize, t: u64, values: &[u64]) {
        self.0.sample(group, t, values);
        self.1.sample(group, t, values);
    }

    fn event(&mut self, event: &Event) {
        self.0.event(event);
        self.1.event(event);
    }

    fn wants_stop(&mut self) -> bool {
        // Both are asked, whatever the first one says.
        self.0.wants_stop() | self.1.wants_stop()
    }

    fn holds(&mut self) -> bool {
        self.0.holds() | self.1.holds()
    }
}
