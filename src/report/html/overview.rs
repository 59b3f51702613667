//! The top of the page: every recording in one row, every detector in one row.

use std::fmt::Write as _;

use super::Entry;
use super::scorecard::Answer;
use super::text::{mib_cell, table};
use crate::formula::cadvisor;
use crate::markup::escape;
use crate::plot::layers;
use crate::recording::Recording;
use crate::rows::View;

/// The summary sentence and the table of recordings.
pub fn overview(entries: &[Entry]) -> String {
    let judged = entries.iter().filter(|e| e.met().1 > 0).count();
    let good = entries
        .iter()
        .filter(|e| e.met().1 > 0 && e.met().0 == e.met().1)
        .count();
    let mut out = format!(
        "<section id=overview aria-labelledby=overview-title>\n<h2 id=overview-title>Overview</h2>\n\
         <p>{} {}; {good} of {judged} judged ones as expected.</p>\n",
        entries.len(),
        if entries.len() == 1 {
            "recording"
        } else {
            "recordings"
        },
    );
    let head = "<th scope=col>scenario<th scope=col>set-up<th scope=col>outcome\
        <th scope=col>expectations<th scope=col class=n>limit<th scope=col class=n>usage\
        <th scope=col class=n>working_set<th scope=col class=n>rss<th scope=col class=n>truth: live";
    let mut rows = String::new();
    for (i, entry) in entries.iter().enumerate() {
        row(&mut rows, i, entry);
    }
    let caption = "Largest values of the first container, in MiB";
    out.push_str(&table(caption, head, &rows));
    out.push_str("</section>\n");
    out
}

fn row(out: &mut String, index: usize, entry: &Entry) {
    let recording = &entry.recording;
    let group = recording.main_group();
    let (met, applying) = entry.met();
    let (class, mark, _) = entry.class();
    let _ = write!(
        out,
        "<tr><th scope=row><a href=\"#r{index}\">{}</a></th><td>{}</td><td>{}</td>\
         <td><b class={class}>{mark}{met} of {applying}</b></td>",
        escape(entry.scenario_name()),
        escape(&entry.setup()),
        recording
            .footer
            .as_ref()
            .map_or("cut", |f| f.outcome.as_str()),
    );
    out.push_str(&mib_cell(layers::limit(recording, group)));
    out.push_str(&mib_cell(largest(recording, |v| v.usage)));
    out.push_str(&mib_cell(largest(recording, cadvisor::working_set)));
    out.push_str(&mib_cell(largest(recording, |v| v.rss)));
    let live = recording.tables.get(group).and_then(|table| {
        let column = table.column("truth:live")?;
        (0..table.len()).filter_map(|s| table.get(s, column)).max()
    });
    out.push_str(&mib_cell(live));
    out.push_str("</tr>\n");
}

/// The largest value of the first container.
fn largest<T: Ord>(recording: &Recording, of: impl Fn(&View) -> Option<T>) -> Option<T> {
    let group = recording.main_group();
    let index = recording.view_index(group);
    let samples = recording.tables.get(group).map_or(0, |t| t.len());
    let views = (0..samples).map(|sample| recording.view(group, &index, sample));
    views.filter_map(|view| of(&view)).max()
}

/// Who was right how often; nothing without a scorecard.
pub fn scorecard(answers: &[Answer]) -> String {
    if answers.is_empty() {
        return String::new();
    }
    let mut names: Vec<&str> = Vec::new();
    for answer in answers {
        if !names.contains(&answer.detector.as_str()) {
            names.push(&answer.detector);
        }
    }
    let mut rows = String::new();
    for name in names {
        let own = || answers.iter().filter(|a| a.detector == name);
        let wrong: Vec<String> = own()
            .filter(|a| !a.right)
            .map(|a| format!("{}: {}", a.scenario, a.judgement))
            .collect();
        let _ = writeln!(
            rows,
            "<tr><th scope=row>{}</th><td class=n>{}</td><td class=n>{}</td><td>{}</td></tr>",
            escape(name),
            own().filter(|a| a.right).count(),
            own().count(),
            escape(&wrong.join("; ")),
        );
    }
    let head = "<th scope=col>detector<th scope=col class=n>right<th scope=col class=n>of<th scope=col>wrong";
    let table = table("Right answers, and what the wrong ones were", head, &rows);
    format!(
        "<section id=scorecard aria-labelledby=scorecard-title>\n<h2 id=scorecard-title>Detectors</h2>\n\
         {table}</section>\n"
    )
}
