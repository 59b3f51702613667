//! What is right for a recording: from its scenario, or from a small TOML beside it.

use std::path::Path;

use serde::Deserialize;

use crate::recording::{EventKind, Recording};
use crate::scenario::{Class, Onset, Scenario};
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
    /// Detector seconds a recorded second, where the truth says it and not the recording.
    pub time_scale: Option<f64>,
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
    /// No mark says from when on firing is right.
    #[error(
        "its truth begins with {0}, and there is none in it; set it with `memtide mark` while it is recorded"
    )]
    NoMark(String),
    /// Firing is called wrong, and the kernel killed.
    #[error(
        "its truth says that firing is wrong (`fire = false`), and the OOM killer came at {at_s:.1} s of it: a detector \
         that warns of that kill would be called a false alarm; say `fire = true`, or record it with a limit that holds it"
    )]
    Killed {
        /// Recorded seconds.
        at_s: f64,
    },
    /// From its onset on nothing is left of it.
    #[error(
        "its truth begins at {onset_s:.1} s of it, and {until} {end_s:.1} s: no detector could be right; `onset` is in \
         recorded time"
    )]
    TooLate {
        /// Recorded seconds.
        onset_s: f64,
        /// What came first.
        until: &'static str,
        /// Recorded seconds.
        end_s: f64,
    },
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
    /// From the recording's start, in recorded time: `12s`; or `mark`, `mark:TEXT`.
    #[serde(default)]
    onset: Option<String>,
    /// Replaces the OOM kill seen in the recording.
    #[serde(default)]
    oom: Option<String>,
    #[serde(default)]
    why: String,
    /// Detector seconds a recorded second; replaces the recording's own.
    #[serde(default)]
    time_scale: Option<f64>,
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
    if let Some(scale) = wire.time_scale
        && !(0.001..=1e6).contains(&scale)
    {
        return Err(error(format!(
            "`time_scale` is {scale}, not between 0.001 and 1000000; 60 makes a minute of a second"
        )));
    }
    let onset_ns = match wire.onset.as_deref().and_then(Onset::mark) {
        Some(mark) => moment(&mark, None, recording)?,
        None => time(wire.onset)?.unwrap_or(0),
    };
    consistent(
        Truth {
            class: wire.class,
            fire: wire.fire,
            onset_ns,
            oom_ns: time(wire.oom)?.or_else(|| oom_kill(recording)),
            why: wire.why,
            time_scale: wire.time_scale,
        },
        recording,
    )
}

/// Takes the truth of the scenario that made the recording.
pub fn from_scenario(scenario: &Scenario, recording: &Recording) -> Result<Truth, TruthError> {
    let truth = &scenario.truth;
    let onset_ns = match &truth.onset {
        None => 0,
        Some(onset) => moment(onset, Some(scenario), recording)?,
    };
    consistent(
        Truth {
            class: truth.class,
            fire: truth.fire,
            onset_ns,
            oom_ns: oom_kill(recording),
            why: truth.why.clone(),
            time_scale: None,
        },
        recording,
    )
}

/// When that moment was, recorded nanoseconds.
fn moment(
    onset: &Onset,
    scenario: Option<&Scenario>,
    recording: &Recording,
) -> Result<u64, TruthError> {
    match (onset, scenario) {
        (Onset::Mark(_), _) => {
            let mut events = recording.events.iter();
            let first = events.find(|event| match &event.kind {
                EventKind::Mark { text: told } => onset.is_mark(told),
                _ => false,
            });
            let none = || TruthError::NoMark(onset.mark_in_words().unwrap_or_default());
            first.map(|event| event.t).ok_or_else(none)
        }
        (Onset::Step(_), None) => Ok(0),
        (Onset::Step(at), Some(scenario)) => {
            let names = scenario.names(*at);
            let start = recording.starts(names).next();
            start.ok_or_else(|| TruthError::NoOnset(names[2].into()))
        }
    }
}

/// Refuses a truth that the recording itself contradicts.
fn consistent(truth: Truth, recording: &Recording) -> Result<Truth, TruthError> {
    let seconds = |ns: u64| ns as f64 / 1e9;
    if let Some(at) = truth.oom_ns.filter(|_| !truth.fire) {
        return Err(TruthError::Killed { at_s: seconds(at) });
    }
    let end = match (truth.oom_ns, recording.last_sample()) {
        (Some(oom), _) => Some(("the OOM killer came at", oom)),
        (None, Some(last)) => Some(("it ends at", last)),
        (None, None) => None,
    };
    match end.filter(|(_, end)| truth.fire && truth.onset_ns > *end) {
        Some((until, end)) => Err(TruthError::TooLate {
            onset_s: seconds(truth.onset_ns),
            until,
            end_s: seconds(end),
        }),
        None => Ok(truth),
    }
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
    fn a_wrong_sidecar_is_an_error_with_its_line() {
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

    fn with(kinds: impl IntoIterator<Item = EventKind>) -> Recording {
        let events = (1..).zip(kinds);
        let events = events.map(|(second, kind)| crate::recording::Event {
            t: second * 1_000_000_000,
            kind,
        });
        Recording {
            events: events.collect(),
            ..empty()
        }
    }

    #[test]
    fn no_truth_calls_a_kill_healthy() {
        let kill = EventKind::Kernel {
            group: "app".into(),
            what: "memory.events:oom_kill".into(),
            value: 1,
        };
        let killed = with([kill]);
        let read = |text: &str, of: &Recording| from_toml(text, Path::new("x"), of);
        let quiet = "class = \"healthy\"\nfire = false\n";
        let error = read(quiet, &killed).unwrap_err().to_string();
        assert!(
            error.contains("at 1.0 s") && error.contains("fire = true"),
            "{error}"
        );
        assert!(read(quiet, &empty()).is_ok());
        let told = format!("{quiet}oom = \"2s\"\n");
        assert!(
            read(&told, &empty()).is_err(),
            "the truth itself tells of a kill"
        );
        assert!(read("class = \"leak\"\nfire = true\n", &killed).is_ok());
    }

    #[test]
    fn no_truth_begins_when_all_is_over() {
        let kill = EventKind::Kernel {
            group: "app".into(),
            what: "memory.events:oom_kill".into(),
            value: 1,
        };
        let shipped = crate::shipped::all().find_map(|one| one.read().ok());
        let lives = Recording {
            events: Vec::new(),
            ..shipped.expect("a recording is shipped")
        };
        let read = |text: &str, of: &Recording| {
            let text = format!("class = \"leak\"\nfire = true\nonset = \"{text}\"\n");
            from_toml(&text, Path::new("x"), of).map(|_| ())
        };
        let late = read("99s", &with([kill.clone()])).unwrap_err().to_string();
        assert!(
            late.contains("begins at 99.0 s") && late.contains("came at 1.0 s"),
            "{late}"
        );
        assert!(read("1s", &with([kill])).is_ok());
        let late = read("9h", &lives).unwrap_err().to_string();
        assert!(late.contains("it ends at"), "{late}");
        assert!(read("1ms", &lives).is_ok());
    }

    #[test]
    fn a_mark_can_be_the_onset() {
        let mark = |text: &str| EventKind::Mark { text: text.into() };
        let marked = with([mark("warm"), mark("leak on"), mark("leak on")]);
        let onset = |onset: &str| {
            let text = format!("class = \"leak\"\nfire = true\nonset = \"{onset}\"\n");
            from_toml(&text, Path::new("x"), &marked).map(|truth| truth.onset_ns)
        };
        assert_eq!(onset("mark").ok(), Some(1_000_000_000));
        assert_eq!(onset("mark:leak on").ok(), Some(2_000_000_000));
        let none = onset("mark:off").unwrap_err().to_string();
        assert!(
            none.contains("\"off\"") && none.contains("memtide mark"),
            "{none}"
        );
        assert!(onset("mark:").is_err() && onset("marks").is_err());
    }

    #[test]
    fn a_sidecar_may_say_the_time_scale() {
        let read = |scale: &str| {
            let text = format!("class = \"leak\"\nfire = true\ntime_scale = {scale}\n");
            from_toml(&text, Path::new("x"), &empty())
        };
        assert_eq!(read("60.0").unwrap().time_scale, Some(60.0));
        assert_eq!(read("60").unwrap().time_scale, Some(60.0));
        for wrong in ["0", "-1", "nan", "inf", "1e9"] {
            let error = read(wrong).unwrap_err().to_string();
            assert!(error.contains("time_scale"), "{wrong}: {error}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_read_without_panic(text in ".{0,80}") {
            let _ = from_toml(&text, Path::new("x"), &empty());
        }
    }

    #[test]
    fn the_first_kill_that_is_one_counts() {
        let exit = |oom_killed| EventKind::ActorExit {
            container: "app".into(),
            actor: "a".into(),
            code: None,
            signal: Some(9),
            oom_killed,
        };
        let counter = |what: &str, value| EventKind::Kernel {
            group: "app".into(),
            what: what.into(),
            value,
        };
        let none = [
            exit(false),
            counter("memory.events:oom_kill", 0),
            counter("memory.events:oom", 1),
            counter("memory.failcnt", 9),
        ];
        assert_eq!(oom_kill(&with(none.clone())), None);
        for kill in [exit(true), counter("memory.oom_control:oom_kill", 2)] {
            let all = none.iter().cloned().chain([kill.clone(), kill]);
            assert_eq!(oom_kill(&with(all)), Some(5_000_000_000));
        }
    }
}
