//! Scores as tables: in a terminal, and in Markdown.

use super::sizers::SizerCard;
use super::{Errors, Scored, Worst};
use crate::markup::table;
use crate::report::{Align, Table};
use crate::units;

/// One a line, all recordings together.
pub fn human(scores: &[&Scored], what: &str) -> String {
    let align = |heading: &str| match heading.starts_with("worst") {
        true => Align::Left,
        false => Align::Right,
    };
    let headings = HEADINGS.map(|heading| (heading, align(heading)));
    let mut table = Table::new(std::iter::once((what, Align::Left)).chain(headings));
    for scored in scores {
        let wrong = |n| of(n, &scored.all);
        table.plain(&cells(scored, scored.name.clone(), wrong));
    }
    table.render(0, false)
}

const HEADINGS: [&str; 7] = [
    "right",
    "too much",
    "by",
    "too little",
    "by",
    "worst too much",
    "worst too little",
];

/// The name, and what stands below [`HEADINGS`]; `wrong` says how many were.
fn cells(scored: &Scored, name: String, wrong: impl Fn(usize) -> String) -> [String; 8] {
    let all = &scored.all;
    [
        name,
        of(all.right, all),
        wrong(all.too_much),
        percent(all.much_percent),
        wrong(all.too_little),
        percent(all.little_percent),
        worst(all.worst_much.as_ref()),
        worst(all.worst_little.as_ref()),
    ]
}

fn of(n: usize, all: &Errors) -> String {
    format!("{n} of {}", all.of)
}

fn percent(percent: f64) -> String {
    format!("{percent:.1} %")
}

fn worst(worst: Option<&Worst>) -> String {
    worst.map_or("-".into(), |w| {
        format!("{} ({})", percent(w.percent), w.recording)
    })
}

/// The same in Markdown, and then by class and by set-up: `+` too much, `-` too little.
pub fn markdown(scores: &[&Scored], what: &str) -> String {
    let head = std::iter::once(what).chain(HEADINGS).map(String::from);
    let rows = scores.iter().map(|scored| {
        let wrong = |n: usize| n.to_string();
        cells(scored, format!("`{}`", scored.name), wrong).to_vec()
    });
    let mut out = table(head.collect(), rows, usize::MAX);
    out.push_str(&split(scores, what, "class", |scored| &scored.by_class));
    out.push_str(&split(scores, what, "set-up", |scored| &scored.by_setup));
    out
}

type By = std::collections::BTreeMap<String, Errors>;

fn split(scores: &[&Scored], what: &str, by: &str, of: impl Fn(&Scored) -> &By) -> String {
    let mut keys: Vec<&String> = scores.iter().flat_map(|s| of(s).keys()).collect();
    keys.sort();
    keys.dedup();
    let mut head = vec![format!("{what}, by {by}")];
    head.extend(keys.iter().map(|key| {
        let most = scores.iter().filter_map(|s| of(s).get(*key)).map(|e| e.of);
        format!("{key} ({})", most.max().unwrap_or(0))
    }));
    let rows = scores.iter().map(|scored| {
        let errors = keys.iter().map(|key| {
            of(scored).get(*key).map_or("-".into(), |errors| {
                format!("+{:.1} -{:.1}", errors.much_percent, errors.little_percent)
            })
        });
        std::iter::once(format!("`{}`", scored.name))
            .chain(errors)
            .collect()
    });
    format!("\n{}", table(head, rows, usize::MAX))
}

/// What each sizer said of each recording.
pub fn rows(cards: &[SizerCard]) -> String {
    let headings = [
        ("sizer", Align::Left),
        ("recording", Align::Left),
        ("recommends", Align::Right),
        ("need", Align::Right),
        ("", Align::Left),
    ];
    let mut table = Table::new(headings);
    for card in cards {
        for row in &card.rows {
            table.plain(&[
                card.score.name.clone(),
                row.recording.clone(),
                row.limit.map_or("-".into(), units::bytes),
                units::bytes(row.need),
                row.error.clone().or(row.ran.clone()).unwrap_or_default(),
            ]);
        }
    }
    table.render(0, false)
}

#[cfg(test)]
mod tests {
    use super::super::sizers::Row;
    use super::*;

    #[test]
    fn a_row_says_what_was_recommended_of_what_is_needed_or_why_not() {
        let row = |name: &str| Row {
            recording: name.into(),
            limit: Some(100 << 20),
            need: 64 << 20,
            ran: Some("fits".into()),
            error: None,
        };
        let failed = Row {
            limit: None,
            ran: None,
            error: Some("no scrape".into()),
            ..row("b/leak")
        };
        let card = SizerCard {
            score: Scored::new("vpa"),
            rows: vec![row("a/steady"), failed],
        };
        let text = rows(&[card]);
        let words: Vec<Vec<&str>> = text
            .lines()
            .map(|l| l.split_whitespace().collect())
            .collect();
        assert_eq!(
            words[1],
            ["vpa", "a/steady", "100.0", "MiB", "64.0", "MiB", "fits"]
        );
        assert_eq!(
            words[2],
            ["vpa", "b/leak", "-", "64.0", "MiB", "no", "scrape"]
        );
    }
}
