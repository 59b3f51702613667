//! Numbers of processes, from /proc/PID/status or smaps_rollup.

use super::{Facts, Finding};
use crate::explain::Reading;
use crate::units;

/// What the processes have in memory, bytes.
pub fn resident(reading: &Reading) -> Option<u64> {
    reading
        .rows
        .get("smaps:Rss")
        .or_else(|| reading.rows.get("proc:VmRSS"))
}

/// What a process holds, which is not what its cgroup is charged.
pub fn process_memory(facts: &Facts) -> Option<Finding> {
    let rows = &facts.reading.rows;
    let all = resident(facts.reading)?;
    let of = |names: [&str; 2], what: &str| {
        let bytes = names.iter().find_map(|name| rows.get(name))?;
        Some(format!(", {} of it {what}", units::bytes(bytes)))
    };
    let anon = of(["smaps:Anonymous", "proc:RssAnon"], "anonymous").unwrap_or_default();
    let lazy = rows
        .get("smaps:LazyFree")
        .filter(|free| *free > 0)
        .map_or(String::new(), |free| {
            format!(
                " {} were released with MADV_FREE and not written since: the kernel takes them when it needs them, until \
                 then they stay in rss.",
                units::bytes(free)
            )
        });
    let swap = rows
        .get("proc:VmSwap")
        .filter(|swap| *swap > 0)
        .map_or(String::new(), |swap| {
            format!(" {} more are in swap.", units::bytes(swap))
        });
    Some(Finding {
        code: "process_memory",
        sentence: format!(
            "The processes have {} resident{anon}.{lazy}{swap} That is not what their cgroup is charged: page cache, \
             tmpfs nobody maps and kernel memory are missing, and shared pages may be charged elsewhere.",
            units::bytes(all)
        ),
    })
}
