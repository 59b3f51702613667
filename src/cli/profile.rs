//! What a recording without steps was made of: its start, its peaks and its end, side by side.

use std::fmt::Write;

use crate::explain::answer::recording as answer;
use crate::formula::FORMULAS;
use crate::recording::Recording;
use crate::report::{Align, Style, Table};
use crate::rows::View;
use crate::units;

/// A moment worth a column.
struct Moment {
    name: &'static str,
    t: u64,
    view: View,
}

/// The first container's numbers at its start, at the peaks of usage, rss and working_set, and at
/// the end.
pub fn render(recording: &Recording, colour: bool) -> String {
    let moments = moments(recording);
    if moments.is_empty() {
        return "  no sample was taken: the command ended before the first tick\n".into();
    }
    let mut headings = vec![("MiB".to_string(), Align::Left)];
    headings.extend(moments.iter().map(|m| {
        (
            format!("{} ({:.1} s)", m.name, m.t as f64 / 1e9),
            Align::Right,
        )
    }));
    let mut table = Table::new(headings);
    for name in ROWS {
        let values: Vec<Option<i64>> = moments
            .iter()
            .map(|m| m.view.get(name).map(|v| v as i64))
            .collect();
        push(&mut table, name, &values);
    }
    for formula in FORMULAS
        .iter()
        .filter(|f| f.name != "usage" && f.name != "rss")
    {
        let values: Vec<Option<i64>> = moments.iter().map(|m| (formula.eval)(&m.view)).collect();
        push(&mut table, formula.name, &values);
    }
    let mut out = String::new();
    if let Some(answer) = answer::of(recording, recording.main_group()) {
        let _ = writeln!(out, "{}\nNext: {}", answer.sentence, answer.next);
    }
    out += &table.render(2, colour);
    if let Some((peak, name)) = answer::kernel_peak(recording, recording.main_group()) {
        let peak = units::bytes(peak);
        let _ = writeln!(
            out,
            "  the kernel's own peak of usage: {peak} ({name}); samples can miss it"
        );
    }
    if let Some(footer) = &recording.footer {
        let _ = writeln!(out, "  outcome: {} ({})", footer.outcome, footer.reason);
    }
    out
}

/// The raw rows of the table.
const ROWS: [&str; 8] = [
    "usage",
    "rss",
    "inactive_file",
    "active_file",
    "cache",
    "shmem",
    "mapped_file",
    "kernel",
];

fn push(table: &mut Table, name: &str, values: &[Option<i64>]) {
    if values.iter().all(Option::is_none) {
        return;
    }
    let cell = |value: &Option<i64>| match value {
        Some(v) => (units::signed_mib(*v), Style::Plain),
        None => ("-".to_string(), Style::Dim),
    };
    let name = (name.to_string(), Style::Plain);
    table.row(std::iter::once(name).chain(values.iter().map(cell)));
}

fn moments(recording: &Recording) -> Vec<Moment> {
    let group = recording.main_group();
    let table = &recording.tables[group];
    let Some(last) = table.len().checked_sub(1) else {
        return Vec::new();
    };
    let index = recording.view_index(group);
    let view = |sample| recording.view(group, &index, sample);
    let peak = |of: fn(&View) -> Option<u64>| {
        (0..=last)
            .max_by_key(|sample| (of(&view(*sample)), std::cmp::Reverse(*sample)))
            .unwrap_or(0)
    };
    let working_set = |v: &View| {
        crate::formula::cadvisor::working_set(v).and_then(|bytes| u64::try_from(bytes).ok())
    };
    [
        ("start", 0),
        ("peak usage", peak(|v| v.usage)),
        ("peak rss", peak(|v| v.rss)),
        ("peak working_set", peak(working_set)),
        ("end", last),
    ]
    .into_iter()
    .map(|(name, sample)| Moment {
        name,
        t: table.t[sample],
        view: view(sample),
    })
    .collect()
}
