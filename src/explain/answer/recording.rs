//! What a whole recording says: `record`, `watch` at its end and `explain RECORDING` begin with it.

use std::time::Duration;

use super::{Answer, Said, listed};
use crate::explain::number::sum;
use crate::explain::parts::Parts;
use crate::explain::{Reading, derive};
use crate::outcome;
use crate::recording::{Footer, Recording};
use crate::rows::{CgroupVersion, Row, Rows};
use crate::scenario::Outcome;
use crate::units::{self, bytes};

/// The answer for one group: what the memory was made of at its peak, how much the kernel could have
/// taken, what a dashboard would have shown, whether the limit was ever short. None without samples.
pub fn of(recording: &Recording, group: usize) -> Option<Answer> {
    let table = recording.tables.get(group)?;
    let facts = recording.header.groups.get(group)?;
    let peak = peak(recording, group)?;
    let reading = Reading {
        version: Some(recording.header.host.cgroup),
        rows: table.rows(peak),
        path: Some(facts.path.clone()),
        ..Reading::default()
    };
    let parts = Parts::of(&reading);
    let view = reading.view();
    let back = parts.reclaimable(&reading);
    let could = bytes(sum([back.at_once, back.after_writing, back.slab]));
    let limit = facts.finite_limit();
    let of_limit = limit.said(" of @");
    let dashboard = derive::working_set(&view).and_then(|ws| u64::try_from(ws).ok());
    let dashboard = dashboard.said("; a dashboard would have shown @ (working_set)");
    let kernel = parts.kernel_or_in_no_row().saturating_add(parts.thp_hidden);
    let made = [
        (parts.anon.unwrap_or(0), "heap"),
        (parts.lazy_free, "lazily freed"),
        (parts.file_cache(), "page cache"),
        (parts.shmem.unwrap_or(0), "tmpfs"),
        (kernel, "kernel or in no row"),
    ];
    let made = made.iter().filter(|(size, _)| *size >= 1 << 20);
    let made = made.map(|(size, what)| format!("{} {what}", bytes(*size)));
    let made = listed(&made.collect::<Vec<_>>(), "next to nothing");
    let unseen = unseen_peak(recording, group, parts.total);
    let held = unseen.unwrap_or_else(|| parts.unreclaimable(&reading));
    let (short, next) = shortage(recording, group, limit, held);
    let at = units::duration(Duration::from_nanos(table.t[peak]));
    let name = &facts.name;
    let sentence = |held: String| {
        format!(
            "{name} {held} (at {at}): {made}; the kernel could have taken {could}{dashboard}; {short}."
        )
    };
    let total = bytes(parts.total);
    let Some(most) = unseen else {
        let held = format!("held at most {total}{of_limit}");
        return Answer::new("recording", sentence(held), next);
    };
    let most = bytes(most);
    let held = format!(
        "used up to {most}{of_limit} between two samples, so that none says what it was made of; the most they saw \
         was {total}"
    );
    let every = units::duration(Duration::from_nanos(recording.header.interval_ns));
    let sooner = format!(
        "record it again with a shorter --interval (it was {every}), so that a sample sees the peak"
    );
    Answer::new("recording", sentence(held), sooner)
}

/// The sample with the highest usage, the first of equals.
pub fn peak(recording: &Recording, group: usize) -> Option<usize> {
    let index = recording.view_index(group);
    let usage = |at: &usize| recording.view(group, &index, *at).usage;
    let samples = 0..recording.tables.get(group)?.len();
    samples.max_by_key(|at| (usage(at), std::cmp::Reverse(*at)))
}

/// The highest usage by the kernel's own account, bytes, and the row that says it: a sample sees its own moment
/// only.
pub fn kernel_peak(recording: &Recording, group: usize) -> Option<(u64, &str)> {
    let table = recording.tables.get(group)?;
    let column = PEAK.column(recording.version(), &table.columns)?;
    // In the last samples of a process that was killed the cgroup may be gone already.
    let values = (0..table.len()).filter_map(|sample| table.get(sample, column));
    Some((values.max()?, &table.columns[column]))
}

const PEAK: &Row = Row::named("peak");

/// Less is the counters' own noise: 64 pages a CPU.
const UNSEEN_LEAST: u64 = 2 << 20;

/// The kernel's own peak, where it came while this was recorded and the samples saw less than nine tenths of it.
fn unseen_peak(recording: &Recording, group: usize, seen: u64) -> Option<u64> {
    let (most, name) = kernel_peak(recording, group)?;
    let table = &recording.tables[group];
    let before = table.get(0, table.column(name)?).unwrap_or(0);
    let unseen = most.saturating_sub(seen);
    (most > before && unseen > (most / 10).max(UNSEEN_LEAST)).then_some(most)
}

/// Whether the limit was ever short, and what to do.
fn shortage(
    recording: &Recording,
    group: usize,
    limit: Option<u64>,
    held: u64,
) -> (String, &'static str) {
    let table = &recording.tables[group];
    let last = table.len().checked_sub(1);
    let rows = last.map_or(Rows::default(), |last| table.rows(last));
    let count = |names: [&str; 2]| names.iter().filter_map(|name| rows.get(name)).max();
    let kills = count(["memory.events:oom_kill", "memory.oom_control:oom_kill"]);
    let hits = count(["memory.failcnt", "memory.events:max"]).unwrap_or(0);
    let footer = recording.footer.as_ref();
    let killed = footer.is_some_and(|footer| footer.outcome == Outcome::Killed);
    if let Some(by_somebody) = by_somebody(kills).filter(|_| killed) {
        return by_somebody;
    }
    let kills = kills.unwrap_or(0);
    if kills > 0 {
        return (
            format!("the limit was short: the OOM killer took {kills}"),
            "raise the limit above the peak of what can't be taken back, or make the heap smaller",
        );
    }
    let Some(limit) = limit else {
        return (
            "it has no limit of its own".into(),
            "memtide record --limit SIZE finds whether it runs within one",
        );
    };
    if hits > 0 {
        return (
            format!("the limit was reached {hits} times, and the kernel took pages back each time"),
            match recording.version() {
                CgroupVersion::V2 => {
                    "memory.pressure tells whether that cost time; a smaller heap or a larger limit if it did"
                }
                CgroupVersion::V1 => {
                    "memtide need -- COMMAND tells whether that costs time; a smaller heap or a larger limit if it does"
                }
            },
        );
    }
    let room = bytes(limit.saturating_sub(held));
    let never = format!("the limit was never short: {room} more than was held");
    let interrupted = |footer: &Footer| footer.reason == outcome::INTERRUPTED;
    let failed = footer.filter(|f| f.outcome == Outcome::Failed && !interrupted(f));
    if failed.is_some() {
        return (
            never,
            "see why it failed, which was not for memory: what it held until then is no measure of what it needs",
        );
    }
    (
        never,
        "a limit can be as low as what was held and some cache: try one with memtide record --limit SIZE",
    )
}

/// Who sent a SIGKILL where the kernel's counter of its own kills, if there is one, does not say that it did.
fn by_somebody(kills: Option<u64>) -> Option<(String, &'static str)> {
    match kills {
        Some(0) => Some((
            "somebody killed it, and not for memory".into(),
            "look for who sends SIGKILL: a supervisor, a timeout, a liveness probe, an operator",
        )),
        // The kernel counts them on v1 since 4.13.
        None => Some((
            "somebody killed it, for memory or not: no counter of kills was read".into(),
            "dmesg -T | grep -i 'killed process' at that time; nothing there: look for who sends SIGKILL",
        )),
        Some(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::compare::testing::{host, recording};
    use crate::host::Lru::Classic;

    #[test]
    fn a_kill_that_nothing_counts_may_have_been_for_memory() {
        let host = host("3.10.0", CgroupVersion::V2, Classic);
        let mut run = recording(host, &[("fill", 20, 5)], Outcome::Killed);
        let told = |run: &Recording| of(run, 0).unwrap().sentence;
        assert!(told(&run).contains("for memory or not"), "{}", told(&run));
        run.tables[0].columns.push("memory.events:oom_kill".into());
        run.tables[0].values.push(0);
        assert!(told(&run).contains("and not for memory"), "{}", told(&run));
    }
}
