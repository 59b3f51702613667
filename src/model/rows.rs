//! What a cgroup's files would say: the rows that the model knows, under the kernel's names.

use super::card::Card;
use super::memcg::{Memcg, PAGE};
use super::world::World;
use crate::recording::{MISSING, Table};
use crate::rows::{CgroupVersion, UNLIMITED};
use crate::scenario::Scenario;
use crate::truth::COUNTERS;

/// The sums of one cgroup, or of a pod's.
#[derive(Debug, Clone, Copy, Default)]
pub struct Sums {
    usage: u64,
    anon: u64,
    file: u64,
    shmem: u64,
    kernel: u64,
    inactive_file: u64,
    active_file: u64,
    lazy: u64,
    hidden: u64,
    above_high: u64,
    refaults: u64,
    /// Pages of files that processes have mapped, bytes.
    pub mapped: u64,
    at_limit: u64,
    oom_kills: u64,
}

impl Sums {
    /// Of all these cgroups together.
    pub fn of<'a>(groups: impl Iterator<Item = &'a Memcg>) -> Sums {
        groups.fold(Sums::default(), |sum, memcg| Sums {
            usage: sum.usage + memcg.usage(),
            anon: sum.anon + memcg.anon(),
            file: sum.file + memcg.file(),
            shmem: sum.shmem + memcg.shmem(),
            kernel: sum.kernel + memcg.kernel_bytes(),
            inactive_file: sum.inactive_file + memcg.inactive_file(),
            active_file: sum.active_file + memcg.active_file(),
            lazy: sum.lazy + memcg.listed_lazy(),
            hidden: sum.hidden + memcg.hidden(),
            above_high: sum.above_high + memcg.counts.above_high,
            refaults: sum.refaults + memcg.counts.refaults,
            mapped: sum.mapped,
            at_limit: sum.at_limit + memcg.counts.at_limit,
            oom_kills: sum.oom_kills + memcg.counts.oom_kills,
        })
    }
}

impl Sums {
    /// A huge page of which a piece is mapped is on its list as a whole.
    fn on_anon_lists(&self) -> u64 {
        self.anon - self.lazy + self.shmem + self.hidden
    }
}

/// One row: the names on v1 and v2, and its value from the sums, the limit, and whether new
/// anonymous pages are active.
type Row = (
    Option<&'static str>,
    Option<&'static str>,
    fn(&Sums, Option<u64>, bool) -> u64,
);

/// Every row that the model fills. What is not here is absent from its recordings, never 0.
const FILLED: &[Row] = &[
    (
        Some("memory.usage_in_bytes"),
        Some("memory.current"),
        |s, _, _| s.usage,
    ),
    (
        Some("memory.limit_in_bytes"),
        Some("memory.max"),
        |_, limit, _| limit.unwrap_or(UNLIMITED),
    ),
    (
        Some("memory.failcnt"),
        Some("memory.events:max"),
        |s, _, _| s.at_limit,
    ),
    (
        Some("memory.kmem.usage_in_bytes"),
        Some("kernel"),
        |s, _, _| s.kernel,
    ),
    (Some("total_rss"), Some("anon"), |s, _, _| s.anon),
    (Some("total_cache"), Some("file"), |s, _, _| s.file),
    (Some("total_shmem"), Some("shmem"), |s, _, _| s.shmem),
    (
        Some("total_inactive_anon"),
        Some("inactive_anon"),
        |s, _, active| {
            if active { 0 } else { s.on_anon_lists() }
        },
    ),
    (
        Some("total_active_anon"),
        Some("active_anon"),
        |s, _, active| {
            if active { s.on_anon_lists() } else { 0 }
        },
    ),
    (
        Some("total_inactive_file"),
        Some("inactive_file"),
        |s, _, _| s.inactive_file,
    ),
    (Some("total_active_file"), Some("active_file"), |s, _, _| {
        s.active_file
    }),
    (Some("total_mapped_file"), Some("file_mapped"), |s, _, _| {
        s.mapped
    }),
    (Some("total_unevictable"), Some("unevictable"), |_, _, _| 0),
    (None, Some("memory.events:high"), |s, _, _| s.above_high),
    (None, Some("workingset_refault_file"), |s, _, _| s.refaults),
    (
        Some("memory.oom_control:oom_kill"),
        Some("memory.events:oom_kill"),
        |s, _, _| s.oom_kills,
    ),
];

fn name(row: &Row, version: CgroupVersion) -> Option<&'static str> {
    match version {
        CgroupVersion::V1 => row.0,
        CgroupVersion::V2 => row.1,
    }
}

/// The columns of every group of a model's recording.
pub fn columns(version: CgroupVersion) -> Vec<String> {
    let rows = FILLED.iter().filter_map(|row| name(row, version));
    let rows = rows.map(String::from);
    rows.chain(COUNTERS.iter().map(|counter| format!("truth:{counter}")))
        .collect()
}

/// One sample of a group, added to its table: 0 is the pod, the others are the containers in order.
pub fn sample(scenario: &Scenario, world: &World, card: &Card, group: usize, table: &mut Table) {
    let container = group.checked_sub(1);
    let (mut sums, limit) = match container {
        None => {
            let all = world.groups.iter().map(|group| &group.memcg);
            let mut sums = Sums::of(all);
            sums.at_limit += world.pod_at_limit;
            (sums, scenario.pod_limit)
        }
        Some(index) => {
            let own = world.group_of(index).map(|group| &group.memcg);
            let limit = scenario.containers.get(index).map(|c| c.limit);
            (Sums::of(own.into_iter()), limit)
        }
    };
    let mut truth = [0u64; COUNTERS.len()];
    let processes = world.processes.iter();
    for process in processes.filter(|p| container.is_none_or(|c| p.container == c)) {
        let mapped = process.maps.iter().map(|(_, pages)| pages * PAGE);
        sums.mapped += mapped.sum::<u64>();
        for (sum, value) in truth.iter_mut().zip(process.truth) {
            *sum += value;
        }
    }
    let named = |row: &&Row| name(row, card.cgroup).is_some();
    for row in FILLED.iter().filter(named) {
        let value = (row.2)(&sums, limit, card.rules.anon_active);
        debug_assert!(value != MISSING);
        table.values.push(value);
    }
    table.values.extend(truth);
}
