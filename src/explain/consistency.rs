//! Numbers that cannot all be true of one owner: which two, and what usually causes that.
//!
//! Some have a known cause and can be settled: the rows that are another's are set aside, and the
//! rest is explained. The others make everything that is computed from them worthless.

use super::account::{Clash, noise};
use super::number::sum;
use super::said::Said;
use super::{Reading, Scope, names};
use crate::rows::{Rows, View, is_unlimited};
use crate::units::bytes;

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

impl Contradiction {
    fn new(name: &'static str, between: [&'static str; 2], sentence: String) -> Contradiction {
        Contradiction {
            name,
            sentence,
            between: between.to_vec(),
            settled: false,
        }
    }
}

/// Settles what has a known cause: sets rows aside and says why.
pub fn settle(reading: &mut Reading) -> Vec<Contradiction> {
    let rules = [lxcfs, swap_is_both, swap_cache_wrapped, root_rss];
    let found = rules.into_iter().filter_map(|rule| rule(reading));
    let settled = |what| Contradiction {
        settled: true,
        ..what
    };
    found.map(settled).collect()
}

/// /proc/meminfo inside LXC: the container's rows among the host's.
fn lxcfs(reading: &mut Reading) -> Option<Contradiction> {
    const OF_HOST: [&str; 10] = [
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
    ];
    let get = |row: &str| reading.node(row);
    let anon = get("AnonPages")?;
    let used = get("MemTotal")?.saturating_sub(get("MemFree")?);
    let lists = get("Active(anon)").zip(get("Inactive(anon)"));
    let lists = lists.map(|(a, b)| sum([a, b, get("Unevictable").unwrap_or(0)]));
    let no_slab = get("Slab") == Some(0) && get("KernelStack").is_some_and(|stack| stack > 0);
    // Pages on the way to a list are batched: twice the lists is no batch.
    let above_lists = lists.is_some_and(|lists| anon / 2 > lists && anon > 64 << 20);
    if !(anon > used.saturating_add(64 << 20) || no_slab && above_lists) {
        return None;
    }
    let listed = lists.said(" (its lists of anonymous pages hold @)");
    let [anon, used] = [anon, used].map(bytes);
    let sentence = format!(
        "AnonPages is {anon}, but only {used} of the memory are in use{listed}: this is /proc/meminfo as lxcfs shows it inside an \
         LXC container, with the host's AnonPages, Mapped, KernelStack, PageTables and Committed_AS beside the container's \
         own rows."
    );
    reading.put_aside(|row| {
        let of_machine = row.strip_prefix("node:");
        of_machine.is_some_and(|row| OF_HOST.contains(&row))
    });
    Some(Contradiction::new(
        "lxcfs_mixes_host_rows",
        ["node:AnonPages", "node:MemFree"],
        sentence,
    ))
}

/// `container_memory_swap` that is memory and swap together.
fn swap_is_both(reading: &mut Reading) -> Option<Contradiction> {
    let usage = reading.view().usage.filter(|usage| *usage >= 1 << 20)?;
    reading.rows.get("swap").filter(|swap| *swap == usage)?;
    reading.put_aside(|row| row == "swap");
    reading.rows.set("swap", 0);
    let sentence = format!(
        "Swap equals the usage to the byte ({}): cAdvisor with runc 1.0.0-rc94 and later exported memory+swap as swap on \
         cgroup v2. Less the usage, 0 B are in swap.",
        bytes(usage)
    );
    let between = ["swap", "usage"];
    Some(Contradiction::new("swap_equals_usage", between, sentence))
}

/// `swapcached` above all memory and swap: a counter that lost its way.
fn swap_cache_wrapped(reading: &mut Reading) -> Option<Contradiction> {
    let swapped = reading.rows.get("swapcached")?;
    let usage = reading.view().usage?;
    if swapped <= usage.saturating_add(noise(usage)) {
        return None;
    }
    reading.put_aside(|row| row == "swapcached");
    let [swapped, usage] = [swapped, usage].map(bytes);
    Some(Contradiction::new(
        "swapcached_exceeds_usage",
        ["swapcached", "usage"],
        format!(
            "swapcached ({swapped}) is larger than the usage ({usage}), of which it is a part: the kernel's counter is wrong."
        ),
    ))
}

/// rss of v1's root cgroup is its own processes' only.
fn root_rss(reading: &mut Reading) -> Option<Contradiction> {
    let rss = reading.rows.get("rss");
    let rss = rss.filter(|_| reading.scope == Scope::Node)?;
    let working_set = reading.working_set.filter(|ws| *ws / 64 > rss)?;
    reading.put_aside(|row| row == "rss");
    let [rss, working_set] = [rss, working_set].map(bytes);
    Some(Contradiction::new(
        "root_rss_is_local",
        ["rss", "working_set"],
        format!(
            "rss ({rss}) is the root cgroup's own on cgroup v1, not the node's, whose working set is {working_set}."
        ),
    ))
}

/// A number that can't be above another.
struct Above {
    name: &'static str,
    rows: [&'static str; 2],
    sizes: fn(&View, &Rows) -> [Option<u64>; 2],
    /// What a sentence calls the two, and the usual cause.
    says: [&'static str; 3],
}

#[rustfmt::skip]
const ABOVE: [Above; 4] = [
    Above { name: "inactive_file_exceeds_usage", rows: ["inactive_file", "usage"], sizes: |view, _| [view.inactive_file, view.usage], says: ["inactive_file", "usage", ", of which it is a part: the two were read at different times or from different cgroups."] },
    Above { name: "usage_exceeds_capacity", rows: ["usage", "node:MemTotal"], sizes: |view, _| [view.usage, view.node_capacity], says: ["Usage", "the machine's memory", ": the kernel's counter is wrong, or the two are of different machines."] },
    Above { name: "inactive_file_exceeds_total", rows: ["inactive_file", "node:MemTotal"], sizes: |view, _| [view.inactive_file, view.node_capacity], says: ["inactive_file", "the machine's memory", ": the kernel's counter leaks."] },
    Above { name: "memavailable_exceeds_memtotal", rows: ["node:MemAvailable", "node:MemTotal"], sizes: |view, rows| [rows.get("node:MemAvailable"), view.node_capacity], says: ["MemAvailable", "MemTotal", ": a kernel counter behind it leaks."] },
];

impl Above {
    fn contradiction(&self, view: &View, rows: &Rows) -> Option<Contradiction> {
        let [Some(part), Some(whole)] = (self.sizes)(view, rows) else {
            return None;
        };
        let ([called, other, cause], [size, most]) = (self.says, [part, whole].map(bytes));
        let sentence = format!("{called} ({size}) is larger than {other} ({most}){cause}");
        (part > whole).then(|| Contradiction::new(self.name, self.rows, sentence))
    }
}

/// All contradictions that stay.
pub fn contradictions(view: &View, rows: &Rows, clashes: &[Clash]) -> Vec<Contradiction> {
    let above = ABOVE.iter();
    let mut found: Vec<Contradiction> = above
        .filter_map(|above| above.contradiction(view, rows))
        .chain(row_impossible(rows))
        .collect();
    if found.is_empty() {
        found.extend(clashes.iter().map(part_exceeds_whole));
    }
    if found.is_empty() {
        found.extend(row_exceeds_whole(view, rows));
    }
    found
}

fn row_impossible(rows: &Rows) -> Option<Contradiction> {
    // The kernel prints VmallocTotal and huge limits as large as this without being wrong.
    let (name, value) = rows.iter().find(|(name, value)| {
        names::is_bytes(name) && !names::is_limit(name) && is_unlimited(*value)
    })?;
    let sentence = format!(
        "{name} ({value}) holds a number no machine has memory for: a counter that went below zero, printed unsigned."
    );
    let between = ["row", "row"];
    Some(Contradiction::new("row_impossible", between, sentence))
}

/// Why a part is above its whole, where nothing tells more.
const LOST: &str = "the numbers are of different cgroups or moments, or one lost or gained digits.";

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
    let [value, whole] = [value, whole].map(bytes);
    let sentence = format!(
        "{name} ({value}) is larger than {called} ({whole}), of which it is a part: {LOST}"
    );
    let between = ["row", called];
    Some(Contradiction::new("row_exceeds_whole", between, sentence))
}

fn part_exceeds_whole(clash: &Clash) -> Contradiction {
    let (part, whole) = (clash.part.name(), clash.whole.name());
    let [parts, most] = [clash.parts_bytes, clash.whole_bytes].map(bytes);
    let sentence = format!(
        "{part} and what stands beside it ({parts}) are more than {whole} ({most}), of which they are parts: {LOST}"
    );
    Contradiction::new("part_exceeds_whole", [part, whole], sentence)
}
