//! Two tools in one text: the difference in bytes, and which rows lie in it.

use super::{Answer, Case, Said, special};
use crate::explain::kinds::Process;
use crate::explain::number::sum;
use crate::explain::{Reading, Scope};
use crate::formula::plain::PODMAN_COUNTS;
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
    let source = kernel.source;
    let used = get("node:Used").said(&format!("; programs use about @ ({source}'s used)"));
    // What the kubelet calls available is of the machine's memory.
    let capacity = kubelet.rows.get("node:MemTotal").unwrap_or(total);
    let kubelet_free = bytes(capacity.saturating_sub(working_set));
    let tool = match kubelet.source {
        "kubelet summary" => "the kubelet's working set",
        source => source,
    };
    let between = working_set.abs_diff(taken);
    let [says, not_free, whole] = [working_set, taken, total].map(bytes);
    let tools = format!("{tool} says {says}, {source} that {not_free} of {whole} can't be had");
    let [apart, available] = [between, available].map(bytes);
    // Less than two percent is between two moments.
    if between < total / 50 {
        return Answer::new(
            "tools_agree",
            format!("The tools agree on {name}: {tools}; the {apart} between them is two moments."),
            "nothing to do",
        );
    }
    if taken > working_set {
        return Answer::new(
            "memory_uncounted",
            format!(
                "Danger: {tools}: {apart} on {name} is counted by no cgroup (huge pages, unreclaimable slab, drivers); the kubelet believes {kubelet_free} is free and will not evict before the machine runs out."
            ),
            "grep -E 'HugePages_Total|Hugetlb|SUnreclaim' /proc/meminfo; slabtop -o -s c | head -20 on that node",
        );
    }
    Answer::new(
        "tools_differ",
        format!(
            "No leak: {tools}; the {apart} between them on {name} is page cache on the active list and reclaimable slab, which working_set counts and the kernel can take back (the kubelet sees {kubelet_free} available, the kernel {available}){used}."
        ),
        "trust `available` for what is needed, the working set for when the kubelet evicts; grep -E 'Active.file|SReclaimable' /proc/meminfo shows the rows",
    )
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
    let charged = all.iter().find(|r| r.is_charged() && r.value().is_some())?;
    let (list, source) = all.iter().find_map(|r| Some((r.processes()?, r.source)))?;
    let resident = resident(list)?;
    let value = charged.value()?;
    let counted = match counts(charged) {
        // The longer clause says nothing here: no process has page cache that it has not mapped.
        Counts::Docker => Counts::WorkingSet.phrase(),
        counts => counts.phrase(),
    };
    let many = if list.len() == 1 {
        "its process has"
    } else {
        "its processes add up to at most"
    };
    let about = match charged.source {
        "kernel files" => String::new(),
        _ => format!(" for {}", charged.label),
    };
    let (tool, apart) = (called(charged), bytes(value.abs_diff(resident)));
    let [says, held] = [value, resident].map(bytes);
    if counts(charged) == Counts::Podman && value < resident - resident / 4 {
        return Answer::new(
            "tools_differ",
            format!(
                "{tool} says {says}{about}, {many} {held} by {source}: this podman counts only anonymous memory ({PODMAN_COUNTS}), so files that are mapped \
                 ({apart} here at most) and all page cache are missing from it, though the limit counts them."
            ),
            "cat /sys/fs/cgroup/memory.current in the container is what the limit is compared with; podman 5.6 prints it without inactive cache",
        );
    }
    if value <= resident.saturating_add(value / 20) {
        return Answer::new(
            "tools_agree",
            format!(
                "{tool} says {says} ({counted}); {many} {held}, shared pages in each: there is little beside the processes."
            ),
            "find what grows in the largest process",
        );
    }
    Answer::new(
        "outside_processes",
        format!(
            "{tool} says {says}{about} ({counted}), {many} {held} by {source}: at least {apart} are no process's, but page cache, tmpfs (/dev/shm) or kernel memory."
        ),
        "which of the three: in the container `grep -E 'inactive_file|active_file|shmem|kernel|slab' /sys/fs/cgroup/memory.stat; df -h /dev/shm`",
    )
}

/// What processes have together, by Pss where that is known.
fn resident(list: &[Process]) -> Option<u64> {
    special::sum(list, |p| p.pss).or_else(|| special::sum(list, |p| Some(p.rss)))
}

/// The machine's own account among the readings.
fn machine(all: &[Reading]) -> Option<&Reading> {
    all.iter()
        .find(|r| r.scope == Scope::Node && r.rows.get("node:MemFree").is_some())
}

/// What a tool's number counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Counts {
    /// All that is charged.
    Usage,
    /// Usage less the inactive list.
    WorkingSet,
    /// Docker's, which its version decides.
    Docker,
    /// Podman's, which its version decides.
    Podman,
}

impl Counts {
    /// It as a clause.
    pub fn phrase(self) -> &'static str {
        match self {
            Counts::Usage => "usage, cache included",
            Counts::WorkingSet => "usage without inactive cache",
            Counts::Docker => "usage without inactive cache, before 20.10 without any cache",
            Counts::Podman => PODMAN_COUNTS,
        }
    }
}

/// What its number counts.
pub fn counts(reading: &Reading) -> Counts {
    match (reading.source, reading.view().usage) {
        (_, Some(_)) => Counts::Usage,
        ("docker stats", None) => Counts::Docker,
        ("podman stats", None) => Counts::Podman,
        _ => Counts::WorkingSet,
    }
}

/// What a source is called in a sentence.
pub fn called(reading: &Reading) -> &'static str {
    match reading.source {
        "kernel files" => "the cgroup itself",
        "kubelet summary" => "the kubelet",
        "metrics page" => "cAdvisor",
        source => source,
    }
}

/// The readings of containers by two tools that are of the same one, as far as names tell.
fn pair<'a>(case: &'a Case) -> Option<(&'a Reading, &'a Reading)> {
    let of: Vec<&Reading> = case
        .others()
        .iter()
        .filter(|r| r.is_charged() && r.value().is_some())
        .collect();
    let mut sources: Vec<&str> = of.iter().map(|r| r.source).collect();
    sources.dedup();
    let [one, two] = sources[..] else { return None };
    let by = |source: &str| -> Vec<&Reading> {
        of.iter().copied().filter(|r| r.source == source).collect()
    };
    let (first, second) = (by(one), by(two));
    if let ([one], [two]) = (&first[..], &second[..]) {
        return Some((one, two));
    }
    let names = |r: &Reading| -> Vec<String> {
        [&r.container, &r.pod]
            .into_iter()
            .flatten()
            .cloned()
            .collect()
    };
    // docker names a pod's container k8s_CONTAINER_POD_NAMESPACE_...
    let alike = |a: &Reading, b: &Reading| {
        let (a, b) = (names(a), names(b));
        let inside = |a: &[String], b: &[String]| {
            a.iter()
                .filter(|a| a.len() > 2 && b.iter().any(|b| b.contains(a.as_str())))
                .count()
        };
        inside(&a, &b).max(inside(&b, &a))
    };
    // The quadratic search is for what people paste, not for a node's whole page.
    let pairs = first
        .iter()
        .take(200)
        .flat_map(|a| second.iter().take(200).map(move |b| (*a, *b)));
    let scored = pairs.map(|(a, b)| (alike(a, b), a.value().max(b.value()), a, b));
    let best = scored
        .filter(|(score, ..)| *score > 0)
        .max_by_key(|(score, size, ..)| (*score, *size))?;
    Some((best.2, best.3))
}

/// Two tools about one container.
pub fn containers(case: &Case) -> Option<Answer> {
    let (one, two) = pair(case)?;
    let (a, b) = (one.value()?, two.value()?);
    let (high, low) = if a >= b { (one, two) } else { (two, one) };
    let (most, least) = (a.max(b), a.min(b));
    let apart = most - least;
    let name = |r: &Reading| r.container.clone().or_else(|| r.pod.clone());
    // docker's names are long: kubectl's say the same.
    let label = [high, low]
        .into_iter()
        .filter(|r| r.source != "kernel files")
        .filter_map(name)
        .min_by_key(String::len);
    let about = label.map_or(String::new(), |name| {
        format!(" for {}", name.chars().take(60).collect::<String>())
    });
    let (one, other) = (called(high), called(low));
    let [says, less, more] = [most, least, apart].map(bytes);
    if apart <= most / 50 {
        return Answer::new(
            "tools_agree",
            format!(
                "{one} ({says}) and {other} ({less}) agree{about} within rounding and two moments."
            ),
            super::NEXT_FILES,
        );
    }
    let (lies, next) = between(high, low, apart).unwrap_or_else(|| unexplained(high, low));
    Answer::new(
        "tools_differ",
        format!("{one} says {says}{about}, {other} {less}: {more} more; {lies}."),
        next,
    )
}

/// The rows that lie between the two, where one of them has the rows.
fn between(high: &Reading, low: &Reading, apart: u64) -> Option<(String, &'static str)> {
    const SAME: &str = "compare the same formula in both; alert on what can't be taken back: usage - inactive_file - active_file";
    let detail = [high, low]
        .into_iter()
        .find(|r| r.view().inactive_file.is_some() || r.view().cache.is_some())?;
    let view = detail.view();
    let inactive = view.inactive_file.unwrap_or(0);
    let lists = inactive.saturating_add(view.active_file.unwrap_or(0));
    let cache = view.cache.unwrap_or(lists);
    let near = |bytes: u64| apart.abs_diff(bytes) <= apart / 20;
    let who = called(if std::ptr::eq(detail, high) {
        low
    } else {
        high
    });
    let active = cache.saturating_sub(inactive);
    let [list, all, rest] = [inactive, cache, active].map(bytes);
    let is = if near(inactive) {
        format!(
            "inactive_file ({list}), which {who} leaves out: the page cache that the kernel takes back first"
        )
    } else if near(cache) {
        format!(
            "the page cache ({all}), all of which {who} leaves out; tmpfs in it can't be taken back"
        )
    } else if near(active) {
        format!("the active list and tmpfs ({rest}), which only one of them leaves out")
    } else {
        return Some((
            format!(
                "inactive_file is {list}, all page cache {all}: neither alone explains it, so two moments or two cgroups (a pod against one of its containers)"
            ),
            "read both at one moment: docker stats --no-stream and memory.current, memory.stat of that container's cgroup",
        ));
    };
    Some((format!("that is {is}"), SAME))
}

/// What can lie between two formulas, where no rows are given.
fn unexplained(high: &Reading, low: &Reading) -> (String, &'static str) {
    use Counts::{Docker, Podman, Usage, WorkingSet};
    let pod = |r: &Reading| r.container.is_none() && r.pod.is_some();
    let scope = if pod(high) && !pod(low) {
        ", unless other containers of the pod hold it (its number is their sum)"
    } else {
        ""
    };
    let text = match (counts(high), counts(low)) {
        (Usage, WorkingSet) => {
            "it is inactive_file, the page cache that the kernel takes back first"
        }
        (Usage, Docker | Podman) => {
            "it is page cache: the inactive list that docker leaves out since 20.10, or all of it before"
        }
        (WorkingSet, Docker) => {
            "docker 17.06 to 19.03 leaves all page cache out, the working set only its inactive list: it is active_file, which the kernel can take back, and tmpfs, which it can't"
        }
        (WorkingSet | Docker | Podman, Usage) => {
            "a part can't be above its whole: two moments, or two cgroups"
        }
        _ => {
            "both leave the inactive list out, so these are two moments (metrics are up to some minutes old) or two cgroups"
        }
    };
    (
        format!("{text}{scope}"),
        "which it is: in the container `grep -E 'inactive_file|active_file|shmem' /sys/fs/cgroup/memory.stat` (cgroup v1: /sys/fs/cgroup/memory/memory.stat, total_ rows)",
    )
}

/// What the machine's own account has in use that can't be had: none where it does not tell.
fn taken(machine: &Reading) -> Option<u64> {
    let get = |row: &str| machine.node(row);
    let total = get("MemTotal")?;
    let cached = get("BuffCache").unwrap_or_else(|| {
        let parts = get("Buffers")
            .unwrap_or(0)
            .saturating_add(get("Cached").unwrap_or(0));
        parts.saturating_add(get("SReclaimable").unwrap_or(0))
    });
    let available = get("MemAvailable").or_else(|| {
        let cache = cached.saturating_sub(get("Shmem").unwrap_or(0));
        Some(get("MemFree")?.saturating_add(cache))
    })?;
    total.checked_sub(available)
}

/// A machine's account beside containers that a tool lists: what of them is cache at least, or what
/// of the machine is in none of them.
pub fn machine_and_containers(case: &Case) -> Option<Answer> {
    let all = case.others();
    let machine = machine(all)?;
    let total = machine.rows.get("node:MemTotal")?;
    let taken = taken(machine)?;
    const OF_CONTAINERS: [&str; 6] = [
        "nomad",
        "docker stats",
        "podman stats",
        "crictl stats",
        "kubectl top",
        "systemd-cgtop",
    ];
    let first = all
        .iter()
        .find(|r| OF_CONTAINERS.contains(&r.source) && r.scope == Scope::Cgroup)?;
    let listed: Vec<&Reading> = all
        .iter()
        .filter(|r| r.source == first.source && r.scope == Scope::Cgroup)
        .collect();
    let sum = sum(listed.iter().filter_map(|r| r.value()));
    let who = match &listed[..] {
        [one] => one
            .container
            .clone()
            .or(one.pod.clone())
            .unwrap_or_else(|| "the container".into()),
        many => format!("{} containers", many.len()),
    };
    let (counted, apart) = (counts(first).phrase(), bytes(sum.abs_diff(taken)));
    let [says, not_free, whole] = [sum, taken, total].map(bytes);
    let head = format!(
        "{} counts {says} for {who} ({counted}); by {} {not_free} of the machine's {whole} can't be had",
        first.source, machine.source
    );
    if sum > taken {
        return Answer::new(
            "tools_differ",
            format!(
                "No contradiction: {head}, so at least {apart} of it is page cache, which the kernel takes back before anything is killed."
            ),
            "for what can't be taken back: usage - inactive_file - active_file from the container's memory.stat",
        );
    }
    Answer::new(
        "tools_differ",
        format!(
            "{head}: at least {apart} of that is in none of them: other processes, kernel memory, tmpfs or huge pages."
        ),
        "ps aux --sort -rss | head; systemd-cgtop -m; grep -E 'Shmem|SUnreclaim|Huge' /proc/meminfo",
    )
}

/// A machine's account beside a list of processes: what is in none of those listed.
pub fn machine_and_processes(case: &Case) -> Option<Answer> {
    let all = case.others();
    let machine = machine(all)?;
    let (list, source) = all
        .iter()
        .find_map(|r| Some((r.processes().filter(|list| list.len() > 1)?, r.source)))?;
    let resident = resident(list)?;
    let taken = taken(machine)?;
    let total = machine.rows.get("node:MemTotal")?;
    let rest = taken.checked_sub(resident)?;
    // Shared pages and processes that were not listed are some of it.
    if rest < total / 4 {
        return None;
    }
    let tmpfs = machine.rows.get("node:Shmem").filter(|b| *b > 0);
    let tmpfs = tmpfs.said(" (tmpfs is @)");
    let (tool, count) = (machine.source, list.len());
    let [not_free, whole, held, rest] = [taken, total, resident, rest].map(bytes);
    Answer::new(
        "outside_processes",
        format!(
            "By {tool} {not_free} of the machine's {whole} can't be had, and the {count} processes listed add up to at most {held} by {source}: at least {rest} are in none of them: processes not listed, tmpfs{tmpfs}, kernel memory or huge pages."
        ),
        "all processes first (ps aux --sort -rss); then grep -E 'Shmem|SUnreclaim|PageTables|Percpu|Huge' /proc/meminfo; slabtop -o -s c | head -20",
    )
}
