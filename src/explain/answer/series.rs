//! Several readings of one thing: a series, or before and after.

use super::{Answer, Case, listed, share};
use crate::explain::kinds::Series;
use crate::explain::{Reading, What};
use crate::units::{bytes, signed_bytes};

/// A series of one row.
pub fn over_time(case: &Case) -> Option<Answer> {
    let What::Series(series) = &case.reading().what else {
        return None;
    };
    let (first, last) = (series.points.first()?, series.points.last()?);
    let seconds = last.0 - first.0;
    let change = i128::from(last.1) - i128::from(first.1);
    let hours = seconds / 3600.0;
    let per_hour = (seconds >= 60.0 && !series.untimed).then(|| change as f64 / hours);
    let over = if series.untimed {
        format!("{} readings without times", series.points.len())
    } else {
        span(seconds)
    };
    let rate = per_hour.map(|rate| format!(", {} an hour", signed_bytes(rate as i128)));
    let rate = rate.unwrap_or_default();
    let few = match series.points.len() {
        few @ ..10 if !series.untimed => format!("; {few} readings are few"),
        _ => String::new(),
    };
    let steadiness = steadiness(series);
    let limit = case.facts.limit.filter(|limit| *limit > last.1);
    let both = limit.zip(per_hour.filter(|rate| *rate > 0.0));
    let time = both.map_or(String::new(), |(limit, rate)| {
        let left = span((limit - last.1) as f64 / rate * 3600.0);
        let limit = bytes(limit);
        format!("; at this rate the limit of {limit} is reached in {left}")
    });
    let heap = heap(series, change) + &full(case, last.1);
    let (row, label) = (&series.row, &case.reading().label);
    let of = if label.starts_with(row) {
        " over time".to_string()
    } else {
        format!(" of {label}")
    };
    let code = match () {
        () if change.unsigned_abs() * 100 <= u128::from(first.1) => "steady",
        () if change > 0 => "grows",
        () => "falls",
    };
    let [from, to] = [first.1, last.1].map(bytes);
    Answer::new(
        code,
        format!("{row}{of}: {from} to {to} in {over}{rate}{steadiness}{heap}{time}{few}."),
        next_step(row),
    )
}

/// What to look at for rows that move.
#[rustfmt::skip]
const NEXT: [(&[&str], &str); 4] = [
    (&["rss", "anon", "VmRSS", "RssAnon"], "the same over a day under the same load, then a heap profile (pprof, jcmd, jemalloc's)"),
    (&["The JVM's heap after a collection"], "what stays after a full collection is live: jcmd PID GC.class_histogram twice tells who grew; at its maximum raise -Xmx, below memory.max"),
    (&["Go's live heap"], "go tool pprof -inuse_space on /debug/pprof/heap twice, with -base: who grew; GOMEMLIMIT below memory.max bounds the rest"),
    (&["Used memory"], "ps aux --sort -rss | head at both times: who grew; if nobody did, slabtop and /dev/shm"),
];

fn next_step(row: &str) -> &'static str {
    let known = NEXT.iter().find(|(rows, _)| rows.contains(&row));
    known.map_or(
        "the same query for container_memory_rss: if that stays level, it is page cache and no leak",
        |(_, next)| next,
    )
}

/// Whether next to nothing is left below the limit.
fn full(case: &Case, last: u64) -> String {
    let reached = |limit: &u64| (limit / 20 * 19..=*limit).contains(&last);
    let limit = case.facts.limit.filter(reached);
    let full = limit.map(|limit| format!("; that is {}: full", share(last, limit)));
    full.unwrap_or_default()
}

/// What a process' heap did by its own account while its rss moved.
fn heap(series: &Series, change: i128) -> String {
    let Some((first, last)) = series.heap else {
        return String::new();
    };
    let own = i128::from(last) - i128::from(first);
    let lies = if change > 0 && own * 2 < change {
        ": what grew lies outside of it (native memory, the allocator's reserve, files)"
    } else if change > 0 {
        ": the heap is what grew"
    } else if series.points.last().is_some_and(|(_, rss)| *rss < last) {
        ": rss below the heap means that pages went to swap, not that memory was freed"
    } else {
        ""
    };
    let [from, to] = [first, last].map(bytes);
    format!("; its heap went from {from} to {to}{lies}")
}

/// How many steps went up and down.
fn steadiness(series: &Series) -> String {
    let steps = series.points.windows(2);
    let (up, down) = steps.fold((0, 0), |(up, down), two| match two[1].1.cmp(&two[0].1) {
        std::cmp::Ordering::Greater => (up + 1, down),
        std::cmp::Ordering::Less => (up, down + 1),
        std::cmp::Ordering::Equal => (up, down),
    });
    let steps = series.points.len() - 1;
    let most = series.points.iter().map(|(_, b)| *b).max().unwrap_or(0);
    match (up, down) {
        (n, 0) if n == steps => ", every step up".to_string(),
        (0, n) if n == steps => ", every step down".to_string(),
        _ => format!(", {up} steps up and {down} down, highest {}", bytes(most)),
    }
}

fn span(seconds: f64) -> String {
    match seconds {
        s if s < 120.0 => format!("{s:.0} s"),
        s if s < 7200.0 => format!("{:.0} min", s / 60.0),
        s if s < 172_800.0 => format!("{:.0} h", s / 3600.0),
        s => format!("{:.0} days", s / 86_400.0),
    }
}

/// Before and after, row by row: readings of kernel files with the same rows and no sign that they
/// are of different cgroups.
pub fn difference(case: &Case) -> Option<Answer> {
    let all = case.others();
    let ([first, .., last], true) = (all, all.iter().all(|r| same(&all[0], r))) else {
        return None;
    };
    let count = |r: &Reading| r.rows.iter().count();
    let stayed = |(row, _): &(&str, u64)| last.rows.get(row).is_some();
    let shared = first.rows.iter().filter(stayed).count();
    if shared < 2 || shared * 2 < count(first).max(count(last)) {
        return None;
    }
    let changes = changes(first, last);
    let signed = |change: i128| {
        let sign = if change > 0 { "+" } else { "" };
        format!("{sign}{}", signed_bytes(change))
    };
    let head = match first.view().usage.zip(last.view().usage) {
        Some((from, to)) => {
            let change = signed(i128::from(to) - i128::from(from));
            let [from, to] = [from, to].map(bytes);
            format!("usage {change} ({from} to {to})")
        }
        None => "the usage is not given".into(),
    };
    let told = changes.iter();
    let told = told.map(|(name, change)| format!("{name} {}", signed(*change)));
    let told = listed(&told.collect::<Vec<_>>(), "no row moved by more than 1 MiB");
    let label = |r: &Reading, plain: &str| {
        if ["", "standard input", "a paste"].contains(&r.label.as_str()) {
            plain.to_string()
        } else {
            r.label.chars().take(40).collect()
        }
    };
    let (from, to) = (label(first, "the first"), label(last, "the last"));
    Answer::new(
        "difference",
        format!("From \"{from}\" to \"{to}\": {head}: {told}."),
        next_of(&changes),
    )
}

/// Whether both are of kernel files, and nothing says that they are of different cgroups.
fn same(one: &Reading, other: &Reading) -> bool {
    let files = |r: &Reading| r.source == "kernel files" && r.what == What::Memory;
    files(one) && files(other) && one.path == other.path && one.scope == other.scope
}

/// What changed by more than per-CPU batches do by themselves, the largest first.
fn changes(first: &Reading, last: &Reading) -> Vec<(&'static str, i128)> {
    let (a, b) = (first.view(), last.view());
    let named = [
        ("anonymous memory", a.rss, b.rss),
        ("page cache", cache(first), cache(last)),
        ("tmpfs", a.shmem, b.shmem),
        ("kernel memory", a.kernel, b.kernel),
    ];
    let mut changes: Vec<(&'static str, i128)> = named
        .into_iter()
        .filter_map(|(name, a, b)| Some((name, i128::from(b?) - i128::from(a?))))
        // Per-CPU batches move by themselves.
        .filter(|(_, change)| change.unsigned_abs() > 1 << 20)
        .collect();
    changes.sort_by_key(|(_, change)| std::cmp::Reverse(change.unsigned_abs()));
    changes
}

fn next_of(changes: &[(&str, i128)]) -> &'static str {
    match changes.first() {
        Some(("anonymous memory", change)) if *change > 0 => {
            "the same again under the same load: if anon goes on growing, a heap profile"
        }
        Some(("page cache", _)) => {
            "nothing for page cache: the kernel takes it back before it kills; watch anon instead"
        }
        Some(("tmpfs", _)) => "df -t tmpfs; ls -l /dev/shm",
        _ => "memtide watch CGROUP, to see it over time",
    }
}

/// Page cache of files, without tmpfs.
fn cache(reading: &Reading) -> Option<u64> {
    let view = reading.view();
    match view.inactive_file.zip(view.active_file) {
        Some((inactive, active)) => Some(inactive.saturating_add(active)),
        None => Some(view.cache?.saturating_sub(view.shmem.unwrap_or(0))),
    }
}
