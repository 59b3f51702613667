//! Puts what a run samples on the board.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

use super::board::Board;
use crate::harness::Observer;
use crate::recording::{Event, EventKind, Group, Header};

/// A board that a run writes and an endpoint reads.
#[derive(Debug, Clone, Default)]
pub struct Shared(Arc<Mutex<Board>>);

impl Shared {
    /// The board. A thread that panicked while it held it left numbers, not broken ones.
    pub fn lock(&self) -> MutexGuard<'_, Board> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The observer of a run whose numbers are scraped.
#[derive(Debug, Clone, Default)]
pub struct Publisher {
    board: Shared,
    /// The pod that the run is in and its namespace, where the environment gives them.
    pod: Option<String>,
    namespace: Option<String>,
}

impl Publisher {
    /// Puts what is reported to it on `board`.
    pub fn new(board: Shared) -> Self {
        Publisher {
            board,
            ..Publisher::default()
        }
    }

    /// The run is in this pod of this namespace: its series are named as the kubelet names the pod's.
    #[must_use]
    pub fn in_pod(mut self, pod: Option<String>, namespace: Option<String>) -> Self {
        (self.pod, self.namespace) = (pod, namespace);
        self
    }

    /// The run is over and its containers are gone.
    pub fn end(&mut self) {
        self.board.lock().clear();
    }
}

impl Observer for Publisher {
    fn begin(&mut self, header: &Header) {
        let mut board = self.board.lock();
        board.begin(header, now());
        board.in_pod(self.pod.as_deref(), self.namespace.as_deref());
    }

    fn groups(&mut self, groups: &[Group]) {
        self.board.lock().columns(groups);
    }

    fn joined(&mut self, index: usize, group: &Group) {
        self.board.lock().joined(index, group, now());
    }

    fn sample(&mut self, group: usize, _t: u64, values: &[u64]) {
        self.board.lock().sample(group, values);
    }

    fn event(&mut self, event: &Event) {
        match &event.kind {
            EventKind::Restart { container, .. } => self.board.lock().restarted(container, now()),
            EventKind::ActorExit {
                container,
                oom_killed: true,
                ..
            } => self.board.lock().oom_killed(container),
            EventKind::GroupEnd { group, .. } => self.board.lock().ended(*group),
            _ => {}
        }
    }
}

/// Seconds since 1970; 0 on a machine whose clock is before that.
fn now() -> f64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0.0, |since| since.as_secs_f64())
}
