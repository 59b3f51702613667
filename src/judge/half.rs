//! Two halves of any suite: who tunes a detector looks at the one, and the other tells what it is worth.

use crate::named::named;
use crate::seed::fnv1a;

named! {
    /// One half of the scenarios.
    Half, name {
        /// Looked at while numbers were chosen.
        Tuning = "tuning",
        /// Not looked at before they were.
        HeldOut = "held-out",
    }
}

impl Half {
    /// The half of a scenario, by nothing but its name: it stays where it is when others come.
    pub fn of(scenario: &str) -> Half {
        // The highest bit: FNV-1a's lowest one hardly mixes.
        if fnv1a(scenario.bytes()) >> 63 == 1 {
            Half::Tuning
        } else {
            Half::HeldOut
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Published figures hang on it.
    #[test]
    fn a_scenario_stays_in_its_half() {
        for (scenario, half) in [
            ("gunicorn-leak", Half::HeldOut),
            ("node-leak", Half::Tuning),
            ("redis-maxmemory", Half::Tuning),
            ("memcached-full", Half::Tuning),
        ] {
            assert_eq!(Half::of(scenario), half, "{scenario}");
        }
        let mut tuning = 0;
        for i in 0..1000 {
            tuning += usize::from(Half::of(&format!("scenario-{i}")) == Half::Tuning);
        }
        assert!((400..=600).contains(&tuning), "{tuning}");
    }
}
