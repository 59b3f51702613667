//! The set-ups a fleet's nodes can have: the model's kernel cards.

use std::sync::LazyLock;

use crate::model::{Card, card};

/// All of them, oldest kernel first.
pub fn setups() -> &'static [Card] {
    // A test of the cards reads every one: in a release none is broken.
    static ALL: LazyLock<Vec<Card>> = LazyLock::new(|| card::all().unwrap_or_default());
    &ALL
}

/// The set-up of that name.
pub fn setup(name: &str) -> Option<&'static Card> {
    setups().iter().find(|setup| setup.name == name)
}
