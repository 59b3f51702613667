//! What a recording is of: one of our lessons, a real runtime, a real service, or something of the user's.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::recording::Recording;
use crate::scenario;

/// A corpus: scorecards are told apart by it, since detectors are ranked otherwise in each.
#[derive(
    Debug, Clone, Copy, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize,
)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// Scenarios of memtide's own workers.
    Lessons,
    /// Scenarios with the tag `runtime`.
    Runtimes,
    /// Scenarios with the tag `service`.
    Services,
    /// What no scenario made.
    #[default]
    Own,
}

impl Kind {
    /// All of them, in the order in which they are shown.
    pub const ALL: [Kind; 4] = [Kind::Lessons, Kind::Runtimes, Kind::Services, Kind::Own];

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

    /// Its name on the command line and in tables.
    pub fn name(self) -> &'static str {
        match self {
            Kind::Lessons => "lessons",
            Kind::Runtimes => "runtimes",
            Kind::Services => "services",
            Kind::Own => "own",
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Kind {
    type Err = String;

    fn from_str(text: &str) -> Result<Kind, String> {
        let names = Kind::ALL.map(Kind::name).join(", ");
        let found = Kind::ALL.into_iter().find(|kind| kind.name() == text);
        found.ok_or_else(|| format!("no corpus is called `{text}`: one of {names}"))
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
