//! Why rules could not be judged, in words for a person.

use std::io;
use std::time::Duration;

use super::rulefile::RuleFileError;

/// Why a rules file could not be judged.
#[derive(Debug, thiserror::Error)]
pub enum RulesError {
    /// No promtool.
    #[error(
        "promtool is not on PATH: rules are judged by the real Prometheus engine; install it \
         (Debian and Ubuntu: `apt-get install prometheus`) and try again"
    )]
    NoPromtool,
    /// The file is wrong.
    #[error(transparent)]
    File(#[from] RuleFileError),
    /// promtool refused the rules.
    #[error("{0}")]
    Invalid(String),
    /// Nothing in it fires.
    #[error(
        "{0}: it has recording rules only: give the file with the alerts that read them as well"
    )]
    NoAlert(String),
    /// No alert has such a name.
    #[error("{path}: no alert's whole name matches --alert {alert:?}; there are: {names}")]
    NotSelected {
        /// The file.
        path: String,
        /// The expression.
        alert: String,
        /// Those it has.
        names: String,
    },
    /// promtool gave an answer that is not understood.
    #[error("promtool said something unexpected about {path}: {message}")]
    Unexpected {
        /// The rules file.
        path: String,
        /// What it said.
        message: String,
    },
    /// promtool did not end.
    #[error("promtool had not ended after {0:?} and was killed")]
    TimedOut(Duration),
    /// A file could not be read or written.
    #[error("{context}: {source}")]
    Io {
        /// What was being done.
        context: String,
        /// Why it failed.
        source: io::Error,
    },
    /// The test file could not be written as YAML.
    #[error("cannot write a promtool test: {0}")]
    Yaml(#[from] serde_saphyr::SerializeError),
}
