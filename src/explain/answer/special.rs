//! Answers to what is no reading of a cgroup: messages, kernel objects, processes, runtimes.

use super::{Answer, Case, NEXT_FILES, Said, named, share};
use crate::explain::What;
use crate::explain::kinds::{ByDaemon, Eviction, Failure, Process, Terminated};
use crate::explain::number::percent;
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
    let (clause, why, beside) = (failure.size.said(clause), known.why, beside(case, None));
    let sentence = format!("{head}{clause}{tail}: {why}{beside}.");
    Answer::new(known.code, sentence, known.next)
}

/// How far a container in the same paste was from its limit, as a clause.
fn beside(case: &Case, limit: Option<u64>) -> String {
    let told = case.others().iter().find_map(|reading| {
        let usage = reading.view().usage.or(reading.working_set)?;
        let limit = reading.limit().or(limit)?;
        let (name, [usage, limit]) = (named(reading), [usage, limit].map(bytes));
        Some(format!("; {name} was at {usage} of its limit of {limit}"))
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
    let waited = killed.pressure.as_ref().map(|(is, limit, span)| {
        let of = killed.of.as_deref().and_then(|of| of.rsplit('/').next());
        let of = of.unwrap_or("its slice");
        let span = match span.as_str() {
            "" => String::new(),
            span => format!(" for more than {span}"),
        };
        format!("processes in {of} waited for memory {is} of the time (allowed {limit}{span})")
    });
    let memory = of_all(killed.memory, "memory was in use");
    let swap = of_all(killed.swap, "swap was in use");
    let why: Vec<String> = [waited, memory, swap].into_iter().flatten().collect();
    let why = match &why[..] {
        [] => String::new(),
        why => format!(": {}", why.join(" and ")),
    };
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
    let by = killed.by;
    let sentence = if killed.done {
        format!(
            "{short}{others}{processes}{held} was killed by {by}, not by the kernel and by no limit{why}."
        )
    } else {
        format!(
            "{by} weighed whom to kill, the first was {short}{held} but nothing here says that it did{why}."
        )
    };
    Answer::new("oom_daemon", sentence, next)
}

/// A status that says no more than that it was killed.
fn terminated(case: &Case, ended: &Terminated) -> Option<Answer> {
    let (name, beside) = (&ended.name, beside(case, ended.limit));
    let limit = ended.limit.said(" (limit @)");
    let times = match ended.restarts {
        Some(n) if n > 1 => format!(", restarted {n} times"),
        _ => String::new(),
    };
    if ended.signal {
        return Answer::new(
            "sigkill",
            format!(
                "{name}{limit} was ended by SIGKILL (signal 9, exit code 137){times}, and its status names no OOM kill: that is the kernel's OOM killer \
                 out of the runtime's sight (the machine's memory, a child process), a stop that ran into its grace period, or a failed probe{beside}."
            ),
            "dmesg -T | grep -iE 'killed process|oom' on that machine at that time; nothing there: kubectl describe (Events: Liveness, Preempted), docker events",
        );
    }
    Answer::new(
        "oom_status",
        format!(
            "{name}{limit} was killed by the OOM killer{times}: most likely at its own limit, but the status says the same when the pod's or the machine's memory ran out, and not what held it{beside}."
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
    let both = eviction.available.zip(eviction.threshold);
    let short = both.map_or(String::new(), |(available, threshold)| {
        let [is, least] = [available, threshold].map(bytes);
        format!(": memory.available {is} was below the threshold of {least}")
    });
    // The kubelet ranks by use above the request.
    let over = |used: &Option<u64>, request: &Option<u64>| {
        used.unwrap_or(0).saturating_sub(request.unwrap_or(0))
    };
    let all = eviction.containers.iter();
    let worst = all.max_by_key(|(_, used, request)| over(used, request));
    let why = worst.map_or(String::new(), |(name, used, request)| match (*used, *request) {
        (Some(used), Some(0)) => {
            let used = bytes(used);
            format!("; this pod was taken since {name} used {used} and requests nothing")
        }
        (Some(used), Some(request)) => {
            let times = used as f64 / request as f64;
            let [is, asked] = [used, request].map(bytes);
            if used > request {
                format!("; this pod was taken since {name}'s working set of {is} was {times:.1} times its request of {asked}")
            } else {
                format!("; {name} was within its request ({is} of {asked}), so it went by priority")
            }
        }
        (Some(used), None) => format!("; {name} was using {}", bytes(used)),
        (None, _) => String::new(),
    });
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
        let [limit, used, over] = [limit, used, used.saturating_sub(limit)].map(bytes);
        return Answer::new(
            "platform_limit",
            format!(
                "The dyno is over its quota of {limit} at {used}: {over} of it in swap at least. Heroku lets it run on, slowly (R14), and ends it at twice the quota (R15)."
            ),
            "find what holds it: fewer workers (WEB_CONCURRENCY), a heap profile, jemalloc for Ruby; or a larger dyno",
        );
    }
    let (limit, used) = (bytes(limit), used.said(" at @"));
    let files = match platform {
        "Cloud Run" => " Its file system is memory: files written to / or /tmp count.",
        _ => "",
    };
    let next = match platform {
        "Cloud Run" => {
            "look at files first (`du -xh / | sort -h | tail`), then concurrency times heap; then raise --memory"
        }
        "AWS Lambda" => {
            "raise the function's memory, or find what it keeps between calls; /tmp is not memory there"
        }
        "YARN" => {
            "raise spark.executor.memoryOverhead (or mapreduce.*.memory.mb): the heap alone is not the container"
        }
        _ => "find what holds it: a heap profile, fewer workers; or a larger instance",
    };
    Answer::new(
        "platform_limit",
        format!("The instance was ended by {platform}'s limit of {limit}{used}.{files}"),
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
            let get = |row: &str| reading.node(row);
            let total = get("MemTotal")?;
            let swap = get("SwapTotal").zip(get("SwapFree"));
            let swap = swap.map(|(total, free)| total.saturating_sub(free));
            let swap = swap.filter(|swap| *swap > 0).said(", and @ in swap");
            let used = total.saturating_sub(get("MemFree")?);
            let [used, total] = [used, total].map(bytes);
            format!(" The container itself uses {used} of {total}{swap}.")
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
    let whole = case.reading().node("Slab")?;
    let first = caches.first()?;
    let total = bytes(whole);
    if first.bytes.saturating_mul(2) < whole {
        let largest = caches.iter().take(3);
        let named = largest.map(|c| format!("{} {}", c.name, bytes(c.bytes)));
        let names = named.collect::<Vec<_>>().join(", ");
        return Answer::new(
            "slab_mixed",
            format!("The machine's kernel objects take {total}: {names}; none of them stands out."),
            "grep -E 'SReclaimable|SUnreclaim' /proc/meminfo tells what of it can be taken back",
        );
    }
    const DROPPABLE: [&str; 5] = [
        "dentry",
        "inode",
        "buffer_head",
        "radix_tree_node",
        "xa_node",
    ];
    let (name, objects, used) = (&first.name, first.objects, first.used);
    let (what, next) = if DROPPABLE.iter().any(|known| name.contains(known)) {
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
    let of = match name.as_str() {
        "ebitmap_node" | "avtab_node" => " (SELinux policy objects)",
        "task_struct" => " (threads)",
        _ => "",
    };
    let (percent, size) = (percent(first.bytes, whole), bytes(first.bytes));
    Answer::new(
        "kernel_leak",
        format!(
            "{name}{of} holds {size} of the machine's {total} of kernel objects ({percent:.1} %): {objects} objects, {used} % in use, {what}."
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
    let most = |p: &Process| p.pss.unwrap_or(p.rss);
    let largest = all.iter().max_by_key(|p| most(p));
    let largest = largest.filter(|p| !p.name.is_empty());
    let (count, largest) = match all.len() {
        1 => (
            "One process holds".to_string(),
            largest.map(|p| format!(" by {}", p.name)),
        ),
        n => (
            format!("{n} processes hold"),
            largest.map(|p| format!("; the largest is {} with {}", p.name, bytes(most(p)))),
        ),
    };
    let largest = largest.unwrap_or_default();
    let private = sum(all, |p| p.private).said("; private @");
    let parts = sum(all, |p| p.anon).said(", @ heap")
        + &sum(all, |p| p.file).said(", @ files")
        + &sum(all, |p| p.shmem).said(", @ shared memory");
    let parts = match parts.strip_prefix(", ") {
        Some(parts) => format!(" ({parts})"),
        None => parts,
    };
    let rss = bytes(sum(all, |p| Some(p.rss)).unwrap_or(0));
    let sentence = match sum(all, |p| p.pss).map(bytes) {
        Some(pss) if all.len() > 1 => format!(
            "{count} {pss} together by Pss{parts}{private}{largest}; their Rss adds up to {rss}, which counts shared pages in each of them"
        ),
        Some(pss) => format!("{count} {pss} by Pss{parts}, {rss} by Rss{private}"),
        None if all.len() > 1 => format!(
            "{count} at most {rss} together{parts}: shared pages are counted in each of them{private}{largest}"
        ),
        None => format!("{count} {rss} resident{parts}{private}{largest}"),
    };
    let swap = sum(all, |p| p.swap).filter(|swap| *swap >= 1 << 20);
    let swap = swap.said("; @ more in swap");
    Answer::new(
        "processes",
        format!("{sentence}{swap}."),
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
    let mut rows = case.reading().rows.iter();
    let alone = rows.all(|(name, _)| name.starts_with("memory.pressure"));
    if let Some(sentence) = found("pressure").filter(|_| alone) {
        return Answer::new(
            "pressure",
            format!("{}: {sentence}", named(case.reading())),
            "cat memory.stat memory.current memory.max memory.high of the same cgroup",
        );
    }
    None
}
