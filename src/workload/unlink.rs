//! `unlink`: deletes a file and its rotated copies.

use super::{Context, Needs, Reached, Unit, Work, WorkError, files};
use crate::truth::Counter;
use serde::{Deserialize, Serialize};

/// See [`Workload::Unlink`](super::Workload::Unlink).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Unlink {
    /// File name in the pod's work directory; its rotated copies (`NAME.N`) go too.
    pub file: String,
}

impl Work for Unlink {
    fn run(&self, context: &mut Context) -> Result<Reached, WorkError> {
        let nothing = Reached::new(1, 0, Unit::Ops);
        let path = context.path(&self.file, nothing)?;
        let copies = files::copies(&path).map_err(|error| {
            nothing.failed(format_args!(
                "looking for copies of {}: {error}",
                path.display()
            ))
        })?;
        let target = 1 + copies.len() as u64;
        let mut done = 0;
        for file in std::iter::once(path).chain(copies.into_iter().map(|(_, copy)| copy)) {
            std::fs::remove_file(&file).map_err(|error| {
                Reached::new(target, done, Unit::Ops)
                    .failed(format_args!("deleting {}: {error}", file.display()))
            })?;
            context.files.deleted(&file);
            context.truth.set(Counter::FileLive, context.files.live());
            done += 1;
        }
        Ok(Reached::new(target, done, Unit::Ops))
    }

    fn needs(&self) -> Needs {
        Needs::NOTHING
    }
}
