//! Scores as tables: in a terminal, and in Markdown.

use std::fmt::Write as _;

use super::sizers::SizerCard;
use super::{Errors, Scored, Worst};
use crate::report::{Align, Table};
use crate::units;

/// One a line, all recordings together.
pub fn human(scores: &[&Scored], what: &str) -> String {
    let headings = [
        (what, Align::Left),
        ("right", Align::Right),
        ("too much", Align::Right),
        ("by", Align::Right),
        ("too little", Align::Right),
        ("by", Align::Right),
        ("worst too much", Align::Left),
        ("worst too little", Align::Left),
    ];
    let mut table = Table::new(headings);
    for scored in scores {
        let all = &scored.all;
        let of = |n: usize| format!("{n} of {}", all.of);
        table.plain(&[
            scored.name.clone(),
            of(all.right),
            of(all.too_much),
            percent(all.much_percent),
            of(all.too_little),
            percent(all.little_percent),
            worst(all.worst_much.as_ref()),
            worst(all.worst_little.as_ref()),
        ]);
    }
    table.render(0, false)
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
    let mut out = format!(
        "| {what} | right | too much | by | too little | by | worst too much | worst too little |\n\
         |---|---|---|---|---|---|---|---|\n"
    );
    for scored in scores {
        let all = &scored.all;
        // A String takes all that is written to it.
        let _ = writeln!(
            out,
            "| `{}` | {} of {} | {} | {} | {} | {} | {} | {} |",
            scored.name,
            all.right,
            all.of,
            all.too_much,
            percent(all.much_percent),
            all.too_little,
            percent(all.little_percent),
            worst(all.worst_much.as_ref()),
            worst(all.worst_little.as_ref()),
        );
    }
    out.push_str(&split(scores, what, "class", |scored| &scored.by_class));
    out.push_str(&split(scores, what, "set-up", |scored| &scored.by_setup));
    out
}

type By = std::collections::BTreeMap<String, Errors>;

fn split(scores: &[&Scored], what: &str, by: &str, of: impl Fn(&Scored) -> &By) -> String {
    let mut keys: Vec<&String> = scores.iter().flat_map(|s| of(s).keys()).collect();
    keys.sort();
    keys.dedup();
    let mut out = format!("\n| {what}, by {by} |");
    for key in &keys {
        let most = scores.iter().filter_map(|s| of(s).get(*key)).map(|e| e.of);
        let _ = write!(out, " {key} ({}) |", most.max().unwrap_or(0));
    }
    let _ = write!(out, "\n|---|{}\n", "---|".repeat(keys.len()));
    for scored in scores {
        let _ = write!(out, "| `{}` |", scored.name);
        for key in &keys {
            let cell = of(scored).get(*key).map_or("-".into(), |errors| {
                format!("+{:.1} -{:.1}", errors.much_percent, errors.little_percent)
            });
            let _ = write!(out, " {cell} |");
        }
        out.push('\n');
    }
    out
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
