//! What a text without memory numbers seems to be, and what to paste in its place.

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
struct Kind {
    words: &'static [&'static [&'static str]],
    hint: Hint,
}

const KINDS: &[Kind] = &[
    Kind {
        words: &[
            &["PID", "RES", "COMMAND"],
            &["PID", "%MEM", "RSS"],
            &["PID", "TTY", "CMD"],
        ],
        hint: Hint {
            looks: "a list of processes (top or ps)",
            why: "it shows what processes have mapped, shared pages in each of them, and no page cache",
            instead: FILES,
        },
    },
    Kind {
        words: &[&["expr:"], &["alert:"], &["sum(container_memory"]],
        hint: Hint {
            looks: "an alert rule or a query",
            why: "it says what to compare, not what the values were",
            instead: "the values it reads; to test the rule itself: memtide judge --rules FILE",
        },
    },
    Kind {
        words: &[
            &["container_memory_", ","],
            &["container_memory_", "HELP"],
            &["container_memory_", "{"],
        ],
        hint: Hint {
            looks: "container metrics in a form memtide does not read (a CSV?), or without their values",
            why: "there is no line of the form `name{labels} value` with a number of bytes",
            instead: "the metrics page itself, or the JSON of Prometheus' /api/v1/query",
        },
    },
    Kind {
        words: &[
            &["\"resultType\""],
            &["{", "pod=\"", "namespace=\""],
            &["{", "container=\""],
        ],
        hint: Hint {
            looks: "Prometheus values without the metric's name",
            why: "the numbers could be of anything",
            instead: "the answer to a query of bare metrics, such as \
                      {__name__=~\"container_memory_.*\",pod=\"POD\"}, as a table or as the API's JSON",
        },
    },
    Kind {
        words: &[
            &["Last State:"],
            &["Reason:", "OOMKilled"],
            &["Limits:", "Requests:"],
            &["Allocated resources:"],
            &["kind: Pod"],
        ],
        hint: Hint {
            looks: "`kubectl describe` or a manifest",
            why: "it has limits and events, but not what is in use",
            instead: SUMMARY,
        },
    },
    Kind {
        words: &[&["HostConfig"]],
        hint: Hint {
            looks: "`docker inspect`",
            why: "it says that there is no limit, and nothing of what is in use",
            instead: "the output of `docker stats --no-stream`, or better the kernel's files it is made from",
        },
    },
    Kind {
        words: &[
            &["READY", "STATUS", "RESTARTS"],
            &["SystemOOM"],
            &["OOMKilled"],
            &["exit code 137"],
        ],
        hint: Hint {
            looks: "Kubernetes' list of pods or events",
            why: "it says that something was killed, not what its memory was",
            instead: "the kernel's report of the kill: `dmesg -T | grep -B 60 -A 5 oom-kill` on that node",
        },
    },
    Kind {
        words: &[&["nr_free_pages"], &["nr_inactive_file"]],
        hint: Hint {
            looks: "/proc/vmstat",
            why: "it counts pages and events of the whole machine",
            instead: "/proc/meminfo for the machine, memory.stat for a container",
        },
    },
    Kind {
        words: &[
            &["HeapInuse"],
            &["go_memstats_"],
            &["Native Memory Tracking"],
            &["garbage-first heap"],
            &["heapUsed"],
            &["GC", "Pause"],
            &["jvm_memory_"],
        ],
        hint: Hint {
            looks: "a runtime's own account of its heap (Go, the JVM, Node)",
            why: "it is what one program believes it holds, not what the kernel charges to the container",
            instead: FILES,
        },
    },
    Kind {
        words: &[&["OBJS", "ACTIVE", "SLABS"], &["slabinfo"]],
        hint: Hint {
            looks: "slabtop",
            why: "it shows the kernel's objects of the whole machine",
            instead: FILES,
        },
    },
    Kind {
        words: &[&[" N0="]],
        hint: Hint {
            looks: "memory.numa_stat",
            why: "it repeats some rows by NUMA node, on cgroup v1 in pages",
            instead: "memory.stat and memory.current (v1: memory.usage_in_bytes) of the same cgroup",
        },
    },
    Kind {
        words: &[&["due to memory pressure for"], &["systemd-oomd", "Killed"]],
        hint: Hint {
            looks: "a kill by systemd-oomd",
            why: "it killed for pressure (waiting for memory), which no limit and no row shows afterwards",
            instead: "memory.pressure, memory.stat and memory.current of the cgroup it names, if it still runs",
        },
    },
    Kind {
        words: &[&["IMAGE", "COMMAND", "CREATED"]],
        hint: Hint {
            looks: "`docker ps`",
            why: "it says nothing of memory",
            instead: "the output of `docker stats --no-stream`, or better the kernel's files it is made from",
        },
    },
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
    let fits = |group: &&[&str]| group.iter().all(|word| head.contains(word));
    let kind = KINDS.iter().find(|kind| kind.words.iter().any(fits))?;
    Some(kind.hint)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_mistake_is_named() {
        for (text, looks) in [
            (
                "  PID USER PR NI VIRT RES SHR S %CPU %MEM TIME+ COMMAND\n 1 root",
                "processes",
            ),
            ("USER PID %CPU %MEM VSZ RSS TTY STAT\n", "processes"),
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
            ("", "empty"),
            ("a\0b", "binary"),
        ] {
            assert!(of(text).unwrap().looks.contains(looks), "{text}");
        }
        assert_eq!(of("Our container uses 800 MB, please help."), None);
    }
}
