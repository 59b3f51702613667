//! `mmap_scan`: maps a file and touches every page of it, in passes.

use serde::{Deserialize, Serialize};
use std::fs::File;

use super::{Context, Needs, Reached, Unit, Work, WorkError};
use crate::sys::file_map::FileMap;
use crate::truth::Counter;

/// See [`Workload::MmapScan`](super::Workload::MmapScan).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct MmapScan {
    /// File name in the pod's work directory.
    pub file: String,
    /// How many times every page is touched.
    pub passes: u64,
    /// Keep it mapped until the actor ends.
    pub keep: bool,
}

/// Bytes touched between two updates of the truth.
const PART: usize = 1 << 20;

impl Work for MmapScan {
    fn run(&self, context: &mut Context) -> Result<Reached, WorkError> {
        let nothing = Reached::new(1, 0, Unit::Bytes);
        let path = context.path(&self.file, nothing)?;
        let map = File::open(&path).and_then(|file| FileMap::of(&file));
        let map = map.map_err(|error| {
            nothing.failed(format_args!(
                "mapping {}: {error}; a step before this one must write it",
                path.display()
            ))
        })?;
        let size = map.len() as u64;
        let target = size.saturating_mul(self.passes);
        let mut done = 0;
        let mut mapped = 0;
        for _ in 0..self.passes {
            let mut at = 0;
            while at < map.len() {
                let part = PART.min(map.len() - at);
                map.touch(at, part);
                at += part;
                done += part as u64;
                context.truth.add(Counter::FileRead, part as u64);
                let newly = (at as u64).saturating_sub(mapped);
                context.truth.add(Counter::MappedFileLive, newly);
                mapped += newly;
            }
        }
        if self.keep {
            context.maps.push(map);
        } else {
            context.truth.sub(Counter::MappedFileLive, mapped);
        }
        Ok(Reached::new(target, done, Unit::Bytes))
    }

    fn needs(&self) -> Needs {
        Needs::NOTHING
    }
}
