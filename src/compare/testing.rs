//! Small recordings for this module's tests.

use crate::host::{HostFacts, Lru};
use crate::recording::{
    Event, EventKind, Footer, Group, GroupKind, HarnessCost, Header, Recording, StepEnd, StepId,
    StepResult, Table,
};
use crate::rows::{CgroupVersion, Rows};
use crate::scenario::Outcome;

pub const MIB: u64 = 1 << 20;

pub fn host(kernel: &str, cgroup: CgroupVersion, lru: Lru) -> HostFacts {
    // From JSON, so that facts added later need no change here.
    serde_json::from_value(serde_json::json!({
        "kernel": kernel, "arch": "x86_64", "cgroup": cgroup, "lru": lru, "page_size": 4096,
        "cpus": 2, "mem_total": 2147483648u64, "swap_total": 0, "psi": true, "madv_free": true,
        "placement": "managed",
    }))
    .unwrap()
}

/// A v2 recording of `log-read-twice`: a step a pair, with working set and active_file in MiB.
pub fn recording(host: HostFacts, steps: &[(&str, u64, u64)], outcome: Outcome) -> Recording {
    let columns: Vec<String> = ["memory.current", "inactive_file", "active_file", "anon"]
        .map(String::from)
        .to_vec();
    let mut table = Table {
        columns: columns.clone(),
        ..Table::default()
    };
    let mut events = Vec::new();
    for (i, (step, ws, active)) in steps.iter().enumerate() {
        let t = (i as u64 + 1) * 1_000_000;
        table.t.push(t);
        table.cost.push(1000);
        table
            .values
            .extend([(ws + 100) * MIB, 100 * MIB, active * MIB, 0]);
        let id = StepId {
            container: "app".into(),
            actor: "writer".into(),
            step: step.to_string(),
            index: i,
        };
        events.push(Event {
            t: t - 1000,
            kind: EventKind::StepStart(id.clone()),
        });
        events.push(Event {
            t: t + 1000,
            kind: EventKind::StepEnd(end(id, t)),
        });
    }
    Recording {
        header: header(host, columns),
        tables: vec![table],
        events,
        footer: Some(Footer {
            t: 9_000_000,
            outcome,
            reason: String::new(),
            containers: Vec::new(),
            counters: Vec::new(),
            harness: HarnessCost::default(),
        }),
        complete: true,
    }
}

fn end(id: StepId, t: u64) -> StepEnd {
    StepEnd {
        id,
        work_done: t,
        result: StepResult::Done,
        target: 1,
        achieved: 1,
        unit: "ops".into(),
        smaps: Rows::default(),
    }
}

fn header(host: HostFacts, columns: Vec<String>) -> Header {
    Header {
        memtide: "0.0.0".into(),
        host,
        scenario: "log-read-twice".into(),
        scenario_text: String::new(),
        scenario_hash: "0".into(),
        seed: 1,
        rng: "none".into(),
        interval_ns: 1,
        time_scale: 1.0,
        model: None,
        started: String::new(),
        groups: vec![Group {
            image: None,
            name: "app".into(),
            kind: GroupKind::Container,
            limit: Some(256 * MIB),
            path: String::new(),
            columns,
        }],
    }
}
