//! Small programs that come with memtide for scenarios to run: every file of `scenarios/runtimes/`,
//! in the binary. A scenario puts one into its work directory with `files = { "a.c" = "@a.c" }`.

// `static PROGRAMS: &[(&str, &str)]`, by name: build.rs reads the directory.
include!(concat!(env!("OUT_DIR"), "/programs.rs"));

/// The text of the program of that name.
pub fn find(name: &str) -> Option<&'static str> {
    let mut programs = PROGRAMS.iter();
    programs.find(|(n, _)| *n == name).map(|(_, text)| *text)
}

/// All names.
pub fn names() -> impl Iterator<Item = &'static str> {
    PROGRAMS.iter().map(|(name, _)| *name)
}
