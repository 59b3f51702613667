//! Which steps write across pages, derived from the scenario alone.
//!
//! A write of whole pages that begins inside a page touches each page twice. Before 4.7 every write
//! marks its page as accessed (mark_page_accessed, mm/swap.c), so the second one makes the page
//! active, and working_set follows the log: the same bytes written on page boundaries leave it where
//! it was.

use std::collections::BTreeMap;
use std::fmt;

use super::Scenario;
use crate::units;
use crate::workload::{Dist, LogWrite, Workload};

/// Pages are taken to have this size, bytes: what lies across pages of 4 KiB lies across larger ones
/// or makes several writes a page, which is the same to the kernel.
const PAGE: u64 = 4096;

/// A step whose page-sized writes do not begin and end with a page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Across {
    /// The step's name.
    pub step: String,
    /// The file it writes.
    pub file: String,
    /// Where in the file its first write begins, bytes.
    pub start: u64,
    /// Bytes a write.
    pub piece: u64,
}

impl fmt::Display for Across {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "step `{}` writes {} across pages: ",
            self.step, self.file
        )?;
        match self.piece.is_multiple_of(PAGE) {
            true => write!(
                f,
                "its writes are whole pages, but the first begins at byte {}, inside a page",
                self.start
            )?,
            false => write!(
                f,
                "its writes of {} are no whole pages",
                units::bytes_exact(self.piece)
            )?,
        }
        f.write_str(
            "; before 4.7 the second write to a page makes it active, and working_set follows the log",
        )
    }
}

impl Scenario {
    /// The steps that write across pages. A step that writes lines shorter than a page is none of
    /// them: all its pages get several writes, wherever it begins. Where a step begins is known from
    /// the `total` of those before it; after one that ends by time, or rotates its file, it is not, and
    /// then only the size of its writes tells.
    pub fn across_pages(&self) -> Vec<Across> {
        // By file name: how long it is when the next step opens it, if that is known.
        let mut lengths: BTreeMap<&str, Option<u64>> = BTreeMap::new();
        let mut found = Vec::new();
        for step in self.steps() {
            match &step.workload {
                Workload::LogWrite(log) => {
                    let length = lengths.entry(&log.file).or_insert(Some(0));
                    found.extend(across(&step.name, log, length.unwrap_or(0)));
                    *length = end(log, *length);
                }
                Workload::Unlink(unlink) => {
                    lengths.remove(unlink.file.as_str());
                }
                _ => {}
            }
        }
        found
    }
}

fn across(step: &str, log: &LogWrite, start: u64) -> Option<Across> {
    let piece = match (log.buffer, &log.line) {
        (0, Dist::Fixed(line)) => *line,
        (0, _) => return None,
        (buffer, _) => buffer,
    };
    let whole = start.is_multiple_of(PAGE) && piece.is_multiple_of(PAGE);
    (piece >= PAGE && !whole).then(|| Across {
        step: step.into(),
        file: log.file.clone(),
        start,
        piece,
    })
}

/// The file's length after the step, if it can be told before it ran.
fn end(log: &LogWrite, start: Option<u64>) -> Option<u64> {
    match (start, log.total, log.duration_ms, &log.rotate) {
        (Some(start), Some(total), None, None) => start.checked_add(total),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use crate::scenario::{Overrides, Scenario, catalogue, parse};

    fn scenario(steps: &str) -> Scenario {
        let text = format!(
            "title = \"t\"\nstory = \"s\"\nlimit = \"256MiB\"\n[truth]\nclass = \"page_cache\"\n\
             fire = false\nwhy = \"w\"\n{steps}"
        );
        parse(&text, "t.toml", "t").unwrap_or_else(|e| panic!("{e}"))
    }

    fn steps(logs: &[&str]) -> Scenario {
        let steps = logs
            .iter()
            .enumerate()
            .map(|(i, keys)| format!("[[step]]\nname = \"s{i}\"\nsay = \"x\"\n{keys}\n"));
        scenario(&steps.collect::<String>())
    }

    fn names(scenario: &Scenario) -> Vec<String> {
        let found = scenario.across_pages().into_iter();
        found.map(|across| across.step).collect()
    }

    #[test]
    fn a_total_in_bytes_that_ends_inside_a_page_makes_the_next_step_write_across() {
        let s = steps(&[
            "log_write = { line = \"128B\", total = \"1000001B\" }",
            "log_write = { buffer = \"64KiB\", total = \"10MiB\" }",
            "unlink = { file = \"app.log\" }",
            "log_write = { buffer = \"64KiB\", total = \"10MiB\" }",
        ]);
        let found = s.across_pages();
        assert_eq!(names(&s), ["s1"]);
        assert_eq!((found[0].start, found[0].piece), (1_000_001, 64 << 10));
        let text = found[0].to_string();
        assert!(
            text.contains("`s1`") && text.contains("byte 1000001"),
            "{text}"
        );
    }

    #[test]
    fn totals_in_percent_are_whole_pages_whatever_the_share() {
        for percent in ["0.01%", "1%", "33%", "33.3%", "92%", "110%"] {
            let s = steps(&[
                &format!("log_write = {{ line = \"128B\", total = \"{percent}\" }}"),
                "log_write = { buffer = \"4KiB\", total = \"10MiB\" }",
            ]);
            assert_eq!(names(&s), Vec::<String>::new(), "{percent}");
            let churn = steps(&[&format!(
                "heap_churn = {{ live = \"1MiB\", size = 64, lifetime = 10, total = \"{percent}\" }}"
            )]);
            let crate::workload::Workload::HeapChurn(churn) =
                &churn.containers[0].actors[0].steps[0].workload
            else {
                panic!("it is a heap_churn");
            };
            assert_eq!(churn.total % 4096, 0, "{percent}");
        }
    }

    #[test]
    fn pieces_that_are_no_whole_pages_write_across_wherever_they_begin() {
        let by = |keys: &str| {
            names(&steps(&[&format!(
                "log_write = {{ {keys}, total = \"1MiB\" }}"
            )]))
        };
        assert_eq!(by("buffer = \"5000B\""), ["s0"]);
        assert_eq!(by("line = \"9000B\""), ["s0"]);
        assert!(by("line = \"4096B\"").is_empty());
        // Shorter lines: every page has several writes, and that is no matter of where they begin.
        assert!(by("line = \"200B\"").is_empty());
        assert!(by("buffer = \"2000B\"").is_empty());
    }

    #[test]
    fn after_a_step_of_unknown_length_only_the_pieces_tell() {
        let s = steps(&[
            "log_write = { line = \"100B\", rate = \"1MiB/s\", duration = \"1s\" }",
            "log_write = { buffer = \"64KiB\", total = \"1MiB\" }",
            "log_write = { buffer = \"10000B\", total = \"1MiB\" }",
        ]);
        assert_eq!(names(&s), ["s2"]);
    }

    /// What the catalogue's figures say of 3.10 is about small lines and whole pages; a scenario that
    /// mixed the two without a word would teach something else.
    #[test]
    fn no_scenario_of_the_catalogue_writes_across_pages() {
        for entry in catalogue() {
            let s = entry.parse(Overrides::default()).unwrap();
            assert_eq!(s.across_pages(), [], "{}", entry.name);
        }
    }
}
