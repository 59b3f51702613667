//! The words of one moment: the step, the truth, the formula with its numbers, what disagrees, what
//! the kernel did.

use super::tape::Tape;
use crate::formula::{FORMULAS, Kind, cadvisor};
use crate::plot::steps::StepBand;
use crate::recording::EventKind;
use crate::rows::View;
use crate::units;

/// These say what another one says, or the same in other steps.
const SAME: [&str; 2] = ["docker_stats", "kubectl_top"];

/// The truth's counters that the show tells of, in words.
const TRUTH: [(&str, &str); 8] = [
    ("live", "heap in use"),
    ("leaked", "of it leaked"),
    ("freed_lazy", "freed lazily"),
    ("file_live", "files on disk"),
    ("file_read", "read in all"),
    ("shmem_live", "files in tmpfs"),
    ("mapped_file_live", "mapped files"),
    ("cold", "marked cold"),
];

/// One line about something that happened.
pub struct Happened {
    /// Recorded seconds.
    pub t: f64,
    /// What happened, one line.
    pub text: String,
    /// Whether it is as bad as an OOM kill.
    pub bad: bool,
}

/// The steps going on at a recorded second, or the last one that began before.
#[cfg(feature = "tui")]
pub fn steps_at(tape: &Tape, t: f64) -> Vec<&StepBand> {
    let on: Vec<_> = tape
        .bands
        .iter()
        .filter(|b| b.start <= t && t < b.end)
        .collect();
    match on.is_empty() {
        true => tape
            .bands
            .iter()
            .rev()
            .find(|b| b.start <= t)
            .into_iter()
            .collect(),
        false => on,
    }
}

/// Which step of its actor's list a band is: (number from 1, how many).
pub fn place(tape: &Tape, band: &StepBand) -> (usize, usize) {
    let planned = tape.scenario.as_ref().and_then(|s| {
        let container = s.containers.iter().find(|c| c.name == band.id.container)?;
        let actor = container.actors.iter().find(|a| a.name == band.id.actor)?;
        Some(actor.steps.len())
    });
    let seen = tape.bands.iter().filter(|b| b.lane == band.lane).count();
    (band.id.index + 1, planned.unwrap_or(seen))
}

/// The formulas' view of a group at a recorded second.
pub fn view(tape: &Tape, group: usize, t: f64) -> Option<View> {
    let sample = tape.sample(group, t)?;
    let index = tape.recording.view_index(group);
    Some(tape.recording.view(group, &index, sample))
}

/// The truth in words, what is not 0; `live` always.
pub fn truth(tape: &Tape, group: usize, t: f64) -> Vec<(&'static str, u64)> {
    let Some(sample) = tape.sample(group, t) else {
        return Vec::new();
    };
    let table = &tape.recording.tables[group];
    TRUTH
        .iter()
        .filter_map(|(name, words)| {
            let value = table.get(sample, table.column(&format!("truth:{name}"))?)?;
            (value > 0 || *name == "live").then_some((*words, value))
        })
        .collect()
}

/// `working_set = usage 210.5 MiB - inactive_file 209.6 MiB = 0.9 MiB`.
pub fn working_set(view: &View) -> Option<String> {
    let value = cadvisor::working_set(view)?;
    let (usage, inactive) = (view.usage?, view.inactive_file?);
    let clamped = if inactive > usage {
        " (not below 0)"
    } else {
        ""
    };
    Some(format!(
        "working_set = usage {} - inactive_file {} = {}{clamped}",
        units::bytes(usage),
        units::bytes(inactive),
        units::signed_bytes(value),
    ))
}

/// The formulas furthest apart, largest first: at most `count`, half from each end.
pub fn furthest(view: &View, count: usize) -> Vec<(&'static str, i64)> {
    let mut values: Vec<(&str, i64)> = FORMULAS
        .iter()
        .filter(|f| f.kind == Kind::Used && !SAME.contains(&f.name))
        .filter_map(|f| Some((f.name, (f.eval)(view)?)))
        .collect();
    values.sort_by_key(|(_, value)| std::cmp::Reverse(*value));
    // Of formulas that agree to the byte one is enough.
    values.dedup_by_key(|(_, value)| *value);
    if values.len() > count {
        let low = values.split_off(values.len() - count / 2);
        values.truncate(count - count / 2);
        values.extend(low);
    }
    values
}

/// What happened until a recorded second, in order. Counters that rise again and again are listed once,
/// with their last value.
pub fn happened(tape: &Tape, t: f64) -> Vec<Happened> {
    let mut lines: Vec<(Option<String>, Happened)> = Vec::new();
    for event in &tape.recording.events {
        let at = event.t as f64 / 1e9;
        if at > t {
            break;
        }
        let (key, text, bad) = match &event.kind {
            EventKind::Kernel { group, what, value } => {
                let bad = what.contains("oom_kill");
                // The end of the process that was killed tells the same, and more.
                if bad && tape.marks.iter().any(|m| m.label == "OOM kill" && m.t <= t) {
                    continue;
                }
                let text = format!("{group}: {what} = {value}");
                (Some(format!("{group}:{what}")), text, bad)
            }
            EventKind::ActorExit {
                container,
                actor,
                oom_killed: true,
                ..
            } => {
                let said = tape
                    .recording
                    .group(container)
                    .and_then(|g| said(tape, g, at));
                let said = said.map_or(String::new(), |s| format!(": {s}"));
                (
                    None,
                    format!("OOM KILL of {actor} in {container}{said}"),
                    true,
                )
            }
            EventKind::Restart { container, reason } => {
                (None, format!("{container} restarted: {reason}"), false)
            }
            EventKind::Mark { text } => (None, format!("mark: {text}"), false),
            EventKind::Warning { text, .. } => (None, format!("note: {text}"), false),
            _ => continue,
        };
        if let Some(key) = &key {
            lines.retain(|(k, _)| k.as_ref() != Some(key));
        }
        lines.push((key, Happened { t: at, text, bad }));
    }
    let mut lines: Vec<Happened> = lines.into_iter().map(|(_, line)| line).collect();
    if let Some(footer) = tape.recording.footer.as_ref().filter(|_| t >= tape.end) {
        let (reason, cost) = (footer.reason.trim_end_matches('.'), &footer.harness);
        lines.push(Happened {
            t: tape.end,
            text: format!(
                "the end: {reason} ({} samples, {} missed)",
                cost.samples, cost.missed
            ),
            bad: false,
        });
    }
    lines
}

/// What each formula said at the last moment before an OOM kill: largest usage, since the kill
/// itself empties the cgroup.
fn said(tape: &Tape, group: usize, t: f64) -> Option<String> {
    let table = &tape.recording.tables[group];
    let last = tape.sample(group, t)?;
    let index = tape.recording.view_index(group);
    let view = (last.saturating_sub(4)..=last)
        .filter(|s| *s < table.len())
        .map(|s| tape.recording.view(group, &index, s))
        .max_by_key(|v| v.usage)?;
    let of =
        |words: &str, value: Option<i64>| Some(format!("{words} {}", units::signed_bytes(value?)));
    let signed = |bytes: u64| i64::try_from(bytes).ok();
    let said = [
        of("working_set said", cadvisor::working_set(&view)),
        of("rss", view.rss.and_then(signed)),
        of("usage", view.usage.and_then(signed)),
    ];
    Some(said.into_iter().flatten().collect::<Vec<_>>().join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plot::testing;

    fn tape() -> Tape {
        Tape::finished(testing::recording(), "test".into())
    }

    #[test]
    fn the_formula_is_written_with_its_numbers() {
        let view = view(&tape(), 0, 4.0).unwrap();
        assert_eq!(
            working_set(&view).unwrap(),
            "working_set = usage 107.0 MiB - inactive_file 100.0 MiB = 7.0 MiB"
        );
    }

    #[test]
    fn the_furthest_formulas_come_from_both_ends() {
        let view = view(&tape(), 0, 4.0).unwrap();
        let far = furthest(&view, 4);
        assert_eq!(far[0], ("usage", 107 << 20));
        assert_eq!(far.last().unwrap().1, 3 << 20);
        assert!(
            far.len() <= 4 && far.is_sorted_by(|a, b| a.1 >= b.1),
            "{far:?}"
        );
    }

    #[test]
    fn an_oom_kill_says_what_the_formulas_said() {
        let tape = tape();
        assert!(happened(&tape, 9.9).is_empty());
        let lines = happened(&tape, 10.0);
        assert!(lines[0].bad);
        assert_eq!(
            lines[0].text,
            "OOM KILL of app in app: working_set said 252.0 MiB, rss 149.0 MiB, usage 252.0 MiB"
        );
    }

    #[cfg(feature = "tui")]
    #[test]
    fn the_step_and_its_number() {
        let tape = tape();
        let steps = steps_at(&tape, 5.0);
        assert_eq!(steps[0].id.step, "read-twice");
        assert_eq!(place(&tape, steps[0]), (2, 3));
    }
}
