//! A small recording for tests: a log is written, read twice, then lazily freed memory and a kill.

use crate::host::HostFacts;
use crate::recording::testing::{app, footer, header, step_end};
use crate::recording::{
    Event, EventKind, Footer, HarnessCost, Header, Recording, StepEnd, StepId, StepResult, Table,
};
use crate::rows::CgroupVersion;
use crate::scenario::Outcome;

const MIB: u64 = 1 << 20;
const SECOND: u64 = 1_000_000_000;
const COLUMNS: [&str; 13] = [
    "memory.usage_in_bytes",
    "memory.limit_in_bytes",
    "memory.kmem.usage_in_bytes",
    "total_rss",
    "total_cache",
    "total_shmem",
    "total_inactive_anon",
    "total_active_anon",
    "total_inactive_file",
    "total_active_file",
    "memory.failcnt",
    "truth:live",
    "truth:file_live",
];

/// Ten seconds of a 256 MiB container: writes to 100 MiB until 4 s, reads until 7 s, then its heap
/// grows until it is killed.
pub fn recording() -> Recording {
    let group = app(256, &COLUMNS);
    let host = HostFacts {
        kernel: "6.18.0".into(),
        cgroup: CgroupVersion::V1,
        ..crate::host::testing::host()
    };
    let mut table = Table {
        columns: group.columns.clone(),
        ..Table::default()
    };
    for tick in 0..=200u64 {
        table.t.push(tick * SECOND / 20);
        table.cost.push(9_000 + tick);
        table.values.extend(row(tick));
    }
    Recording {
        header: Header {
            interval_ns: SECOND / 20,
            ..header(host, "synthetic", vec![group])
        },
        tables: vec![table],
        events: events(),
        footer: Some(Footer {
            reason: "the OOM killer ended app".into(),
            counters: vec![(
                "app".into(),
                [("memory.oom_control:oom_kill", 1)].into_iter().collect(),
            )],
            harness: HarnessCost {
                samples: 201,
                ..HarnessCost::default()
            },
            ..footer(10 * SECOND, Outcome::OomKilled)
        }),
        complete: true,
    }
}

fn row(tick: u64) -> [u64; 13] {
    let written = (tick.min(80) * 100 / 80) * MIB;
    let active = (tick.clamp(80, 140) - 80) * 100 / 60 * MIB;
    let heap = 4 * MIB + (tick.max(140) - 140) * 145 * MIB / 60;
    let kernel = 3 * MIB;
    [
        written + heap + kernel,
        256 * MIB,
        kernel,
        heap,
        written,
        0,
        heap,
        0,
        written - active,
        active,
        0,
        heap,
        written,
    ]
}

fn events() -> Vec<Event> {
    let mut events = Vec::new();
    let spans = [("write", 0, 4), ("read-twice", 4, 7), ("</script>", 7, 10)];
    for (index, (name, from, to)) in spans.into_iter().enumerate() {
        let id = StepId {
            container: "app".into(),
            actor: "app".into(),
            step: name.into(),
            index,
        };
        events.push(Event {
            t: from * SECOND,
            kind: EventKind::StepStart(id.clone()),
        });
        if index < 2 {
            let end = StepEnd {
                target: 100 * MIB,
                achieved: 100 * MIB,
                ..step_end(id, to * SECOND, StepResult::Done)
            };
            events.push(Event {
                t: to * SECOND,
                kind: EventKind::StepEnd(end),
            });
        }
    }
    events.push(Event {
        t: 10 * SECOND,
        kind: EventKind::ActorExit {
            container: "app".into(),
            actor: "app".into(),
            code: None,
            signal: Some(9),
            oom_killed: true,
        },
    });
    events
}
