//! What a reading cannot tell, and which command would.

use std::borrow::Cow;

use super::Scope;
use super::findings::Facts;
use crate::rows::CgroupVersion;

/// One open question.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Unknown {
    /// What is not known.
    pub what: &'static str,
    /// The command that would tell; both versions' where the numbers don't say which it is.
    pub command: Cow<'static, str>,
}

/// A question: what, the command on v1, the command on v2, and whether it is open.
type Question = (&'static str, &'static str, &'static str, fn(&Facts) -> bool);

#[rustfmt::skip]
const OF_CGROUP: &[Question] = &[
    ("the usage itself", "cat memory.usage_in_bytes", "cat memory.current", |facts| facts.parts.at_least),
    ("what the usage is made of", "cat memory.stat", "cat memory.stat", |facts| facts.view.rss.is_none() || facts.view.inactive_file.is_none()),
    ("the limit", "cat memory.limit_in_bytes", "cat memory.max", |facts| facts.view.limit.is_none()),
    ("which of the contradicting numbers is right", "read memory.usage_in_bytes and memory.stat of the same cgroup again, several times", "read memory.current and memory.stat of the same cgroup again, several times", |facts| facts.is_inconsistent()),
    ("how much of the lazily freed memory was written again", "grep -E 'Rss|LazyFree' /proc/PID/smaps_rollup", "grep -E 'Rss|LazyFree' /proc/PID/smaps_rollup", |facts| { facts.parts.lazy_free >= 1 << 20 && facts.reading.rows.get("smaps:LazyFree").is_none() }),
    ("whether huge pages are in use", "cat /sys/kernel/mm/transparent_hugepage/enabled; grep AnonHugePages /proc/PID/smaps_rollup", "cat /sys/kernel/mm/transparent_hugepage/enabled; grep anon_thp memory.stat", |facts| facts.parts.thp_hidden >= 2 << 20),
    ("which files the page cache is of, and whether a deleted one is held open", "fincore FILES; lsof +L1 -p PID", "fincore FILES; lsof +L1 -p PID", |facts| facts.parts.matters(facts.parts.file_cache(), 20)),
    ("whether the kernel orders pages by two lists or by generations", "cat /sys/kernel/mm/lru_gen/enabled; uname -r", "cat /sys/kernel/mm/lru_gen/enabled; uname -r", |facts| { facts.parts.matters(facts.parts.cache_active.unwrap_or(0), 20) }),
    ("which tmpfs files or segments it is", "df -t tmpfs; ls -l /dev/shm; ipcs -m", "df -t tmpfs; ls -l /dev/shm; ipcs -m", |facts| facts.parts.matters(facts.parts.shmem.unwrap_or(0), 10)),
    ("what the kernel memory is", "cat memory.kmem.usage_in_bytes; slabtop -o -s c; cat /proc/sys/fs/dentry-state", "grep -E 'slab|kernel|pagetables|sock|percpu' memory.stat; slabtop -o -s c", |facts| { facts.parts.matters(facts.parts.kernel_or_in_no_row(), 10) }),
    ("whether it grows", "memtide watch CGROUP, or the same numbers again under the same load", "memtide watch CGROUP, or the same numbers again under the same load", |_| true),
    ("what in the program holds its heap", "a heap profile (pprof, jcmd PID GC.class_histogram, jemalloc's or tcmalloc's)", "a heap profile (pprof, jcmd PID GC.class_histogram, jemalloc's or tcmalloc's)", |facts| { facts.parts.anon.is_none_or(|anon| facts.parts.matters(anon, 30)) }),
    ("whether there is swap to move heap and tmpfs to", "cat /proc/swaps", "cat /proc/swaps; cat memory.swap.max", |facts| { facts.reading.in_swap().is_none() }),
];

const OF_NODE: [(&str, &str); 3] = [
    (
        "which container it belongs to",
        "kubectl top pod -A --sort-by=memory",
    ),
    ("what the kernel's own memory is", "slabtop -o -s c"),
    (
        "which formula the kubelet of this version takes",
        "kubectl get --raw /api/v1/nodes/NODE/proxy/stats/summary",
    ),
];

/// All open questions that matter for this reading.
pub fn find(facts: &Facts) -> Vec<Unknown> {
    if facts.reading.rows.get("cgroups:memory").is_some() {
        return vec![Unknown {
            what: "how many of them still have a directory",
            command: "find /sys/fs/cgroup/memory -type d | wc -l".into(),
        }];
    }
    if facts.reading.scope == Scope::Node {
        let of_node = OF_NODE.iter().map(|(what, command)| Unknown {
            what,
            command: Cow::Borrowed(*command),
        });
        return of_node.collect();
    }
    let version = facts.reading.cgroup();
    let open = OF_CGROUP.iter().filter(|(_, _, _, is_open)| is_open(facts));
    open.map(|(what, on_v1, on_v2, _)| Unknown {
        what,
        command: match version {
            Some(CgroupVersion::V1) => Cow::Borrowed(*on_v1),
            None if on_v1 != on_v2 => format!("{on_v2} (on cgroup v1: {on_v1})").into(),
            _ => Cow::Borrowed(*on_v2),
        },
    })
    .collect()
}
