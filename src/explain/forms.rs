//! The forms that are read, a line each with an example, and the page that lists them.
//!
//! `docs/explain.md` is this page; a test reads every example and holds the page current.

use std::fmt::Write;

use super::account::{RELATIONS, Rule};
use super::answer;

/// One form.
pub struct Form {
    /// What it is.
    pub name: &'static str,
    /// The source its reader names.
    pub source: &'static str,
    /// The shortest text of that form.
    pub example: &'static str,
}

/// Every form. One line each.
#[rustfmt::skip]
pub const FORMS: &[Form] = &[
    Form { name: "`free` in any language", source: "free", example: "gesamt benutzt frei gemns. Puffer/Cache verfügbar\nSpeicher: 15Gi 9,5Gi 793Mi 334Mi 5,4Gi 5,5Gi\nSwap: 2,0Gi 500Mi 1,5Gi" },
    Form { name: "a tool's table several times, with or without times", source: "kubectl top", example: "2026-05-01T10:00:00Z web-1 5m 512Mi\n2026-05-01T11:00:00Z web-1 5m 530Mi" },
    Form { name: "NUMA nodes: node*/meminfo, `numastat -m`, `numactl -H`", source: "NUMA nodes", example: "node 0 size: 64300 MB\nnode 0 free: 305 MB\nnode 1 size: 64505 MB\nnode 1 free: 44250 MB" },
    Form { name: "a kill by systemd-oomd", source: "systemd-oomd", example: "systemd-oomd[840]: Killed /user.slice/a.scope due to memory pressure for /user.slice being 51.07% > 50.00% for > 20s with reclaim activity" },
    Form { name: "a kill by earlyoom", source: "earlyoom", example: "mem avail: 549 of 15933 MiB ( 3.45%), swap free: 100 of 2047 MiB ( 4.90%)\nsending SIGTERM to process 1234 uid 1000 \"chrome\": badness 900, VmRSS 3000 MiB" },
    Form { name: "a status of `OOMKilled`: `kubectl describe`, `kubectl get pods`, a pod's YAML", source: "a pod's status", example: "web-1 0/1 OOMKilled 3 5m" },
    Form { name: "the kubelet's log of evictions", source: "kubelet's message", example: "\"Eviction manager: must evict pod(s) to reclaim\" resourceName=\"memory\"" },
    Form { name: "`systemctl show`", source: "systemctl show", example: "MemoryCurrent=835407052\nMemoryMax=1073741824" },
    Form { name: "files of a cgroup v2", source: "kernel files", example: "memory.current 1073741824\nanon 536870912\nfile 268435456" },
    Form { name: "files of a cgroup v1", source: "kernel files", example: "memory.usage_in_bytes 1073741824\ntotal_rss 536870912\ntotal_inactive_file 4096" },
    Form { name: "the same under `head`, `tail`, `cat` or `watch`", source: "kernel files", example: "==> memory.current <==\n1073741824\n==> memory.max <==\nmax" },
    Form { name: "the same from `grep -r`", source: "kernel files", example: "a.scope/memory.current:1073741824\na.scope/memory.stat:anon 536870912" },
    Form { name: "the same under a log's or tool's prefix", source: "kernel files", example: "2026-11-28T03:50:00Z anon 536870912\n2026-11-28T03:50:00Z file 4096" },
    Form { name: "the same from `cat -n`", source: "kernel files", example: "1 anon 536870912\n2 file 4096" },
    Form { name: "a diff of them", source: "kernel files", example: "-anon 536870912\n+anon 1073741824\n file 4096" },
    Form { name: "a table of before and after", source: "kernel files", example: "| row | before | after |\n|---|---|---|\n| anon | 5242880 | 10485760 |" },
    Form { name: "`memory.events`, `memory.pressure`", source: "kernel files", example: "low 0\nhigh 3\nmax 7\noom 1\noom_kill 1" },
    Form { name: "`ctr metrics`", source: "kernel files", example: "memory.usage_in_bytes 10190848\nmemory.stat.cache 4096" },
    Form { name: "`/proc/meminfo`", source: "kernel files", example: "MemTotal: 16393244 kB\nMemFree: 1024 kB" },
    Form { name: "`/proc/vmstat`", source: "/proc/vmstat", example: "nr_free_pages 5000\nnr_inactive_file 7000\nnr_active_anon 9000" },
    Form { name: "`smaps_rollup`, `/proc/PID/status`, of one or several processes", source: "kernel files", example: "Rss: 70652 kB\nPss: 35558 kB" },
    Form { name: "a report of the OOM killer, whole or cut", source: "OOM report", example: "app invoked oom-killer: gfp_mask=0xcc0\nmemory: usage 131072kB, limit 131072kB, failcnt 66" },
    Form { name: "only its last lines", source: "OOM report", example: "oom-kill:constraint=CONSTRAINT_MEMCG,oom_memcg=/a,task_memcg=/a,task=app,pid=9,uid=0" },
    Form { name: "a list of kills", source: "OOM report", example: "Memory cgroup out of memory: Killed process 9 (app) total-vm:1kB, anon-rss:1024kB" },
    Form { name: "a machine's report, its zones, its end", source: "OOM report", example: "Mem-Info:\nactive_anon:57988 inactive_anon:147\nactive_file:578569 inactive_file:1353156" },
    Form { name: "a kubelet's or cAdvisor's metrics page", source: "metrics page", example: "container_memory_usage_bytes{pod=\"web\"} 1.5e+09" },
    Form { name: "an answer of Prometheus, instant or range", source: "metrics page", example: "{\"data\":{\"resultType\":\"matrix\",\"result\":[{\"metric\":{\"__name__\":\"container_memory_rss\",\"pod\":\"p\"},\"values\":[[1700000000,\"5000000\"],[1700003600,\"6000000\"]]}]}}" },
    Form { name: "a kubelet summary", source: "kubelet summary", example: "{\"usageBytes\": 1073741824, \"workingSetBytes\": 536870912}" },
    Form { name: "the metrics API", source: "metrics API", example: "{\"usage\":{\"cpu\":\"3m\",\"memory\":\"251728Ki\"}}" },
    Form { name: "docker's API, runc's and the CRI's stats", source: "container stats", example: "{\"memory_stats\":{\"usage\":822935552,\"stats\":{\"cache\":477356032,\"rss\":345579520}}}" },
    Form { name: "nomad's API", source: "nomad", example: "{\"MemoryStats\":{\"RSS\":0,\"Cache\":0,\"Usage\":314494976,\"Measured\":[\"RSS\"]}}" },
    Form { name: "`docker inspect`", source: "docker inspect", example: "{\"State\":{\"OOMKilled\":true},\"HostConfig\":{\"Memory\":536870912}}" },
    Form { name: "a map of memory.stat in a log line", source: "a map of memory.stat", example: "stats {\"active_anon\": 28228526080, \"cache\": 2578046976}" },
    Form { name: "`docker stats` of every age", source: "docker stats", example: "CONTAINER CPU % MEM USAGE/LIMIT MEM %\nweb 0.5% 41.16 MiB/994 MiB 4.14%" },
    Form { name: "`podman stats`", source: "podman stats", example: "ID NAME CPU % MEM USAGE / LIMIT MEM %\n5db6 web 2.21% 2.87GB / 3.843GB 74.68%" },
    Form { name: "`crictl stats`", source: "crictl stats", example: "CONTAINER NAME CPU % MEM DISK INODES\n0123 app 0.10 635.4MB 12.3MB 45" },
    Form { name: "`kubectl top`", source: "kubectl top", example: "NAME CPU(cores) MEMORY(bytes)\nweb-1 3m 245Mi" },
    Form { name: "`systemctl status`", source: "systemctl status", example: "Memory: 900.0M (max: 1.0G swap max: 2.0G available: 124.0M)" },
    Form { name: "`systemd-cgtop`", source: "systemd-cgtop", example: "Control Group Tasks %CPU Memory Input/s Output/s\nweb.service 12 5.0 796.7M - -" },
    Form { name: "`free`, old, new, human, in any unit, `free -L`", source: "free", example: "total used free shared buff/cache available\nMem: 7.4G 409M 1.1G 363M 5.9G 6.3G" },
    Form { name: "the head of `top`", source: "top", example: "MiB Mem : 1970.9 total, 1660.9 free, 71.5 used, 238.5 buff/cache\nMiB Swap: 0.0 total, 0.0 free, 0.0 used. 1876.4 avail Mem" },
    Form { name: "`smem`", source: "smem", example: "PID User Command Swap USS PSS RSS\n12 root python3 0 5000 6000 7000" },
    Form { name: "`pmap -x`", source: "pmap", example: "12: java -jar a\nAddress Kbytes RSS Dirty Mode Mapping\ntotal kB 12345 2345 1234" },
    Form { name: "`slabtop`, `/proc/slabinfo`", source: "slabtop", example: "OBJS ACTIVE USE OBJ SIZE SLABS OBJ/SLAB CACHE SIZE NAME\n734506 734506 100% 0.06K 11476 64 45906K dentry" },
    Form { name: "the kubelet's eviction message", source: "kubelet's message", example: "The node was low on resource: memory. Container web was using 48458972Ki, which exceeds its request of 0." },
    Form { name: "a platform's message: Cloud Run, Lambda, Heroku, YARN", source: "Cloud Run", example: "Memory limit of 512 MiB exceeded with 516 MiB used." },
    Form { name: "an event of Kubernetes, text or JSON", source: "Kubernetes event", example: "System OOM encountered, victim process: java, pid: 12345" },
    Form { name: "a runtime's account: NMT, Go, V8, Redis", source: "runtime's account", example: "used_memory:1000000\nused_memory_rss:2000000" },
    Form { name: "a runtime's collections: GODEBUG=gctrace=1", source: "runtime's account", example: "gc 9 @3.1s 0%: 0.1+9+0.3 ms clock, 3+3/4/1+6 ms cpu, 719->721->633 MB, 738 MB goal, 4 P" },
    Form { name: "a runtime's or the kernel's own error: the JVM, Node, Go, Python, PHP, .NET, SLUB, ...", source: "an error message", example: "java.lang.OutOfMemoryError: Java heap space" },
    Form { name: "`vmstat`, `vmstat -s`", source: "vmstat", example: "r b swpd free buff cache si so\n1 0 0 2448924 384428 734696 0 0" },
    Form { name: "nomad's metrics, Prometheus' or statsd's", source: "nomad", example: "nomad_client_allocs_memory_usage{task=\"web\"} 1.5e+09" },
    Form { name: "a kill by Talos' OOM controller", source: "Talos", example: "Sending SIGKILL to cgroup {\"controller\": \"runtime.OOMController\", \"cgroup\": \"/sys/fs/cgroup/a\"}" },
    Form { name: "a table of time and value", source: "a table of times", example: "10:00 500 MiB\n10:30 510 MiB\n11:00 520 MiB" },
    Form { name: "Heroku's samples of a dyno", source: "heroku", example: "source=web.1 sample#memory_total=512.12MB sample#memory_rss=498.21MB sample#memory_quota=512.00MB" },
    Form { name: "`lxc info`, `lxc-info`", source: "lxc info", example: "Name: web\nMemory use:     92.70 MiB\nKMem use:       14.72 MiB" },
    Form { name: "`docker stats` in a format of one's own", source: "docker stats", example: "web: 412.3MiB / 512MiB (80.53%)" },
    Form { name: "`ps_mem`", source: "ps_mem", example: "Private  +   Shared  =  RAM used Program\n512.8 MiB +   8.2 MiB = 521.0 MiB java" },
    Form { name: "psutil: a process, the machine", source: "psutil", example: "pfullmem(rss=1304870912, vms=2051538944, uss=1274175488, pss=1275800576, swap=0)" },
    Form { name: "an allocator's account: jemalloc, glibc's malloc_stats", source: "runtime's account", example: "Allocated: 786298648, active: 788901888, resident: 867696640" },
    Form { name: "a runtime's account again and again", source: "runtime's account", example: "heap=9MB, rss=148MB\nheap=9MB, rss=151MB\nheap=9MB, rss=155MB" },
    Form { name: "the JVM's log of collections", source: "runtime's account", example: "GC(120) Pause Young 812M->402M(1024M) 12.1ms\nGC(121) Pause Young 860M->455M(1024M) 12.8ms" },
    Form { name: "earlyoom's and oomctl's state, htop's head, `sar -r`, `smem -w`, psutil, node_exporter", source: "earlyoom", example: "mem avail:  9156 of 15881 MiB (57.65%), swap free: 2555 of 4095 MiB (62.38%)" },
    Form { name: "the kubelet's observations in its log", source: "the kubelet's log", example: "signal=memory.available, available: 60687100Ki, capacity: 65973468Ki" },
    Form { name: "`/proc/buddyinfo`", source: "/proc/buddyinfo", example: "Node 0, zone   Normal 426212 143208 42644 13656 1167 0 0 0 0 0 0" },
    Form { name: "a status of SIGKILL: exit code 137, systemd's oom-kill", source: "a pod's status", example: "app.service: Failed with result 'oom-kill'." },
    Form { name: "a table with a column of time and columns of sizes", source: "a table of times", example: "Hours MB\n0 12\n24 58\n48 103\n72 151" },
];

/// docs/explain.md.
pub fn page() -> String {
    let mut page = String::from(
        "# What `memtide explain` reads and says\n\n\
         The first line is the verdict, the second the next step, then comes the table; `--verbose` adds every formula,\n\
         all that follows and what is not known. `--format json` carries the same: `answer` (`code`, `sentence`, `next`),\n\
         `bounds` (the least and the most of each quantity and formula), `readings` (each with its owner, source, unit and\n\
         instant) and `contradictions`.\n\n\
         This page is written from the code: `MEMTIDE_UPDATE=1 cargo test --test explain_docs`.\n\n\
         ## Forms\n\nA recording and a directory (a live cgroup, or copied files) are read too.\n\n| form | example |\n|---|---|\n",
    );
    // A String takes any text.
    let mut row = |cells: &[&str]| {
        let cells: Vec<String> = cells.iter().map(|cell| cell.replace('|', "\\|")).collect();
        let written = writeln!(page, "| {} |", cells.join(" | "));
        debug_assert!(written.is_ok(), "a String takes all");
    };
    for form in FORMS {
        let example = form.example.lines().next().unwrap_or("");
        row(&[form.name, &format!("`{example}`")]);
    }
    page += "\nA row's name is the first word of its line, or follows a stamp, a sign or another row: prose is not read.\n\
             A line of digits alone goes on where a line as long as any other was broken inside a number, with a warning.\n\n\
             ## Codes\n\n`answer.code` is API: codes are added, none changes its meaning.\n\n| code | when |\n|---|---|\n";
    for (code, when) in answer::CODES {
        let _ = writeln!(page, "| `{code}` | {when} |");
    }
    page += "\n## Identities\n\nWhat must hold of one owner's numbers. Bounds are narrowed by these until nothing moves; beyond what the\n\
             per-CPU batches hide (64 pages a CPU), numbers that break one are a contradiction.\n\n| | source |\n|---|---|\n";
    for relation in RELATIONS {
        let parts: Vec<&str> = relation.parts.iter().map(|part| part.name()).collect();
        let usually = if relation.rule == Rule::Usually {
            ", as a rule"
        } else {
            ""
        };
        let _ = writeln!(
            page,
            "| {} >= {}{usually} | {} |",
            relation.whole,
            parts.join(" + "),
            relation.source
        );
    }
    page += "| working_set = usage - inactive_file, not below 0 | libcontainer, cAdvisor, the kubelet |\n\
             | v1's root: rss is its own processes', not the node's | mm/memcontrol.c before Linux 5.x |\n\
             | Pss <= Rss; each shared page is divided by those who map it | fs/proc/task_mmu.c |\n\
             | docker stats: usage (before 17.06), usage - cache (17.06 to 19.03), usage - inactive_file (20.10 and later) | docker/cli |\n";
    page
}
