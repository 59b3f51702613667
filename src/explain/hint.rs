//! What a text without memory numbers seems to be, and what to paste in its place.

use super::clean::has_one_of;
use super::number;

/// A guess at a text nothing could be read from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Hint {
    /// What it looks like.
    pub looks: &'static str,
    /// Why that is not enough, as a clause.
    pub why: &'static str,
    /// What to paste.
    pub instead: &'static str,
}

/// The container's own kernel files: for most mistakes the right next step.
const FILES: &str = "the output of `cd /sys/fs/cgroup; head -n 99 memory.*` inside the container (cgroup v1: \
                     /sys/fs/cgroup/memory)";
const SUMMARY: &str = "the output of `kubectl get --raw /api/v1/nodes/NODE/proxy/stats/summary`";

/// A kind: every word of one of its groups is in the text.
type Kind = (&'static [&'static [&'static str]], Hint);

const fn kind(
    words: &'static [&'static [&'static str]],
    looks: &'static str,
    why: &'static str,
    instead: &'static str,
) -> Kind {
    let hint = Hint {
        looks,
        why,
        instead,
    };
    (words, hint)
}

/// One line a kind; the first that fits is it.
#[rustfmt::skip]
const KINDS: &[Kind] = &[
    kind(&[&["Showing nodes accounting for"], &["flat%", "cum%"], &["heap_v2/"], &["heap profile:"]], "a heap profile (pprof, jemalloc, tcmalloc)", "it says who allocated, of what was sampled, not what the process holds or the container is charged", "/proc/PID/status (VmRSS, RssAnon) and memory.stat beside it"),
    kind(&[&["Mem usage", "Increment", "Line Contents"], &["size=", "count=", "average="]], "a Python profile (memory_profiler, tracemalloc)", "it says which lines allocated, not what the process holds or the container is charged", "/proc/PID/status (VmRSS, RssAnon) and memory.stat beside it"),
    kind(&[&["rw---", "[ anon ]"], &["rw-p ", "[heap]"]], "pmap without -x, or /proc/PID/maps", "it lists address space, reserved or used: a glibc arena is 64 MiB of it and mostly empty", "the output of `pmap -x PID`, or of `cat /proc/PID/smaps_rollup`"),
    kind(&[&["Image Name", "Mem Usage"], &["Mach Virtual Memory"], &["PhysMem:", "wired"], &["Pages wired down"]], "a report of Windows or macOS", "memtide reads what Linux counts; Docker Desktop's containers run in a Linux machine of their own", "`docker stats --no-stream`, or from inside the container memory.stat and memory.current"),
    kind(&[&["pagetypeinfo"], &["Free pages count per migrate type"]], "/proc/pagetypeinfo", "it tells how free memory is split up, not who holds the rest", "the output of `cat /proc/buddyinfo` for how split up it is, /proc/meminfo for how short"),
    kind(&[&["nr_zone_inactive_file"]], "/proc/zoneinfo", "it counts pages of zones, whose watermarks matter for the kernel's own allocations only", "the output of `cat /proc/meminfo`, or the kernel's report: `dmesg -T | grep -A 60 Mem-Info`"),
    kind(&[&["Per-node process memory usage"]], "`numastat -p`", "it says on which nodes a process lies, not what the nodes have left", "the output of `numastat -m`"),
    kind(&[&["Mem:", "-/+", " -"], &["Mem:              0"]], "`free` with a total of 0 or numbers below it", "this is lxcfs that could not read the container's cgroup (lxcfs before 4.0.3 on cgroup v2)", FILES),
    kind(&[&["memory peak", "Consumed"]], "the line of systemd at a unit's end", "it says the peak, page cache included, and not what it was made of", "the output of `systemctl status UNIT` while it runs, or of `dmesg -T | grep -B 60 'Killed process'` if it was killed"),
    kind(&[&["Filesystem", "Use%"], &["Filesystem", "Mounted on"]], "`df`", "of a tmpfs the used bytes are memory, charged to the container that wrote the files; of disks they are none", "memory.stat of the container: its row shmem is what of that it is charged"),
    kind(&[&["Filename", "Type", "Size", "Used", "Priority"]], "/proc/swaps", "it says how full swap is, not whose pages are in it", "/proc/meminfo of the machine and memory.swap.current of the container"),
    kind(&[&["N/A", "MiB |"], &["NVIDIA-SMI"]], "nvidia-smi", "that is the GPU's own memory, which no cgroup counts and no limit bounds", "memory.stat and memory.current of the container for what the kernel counts"),
    kind(&[&["limits.memory"], &["requests.memory"]], "a namespace's quota", "it adds up what pods ask for, not what they use", "the output of `kubectl top pod` for what is in use"),
    kind(&[&["expr:"], &["alert:"], &["sum(container_memory"]], "an alert rule or a query", "it says what to compare, not what the values were", "the values it reads; to test the rule itself: memtide judge --rules FILE"),
    kind(&[&["container_memory_", ","], &["container_memory_", "HELP"], &["container_memory_", "{"]], "container metrics in a form memtide does not read (a CSV?), or without their values", "there is no line of the form `name{labels} value` with a number of bytes", "the metrics page itself, or the JSON of Prometheus' /api/v1/query"),
    kind(&[&["\"resultType\""], &["{", "pod=\"", "namespace=\""], &["{", "container=\""]], "Prometheus values without the metric's name", "the numbers could be of anything", "the answer to a query of bare metrics, such as {__name__=~\"container_memory_.*\",pod=\"POD\"}, as a table or as the API's JSON"),
    kind(&[&["Last State:"], &["Restart Count:"], &["Reason:", "OOMKilled"], &["Limits:", "Requests:"], &["Allocated resources:"], &["kind: Pod"]], "`kubectl describe` or a manifest", "it has limits and events, but not what is in use", SUMMARY),
    kind(&[&["HostConfig"], &["MemorySwap", "OomKillDisable"]], "`docker inspect`", "it says that there is no limit, and nothing of what is in use", "the output of `docker stats --no-stream`, or better the kernel's files it is made from"),
    kind(&[&["READY", "STATUS", "RESTARTS"], &["SystemOOM"], &["OOMKilled"]], "Kubernetes' list of pods or events", "it says that something was killed, not what its memory was", "the kernel's report of the kill: `dmesg -T | grep -B 60 -A 5 oom-kill` on that node"),
    kind(&[&["nr_free_pages"], &["nr_inactive_file"]], "/proc/vmstat", "it counts pages and events of the whole machine", "/proc/meminfo for the machine, memory.stat for a container"),
    kind(&[&["HeapInuse"], &["go_memstats_"], &["Native Memory Tracking"], &["garbage-first heap"], &["heapUsed"], &["GC", "Pause"], &["jvm_memory_"]], "a runtime's own account of its heap (Go, the JVM, Node)", "it is what one program believes it holds, not what the kernel charges to the container", FILES),
    kind(&[&[" N0="]], "memory.numa_stat", "it repeats some rows by NUMA node, on cgroup v1 in pages", "memory.stat and memory.current (v1: memory.usage_in_bytes) of the same cgroup"),
    kind(&[&["due to memory pressure for"], &["systemd-oomd", "Killed"]], "a kill by systemd-oomd", "it killed for pressure (waiting for memory), which no limit and no row shows afterwards", "memory.pressure, memory.stat and memory.current of the cgroup it names, if it still runs"),
    kind(&[&["IMAGE", "COMMAND", "CREATED"]], "`docker ps`", "it says nothing of memory", "the output of `docker stats --no-stream`, or better the kernel's files it is made from"),
];

/// What the text looks like, if it is a kind that gets mistaken for memory numbers.
pub fn of(text: &str) -> Option<Hint> {
    if text.trim().is_empty() {
        return Some(Hint {
            looks: "nothing: it is empty",
            why: "there is no number in it",
            instead: FILES,
        });
    }
    if text.contains('\0') {
        return Some(Hint {
            looks: "a binary file",
            why: "there is no text in it to read",
            instead: "the text itself; of files memtide reads recordings (.jsonl, .jsonl.gz) only",
        });
    }
    if number::parse(text.trim()).is_some() {
        return Some(Hint {
            looks: "a number without its name",
            why: "it could be of anything",
            instead: "it as `memtide explain --usage NUMBER --row NAME=NUMBER`, or the file with its neighbours",
        });
    }
    // Enough for any heading; a long log would match everything.
    let head: String = text.chars().take(64 << 10).collect();
    let known = KINDS.iter().find(|(words, _)| has_one_of(&head, words))?;
    Some(known.1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_mistake_is_named() {
        for (text, looks) in [
            (
                "{container=\"app\", namespace=\"p\", pod=\"x\"} 5",
                "without the metric's name",
            ),
            (
                "{\"data\":{\"resultType\":\"vector\"}}",
                "without the metric's name",
            ),
            ("- alert: X\n  expr: sum(a)", "rule"),
            (
                "    Last State:   Terminated\n      Reason: OOMKilled",
                "describe",
            ),
            ("Warning SystemOOM victim process: java", "events"),
            ("go_memstats_heap_alloc_bytes 5", "runtime"),
            (
                "Image Name  PID  Mem Usage\nnode.exe 1 412,220 K\n",
                "Windows",
            ),
            ("Mach Virtual Memory Statistics: (page size)", "macOS"),
            ("Showing nodes accounting for 412.55MB", "heap profile"),
            ("heap_v2/524288\n  t*: 30: 79763360", "heap profile"),
            ("a.py:3: size=412 MiB, count=5, average=86 B", "Python"),
            (
                "00007fcae0000000    132K rw---   [ anon ]",
                "pmap without -x",
            ),
            ("nr_zone_inactive_file 5", "zoneinfo"),
            (
                "Free pages count per migrate type at order 0",
                "pagetypeinfo",
            ),
            ("Mem:              0       68244     -766260", "lxcfs"),
            (
                "a.service: Consumed 12min CPU time, 1.9G memory peak.",
                "unit's end",
            ),
            (
                "Filesystem Size Used Avail Use% Mounted on\nshm 64M",
                "`df`",
            ),
            ("Filename Type Size Used Priority\n/dev/zram0", "swaps"),
            ("| 0 N/A N/A 12312 C python 10240MiB |", "nvidia"),
            ("limits.memory 14Gi 16Gi", "quota"),
            ("", "empty"),
            ("a\0b", "binary"),
        ] {
            let hint = of(text).unwrap();
            assert!(
                hint.looks.contains(looks) || hint.why.contains(looks),
                "{text}"
            );
        }
        assert_eq!(of("Our container uses 800 MB, please help."), None);
    }
}
