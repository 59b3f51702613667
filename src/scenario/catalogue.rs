//! The scenarios that come with memtide: every file of `scenarios/`, in the binary.

use super::{Diagnostics, Overrides, Scenario, parse_with};

/// One scenario of the catalogue.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CatalogueEntry {
    /// The file's name without `.toml`.
    pub name: &'static str,
    /// The TOML.
    pub text: &'static str,
}

// `static ENTRIES: &[CatalogueEntry]`, by name: build.rs reads the directory, so a new scenario is
// one new file.
include!(concat!(env!("OUT_DIR"), "/catalogue.rs"));

/// The order of the course: the article's four first, then what they lead to. Others follow by name.
const COURSE: &[&str] = &[
    "log-write",
    "heap-churn",
    "release-free",
    "release-dontneed",
    "log-read-twice",
    "free-then-reuse",
    "leak",
    "steady",
    "log-shipper",
    "log-rotate",
    "log-write-less",
    "log-read-crowded",
    "heap-and-log",
    "log-for-days",
    "leak-slow",
    "leak-under-cache",
    "startup-ramp",
    "gc-sawtooth",
    "arena-ratchet",
    "tmpfs-fill",
    "tmpfs-restart",
    "thp-partial-release",
    "negative-dentries",
    "mmap-scan",
    "mmap-pressure",
    "file-scan",
    "cache-at-limit",
    "dirty-burst",
    "memory-high-stall",
    "memory-high-cache",
    "restart-on-threshold",
    "container-churn",
    "pod-limit",
    "go-service",
    "java-service",
];

/// The article's scenarios: what `run` runs when it is given no name.
pub const ARTICLE: &[&str] = &[
    "log-write",
    "heap-churn",
    "release-free",
    "release-dontneed",
];

/// All scenarios, in the order of the course.
pub fn catalogue() -> &'static [CatalogueEntry] {
    static SORTED: std::sync::LazyLock<Vec<CatalogueEntry>> = std::sync::LazyLock::new(|| {
        let place = |e: &CatalogueEntry| COURSE.iter().position(|name| *name == e.name);
        let mut entries = ENTRIES.to_vec();
        entries.sort_by_key(|e| (place(e).unwrap_or(COURSE.len()), e.name));
        entries
    });
    &SORTED
}

/// The scenario of that name.
pub fn find(name: &str) -> Option<&'static CatalogueEntry> {
    catalogue().iter().find(|e| e.name == name)
}

impl CatalogueEntry {
    /// Reads it. A test keeps every entry readable, but a replaced limit may be too small for one.
    pub fn parse(&self, overrides: Overrides) -> Result<Scenario, Diagnostics> {
        let path = format!("scenarios/{}.toml", self.name);
        parse_with(self.text, &path, self.name, overrides)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_scenario_of_the_catalogue_can_be_read() {
        for entry in catalogue() {
            if let Err(e) = entry.parse(Overrides::default()) {
                panic!("{e}");
            }
        }
    }

    #[test]
    fn the_course_names_scenarios_that_are_there() {
        for name in COURSE.iter().chain(ARTICLE) {
            assert!(find(name).is_some(), "{name}");
        }
        let first: Vec<_> = catalogue().iter().take(4).map(|e| e.name).collect();
        assert_eq!(first, ARTICLE);
    }

    #[test]
    fn every_scenario_is_a_lesson() {
        for entry in catalogue() {
            let s = entry.parse(Overrides::default()).unwrap();
            assert!(s.title.len() <= 80, "{}: the title is long", s.name);
            assert!(s.story.len() >= 200, "{}: the story is short", s.name);
            assert!(!s.expectations.is_empty(), "{}: claims nothing", s.name);
            let steps = s.containers.iter().flat_map(|c| &c.actors);
            for step in steps.flat_map(|a| &a.steps) {
                assert!(
                    !step.say.is_empty(),
                    "{}: `{}` says nothing",
                    s.name,
                    step.name
                );
            }
        }
    }
}
