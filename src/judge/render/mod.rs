//! Scorecards as text: for people, for pull requests, for CI.

mod corpora;
mod human;
mod junit;
mod markdown;

pub use corpora::markdown_corpora;
pub use human::human;
pub use junit::junit;
pub use markdown::{markdown, markdown_summary};

use super::scorecard::{Row, Totals};
use crate::markup::cell;
use crate::report::{Align, Table};

/// Seconds for people: `42 s`, `12 min 30 s`, `2 h 05 min`.
fn seconds(s: f64) -> String {
    let whole = s.round() as i64;
    match whole {
        ..120 => format!("{whole} s"),
        120..7200 => format!("{} min {:02} s", whole / 60, whole % 60),
        _ => format!("{} h {:02} min", whole / 3600, whole % 3600 / 60),
    }
}

/// Seconds as `h:mm:ss`.
fn clock(s: f64) -> String {
    let whole = s.round() as i64;
    format!(
        "{}:{:02}:{:02}",
        whole / 3600,
        whole % 3600 / 60,
        whole % 60
    )
}

fn maybe_seconds(s: Option<f64>) -> String {
    s.map_or_else(|| "-".to_owned(), seconds)
}

fn percent(share: Option<f64>) -> String {
    share.map_or_else(|| "-".to_owned(), |s| format!("{:.0} %", s * 100.0))
}

/// `leak from 60 s, OOM kill at 16 min 40 s`, or `quiet (page_cache)`.
fn expected(row: &Row) -> String {
    let class = row.class;
    if !row.expected.fire {
        return format!("quiet ({class})");
    }
    let onset = seconds(row.expected.onset_s);
    match row.expected.oom_s {
        Some(oom) => format!("fire ({class}) {onset} to {}", seconds(oom)),
        None => format!("fire ({class}) from {onset}"),
    }
}

/// `fired at 12 min 30 s (leak)`, `quiet`, or the error.
fn got(row: &Row) -> String {
    if let Some(error) = row.error.as_ref().or(row.not_judged.as_ref()) {
        return error.clone();
    }
    let said = row.said.map_or_else(String::new, |c| format!(" ({c})"));
    match row.fired_at_s {
        Some(t) => {
            let why = row
                .why
                .as_ref()
                .map_or_else(String::new, |why| format!(": {}", why.words()));
            format!("fired at {}{said}{why}", seconds(t))
        }
        None => format!("quiet{said}"),
    }
}

/// `12 hit, 30 quiet, 2 miss, 1 false alarm`.
fn counts(totals: &Totals) -> String {
    let parts = [
        (totals.hits, "hit"),
        (totals.quiet, "quiet as they should"),
        (totals.late, "late"),
        (totals.misses, "missed"),
        (totals.early, "early"),
        (totals.false_alarms, "false alarms"),
        (totals.errors, "errors"),
        (totals.not_judged, "not judged"),
    ];
    let words: Vec<String> = parts
        .iter()
        .filter(|(n, _)| *n > 0)
        .map(|(n, word)| format!("{n} {word}"))
        .collect();
    words.join(", ")
}

/// Cells in columns as wide as their widest cell.
fn table(header: &[&str], rows: &[Vec<String>]) -> String {
    let mut table = Table::new(header.iter().map(|name| (*name, Align::Left)));
    rows.iter().for_each(|row| table.plain(row));
    table.render(0, false)
}

#[cfg(test)]
mod tests {
    use super::super::scorecard::testing::{card, row};
    use super::super::verdict::Judgement;
    use super::*;

    #[test]
    fn times_shares_and_counts_are_for_people() {
        for (s, words, digits) in [
            (0.0, "0 s", "0:00:00"),
            (119.4, "119 s", "0:01:59"),
            (120.0, "2 min 00 s", "0:02:00"),
            (7199.0, "119 min 59 s", "1:59:59"),
            (7261.0, "2 h 01 min", "2:01:01"),
        ] {
            assert_eq!((&*seconds(s), &*clock(s)), (words, digits));
            assert_eq!(maybe_seconds(Some(s)), words);
        }
        assert_eq!((&*maybe_seconds(None), &*percent(None)), ("-", "-"));
        assert_eq!(percent(Some(0.854)), "85 %");
        let totals = Totals {
            hits: 2,
            early: 1,
            not_judged: 3,
            ..Totals::default()
        };
        assert_eq!(counts(&totals), "2 hit, 1 early, 3 not judged");
    }

    #[test]
    fn a_page_says_of_each_detector_what_was_not_right() {
        let hit = || row(true, Judgement::Hit, Some(60.0));
        let not_judged = || row(true, Judgement::NotJudged, None);
        let says = |rows: Vec<Row>| markdown(&card("one", rows));
        let right = "Right on every recording it was judged on.";
        assert!(says(vec![hit()]).contains(right));
        assert!(says(vec![hit(), not_judged()]).contains(right));
        let none = says(vec![not_judged()]);
        assert!(
            none.contains("Not judged.") && !none.contains(right),
            "{none}"
        );
        let wrong = says(vec![hit(), row(true, Judgement::Miss, None)]);
        assert!(
            wrong.contains("| a/b | fire (leak) from 0 s | quiet | miss |"),
            "{wrong}"
        );
        assert!(
            !wrong.contains(right) && !wrong.contains("| hit |\n"),
            "{wrong}"
        );
    }
}
