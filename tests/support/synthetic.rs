//! Recordings from a model of a container's memory: for tests of what reads recordings, where the
//! sizes and rates must vary freely. What detectors are *scored* on are real recordings.

#![allow(dead_code)]

use memtide::recording::{
    Event, EventKind, Footer, Group, GroupKind, HarnessCost, Header, Recording, Table, Writer,
};
use memtide::rows::CgroupVersion;
use memtide::scenario::Outcome;
use std::path::Path;

#[path = "header.rs"]
mod header;
use header::header;

pub const MIB: f64 = 1048576.0;

/// Bytes of each kind a container holds.
#[derive(Debug, Clone, Copy, Default)]
pub struct Memory {
    pub anon: f64,
    pub lazy: f64,
    pub active_file: f64,
    pub inactive_file: f64,
    pub shmem: f64,
    pub kernel: f64,
    /// Huge pages of which most was released: charged, and in no row but anon's lists.
    pub hidden: f64,
}

impl Memory {
    fn usage(&self) -> f64 {
        self.anon
            + self.lazy
            + self.active_file
            + self.inactive_file
            + self.shmem
            + self.kernel
            + self.hidden
    }
}

/// A container that is sampled while its memory changes.
pub struct Model {
    version: CgroupVersion,
    limit: f64,
    interval_ns: u64,
    pub memory: Memory,
    t: u64,
    table: Table,
    events: Vec<Event>,
    failcnt: u64,
    pub oom_at: Option<u64>,
}

const V1: [&str; 12] = [
    "memory.usage_in_bytes",
    "memory.limit_in_bytes",
    "memory.failcnt",
    "memory.kmem.usage_in_bytes",
    "total_rss",
    "total_cache",
    "total_shmem",
    "total_mapped_file",
    "total_inactive_anon",
    "total_active_anon",
    "total_inactive_file",
    "total_active_file",
];
const V2: [&str; 12] = [
    "memory.current",
    "memory.max",
    "memory.events:max",
    "kernel",
    "anon",
    "file",
    "shmem",
    "file_mapped",
    "inactive_anon",
    "active_anon",
    "inactive_file",
    "active_file",
];

impl Model {
    pub fn new(version: CgroupVersion, limit: f64, interval_ms: u64) -> Self {
        let columns = if version == CgroupVersion::V1 { V1 } else { V2 };
        let mut model = Model {
            version,
            limit,
            interval_ns: interval_ms * 1_000_000,
            memory: Memory {
                anon: 0.3 * MIB,
                kernel: 0.2 * MIB,
                ..Memory::default()
            },
            t: 0,
            table: Table {
                columns: columns.iter().map(|c| (*c).to_owned()).collect(),
                ..Table::default()
            },
            events: Vec::new(),
            failcnt: 0,
            oom_at: None,
        };
        model.sample();
        model
    }

    pub fn limit(&self) -> f64 {
        self.limit
    }

    pub fn now_ns(&self) -> u64 {
        self.t
    }

    /// Lets `seconds` of recorded time pass, `change` being applied before every sample with the
    /// seconds since the last. Stops at an OOM kill.
    pub fn pass(&mut self, seconds: f64, mut change: impl FnMut(&mut Memory, f64)) -> &mut Self {
        let dt = self.interval_ns as f64 / 1e9;
        for _ in 0..(seconds / dt).round() as usize {
            if self.oom_at.is_some() {
                return self;
            }
            self.t += self.interval_ns;
            change(&mut self.memory, dt);
            self.reclaim();
            self.sample();
        }
        self
    }

    /// What the kernel drops at the limit, easiest first; when nothing is left it kills.
    fn reclaim(&mut self) {
        let mut over = self.memory.usage() - self.limit;
        if over <= 0.0 {
            return;
        }
        self.failcnt += 1;
        let memory = &mut self.memory;
        for kind in [
            &mut memory.inactive_file,
            &mut memory.lazy,
            &mut memory.active_file,
        ] {
            let taken = kind.min(over);
            *kind -= taken;
            over -= taken;
        }
        if over > 0.0 {
            self.oom_at = Some(self.t);
            self.memory.anon -= over;
            self.sample();
            self.t += self.interval_ns / 2;
            self.memory = Memory {
                kernel: 0.2 * MIB,
                ..Memory::default()
            };
            self.events.push(Event {
                t: self.t,
                kind: EventKind::ActorExit {
                    container: "app".into(),
                    actor: "main".into(),
                    code: None,
                    signal: Some(9),
                    oom_killed: true,
                },
            });
            self.oom_at = Some(self.t);
        }
    }

    fn sample(&mut self) {
        let m = &self.memory;
        let bytes = |x: f64| (x / 4096.0).round() as u64 * 4096;
        let cache = m.active_file + m.inactive_file + m.shmem;
        let values = [
            bytes(m.usage()),
            self.limit as u64,
            self.failcnt,
            bytes(m.kernel),
            bytes(m.anon + m.lazy),
            bytes(cache),
            bytes(m.shmem),
            0,
            bytes(m.anon + m.shmem + m.hidden),
            0,
            bytes(m.inactive_file + m.lazy),
            bytes(m.active_file),
        ];
        self.table.t.push(self.t);
        self.table.cost.push(5_000);
        self.table.values.extend(values);
    }

    pub fn finish(&mut self, time_scale: f64) -> Recording {
        let group = Group {
            image: None,
            name: "app".into(),
            kind: GroupKind::Container,
            limit: Some(self.limit as u64),
            path: "/memtide/app".into(),
            columns: self.table.columns.clone(),
        };
        Recording {
            header: Header {
                scenario: "model".into(),
                interval_ns: self.interval_ns,
                time_scale,
                ..header(self.version, vec![group])
            },
            tables: vec![self.table.clone()],
            events: self.events.clone(),
            footer: Some(Footer {
                t: self.t,
                outcome: if self.oom_at.is_some() {
                    Outcome::OomKilled
                } else {
                    Outcome::Survived
                },
                reason: "the model ended".into(),
                containers: Vec::new(),
                counters: Vec::new(),
                harness: HarnessCost::default(),
            }),
            complete: true,
        }
    }
}

/// Writes a recording to a file, the way a run does.
pub fn write(recording: &Recording, path: &Path) {
    let mut writer = Writer::create(path, &recording.header).expect("the file can be created");
    for (group, table) in recording.tables.iter().enumerate() {
        let width = table.columns.len();
        for (i, t) in table.t.iter().enumerate() {
            let values = &table.values[i * width..(i + 1) * width];
            writer
                .sample(group, *t, table.cost[i], values)
                .expect("the sample fits");
        }
    }
    for event in &recording.events {
        writer.event(event).expect("the event is written");
    }
    writer
        .finish(recording.footer.as_ref().expect("it has a footer"))
        .expect("it ends");
}

/// A leak of the article's kind: a heap, then a steady loss until the kill. Gives the recording
/// and the onset in seconds.
pub fn leak(version: CgroupVersion, limit: f64, rate: f64) -> (Recording, f64) {
    let mut model = Model::new(version, limit, 50);
    model.pass(0.2, |m, _| m.anon = 0.2 * limit);
    model.pass(1.0, |_, _| {});
    let onset = model.now_ns() as f64 / 1e9;
    model.pass(60.0, |m, dt| m.anon += rate * dt);
    (model.finish(300.0), onset)
}
