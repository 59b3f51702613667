//! `dentries`: looks up names that do not exist. The kernel remembers each as a negative dentry.

use serde::{Deserialize, Serialize};
use std::fmt::Write as _;
use std::io;

use super::pace::Pace;
use super::{Context, Needs, Reached, Unit, Work, WorkError};
use crate::truth::Counter;

/// See [`Workload::Dentries`](super::Workload::Dentries).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Dentries {
    /// How many names are looked up, each another one.
    pub lookups: u64,
    /// Look-ups a second; none is as fast as it goes.
    pub rate: Option<u64>,
}

/// Look-ups between two updates of the truth and two looks at the clock.
const BATCH: u64 = 256;

impl Work for Dentries {
    /// What a build or an interpreter does that looks for its modules along a path: every name is
    /// another one, and none is there.
    fn run(&self, context: &mut Context) -> Result<Reached, WorkError> {
        let reached = |done| Reached::new(self.lookups, done, Unit::Ops);
        let mut path = context.workdir.join("none-").into_os_string();
        let stem = path.len();
        let first = context.truth.get(Counter::Ops);
        let mut number = String::new();
        let mut pace = Pace::start(self.rate);
        let mut done = 0;
        while done < self.lookups {
            pace.wait(done, u64::MAX);
            let batch = BATCH.min(self.lookups - done);
            for i in done..done + batch {
                number.clear();
                // Writing to a string can't fail.
                let _ = write!(number, "{:012x}", first + i);
                path.push(&number);
                let found = std::fs::symlink_metadata(&path);
                truncate(&mut path, stem);
                match found {
                    Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                    Err(error) => {
                        let text = format!("looking up a name that is not there: {error}");
                        return Err(reached(i).failed(text));
                    }
                    Ok(_) => {
                        let text = format!("none-{number} exists; nothing should have that name");
                        return Err(reached(i).failed(text));
                    }
                }
            }
            done += batch;
            context.truth.add(Counter::Ops, batch);
        }
        Ok(reached(done))
    }

    fn needs(&self) -> Needs {
        Needs::NOTHING
    }
}

/// Takes the number off the path again, keeping its buffer.
fn truncate(path: &mut std::ffi::OsString, len: usize) {
    use std::os::unix::ffi::OsStringExt;
    let mut bytes = std::mem::take(path).into_vec();
    bytes.truncate(len);
    *path = std::ffi::OsString::from_vec(bytes);
}
