//! docs/runtimes.md: which runtime gives memory back how, and what rss, working_set and usage show,
//! from the shipped recordings of the scenarios with the tag `runtime`.

use super::LessonError;
use crate::formula;
use crate::recording::{EventKind, Recording, StepEnd};
use crate::scenario::{Overrides, Scenario, catalogue};
use crate::shipped;

/// The container's numbers that people look at.
const SHOWN: [&str; 3] = ["rss", "cadvisor_working_set", "usage"];

/// Bytes a MiB.
const MIB: i64 = 1 << 20;

/// The page, as Markdown.
///
/// # Errors
/// When a scenario or a shipped recording can't be read.
pub fn runtimes() -> Result<String, LessonError> {
    let mut out = String::from(
        "<!-- Made from scenarios/ and recordings/ by `memtide generate runtimes-doc`. -->\n\n\
         # Which runtime gives memory back how\n\n\
         Each program allocates, frees and mostly allocates again, as it is told; \
         `memtide run NAME` does it on your machine, `memtide show NAME` tells its story. The numbers are \
         MiB of the container after each step: **rss / working_set / usage**, as recorded on the set-up named.\n\n\
         What follows from them: flat rss after a free is the rule, and no leak; lazily freed memory (MADV_FREE) is in \
         rss and not in working_set, even when it is in use again; huge pages leave usage high where rss falls; a heap \
         of shmem is in no rss at all.\n\n\
         | scenario | what it shows | set-up | after each step |\n|---|---|---|---|\n",
    );
    for entry in catalogue() {
        let scenario = entry
            .parse(Overrides::default())
            .map_err(LessonError::Scenario)?;
        if !scenario.tags.iter().any(|tag| tag == "runtime") {
            continue;
        }
        for shipped in shipped::of_scenario(entry.name) {
            let recording = shipped.read().map_err(|source| LessonError::Recording {
                path: shipped.path(),
                source,
            })?;
            let cell = steps(&scenario, &recording);
            let (name, title) = (entry.name, &scenario.title);
            let setup = shipped.setup;
            let row = format!("| [{name}](scenarios/{name}.md) | {title} | {setup} | {cell} |\n");
            out.push_str(&row);
        }
    }
    Ok(out)
}

/// What was seen after each step of the actor that drives the program.
fn steps(scenario: &Scenario, recording: &Recording) -> String {
    let driver = scenario
        .containers
        .iter()
        .flat_map(|c| &c.actors)
        .next_back();
    let ends = recording
        .events
        .iter()
        .filter_map(|event| match &event.kind {
            EventKind::StepEnd(end) if Some(&end.id.actor) == driver.map(|a| &a.name) => {
                Some(step(recording, event.t, end))
            }
            _ => None,
        });
    ends.collect::<Vec<String>>().join(", ")
}

fn step(recording: &Recording, t: u64, end: &StepEnd) -> String {
    let numbers = SHOWN.map(|name| {
        let value = (|| {
            let group = recording.group(&end.id.container)?;
            let sample = recording.tables[group].at(t)?;
            let view = recording.view(group, &recording.view_index(group), sample);
            (formula::by_name(name)?.eval)(&view)
        })();
        value.map_or("?".into(), |bytes| ((bytes + MIB / 2) / MIB).to_string())
    });
    format!("{} {}", end.id.step, numbers.join("/"))
}
