//! What a cgroup's files would say: the rows that the model knows, under the kernel's names.

use super::card::Card;
use super::memcg::{Memcg, PAGE};
use super::world::World;
use crate::recording::{MISSING, Table};
use crate::rows::{CgroupVersion, Row, UNLIMITED};
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

/// A row's value from the sums, the limit, and whether new anonymous pages are active.
type Value = fn(&Sums, Option<u64>, bool) -> u64;

const BOTH: &[CgroupVersion] = &[CgroupVersion::V1, CgroupVersion::V2];
const V1: &[CgroupVersion] = &[CgroupVersion::V1];
const V2: &[CgroupVersion] = &[CgroupVersion::V2];

/// Every row that the model fills, where. What is not here is absent from its recordings, never 0.
const FILLED: &[(&Row, &[CgroupVersion], Value)] = &[
    (Row::named("usage"), BOTH, |s, _, _| s.usage),
    (Row::named("limit"), BOTH, |_, limit, _| {
        limit.unwrap_or(UNLIMITED)
    }),
    (Row::named("failcnt"), V1, |s, _, _| s.at_limit),
    (Row::named("events_max"), V2, |s, _, _| s.at_limit),
    (Row::named("kernel"), BOTH, |s, _, _| s.kernel),
    (Row::named("rss"), BOTH, |s, _, _| s.anon),
    (Row::named("cache"), BOTH, |s, _, _| s.file),
    (Row::named("shmem"), BOTH, |s, _, _| s.shmem),
    (Row::named("inactive_anon"), BOTH, |s, _, active| {
        if active { 0 } else { s.on_anon_lists() }
    }),
    (Row::named("active_anon"), BOTH, |s, _, active| {
        if active { s.on_anon_lists() } else { 0 }
    }),
    (Row::named("inactive_file"), BOTH, |s, _, _| s.inactive_file),
    (Row::named("active_file"), BOTH, |s, _, _| s.active_file),
    (Row::named("mapped_file"), BOTH, |s, _, _| s.mapped),
    (Row::named("unevictable"), BOTH, |_, _, _| 0),
    (Row::named("events_high"), V2, |s, _, _| s.above_high),
    (Row::named("workingset_refault_file"), V2, |s, _, _| {
        s.refaults
    }),
    (Row::named("oom_kills"), BOTH, |s, _, _| s.oom_kills),
];

/// The rows of `version` with their values, in the order of the columns.
fn filled(version: CgroupVersion) -> impl Iterator<Item = (&'static Row, Value)> {
    let there = FILLED
        .iter()
        .filter(move |(_, on, _)| on.contains(&version));
    there.map(|(row, _, value)| (*row, *value))
}

/// The columns of every group of a model's recording.
pub fn columns(version: CgroupVersion) -> Vec<String> {
    let rows = filled(version).filter_map(|(row, _)| row.column_name(version));
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
    for (_, value) in filled(card.cgroup) {
        let value = value(&sums, limit, card.rules.anon_active);
        debug_assert!(value != MISSING);
        table.values.push(value);
    }
    table.values.extend(truth);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_value_has_a_column_of_that_version() {
        for version in [CgroupVersion::V1, CgroupVersion::V2] {
            for (row, _) in filled(version) {
                let name = row.column_name(version);
                assert!(name.is_some(), "{} has no name on {version:?}", row.name);
            }
        }
    }
}
