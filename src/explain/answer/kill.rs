//! Answers to the kernel's reports of kills: who was killed, by whose limit, who held the memory.

use super::{Answer, Case, Said, largest, share};
use crate::explain::kinds::{Killed, Oom};
use crate::explain::number::{percent, reaches};
use crate::explain::owner::{self, Owner};
use crate::explain::parts::Parts;
use crate::explain::{Reading, Scope};
use crate::units::bytes;

/// A victim with less than this part of the heap is not who held it, percent.
const HOLDER_PERCENT: u64 = 50;

/// One report.
pub fn one(case: &Case) -> Option<Answer> {
    let reading = case.reading();
    let oom = reading.oom()?;
    if reading.killed.is_none() && reading.rows.is_empty() {
        let piece = oom.piece().said(" for @ in one piece");
        let (code, whose) = match oom.constraint.as_deref() {
            Some("CONSTRAINT_NONE") => (
                "oom_machine",
                "the machine's page allocator called it, no cgroup's limit",
            ),
            Some("CONSTRAINT_MEMCG") => (
                "oom_cgroup_limit",
                "a cgroup's limit was hit, not the machine's; whose",
            ),
            _ => ("oom_cgroup_limit", "whose limit it was"),
        };
        let cut = if code == "oom_machine" { ";" } else { "," };
        return Answer::new(
            code,
            format!(
                "The OOM killer ran{piece}; {whose}{cut} who was killed and what held the memory was cut off."
            ),
            "dmesg -T | grep -A 60 'invoked oom-killer' on that machine",
        );
    }
    if oom.machine || reading.scope == Scope::Node {
        return super::machine::killed(case, oom);
    }
    let parts = &case.facts.parts;
    let (code, whose) = whose_limit(reading, oom);
    let victim = victim(reading, oom);
    let (holder, next) = holder(case, oom);
    let back = taken_back(reading, parts);
    let times = times(reading) + &account(case);
    Answer::new(
        code,
        format!("{victim} was killed by {whose}: {holder}{back}{times}."),
        next,
    )
}

/// What a runtime said of itself in the same text.
fn account(case: &Case) -> String {
    let runtime = case.others().iter().find_map(Reading::runtime);
    let told =
        runtime.map(|runtime| format!("; {} itself counts {}", runtime.name, bytes(runtime.total)));
    told.unwrap_or_default()
}

/// `envoy (pid 4242)`.
fn victim(reading: &Reading, oom: &Oom) -> String {
    let Some(killed) = &reading.killed else {
        let of = oom.below_limit().map(short);
        return of.map_or("A process".into(), |path| format!("A process of {path}"));
    };
    let more = match oom.group.len() {
        0 => String::new(),
        n => format!(" and {n} more with it"),
    };
    let pid = match killed.pid {
        0 => String::new(),
        pid => format!(" (pid {pid})"),
    };
    format!("{}{pid}{more}", killed.name)
}

/// A cgroup's path, its middle left out where it is long.
fn short(path: &str) -> String {
    if path.len() <= 60 {
        return path.to_string();
    }
    let parts: Vec<&str> = path.rsplit('/').take(2).collect();
    let cut = |part: &str| -> String {
        let head: String = part.chars().take(28).collect();
        if head.len() < part.len() {
            head + "..."
        } else {
            head
        }
    };
    match parts[..] {
        [last, above] => format!(".../{}/{}", cut(above), cut(last)),
        _ => cut(path),
    }
}

/// The code, and whose limit it was.
fn whose_limit(reading: &Reading, oom: &Oom) -> (&'static str, String) {
    if let Some((_, limit)) = reading.swap_limit_reached() {
        let (limit, full) = (bytes(limit), swap_is_full(reading));
        return (
            "oom_swap_limit",
            format!("the limit of memory and swap together, {limit}{full}"),
        );
    }
    let limit = reading.limit().said(" of @");
    let Some(path) = &oom.limit_of else {
        return ("oom_cgroup_limit", format!("its cgroup's limit{limit}"));
    };
    let owner = owner::of_path(path);
    let code = match owner {
        Owner::Container => "oom_container_limit",
        Owner::Pod => "oom_pod_limit",
        Owner::Slice | Owner::Service | Owner::Pods => "oom_slice_limit",
        _ => "oom_cgroup_limit",
    };
    let not = match owner {
        Owner::Pod | Owner::Container => "",
        _ => ", not by the machine or a container's limit",
    };
    (
        code,
        format!("{}{limit} ({}){not}", owner.limit(), short(path)),
    )
}

fn swap_is_full(reading: &Reading) -> String {
    let both = reading.rows.get("memory.memsw.usage_in_bytes");
    let full = both.zip(reading.view().usage).map(|(both, usage)| {
        let [usage, swap] = [usage, both.saturating_sub(usage)].map(bytes);
        format!(" (memory {usage} and swap {swap} are both full)")
    });
    full.unwrap_or_default()
}

/// What the victim held by its own line.
fn held(killed: &Killed) -> Option<u64> {
    let anon = killed.anon_rss?;
    Some(anon.saturating_add(killed.shmem_rss.unwrap_or(0)))
}

/// Who or what holds the memory, and the next step.
fn holder(case: &Case, oom: &Oom) -> (String, &'static str) {
    let (reading, parts) = (case.reading(), &case.facts.parts);
    let owner = oom
        .limit_of
        .as_deref()
        .map_or(Owner::Cgroup, owner::of_path);
    let others = match owner {
        Owner::Pod => "another container or process of the pod",
        Owner::Slice | Owner::Pods | Owner::Service => "others in it",
        _ => "other processes",
    };
    let own = reading.killed.as_ref().and_then(held);
    let heap = parts.anon.filter(|_| !parts.at_least);
    if let (Some(own), Some(heap)) = (own, heap)
        && parts.matters(heap, 30)
        && !reaches(own, heap, HOLDER_PERCENT)
    {
        let largest = oom.largest.as_ref().filter(|(_, rss)| *rss > own);
        let who = largest.map_or(String::new(), |(name, rss)| {
            format!(" (the largest is {name}, {})", bytes(*rss))
        });
        let percent = percent(own, heap);
        let [own, heap] = [own, heap].map(bytes);
        return (
            format!(
                "it held only {own} of {heap} anonymous memory ({percent:.0} %), {others} hold the rest{who}"
            ),
            "see who holds it: the report's table of processes (rss in pages), or `memtide explain` on each cgroup below; the kernel \
             takes the highest oom_score, not the largest",
        );
    }
    if reading.view().usage.is_none() && heap.is_none() {
        return kill_line_only(reading, oom, owner, own);
    }
    biggest(parts)
}

/// What a part of what is charged is, and the next step where it is the largest.
#[rustfmt::skip]
const PARTS: [(&str, &str); 4] = [
    ("is anonymous memory (heap, stacks)", "raise the limit, or make the heap smaller (the runtime's maximum, fewer workers)"),
    ("is tmpfs or shared memory", "df -t tmpfs; delete files there, bound emptyDir with sizeLimit: a larger heap limit helps nothing"),
    ("is kernel memory or in no row", "grep -E 'slab|pagetables|sock|percpu' memory.stat while it runs; slabtop -o -s c"),
    ("is page cache that could not be taken back in time", "look at dirty and writeback: a slow disk keeps the cache from being written"),
];

/// The largest part of what is charged, and the next step for it.
fn biggest(parts: &Parts) -> (String, &'static str) {
    let (anon, shmem) = (parts.anon.unwrap_or(0), parts.shmem.unwrap_or(0));
    let sizes = [anon, shmem, parts.kernel_or_in_no_row(), parts.file_cache()];
    let total = bytes(parts.total);
    let mut much = largest(sizes.into_iter().zip(PARTS), parts.total);
    let Some((size, (what, next))) = much.next() else {
        return (
            format!("the usage was {total}, and what it was made of is not in the paste"),
            "dmesg | grep -A 60 'Memory cgroup stats' on that machine",
        );
    };
    let of = share(size, parts.total);
    let beside = much.next();
    let beside = beside.map(|(size, (what, _))| format!(", {} {what}", bytes(size)));
    let beside = beside.unwrap_or_default();
    (format!("{of} of {total} {what}{beside}"), next)
}

fn kill_line_only(
    reading: &Reading,
    oom: &Oom,
    owner: Owner,
    own: Option<u64>,
) -> (String, &'static str) {
    let own = own.said("it held @ of anonymous and shared memory");
    let file = reading.killed.as_ref().and_then(|killed| killed.file_rss);
    let file = file.filter(|file| *file > 0).said(" and @ of files");
    let class = match reading.killed.as_ref().and_then(|killed| killed.score_adj) {
        Some(1000) => "; oom_score_adj 1000 marks a BestEffort pod",
        Some(900..) => "; its oom_score_adj is that of a BestEffort pod or a small request",
        Some(..=-997) => "; its oom_score_adj is that of a guaranteed pod or a system service",
        _ => "",
    };
    let others = match owner {
        Owner::Pod => "and other containers of the pod may hold the rest",
        _ => "so others in it hold the rest",
    };
    let inside = oom.limit_of.as_ref().and(oom.below_limit()).map(short);
    let rest = inside.map_or(String::new(), |task| {
        format!("; it ran in {task}, {others}")
    });
    let next = match owner {
        Owner::Slice | Owner::Service | Owner::Pods => {
            "raise that slice's limit or reservation (kubeReserved, systemReserved, MemoryMax=), or find who in it grows: systemd-cgtop -m"
        }
        _ => {
            "dmesg -T | grep -B 60 'Killed process' on that machine: the report above the line has the limit and what the memory was"
        }
    };
    let told = if own.is_empty() {
        "what it held was cut off".to_string()
    } else {
        own + &file
    };
    (told + class + &rest, next)
}

/// What the kernel could have taken instead.
fn taken_back(reading: &Reading, parts: &Parts) -> String {
    let view = reading.view();
    let known = view.cache.is_some() || parts.cache_inactive.is_some() && view.usage.is_some();
    if parts.total == 0 || !known {
        return String::new();
    }
    let files = view.cache.unwrap_or(0);
    let all = files.saturating_sub(parts.shmem.unwrap_or(0));
    let cache = match parts.cache_inactive {
        Some(_) => parts.file_cache(),
        None => all,
    };
    let back = cache.saturating_add(view.slab_reclaimable.unwrap_or(0));
    if back.saturating_mul(100) < parts.total {
        let all = bytes(all.max(cache));
        return format!("; nothing was left to take back (page cache {all})");
    }
    let back = bytes(back);
    format!("; {back} of page cache and slab could be taken back")
}

fn times(reading: &Reading) -> String {
    let hits = reading
        .count(&["failcnt", "memory.failcnt"])
        .filter(|hits| *hits > 1);
    let told = hits.map(|hits| format!("; the limit had been hit {hits} times"));
    told.unwrap_or_default()
}

/// Several kills in one text.
pub fn several(case: &Case) -> Option<Answer> {
    let all: Vec<&Reading> = case
        .others()
        .iter()
        .filter(|reading| reading.oom().is_some())
        .collect();
    if all.len() < 2 {
        return None;
    }
    let machine = all
        .iter()
        .filter(|r| r.oom().is_some_and(|oom| oom.machine))
        .count();
    let by = match machine {
        0 => whose(&all),
        n if n == all.len() => "by the machine running out of memory (or a failed page fault), not by a container's limit".into(),
        n => format!("{n} of them by the machine, the others by limits of cgroups"),
    };
    let times: Option<Vec<f64>> = all.iter().map(|r| r.at).collect();
    let times = times.unwrap_or_default().into_iter();
    let (first, last) = times.fold((f64::MAX, f64::MIN), |(a, b), t| (a.min(t), b.max(t)));
    let span = match last - first {
        0.0..2.0 => format!(" within {:.0} ms", (last - first) * 1e3),
        seconds @ 2.0..1e9 => format!(" within {seconds:.0} s"),
        _ => String::new(),
    };
    let held_by = |r: &&Reading| r.killed.as_ref().and_then(held);
    let little = |r: &&Reading| held_by(r).is_some_and(|held| held < 64 << 20);
    let small = if all.iter().all(little) {
        ": so little that the victims are not the cause"
    } else {
        ""
    };
    let next = if machine > 0 {
        "the report just before the first kill: Mem-Info (was it short at all?), SLUB and kmem lines: dmesg -T | grep -B 90 'Killed process'"
    } else if all.iter().any(|r| r.view().usage.is_some()) {
        "explain one alone with --at NUMBER; a larger limit or a smaller heap, where nothing could be taken back"
    } else {
        "dmesg -T | grep -B 60 'Killed process': the report above each line has the limit and what the memory was"
    };
    Answer::new(
        "oom_several",
        format!("{} kills{span}, {by}: {}{small}.", all.len(), victims(&all)),
        next,
    )
}

/// Whose limits, where they are all of one kind.
fn whose(all: &[&Reading]) -> String {
    let limits: Vec<Option<u64>> = all.iter().map(|r| r.limit()).collect();
    let same = limits.windows(2).all(|two| two[0] == two[1]);
    let limit = limits[0].filter(|_| same).said(" of @ each");
    let owners: Vec<Owner> = all
        .iter()
        .filter_map(|r| Some(owner::of_path(r.oom()?.limit_of.as_ref()?)))
        .collect();
    let all_of = |owner| !owners.is_empty() && owners.iter().all(|one| *one == owner);
    if all_of(Owner::Container) && owners.len() == all.len() {
        format!("by containers' own limits{limit}")
    } else if all_of(Owner::Pod) {
        format!("by pods' limits{limit}")
    } else {
        format!("by limits of cgroups{limit}, not by the machine")
    }
}

/// Who was killed: the same name with the same size once.
fn victims(all: &[&Reading]) -> String {
    let mut told: Vec<(String, String, usize)> = Vec::new();
    for reading in all {
        let (name, size) = match &reading.killed {
            Some(killed) => (killed.name.clone(), held(killed).map(bytes)),
            None => {
                let path = reading.oom().and_then(|oom| oom.limit_of.clone());
                (path.map_or("one".into(), |path| short(&path)), None)
            }
        };
        let view = reading.view();
        let of_usage = |rss| share(rss, view.usage.unwrap_or(0));
        let size = size.unwrap_or_else(|| match view.rss {
            Some(rss) => format!("{} of anonymous memory", of_usage(rss)),
            None => "its size cut off".into(),
        });
        match told.iter_mut().find(|(n, s, _)| *n == name && *s == size) {
            Some((_, _, count)) => *count += 1,
            None => told.push((name, size, 1)),
        }
    }
    let more = told.len().saturating_sub(6);
    let mut parts: Vec<String> = told
        .into_iter()
        .take(6)
        .map(|(name, size, count)| match count {
            1 => format!("{name} ({size})"),
            2 => format!("{name} twice ({size} each)"),
            n => format!("{name} {n} times ({size} each)"),
        })
        .collect();
    if more > 0 {
        parts.push(format!("and {more} more"));
    }
    parts.join(", ")
}
