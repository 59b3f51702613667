//! What a recording is of: one of our lessons, a real runtime, a real service, or something of the user's.

use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::named::named;
use crate::recording::Recording;
use crate::scenario;

named! {
    /// A corpus: scorecards are told apart by it, since detectors are ranked otherwise in each.
    #[derive(Default, Serialize, Deserialize)]
    #[serde(rename_all = "snake_case")]
    Kind, name {
        /// Scenarios of memtide's own workers.
        Lessons = "lessons",
        /// Scenarios with the tag `runtime`.
        Runtimes = "runtimes",
        /// Scenarios with the tag `service`.
        Services = "services",
        /// What no scenario made.
        #[default]
        Own = "own",
    }
}

impl Kind {
    /// By the tags of the scenario in the recording's header.
    pub fn of(recording: &Recording) -> Kind {
        let header = &recording.header;
        let scenario = scenario::parse(&header.scenario_text, &header.scenario, &header.scenario);
        let Ok(scenario) = scenario else {
            return Kind::Own;
        };
        let tagged = |tag: &str| scenario.tags.iter().any(|one| one == tag);
        if tagged("service") {
            Kind::Services
        } else if tagged("runtime") {
            Kind::Runtimes
        } else {
            Kind::Lessons
        }
    }
}

impl FromStr for Kind {
    type Err = String;

    fn from_str(text: &str) -> Result<Kind, String> {
        let names = Kind::ALL.map(Kind::name).join(", ");
        Kind::from_word(text).ok_or_else(|| format!("no corpus is called `{text}`: one of {names}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_decide_and_what_no_scenario_made_is_the_users_own() {
        let kinds = |name: &str| -> Vec<Kind> {
            let all = crate::shipped::of_scenario(name).filter_map(|one| one.read().ok());
            all.map(|recording| Kind::of(&recording)).collect()
        };
        let lessons = kinds("leak");
        assert!(!lessons.is_empty() && lessons.iter().all(|kind| *kind == Kind::Lessons));
        let runtimes = kinds("go-service");
        assert!(!runtimes.is_empty() && runtimes.iter().all(|kind| *kind == Kind::Runtimes));
        for kind in Kind::ALL {
            assert_eq!(kind.name().parse(), Ok(kind));
        }
        assert!(
            "lesson"
                .parse::<Kind>()
                .is_err_and(|e| e.contains("lessons"))
        );
    }
}
