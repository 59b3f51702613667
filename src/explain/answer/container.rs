//! Answers about one container: what it is made of, how near it is, what is not known.

use super::{Answer, Case, NEXT_FILES, Said, named, share};
use crate::explain::account::Quantity;
use crate::explain::number::{NEAR_PERCENT, percent, reaches};
use crate::rows::is_unlimited;
use crate::units::bytes;

/// The kernel's counters say that it killed here.
pub fn killed_before(case: &Case) -> Option<Answer> {
    let sentence = case.finding("oom_killed")?;
    Answer::new(
        "oom_counted",
        format!("{}: {sentence}", named(case.reading())),
        "dmesg -T | grep -B 60 'Killed process' on that machine, while it is still there",
    )
}

/// A working set and rss: what lies between them is not the programs' own.
pub fn working_set_and_rss(case: &Case) -> Option<Answer> {
    let reading = case.reading();
    // The rows that would tell what it is are missing.
    if case.facts.view.active_file.is_some() || case.facts.view.kernel.is_some() {
        return None;
    }
    let (working_set, rss) = (reading.working_set?, case.facts.view.rss?);
    let rest = working_set.checked_sub(rss)?;
    if rest < 1 << 20 || rest * 2 < working_set {
        return None;
    }
    let usage = case.account().get(Quantity::Usage);
    let least = bytes(usage.least);
    let of = match usage.exact() {
        Some(usage) => format!("{:.0} % of its usage of {least}", percent(rest, usage)),
        None => format!("of at least {least} in use"),
    };
    let (name, most) = (named(reading), percent(rss, usage.least));
    let [rest, working_set, rss] = [rest, working_set, rss].map(bytes);
    Answer::new(
        "not_heap",
        format!(
            "{name}: {rest} of the working set of {working_set} ({of}) is not the programs' own memory but active page cache, tmpfs or kernel memory, most of it \
             usually reclaimable; heap is {rss}, at most {most:.1} %."
        ),
        "which of the three: grep -E 'active_file|shmem|slab|kernel' memory.stat of that cgroup",
    )
}

/// What is held that nobody can take back, as bounds: at least, at most.
fn held(case: &Case) -> Option<(u64, u64)> {
    let usage = case.account().get(Quantity::Usage).exact()?;
    let slab = case.facts.view.slab_reclaimable.unwrap_or(0);
    let lists = [Quantity::InactiveFile, Quantity::ActiveFile].map(|q| case.account().get(q));
    let given = case.facts.parts.file_cache();
    let listed = lists[0].most.saturating_add(lists[1].most);
    let files = case.facts.view.cache.map(|files| files.max(given));
    let most_cache = listed.min(files.unwrap_or(u64::MAX));
    Some((
        usage.saturating_sub(most_cache).saturating_sub(slab),
        usage.saturating_sub(given).saturating_sub(slab),
    ))
}

/// Room to the limit, and once the cache is gone.
fn headroom(case: &Case) -> String {
    let usage = case.account().get(Quantity::Usage).exact();
    let Some((limit, usage)) = case.facts.limit.zip(usage) else {
        return String::new();
    };
    let room = limit.saturating_sub(usage);
    let known = held(case).filter(|(least, most)| least.abs_diff(*most) <= 1 << 20);
    let without = known.map(|(_, most)| limit.saturating_sub(most));
    let without = without.said(", @ once the cache is gone");
    format!("; {} below the limit ({room} B){without}", bytes(room))
}

/// Near the limit: with heap, with cache, or with nobody knows what.
pub fn near_limit(case: &Case) -> Option<Answer> {
    let limit = case.facts.limit.filter(|limit| *limit > 0)?;
    let usage = case.account().get(Quantity::Usage).exact()?;
    let near = |bytes: u64| reaches(bytes, limit, NEAR_PERCENT);
    if !near(usage) {
        return None;
    }
    let (least, most) = held(case)?;
    let (name, used, whole) = (named(case.reading()), share(usage, limit), bytes(limit));
    let head = format!("{name}: {used} of its limit of {whole} is in use");
    if near(least) {
        let (room, made) = (bytes(limit.saturating_sub(least)), biggest(case));
        let held = bytes(least);
        return Answer::new(
            "near_limit",
            format!(
                "{head}, and {held} of it can't be taken back: {room} more and the kernel kills ({made})."
            ),
            "raise the limit, or make smaller what holds it (heap: the runtime's maximum; tmpfs: its files)",
        );
    }
    if !near(most) {
        let [back, room] = [usage - most, limit.saturating_sub(most)].map(bytes);
        return Answer::new(
            "near_limit_cache",
            format!(
                "{head}, but {back} of it is page cache or slab, which the kernel takes back before it kills: {room} are left once it is gone."
            ),
            "alert on what can't be taken back (usage - inactive_file - active_file), not on usage; memory.pressure tells whether it hurts",
        );
    }
    let [least, most] = [least, most].map(bytes);
    Answer::new(
        "near_limit_unknown",
        format!(
            "{head}; how much of it is page cache that the kernel takes back first is not among these numbers ({least} to {most} is held)."
        ),
        NEXT_FILES,
    )
}

fn biggest(case: &Case) -> String {
    let parts = &case.facts.parts;
    let all = [
        (parts.anon.unwrap_or(0), "heap"),
        (parts.shmem.unwrap_or(0), "tmpfs"),
        (parts.kernel_or_in_no_row(), "kernel memory or in no row"),
        (parts.lazy_free, "lazily freed, perhaps written again"),
        (parts.thp_hidden, "huge pages mapped in part"),
    ];
    match all.into_iter().max_by_key(|(size, _)| *size) {
        Some((size, what)) if size > 0 => format!("mostly {what}, {}", bytes(size)),
        _ => "of what is not known".into(),
    }
}

/// What most of it is.
pub fn made_of(case: &Case) -> Option<Answer> {
    let parts = &case.facts.parts;
    // A working set beside a usage implies an inactive_file: that alone tells too little.
    let told = case.facts.view.rss.is_some() || parts.cache_active.is_some();
    if !(told || parts.shmem.is_some()) || parts.total < 1 << 20 {
        return None;
    }
    let (anon, shmem) = (parts.anon.unwrap_or(0), parts.shmem.unwrap_or(0));
    let sock = parts.sock.unwrap_or(0);
    let kernel = parts.kernel_or_in_no_row().saturating_add(sock);
    let lists = parts.cache_inactive.is_some() || parts.cache_active.is_some();
    // Without the lists page cache is what is no tmpfs of the files.
    let all_files = case.facts.view.cache.filter(|_| !lists);
    let cache = all_files.map_or(parts.file_cache(), |all| all.saturating_sub(shmem));
    let sizes = [anon, cache, shmem, kernel, parts.lazy_free];
    let (size, (code, what, next)) = sizes.into_iter().zip(PARTS).max_by_key(|(size, _)| *size)?;
    // Files without their lists and without tmpfs may be either.
    let either = if code == "cache" && all_files.is_some() && parts.shmem.is_none() {
        ", but for tmpfs in it, which these numbers don't tell apart"
    } else {
        ""
    };
    let (head, swap, room) = (head(case), in_swap(case), headroom(case));
    let back = Some(cache).filter(|cache| code != "cache" && *cache >= parts.total / 20);
    let back = back.said("; @ is page cache that can be taken back");
    if size.saturating_mul(2) < parts.total {
        let [anon, cache, shmem, kernel] = [anon, cache, shmem, kernel].map(bytes);
        return Answer::new(
            "mixed",
            format!(
                "{head}: {anon} heap, {cache} page cache, {shmem} tmpfs, {kernel} kernel memory or in no row{swap}{room}."
            ),
            "memtide watch CGROUP, to see which of them grows",
        );
    }
    let size = share(size, parts.total);
    let sentence = format!("{head}: {size} is {what}{either}{back}{swap}{room}.");
    Answer::new(code, sentence, next)
}

/// What most of it can be: its code, what that is, the next step.
#[rustfmt::skip]
const PARTS: [(&str, &str, &str); 5] = [
    ("heap", "the programs' own anonymous memory: the kernel can't take it back without swap", "the same again under the same load; if anon grows, a heap profile (pprof, jcmd PID GC.class_histogram)"),
    ("cache", "page cache, which the kernel takes back before it kills", "nothing to do for the cache; watch anon, and memory.pressure for whether it is too small"),
    ("tmpfs", "tmpfs or shared memory: it stays until its files are deleted", "df -t tmpfs; ls -l /dev/shm; ipcs -m"),
    ("kernel_memory", "kernel memory or in no row", "grep -E 'slab|kernel|pagetables|sock|percpu' memory.stat; slabtop -o -s c (cgroup v1: memory.kmem.usage_in_bytes)"),
    ("lazily_freed", "released with MADV_FREE: in rss, not in working_set; in use if it was written again", "grep -E 'Rss|LazyFree' /proc/PID/smaps_rollup: what is still LazyFree was not written again"),
];

/// `web holds 1.0 GiB of a limit of 2.0 GiB`.
fn head(case: &Case) -> String {
    let parts = &case.facts.parts;
    let of = if parts.at_least { "at least " } else { "" };
    let limit = case.facts.limit.said(" of a limit of @");
    let (name, total) = (named(case.reading()), bytes(parts.total));
    format!("{name} holds {of}{total}{limit}")
}

fn in_swap(case: &Case) -> String {
    let swap = case.reading().in_swap();
    let swap = swap.filter(|_| case.finding("swapped").is_some());
    swap.said("; @ more is in swap")
}

/// One number, or next to nothing.
pub fn single(case: &Case) -> Option<Answer> {
    let reading = case.reading();
    let (name, limit) = (named(reading), case.facts.limit);
    let of_limit = |value: u64| {
        let limit = limit.filter(|limit| *limit > 0);
        limit.map_or(String::new(), |limit| {
            format!(" of {} ({:.1} %)", bytes(limit), percent(value, limit))
        })
    };
    let shown = reading.rows.get("shown");
    let (code, sentence) = if let Some(usage) = case.facts.view.usage {
        return only_usage(case, usage, &of_limit(usage));
    } else if let Some(value) = reading.working_set {
        let (size, of) = (bytes(value), of_limit(value));
        let sentence = format!(
            "{name}: working set {size}{of}, active page cache included; nothing else is known from this."
        );
        ("only_working_set", sentence)
    } else if let Some(value) = shown {
        let (tool, size, of) = (reading.source, bytes(value), of_limit(value));
        let sentence = format!(
            "{name}: {tool} {size}{of}, with or without inactive cache; what it is made of is not known from this."
        );
        ("only_usage", sentence)
    } else if let Some(limit) = limit.map(bytes) {
        let sentence = format!("{name}: a limit of {limit}, and nothing of what is in use.");
        ("limit_only", sentence)
    } else {
        let least = bytes(case.account().get(Quantity::Usage).least);
        let sentence = format!(
            "{name}: at least {least} is in use; neither usage nor limit are among these numbers."
        );
        ("only_usage", sentence)
    };
    Answer::new(code, sentence, NEXT_FILES)
}

/// A usage, its limits and its peak.
fn only_usage(case: &Case, usage: u64, of: &str) -> Option<Answer> {
    let reading = case.reading();
    let (name, size) = (named(reading), bytes(usage));
    if usage < 1 << 20 {
        return Answer::new(
            "empty",
            format!(
                "{name} holds {size}: what an empty cgroup reads, no sign of health or of trouble."
            ),
            "check that the processes run in it: cat cgroup.procs",
        );
    }
    let more = [
        ("memory.high", "memory.high"),
        ("max_usage", "peak"),
        ("memory.swap.current", "in swap"),
        ("memory.swap.max", "swap max"),
        ("swap", "in swap"),
    ];
    let more = more.iter().map(|(row, what)| {
        let value = reading.rows.get(row).filter(|value| !is_unlimited(*value));
        value.said(&format!(", {what} @"))
    });
    let more = more.collect::<String>().replacen(',', ";", 1);
    let limit = match case.facts.limit {
        None => ", no limit among the numbers",
        Some(_) => "",
    };
    let (ws, room) = (reading.working_set.said(", working set @"), headroom(case));
    Answer::new(
        "only_usage",
        format!(
            "{name}: usage {size}{of}{ws}{limit}{more}{room}; what it is made of is not known from this."
        ),
        NEXT_FILES,
    )
}
