//! What is known of the differences between kernels: `recordings/differences.toml`.

use std::sync::LazyLock;

use serde::Deserialize;

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

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(default)]
    difference: Vec<Difference>,
}

/// All explanations. None if the file can't be read, which a test keeps from happening.
pub fn differences() -> &'static [Difference] {
    static ALL: LazyLock<Vec<Difference>> = LazyLock::new(|| {
        let text = include_str!("../../recordings/differences.toml");
        toml::from_str::<File>(text).map_or_else(|_| Vec::new(), |file| file.difference)
    });
    &ALL
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_file_can_be_read_and_every_entry_says_something() {
        let text = include_str!("../../recordings/differences.toml");
        let file: File = toml::from_str(text).unwrap();
        assert_eq!(file.difference.len(), differences().len());
        for d in differences() {
            assert!(d.why.ends_with('.') && d.why.len() > 40, "{d:?}");
            assert!(!d.source.is_empty() && !d.steps.is_empty(), "{d:?}");
        }
    }
}
