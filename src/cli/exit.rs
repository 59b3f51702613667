//! Exit codes are API: 0 as expected, 1 fell short, 2 wrong command or file, 3 environment.

use std::io::{self, Write};
use std::process::ExitCode;

use crate::harness::HarnessError;

/// What a command's end means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// All as expected.
    Ok = 0,
    /// An expectation or a detector's verdict fell short.
    FellShort = 1,
    /// The command or a file was wrong.
    Usage = 2,
    /// The environment can't do it.
    Environment = 3,
    /// `record`: the command can't be executed, as `env` and `timeout` end.
    NotExecutable = 126,
    /// `record`: there is no such command.
    NotFound = 127,
    /// Ctrl-C or SIGTERM ended it: 128 and the number of SIGINT, as shells have it.
    Interrupted = 130,
}

/// An error that knows its exit code. Any other error ends with [`Exit::Usage`].
#[derive(Debug, thiserror::Error)]
#[error("{message}")]
pub struct Failure {
    /// What it means.
    pub exit: Exit,
    /// What happened and what to do next.
    pub message: String,
}

impl Failure {
    /// The environment can't do it; `message` says what would help.
    pub fn environment(message: impl ToString) -> anyhow::Error {
        anyhow::Error::new(Failure {
            exit: Exit::Environment,
            message: message.to_string(),
        })
    }

    /// What the harness could not do, told by `message`, with the exit code of its kind.
    pub fn of_harness(error: &HarnessError, message: String) -> anyhow::Error {
        match error.is_environment() {
            true => Failure::environment(message),
            false => anyhow::Error::msg(message),
        }
    }
}

/// Prints the error to stderr and returns its exit code.
pub fn report(error: &anyhow::Error) -> ExitCode {
    if is_broken_pipe(error) {
        // The reader has seen enough (`memtide list | head`).
        return ExitCode::SUCCESS;
    }
    let exit = error
        .chain()
        .find_map(|cause| cause.downcast_ref::<Failure>())
        .map_or(Exit::Usage, |failure| failure.exit);
    let text = told_once(error.chain().map(ToString::to_string));
    // Diagnostics of scenario files bring their own heading.
    let prefix = if text.starts_with("error") {
        ""
    } else {
        "error: "
    };
    // Nothing is left to tell if stderr itself is gone.
    let _ = writeln!(io::stderr(), "{prefix}{}", text.trim_end());
    ExitCode::from(exit as u8)
}

/// Prints the help to stderr, as for a command line that lacks its command.
pub fn help(command: &mut clap::Command) -> ExitCode {
    let help = command.render_help();
    // Nothing is left to tell if stderr itself is gone.
    let _ = write!(io::stderr(), "{help}");
    ExitCode::from(Exit::Usage as u8)
}

/// The causes one after the other, without those the text before them already ends with: many
/// errors say their source in their own words.
fn told_once(causes: impl Iterator<Item = String>) -> String {
    causes.fold(String::new(), |told, cause| {
        if told.trim_end().ends_with(cause.trim_end()) {
            told
        } else if told.is_empty() {
            cause
        } else {
            told + ": " + &cause
        }
    })
}

fn is_broken_pipe(error: &anyhow::Error) -> bool {
    error.chain().any(|cause| {
        cause
            .downcast_ref::<io::Error>()
            .is_some_and(|e| e.kind() == io::ErrorKind::BrokenPipe)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cause_is_told_once() {
        let told = |causes: &[&str]| told_once(causes.iter().map(|cause| (*cause).to_string()));
        assert_eq!(
            told(&["cannot read x: gone", "gone"]),
            "cannot read x: gone"
        );
        assert_eq!(told(&["cannot read x", "gone"]), "cannot read x: gone");
        assert_eq!(told(&["a", "b: c", "c"]), "a: b: c");
    }
}
