//! Answers to what is no reading of a cgroup: messages, kernel objects, processes, runtimes.

use super::{Answer, Case, NEXT_FILES, Said, named, share};
use crate::explain::What;
use crate::explain::kinds::{ByDaemon, Eviction, Failure, Process, Terminated};
use crate::units::bytes;

/// The kubelet's and a platform's messages.
pub fn told(case: &Case) -> Option<Answer> {
    match &case.reading().what {
        What::Evicted(eviction) => evicted(eviction),
        What::OverLimit(limit, used) => over_limit(case, *limit, *used),
        What::ByDaemon(killed) => by_daemon(killed),
        What::Terminated(ended) => terminated(case, ended),
        What::Failure(failure) => failed(case, failure),
        _ => None,
    }
}

/// Memory that was not given, and how far the container beside it was from its limit.
fn failed(case: &Case, failure: &Failure) -> Option<Answer> {
    let known = failure.known;
    let (head, rest) = known.says.split_once('{').unwrap_or((known.says, ""));
    let (clause, tail) = rest.split_once('}').unwrap_or(("", rest));
    let clause = failure.size.said(clause);
    let beside = beside(case, None);
    Answer::new(
        known.code,
        format!("{head}{clause}{tail}: {}{beside}.", known.why),
        known.next,
    )
}

/// How far a container in the same paste was from its limit, as a clause.
fn beside(case: &Case, limit: Option<u64>) -> String {
    let told = case.others().iter().find_map(|reading| {
        let usage = reading.view().usage.or(reading.working_set)?;
        let limit = reading.limit().or(limit)?;
        Some(format!(
            "; {} was at {} of its limit of {}",
            named(reading),
            bytes(usage),
            bytes(limit)
        ))
    });
    told.unwrap_or_default()
}

/// What ends a pod, or keeps it away, without a container's use.
fn without_use(eviction: &Eviction) -> Option<Answer> {
    let resource = &eviction.resource;
    if eviction.refused {
        let why = if eviction.condition {
            format!("it is short of {resource} and takes no such pod until that is over")
        } else {
            format!("its request of {resource} did not fit beside the pods that run there")
        };
        return Answer::new(
            "not_admitted",
            format!("The node refused the pod: {why}; nothing was killed."),
            "kubectl describe node NODE (Conditions, Allocated resources); lower the request or add a node",
        );
    }
    if resource == "priority" {
        return Answer::new(
            "preempted",
            "Ended for a pod of higher priority, not for its memory: no limit was hit and the node was not short by what it used.",
            "kubectl get events names who came; give it a PriorityClass of its own, or lower requests so that both fit",
        );
    }
    if eviction.pressure {
        return Answer::new(
            "node_evicting",
            format!(
                "The node is evicting to win {resource} back: no container's limit was hit; whom it takes, and by how much they were above their request, stands in those pods' own messages."
            ),
            "kubectl get pods -A --field-selector status.phase=Failed -o custom-columns=POD:.metadata.name,WHY:.status.message",
        );
    }
    None
}

/// A kill by a daemon: for pressure or a share of the machine, never for a limit.
fn by_daemon(killed: &ByDaemon) -> Option<Answer> {
    let victim = killed.victims.last().map_or("a cgroup", String::as_str);
    let short = victim.rsplit('/').next().unwrap_or(victim);
    let others = match killed.victims.len() {
        0 | 1 => String::new(),
        n => format!(" and {} more", n - 1),
    };
    let processes = match killed.processes {
        Some(1) => " (1 process)".to_string(),
        Some(n) => format!(" ({n} processes)"),
        None => String::new(),
    };
    let held = killed.held.said(", which held @,");
    let of_all = |pair: Option<(u64, u64)>, name: &str| {
        pair.map(|(used, all)| format!("{} of {} {name}", bytes(used), bytes(all)))
    };
    let why: Vec<String> = killed
        .pressure
        .as_ref()
        .map(|(is, limit, span)| {
            let of = killed
                .of
                .as_deref()
                .and_then(|of| of.rsplit('/').next())
                .unwrap_or("its slice");
            let span = (!span.is_empty()).then(|| format!(" for more than {span}"));
            let span = span.unwrap_or_default();
            format!("processes in {of} waited for memory {is} of the time (allowed {limit}{span})")
        })
        .into_iter()
        .chain(of_all(killed.memory, "memory was in use"))
        .chain(of_all(killed.swap, "swap was in use"))
        .collect();
    let why = (!why.is_empty()).then(|| format!(": {}", why.join(" and ")));
    let why = why.unwrap_or_default();
    let next = match killed.by {
        "earlyoom" => {
            "ps aux --sort -rss | head: bound who grows (MemoryMax=); earlyoom's -m and -s set its thresholds, --avoid spares a program"
        }
        "Talos' OOM controller" => {
            "talosctl read /proc/pressure/memory: it kills for pressure, at worst with memory free; an OOMConfig document sets its triggerExpression"
        }
        _ => {
            "oomctl shows who is watched; bound who holds the memory (MemoryHigh=), or for the victim ManagedOOMPreference=avoid, for its slice ManagedOOMMemoryPressureLimit="
        }
    };
    let sentence = if killed.done {
        format!(
            "{short}{others}{processes}{held} was killed by {}, not by the kernel and by no limit{why}.",
            killed.by
        )
    } else {
        format!(
            "{} weighed whom to kill, the first was {short}{held} but nothing here says that it did{why}.",
            killed.by
        )
    };
    Answer::new("oom_daemon", sentence, next)
}

/// A status that says no more than that it was killed.
fn terminated(case: &Case, ended: &Terminated) -> Option<Answer> {
    let beside = beside(case, ended.limit);
    let limit = ended.limit.said(" (limit @)");
    let times = match ended.restarts {
        Some(n) if n > 1 => format!(", restarted {n} times"),
        _ => String::new(),
    };
    if ended.signal {
        return Answer::new(
            "sigkill",
            format!(
                "{}{limit} was ended by SIGKILL (signal 9, exit code 137){times}, and its status names no OOM kill: that is the kernel's OOM killer \
                 out of the runtime's sight (the machine's memory, a child process), a stop that ran into its grace period, or a failed probe{beside}.",
                ended.name
            ),
            "dmesg -T | grep -iE 'killed process|oom' on that machine at that time; nothing there: kubectl describe (Events: Liveness, Preempted), docker events",
        );
    }
    Answer::new(
        "oom_status",
        format!(
            "{}{limit} was killed by the OOM killer{times}: most likely at its own limit, but the status says the same when the pod's or the machine's memory ran out, and not what held it{beside}.",
            ended.name
        ),
        "on that node: dmesg -T | grep -B 60 'Killed process', and paste that: it has the limit, whose it was and what the memory was",
    )
}

fn evicted(eviction: &Eviction) -> Option<Answer> {
    let resource = &eviction.resource;
    if let Some(answer) = without_use(eviction) {
        return Some(answer);
    }
    if resource != "memory" {
        let whose = if eviction.own_limit {
            "its own limit of storage"
        } else {
            "the node's shortage"
        };
        return Answer::new(
            "evicted_storage",
            format!(
                "Evicted for {resource} ({whose}), not for memory: no memory limit was involved."
            ),
            "find what it writes: `kubectl exec POD -- du -xh / | sort -h | tail`; raise the request or limit of ephemeral-storage",
        );
    }
    let short = match eviction.available.zip(eviction.threshold) {
        Some((available, threshold)) => format!(
            ": memory.available {} was below the threshold of {}",
            bytes(available),
            bytes(threshold)
        ),
        None => String::new(),
    };
    // The kubelet ranks by use above the request.
    let over = |used: &Option<u64>, request: &Option<u64>| {
        used.unwrap_or(0).saturating_sub(request.unwrap_or(0))
    };
    let worst = eviction
        .containers
        .iter()
        .max_by_key(|(_, used, request)| over(used, request));
    let why = match worst {
        Some((name, Some(used), Some(0))) => format!(
            "; this pod was taken since {name} used {} and requests nothing",
            bytes(*used)
        ),
        Some((name, Some(used), Some(request))) if used > request => format!(
            "; this pod was taken since {name}'s working set of {} was {:.1} times its request of {}",
            bytes(*used),
            *used as f64 / *request as f64,
            bytes(*request)
        ),
        Some((name, Some(used), Some(request))) => format!(
            "; {name} was within its request ({} of {}), so it went by priority",
            bytes(*used),
            bytes(*request)
        ),
        Some((name, Some(used), None)) => format!("; {name} was using {}", bytes(*used)),
        _ => String::new(),
    };
    Answer::new(
        "evicted_memory",
        format!("Evicted by the node, not killed by a limit{short}{why}."),
        "raise the container's memory request to what it uses, or bound what it uses; a larger limit makes it worse",
    )
}

fn over_limit(case: &Case, limit: u64, used: Option<u64>) -> Option<Answer> {
    let platform = case.reading().source;
    if case.reading().label == "Heroku R14" {
        let used = used.unwrap_or(limit);
        return Answer::new(
            "platform_limit",
            format!(
                "The dyno is over its quota of {} at {}: {} of it in swap at least. Heroku lets it run on, slowly (R14), and ends it at twice the quota (R15).",
                bytes(limit),
                bytes(used),
                bytes(used.saturating_sub(limit))
            ),
            "find what holds it: fewer workers (WEB_CONCURRENCY), a heap profile, jemalloc for Ruby; or a larger dyno",
        );
    }
    let used = used.said(" at @");
    let (files, next) = match platform {
        "Cloud Run" => (
            " Its file system is memory: files written to / or /tmp count.",
            "look at files first (`du -xh / | sort -h | tail`), then concurrency times heap; then raise --memory",
        ),
        "AWS Lambda" => (
            "",
            "raise the function's memory, or find what it keeps between calls; /tmp is not memory there",
        ),
        "YARN" => (
            "",
            "raise spark.executor.memoryOverhead (or mapreduce.*.memory.mb): the heap alone is not the container",
        ),
        _ => (
            "",
            "find what holds it: a heap profile, fewer workers; or a larger instance",
        ),
    };
    Answer::new(
        "platform_limit",
        format!(
            "The instance was ended by {platform}'s limit of {}{used}.{files}",
            bytes(limit)
        ),
        next,
    )
}

/// Numbers that cannot be of one owner.
pub fn contradiction(case: &Case) -> Option<Answer> {
    let found = &case.facts.contradictions;
    let worst = found
        .iter()
        .find(|c| !c.settled)
        .or_else(|| found.first())?;
    let reading = case.reading();
    let rest = match worst.name {
        "lxcfs_mixes_host_rows" => {
            let get = |row: &str| reading.rows.get(row);
            let used = get("node:MemTotal")?.saturating_sub(get("node:MemFree")?);
            let swap = get("node:SwapTotal").zip(get("node:SwapFree"));
            let swap = swap
                .map(|(total, free)| total.saturating_sub(free))
                .filter(|swap| *swap > 0);
            let swap = swap.said(", and @ in swap");
            format!(
                " The container itself uses {} of {}{swap}.",
                bytes(used),
                bytes(get("node:MemTotal")?)
            )
        }
        "swap_equals_usage" => match (case.facts.view.rss, case.facts.view.usage) {
            (Some(rss), Some(usage)) => {
                format!(" Of the usage {} is anonymous memory.", share(rss, usage))
            }
            _ => String::new(),
        },
        _ if !worst.settled => " Nothing computed from them means anything.".into(),
        // What is left is explained as usual, and the contradiction comes below it.
        _ => return None,
    };
    let next = match worst.name {
        "lxcfs_mixes_host_rows" => {
            "cat /sys/fs/cgroup/memory.stat /sys/fs/cgroup/memory.current in the container instead of /proc/meminfo"
        }
        "swap_equals_usage" => {
            "update cAdvisor or the kubelet; until then subtract container_memory_usage_bytes from it"
        }
        _ => "read usage and memory.stat of the same cgroup again, in one command, several times",
    };
    Answer::new("contradiction", worst.sentence.clone() + &rest, next)
}

/// The machine's kernel objects.
pub fn slab(case: &Case) -> Option<Answer> {
    let What::Slab(caches) = &case.reading().what else {
        return None;
    };
    let total = case.reading().rows.get("node:Slab")?;
    let first = caches.first()?;
    if first.bytes.saturating_mul(2) < total {
        let names: Vec<String> = caches
            .iter()
            .take(3)
            .map(|c| format!("{} {}", c.name, bytes(c.bytes)))
            .collect();
        return Answer::new(
            "slab_mixed",
            format!(
                "The machine's kernel objects take {}: {}; none of them stands out.",
                bytes(total),
                names.join(", ")
            ),
            "grep -E 'SReclaimable|SUnreclaim' /proc/meminfo tells what of it can be taken back",
        );
    }
    let droppable = [
        "dentry",
        "inode",
        "buffer_head",
        "radix_tree_node",
        "xa_node",
    ]
    .iter()
    .any(|known| first.name.contains(known));
    let (what, next) = if droppable {
        (
            "the kernel drops them under pressure",
            "echo 2 > /proc/sys/vm/drop_caches shows whether it can; look for programs that look up many files",
        )
    } else {
        (
            "unreclaimable: the kernel's own, in no container's memory.stat and in no process",
            "a kernel leak: look the name up with the kernel's version, update the kernel, reboot to get it back",
        )
    };
    let of = match first.name.as_str() {
        "ebitmap_node" | "avtab_node" => " (SELinux policy objects)",
        "task_struct" => " (threads)",
        _ => "",
    };
    Answer::new(
        "kernel_leak",
        format!(
            "{}{of} holds {} of the machine's {} of kernel objects ({:.1} %): {} objects, {} % in use, {what}.",
            first.name,
            bytes(first.bytes),
            bytes(total),
            first.bytes as f64 / total.max(1) as f64 * 100.0,
            first.objects,
            first.used
        ),
        next,
    )
}

/// Sums over processes, none where no process gives it.
pub fn sum(processes: &[Process], of: impl Fn(&Process) -> Option<u64>) -> Option<u64> {
    processes.iter().filter_map(of).reduce(u64::saturating_add)
}

/// Several processes, or one.
pub fn processes(case: &Case) -> Option<Answer> {
    let all = case.reading().processes()?;
    let rss = sum(all, |p| Some(p.rss)).unwrap_or(0);
    let count = match all.len() {
        1 => "One process holds".to_string(),
        n => format!("{n} processes hold"),
    };
    let largest = all
        .iter()
        .max_by_key(|p| p.pss.unwrap_or(p.rss))
        .filter(|p| !p.name.is_empty());
    let largest = largest.map_or(String::new(), |p| match all.len() {
        1 => format!(" by {}", p.name),
        _ => format!(
            "; the largest is {} with {}",
            p.name,
            bytes(p.pss.unwrap_or(p.rss))
        ),
    });
    let private = sum(all, |p| p.private).said("; private @");
    let parts = [
        ("heap", sum(all, |p| p.anon)),
        ("files", sum(all, |p| p.file)),
        ("shared memory", sum(all, |p| p.shmem)),
    ];
    let parts: Vec<String> = parts
        .iter()
        .filter_map(|(name, b)| b.map(|b| format!("{} {name}", bytes(b))))
        .collect();
    let parts = (!parts.is_empty()).then(|| format!(" ({})", parts.join(", ")));
    let parts = parts.unwrap_or_default();
    let sentence = match sum(all, |p| p.pss) {
        Some(pss) if all.len() > 1 => format!(
            "{count} {} together by Pss{parts}{private}{largest}; their Rss adds up to {}, which counts shared pages in each of them.",
            bytes(pss),
            bytes(rss)
        ),
        Some(pss) => format!(
            "{count} {} by Pss{parts}, {} by Rss{private}.",
            bytes(pss),
            bytes(rss)
        ),
        None if all.len() > 1 => format!(
            "{count} at most {} together{parts}: shared pages are counted in each of them{private}{largest}.",
            bytes(rss)
        ),
        None => format!("{count} {} resident{parts}{private}{largest}.", bytes(rss)),
    };
    let swap = sum(all, |p| p.swap).filter(|swap| *swap >= 1 << 20);
    let sentence = match swap {
        Some(swap) => format!(
            "{}; {} more in swap.",
            sentence.trim_end_matches('.'),
            bytes(swap)
        ),
        None => sentence,
    };
    Answer::new(
        "processes",
        sentence,
        format!("page cache, unmapped tmpfs and kernel memory are in no process: {NEXT_FILES}"),
    )
}

/// What a finding says in one sentence already.
pub fn by_finding(case: &Case) -> Option<Answer> {
    let found = |code: &str| case.finding(code);
    for (finding, code, next) in [
        (
            "memory_high_stall",
            "stalled",
            "raise memory.high or remove it (`echo max > memory.high`)",
        ),
        (
            "cgroup_count",
            "cgroups_kept",
            "find /sys/fs/cgroup -name memory.stat | wc -l: the rest were removed and live on",
        ),
    ] {
        if let Some(sentence) = found(finding) {
            return Answer::new(code, sentence, next);
        }
    }
    let alone = case
        .reading()
        .rows
        .iter()
        .all(|(name, _)| name.starts_with("memory.pressure"));
    if let Some(sentence) = found("pressure").filter(|_| alone) {
        return Answer::new(
            "pressure",
            format!("{}: {sentence}", named(case.reading())),
            "cat memory.stat memory.current memory.max memory.high of the same cgroup",
        );
    }
    None
}
