//! Two tools in one text: the difference in bytes, and which rows lie in it.

use super::{Answer, Case, special};
use crate::explain::{Reading, Scope, What};
use crate::units::bytes;

/// The kubelet's working set of a node against the kernel's own account of it.
pub fn nodes(case: &Case) -> Option<Answer> {
    let all = case.others();
    let kernel = all.iter().find(|r| {
        r.scope == Scope::Node
            && r.rows.get("node:MemTotal").is_some()
            && r.rows.get("node:MemAvailable").is_some()
            && r.rows.get("node:MemFree").is_some()
    })?;
    let get = |row: &str| kernel.rows.get(row);
    let (total, available) = (get("node:MemTotal")?, get("node:MemAvailable")?);
    let kubelet = same_node(all, kernel, total)?;
    let working_set = kubelet.working_set?;
    let taken = total.checked_sub(available)?;
    let name = kubelet.container.as_deref().unwrap_or("the node");
    let used = get("node:Used").map_or(String::new(), |used| {
        format!(
            "; programs use about {} ({}'s used)",
            bytes(used),
            kernel.source
        )
    });
    // What the kubelet calls available is of the machine's memory.
    let kubelet_free = kubelet
        .rows
        .get("node:MemTotal")
        .unwrap_or(total)
        .saturating_sub(working_set);
    let tools = format!(
        "{} says {}, {} that {} of {} can't be had",
        tool(kubelet),
        bytes(working_set),
        kernel.source,
        bytes(taken),
        bytes(total)
    );
    // Less than two percent is between two moments.
    let apart = working_set.abs_diff(taken);
    if apart < total / 50 {
        return Answer::new(
            "tools_agree",
            format!(
                "The tools agree on {name}: {tools}; the {} between them is two moments.",
                bytes(apart)
            ),
            "nothing to do",
        );
    }
    if taken > working_set {
        return Answer::new(
            "memory_uncounted",
            format!(
                "Danger: {tools}: {} on {name} is counted by no cgroup (huge pages, unreclaimable slab, drivers); the kubelet believes {} is free and will not evict before the machine runs out.",
                bytes(apart),
                bytes(kubelet_free)
            ),
            "grep -E 'HugePages_Total|Hugetlb|SUnreclaim' /proc/meminfo; slabtop -o -s c | head -20 on that node",
        );
    }
    Answer::new(
        "tools_differ",
        format!(
            "No leak: {tools}; the {} between them on {name} is page cache on the active list and reclaimable slab, which working_set counts and the kernel can take back (the kubelet sees {} available, the kernel {}){used}.",
            bytes(apart),
            bytes(kubelet_free),
            bytes(available)
        ),
        "trust `available` for what is needed, the working set for when the kubelet evicts; grep -E 'Active.file|SReclaimable' /proc/meminfo shows the rows",
    )
}

fn tool(reading: &Reading) -> &'static str {
    match reading.source {
        "kubelet summary" => "the kubelet's working set",
        source => source,
    }
}

/// The kubelet's reading of the machine that `kernel` is of: by name, else by its share of the
/// capacity, else the only one.
fn same_node<'a>(all: &'a [Reading], kernel: &Reading, total: u64) -> Option<&'a Reading> {
    let nodes: Vec<&Reading> = all
        .iter()
        .filter(|r| {
            r.scope == Scope::Node
                && r.working_set.is_some_and(|ws| ws > 0)
                && r.rows.get("node:MemFree").is_none()
        })
        .collect();
    if let [only] = nodes[..] {
        return Some(only);
    }
    let near = kernel.container.as_deref().unwrap_or("").to_lowercase();
    let named = nodes.iter().find(|r| {
        r.container
            .as_deref()
            .is_some_and(|name| !name.is_empty() && near.contains(&name.to_lowercase()))
    });
    if let Some(named) = named {
        return Some(named);
    }
    // kubectl top's percent is of the allocatable memory, some percent below the total.
    let fits = nodes.iter().filter(|r| {
        let of = r
            .working_set
            .zip(r.rows.get("shown_percent").filter(|p| *p > 0));
        of.is_some_and(|(ws, percent)| {
            let (least, most) = (
                ws.saturating_mul(100) / (percent + 1),
                ws.saturating_mul(100) / percent,
            );
            most >= total / 100 * 85 && least <= total
        })
    });
    let fits: Vec<&&Reading> = fits.collect();
    match fits[..] {
        [one] => Some(one),
        _ => None,
    }
}

/// What is charged against what processes have.
pub fn processes(case: &Case) -> Option<Answer> {
    let all = case.others();
    let charged = all.iter().find(|r| {
        r.scope == Scope::Cgroup && matches!(r.what, What::Memory) && value(r).is_some()
    })?;
    let list = all.iter().find_map(|r| match &r.what {
        What::Processes(list) => Some((list, r.source)),
        _ => None,
    });
    let (list, source) = list?;
    let resident = special::sum(list, |p| p.pss).or_else(|| special::sum(list, |p| Some(p.rss)))?;
    let value = value(charged)?;
    let counted = match charged.view().usage {
        Some(_) => "usage, cache included",
        None => "usage without inactive cache",
    };
    let many = if list.len() == 1 {
        "its process has"
    } else {
        "its processes add up to at most"
    };
    if value <= resident.saturating_add(value / 20) {
        return Answer::new(
            "tools_agree",
            format!(
                "{} says {} ({counted}); {many} {}, shared pages in each: there is little beside the processes.",
                charged.source,
                bytes(value),
                bytes(resident)
            ),
            "find what grows in the largest process",
        );
    }
    Answer::new(
        "outside_processes",
        format!(
            "{} says {} for {} ({counted}), {many} {} by {source}: at least {} are no process's, but page cache, tmpfs (/dev/shm) or kernel memory.",
            charged.source,
            bytes(value),
            charged.label,
            bytes(resident),
            bytes(value - resident)
        ),
        "which of the three: in the container `grep -E 'inactive_file|active_file|shmem|kernel|slab' /sys/fs/cgroup/memory.stat; df -h /dev/shm`",
    )
}

/// The number a reading of a container is about.
fn value(reading: &Reading) -> Option<u64> {
    reading.view().usage.or(reading.working_set)
}

/// Two tools about one container.
pub fn containers(case: &Case) -> Option<Answer> {
    let of: Vec<&Reading> = case
        .others()
        .iter()
        .filter(|r| {
            r.scope == Scope::Cgroup && matches!(r.what, What::Memory) && value(r).is_some()
        })
        .collect();
    let [one, two] = of[..] else { return None };
    if one.source == two.source {
        return None;
    }
    let (a, b) = (value(one)?, value(two)?);
    let (high, low) = if a >= b { (one, two) } else { (two, one) };
    let apart = a.abs_diff(b);
    if apart <= a.max(b) / 50 {
        return Answer::new(
            "tools_agree",
            format!(
                "{} ({}) and {} ({}) agree within rounding and two moments.",
                high.source,
                bytes(value(high)?),
                low.source,
                bytes(value(low)?)
            ),
            super::NEXT_FILES,
        );
    }
    // The detailed one tells which rows the difference could be.
    let detail = [one, two]
        .into_iter()
        .find(|r| r.view().inactive_file.is_some() || r.view().cache.is_some());
    let lies = match detail.map(Reading::view) {
        Some(view) => {
            let cache = view.inactive_file.unwrap_or(0);
            let all = view.cache.unwrap_or(cache.saturating_add(view.active_file.unwrap_or(0)));
            match () {
                () if apart.abs_diff(cache) <= apart / 20 => format!("inactive_file is {}: one of them leaves it out", bytes(cache)),
                () if apart.abs_diff(all) <= apart / 20 => format!("the page cache is {}: one of them leaves all of it out", bytes(all)),
                () => format!("inactive_file is {}, all page cache {}: neither alone explains it, so two moments or two cgroups", bytes(cache), bytes(all)),
            }
        }
        None => "it lies between nothing and all of the page cache: one counts cache (or the active part of it) that the other leaves out".into(),
    };
    Answer::new(
        "tools_differ",
        format!(
            "{} says {}, {} {}: {} more; {lies}.",
            high.source,
            bytes(value(high)?),
            low.source,
            bytes(value(low)?),
            bytes(apart)
        ),
        super::NEXT_FILES,
    )
}
