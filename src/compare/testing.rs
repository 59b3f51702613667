//! Small recordings for this module's tests.

use crate::host::{HostFacts, Lru};
use crate::recording::testing::{app, footer, header, step_end};
use crate::recording::{Event, EventKind, Recording, StepId, StepResult, Table};
use crate::rows::CgroupVersion;
use crate::scenario::Outcome;

pub const MIB: u64 = 1 << 20;

pub fn host(kernel: &str, cgroup: CgroupVersion, lru: Lru) -> HostFacts {
    HostFacts {
        kernel: kernel.into(),
        cgroup,
        lru,
        ..crate::host::testing::host()
    }
}

/// A v2 recording of `log-read-twice`: a step a pair, with working set and active_file in MiB.
pub fn recording(host: HostFacts, steps: &[(&str, u64, u64)], outcome: Outcome) -> Recording {
    let group = app(
        256,
        &["memory.current", "inactive_file", "active_file", "anon"],
    );
    let mut table = Table {
        columns: group.columns.clone(),
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
            kind: EventKind::StepEnd(step_end(id, t, StepResult::Done)),
        });
    }
    Recording {
        header: header(host, "log-read-twice", vec![group]),
        tables: vec![table],
        events,
        footer: Some(footer(9_000_000, outcome)),
        complete: true,
    }
}
