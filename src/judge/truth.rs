//! What is right for a recording: from its scenario, or from a small TOML beside it.

use std::path::Path;

use serde::Deserialize;

use crate::recording::{EventKind, Recording};
use crate::scenario::{Class, Scenario};
use crate::units;

/// What a detector should have made of one recording. Times are recorded nanoseconds.
#[derive(Debug, Clone, PartialEq)]
pub struct Truth {
    /// What the memory is.
    pub class: Class,
    /// Whether firing is right at all.
    pub fire: bool,
    /// From when firing is right.
    pub onset_ns: u64,
    /// When the OOM killer came, if it did.
    pub oom_ns: Option<u64>,
    /// Why, in a sentence.
    pub why: String,
}

/// Why there is no truth for a recording.
#[derive(Debug, thiserror::Error)]
pub enum TruthError {
    /// Nothing says what is right.
    #[error(
        "no truth: it was not made by a scenario, and there is no {sidecar} beside it; write one \
         with `class`, `fire` and, where firing is right, `onset`"
    )]
    Missing {
        /// The file that was looked for.
        sidecar: String,
    },
    /// The scenario in the header can't be read by this version.
    #[error("the scenario in its header can't be read: {0}")]
    Scenario(String),
    /// The onset step never started.
    #[error("the step {0:?}, from which on firing is right, never started in it")]
    NoOnset(String),
    /// The sidecar is no truth.
    #[error("{path}: {message}")]
    Sidecar {
        /// The file.
        path: String,
        /// What is wrong, with line and column.
        message: String,
    },
}

/// The TOML beside a user's recording.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct WireTruth {
    class: Class,
    fire: bool,
    /// From the recording's start, in recorded time: `12s`.
    #[serde(default)]
    onset: Option<String>,
    /// Replaces the OOM kill seen in the recording.
    #[serde(default)]
    oom: Option<String>,
    #[serde(default)]
    why: String,
}

/// Reads a sidecar's text.
pub fn from_toml(text: &str, path: &Path, recording: &Recording) -> Result<Truth, TruthError> {
    let error = |message: String| TruthError::Sidecar {
        path: path.display().to_string(),
        message,
    };
    let wire: WireTruth = toml::from_str(text).map_err(|e| error(e.to_string()))?;
    let time = |text: Option<String>| {
        text.map(|t| units::parse_duration(&t))
            .transpose()
            .map(|d| d.map(|d| u64::try_from(d.as_nanos()).unwrap_or(u64::MAX)))
            .map_err(|e| error(e.to_string()))
    };
    Ok(Truth {
        class: wire.class,
        fire: wire.fire,
        onset_ns: time(wire.onset)?.unwrap_or(0),
        oom_ns: time(wire.oom)?.or_else(|| oom_kill(recording)),
        why: wire.why,
    })
}

/// Takes the truth of the scenario that made the recording.
pub fn from_scenario(scenario: &Scenario, recording: &Recording) -> Result<Truth, TruthError> {
    let truth = &scenario.truth;
    let onset_ns = match truth.onset {
        None => 0,
        Some(at) => {
            let container = &scenario.containers[at.container];
            let actor = &container.actors[at.actor];
            let name = &actor.steps[at.step].name;
            let started = recording.events.iter().find(|event| match &event.kind {
                EventKind::StepStart(id) => {
                    id.container == container.name && id.actor == actor.name && id.step == *name
                }
                _ => false,
            });
            match started {
                Some(event) => event.t,
                None => return Err(TruthError::NoOnset(name.clone())),
            }
        }
    };
    Ok(Truth {
        class: truth.class,
        fire: truth.fire,
        onset_ns,
        oom_ns: oom_kill(recording),
        why: truth.why.clone(),
    })
}

/// When the first OOM kill came: at the exit of an actor, or when the kernel's counter rose.
pub fn oom_kill(recording: &Recording) -> Option<u64> {
    let kills = recording.events.iter().filter(|event| match &event.kind {
        EventKind::ActorExit { oom_killed, .. } => *oom_killed,
        EventKind::Kernel { what, value, .. } => what.ends_with("oom_kill") && *value > 0,
        _ => false,
    });
    kills.map(|event| event.t).min()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn empty() -> Recording {
        let header = crate::shipped::all()
            .next()
            .and_then(|one| one.read().ok())
            .map(|recording| recording.header);
        Recording {
            header: header.expect("a recording is shipped"),
            tables: Vec::new(),
            events: Vec::new(),
            footer: None,
            complete: false,
        }
    }

    #[test]
    fn a_sidecar_says_what_is_right_and_when() {
        let text = "class = \"leak\"\nfire = true\nonset = \"1.5s\"\noom = \"1m\"\n";
        let truth = from_toml(text, Path::new("x"), &empty()).unwrap();
        assert_eq!(truth.onset_ns, 1_500_000_000);
        assert_eq!(truth.oom_ns, Some(60_000_000_000));
    }

    #[test]
    fn a_wrong_sidecar_is_told_with_its_place() {
        let error = |text: &str| {
            let found = from_toml(text, Path::new("x.truth.toml"), &empty());
            found.unwrap_err().to_string()
        };
        let typo = error("class = \"leak\"\nfire = true\nonsett = \"1s\"\n");
        assert!(typo.contains("line 3") && typo.contains("onset"), "{typo}");
        let unit = error("class = \"leak\"\nfire = true\nonset = \"12\"\n");
        assert!(
            unit.contains("x.truth.toml") && unit.contains("not a time"),
            "{unit}"
        );
    }

    proptest! {
        #[test]
        fn any_text_is_read_without_panic(text in ".{0,80}") {
            let _ = from_toml(&text, Path::new("x"), &empty());
        }
    }
}
