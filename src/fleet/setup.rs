//! The set-ups a fleet's nodes can have: the model's kernel cards.

use std::sync::LazyLock;

use crate::model::{Rules, card};
use crate::rows::CgroupVersion;

/// A kernel card as a pod needs it.
#[derive(Debug, Clone, PartialEq)]
pub struct Setup {
    /// The card's name, as a folder of `recordings/` has it.
    pub name: String,
    /// What the kernel does.
    pub rules: Rules,
    /// The version: v2 has memory.high and its events.
    pub cgroup: CgroupVersion,
}

/// All of them, oldest kernel first.
pub fn setups() -> &'static [Setup] {
    // A test of the cards reads every one: in a release none is broken.
    static ALL: LazyLock<Vec<Setup>> = LazyLock::new(|| {
        let cards = card::all().unwrap_or_default().into_iter();
        cards
            .map(|card| Setup {
                name: card.name,
                rules: card.rules,
                cgroup: card.cgroup,
            })
            .collect()
    });
    &ALL
}

/// The set-up of that name.
pub fn setup(name: &str) -> Option<&'static Setup> {
    setups().iter().find(|setup| setup.name == name)
}
