//! What each mechanism of the model is worth: switched off, one after the other.
//!
//! `MEMTIDE_UPDATE=1 cargo test --test model_gates worth -- --include-ignored` writes the table of
//! docs/model.md anew.

use std::fmt::Write as _;

use memtide::host::Lru;
use memtide::model::{self, Rules, card};

use super::{Case, cases, follow, page, score, share};

type Switch = (&'static str, fn(&mut Rules));

/// Each mechanism, and how it is switched off. The first is the whole model.
const SWITCHES: [Switch; 11] = [
    ("all of it", |_| {}),
    ("a second read makes a page active", |r| {
        r.read_promotes = false
    }),
    ("a write is a use (before 4.7)", |r| r.write_marks = false),
    ("generations instead of two lists (MGLRU)", |r| {
        r.lru = Lru::Classic
    }),
    ("lazily freed memory has its place on a list", |r| {
        r.lazyfree_list = false
    }),
    ("a huge page stays whole", |r| r.thp_stays_whole = false),
    ("kernel memory is charged", |r| {
        (r.kernel_charged, r.written_page, r.node) = (false, 0, 0);
    }),
    ("of it, buffer heads", |r| r.written_page = 0),
    ("of it, nodes of files' trees", |r| r.node = 0),
    ("what comes back soon is active", |r| r.refaults = false),
    ("stock and gap at the limit", |r| (r.stock, r.gap) = (0, 0)),
];

/// The set-ups of the table: the three kinds of lists that there are recordings of.
const SETUPS: [&str; 3] = ["3.10-v1", "6.12-v2", "6.12-v2-mglru"];

fn of_table() -> impl Iterator<Item = &'static Case> {
    cases()
        .iter()
        .filter(|case| SETUPS.contains(&case.shipped.setup))
}

/// Rows beyond 1 %, outcomes that differ, and of how many each.
fn measure(switch: fn(&mut Rules)) -> [usize; 4] {
    let mut sums = [0; 4];
    for case in of_table() {
        let mut card = card::find(case.shipped.setup).expect("each set-up has a card");
        switch(&mut card.rules);
        let Some(score) = score(&card, case) else {
            continue;
        };
        let row = [
            score.misses.len(),
            score.rows,
            usize::from(!score.same_outcome),
            1,
        ];
        sums.iter_mut().zip(row).for_each(|(sum, n)| *sum += n);
    }
    sums
}

/// Verdicts on recorded progress that differ, and how many there are.
fn verdicts(switch: fn(&mut Rules)) -> [usize; 2] {
    let mut sums = [0; 2];
    for case in of_table() {
        let mut card = card::find(case.shipped.setup).expect("each set-up has a card");
        switch(&mut card.rules);
        let Ok(shown) = model::follow(&case.scenario, &card, &case.real) else {
            continue;
        };
        let (off, all) = follow::verdicts_that_differ(case, &shown);
        sums[0] += off;
        sums[1] += all;
    }
    sums
}

fn cells(measured: [usize; 4]) -> String {
    let [off, rows, outcomes, recordings] = measured;
    format!(
        "{:.2} | {} of {recordings}",
        share(off, rows),
        recordings - outcomes
    )
}

/// All of the table; verdicts take a minute.
#[test]
#[ignore = "takes minutes; its first columns are held by the_first_columns_are_current"]
fn what_each_mechanism_is_worth() {
    let mut table =
        String::from("| without | rows within 1 % | outcomes | verdicts |\n|---|---:|---:|---:|\n");
    for (name, switch) in SWITCHES {
        let [off, all] = verdicts(switch);
        let verdicts = share(off, all);
        let _ = writeln!(
            table,
            "| {name} | {} | {verdicts:.2} % |",
            cells(measure(switch))
        );
    }
    page::hold(
        "worth",
        &table.replace("| all of it |", "| (nothing: all of it) |"),
    );
}

/// Rows and outcomes of the whole model and of the mechanism that matters most are those of the table.
#[test]
fn the_first_columns_of_what_each_is_worth_are_current() {
    for (name, line) in [("(nothing: all of it)", 0), ("kernel memory is charged", 6)] {
        let cells = cells(measure(SWITCHES[line].1));
        let want = format!("| {name} | {cells} |");
        assert!(
            page::text().contains(&want),
            "docs/model.md does not have {want:?}; run MEMTIDE_UPDATE=1 cargo test --test model_gates worth -- --include-ignored"
        );
    }
}
