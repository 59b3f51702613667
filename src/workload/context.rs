//! What lives across the steps of one actor.

use std::os::fd::AsFd;
use std::path::PathBuf;

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use rand::rngs::Xoshiro256PlusPlus;

use super::files::Files;
use super::heap_churn::Heap;
use super::region::{Region, Regions};
use super::{Reached, Unit, WorkError};
use crate::seed;
use crate::sys::file_map::FileMap;
use crate::truth::Page;

/// What the steps of one actor share: the truth page, its regions, its files.
pub struct Context {
    /// The actor's counters.
    pub truth: Page,
    /// The named anonymous regions.
    pub regions: Regions,
    /// The files this actor made or holds open.
    pub files: Files,
    /// What `heap_churn` works on; it lives until the worker ends.
    pub heap: Option<Heap>,
    /// Files that stay mapped until the worker ends.
    pub maps: Vec<FileMap>,
    /// Where commands run.
    pub workdir: PathBuf,
    /// It works outside of all containers: what its commands leave is its own to end.
    pub outside: bool,
    /// Tells the harness that the step's service serves; nobody listens where it is not set.
    pub serving: Box<dyn FnMut() -> std::io::Result<()>>,
    /// The end of what the step's service printed, once it has stopped as it was told.
    pub said: String,
    actor_seed: u64,
    step_seed: u64,
}

impl Context {
    /// An actor that has nothing yet.
    pub fn new(truth: Page, workdir: PathBuf, actor_seed: u64) -> Self {
        Context {
            truth,
            regions: Regions::default(),
            files: Files::new(workdir.clone()),
            heap: None,
            maps: Vec::new(),
            workdir,
            outside: false,
            serving: Box::new(|| Ok(())),
            said: String::new(),
            actor_seed,
            step_seed: actor_seed,
        }
    }

    /// Whether this worker has to end what it started, since nobody else will: the harness is gone.
    pub fn is_left_alone(&self) -> bool {
        if !self.outside {
            return false;
        }
        let stdin = std::io::stdin();
        let mut fds = [PollFd::new(stdin.as_fd(), PollFlags::empty())];
        poll(&mut fds, PollTimeout::ZERO).is_ok() && fds[0].any().unwrap_or(false)
    }

    /// Where the file of this name is, for a step that has come this far.
    pub fn path(&self, name: &str, reached: Reached) -> Result<PathBuf, WorkError> {
        let path = self.files.path(name);
        path.map_err(|reason| reached.failed(reason))
    }

    /// Turns to the step of this name.
    pub fn begin_step(&mut self, name: &str) {
        self.step_seed = seed::derive(self.actor_seed, name);
    }

    /// A region, the truth to keep about it, and how many bytes `percent` of it are.
    ///
    /// # Errors
    /// Fails if this actor has no region of that name.
    pub fn share_of(
        &mut self,
        name: &str,
        percent: f64,
    ) -> Result<(&mut Region, &Page, u64), WorkError> {
        let names = self.regions.names();
        match self.regions.get(name) {
            Some(region) => {
                let bytes = region.share(percent);
                Ok((region, &self.truth, bytes))
            }
            None => Err(Reached::new(1, 0, Unit::Bytes).failed(format_args!(
                "no region {name:?} to work on; an `anon` step of this actor must map it first (there are: {names})"
            ))),
        }
    }

    /// The current step's random numbers, from their start.
    pub fn rng(&self) -> Xoshiro256PlusPlus {
        seed::rng(self.step_seed)
    }
}
