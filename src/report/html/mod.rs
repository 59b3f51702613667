//! The HTML report: one file that opens offline, with every number of every recording in it.
//!
//! The page works in three layers. Without its script it is text, tables and still figures. With it,
//! each figure turns into an interactive chart when it scrolls into view; the chart library's script
//! is in the page once, packed. A content security policy forbids every request.

mod article;
mod compare;
mod data;
mod need;
mod overview;
mod pack;
mod scorecard;
mod tables;
mod text;

use std::io;

use crate::expect::{CheckResult, Checked};
use crate::plot::PlotError;
use crate::recording::Recording;
use crate::scenario::Scenario;

use crate::markup::escape;
pub use need::{NeedPart, need_page};
pub use scorecard::Answer;

/// Why there is no report.
#[derive(Debug, thiserror::Error)]
pub enum HtmlError {
    /// The still figure.
    #[error("{name}: {source}")]
    Figure {
        /// The recording.
        name: String,
        /// What caused it.
        source: PlotError,
    },
    /// Packing the data.
    #[error("{name}: packing its data failed: {source}")]
    Pack {
        /// The recording.
        name: String,
        /// What caused it.
        source: io::Error,
    },
    /// Turning the data to JSON.
    #[error("{name}: its data can't be written as JSON: {source}")]
    Json {
        /// The recording.
        name: String,
        /// What caused it.
        source: serde_json::Error,
    },
}

/// One recording and what is known about it.
pub struct Entry {
    /// Where it was read from.
    pub path: String,
    /// The recording.
    pub recording: Recording,
    /// Its scenario, where its header holds one that can be read.
    pub scenario: Option<Scenario>,
    /// Its expectations, judged.
    pub checks: Vec<Checked>,
}

impl Entry {
    /// The set-up's name, or kernel, cgroup version and reclaim order.
    pub fn setup(&self) -> String {
        let host = &self.recording.header.host;
        match &host.setup {
            Some(setup) => setup.clone(),
            None => format!("{} {} {}", host.kernel, host.cgroup, host.lru),
        }
    }

    /// The scenario's name.
    pub fn scenario_name(&self) -> &str {
        &self.recording.header.scenario
    }

    /// Expectations met, and those that apply.
    pub fn met(&self) -> (usize, usize) {
        let count = |result| self.checks.iter().filter(|c| c.result == result).count();
        let met = count(CheckResult::Pass);
        (met, met + count(CheckResult::Fail))
    }

    /// How it is shown that all of them were met, or not: a class, a mark and words.
    pub fn class(&self) -> (&'static str, &'static str, &'static str) {
        let (met, applying) = self.met();
        match (applying, met == applying) {
            (0, _) => ("none", "", "Not judged"),
            (_, true) => ("good", "✓ ", "As expected"),
            _ => ("bad", "✗ ", "Not as expected"),
        }
    }
}

/// The whole page.
pub fn render(entries: &[Entry], answers: &[Answer]) -> Result<String, HtmlError> {
    let mut body = overview::overview(entries);
    body.push_str(&compare::comparisons(entries));
    body.push_str(&overview::scorecard(answers));
    for (i, entry) in entries.iter().enumerate() {
        body.push_str(&article::article(i, entry, answers)?);
    }
    Ok(page(&title(entries), &body))
}

fn title(entries: &[Entry]) -> String {
    match entries {
        [one] => format!("{} on {}", one.scenario_name(), one.setup()),
        many => format!("{} recordings", many.len()),
    }
}

fn page(title: &str, body: &str) -> String {
    let (script, js) = (pack::chart_script(), include_str!("page.js"));
    let scripts = format!(
        "<script type=\"text/plain\" id=\"chart-script\">{script}</script>\n<script>\n{js}</script>\n"
    );
    frame(
        title,
        body,
        &scripts,
        "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; img-src data: blob:",
    )
}

/// A page without a script.
fn plain_page(title: &str, body: &str) -> String {
    let policy = "default-src 'none'; style-src 'unsafe-inline'; img-src data:";
    frame(title, body, "", policy)
}

fn frame(title: &str, body: &str, scripts: &str, policy: &str) -> String {
    let (title, css) = (escape(title), include_str!("page.css"));
    format!(
        r##"<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="{policy}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta name="generator" content="memtide {version}">
<link rel="icon" href="data:,">
<title>memtide: {title}</title>
<style>
{css}</style>
</head>
<body>
<a class="skip" href="#overview">To the overview</a>
<header>
<h1>memtide <small>{title}</small></h1>
</header>
<main>
{body}</main>
<footer><p>Written by memtide {version}. All sizes are in MiB (1,048,576 bytes) unless said; point at a number for its bytes.</p></footer>
{scripts}</body>
</html>
"##,
        version = env!("CARGO_PKG_VERSION"),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plot::testing;

    fn entry(setup: &str) -> Entry {
        let mut recording = testing::recording();
        recording.header.host.setup = Some(setup.into());
        Entry {
            path: format!("{setup}/synthetic.jsonl"),
            recording,
            scenario: None,
            checks: vec![Checked {
                text: "working_set at `</script>`".into(),
                expected: "100.0 MiB".into(),
                seen: "103.5 MiB".into(),
                result: CheckResult::Pass,
                expected_value: None,
                seen_value: None,
                why: "reading promotes".into(),
            }],
        }
    }

    #[test]
    fn the_page_is_whole_and_what_a_recording_says_cannot_become_markup() {
        let answer = Answer {
            detector: "rss_threshold".into(),
            scenario: "synthetic".into(),
            setup: None,
            fired: Some(8.5),
            judgement: "hit".into(),
            right: true,
        };
        let page = render(&[entry("6.1-v2"), entry("6.12-v2")], &[answer]).unwrap();
        // Two recordings, the chart library, the page's own script, and one comparison.
        assert_eq!(page.matches("<script").count(), 5);
        assert_eq!(page.matches("</script>").count(), 5);
        assert!(page.contains("&lt;/script&gt;"));
        assert!(page.contains("across set-ups"));
        assert!(page.len() < 2_500_000, "{}", page.len());
        if let Ok(path) = std::env::var("MEMTIDE_KEEP_PAGE") {
            std::fs::write(path, page).unwrap();
        }
    }

    #[test]
    fn a_recording_without_samples_is_still_reported() {
        let mut empty = entry("cut");
        empty.recording.tables[0] = crate::recording::Table {
            columns: Vec::new(),
            ..Default::default()
        };
        empty.recording.footer = None;
        let page = render(&[empty], &[]).unwrap();
        assert!(page.contains("nothing to draw"));
    }
}
