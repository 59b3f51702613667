//! What is known of the differences between kernels: `recordings/differences.toml`.

use std::sync::LazyLock;

use serde::Deserialize;

use crate::shipped;

/// A difference between kernels that the recordings show, explained.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Difference {
    /// The scenario that shows it.
    pub scenario: String,
    /// The steps whose end shows it; `outcome` for how it ends.
    pub steps: Vec<String>,
    /// The set-ups that differ from the others; all of them if none is named.
    #[serde(default)]
    pub setups: Vec<String>,
    /// One sentence.
    pub why: String,
    /// The kernel's function, with its file.
    pub source: String,
}

impl Difference {
    /// Whether it explains a difference at the end of this step between these two set-ups.
    pub fn is_about(&self, scenario: &str, step: &str, setup: &str, baseline: &str) -> bool {
        let named = |s: &String| s == setup || s == baseline;
        self.scenario == scenario
            && self.steps.iter().any(|s| s == step)
            && (self.setups.is_empty() || self.setups.iter().any(named))
    }
}

/// The note on a set-up beside what its recordings say of their machine.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct About {
    /// The set-up's name.
    pub name: String,
    /// How it was made, in sentences.
    pub about: String,
}

/// What a file of differences says.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(default)]
    difference: Vec<Difference>,
    #[serde(default)]
    setup: Vec<About>,
}

/// Why what was added to the known differences can't be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{file}: {reason}")]
pub struct NotesError {
    file: &'static str,
    reason: String,
}

fn file(text: &str) -> Result<File, NotesError> {
    toml::from_str(text).map_err(|error| NotesError {
        file: shipped::NOTES,
        reason: error.to_string(),
    })
}

/// Whether what was added to the shipped recordings can be read.
///
/// # Errors
/// With line and column of the first mistake.
pub fn check_notes() -> Result<(), NotesError> {
    shipped::notes()
        .added
        .map_or(Ok(()), |text| file(text).map(|_| ()))
}

/// The shipped file and the added one; a file that can't be read says nothing ([`check_notes`], and
/// a test of the shipped one, keep that from happening).
static ALL: LazyLock<File> = LazyLock::new(|| {
    let notes = shipped::notes();
    let mut all = file(notes.shipped).unwrap_or_default();
    let added = notes.added.and_then(|text| file(text).ok());
    let added = added.unwrap_or_default();
    all.difference.extend(added.difference);
    all.setup.extend(added.setup);
    all
});

/// All explanations.
pub fn differences() -> &'static [Difference] {
    &ALL.difference
}

/// Notes on set-ups.
pub fn abouts() -> &'static [About] {
    &ALL.setup
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_file_can_be_read_and_every_entry_says_something() {
        let read = file(shipped::notes().shipped).unwrap();
        assert_eq!(read.difference.len(), differences().len());
        assert_eq!(read.setup.len(), abouts().len());
        for d in differences() {
            assert!(d.why.ends_with('.') && d.why.len() > 40, "{d:?}");
            assert!(!d.source.is_empty() && !d.steps.is_empty(), "{d:?}");
        }
        let setups = shipped::setups();
        let named = differences().iter().flat_map(|d| &d.setups);
        for name in named.chain(abouts().iter().map(|a| &a.name)) {
            assert!(
                setups.contains(&name.as_str()),
                "no set-up is called {name}"
            );
        }
    }

    #[test]
    fn a_mistake_is_told_with_its_line() {
        let error = file("[[difference]]\nscenario = \"leak\"\nstep = []\n").unwrap_err();
        let text = error.to_string();
        assert!(
            text.contains("differences.toml") && text.contains("line 3"),
            "{text}"
        );
    }
}
