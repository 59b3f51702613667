//! The set-ups a fleet's nodes can have: every kernel card.

use std::sync::LazyLock;

use crate::model::{Rules, card};
use crate::rows::CgroupVersion;

/// A kernel card with its cgroup version, by the name of its set-up.
#[derive(Debug, Clone, PartialEq)]
pub struct Setup {
    /// The card's name, as a folder of `recordings/` has it where there is one.
    pub name: String,
    /// What the kernel does.
    pub rules: Rules,
    /// The version: v2 has memory.high and its events.
    pub cgroup: CgroupVersion,
}

/// All of them. The embedded cards are read by a test, so that none is missing here.
pub static SETUPS: LazyLock<Vec<Setup>> = LazyLock::new(|| {
    let cards = card::all().unwrap_or_default();
    let setups = cards.into_iter().map(|card| Setup {
        name: card.name,
        rules: card.rules,
        cgroup: card.cgroup,
    });
    setups.collect()
});

/// The set-up of that name.
pub fn setup(name: &str) -> Option<&'static Setup> {
    SETUPS.iter().find(|setup| setup.name == name)
}
