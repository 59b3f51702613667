//! A scenario's need as it is kept beside its recording: `NAME.need.toml`.

use serde::{Deserialize, Serialize};

use super::measure::{By, Measured, Stop};

/// What was measured on one set-up.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Recorded {
    /// The set-up on which it was measured.
    pub setup: String,
    /// Its kernel.
    pub kernel: String,
    /// The highest limit, bytes.
    pub max: u64,
    /// What a run that did its work was judged by.
    pub by: By,
    /// How much worse was still as good, percent.
    pub loss_percent: f64,
    /// Runs under each limit.
    pub runs: usize,
    /// Bytes; none where there is no number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub need: Option<u64>,
    /// Nothing fitted at this limit, bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub above: Option<u64>,
    /// Everything did at this one, bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at_most: Option<u64>,
    /// Why there is no number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub none_because: Option<String>,
}

/// Where it was measured: set-up and kernel.
#[derive(Debug, Clone, Copy)]
pub struct Where<'a> {
    /// The set-up's name.
    pub setup: &'a str,
    /// The kernel's release.
    pub kernel: &'a str,
}

/// Why a sidecar can't be used.
#[derive(Debug, thiserror::Error)]
#[error("{path}: {message}")]
pub struct SidecarError {
    path: String,
    message: String,
}

impl Recorded {
    /// Of a measurement, or of what kept it from having a number.
    pub fn of<E>(result: &Result<Measured, Stop<E>>, wanted: super::Wanted, at: Where<'_>) -> Self
    where
        Stop<E>: std::fmt::Display,
    {
        let found = result.as_ref().ok();
        Recorded {
            setup: at.setup.into(),
            kernel: at.kernel.into(),
            max: wanted.max,
            by: wanted.by,
            loss_percent: 100.0 * wanted.loss,
            runs: wanted.runs,
            need: found.map(|measured| measured.need),
            above: found.map(|measured| measured.interval.0),
            at_most: found.map(|measured| measured.interval.1),
            none_because: result.as_ref().err().map(ToString::to_string),
        }
    }

    /// The need with its interval, bytes, where there is one.
    pub fn interval(&self) -> Option<(u64, u64, u64)> {
        Some((self.above?, self.need?, self.at_most?))
    }

    /// As it is written.
    ///
    /// # Errors
    /// None that can be met: all its values can be written as TOML.
    pub fn to_toml(&self, scenario: &str) -> Result<String, toml::ser::Error> {
        let text = toml::to_string(self)?;
        Ok(format!(
            "# Written by `memtide need {scenario} --write-sidecar FOLDER`; bytes.\n{text}"
        ))
    }

    /// Reads one; `path` is for messages.
    ///
    /// # Errors
    /// What is wrong, with line and column, or which numbers can't be true together.
    pub fn parse(text: &str, path: &str) -> Result<Recorded, SidecarError> {
        let error = |message: String| SidecarError {
            path: path.into(),
            message,
        };
        let recorded: Recorded = toml::from_str(text).map_err(|e| error(e.to_string()))?;
        match (recorded.need, recorded.none_because.is_some()) {
            (Some(_), false) => {
                let ordered = recorded
                    .interval()
                    .is_some_and(|(above, need, most)| above <= need && need <= most);
                if !ordered || recorded.at_most > Some(recorded.max) {
                    return Err(error(
                        "`above`, `need`, `at_most` and `max` must not fall, and none may be missing".into(),
                    ));
                }
            }
            (None, true) => {}
            _ => {
                return Err(error(
                    "give either `need` with `above` and `at_most`, or `none_because`".into(),
                ));
            }
        }
        Ok(recorded)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn recorded() -> Recorded {
        Recorded {
            setup: "6.18-v1".into(),
            kernel: "6.18.5".into(),
            max: 256 << 20,
            by: By::Time,
            loss_percent: 10.0,
            runs: 3,
            need: Some(64 << 20),
            above: Some(60 << 20),
            at_most: Some(70 << 20),
            none_because: None,
        }
    }

    #[test]
    fn what_is_written_is_read_again() {
        let none = Recorded {
            need: None,
            above: None,
            at_most: None,
            none_because: Some("it was killed".into()),
            ..recorded()
        };
        for one in [recorded(), none] {
            let text = one.to_toml("leak").unwrap();
            assert_eq!(Recorded::parse(&text, "x").unwrap(), one, "{text}");
        }
    }

    #[test]
    fn what_can_not_be_true_is_told_with_its_file() {
        let wrong = |change: &dyn Fn(&mut Recorded)| {
            let mut one = recorded();
            change(&mut one);
            let text = one.to_toml("leak").unwrap();
            Recorded::parse(&text, "a/leak.need.toml")
                .unwrap_err()
                .to_string()
        };
        for said in [
            wrong(&|r| r.above = Some(65 << 20)),
            wrong(&|r| r.at_most = None),
            wrong(&|r| r.at_most = Some(1 << 40)),
            wrong(&|r| r.none_because = Some("both".into())),
            wrong(&|r| r.need = None),
        ] {
            assert!(said.starts_with("a/leak.need.toml: "), "{said}");
        }
        let typo = Recorded::parse("need = 3\nnead = 4\n", "x").unwrap_err();
        assert!(typo.to_string().contains("nead"), "{typo}");
    }

    proptest! {
        #[test]
        fn any_text_is_read_without_panic(text in ".{0,80}") {
            let _ = Recorded::parse(&text, "x");
        }
    }
}
