//! The scorecard for a pull request's comment and for the docs.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;

use crate::judge::scorecard::{DetectorCard, Scorecard, Totals};
use crate::judge::verdict::Judgement;
use crate::markup::table;

use super::human::scraped;
use super::{cell, expected, got, maybe_seconds, percent};

/// Totals, then every row that was not right.
pub fn markdown(card: &Scorecard) -> String {
    let mut text = markdown_summary(card);
    for detector in &card.detectors {
        let wrong: Vec<_> = detector
            .rows
            .iter()
            .filter(|r| !r.verdict.is_right() && r.verdict.counts())
            .collect();
        // A String takes all that is written to it.
        let _ = write!(text, "\n### {}\n\n", cell(&detector.detector));
        for note in &detector.notes {
            let _ = writeln!(text, "- {}", cell(note));
        }
        if !detector.notes.is_empty() {
            text.push('\n');
        }
        if wrong.is_empty() {
            let judged = detector.totals.not_judged < detector.rows.len();
            text.push_str(if judged {
                "Right on every recording it was judged on.\n"
            } else {
                "Not judged.\n"
            });
            continue;
        }
        text.push_str("| recording | expected | got | verdict |\n|---|---|---|---|\n");
        for row in wrong {
            let (recording, expected, got) = (cell(&row.recording), expected(row), cell(&got(row)));
            let verdict = row.verdict.words();
            let _ = writeln!(text, "| {recording} | {expected} | {got} | {verdict} |");
        }
    }
    if !card.skipped.is_empty() {
        text.push_str("\nSkipped:\n\n");
    }
    for (name, reason) in &card.skipped {
        let _ = writeln!(text, "- {}: {}", cell(name), cell(reason));
    }
    text
}

/// Totals of every detector, and one table of verdicts: scenarios down, detectors across.
pub fn markdown_summary(card: &Scorecard) -> String {
    let mut text = format!("{}\n", scraped(card));
    text.push_str("| detector | precision | recall | F1 | mean lead | least lead | hit | quiet | late | missed | early | false alarms | errors | not judged |\n");
    text.push_str("|---|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|\n");
    for detector in &card.detectors {
        let t = &detector.totals;
        let _ = writeln!(
            text,
            "| {} | {} | {} | {} | {} | {} | {} | {} | {} | {} | {} | {} | {} | {} |",
            cell(&detector.detector),
            percent(t.precision),
            percent(t.recall),
            t.f1_told(),
            maybe_seconds(t.lead_mean_s),
            maybe_seconds(t.lead_min_s),
            t.hits,
            t.quiet,
            t.late,
            t.misses,
            t.early,
            t.false_alarms,
            t.errors,
            t.not_judged
        );
    }
    let _ = write!(text, "\n{}", by_setup(&card.detectors));
    let _ = write!(text, "\n{}", by_scenario(&card.detectors));
    text
}

/// F1 of every detector on every kernel set-up.
fn by_setup(detectors: &[DetectorCard]) -> String {
    let setups: BTreeSet<&String> = detectors.iter().flat_map(|d| d.by_setup.keys()).collect();
    let mut head = vec!["F1 by set-up".to_owned()];
    head.extend(setups.iter().map(|setup| cell(setup)));
    let rows = detectors.iter().map(|detector| {
        let f1 = setups.iter().map(|setup| {
            let totals = detector.by_setup.get(*setup);
            totals.map_or("-".to_owned(), Totals::f1_told)
        });
        std::iter::once(cell(&detector.detector))
            .chain(f1)
            .collect()
    });
    table(head, rows, 1)
}

/// For every scenario and detector, on how many set-ups it was right and how it was wrong.
fn by_scenario(detectors: &[DetectorCard]) -> String {
    let mut scenarios: BTreeMap<&str, &str> = BTreeMap::new();
    for row in detectors.iter().flat_map(|d| &d.rows) {
        let right = if row.expected.fire { "fire" } else { "quiet" };
        scenarios.insert(&row.scenario, right);
    }
    let mut head = vec!["scenario".to_owned(), "right".to_owned()];
    head.extend(detectors.iter().map(|detector| cell(&detector.detector)));
    let rows = scenarios.into_iter().map(|(scenario, right)| {
        let mut cells = vec![cell(scenario), right.to_owned()];
        cells.extend(
            detectors
                .iter()
                .map(|detector| verdicts(detector, scenario)),
        );
        cells
    });
    table(head, rows, usize::MAX)
}

/// `hit 6, **miss** 1`: how the verdicts on one scenario's recordings are spread.
fn verdicts(detector: &DetectorCard, scenario: &str) -> String {
    let rows = detector.rows.iter().filter(|r| r.scenario == scenario);
    let all: Vec<Judgement> = rows.map(|r| r.verdict).collect();
    let words: Vec<String> = Judgement::ALL
        .into_iter()
        .filter_map(|verdict| {
            let n = all.iter().filter(|v| **v == verdict).count();
            let word = match verdict {
                Judgement::Quiet => "quiet",
                Judgement::Hit => "hit",
                Judgement::NotJudged => "not judged",
                wrong => return (n > 0).then(|| format!("**{}** {n}", wrong.words())),
            };
            (n > 0).then(|| format!("{word} {n}"))
        })
        .collect();
    words.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::judge::scorecard::testing::{card, row};

    #[test]
    fn a_scenarios_verdicts_are_counted_by_kind_and_wrong_ones_stand_out() {
        let of = |verdict| row(true, verdict, None);
        let mut rows = [
            Judgement::Hit,
            Judgement::Hit,
            Judgement::Miss,
            Judgement::NotJudged,
        ]
        .map(of)
        .to_vec();
        let mut elsewhere = of(Judgement::Quiet);
        elsewhere.scenario = "another".into();
        rows.push(elsewhere);
        let card = card("mine", rows);
        assert_eq!(
            verdicts(&card.detectors[0], "b"),
            "hit 2, **miss** 1, not judged 1"
        );
        assert_eq!(verdicts(&card.detectors[0], "another"), "quiet 1");
        assert_eq!(verdicts(&card.detectors[0], "none"), "");
        let table = by_scenario(&card.detectors);
        assert!(
            table.contains("| hit 2, **miss** 1, not judged 1 |"),
            "{table}"
        );
    }
}
