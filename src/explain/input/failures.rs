//! Memory that was not given: a runtime at its own maximum, or an allocation that the kernel refused.
//!
//! Neither is a kill, and a cgroup's limit is behind neither: at its limit the kernel takes pages back
//! and then kills, it does not refuse what a program asks for.

use super::told::{after, size};
use crate::explain::clean::has_one_of;
use crate::explain::kinds::{Failure, Known};
use crate::explain::{Reading, What};

/// What is known of a message: the words that tell it (all of one group), and what to say.
struct Message {
    words: &'static [&'static [&'static str]],
    /// The size that the message names, bytes.
    size: fn(&str) -> Option<u64>,
    known: Known,
}

const LIMIT: &str = "runtime_limit";
const REFUSED: &str = "allocation_refused";
const NOT_HERE: &str = "neither the kernel nor a container's limit was involved";
const COMMIT: &str = "ulimit -v; cat /proc/sys/vm/overcommit_memory /proc/sys/vm/max_map_count; grep -E 'CommitLimit|Committed_AS' /proc/meminfo";
const THREADS: &str = "cat /sys/fs/cgroup/pids.max /sys/fs/cgroup/pids.current; ulimit -u; count the threads: ls /proc/PID/task | wc -l";

/// One line a message; the first that fits is it.
#[rustfmt::skip]
const MESSAGES: &[Message] = &[
    Message { words: &[&["unable to create native thread"], &["unable to create new native thread"]], size: none, known: Known { code: REFUSED, says: "The JVM could not start another thread", why: "a limit on threads (pids.max, ulimit -u), not the heap's maximum and no OOM kill", next: THREADS } },
    Message { words: &[&["Native memory allocation", "failed"], &["insufficient memory for the Java Runtime Environment"]], size: |text| after(text, "failed to map ").or_else(|| after(text, "failed to allocate ")), known: Known { code: REFUSED, says: "The kernel refused the JVM {@ of }memory outside its heap", why: "the machine's overcommit, ulimit -v or max_map_count; a container's limit kills and does not refuse", next: COMMIT } },
    Message { words: &[&["OutOfMemoryError", "Metaspace"]], size: none, known: Known { code: LIMIT, says: "The JVM's metaspace reached its own maximum (-XX:MaxMetaspaceSize)", why: NOT_HERE, next: "jcmd PID VM.metaspace; look for class loaders that stay, or raise -XX:MaxMetaspaceSize if memory.max leaves room" } },
    Message { words: &[&["OutOfMemoryError", "irect buffer memory"], &["Cannot reserve", "direct buffer memory"]], size: |text| after(text, "Cannot reserve "), known: Known { code: LIMIT, says: "The JVM's direct buffers reached their own maximum (-XX:MaxDirectMemorySize, else as much as -Xmx){, at @}", why: NOT_HERE, next: "find who allocates them (netty: -Dio.netty.leakDetection.level=paranoid), or raise -XX:MaxDirectMemorySize if memory.max leaves room" } },
    Message { words: &[&["java.lang.OutOfMemoryError"], &["OutOfMemoryError: Java heap space"], &["GC overhead limit exceeded"]], size: none, known: Known { code: LIMIT, says: "The JVM's heap reached its own maximum (-Xmx, or MaxRAMPercentage of the container's limit, a quarter by default)", why: NOT_HERE, next: "-XX:+HeapDumpOnOutOfMemoryError tells what holds it; java -XX:+PrintFlagsFinal -version | grep MaxHeapSize: raise it if memory.max leaves room" } },
    Message { words: &[&["JavaScript heap out of memory"], &["Reached heap limit"], &["Ineffective mark-compacts"]], size: v8, known: Known { code: LIMIT, says: "Node's heap reached its own maximum (--max-old-space-size){ with @ live}", why: NOT_HERE, next: "node --heapsnapshot-near-heap-limit=1 tells what holds it; NODE_OPTIONS=--max-old-space-size=MIB raises it, below memory.max" } },
    Message { words: &[&["pthread_create failed"], &["out of memory in thread_start"], &["can't start new thread"]], size: none, known: Known { code: REFUSED, says: "The program could not start another thread", why: "a limit on threads (pids.max, ulimit -u) or no room for its stack (ulimit -v), and no OOM kill", next: THREADS } },
    Message { words: &[&["runtime: out of memory"], &["runtime: cannot allocate memory"]], size: |text| after(text, "cannot allocate "), known: Known { code: REFUSED, says: "The kernel refused Go {@ of }address space (mmap)", why: "ulimit -v, the machine's overcommit, or a 32-bit program; a container's limit kills and does not refuse", next: COMMIT } },
    Message { words: &[&["CUDA out of memory"], &["CUDA_ERROR_OUT_OF_MEMORY"]], size: |text| after(text, "Tried to allocate "), known: Known { code: LIMIT, says: "The GPU's memory ran out{ for @}, not the machine's and no container's", why: "cgroups do not count it", next: "nvidia-smi shows who holds it; a smaller batch" } },
    Message { words: &[&["Allowed memory size of", "exhausted"]], size: |text| after(text, "Allowed memory size of "), known: Known { code: LIMIT, says: "PHP reached its own maximum (memory_limit){, @}", why: NOT_HERE, next: "find what the request holds (memory_get_peak_usage), or raise memory_limit; workers times memory_limit should fit into memory.max" } },
    Message { words: &[&["OOM command not allowed when used memory"]], size: none, known: Known { code: LIMIT, says: "Redis reached its own maximum (maxmemory) and may not evict", why: NOT_HERE, next: "redis-cli INFO memory; a maxmemory-policy that evicts, or a larger maxmemory below memory.max with room for the fork" } },
    Message { words: &[&["System.OutOfMemoryException"], &["OutOfMemoryException:"]], size: none, known: Known { code: LIMIT, says: "The .NET heap reached its own maximum (GCHeapHardLimit, 75 % of the container's limit by default)", why: NOT_HERE, next: "dotnet-dump collect, dumpheap -stat; DOTNET_GCHeapHardLimitPercent raises it if memory.max leaves room" } },
    Message { words: &[&["MemoryError"], &["std::bad_alloc"], &["NoMemoryError"], &["eheap_alloc: Cannot allocate"], &["ERROR:  out of memory"], &["ENOMEM"], &["annot allocate memory"]], size: |text| { ["Unable to allocate ", "annot allocate ", "request of size "] .iter() .find_map(|word| after(text, word)) }, known: Known { code: REFUSED, says: "The kernel refused the program {@ of }memory", why: "ulimit -v, the machine's overcommit or a full process table; a container's limit kills and does not refuse", next: COMMIT } },
    Message { words: &[&["SLUB: Unable to allocate memory"]], size: |text| after(text, "buffer size:"), known: Known { code: REFUSED, says: "The kernel could not allocate an object{ of @} of its own", why: "mostly a container at its limit on kernel memory (kmem, cgroup v1; its id stands behind the cache's name), else a machine that was short for a moment; nobody was killed for it", next: "cat memory.kmem.limit_in_bytes memory.kmem.failcnt of that container; docker without --kernel-memory; kernels before 4.0 never reclaim it" } },
    Message { words: &[&["page allocation failure"]], size: |text| { let order = after(text, "order:")?; (order <= 20).then(|| 4096 << order) }, known: Known { code: REFUSED, says: "The kernel found no free block{ of @} in one piece", why: "free memory was in pieces, or short for a moment; nobody was killed for it", next: "cat /proc/buddyinfo; echo 1 > /proc/sys/vm/compact_memory; a larger vm.min_free_kbytes where a driver asks again and again" } },
];

/// So much of a long log is searched, bytes.
const TAIL: usize = 64 << 10;

fn none(_: &str) -> Option<u64> {
    None
}

/// The live heap after V8's last collection: `Mark-sweep 6729.3 (8352.8) -> 6728.3 (8353.8) MB`.
fn v8(text: &str) -> Option<u64> {
    let line = text.lines().rfind(|line| line.contains("Mark-"))?;
    let mib: f64 = line.split_once("-> ")?.1.split(' ').next()?.parse().ok()?;
    size(&format!("{mib}MiB"))
}

/// The message in a text, if it is one of these.
pub fn read(text: &str) -> Option<Reading> {
    // An error stands at a log's end, or is what was pasted.
    let tail = text.len().saturating_sub(TAIL);
    let tail = (tail..=text.len())
        .find(|at| text.is_char_boundary(*at))
        .unwrap_or(0);
    let text = &text[tail..];
    let fits = |message: &&Message| has_one_of(text, message.words);
    let message = MESSAGES.iter().find(fits)?;
    let failure = Failure {
        known: &message.known,
        size: (message.size)(text),
    };
    Some(Reading::told(
        "an error message",
        "an error message",
        What::Failure(failure),
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_size_of_each_message() {
        let of = |text: &str| match read(text).map(|reading| reading.what) {
            Some(What::Failure(failure)) => (failure.known.code, failure.size),
            other => panic!("{text}: {other:?}"),
        };
        for (text, code, size) in [
            ("java.lang.OutOfMemoryError: Java heap space", LIMIT, None),
            (
                "java.lang.OutOfMemoryError: unable to create native thread",
                REFUSED,
                None,
            ),
            (
                "# Native memory allocation (mmap) failed to map 12288 bytes",
                REFUSED,
                Some(12_288),
            ),
            (
                "[6688:0] 4 ms: Mark-sweep 9.3 (8.8) -> 6.5 (8.8) MB, 1\nFATAL ERROR: Reached heap limit",
                LIMIT,
                Some(6_815_744),
            ),
            (
                "Unable to allocate 2.00 GiB for an array: ArrayMemoryError",
                REFUSED,
                Some(2 << 30),
            ),
            (
                "x: page allocation failure: order:8, mode:0x204010",
                REFUSED,
                Some(1 << 20),
            ),
            (
                "Allowed memory size of 134217728 bytes exhausted",
                LIMIT,
                Some(134_217_728),
            ),
        ] {
            assert_eq!(of(text), (code, size), "{text}");
        }
        assert!(read("all is well").is_none());
    }

    proptest! {
        #[test]
        fn nothing_panics(text in "(page allocation failure|order:|Mark-|-> |[0-9]{1,22}|MemoryError|Unable to allocate |é| ){0,9}") {
            read(&text);
        }
    }
}
