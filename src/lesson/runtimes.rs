//! docs/runtimes.md: which runtime gives memory back how, and what rss, working_set and usage show,
//! from the recordings of the scenarios with the tag `runtime`.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::Path;

use super::LessonError;
use crate::formula;
use crate::judge::corpus::{files, setup_of};
use crate::recording::{EventKind, ReadError, Recording, StepEnd, read_path};
use crate::scenario::{Overrides, Scenario, catalogue};

/// Bytes a MiB.
const MIB: i64 = 1 << 20;

/// The driver's step after which memory is allocated again.
const AGAIN: &str = "again";

/// From this share of what was held on, a number has stayed or has gone.
const HALF: f64 = 0.5;

/// The page, as Markdown, of the recordings below `suites`.
///
/// # Errors
/// When the folder, a scenario or a recording can't be read.
pub fn runtimes(suites: &Path) -> Result<String, LessonError> {
    let mut out = String::from(HEAD);
    let mut tables: BTreeMap<String, BTreeMap<(String, &str), String>> = BTreeMap::new();
    let mut kernels: BTreeMap<(String, &str), BTreeMap<String, String>> = BTreeMap::new();
    for file in files(suites).map_err(|error| LessonError::Suites(error.to_string()))? {
        let recording = read_path(&file).map_err(|source: ReadError| LessonError::Recording {
            path: file.display().to_string(),
            source,
        })?;
        let mut entries = catalogue().iter();
        let Some(entry) = entries.find(|e| e.name == recording.header.scenario) else {
            continue;
        };
        let scenario = entry.parse(Overrides::default())?;
        if !scenario.tags.iter().any(|tag| tag == "runtime") {
            continue;
        }
        let Some(shown) = Shown::of(&scenario, &recording) else {
            continue;
        };
        let family = scenario.tags.iter().find(|tag| *tag != "runtime");
        let family = family.cloned().unwrap_or_default();
        let row = shown.row(entry.name, &scenario);
        let setup = setup_of(&recording, &file);
        let on = kernels.entry((family.clone(), entry.name)).or_default();
        on.insert(setup.clone(), shown.given_back());
        let table = tables.entry(setup).or_default();
        table.insert((family, entry.name), row);
    }
    let setups: Vec<&String> = tables.keys().collect();
    out.push_str(&by_kernel(&setups, &kernels));
    for (setup, table) in tables {
        let _ = writeln!(out, "## Set-up {setup}\n\n{COLUMNS}");
        for row in table.into_values() {
            let _ = writeln!(out, "{row}");
        }
        out.push('\n');
    }
    out.push_str(TAIL);
    Ok(out)
}

/// What was given back, scenario against set-up: of those that were recorded on more than one.
fn by_kernel(
    setups: &[&String],
    kernels: &BTreeMap<(String, &str), BTreeMap<String, String>>,
) -> String {
    let mut out = String::new();
    let cells = |cells: Vec<String>| cells.join(" | ");
    let names = cells(setups.iter().map(|name| (*name).clone()).collect());
    let rule = "---|".repeat(setups.len());
    let _ = writeln!(out, "{KERNELS}| scenario | {names} |\n|---|{rule}");
    for ((_, name), on) in kernels.iter().filter(|(_, on)| on.len() > 1) {
        let row = setups
            .iter()
            .map(|setup| on.get(*setup).cloned().unwrap_or_else(|| "-".into()));
        let _ = writeln!(
            out,
            "| [{name}](scenarios/{name}.md) | {} |",
            cells(row.collect())
        );
    }
    out.push('\n');
    out
}

const KERNELS: &str = "## By kernel\n\n\
What was given back, of the programs that were recorded on more than one set-up. 6.18-v1 is a machine of its own; the others are virtual \
machines in emulation, with Debian's packages on their disk (`scripts/kernels/record --packages --setup NAME`). jemalloc's decay goes by the clock, and an \
emulated machine is slower: by the end of the same step more time has gone by. So its rows differ by time, likely, and not by kernel.\n\n";

const HEAD: &str = "<!-- Made from scenarios/ and suites/ by `memtide generate runtimes-doc`. -->\n\n\
# Which runtime gives memory back how\n\n\
Each program allocates, frees and mostly allocates again, as it is told. The numbers are MiB of its container: \
**rss / working_set / usage** as a dashboard shows them. `memtide run NAME` does it on your machine after \
`scripts/setup --services`; `memtide show NAME` tells the story of one.\n\n\
What follows from them:\n\n\
- **Flat rss after a free is the rule, and no leak.** Most allocators and collectors keep what was freed for the next allocation.\n\
- **Lazily freed memory** (MADV_FREE: Go with `madvdontneed=0`, jemalloc's muzzy pages, mimalloc's reset) stays in rss \
and usage and is not in working_set, even when it is in use again.\n\
- **Huge pages** leave usage high where rss falls.\n\
- **A heap of shmem** (ZGC) is in no rss at all.\n\n";

const COLUMNS: &str = "| scenario | what it shows | held | after the free, step by step | what was given back | allocated again |\n\
|---|---|---|---|---|---|";

const TAIL: &str = "The last column but one is derived from the numbers: *at once* is by the end of the step that frees, \
*after `STEP`* by the end of a later one, *keeps N %* is usage at the last step by usage when all was held.\n";

/// What one recording shows.
struct Shown {
    held: Seen,
    freed: Vec<Seen>,
    again: Option<Seen>,
}

/// The container at a step's end, bytes.
struct Seen {
    step: String,
    rss: i64,
    working_set: i64,
    usage: i64,
    shmem: i64,
}

impl Shown {
    /// None for a recording whose driver did nothing that could be seen.
    fn of(scenario: &Scenario, recording: &Recording) -> Option<Self> {
        let driver = scenario.actors().next_back()?;
        let ends = recording.events.iter().filter_map(|event| {
            let EventKind::StepEnd(end) = &event.kind else {
                return None;
            };
            (end.id.actor == driver.name).then(|| Seen::at(recording, event.t, end))?
        });
        let mut steps: Vec<Seen> = ends.collect();
        if steps.is_empty() {
            return None;
        }
        let held = steps.remove(0);
        let at = steps.iter().position(|seen| seen.step == AGAIN);
        let after = at.map(|at| steps.split_off(at)).unwrap_or_default();
        Some(Shown {
            held,
            freed: steps,
            again: after.into_iter().next(),
        })
    }

    fn row(&self, name: &str, scenario: &Scenario) -> String {
        let freed: Vec<String> = self
            .freed
            .iter()
            .map(|seen| format!("{} {}", seen.step, seen.numbers()))
            .collect();
        let again = self.again.as_ref().map(Seen::numbers);
        format!(
            "| [{name}](scenarios/{name}.md) | {} | {} | {} | {} | {} |",
            scenario.title,
            self.held.numbers(),
            if freed.is_empty() {
                "-".into()
            } else {
                freed.join(", ")
            },
            self.given_back(),
            again.unwrap_or_else(|| "-".into()),
        )
    }

    /// In words, what went where.
    fn given_back(&self) -> String {
        let held = &self.held;
        let below = |now: i64, then: i64| (now as f64) < HALF * then as f64;
        if !below(held.shmem, held.usage) {
            return "the heap is shmem: rss never shows it".into();
        }
        let Some(last) = self.freed.last() else {
            return format!("{} MiB stay", mib(held.usage));
        };
        if below(last.rss, held.rss) && !below(last.usage, held.usage) {
            return "rss falls, usage stays: huge pages".into();
        }
        if below(last.working_set, held.working_set) && !below(last.rss, held.rss) {
            return "lazily: working_set falls, rss and usage stay".into();
        }
        let kept = 100 * last.usage / held.usage.max(1);
        let gone = self
            .freed
            .iter()
            .position(|seen| below(seen.usage, held.usage));
        match gone {
            None => format!("keeps {kept} %"),
            Some(0) => format!("at once (keeps {kept} %)"),
            Some(at) => format!("after `{}` (keeps {kept} %)", self.freed[at].step),
        }
    }
}

impl Seen {
    fn at(recording: &Recording, t: u64, end: &StepEnd) -> Option<Self> {
        let group = recording.group(&end.id.container)?;
        let sample = recording.tables[group].at(t)?;
        let view = recording.view(group, &recording.view_index(group), sample);
        let value = |name: &str| formula::by_name(name).and_then(|formula| (formula.eval)(&view));
        Some(Seen {
            step: end.id.step.clone(),
            rss: value("rss")?,
            working_set: value("cadvisor_working_set")?,
            usage: value("usage")?,
            shmem: view
                .shmem
                .and_then(|bytes| i64::try_from(bytes).ok())
                .unwrap_or(0),
        })
    }

    fn numbers(&self) -> String {
        let [rss, working_set, usage] = [self.rss, self.working_set, self.usage].map(mib);
        format!("{rss}/{working_set}/{usage}")
    }
}

/// To the nearest MiB.
fn mib(bytes: i64) -> i64 {
    (bytes + MIB / 2) / MIB
}
