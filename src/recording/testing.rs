//! Parts of recordings made by hand: what a test does not care about has one home.

use super::{Footer, Group, GroupKind, HarnessCost, Header, StepEnd, StepId, StepResult};
use crate::host::HostFacts;
use crate::rows::Rows;
use crate::scenario::Outcome;

/// The header of a run of `scenario` with a sample a second.
pub fn header(host: HostFacts, scenario: &str, groups: Vec<Group>) -> Header {
    Header {
        memtide: "0.1.0".into(),
        host,
        scenario: scenario.into(),
        scenario_text: String::new(),
        scenario_hash: "0".into(),
        seed: 1,
        rng: "none".into(),
        interval_ns: 1_000_000_000,
        time_scale: 1.0,
        model: None,
        started: "2026-01-01T00:00:00Z".into(),
        groups,
    }
}

/// The container `app` with so many MiB.
pub fn app(limit_mib: u64, columns: &[&str]) -> Group {
    Group {
        image: None,
        name: "app".into(),
        kind: GroupKind::Container,
        limit: Some(limit_mib << 20),
        path: "/memtide/app".into(),
        columns: columns.iter().map(|c| String::from(*c)).collect(),
    }
}

/// The end of a step that wanted 1 and got it.
pub fn step_end(id: StepId, work_done: u64, result: StepResult) -> StepEnd {
    StepEnd {
        id,
        work_done,
        result,
        target: 1,
        achieved: 1,
        unit: "bytes".into(),
        smaps: Rows::default(),
    }
}

/// A run's end at `t`.
pub fn footer(t: u64, outcome: Outcome) -> Footer {
    Footer {
        t,
        outcome,
        reason: String::new(),
        containers: Vec::new(),
        counters: Vec::new(),
        harness: HarnessCost::default(),
    }
}
