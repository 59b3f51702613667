//! The top of the page: every recording in one row, every detector in one row.

use std::fmt::Write as _;

use super::Entry;
use super::scorecard::Answer;
use super::tables::working_set;
use super::text::mib_cell;
use crate::markup::escape;
use crate::plot::layers;
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
         <p>{} {}; {good} of {judged} judged ones as expected.</p>\n\
         <div class=scroll><table><caption>Largest values of the first container, in MiB</caption>\n\
         <thead><tr><th scope=col>scenario<th scope=col>set-up<th scope=col>outcome\
         <th scope=col>expectations<th scope=col class=n>limit<th scope=col class=n>usage\
         <th scope=col class=n>working_set<th scope=col class=n>rss\
         <th scope=col class=n>truth: live</tr></thead>\n<tbody>\n",
        entries.len(),
        if entries.len() == 1 {
            "recording"
        } else {
            "recordings"
        },
    );
    for (i, entry) in entries.iter().enumerate() {
        row(&mut out, i, entry);
    }
    out.push_str("</tbody></table></div>\n</section>\n");
    out
}

fn row(out: &mut String, index: usize, entry: &Entry) {
    let recording = &entry.recording;
    let group = recording.main_group();
    let (met, applying) = entry.met();
    let class = match (applying, met == applying) {
        (0, _) => "none",
        (_, true) => "good",
        _ => "bad",
    };
    let _ = write!(
        out,
        "<tr><th scope=row><a href=\"#r{index}\">{}</a></th><td>{}</td><td>{}</td>\
         <td><b class={class}>{}{met} of {applying}</b></td>",
        escape(entry.scenario_name()),
        escape(&entry.setup()),
        recording
            .footer
            .as_ref()
            .map_or("cut", |f| f.outcome.as_str()),
        match class {
            "good" => "✓ ",
            "bad" => "✗ ",
            _ => "",
        },
    );
    let signed = |value: Option<u64>| value.and_then(|v| i64::try_from(v).ok());
    out.push_str(&mib_cell(signed(layers::limit(recording, group))));
    let largest = |of: &dyn Fn(&View) -> Option<i64>| {
        let index = recording.view_index(group);
        let samples = recording.tables.get(group).map_or(0, |t| t.len());
        (0..samples)
            .filter_map(|s| of(&recording.view(group, &index, s)))
            .max()
    };
    out.push_str(&mib_cell(largest(&|v| signed(v.usage))));
    out.push_str(&mib_cell(largest(&working_set)));
    out.push_str(&mib_cell(largest(&|v| signed(v.rss))));
    let live = recording.tables.get(group).and_then(|table| {
        let column = table.column("truth:live")?;
        (0..table.len()).filter_map(|s| table.get(s, column)).max()
    });
    out.push_str(&mib_cell(signed(live)));
    out.push_str("</tr>\n");
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
    let mut out = String::from(
        "<section id=scorecard aria-labelledby=scorecard-title>\n<h2 id=scorecard-title>Detectors</h2>\n\
         <div class=scroll><table><caption>Right answers, and what the wrong ones were</caption>\n\
         <thead><tr><th scope=col>detector<th scope=col class=n>right<th scope=col class=n>of\
         <th scope=col>wrong</tr></thead>\n<tbody>\n",
    );
    for name in names {
        let own = || answers.iter().filter(|a| a.detector == name);
        let wrong: Vec<String> = own()
            .filter(|a| !a.right)
            .map(|a| format!("{}: {}", a.scenario, a.judgement))
            .collect();
        let _ = writeln!(
            out,
            "<tr><th scope=row>{}</th><td class=n>{}</td><td class=n>{}</td><td>{}</td></tr>",
            escape(name),
            own().filter(|a| a.right).count(),
            own().count(),
            escape(&wrong.join("; ")),
        );
    }
    out.push_str("</tbody></table></div>\n</section>\n");
    out
}
