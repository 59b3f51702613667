//! Why a recording could not be read, in words for a person.

use std::io;

use super::format::FORMAT_NAME;

/// Why a recording could not be read.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// The file could not be opened or read.
    #[error("failed to read {path}: {source}")]
    Io {
        /// Which file.
        path: String,
        /// The system's answer.
        source: io::Error,
    },
    /// It has no header of ours.
    #[error("{path} is not a memtide recording: {why}")]
    NotARecording {
        /// Which file.
        path: String,
        /// What was there instead.
        why: String,
    },
    /// A major version from the future.
    #[error(
        "{path} has format {found:?}, newer than this memtide reads ({FORMAT_NAME} and its minor \
         versions); read it with a newer memtide"
    )]
    Newer {
        /// Which file.
        path: String,
        /// Its format.
        found: String,
    },
    /// A line that is not the last one is broken.
    #[error("{path}:{line}:{column}: {what}; the recording is damaged here, not just cut")]
    Broken {
        /// Which file.
        path: String,
        /// Which line, from 1.
        line: usize,
        /// Which byte of the line, from 1.
        column: usize,
        /// What is wrong there.
        what: String,
    },
    /// Whole lines are not there, though it goes on to its end.
    #[error(
        "{path}: {missing} of its {lines} lines are missing, as its footer counts them; it is damaged, not just \
         cut: copy or record it again"
    )]
    Lost {
        /// Which file.
        path: String,
        /// Lines that are not there.
        missing: u64,
        /// Lines that there were.
        lines: u64,
    },
    /// It would not fit into memory.
    #[error("{path} is larger than a recording can be (1 GiB of text, 2^28 values)")]
    TooLarge {
        /// Which file.
        path: String,
    },
}
