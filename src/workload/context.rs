//! What lives across the steps of one actor.

use std::path::PathBuf;

use rand::rngs::Xoshiro256PlusPlus;

use super::files::Files;
use super::region::Regions;
use crate::seed;
use crate::truth::Page;

/// What the steps of one actor share: the truth page, its regions, its files.
pub struct Context {
    /// The actor's counters.
    pub truth: Page,
    /// The named anonymous regions.
    pub regions: Regions,
    /// The files this actor made or holds open.
    pub files: Files,
    /// Where commands run.
    pub workdir: PathBuf,
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
            workdir,
            actor_seed,
            step_seed: actor_seed,
        }
    }

    /// Turns to the step of this name.
    pub fn begin_step(&mut self, name: &str) {
        self.step_seed = seed::derive(self.actor_seed, name);
    }

    /// The current step's random numbers, from their start.
    pub fn rng(&self) -> Xoshiro256PlusPlus {
        seed::rng(self.step_seed)
    }
}
