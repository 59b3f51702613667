//! A runtime's own account, alone and beside what others count.

use super::{Answer, Case, Said, compare, share};
use crate::explain::Reading;
use crate::explain::kinds::{Process, Runtime};
use crate::explain::number::sum;
use crate::units::bytes;

/// `By its own account the JVM took 1.2 GiB from the kernel, 800 MiB of it heap in use`.
fn account(runtime: &Runtime) -> String {
    let live = runtime.live.said(", @ of it heap in use");
    let (name, total) = (runtime.name, bytes(runtime.total));
    format!("By its own account {name} took {total} from the kernel{live}")
}

/// What of rss lies outside the account, and the next step.
fn outside(runtime: &Runtime, rss: u64) -> (String, &'static str) {
    let all = bytes(rss);
    if rss > runtime.total {
        let rest = share(rss - runtime.total, rss);
        return (
            format!(
                "; of rss {all} the other {rest} lie outside its account (allocator, stacks, libraries, mapped files)"
            ),
            "cat /proc/PID/smaps_rollup tells what the rest is; a native profiler (jemalloc, heaptrack) who took it",
        );
    }
    (
        format!(
            "; rss is {all}, so part of what it took was never touched, was given back or is swapped out"
        ),
        "compare rss, not the account, with the limit; grep VmSwap /proc/PID/status",
    )
}

/// The account alone.
pub fn alone(case: &Case) -> Option<Answer> {
    let runtime = case.reading().runtime()?;
    let (outside, next) = match runtime.rss {
        Some(rss) => outside(runtime, rss),
        None => (
            "; what the kernel charges to the container is not among these numbers".into(),
            "grep -E 'VmRSS|RssAnon' /proc/PID/status beside it, and memory.stat of the container",
        ),
    };
    Answer::new(
        "runtime_account",
        format!("{}{outside}.", account(runtime)),
        next,
    )
}

/// The account beside a list of processes or what is charged to the container.
pub fn beside(case: &Case) -> Option<Answer> {
    let all = case.others();
    let runtime = all.iter().find_map(Reading::runtime)?;
    let listed = |reading: &Reading| Some(process(runtime, reading.processes()?)?.rss);
    let rss = runtime.rss.or_else(|| all.iter().find_map(listed));
    let charged = all.iter().filter(|reading| reading.is_charged());
    let mut charged = charged.filter_map(|reading| Some((reading, reading.value()?)));
    let charged = charged.next();
    if rss == runtime.rss && charged.is_none() {
        return None;
    }
    let (mut text, mut next) = match rss {
        Some(rss) => outside(runtime, rss),
        None => (String::new(), super::NEXT_FILES),
    };
    if let Some((reading, value)) = charged {
        let (clause, step) = charge(reading, value, runtime, rss);
        text.push_str(&clause);
        next = step.unwrap_or(next);
    }
    Answer::new(
        "runtime_account",
        format!("{}{text}.", account(runtime)),
        next,
    )
}

/// What the container is charged beyond the account.
fn charge(
    reading: &Reading,
    value: u64,
    runtime: &Runtime,
    rss: Option<u64>,
) -> (String, Option<&'static str>) {
    let (tool, counts) = (compare::called(reading), compare::counts(reading).phrase());
    let says = format!("; {tool} says {} ({counts})", bytes(value));
    // Known rows beat what the difference of two tools leaves open.
    let anon = reading.view().rss.filter(|_| reading.version.is_some());
    if let Some(anon) = anon {
        let over = anon.saturating_sub(runtime.total);
        let covers = if over > anon / 20 {
            Some(over).said("so at least @ of heap-like memory lie outside the account")
        } else {
            "which the account covers".into()
        };
        let anon = bytes(anon);
        return (format!("{says}, {anon} of it anonymous, {covers}"), None);
    }
    let known = rss.unwrap_or(runtime.total);
    let over = value.saturating_sub(known);
    if over <= value / 20 {
        return (says + ", which that covers", None);
    }
    let (of, or) = match rss {
        Some(_) => ("in no page of the process", "or another process"),
        None => ("outside its account", "native allocations"),
    };
    let over = bytes(over);
    (
        format!("{says}: another {over} {of}: page cache, tmpfs, kernel memory, {or}"),
        rss.is_none().then_some(
            "grep -E 'VmRSS|RssAnon|RssFile' /proc/PID/status, and memory.stat of the container: the first tells native memory from cache",
        ),
    )
}

/// The runtime's process in a list: by name, else the only one or the largest by far.
fn process<'a>(runtime: &Runtime, list: &'a [Process]) -> Option<&'a Process> {
    let name = match runtime.name {
        "Redis" => "redis",
        "Node.js (V8)" => "node",
        name if name.starts_with("the JVM") => "java",
        _ => "",
    };
    let named = list
        .iter()
        .filter(|process| !name.is_empty() && process.name.contains(name))
        .max_by_key(|process| process.rss);
    let largest = list.iter().max_by_key(|process| process.rss)?;
    let rest = sum(list.iter().map(|process| process.rss));
    named.or((largest.rss >= rest / 2).then_some(largest))
}
