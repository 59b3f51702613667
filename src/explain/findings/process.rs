//! Numbers of processes, from /proc/PID/status or smaps_rollup.

use super::Facts;
use crate::explain::Reading;
use crate::explain::said::Said;
use crate::units;

/// What the processes have in memory, bytes.
pub fn resident(reading: &Reading) -> Option<u64> {
    reading
        .rows
        .get("smaps:Rss")
        .or_else(|| reading.rows.get("proc:VmRSS"))
}

/// What a process holds, which is not what its cgroup is charged.
pub fn process_memory(facts: &Facts) -> Option<String> {
    let rows = &facts.reading.rows;
    let all = resident(facts.reading)?;
    let anon = rows
        .get("smaps:Anonymous")
        .or_else(|| rows.get("proc:RssAnon"))
        .said(", @ of it anonymous");
    let lazy = rows
        .get("smaps:LazyFree")
        .filter(|free| *free > 0)
        .said(
            " @ were released with MADV_FREE and not written since: the kernel takes them when it needs them, until \
             then they stay in rss.",
        );
    let swap = rows
        .get("proc:VmSwap")
        .filter(|swap| *swap > 0)
        .said(" @ more are in swap.");
    Some(format!(
        "The processes have {} resident{anon}.{lazy}{swap} That is not what their cgroup is charged: page cache, \
             tmpfs nobody maps and kernel memory are missing, and shared pages may be charged elsewhere.",
        units::bytes(all)
    ))
}
