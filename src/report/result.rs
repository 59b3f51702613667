//! The result of one run, as `--format json` gives it.

use serde::ser::SerializeMap;
use serde::{Serialize, Serializer};

use crate::expect::{self, CheckResult};
use crate::formula::FORMULAS;
use crate::host::HostFacts;
use crate::named::named;
use crate::recording::{EventKind, HarnessCost, Recording, StepEnd, StepId, StepResult};
use crate::rows::Rows;
use crate::scenario::{Outcome, Scenario};

/// What `run --format json` prints: one document for all runs.
#[derive(Debug, Clone, Serialize)]
pub struct Document {
    /// The version that wrote it.
    pub memtide: &'static str,
    /// One entry a scenario, in the order they ran.
    pub runs: Vec<RunResult>,
}

named! {
    /// Whether a run was as expected.
    #[derive(Serialize)]
    #[serde(rename_all = "lowercase")]
    Verdict, word {
        /// Every expectation that holds here was met.
        Pass = "pass",
        /// One was not.
        Fail = "fail",
        /// It can't be run here; the reason says why.
        Skip = "skip",
    }
}

/// A map that keeps its order in JSON: rows stay as the kernel gave them.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct OrderedMap<V>(pub Vec<(String, V)>);

impl<V> OrderedMap<V> {
    /// The value under `key`.
    pub fn get(&self, key: &str) -> Option<&V> {
        self.0.iter().find(|(k, _)| k == key).map(|(_, v)| v)
    }
}

impl<V: Serialize> Serialize for OrderedMap<V> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.0.len()))?;
        for (key, value) in &self.0 {
            map.serialize_entry(key, value)?;
        }
        map.end()
    }
}

impl From<Rows> for OrderedMap<u64> {
    fn from(rows: Rows) -> Self {
        OrderedMap(rows.iter().map(|(n, v)| (n.to_string(), v)).collect())
    }
}

/// One scenario's run.
#[derive(Debug, Clone, Serialize)]
pub struct RunResult {
    /// The scenario's name.
    pub scenario: String,
    /// Its title.
    pub title: String,
    /// Pass, fail or skip.
    pub result: Verdict,
    /// Why it failed or was skipped; empty on a pass.
    pub reason: String,
    /// How the run ended; none when it was skipped or its recording was cut.
    pub outcome: Option<Outcome>,
    /// Where the recording is.
    pub recording: Option<String>,
    /// Whether the recording has its footer.
    pub complete: bool,
    /// The machine.
    pub host: Option<HostFacts>,
    /// The limit of the first container, bytes.
    pub limit: Option<u64>,
    /// The seed.
    pub seed: u64,
    /// Steps in the order they ended.
    pub steps: Vec<StepRow>,
    /// The expectations that apply on this kernel.
    pub expectations: Vec<Expected>,
    /// Those that don't, with the reason.
    pub not_here: Vec<NotHere>,
    /// Final values of the kernel's verdict counters by group.
    pub counters: OrderedMap<OrderedMap<u64>>,
    /// Warnings of the run.
    pub warnings: Vec<String>,
    /// What the harness itself cost.
    pub harness: Option<HarnessCost>,
}

/// The numbers at one step's end, in the step's own container.
#[derive(Debug, Clone, Serialize)]
pub struct StepRow {
    /// The step.
    pub name: String,
    /// Its container.
    pub container: String,
    /// Its actor.
    pub actor: String,
    /// Seconds from the start to where the counters had settled.
    pub t: f64,
    /// `done`, `failed`, `skipped`; `killed` by the OOM killer, or `lost` with its process.
    pub result: &'static str,
    /// Why, for the last two.
    pub reason: String,
    /// What was asked of the workload.
    pub target: u64,
    /// What it reached.
    pub achieved: u64,
    /// The unit of both.
    pub unit: String,
    /// Every raw row of the sample.
    pub rows: OrderedMap<u64>,
    /// Every formula; none where a row is missing.
    pub formulas: OrderedMap<Option<i64>>,
    /// What the workers know.
    pub truth: OrderedMap<u64>,
    /// Rows of the worker's `smaps_rollup`, bytes.
    pub smaps: OrderedMap<u64>,
}

/// One expectation and what was seen.
#[derive(Debug, Clone, Serialize)]
pub struct Expected {
    /// The claim in words.
    pub text: String,
    /// What should be.
    pub expected: String,
    /// What was.
    pub seen: String,
    /// Whether it holds.
    pub pass: bool,
    /// Why it should hold here.
    pub why: String,
}

/// An expectation that this kernel isn't held to.
#[derive(Debug, Clone, Serialize)]
pub struct NotHere {
    /// The claim in words.
    pub text: String,
    /// Why it does not apply.
    pub reason: String,
}

/// Judges a recording by its scenario's expectations.
pub fn analyze(scenario: &Scenario, recording: &Recording, path: Option<String>) -> RunResult {
    let (expectations, not_here) = split(expect::evaluate(scenario, recording));
    let broken = expectations.iter().filter(|e| !e.pass).count();
    let footer = recording.footer.as_ref();
    let reason = match broken {
        0 => String::new(),
        1 => "1 expectation was not met".to_string(),
        n => format!("{n} expectations were not met"),
    };
    RunResult {
        scenario: scenario.name.clone(),
        title: scenario.title.clone(),
        result: if broken == 0 {
            Verdict::Pass
        } else {
            Verdict::Fail
        },
        reason,
        outcome: footer.map(|f| f.outcome),
        recording: path,
        complete: recording.complete,
        host: Some(recording.header.host.clone()),
        limit: recording
            .header
            .groups
            .get(recording.main_group())
            .and_then(|g| g.limit),
        seed: recording.header.seed,
        steps: step_rows(recording),
        expectations,
        not_here,
        counters: OrderedMap(
            footer
                .map(|f| f.counters.iter())
                .into_iter()
                .flatten()
                .map(|(group, rows)| (group.clone(), rows.clone().into()))
                .collect(),
        ),
        warnings: warnings(scenario, recording),
        harness: footer.map(|f| f.harness.clone()),
    }
}

/// The result of a scenario that can't run here.
pub fn skipped(scenario: &Scenario, host: Option<HostFacts>, reason: String) -> RunResult {
    RunResult {
        title: scenario.title.clone(),
        host,
        limit: scenario.containers.first().map(|c| c.limit),
        seed: scenario.seed,
        ..unseen(&scenario.name, reason)
    }
}

/// The result of a scenario of which nothing but its name is known: a skip, with the reason.
pub fn unseen(name: &str, reason: String) -> RunResult {
    RunResult {
        scenario: name.into(),
        title: String::new(),
        result: Verdict::Skip,
        reason,
        outcome: None,
        recording: None,
        complete: false,
        host: None,
        limit: None,
        seed: 0,
        steps: Vec::new(),
        expectations: Vec::new(),
        not_here: Vec::new(),
        counters: OrderedMap(Vec::new()),
        warnings: Vec::new(),
        harness: None,
    }
}

fn split(checked: Vec<expect::Checked>) -> (Vec<Expected>, Vec<NotHere>) {
    let mut expectations = Vec::new();
    let mut not_here = Vec::new();
    for check in checked {
        let pass = match check.result {
            CheckResult::NotHere(reason) => {
                not_here.push(NotHere {
                    text: check.text,
                    reason,
                });
                continue;
            }
            CheckResult::Pass => true,
            CheckResult::Fail => false,
        };
        expectations.push(Expected {
            text: check.text,
            expected: check.expected,
            seen: check.seen,
            pass,
            why: check.why,
        });
    }
    (expectations, not_here)
}

/// What the run warned of, and what its scenario does that older kernels take otherwise.
fn warnings(scenario: &Scenario, recording: &Recording) -> Vec<String> {
    let warned = recording.warnings().map(String::from);
    let across = scenario.across_pages();
    let across = across.iter().map(ToString::to_string);
    warned.chain(across).collect()
}

/// A row for each step that ended, and one for each that its process did not survive.
fn step_rows(recording: &Recording) -> Vec<StepRow> {
    let mut open: Vec<&StepId> = Vec::new();
    let mut rows = Vec::new();
    for event in &recording.events {
        match &event.kind {
            EventKind::StepStart(id) => open.push(id),
            EventKind::StepEnd(end) => {
                open.retain(|id| **id != end.id);
                rows.extend(step_row(recording, event.t, end));
            }
            EventKind::ActorExit {
                container,
                actor,
                oom_killed,
                ..
            } => {
                let lost = open
                    .iter()
                    .position(|id| (&id.container, &id.actor) == (container, actor));
                if let Some(id) = lost.map(|at| open.remove(at)) {
                    rows.extend(lost_row(recording, event.t, id, *oom_killed));
                }
            }
            _ => {}
        }
    }
    rows
}

/// The numbers of a step's last moment: the latest sample in which its process still had memory.
fn lost_row(recording: &Recording, t: u64, id: &StepId, oom_killed: bool) -> Option<StepRow> {
    let table = &recording.tables[recording.group(&id.container)?];
    let alive = table.column(&format!("proc:{}.VmRSS", id.actor))?;
    let last = (0..=table.at(t)?)
        .rev()
        .find(|sample| table.get(*sample, alive).is_some())?;
    let why = if oom_killed {
        "killed by the OOM killer"
    } else {
        "its process ended"
    };
    let end = StepEnd {
        id: id.clone(),
        work_done: t,
        result: StepResult::Failed(why.into()),
        target: 0,
        achieved: 0,
        unit: String::new(),
        smaps: Rows::default(),
    };
    let row = step_row(recording, table.t[last], &end)?;
    Some(StepRow {
        result: if oom_killed { "killed" } else { "lost" },
        ..row
    })
}

fn step_row(recording: &Recording, t: u64, end: &StepEnd) -> Option<StepRow> {
    let group = recording.group(&end.id.container)?;
    let table = &recording.tables[group];
    let sample = table.at(t)?;
    let view = recording.view(group, &recording.view_index(group), sample);
    let (truth, rows): (Vec<_>, Vec<_>) = table
        .rows(sample)
        .iter()
        .map(|(name, value)| (name.to_string(), value))
        .partition(|(name, _)| name.starts_with("truth:"));
    let reason = match &end.result {
        StepResult::Done => String::new(),
        StepResult::Failed(why) | StepResult::Skipped(why) => why.clone(),
    };
    Some(StepRow {
        name: end.id.step.clone(),
        container: end.id.container.clone(),
        actor: end.id.actor.clone(),
        t: t as f64 / 1e9,
        result: end.result.word(),
        reason,
        target: end.target,
        achieved: end.achieved,
        unit: end.unit.clone(),
        rows: OrderedMap(rows),
        formulas: OrderedMap(
            FORMULAS
                .iter()
                .map(|f| (f.name.to_string(), (f.eval)(&view)))
                .collect(),
        ),
        truth: OrderedMap(
            truth
                .into_iter()
                .map(|(name, value)| (name.trim_start_matches("truth:").to_string(), value))
                .collect(),
        ),
        smaps: end.smaps.clone().into(),
    })
}
