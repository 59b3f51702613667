//! One run under one limit, as its recording tells it.

use std::collections::BTreeMap;

use crate::formula::{FORMULAS, Kind};
use crate::recording::{EventKind, Recording, StepResult};
use crate::rows;
use crate::scenario::Outcome;
use crate::sys::process::page_size;

/// What came of one run.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
pub struct Trial {
    /// Seconds that the work took: a command's, or its load's.
    pub seconds: f64,
    /// Seconds from the start to the end of the work: with what a service took to be ready.
    pub whole: f64,
    /// How it ended.
    pub outcome: Outcome,
    /// Why, in a sentence.
    pub reason: String,
    /// It was cut off, since it took too long to matter.
    pub cut_off: bool,
    /// Seconds in which some process waited for memory; none where the kernel does not tell (v1).
    pub stalled_some: Option<f64>,
    /// Seconds in which all of them did.
    pub stalled_full: Option<f64>,
    /// Seconds that its threads waited for the disk, in sum: on v1, where the kernel counts that.
    pub waited_for_disk: Option<f64>,
    /// File and anonymous pages read again soon after they were evicted.
    pub refaults: Option<u64>,
    /// The same, bytes.
    pub read_again: Option<u64>,
    /// The number that it, or its load, printed.
    pub number: Option<f64>,
    /// Page faults that read a disk.
    pub major_faults: Option<u64>,
    /// Whether its limit had any part in it: a charge did not fit, or writers may have been slowed down
    /// for it. None where the kernel's counters were not there to be read.
    pub met_limit: Option<bool>,
    /// The highest value of each formula that says "used", bytes.
    #[serde(skip)]
    pub most: BTreeMap<&'static str, i64>,
}

impl Trial {
    /// Whether the work was done, however long it took.
    pub fn is_done(&self) -> bool {
        self.outcome == Outcome::Survived && !self.cut_off
    }

    /// Whether the limit can have had no part in how it went.
    pub fn never_met_its_limit(&self) -> bool {
        self.met_limit == Some(false)
    }

    /// A run that could not even begin under its limit.
    pub fn not_begun(reason: String) -> Self {
        Trial {
            seconds: 0.0,
            whole: 0.0,
            outcome: Outcome::Failed,
            reason,
            cut_off: false,
            stalled_some: None,
            stalled_full: None,
            waited_for_disk: None,
            refaults: None,
            read_again: None,
            number: None,
            major_faults: None,
            met_limit: None,
            most: BTreeMap::new(),
        }
    }

    /// Reads it from a run's recording. `timed` names the step whose time counts, where it is not the
    /// whole run's; `cut_off` says that the watcher ended it.
    pub fn of(recording: &Recording, timed: Option<&str>, cut_off: bool) -> Self {
        let footer = recording.footer.as_ref();
        let last = |name: &str| last(recording, name);
        let seconds = |name: &str| last(name).map(|us| us as f64 / 1e6);
        let refaults = rows::refaults(last);
        let done = work_done(recording, timed);
        let began = timed.and_then(|step| began(recording, step)).unwrap_or(0);
        Trial {
            seconds: done.saturating_sub(began) as f64 / 1e9,
            whole: done as f64 / 1e9,
            outcome: footer.map_or(Outcome::Failed, |f| f.outcome),
            reason: footer.map_or_else(|| "the recording was cut".into(), |f| f.reason.clone()),
            cut_off,
            stalled_some: seconds("memory.pressure:some.total"),
            stalled_full: seconds("memory.pressure:full.total"),
            waited_for_disk: None,
            refaults,
            read_again: refaults.map(|pages| pages.saturating_mul(page_size())),
            number: None,
            major_faults: last("pgmajfault"),
            met_limit: met_limit(recording),
            most: most(recording),
        }
    }
}

/// How often a charge did not fit, on v1 and on v2.
const UNFIT: [&str; 2] = ["memory.failcnt", "memory.events:max"];

/// What waits to be written, on v2; writers are made to wait for it by their own cgroup's share of memory.
const TO_BE_WRITTEN: [&str; 2] = ["file_dirty", "file_writeback"];

/// The kernel begins to write at a tenth of the memory that a cgroup may have (`vm.dirty_background_ratio`),
/// and nobody waits before.
const WRITERS_WAIT: u64 = 10;

/// Whether the limit of any of its groups was met.
fn met_limit(recording: &Recording) -> Option<bool> {
    let footer = recording.footer.as_ref()?;
    let counters = || footer.counters.iter().map(|(_, rows)| rows);
    let counted = counters().flat_map(|rows| UNFIT.iter().filter_map(|name| rows.get(name)));
    let unfit = counted.max()?;
    let main = recording.main_group();
    let limit = recording.header.groups.get(main)?.limit?;
    let waiting: u64 = TO_BE_WRITTEN
        .iter()
        .filter_map(|name| last(recording, name))
        .sum();
    Some(unfit > 0 || waiting > limit / WRITERS_WAIT)
}

/// When a step began, nanoseconds.
fn began(recording: &Recording, step: &str) -> Option<u64> {
    let mut events = recording.events.iter();
    let start =
        events.find(|event| matches!(&event.kind, EventKind::StepStart(id) if id.step == step));
    start.map(|event| event.t)
}

/// When the work of the step (of the last step, if none is named) was done, nanoseconds; of a run
/// without any, when it ended.
fn work_done(recording: &Recording, step: Option<&str>) -> u64 {
    let done = recording
        .events
        .iter()
        .filter_map(|event| match &event.kind {
            EventKind::StepEnd(end) if !matches!(end.result, StepResult::Skipped(_)) => step
                .is_none_or(|name| end.id.step == name)
                .then_some(end.work_done),
            _ => None,
        });
    let end = recording.footer.as_ref().map_or(0, |f| f.t);
    done.max().unwrap_or(end)
}

/// The highest value of a counter that only rises: with its cgroup it may be gone in the last samples.
fn last(recording: &Recording, name: &str) -> Option<u64> {
    let table = recording.tables.get(recording.main_group())?;
    let column = rows::hierarchical(name, |name| table.column(name))?;
    (0..table.len()).filter_map(|s| table.get(s, column)).max()
}

/// The highest value of each formula that says "used", bytes, in the main group.
pub fn most(recording: &Recording) -> BTreeMap<&'static str, i64> {
    let group = recording.main_group();
    let index = recording.view_index(group);
    let mut most = BTreeMap::new();
    for sample in 0..recording.tables[group].len() {
        let view = recording.view(group, &index, sample);
        for formula in FORMULAS.iter().filter(|f| f.kind == Kind::Used) {
            if let Some(value) = (formula.eval)(&view) {
                let best = most.entry(formula.name).or_insert(value);
                *best = value.max(*best);
            }
        }
    }
    most
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::testing::host;
    use crate::recording::testing::{app, footer, header, step_end};
    use crate::recording::{Event, Footer, MISSING, StepId, Table};
    use crate::rows::Rows;

    const MIB: u64 = 1 << 20;
    const SECOND: u64 = 1_000_000_000;

    /// A run under 100 MiB: a sample a second of these rows, these counters at its end.
    fn recording(columns: &[&str], samples: &[&[u64]], counters: &[(&str, u64)]) -> Recording {
        let group = app(100, columns);
        let counters: Rows = counters.iter().copied().collect();
        Recording {
            tables: vec![Table {
                columns: group.columns.clone(),
                t: (0..samples.len() as u64).map(|s| s * SECOND).collect(),
                cost: vec![0; samples.len()],
                values: samples.concat(),
            }],
            header: header(host(), "test", vec![group]),
            events: Vec::new(),
            footer: Some(Footer {
                counters: vec![("pod".into(), Rows::default()), ("app".into(), counters)],
                ..footer(9 * SECOND, Outcome::Survived)
            }),
            complete: true,
        }
    }

    fn step(name: &str) -> StepId {
        StepId {
            container: "app".into(),
            actor: "a".into(),
            step: name.into(),
            index: 0,
        }
    }

    #[test]
    fn the_time_is_that_of_the_work_and_of_the_step_that_is_asked_for() {
        let mut run = recording(&["memory.current"], &[&[0]], &[]);
        let all = Trial::of(&run, None, false);
        assert_eq!(
            (all.seconds, all.whole),
            (9.0, 9.0),
            "no step: the whole run"
        );
        let mut event = |t: u64, kind| {
            run.events.push(Event {
                t: t * SECOND,
                kind,
            })
        };
        let end = |name: &str, done: u64, result| {
            EventKind::StepEnd(step_end(step(name), done * SECOND, result))
        };
        event(1, EventKind::StepStart(step("serve")));
        event(2, EventKind::StepStart(step("load")));
        // It settles for a second more, which is no work of its own.
        event(6, end("load", 5, StepResult::Done));
        event(8, end("serve", 7, StepResult::Done));
        event(8, end("later", 8, StepResult::Skipped("not here".into())));
        let timed = |step| {
            let trial = Trial::of(&run, step, false);
            (trial.seconds, trial.whole)
        };
        assert_eq!(timed(Some("load")), (3.0, 5.0));
        assert_eq!(timed(None), (7.0, 7.0));
    }

    #[test]
    fn counters_are_taken_at_their_highest_and_v1s_of_the_whole_cgroup() {
        let columns = [
            "pgmajfault",
            "total_pgmajfault",
            "workingset_refault_file",
            "workingset_refault_anon",
            "memory.pressure:some.total",
            "memory.pressure:full.total",
        ];
        // With its cgroup they are gone in the last sample.
        let samples: [&[u64]; 3] = [
            &[1, 5, 2, 0, 0, 0],
            &[2, 9, 30, 4, 1_500_000, 250_000],
            &[MISSING; 6],
        ];
        let trial = Trial::of(&recording(&columns, &samples, &[]), None, false);
        assert_eq!(trial.major_faults, Some(9));
        assert_eq!(trial.refaults, Some(34));
        assert_eq!(trial.read_again, Some(34 * page_size()));
        assert_eq!(
            (trial.stalled_some, trial.stalled_full),
            (Some(1.5), Some(0.25))
        );
        // Before 5.9 the kernel had one counter for both kinds, and v1 has no pressure.
        let old = recording(&["workingset_refault"], &[&[3], &[8]], &[]);
        let old = Trial::of(&old, None, false);
        assert_eq!(
            (old.refaults, old.stalled_some, old.major_faults),
            (Some(8), None, None)
        );
        let none = Trial::of(&recording(&["memory.current"], &[&[0]], &[]), None, false);
        assert_eq!((none.refaults, none.read_again), (None, None));
    }

    #[test]
    fn a_limit_is_met_by_a_charge_that_did_not_fit_or_by_writers_that_wait() {
        let columns = ["file_dirty", "file_writeback"];
        let of = |waiting: [u64; 2], counters: &[(&str, u64)]| {
            let samples: [&[u64]; 2] = [&waiting.map(|mib| mib * MIB), &[0, 0]];
            let trial = Trial::of(&recording(&columns, &samples, counters), None, false);
            (trial.met_limit, trial.never_met_its_limit())
        };
        for counter in UNFIT {
            assert_eq!(of([0, 0], &[(counter, 1)]), (Some(true), false));
            // A tenth of 100 MiB that waits to be written: both kinds together.
            assert_eq!(of([6, 4], &[(counter, 0)]), (Some(false), true));
            assert_eq!(of([6, 5], &[(counter, 0)]), (Some(true), false));
        }
        assert_eq!(of([0, 0], &[]), (None, false), "nothing counted");
        let mut cut = recording(&columns, &[&[0, 0]], &[(UNFIT[0], 1)]);
        cut.footer = None;
        let cut = Trial::of(&cut, None, true);
        assert_eq!((cut.met_limit, cut.outcome), (None, Outcome::Failed));
        assert!(!cut.is_done() && cut.reason.contains("cut"), "{cut:?}");
    }

    #[test]
    fn only_what_survived_in_time_did_its_work() {
        for outcome in Outcome::ALL {
            for cut_off in [false, true] {
                let trial = Trial {
                    outcome,
                    cut_off,
                    ..Trial::not_begun(String::new())
                };
                assert_eq!(trial.is_done(), outcome == Outcome::Survived && !cut_off);
            }
        }
    }

    #[test]
    fn of_each_formula_the_highest_value_counts() {
        let columns = ["memory.current", "inactive_file", "anon", "file"];
        let samples: [&[u64]; 3] = [
            &[10 * MIB, 0, MIB, 9 * MIB],
            &[40 * MIB, 25 * MIB, 2 * MIB, 30 * MIB],
            &[20 * MIB, 0, 3 * MIB, 10 * MIB],
        ];
        let most = most(&recording(&columns, &samples, &[]));
        let of = |name: &str| most.get(name).map(|bytes| bytes / MIB as i64);
        assert_eq!(of("cadvisor_working_set"), Some(20), "{most:?}");
        assert_eq!((of("usage"), of("rss")), (Some(40), Some(3)), "{most:?}");
    }
}
