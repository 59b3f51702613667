//! What a reading cannot tell, and which command would.

use super::Scope;
use super::findings::Facts;
use crate::rows::CgroupVersion;

/// One open question.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unknown {
    /// What is not known.
    pub what: &'static str,
    /// The command that would tell.
    pub command: String,
}

/// All open questions that matter for this reading.
pub fn find(facts: &Facts) -> Vec<Unknown> {
    if facts.reading.rows.get("cgroups:memory").is_some() {
        return vec![Unknown {
            what: "how many of them still have a directory",
            command: "find /sys/fs/cgroup/memory -type d | wc -l".into(),
        }];
    }
    if facts.reading.scope == Scope::Node {
        return node();
    }
    let mut open = Vec::new();
    let mut ask = |when: bool, what: &'static str, command: &str| {
        if when {
            open.push(Unknown {
                what,
                command: command.to_string(),
            });
        }
    };
    let v2 = facts.reading.version == Some(CgroupVersion::V2);
    let (usage, limit) = match v2 {
        true => ("cat memory.current", "cat memory.max"),
        false => ("cat memory.usage_in_bytes", "cat memory.limit_in_bytes"),
    };
    let parts = &facts.parts;
    let missing_rows = facts.view.rss.is_none() || facts.view.inactive_file.is_none();
    ask(parts.at_least, "the usage itself", usage);
    ask(missing_rows, "what the usage is made of", "cat memory.stat");
    ask(facts.view.limit.is_none(), "the limit", limit);
    ask(
        facts.is_inconsistent(),
        "which of the contradicting numbers is right",
        "read usage and memory.stat again from the same cgroup, several times",
    );
    ask(
        parts.lazy_free >= 1 << 20 && facts.reading.rows.get("smaps:LazyFree").is_none(),
        "how much of the lazily freed memory was written again",
        "grep -E 'Rss|LazyFree' /proc/PID/smaps_rollup",
    );
    ask(
        parts.thp_hidden >= 2 << 20,
        "whether huge pages are in use",
        "cat /sys/kernel/mm/transparent_hugepage/enabled; grep AnonHugePages /proc/PID/smaps_rollup",
    );
    ask(
        parts.matters(parts.file_cache(), 20),
        "which files the page cache is of, and whether a deleted one is held open",
        "fincore FILES; lsof +L1 -p PID",
    );
    ask(
        parts.matters(parts.cache_active.unwrap_or(0), 20),
        "whether the kernel orders pages by two lists or by generations",
        "cat /sys/kernel/mm/lru_gen/enabled; uname -r",
    );
    ask(
        parts.matters(parts.shmem.unwrap_or(0), 10),
        "which tmpfs files or segments it is",
        "df -t tmpfs; ls -l /dev/shm; ipcs -m",
    );
    let unknown = parts
        .unexplained
        .unwrap_or(0)
        .saturating_add(parts.kernel.unwrap_or(0));
    ask(
        parts.matters(unknown, 10),
        "what the kernel memory is",
        match v2 {
            true => "grep -E 'slab|kernel|pagetables|sock|percpu' memory.stat; slabtop -o -s c",
            false => {
                "cat memory.kmem.usage_in_bytes; slabtop -o -s c; cat /proc/sys/fs/dentry-state"
            }
        },
    );
    ask(
        true,
        "whether it grows",
        "memtide watch CGROUP, or the same numbers again under the same load",
    );
    ask(
        parts.anon.is_none_or(|anon| parts.matters(anon, 30)),
        "what in the program holds its heap",
        "a heap profile (pprof, jcmd PID GC.class_histogram, jemalloc's or tcmalloc's)",
    );
    let swap_known = ["memory.swap.current", "total_swap", "swap"]
        .iter()
        .any(|name| facts.reading.rows.get(name).is_some());
    ask(
        !swap_known,
        "whether there is swap to move heap and tmpfs to",
        "cat /proc/swaps",
    );
    open
}

fn node() -> Vec<Unknown> {
    [
        (
            "which container it belongs to",
            "kubectl top pod -A --sort-by=memory",
        ),
        ("what the kernel's own memory is", "slabtop -o -s c"),
        (
            "which formula the kubelet of this version takes",
            "kubectl get --raw /api/v1/nodes/NODE/proxy/stats/summary",
        ),
    ]
    .map(|(what, command)| Unknown {
        what,
        command: command.to_string(),
    })
    .to_vec()
}
