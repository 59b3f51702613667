//! Numbers that cannot all be true of one owner: which two, and what usually causes that.
//!
//! Some have a known cause and can be settled: the rows that are another's are set aside, and the
//! rest is explained. The others make everything that is computed from them worthless.

use super::account::{Clash, QUANTITIES, Quantity, noise};
use super::{Reading, Scope, names};
use crate::formula::display;
use crate::rows::{Rows, View};
use crate::units;

/// One contradiction.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Contradiction {
    /// Its stable name.
    pub name: &'static str,
    /// The rows it is between.
    pub between: Vec<&'static str>,
    /// The two readings that cannot both be right, and the usual cause.
    pub sentence: String,
    /// Whether the cause is known and the wrong rows were set aside.
    pub settled: bool,
}

/// Settles what has a known cause: sets rows aside and says why.
pub fn settle(reading: &mut Reading) -> Vec<Contradiction> {
    [lxcfs, swap_is_both, swap_cache_wrapped, root_rss]
        .into_iter()
        .filter_map(|rule| rule(reading))
        .collect()
}

fn settled(
    name: &'static str,
    between: [&'static str; 2],
    sentence: String,
) -> Option<Contradiction> {
    Some(Contradiction {
        name,
        sentence,
        between: between.to_vec(),
        settled: true,
    })
}

/// /proc/meminfo inside LXC: the container's rows among the host's.
fn lxcfs(reading: &mut Reading) -> Option<Contradiction> {
    let get = |row: &str| reading.node(row);
    let anon = get("AnonPages")?;
    let used = get("MemTotal")?.saturating_sub(get("MemFree")?);
    let lists = get("Active(anon)").zip(get("Inactive(anon)"));
    let lists = lists.map(|(a, b)| {
        a.saturating_add(b)
            .saturating_add(get("Unevictable").unwrap_or(0))
    });
    let no_slab = get("Slab") == Some(0) && get("KernelStack").is_some_and(|stack| stack > 0);
    // Pages on the way to a list are batched: twice the lists is no batch.
    let above_lists = lists.is_some_and(|lists| anon / 2 > lists && anon > 64 << 20);
    if !(anon > used.saturating_add(64 << 20) || no_slab && above_lists) {
        return None;
    }
    let listed = lists.map_or(String::new(), |lists| {
        format!(
            " (its lists of anonymous pages hold {})",
            units::bytes(lists)
        )
    });
    let sentence = format!(
        "AnonPages is {}, but only {} of the memory are in use{listed}: this is /proc/meminfo as lxcfs shows it inside an \
         LXC container, with the host's AnonPages, Mapped, KernelStack, PageTables and Committed_AS beside the container's \
         own rows.",
        units::bytes(anon),
        units::bytes(used)
    );
    reading.put_aside(|row| {
        [
            "AnonPages",
            "Mapped",
            "KernelStack",
            "PageTables",
            "AnonHugePages",
            "Committed_AS",
            "CommitLimit",
            "Slab",
            "SReclaimable",
            "SUnreclaim",
        ]
        .iter()
        .any(|host| row.strip_prefix("node:") == Some(host))
    });
    settled(
        "lxcfs_mixes_host_rows",
        ["node:AnonPages", "node:MemFree"],
        sentence,
    )
}

/// `container_memory_swap` that is memory and swap together.
fn swap_is_both(reading: &mut Reading) -> Option<Contradiction> {
    let usage = reading.view().usage.filter(|usage| *usage >= 1 << 20)?;
    let swap = reading.rows.get("swap").filter(|swap| *swap == usage)?;
    reading.put_aside(|row| row == "swap");
    reading.rows.set("swap", 0);
    settled(
        "swap_equals_usage",
        ["swap", "usage"],
        format!(
            "Swap equals the usage to the byte ({}): cAdvisor with runc 1.0.0-rc94 and later exported memory+swap as swap on \
             cgroup v2. Less the usage, 0 B are in swap.",
            units::bytes(swap)
        ),
    )
}

/// `swapcached` above all memory and swap: a counter that lost its way.
fn swap_cache_wrapped(reading: &mut Reading) -> Option<Contradiction> {
    let swapped = reading.rows.get("swapcached")?;
    let usage = reading.view().usage?;
    if swapped <= usage.saturating_add(noise(usage)) {
        return None;
    }
    reading.put_aside(|row| row == "swapcached");
    settled(
        "swapcached_exceeds_usage",
        ["swapcached", "usage"],
        format!(
            "swapcached ({}) is larger than the usage ({}), of which it is a part: the kernel's counter is wrong.",
            units::bytes(swapped),
            units::bytes(usage)
        ),
    )
}

/// rss of v1's root cgroup is its own processes' only.
fn root_rss(reading: &mut Reading) -> Option<Contradiction> {
    let rss = reading
        .rows
        .get("rss")
        .filter(|_| reading.scope == Scope::Node)?;
    let working_set = reading.working_set.filter(|ws| *ws / 64 > rss)?;
    reading.put_aside(|row| row == "rss");
    settled(
        "root_rss_is_local",
        ["rss", "working_set"],
        format!(
            "rss ({}) is the root cgroup's own on cgroup v1, not the node's, whose working set is {}.",
            units::bytes(rss),
            units::bytes(working_set)
        ),
    )
}

/// All contradictions that stay.
pub fn contradictions(view: &View, rows: &Rows, clashes: &[Clash]) -> Vec<Contradiction> {
    let exceeds = |a: Option<u64>, b: Option<u64>| a.zip(b).filter(|(a, b)| a > b);
    let capacity = view.node_capacity;
    let size = units::bytes;
    let fatal = |name, between: [&'static str; 2], sentence| Contradiction {
        name,
        sentence,
        between: between.to_vec(),
        settled: false,
    };
    let mut found = Vec::new();
    if let Some((file, usage)) = exceeds(view.inactive_file, view.usage) {
        found.push(fatal("inactive_file_exceeds_usage", ["inactive_file", "usage"], format!(
            "inactive_file ({}) is larger than usage ({}), of which it is a part: the two were read at different times or from \
             different cgroups.", size(file), size(usage))));
    }
    if let Some((usage, capacity)) = exceeds(view.usage, capacity) {
        found.push(fatal("usage_exceeds_capacity", ["usage", "node:MemTotal"], format!(
            "Usage ({}) is larger than the machine's memory ({}): the kernel's counter is wrong, or the two are of different \
             machines.", size(usage), size(capacity))));
    }
    if let Some((file, capacity)) = exceeds(view.inactive_file, capacity) {
        found.push(fatal("inactive_file_exceeds_total", ["inactive_file", "node:MemTotal"], format!(
            "inactive_file ({}) is larger than the machine's memory ({}): the kernel's counter leaks.", size(file), size(capacity))));
    }
    if let Some((available, capacity)) = exceeds(rows.get("node:MemAvailable"), capacity) {
        found.push(fatal(
            "memavailable_exceeds_memtotal",
            ["node:MemAvailable", "node:MemTotal"],
            format!(
                "MemAvailable ({}) is larger than MemTotal ({}): a kernel counter behind it leaks.",
                size(available),
                size(capacity)
            ),
        ));
    }
    if let Some((name, value)) = rows.iter().find(|row| is_impossible(*row)) {
        found.push(fatal("row_impossible", ["row", "row"], format!(
            "{name} ({value}) holds a number no machine has memory for: a counter that went below zero, printed unsigned.")));
    }
    if found.is_empty() {
        found.extend(clashes.iter().map(part_exceeds_whole));
    }
    if found.is_empty() {
        found.extend(row_exceeds_whole(view, rows));
    }
    found
}

/// Any row that is a part of the usage, or of the machine's memory, and larger than that.
fn row_exceeds_whole(view: &View, rows: &Rows) -> Option<Contradiction> {
    let mut above = rows.iter().filter_map(|(name, value)| {
        let (whole, called) = match name.strip_prefix("node:") {
            Some(_) => (view.node_capacity?, "MemTotal"),
            None => (view.usage?, "usage"),
        };
        let larger = names::is_part(name) && value > whole.saturating_add(noise(whole));
        larger.then_some((name, value, whole, called))
    });
    let (name, value, whole, called) = above.next()?;
    Some(Contradiction {
        name: "row_exceeds_whole",
        sentence: format!(
            "{name} ({}) is larger than {called} ({}), of which it is a part: the numbers are of different cgroups or moments, \
             or one lost or gained digits.",
            units::bytes(value),
            units::bytes(whole)
        ),
        between: vec!["row", called],
        settled: false,
    })
}

fn part_exceeds_whole(clash: &Clash) -> Contradiction {
    let name = |quantity: Quantity| QUANTITIES[quantity as usize].1;
    let (whole, part) = (name(clash.whole), name(clash.part));
    Contradiction {
        name: "part_exceeds_whole",
        sentence: format!(
            "{part} and what stands beside it ({}) are more than {whole} ({}), of which they are parts: the numbers are of \
             different cgroups or moments, or one lost or gained digits.",
            units::bytes(clash.parts_bytes),
            units::bytes(clash.whole_bytes)
        ),
        between: vec![part, whole],
        settled: false,
    }
}

fn is_impossible((name, value): (&str, u64)) -> bool {
    // The kernel prints VmallocTotal and huge limits as large as this without being wrong.
    names::is_bytes(name) && !names::is_limit(name) && display::is_unlimited(value)
}
