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

/// One line a kind; the first that fits is it.
#[rustfmt::skip]
const KINDS: &[Kind] = &[
    (&[&["Showing nodes accounting for"], &["flat%", "cum%"], &["heap_v2/"], &["heap profile:"]], Hint { looks: "a heap profile (pprof, jemalloc, tcmalloc)", why: "it says who allocated, of what was sampled, not what the process holds or the container is charged", instead: "/proc/PID/status (VmRSS, RssAnon) and memory.stat beside it" }),
    (&[&["Mem usage", "Increment", "Line Contents"], &["size=", "count=", "average="]], Hint { looks: "a Python profile (memory_profiler, tracemalloc)", why: "it says which lines allocated, not what the process holds or the container is charged", instead: "/proc/PID/status (VmRSS, RssAnon) and memory.stat beside it" }),
    (&[&["rw---", "[ anon ]"], &["rw-p ", "[heap]"]], Hint { looks: "pmap without -x, or /proc/PID/maps", why: "it lists address space, reserved or used: a glibc arena is 64 MiB of it and mostly empty", instead: "the output of `pmap -x PID`, or of `cat /proc/PID/smaps_rollup`" }),
    (&[&["Image Name", "Mem Usage"], &["Mach Virtual Memory"], &["PhysMem:", "wired"], &["Pages wired down"]], Hint { looks: "a report of Windows or macOS", why: "memtide reads what Linux counts; Docker Desktop's containers run in a Linux machine of their own", instead: "`docker stats --no-stream`, or from inside the container memory.stat and memory.current" }),
    (&[&["pagetypeinfo"], &["Free pages count per migrate type"]], Hint { looks: "/proc/pagetypeinfo", why: "it tells how free memory is split up, not who holds the rest", instead: "the output of `cat /proc/buddyinfo` for how split up it is, /proc/meminfo for how short" }),
    (&[&["nr_zone_inactive_file"]], Hint { looks: "/proc/zoneinfo", why: "it counts pages of zones, whose watermarks matter for the kernel's own allocations only", instead: "the output of `cat /proc/meminfo`, or the kernel's report: `dmesg -T | grep -A 60 Mem-Info`" }),
    (&[&["Per-node process memory usage"]], Hint { looks: "`numastat -p`", why: "it says on which nodes a process lies, not what the nodes have left", instead: "the output of `numastat -m`" }),
    (&[&["Mem:", "-/+", " -"], &["Mem:              0"]], Hint { looks: "`free` with a total of 0 or numbers below it", why: "this is lxcfs that could not read the container's cgroup (lxcfs before 4.0.3 on cgroup v2)", instead: FILES }),
    (&[&["memory peak", "Consumed"]], Hint { looks: "the line of systemd at a unit's end", why: "it says the peak, page cache included, and not what it was made of", instead: "the output of `systemctl status UNIT` while it runs, or of `dmesg -T | grep -B 60 'Killed process'` if it was killed" }),
    (&[&["Filesystem", "Use%"], &["Filesystem", "Mounted on"]], Hint { looks: "`df`", why: "of a tmpfs the used bytes are memory, charged to the container that wrote the files; of disks they are none", instead: "memory.stat of the container: its row shmem is what of that it is charged" }),
    (&[&["Filename", "Type", "Size", "Used", "Priority"]], Hint { looks: "/proc/swaps", why: "it says how full swap is, not whose pages are in it", instead: "/proc/meminfo of the machine and memory.swap.current of the container" }),
    (&[&["N/A", "MiB |"], &["NVIDIA-SMI"]], Hint { looks: "nvidia-smi", why: "that is the GPU's own memory, which no cgroup counts and no limit bounds", instead: "memory.stat and memory.current of the container for what the kernel counts" }),
    (&[&["limits.memory"], &["requests.memory"]], Hint { looks: "a namespace's quota", why: "it adds up what pods ask for, not what they use", instead: "the output of `kubectl top pod` for what is in use" }),
    (&[&["expr:"], &["alert:"], &["sum(container_memory"]], Hint { looks: "an alert rule or a query", why: "it says what to compare, not what the values were", instead: "the values it reads; to test the rule itself: memtide judge --rules FILE" }),
    (&[&["container_memory_", ","], &["container_memory_", "HELP"], &["container_memory_", "{"]], Hint { looks: "container metrics in a form memtide does not read (a CSV?), or without their values", why: "there is no line of the form `name{labels} value` with a number of bytes", instead: "the metrics page itself, or the JSON of Prometheus' /api/v1/query" }),
    (&[&["\"resultType\""], &["{", "pod=\"", "namespace=\""], &["{", "container=\""]], Hint { looks: "Prometheus values without the metric's name", why: "the numbers could be of anything", instead: "the answer to a query of bare metrics, such as {__name__=~\"container_memory_.*\",pod=\"POD\"}, as a table or as the API's JSON" }),
    (&[&["Last State:"], &["Restart Count:"], &["Reason:", "OOMKilled"], &["Limits:", "Requests:"], &["Allocated resources:"], &["kind: Pod"]], Hint { looks: "`kubectl describe` or a manifest", why: "it has limits and events, but not what is in use", instead: SUMMARY }),
    (&[&["HostConfig"], &["MemorySwap", "OomKillDisable"]], Hint { looks: "`docker inspect`", why: "it says that there is no limit, and nothing of what is in use", instead: "the output of `docker stats --no-stream`, or better the kernel's files it is made from" }),
    (&[&["READY", "STATUS", "RESTARTS"], &["SystemOOM"], &["OOMKilled"]], Hint { looks: "Kubernetes' list of pods or events", why: "it says that something was killed, not what its memory was", instead: "the kernel's report of the kill: `dmesg -T | grep -B 60 -A 5 oom-kill` on that node" }),
    (&[&["nr_free_pages"], &["nr_inactive_file"]], Hint { looks: "/proc/vmstat", why: "it counts pages and events of the whole machine", instead: "/proc/meminfo for the machine, memory.stat for a container" }),
    (&[&["HeapInuse"], &["go_memstats_"], &["Native Memory Tracking"], &["garbage-first heap"], &["heapUsed"], &["GC", "Pause"], &["jvm_memory_"]], Hint { looks: "a runtime's own account of its heap (Go, the JVM, Node)", why: "it is what one program believes it holds, not what the kernel charges to the container", instead: FILES }),
    (&[&[" N0="]], Hint { looks: "memory.numa_stat", why: "it repeats some rows by NUMA node, on cgroup v1 in pages", instead: "memory.stat and memory.current (v1: memory.usage_in_bytes) of the same cgroup" }),
    (&[&["due to memory pressure for"], &["systemd-oomd", "Killed"]], Hint { looks: "a kill by systemd-oomd", why: "it killed for pressure (waiting for memory), which no limit and no row shows afterwards", instead: "memory.pressure, memory.stat and memory.current of the cgroup it names, if it still runs" }),
    (&[&["IMAGE", "COMMAND", "CREATED"]], Hint { looks: "`docker ps`", why: "it says nothing of memory", instead: "the output of `docker stats --no-stream`, or better the kernel's files it is made from" }),
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
