//! Answers about a whole machine: was it short at all, of what, and what tools make of it.

use super::{Answer, Case, Said, largest, listed, share, zones};
use crate::explain::Reading;
use crate::explain::kinds::{Killed, Oom, Zone};
use crate::explain::number::sum;
use crate::formula::kubelet;
use crate::units::bytes;

/// A machine's account. Bytes; 0 where a row is missing, but for the whole.
struct Machine {
    total: Option<u64>,
    free: Option<u64>,
    anon: u64,
    cache: u64,
    shmem: u64,
    /// Locked, or otherwise out of the kernel's reach.
    unevictable: u64,
    slab_reclaimable: u64,
    slab: u64,
    swap_free: Option<u64>,
}

impl Machine {
    fn of(reading: &Reading) -> Machine {
        let get = |row: &str| reading.node(row);
        let or = |row: &str| get(row).unwrap_or(0);
        let both = |a: &str, b: &str| or(a).saturating_add(or(b));
        let shmem = or("Shmem");
        let cached = or("BuffCache").max(both("Cached", "Buffers"));
        Machine {
            total: get("MemTotal"),
            free: get("MemFree"),
            anon: both("Active(anon)", "Inactive(anon)").max(or("AnonPages")),
            cache: match both("Active(file)", "Inactive(file)") {
                0 => cached.saturating_sub(shmem),
                lists => lists,
            },
            shmem,
            slab_reclaimable: or("SReclaimable"),
            unevictable: or("Unevictable"),
            slab: both("SReclaimable", "SUnreclaim").max(or("Slab")),
            swap_free: get("SwapFree"),
        }
    }

    /// What is known to be in use.
    fn used(&self) -> u64 {
        match self.total.zip(self.free) {
            Some((total, free)) => total.saturating_sub(free),
            None => sum([self.anon, self.cache, self.slab]),
        }
    }

    fn unreclaimable(&self) -> u64 {
        self.slab.saturating_sub(self.slab_reclaimable)
    }

    /// What holds most of a machine that ran out, as a clause.
    fn held(&self, used: u64, of: &str) -> String {
        let parts = [
            (self.anon, "anonymous memory"),
            (self.unevictable, "locked (mlock) or otherwise unevictable"),
            (self.unreclaimable(), "kernel objects that can't be dropped"),
        ];
        let much = largest(parts, used).enumerate();
        let told = much.map(|(at, (size, what))| match at {
            0 => format!("{}{of} is {what}", bytes(size)),
            _ => format!("{} {what}", bytes(size)),
        });
        let none = format!("{} in use{of}", bytes(used));
        listed(&told.collect::<Vec<_>>(), &none)
    }

    /// The answer where only parts of it are known.
    fn without_total(&self) -> Option<Answer> {
        let (used, back) = (self.used(), self.reclaimable());
        let code = match back > used / 10 {
            true => "machine_not_short",
            false => "machine_short",
        };
        let parts = some(self.anon).said(", @ is anonymous")
            + &some(self.cache).said(", @ is page cache")
            + &objects(self, used);
        some(used)?;
        let [used, back] = [used, back].map(bytes);
        Answer::new(
            code,
            format!("The machine: at least {used} in use{parts}; {back} of it can be taken back."),
            "cat /proc/meminfo tells the total and what is available",
        )
    }

    fn reclaimable(&self) -> u64 {
        self.cache
            .saturating_add(self.slab_reclaimable)
            .min(self.used())
    }
}

/// A row that is there.
fn some(size: u64) -> Option<u64> {
    (size > 0).then_some(size)
}

/// A report of a machine's OOM.
pub fn killed(case: &Case, oom: &Oom) -> Option<Answer> {
    let reading = case.reading();
    let who = who(reading);
    let machine = Machine::of(reading);
    let used = machine.used();
    if let Some(nodes) = &oom.nodes {
        return zones::of_nodes(oom, nodes, &who);
    }
    if used == 0 {
        return Answer::new(
            "oom_machine",
            format!(
                "The machine ran out of memory (or a page fault failed), no container's limit was hit{who}."
            ),
            "the Mem-Info block just before: dmesg -T | grep -B 90 'Killed process'; then memory requests and reservations, not limits",
        );
    }
    let back = machine.reclaimable();
    if let Some(answer) = elsewhere(oom, &machine, &who) {
        return Some(answer);
    }
    // A tenth that can be taken back is more than the kernel kills over.
    if back > used / 10 && !below_min(oom) {
        let whole = match machine.total {
            Some(_) => "",
            None => "at least ",
        };
        let why = why(oom);
        let sizes = [back, used, machine.cache, machine.slab_reclaimable];
        let [back, used, cache, slab] = sizes.map(bytes);
        return Answer::new(
            "oom_machine_not_short",
            format!(
                "The machine was not short: {back} of {whole}{used} in use could be taken back (page cache {cache}, reclaimable slab {slab}); {why}{who}."
            ),
            "look for a container with a kmem limit (docker --kernel-memory, memory.kmem.limit_in_bytes) and for `Memory cgroup` lines around it",
        );
    }
    let of = machine.total.said(" of @");
    let biggest = machine.held(used, &of);
    let swap = match machine.swap_free {
        Some(0) => ", no swap is left",
        _ => "",
    };
    let free = machine.free.said(", free @");
    let (cache, low) = (bytes(machine.cache), low_zone(oom));
    Answer::new(
        "oom_machine",
        format!(
            "The machine itself ran out, no container's limit: {biggest}, page cache {cache}{free}{swap}{low}{who}."
        ),
        "see which processes hold it (the report's table, rss in pages; ps aux --sort -rss); set limits on them or add memory",
    )
}

/// Much is free, but not in the zone where kernel memory must lie.
fn elsewhere(oom: &Oom, machine: &Machine, who: &str) -> Option<Answer> {
    let (total, free) = machine.total.zip(machine.free)?;
    if free <= total / 10 || !below_min(oom) {
        return None;
    }
    let ([free, total], low) = ([free, total].map(bytes), low_zone(oom));
    let piece = oom.piece().said(" (it asked for @ in one piece)");
    Answer::new(
        "oom_machine_not_short",
        format!(
            "The machine was not short: {free} of {total} were free, but not where kernel memory must lie{piece}{low}{who}."
        ),
        "a 64-bit kernel has no such zone; else lower vm.min_free_kbytes or cma=, and dirty pages (vm.dirty_bytes): see the zones' free, min and free_cma",
    )
}

/// Who was killed, as a clause.
fn who(reading: &Reading) -> String {
    let told = reading.killed.as_ref().map(
        |Killed {
             name,
             pid,
             anon_rss,
             ..
         }| {
            let held = anon_rss.said(", @ anonymous");
            format!("; {name} (pid {pid}{held}) was killed for it")
        },
    );
    told.unwrap_or_default()
}

/// Why the kernel kills although there is memory to take back.
fn why(oom: &Oom) -> &'static str {
    let fault = oom.gfp.as_deref().is_some_and(|mask| {
        mask.starts_with("0x0") && !mask[3..].starts_with(|c: char| c.is_ascii_hexdigit())
    });
    match oom.constraint.as_deref() {
        _ if fault => {
            "gfp_mask=0x0 is a page fault that failed inside a cgroup, mostly at a container's limit on kernel memory (kmem)"
        }
        Some("CONSTRAINT_CPUSET") => {
            "the task may only use some NUMA nodes (cpuset), and those were full"
        }
        Some("CONSTRAINT_MEMORY_POLICY") => {
            "the task's NUMA policy allows only some nodes, and those were full"
        }
        _ => "a zone, a large order or a failed page fault inside a cgroup is behind such a kill",
    }
}

fn below_min(oom: &Oom) -> bool {
    oom.zones.iter().any(is_low)
}

/// Whether the kernel's own memory finds no page in a zone.
fn is_low(zone: &Zone) -> bool {
    zone.free.saturating_sub(zone.cma) < zone.min
}

/// The zone that was too low, and why the others did not help.
fn low_zone(oom: &Oom) -> String {
    let low = oom.zones.iter().filter(|zone| is_low(zone));
    let Some(low) = low.max_by_key(|zone| zone.managed) else {
        return String::new();
    };
    let others = oom.zones.iter().filter(|zone| zone.name != low.name);
    let other = others.max_by_key(|zone| zone.free);
    let other = other.map_or(String::new(), |Zone { name, free, .. }| {
        let free = bytes(*free);
        format!(" (the {free} free in {name} are held back, lowmem_reserve)")
    });
    let outside = if low.cma > 0 { " outside CMA" } else { "" };
    let [free, min] = [low.free.saturating_sub(low.cma), low.min].map(bytes);
    let name = &low.name;
    format!("; {name} has {free} free{outside}, below its min of {min}{other}")
}

/// Any other report of a machine.
pub fn machine(case: &Case) -> Option<Answer> {
    let reading = case.reading();
    if reading.scope != crate::explain::Scope::Node {
        return None;
    }
    let get = |row: &str| reading.node(row);
    let machine = Machine::of(reading);
    if let Some(answer) = huge_pages(case) {
        return Some(answer);
    }
    if let (Some(working_set), None) = (reading.working_set, machine.free) {
        return only_working_set(reading, machine.total, working_set);
    }
    if let Some(answer) = swaps(reading, &machine) {
        return Some(answer);
    }
    let Some(total) = machine.total else {
        return machine.without_total();
    };
    let cache = [
        "BuffCache",
        "Buffers",
        "Cached",
        "Active(file)",
        "MemAvailable",
    ];
    if cache.iter().all(|row| get(row).is_none()) {
        return of_used(total, machine.used());
    }
    let with_back = |free: u64| free.saturating_add(machine.reclaimable());
    let available = get("MemAvailable").or(machine.free.map(with_back))?;
    let available = available.min(total);
    let used = get("Used").said(", @ is used");
    let tmpfs = some(machine.shmem).said(", @ is tmpfs");
    let cached = get("BuffCache").or(some(machine.cache));
    let cached = cached.said(", @ is buffers and cache");
    let back = machine.free.map(|free| available.saturating_sub(free));
    let back = back.said("; the kernel could take back @");
    let objects = objects(&machine, total);
    let swap = swap(reading) + &process(case, total);
    let (code, verdict) = if available < total / 10 {
        ("machine_short", "The machine is short")
    } else {
        ("machine_not_short", "The machine is not short")
    };
    let next = if !objects.is_empty() {
        "slabtop -o -s c | head -20 names the objects; look the name up with the kernel's version"
    } else if code == "machine_short" {
        "ps aux --sort -rss | head; slabtop -o -s c | head -20; grep -E 'Huge|SUnreclaim' /proc/meminfo"
    } else {
        "nothing to do for the machine; for a container read its own memory.stat and memory.current"
    };
    let [left, whole] = [available, total].map(bytes);
    Answer::new(
        code,
        format!(
            "{verdict}: {left} of {whole} can still be had{used}{cached}{tmpfs}{objects}{back}{swap}."
        ),
        next,
    )
}

/// A machine of which only what is free is known.
fn of_used(total: u64, used: u64) -> Option<Answer> {
    Answer::new(
        "only_usage",
        format!(
            "The machine: {} is used, page cache included: how much of it can still be had is not among these numbers.",
            share(used, total)
        ),
        "free -m or cat /proc/meminfo: what is available counts the page cache",
    )
}

/// The largest process beside it, where it holds a good part.
fn process(case: &Case, total: u64) -> String {
    let lists = case.others().iter().filter_map(Reading::processes);
    let largest = lists.flatten().max_by_key(|process| process.rss);
    let much = largest.filter(|process| process.rss > total / 5);
    let told = much.map(|process| format!("; {} holds {}", process.name, bytes(process.rss)));
    told.unwrap_or_default()
}

/// Swap, where much of it is used: with none left nothing anonymous can go any more.
fn swap(reading: &Reading) -> String {
    let get = |row: &str| reading.node(row);
    let Some(total) = get("SwapTotal").filter(|total| *total > 0) else {
        return String::new();
    };
    let used = get("SwapUsed").or_else(|| get("SwapFree").map(|free| total.saturating_sub(free)));
    let used = used.unwrap_or(0).min(total);
    let [is, whole] = [used, total].map(bytes);
    if used > total - total / 20 {
        format!("; its swap is full ({whole})")
    } else if used > total / 4 {
        format!("; {is} of {whole} swap is used")
    } else {
        String::new()
    }
}

/// Kernel objects, where they are much of the machine.
fn objects(machine: &Machine, total: u64) -> String {
    let much = |size: u64| Some(size).filter(|size| *size > total / 10);
    much(machine.slab_reclaimable.min(machine.used()))
        .said(", @ is reclaimable slab (dentries, inodes)")
        + &much(machine.unreclaimable())
            .said(", @ is kernel objects that can't be dropped: mostly a kernel leak")
}

/// What vmstat says of swapping.
fn swaps(reading: &Reading, machine: &Machine) -> Option<Answer> {
    let rate = |name: &str| {
        let found = reading.pressure.iter().find(|(key, _)| key == name);
        found.map(|(_, bytes)| *bytes as u64)
    };
    let (into, out) = (rate("swap.si")?, rate("swap.so")?);
    let swapped = reading.node("SwapUsed").unwrap_or(0);
    let [free, cache, swapped] = [machine.free.unwrap_or(0), machine.cache, swapped].map(bytes);
    let held = format!(
        "{free} free, {cache} buffers and cache, {swapped} in swap; the total is not in vmstat"
    );
    // Below a page each ten milliseconds nobody waits.
    if into.saturating_add(out) < 400 << 10 {
        return Answer::new(
            "machine_not_short",
            format!("The machine does not swap: {held}."),
            "cat /proc/meminfo tells the total and MemAvailable; for a container read its own memory.stat and memory.current",
        );
    }
    let [into, out] = [into, out].map(bytes);
    Answer::new(
        "machine_short",
        format!(
            "The machine is short and swaps: {into} a second come in from swap and {out} go out; {held}."
        ),
        "ps aux --sort -rss | head; cat /proc/pressure/memory; of containers, memory.swap.current tells whose it is",
    )
}

/// The kubelet's number of a node alone.
fn only_working_set(reading: &Reading, total: Option<u64>, working_set: u64) -> Option<Answer> {
    let total = total.said(" of @");
    let percent = reading.above_allocatable();
    let over = percent.map_or(String::new(), |percent| format!(" ({percent} % of what pods may have, the allocatable memory, not of the machine: the rest is reserved for the system)"));
    let (name, working_set) = (&reading.label, bytes(working_set));
    Answer::new(
        "only_working_set",
        format!(
            "{name}: its working set is {working_set}{total}{over}, active page cache included; what of it is cache is not known from this."
        ),
        "free -m or cat /proc/meminfo on that node: MemAvailable is what can still be had",
    )
}

/// A good part of the machine is set aside for huge pages.
fn huge_pages(case: &Case) -> Option<Answer> {
    let get = |row: &str| case.reading().node(row);
    let size = get("Hugepagesize")?;
    let reserved = get("HugePages_Total")?.checked_mul(size)?;
    let total = get("MemTotal");
    let too_few = |total: u64| reserved < total / 20 || reserved > total;
    if reserved == 0 || total.is_some_and(too_few) {
        return None;
    }
    let free = get("HugePages_Free").unwrap_or(0).saturating_mul(size);
    let kubelet = (kubelet::MEMORY_AVAILABLE.eval)(&case.facts.view);
    let kubelet = kubelet.and_then(|bytes| u64::try_from(bytes).ok());
    let both = kubelet.zip(get("MemAvailable"));
    let blind = both.filter(|(kubelet, kernel)| kubelet > kernel);
    let blind = blind.map_or(String::new(), |(kubelet, kernel)| {
        let [missing, kubelet, kernel] = [kubelet - kernel, kubelet, kernel].map(bytes);
        format!(
            "; the kubelet's memory.available is {kubelet}, the kernel's {kernel}: {missing} of it do not exist, so eviction comes too late"
        )
    });
    let programs = total.map(|total| share(Machine::of(case.reading()).anon, total));
    let programs = programs.map_or(String::new(), |held| format!("; programs hold {held}"));
    let of = total.map_or("memory".into(), bytes);
    let [reserved, free] = [reserved, free.min(reserved)].map(bytes);
    Answer::new(
        "huge_pages_reserved",
        format!(
            "{reserved} of the machine's {of} are reserved as huge pages, {free} of them unused and lost to everybody else{programs}{blind}."
        ),
        "lower vm.nr_hugepages to what is used (sysctl vm.nr_hugepages=N), or let pods request hugepages-2Mi",
    )
}
