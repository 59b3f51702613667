//! What it means: kills, limits, stalls, leaks.

use super::{Facts, process, sized};
use crate::explain::number::{NEAR_PERCENT, percent, reaches};
use crate::explain::said::Said;
use crate::explain::{Killed, Scope, What};
use crate::units;

/// The OOM killer was here.
pub fn oom_killed(facts: &Facts) -> Option<String> {
    const KILLS: [&str; 3] = [
        "memory.events:oom_kill",
        "memory.oom_control:oom_kill",
        "memory.events:oom_group_kill",
    ];
    let kills = facts.reading.count(&KILLS).unwrap_or(0);
    let sentence = match (&facts.reading.killed, kills) {
        (
            Some(Killed {
                name,
                pid,
                anon_rss,
                ..
            }),
            _,
        ) => {
            let anon = anon_rss.said(", whose own anonymous memory was @");
            format!("The kernel killed {name} (pid {pid}){anon}.")
        }
        (None, 0) => return None,
        (None, 1) => "The kernel's OOM killer has killed one process here.".into(),
        (None, n) => format!("The kernel's OOM killer has killed {n} processes here."),
    };
    let (where_to, whose) = match facts.reading.scope {
        Scope::Cgroup => ("", "what counted against the limit"),
        Scope::Node => (
            " The whole machine was out of memory: no container's limit had to be hit for it.",
            "the machine's memory in use",
        ),
    };
    let cause = biggest(facts).map(|what| format!(" Most of {whose} was {what}."));
    Some(sentence + where_to + &cause.unwrap_or_default())
}

/// The largest part that could not be taken back.
fn biggest(facts: &Facts) -> Option<String> {
    let parts = &facts.parts;
    let kernel = parts.kernel_or_in_no_row();
    let candidates = [
        (parts.anon.unwrap_or(0), "anonymous memory"),
        (parts.shmem.unwrap_or(0), "tmpfs or shared memory"),
        (kernel, "kernel memory or memory in no row"),
        (parts.thp_hidden, "huge pages mapped in part"),
    ];
    let (bytes, what) = candidates.into_iter().max_by_key(|(bytes, _)| *bytes)?;
    let much = parts.matters(bytes, 30);
    much.then(|| format!("{what}, {}", sized(facts, bytes)))
}

/// Little of the limit could be won back.
pub fn oom_near(facts: &Facts) -> Option<String> {
    let limit = facts.limit.filter(|limit| *limit > 0)?;
    // Without the file rows the cache in it is not known, and an alarm would be a guess.
    facts.parts.cache_inactive?;
    facts.parts.cache_active?;
    let held = facts.parts.unreclaimable(facts.reading);
    let near = reaches(held, limit, NEAR_PERCENT);
    let [room, held, limit] = [limit.saturating_sub(held), held, limit].map(units::bytes);
    (near && !facts.is_inconsistent() && !facts.parts.at_least).then(|| match facts.reading.oom() {
        Some(_) => format!(
            "{held} of the limit of {limit} could not be taken back when the kernel killed."
        ),
        None => format!(
            "{held} of the limit of {limit} can't be taken back without swap: {room} more and the kernel kills."
        ),
    })
}

/// Usage near the limit, but not (or not known to be) of the kind that kills.
pub fn near_limit(facts: &Facts) -> Option<String> {
    let limit = facts.limit.filter(|limit| *limit > 0)?;
    let usage = facts.view.usage?;
    if !reaches(usage, limit, NEAR_PERCENT) || facts.is_inconsistent() || oom_near(facts).is_some()
    {
        return None;
    }
    let (percent, parts) = (percent(usage, limit), &facts.parts);
    let lists = parts.cache_inactive.zip(parts.cache_active);
    let meaning = match lists.map(|_| units::bytes(parts.file_cache())) {
        Some(cache) => format!(
            "{cache} of it is page cache, which the kernel takes back before it kills: that alone is no danger."
        ),
        None => {
            "How much of it is page cache the kernel could take back is not among these numbers."
                .into()
        }
    };
    Some(format!("Usage is {percent:.0} % of the limit. {meaning}"))
}

/// Memory and swap together are at their limit, which is what v1's second limit counts.
pub fn swap_limit_hit(facts: &Facts) -> Option<String> {
    let (usage, limit) = facts.reading.swap_limit_reached()?;
    let times = match facts.reading.rows.get("memory.memsw.failcnt") {
        Some(times @ 1..) => format!(" It was reached {times} times."),
        _ => String::new(),
    };
    let [usage, limit] = [usage, limit].map(units::bytes);
    Some(format!(
        "Memory and swap together, {usage}, are at their limit of {limit}: nothing more can go to swap, and the kernel \
             kills although the limit on memory alone may not be reached.{times}"
    ))
}

/// Held below memory.high without a kill.
pub fn memory_high_stall(facts: &Facts) -> Option<String> {
    let count = |row: &str| facts.reading.rows.get(row).filter(|count| *count > 0);
    let high = count("memory.events:high")?;
    let pressure = facts.reading.pressure.iter();
    let full = pressure.filter(|(name, _)| name.starts_with("full."));
    let stalled = full.fold(0.0, |most, (_, percent)| percent.max(most));
    // A tenth of the time without any progress is felt by everyone who waits for the program.
    (stalled >= 10.0 && count("memory.events:oom_kill").is_none()).then(|| format!(
            "Usage was pushed back at memory.high {high} times and all processes stood still {stalled:.0} % of the \
             time, without an OOM kill: the container is frozen below its limit. Raise memory.high or remove it."
        ))
}

/// The limit was reached before.
pub fn limit_hit(facts: &Facts) -> Option<String> {
    const HITS: [&str; 3] = ["memory.failcnt", "failcnt", "memory.events:max"];
    const PEAKS: [&str; 4] = [
        "memory.max_usage_in_bytes",
        "memory.peak",
        "max_usage",
        "max_usage_in_bytes",
    ];
    let [hits, peak] = [&HITS[..], &PEAKS].map(|rows| facts.reading.count(rows).unwrap_or(0));
    let seen = match facts.limit {
        _ if hits > 0 => format!("The limit was reached {hits} times."),
        Some(limit) if limit > 0 && peak >= limit => {
            Some(peak).said("The highest usage so far, @, is the limit itself.")
        }
        _ => return None,
    };
    let meaning = if oom_killed(facts).is_some() {
        "Mostly the kernel could take pages back and went on; when it could not, it killed."
    } else if facts.reading.oom().is_some() {
        "This time it could not take back enough, and the OOM killer ran."
    } else {
        "Each time the kernel took pages back and went on; for a container that reads or writes files that is \
         normal and no sign of too little memory."
    };
    Some(format!("{seen} {meaning}"))
}

/// What one reading says about leaks: nothing, or less than nothing.
pub fn leak_unknown(facts: &Facts) -> Option<String> {
    let reading = facts.reading;
    if reading.rows.get("cgroups:memory").is_some()
        || !matches!(
            reading.what,
            What::Memory | What::Kill(_) | What::Processes(_)
        )
    {
        return None;
    }
    let parts = &facts.parts;
    let held = parts.anon.unwrap_or(0).saturating_add(parts.lazy_free);
    let (cache, own) = (parts.file_cache(), units::bytes(held));
    let sentence = if facts.reading.scope == Scope::Node {
        "One reading of a node is no evidence of a leak in any container.".to_string()
    } else if parts.anon.is_none() && process::resident(facts.reading).is_some() {
        "One reading of a process is no evidence of a leak, and none against it: only its anonymous memory growing \
         over time with a steady load would be."
            .into()
    } else if parts.anon.is_none() {
        "Nothing here is evidence of a leak: the programs' own memory (rss or anon) is not among the numbers.".into()
    } else if parts.matters(held, 30) {
        let what = if parts.lazy_free > held / 2 {
            "rss"
        } else {
            "anonymous memory"
        };
        format!(
            "One reading is no evidence of a leak, and none against it: only {what} growing over time with a steady load \
             would be."
        )
    } else if parts.matters(cache, 30) {
        format!(
            "Nothing here is evidence of a leak: the programs' own memory is {own}, most of the rest is files in \
             the page cache."
        )
    } else {
        format!(
            "Nothing here is evidence of a leak in the programs' own memory, which is {own}; what else grows can \
             only be seen over time."
        )
    };
    Some(sentence)
}
