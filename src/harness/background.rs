//! A thread that works beside the run.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;

/// Works until it is told to end, at the latest when this is dropped.
#[derive(Debug)]
pub(super) struct Background {
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Background {
    /// A thread that looks at `stop`.
    pub fn of(stop: Arc<AtomicBool>, thread: JoinHandle<()>) -> Self {
        let thread = Some(thread);
        Background { stop, thread }
    }

    /// Tells it to end and waits until it has; however it ended, what it has found until then is of use.
    pub fn end(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

impl Drop for Background {
    fn drop(&mut self) {
        self.end();
    }
}
