//! How often long work says on stderr how far it is, and how it says what is left.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// The first words come after this time, and then at most every so often.
const EVERY: Duration = Duration::from_secs(5);

/// When something was last said, by whichever thread.
#[derive(Default)]
pub struct Pace(Mutex<Option<Instant>>);

impl Pace {
    /// Whether it is time to say something of work that began so long ago and goes on; then it is not again
    /// for a while.
    pub fn is_due(&self, elapsed: Duration) -> bool {
        if elapsed < EVERY {
            return false;
        }
        // What the lock guards is whole whatever its last user did.
        let mut last = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let due = last.is_none_or(|at| at.elapsed() >= EVERY);
        if due {
            *last = Some(Instant::now());
        }
        due
    }
}

/// `, about 12 s left`; nothing where it is not known.
pub fn left(time: Option<Duration>) -> String {
    let seconds = time.map(|time| time.as_secs().max(1));
    seconds.map_or_else(String::new, |seconds| match seconds {
        ..120 => format!(", about {seconds} s left"),
        _ => format!(", about {} min left", seconds.div_ceil(60)),
    })
}
