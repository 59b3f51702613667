//! One line a detector, one column a corpus: what a detector is worth hangs on what it is shown.

use crate::judge::bootstrap;
use crate::judge::half::Half;
use crate::judge::kind::Kind;
use crate::judge::scorecard::{Row, Scorecard, Totals};
use crate::markup::table;

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
    let mut head = vec!["detector".to_owned()];
    head.extend(kinds.iter().map(Kind::to_string));
    head.push("all".to_owned());
    if halved {
        head.extend(Half::ALL.map(|half| format!("{half} half")));
    }
    let rows = card.detectors.iter().map(|detector| {
        let column = |keep: &dyn Fn(&Row) -> bool| {
            let rows: Vec<&Row> = detector.rows.iter().filter(|row| keep(row)).collect();
            worth(&rows)
        };
        let mut cells = vec![super::cell(&detector.detector)];
        cells.extend(kinds.iter().map(|kind| column(&|row| row.corpus == *kind)));
        cells.push(column(&|_| true));
        if halved {
            cells.extend(Half::ALL.map(|half| {
                column(&|row| is_halved(row.corpus) && Half::of(&row.scenario) == half)
            }));
        }
        cells
    });
    format!("{}\n{}", scraped(card), table(head, rows, 1))
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
