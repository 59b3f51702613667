//! The answer: one sentence with the verdict, and the next command or setting.
//!
//! Rules are asked in order; the first that has something to say is the answer. What happened comes
//! before what is, the machine's state before a container's, and a contradiction before anything
//! that would be computed from it.

mod compare;
mod container;
mod kill;
mod machine;
pub mod recording;
mod runtime;
mod series;
mod special;
mod zones;

use super::Reading;
use super::account::Account;
use super::findings::{Facts, Finding};
use super::number::percent;
use super::said::Said;
use crate::rows::CgroupVersion;
use crate::units;

/// The verdict.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Answer {
    /// Stable: API of `--format json`.
    pub code: &'static str,
    /// What happened or what this is, whose limit, who holds the memory, what can be taken back.
    pub sentence: String,
    /// The next command to run or the setting to change.
    pub next: String,
}

impl Answer {
    fn new(
        code: &'static str,
        sentence: impl Into<String>,
        next: impl Into<String>,
    ) -> Option<Answer> {
        debug_assert!(
            CODES.iter().any(|(known, _)| *known == code),
            "{code} is not documented"
        );
        Some(Answer {
            code,
            sentence: sentence.into(),
            next: next.into(),
        })
    }
}

/// Every code, and when it is given. Codes are API: one may be added, none changes its meaning.
#[rustfmt::skip]
pub const CODES: &[(&str, &str)] = &[
    ("evicted_memory", "the kubelet evicted the pod since the node's memory ran short: no limit was hit"),
    ("evicted_storage", "the kubelet evicted the pod for disk space, inodes or pids, not for memory"),
    ("not_admitted", "the node refused the pod: its request did not fit"),
    ("node_evicting", "the kubelet's log or event: the node evicts to win memory back, whom is not said"),
    ("preempted", "ended for a pod of higher priority, not for what it used"),
    ("oom_daemon", "killed by systemd-oomd or earlyoom, not by the kernel and by no limit"),
    ("oom_status", "a status says OOMKilled: not by whose limit, nor what held the memory"),
    ("sigkill", "a status says SIGKILL or 137 and names no OOM kill: by whom is not known"),
    ("fragmented", "free memory is in pieces: large blocks can't be had"),
    ("platform_limit", "a platform (Cloud Run, Lambda, Heroku, YARN) ended the instance at its limit"),
    ("runtime_limit", "a runtime ended itself at its own maximum: no limit of the container or the kernel"),
    ("allocation_refused", "the kernel refused an allocation: no kill, and no container's limit"),
    ("oom_container_limit", "killed by the container's own limit"),
    ("oom_pod_limit", "killed by the pod's limit: another container of it may hold the memory"),
    ("oom_slice_limit", "killed by the limit of a slice, a service or all pods together"),
    ("oom_cgroup_limit", "killed by a cgroup's limit, whose it is not known"),
    ("oom_swap_limit", "killed by the limit of memory and swap together"),
    ("oom_machine", "the machine ran out of memory: no container's limit"),
    ("oom_machine_not_short", "the kernel killed although the machine had memory to take back"),
    ("oom_numa", "the NUMA nodes that the task may use were full, the machine was not"),
    ("oom_several", "several kills"),
    ("oom_counted", "counters say that the OOM killer was here"),
    ("contradiction", "two readings cannot both be of one owner"),
    ("memory_uncounted", "two tools differ in the dangerous direction: memory that no cgroup counts"),
    ("tools_differ", "two tools differ, and which rows lie between them"),
    ("tools_agree", "two tools give the same within their rounding"),
    ("outside_processes", "most of what is charged is in no process"),
    ("grows", "a series that grows"),
    ("falls", "a series that falls"),
    ("steady", "a series that stays within one percent"),
    ("difference", "before and after, row by row"),
    ("machine_short", "the machine has little left to give"),
    ("machine_not_short", "the machine has memory to give"),
    ("numa_uneven", "one NUMA node is full while another has memory"),
    ("huge_pages_reserved", "much of the machine is reserved as huge pages"),
    ("kernel_leak", "one kind of kernel object holds most of the machine's slab"),
    ("slab_mixed", "kernel objects, none of which stands out"),
    ("processes", "what processes hold together, shared pages counted once where that is known"),
    ("runtime_account", "a runtime's own account, and what of rss lies outside it"),
    ("pressure", "processes wait for memory"),
    ("stalled", "pushed back at memory.high until nothing moves"),
    ("cgroups_kept", "how many cgroups the kernel keeps"),
    ("near_limit", "little of the limit could be won back"),
    ("near_limit_cache", "at the limit, but with page cache that the kernel takes first"),
    ("near_limit_unknown", "near the limit, and what it is made of is not known"),
    ("not_heap", "most of the working set is not the programs' own memory"),
    ("heap", "mostly the programs' own memory"),
    ("cache", "mostly page cache"),
    ("tmpfs", "mostly tmpfs or shared memory"),
    ("kernel_memory", "mostly kernel memory, or memory in no row"),
    ("lazily_freed", "released with MADV_FREE: working_set does not see it"),
    ("mixed", "no part stands out"),
    ("only_working_set", "a working set and nothing else"),
    ("only_usage", "a usage and nothing else"),
    ("limit_only", "a limit without what is in use"),
    ("empty", "nothing is charged"),
    ("recording", "a whole recording: its peak, what was made of it, what a dashboard showed"),
];

/// Everything the rules look at.
pub struct Case<'a> {
    /// All readings of the input.
    pub all: &'a [Reading],
    /// The one that is explained.
    pub facts: &'a Facts<'a>,
    /// What follows from it, in sentences.
    pub findings: &'a [Finding],
    /// Whether one of several was asked for: then the others are no part of the answer.
    pub picked: bool,
}

impl Case<'_> {
    fn reading(&self) -> &Reading {
        self.facts.reading
    }

    fn finding(&self, code: &str) -> Option<String> {
        let found = self.findings.iter().find(|finding| finding.code == code);
        found.map(|finding| finding.sentence.clone())
    }

    fn account(&self) -> &Account {
        &self.facts.account
    }

    /// The readings that are to be set against each other.
    fn others(&self) -> &[Reading] {
        if self.picked { &[] } else { self.all }
    }
}

type Rule = fn(&Case) -> Option<Answer>;

const RULES: &[Rule] = &[
    special::told,
    kill::several,
    kill::one,
    series::over_time,
    runtime::beside,
    compare::nodes,
    compare::processes,
    compare::containers,
    compare::machine_and_containers,
    series::difference,
    special::contradiction,
    special::slab,
    special::processes,
    runtime::alone,
    special::by_finding,
    zones::nodes,
    zones::blocks,
    compare::machine_and_processes,
    machine::machine,
    container::killed_before,
    container::working_set_and_rss,
    container::near_limit,
    container::made_of,
    container::single,
];

/// The answer to a case.
pub fn of(case: &Case) -> Answer {
    let found = RULES.iter().find_map(|rule| rule(case));
    let mut answer = found.unwrap_or_else(|| Answer {
        code: "only_usage",
        sentence: format!(
            "{}: nothing follows from these numbers alone.",
            named(case.reading())
        ),
        next: NEXT_FILES.into(),
    });
    let mut versions = case.all.iter().filter_map(Reading::cgroup).peekable();
    if versions.peek().is_some() && versions.all(|version| version == CgroupVersion::V1) {
        answer.next = on_v1(&answer.next);
    }
    answer
}

/// A command on v2's files as it is on v1; what names both stays.
fn on_v1(next: &str) -> String {
    if next.contains("cgroup v1") {
        return next.to_owned();
    }
    next.replace("/sys/fs/cgroup/memory.", "/sys/fs/cgroup/memory/memory.")
        .replace("memory.current", "memory.usage_in_bytes")
        .replace("memory.max ", "memory.limit_in_bytes ")
}

/// The container's own kernel files: the next step wherever one number says too little.
const NEXT_FILES: &str = "inside the container: `cd /sys/fs/cgroup; head -n 99 memory.*` (cgroup v1: \
                          /sys/fs/cgroup/memory), and paste that";

/// What a reading is called in a sentence.
fn named(reading: &Reading) -> String {
    let label = reading.label.as_str();
    let short: String = label.chars().take(70).collect();
    let plain = ["standard input", "a paste", "given on the command line", ""];
    if plain.contains(&label) || reading.source == "kernel files" && reading.path.is_none() {
        return "This cgroup".into();
    }
    match short.chars().next() {
        // A file's name is no cgroup's.
        Some(_) if reading.path.is_none() && reading.container.is_none() && label.contains('/') => {
            "This cgroup".into()
        }
        Some(first)
            if reading.container.is_none() && reading.path.is_none() && first.is_lowercase() =>
        {
            first.to_uppercase().chain(short.chars().skip(1)).collect()
        }
        _ => short,
    }
}

/// Parts with their sizes, the largest first: that one where it is anything, and of the others what is more than a
/// fifth of the whole, which is worth a word.
fn largest<T>(
    parts: impl IntoIterator<Item = (u64, T)>,
    whole: u64,
) -> impl Iterator<Item = (u64, T)> {
    let mut parts: Vec<(u64, T)> = parts.into_iter().collect();
    parts.sort_by_key(|(size, _)| std::cmp::Reverse(*size));
    let much = parts.into_iter().enumerate();
    let much = much.filter(move |(at, (size, _))| *size > whole / 5 || *at == 0 && *size > 0);
    much.map(|(_, part)| part)
}

/// A list in a sentence; what is said in place of an empty one.
fn listed(items: &[String], none: &str) -> String {
    match items {
        [] => none.into(),
        items => items.join(", "),
    }
}

/// `1.5 GiB (75 %)`.
fn share(part: u64, whole: u64) -> String {
    let size = units::bytes(part);
    match whole {
        0 => size,
        // Per-CPU batches can take a part a little above its whole.
        whole => format!("{size} ({:.1} %)", percent(part, whole).min(100.0)),
    }
}
