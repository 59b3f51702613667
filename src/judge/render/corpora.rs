//! One line a detector, one column a corpus: what a detector is worth hangs on what it is shown.

use std::fmt::Write;

use crate::judge::bootstrap;
use crate::judge::half::Half;
use crate::judge::kind::Kind;
use crate::judge::scorecard::{Row, Scorecard, Totals};

use super::human::scraped;

/// F1 with its interval and the alarms for nothing, by corpus and over all that the card has.
pub fn markdown_corpora(card: &Scorecard) -> String {
    let has = |kind: &Kind| {
        card.detectors
            .iter()
            .flat_map(|d| &d.rows)
            .any(|row| row.corpus == *kind)
    };
    let kinds: Vec<Kind> = Kind::ALL.into_iter().filter(has).collect();
    let halved = kinds.iter().any(|kind| is_halved(*kind));
    let mut text = format!("{}\n| detector |", scraped(card));
    // A String takes all that is written to it.
    for kind in &kinds {
        let _ = write!(text, " {kind} |");
    }
    text.push_str(" all |");
    if halved {
        let _ = write!(text, " {} half | {} half |", Half::Tuning, Half::HeldOut);
    }
    let columns = kinds.len() + 1 + 2 * usize::from(halved);
    let _ = write!(text, "\n|---|{}\n", "---:|".repeat(columns));
    for detector in &card.detectors {
        let _ = write!(text, "| {} |", super::cell(&detector.detector));
        let mut column = |keep: &dyn Fn(&Row) -> bool| {
            let rows: Vec<&Row> = detector.rows.iter().filter(|row| keep(row)).collect();
            let _ = write!(text, " {} |", worth(&rows));
        };
        for kind in &kinds {
            column(&|row| row.corpus == *kind);
        }
        column(&|_| true);
        if halved {
            for half in [Half::Tuning, Half::HeldOut] {
                column(&|row| is_halved(row.corpus) && Half::of(&row.scenario) == half);
            }
        }
        text.push('\n');
    }
    text
}

/// What numbers are tuned on one half of.
fn is_halved(kind: Kind) -> bool {
    matches!(kind, Kind::Runtimes | Kind::Services)
}

/// `0.84 (0.62 to 1.00), 8/9, 2 false`: F1 and its interval, hits of all there were to hit, alarms for
/// nothing.
fn worth(rows: &[&Row]) -> String {
    let judged = rows.iter().filter(|row| row.verdict.counts()).count();
    if judged == 0 {
        return "not judged".to_owned();
    }
    let totals = Totals::of(rows.iter().copied());
    let fires = rows
        .iter()
        .filter(|row| row.expected.fire && row.verdict.counts())
        .count();
    let wrong = totals.false_alarms + totals.early;
    match bootstrap::f1(rows) {
        Some((from, to)) => format!(
            "{:.2} ({from:.2} to {to:.2}), {}/{fires}, {wrong} false",
            totals.f1, totals.hits
        ),
        None => format!("{wrong} false of {judged}"),
    }
}
