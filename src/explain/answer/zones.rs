//! Answers about the parts of a machine's memory: NUMA nodes, and free blocks by size.

use super::{Answer, Case};
use crate::explain::What;
use crate::explain::kinds::{Oom, Zone};
use crate::explain::number::sum;
use crate::units::bytes;

/// The task may use some NUMA nodes only.
pub fn of_nodes(oom: &Oom, nodes: &str, who: &str) -> Option<Answer> {
    let (whose, next) = match oom.constraint.as_deref() {
        Some("CONSTRAINT_CPUSET") => (
            "its cpuset",
            "cat /sys/fs/cgroup/cpuset.mems.effective in it: widen cpuset.mems (the kubelet's memory manager, docker --cpuset-mems), or lower what runs there",
        ),
        _ => (
            "its NUMA policy",
            "numactl --show, numastat -p PID: prefer a node (--preferred) in place of binding to it (--membind)",
        ),
    };
    let allowed = |zone: &&Zone| {
        let name = zone.name.trim_start_matches("Node ");
        within(nodes, name.split(' ').next().unwrap_or(""))
    };
    let free = |inside: bool| {
        let zones = oom.zones.iter().filter(|zone| allowed(zone) == inside);
        sum(zones.map(|zone| zone.free))
    };
    let free = match oom.zones[..] {
        [] => String::new(),
        _ => {
            let [inside, outside] = [true, false].map(|inside| bytes(free(inside)));
            format!(": {inside} free there, {outside} free on others")
        }
    };
    Answer::new(
        "oom_numa",
        format!(
            "The machine need not be short and no container's limit was hit: the task may only use NUMA node {nodes} ({whose}), and that was full{free}{who}."
        ),
        next,
    )
}

/// Whether `0-1,3` has a node.
fn within(nodes: &str, node: &str) -> bool {
    let Ok(node) = node.parse::<u32>() else {
        return false;
    };
    nodes.split(',').any(|part| match part.split_once('-') {
        Some((first, last)) => {
            first.parse().is_ok_and(|first: u32| first <= node)
                && last.parse().is_ok_and(|last: u32| node <= last)
        }
        None => part.parse() == Ok(node),
    })
}

/// A machine by its NUMA nodes.
pub fn nodes(case: &Case) -> Option<Answer> {
    let What::Nodes(nodes) = &case.reading().what else {
        return None;
    };
    let left = |node: &Zone| node.free.saturating_add(node.reclaimable).min(node.managed);
    let percent = |node: &Zone| u128::from(left(node)) * 100 / u128::from(node.managed.max(1));
    let least = nodes.iter().min_by_key(|node| percent(node))?;
    let most = nodes.iter().max_by_key(|node| percent(node))?;
    let whole = sum(nodes.iter().map(|node| node.managed));
    let all = sum(nodes.iter().map(left));
    let each = |node: &Zone| {
        let [left, managed] = [left(node), node.managed].map(bytes);
        format!("{} has {left} of {managed} left", node.name)
    };
    let (name, [worst, best]) = (&least.name, [least, most].map(each));
    let short = all < whole / 10;
    let [all, whole] = [all, whole].map(bytes);
    if percent(least) < 10 && percent(most) >= 20 {
        return Answer::new(
            "numa_uneven",
            format!(
                "The NUMA nodes are uneven: {worst}, {best}: the machine is not short ({all} of {whole} could be had), but what is bound to {name} swaps or is killed."
            ),
            "numastat -p PID and cpuset.mems tell who is bound; numactl --interleave=all or --preferred spreads it",
        );
    }
    let (code, verdict) = if short {
        (
            "machine_short",
            "The machine is short on all its NUMA nodes",
        )
    } else {
        (
            "machine_not_short",
            "The machine is not short, and its NUMA nodes are even",
        )
    };
    Answer::new(
        code,
        format!("{verdict}: {all} of {whole} could be had; {worst}."),
        "cat /proc/meminfo: MemAvailable is the kernel's own figure",
    )
}

/// Free blocks by size: from where on there are none.
pub fn blocks(case: &Case) -> Option<Answer> {
    let What::Blocks(zones) = &case.reading().what else {
        return None;
    };
    let size = |order: usize| 4096u64 << order.min(40);
    let free = |zone: &[u64]| {
        let blocks = zone.iter().enumerate();
        sum(blocks.map(|(order, n)| n.saturating_mul(size(order))))
    };
    let largest = |zone: &[u64]| zone.iter().rposition(|n| *n > 0);
    // The machine's own zone is the one with most free: small zones are held back.
    let (name, zone) = zones.iter().max_by_key(|(_, zone)| free(zone))?;
    let all = sum(zones.iter().map(|(_, zone)| free(zone)));
    let top = largest(zone).map_or("none at all".into(), |order| bytes(size(order)));
    let [all, here] = [all, free(zone)].map(bytes);
    let head = format!("{all} is free, {here} of it in {name}, where the largest block is {top}");
    if largest(zone).is_some_and(|order| order + 2 >= zone.len()) {
        return Answer::new(
            "machine_not_short",
            format!(
                "Free memory is not in pieces: {head}. Free memory is no measure of what can be had: page cache comes to it."
            ),
            "cat /proc/meminfo: MemAvailable is what can still be had",
        );
    }
    Answer::new(
        "fragmented",
        format!(
            "Free memory is in pieces: {head}: a larger block (huge pages, drivers, network rings) is refused or waits for compaction, without any memory being short."
        ),
        "echo 1 > /proc/sys/vm/compact_memory and look again; grep -E 'compact_(stall|fail|success)' /proc/vmstat; a larger vm.min_free_kbytes for drivers",
    )
}
