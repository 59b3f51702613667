//! What a reading is, where it is more than rows: a kill, an eviction, a list of processes, ...

/// The process an OOM report says was killed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Killed {
    /// Its name, at most 15 characters as the kernel keeps it.
    pub name: String,
    /// Its pid on the host.
    pub pid: u64,
    /// Its anonymous resident memory in bytes, where the line was not cut before it.
    pub anon_rss: Option<u64>,
    /// Its resident file pages in bytes.
    pub file_rss: Option<u64>,
    /// Its resident shared memory in bytes.
    pub shmem_rss: Option<u64>,
    /// Its `oom_score_adj`: the kubelet writes the pod's class into it.
    pub score_adj: Option<i64>,
}

/// A zone of a NUMA node, as a report of the machine prints it. Bytes.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Zone {
    /// `Node 0 Normal`.
    pub name: String,
    /// Free pages.
    pub free: u64,
    /// Those of them that only movable pages may take (CMA).
    pub cma: u64,
    /// The watermark below which only the kernel itself may allocate.
    pub min: u64,
    /// Pages the allocator has.
    pub managed: u64,
    /// File pages and reclaimable slab, where the source has them.
    pub reclaimable: u64,
}

/// What an OOM report says beside its rows.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Oom {
    /// `CONSTRAINT_MEMCG`, `CONSTRAINT_NONE`, ...
    pub constraint: Option<String>,
    /// The NUMA nodes that the task was allowed, as the kernel writes them.
    pub nodes: Option<String>,
    /// The allocation that failed was of 2 to the power of this pages in one piece.
    pub order: u32,
    /// The cgroup whose limit it was.
    pub limit_of: Option<String>,
    /// The cgroup of the process that was killed.
    pub task_in: Option<String>,
    /// The mask of the allocation that failed: `0x0` is a page fault.
    pub gfp: Option<String>,
    /// Further processes of the same kill (memory.oom.group, or a child in place of its parent).
    pub group: Vec<Killed>,
    /// The zones of a machine.
    pub zones: Vec<Zone>,
    /// The largest process of the report's table: its name and resident bytes.
    pub largest: Option<(String, u64)>,
    /// Whether it is of the machine, not of a cgroup.
    pub machine: bool,
    /// Whether the text itself says that the machine was out of memory.
    pub told: bool,
}

impl Oom {
    /// What the allocation asked for in one piece, bytes, where that was more than a page.
    pub fn piece(&self) -> Option<u64> {
        (1..=20).contains(&self.order).then(|| 4096 << self.order)
    }

    /// The victim's cgroup, where that is not the one whose limit it was.
    pub fn below_limit(&self) -> Option<&str> {
        let task = self.task_in.as_deref();
        task.filter(|task| self.limit_of.as_deref() != Some(task))
    }
}

/// The kubelet's message about a pod it threw out.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Eviction {
    /// `memory`, `ephemeral-storage`, `inodes`, ...
    pub resource: String,
    /// The eviction threshold and what was available, bytes.
    pub threshold: Option<u64>,
    /// Bytes available when it happened.
    pub available: Option<u64>,
    /// Each container it names: its name, bytes used, bytes requested.
    pub containers: Vec<(String, Option<u64>, Option<u64>)>,
    /// Whether a limit of the pod's own storage was exceeded, not the node's.
    pub own_limit: bool,
    /// Whether the node refused to take the pod in the first place.
    pub refused: bool,
    /// Whether it was refused for the node's condition, not for its request.
    pub condition: bool,
    /// Whether it is the kubelet's own log or event, which names no container.
    pub pressure: bool,
}

/// A kill by a daemon of user space.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ByDaemon {
    /// `systemd-oomd`, `earlyoom`.
    pub by: &'static str,
    /// Whether it killed; else it only weighed.
    pub done: bool,
    /// The cgroups or processes, in the order of their ends.
    pub victims: Vec<String>,
    /// The cgroup whose pressure it was.
    pub of: Option<String>,
    /// The pressure, what it was allowed to be, and for how long, as printed.
    pub pressure: Option<(String, String, String)>,
    /// The machine's memory in use, and all of it, bytes.
    pub memory: Option<(u64, u64)>,
    /// Swap in use, and all of it, bytes.
    pub swap: Option<(u64, u64)>,
    /// What the last victim held, bytes.
    pub held: Option<u64>,
    /// Processes that ended with it.
    pub processes: Option<u64>,
}

/// A container or service that was killed, by its status.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Terminated {
    /// Its name, or its pod's.
    pub name: String,
    /// Its limit, bytes.
    pub limit: Option<u64>,
    /// How often it was restarted.
    pub restarts: Option<u64>,
    /// Whether the status knows no more than the signal: SIGKILL, exit code 137.
    pub signal: bool,
}

/// What is said of a kind of message.
#[derive(Debug, PartialEq, Eq)]
pub struct Known {
    /// The answer's code.
    pub code: &'static str,
    /// What happened; what stands in braces is said where a size is known, which is its `@`.
    pub says: &'static str,
    /// By what, or by what not.
    pub why: &'static str,
    /// The next step.
    pub next: &'static str,
}

/// Memory that was not given.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// What kind of message it is.
    pub known: &'static Known,
    /// The size that it names, bytes.
    pub size: Option<u64>,
}

/// One cache of kernel objects.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Cache {
    /// Its name.
    pub name: String,
    /// Its size, bytes.
    pub bytes: u64,
    /// Its objects.
    pub objects: u64,
    /// Percent of them in use.
    pub used: u64,
}

/// One process. Bytes; none where the form has no such column.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Process {
    /// Its command.
    pub name: String,
    /// Resident, shared pages included.
    pub rss: u64,
    /// Resident, each shared page divided by those who share it.
    pub pss: Option<u64>,
    /// Resident pages nobody shares.
    pub private: Option<u64>,
    /// The anonymous part of `pss` (of `rss` where there is no pss).
    pub anon: Option<u64>,
    /// The file part of it.
    pub file: Option<u64>,
    /// The shared memory (tmpfs) part of it.
    pub shmem: Option<u64>,
    /// Swapped out.
    pub swap: Option<u64>,
}

/// A runtime's own account.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Runtime {
    /// `the JVM`, `Go`, ...
    pub name: &'static str,
    /// What it took from the kernel by its own account, bytes.
    pub total: u64,
    /// What of it is live or used heap.
    pub live: Option<u64>,
    /// Resident memory by the operating system, where the same text has it.
    pub rss: Option<u64>,
}

/// One row over time.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Series {
    /// The row.
    pub row: String,
    /// (seconds, bytes), in order of time; where there are no times, (index, bytes).
    pub points: Vec<(f64, u64)>,
    /// Whether there are no times.
    pub untimed: bool,
    /// Of a process, the first and the last of its heap by its own account, bytes.
    pub heap: Option<(u64, u64)>,
}

impl Series {
    /// A row at its times.
    pub fn of(row: impl Into<String>, points: Vec<(f64, u64)>) -> Series {
        Series {
            row: row.into(),
            points,
            ..Series::default()
        }
    }

    /// A row at its times where all are known and rise, else by number.
    pub fn timed(row: &str, points: Vec<(Option<f64>, u64)>) -> Series {
        let rising = points.windows(2).all(|two| two[0].0 < two[1].0);
        let untimed = !rising || points.iter().any(|(at, _)| at.is_none());
        let points = points.into_iter().enumerate();
        let at = |index, at: Option<f64>| at.filter(|_| !untimed).unwrap_or(index as f64);
        let points = points.map(|(index, (stamp, bytes))| (at(index, stamp), bytes));
        Series {
            untimed,
            ..Series::of(row, points.collect())
        }
    }
}

/// What a reading is about, beside its rows.
#[derive(Debug, Clone, Default, PartialEq)]
pub enum What {
    /// Rows of memory.
    #[default]
    Memory,
    /// The kernel killed, or had nothing more to give.
    Kill(Box<Oom>),
    /// The kubelet evicted.
    Evicted(Eviction),
    /// A daemon of user space killed.
    ByDaemon(Box<ByDaemon>),
    /// A status that says `OOMKilled`.
    Terminated(Terminated),
    /// A platform's own message: (limit, used), bytes.
    OverLimit(u64, Option<u64>),
    /// A runtime at its own maximum, or an allocation that was refused.
    Failure(Failure),
    /// slabtop, /proc/slabinfo.
    Slab(Vec<Cache>),
    /// ps, top, smem, smaps_rollup.
    Processes(Vec<Process>),
    /// A runtime's account.
    Runtime(Runtime),
    /// One thing at several times.
    Series(Series),
    /// A machine by its NUMA nodes.
    Nodes(Vec<Zone>),
    /// Free blocks of a machine's zones: how many of each order.
    Blocks(Vec<(String, Vec<u64>)>),
}
