//! Messages: the kubelet's evictions, a platform's limit, a runtime's own account.

use crate::explain::kinds::{Eviction, Killed, Oom, Runtime, Series};
use crate::explain::{Reading, Scope, What, number};

/// All messages in the text.
pub fn read(text: &str) -> Vec<Reading> {
    // JSON keeps a message's line breaks as `\n` and its quotes as `\"`.
    let mut text = text.replace("\\n", "\n").replace("\\\"", "\"");
    // YAML folds a long message over lines.
    if text.contains(" was using") {
        text = text.split_whitespace().collect::<Vec<_>>().join(" ");
    }
    let found = [eviction(&text), platform(&text), system_oom(&text)];
    found.into_iter().flatten().collect()
}

fn reading(source: &'static str, label: String, what: What) -> Reading {
    Reading {
        source,
        label,
        what,
        ..Reading::default()
    }
}

/// The number behind a word, whatever signs stand between.
pub fn after(text: &str, word: &str) -> Option<u64> {
    let at = text.find(word)? + word.len();
    size(&text[at..])
}

/// The size at the beginning of a text, unit glued or apart.
pub fn size(text: &str) -> Option<u64> {
    let text = text.trim_start_matches([' ', ':', '=', '"', '\'', '\t', '[', '(']);
    let mut words = text.split_whitespace();
    let first = words
        .next()?
        .trim_end_matches(['.', ',', ';', ')', '"', '\'', '}', ']']);
    let first = first.split(['"', ',', ')', '(']).next()?;
    let unit = words.next().and_then(number::unit);
    match unit.filter(|_| first.bytes().all(|b| b.is_ascii_digit() || b == b'.')) {
        Some(unit) => number::scale(first, unit),
        None => number::parse(first),
    }
}

/// The kubelet's message in its wordings since 1.6.
fn eviction(text: &str) -> Option<Reading> {
    let resource = |mark: &str| {
        let rest = text.split_once(mark)?.1.trim_start_matches([' ', '[']);
        let end = rest
            .find(|c: char| !(c.is_ascii_alphanumeric() || c == '-'))
            .unwrap_or(rest.len());
        Some(rest[..end].to_string())
    };
    const OWN: [&str; 4] = [
        "exceeds the total limit of containers",
        "exceeded its local ephemeral storage limit",
        "Usage of EmptyDir volume",
        "exceeds the limit of",
    ];
    let own_limit = OWN[..3].iter().any(|mark| text.contains(mark));
    // A condition refuses pods; it ends none.
    let refused = resource("Node didn't have enough resource:")
        .or_else(|| resource("The node had condition:"));
    let low = resource("low on resource:").or_else(|| {
        text.contains("low on compute resources")
            .then(|| "memory".into())
    });
    let pressure = ["ttempting to reclaim ", "must evict pod(s) to reclaim "]
        .iter()
        .find_map(|mark| resource(mark))
        .or_else(|| logged(text));
    let preempted =
        text.contains("Preempted in order to admit critical pod") || text.contains("Preempted by ");
    let told = match (&low, &refused, &pressure) {
        (Some(resource), _, _) | (None, Some(resource), _) | (None, None, Some(resource)) => {
            resource.clone()
        }
        (None, None, None) if own_limit => "ephemeral-storage".into(),
        (None, None, None) if preempted => "priority".into(),
        (None, None, None) => return None,
    };
    let resource = match told.as_str() {
        "MemoryPressure" => "memory".to_string(),
        "DiskPressure" => "ephemeral-storage".to_string(),
        _ => told,
    };
    let mut eviction = Eviction {
        threshold: after(text, "Threshold quantity:")
            .or_else(|| after(text, "exceeds the total limit of containers")),
        available: after(text, "available:"),
        own_limit,
        refused: low.is_none() && refused.is_some(),
        condition: text.contains("The node had condition:") && low.is_none(),
        pressure: low.is_none() && refused.is_none() && pressure.is_some(),
        resource,
        containers: Vec::new(),
    };
    for (at, mark) in text.match_indices(" was using ") {
        let name = text[..at]
            .rsplit([' ', '\n', '"'])
            .next()
            .unwrap_or("")
            .to_string();
        let rest = &text[at + mark.len()..];
        let end = rest.find(" was using ").unwrap_or(rest.len());
        let rest = &rest[..end];
        let asked = after(rest, "request is").or_else(|| after(rest, "request of"));
        eviction.containers.push((name, size(rest), asked));
    }
    let label = match eviction.containers.first() {
        Some((name, _, _)) => format!("eviction, container {name}"),
        None => "eviction".into(),
    };
    Some(reading("kubelet's message", label, What::Evicted(eviction)))
}

/// The kubelet's own log: `"Eviction manager: must evict pod(s) to reclaim" resourceName="memory"`, and
/// the node's condition.
fn logged(text: &str) -> Option<String> {
    if text.contains("viction manager:") {
        let rest = text.split_once("resourceName=\"")?.1;
        return Some(rest.split('"').next()?.to_string());
    }
    let condition =
        text.contains("NodeHasInsufficientMemory") || text.contains("KubeletHasInsufficientMemory");
    condition.then(|| "memory".into())
}

/// Platforms that tell their limit: Cloud Run, Lambda, Heroku, YARN.
fn platform(text: &str) -> Option<Reading> {
    let (limit, used, source) = if let Some((_, rest)) = text.split_once("emory limit of ")
        && rest.contains("exceeded")
    {
        (size(rest)?, after(rest, "exceeded with"), "Cloud Run")
    } else if text.contains("Max Memory Used:") {
        (
            after(text, "Memory Size:")?,
            after(text, "Max Memory Used:"),
            "AWS Lambda",
        )
    } else if text.contains("physical memory limits") {
        let rest = text.split_once("Current usage:")?.1;
        (after(rest, " of ")?, size(rest), "YARN")
    } else if text.contains("Memory quota") && text.contains("mem=") {
        let used = after(text, "mem=")?;
        let share: f64 = text
            .split_once("mem=")?
            .1
            .split(['(', '%'])
            .nth(1)?
            .parse()
            .ok()?;
        // The quota is not in the line: it follows from the share.
        let quota = used as f64 / share * 100.0;
        (
            quota.is_finite().then_some(quota as u64)?,
            Some(used),
            "Heroku",
        )
    } else {
        return None;
    };
    // R15 ends a dyno, R14 lets it swap.
    let label = match source {
        "Heroku" if !text.contains("R15") => "Heroku R14",
        source => source,
    };
    Some(reading(source, label.into(), What::OverLimit(limit, used)))
}

/// The kubelet's `System OOM encountered, victim process: java, pid: 12345`.
fn system_oom(text: &str) -> Option<Reading> {
    let rest = text
        .split_once("System OOM encountered, victim process:")?
        .1;
    let name = rest
        .trim_start()
        .split([',', '\n', '"'])
        .next()?
        .trim()
        .to_string();
    let pid = after(rest, "pid:").unwrap_or(0);
    let mut told = reading(
        "Kubernetes event",
        format!("System OOM, killed {name}"),
        What::Kill(Box::new(Oom {
            machine: true,
            ..Oom::default()
        })),
    );
    told.scope = Scope::Node;
    told.killed = Some(Killed {
        name,
        pid,
        ..Killed::default()
    });
    Some(told)
}

/// What a runtime says of itself.
pub fn runtime(text: &str) -> Option<Reading> {
    // Redis ends its lines with a carriage return, which terminals show as `^M`.
    let text = text.replace("^M", "");
    let text = text.as_str();
    let rss = [
        "process_resident_memory_bytes ",
        "used_memory_rss:",
        "VmRSS:",
        "\nRss:",
    ]
    .iter()
    .find_map(|word| after(text, word));
    let of = |name, total, live| Runtime {
        name,
        total,
        live,
        rss,
    };
    if let Some(traced) = traced(text) {
        return Some(traced);
    }
    let runtime = if let Some((name, total, live)) = of_jvm(text) {
        of(name, total, live)
    } else if let Some(total) = tracked(text) {
        let heap = text
            .split_once("Java Heap")
            .and_then(|(_, rest)| after(rest, "committed="));
        of("the JVM (Native Memory Tracking)", total, heap)
    } else if let Some(total) = after(text, "go_memstats_sys_bytes ") {
        of("Go", total, after(text, "go_memstats_heap_inuse_bytes "))
    } else if let Some(total) = go_sys(text) {
        let live = ["HeapInuse", "HeapAlloc", "\"Alloc\"", "Alloc"];
        of("Go", total, live.iter().find_map(|word| after(text, word)))
    } else if text.contains("heapTotal") {
        let outside = after(text, "external").unwrap_or(0);
        let total = after(text, "heapTotal")?.saturating_add(outside);
        let rss = ["rss:", "\"rss\"", "'rss'"]
            .iter()
            .find_map(|word| after(text, word));
        Runtime {
            rss: rss.or(of("", 0, None).rss),
            ..of("Node.js (V8)", total, after(text, "heapUsed"))
        }
    } else if text.contains("used_memory:") {
        let total = after(text, "used_memory:")?;
        of("Redis", total, after(text, "used_memory_dataset:"))
    } else {
        return None;
    };
    Some(reading(
        "runtime's account",
        runtime.name.into(),
        What::Runtime(runtime),
    ))
}

/// `gc 9 @3.059s 0%: ... ms cpu, 719->721->633 MB, 738 MB goal, 40 P`, as GODEBUG=gctrace=1 prints it: the
/// heap when a collection began, when it ended, and what was live after it.
fn traced(text: &str) -> Option<Reading> {
    let points: Vec<(f64, u64, u64)> = text
        .lines()
        .filter_map(|line| {
            let line = &line[line.find("gc ")?..];
            let sizes = line.split_once(" ms cpu, ")?.1.split_once(" MB, ")?.0;
            let mut sizes = sizes.split("->").skip(1);
            let mib = |size: &str| size.parse::<u64>().ok()?.checked_mul(1 << 20);
            let (end, live) = (mib(sizes.next()?)?, mib(sizes.next()?)?);
            let at = line.split_once('@')?.1.split_once('s')?.0;
            Some((at.parse().ok()?, end, live))
        })
        .collect();
    let (_, end, live) = *points.last()?;
    let rising = points.windows(2).all(|two| two[0].0 < two[1].0);
    let what = if points.len() > 1 && rising {
        What::Series(Series {
            row: "Go's live heap".into(),
            points: points.into_iter().map(|(at, _, live)| (at, live)).collect(),
            untimed: false,
        })
    } else {
        What::Runtime(Runtime {
            name: "Go",
            total: end,
            live: Some(live),
            rss: None,
        })
    };
    Some(reading("runtime's account", "Go's live heap".into(), what))
}

/// OpenJ9's javacore, and what MemoryMXBean prints: name, bytes taken, bytes of heap in use.
fn of_jvm(text: &str) -> Option<(&'static str, u64, Option<u64>)> {
    let count = |mark: &str| {
        let word = text.split_once(mark)?.1.split_whitespace().next()?;
        word.replace(',', "").parse::<u64>().ok()
    };
    if text.contains("MEMUSER") {
        return Some((
            "the JVM (OpenJ9)",
            count("JRE: ")?,
            count("Memory Manager (GC): "),
        ));
    }
    let sizes = |key: &str| {
        let found = text
            .match_indices(key)
            .map(|(at, _)| after(&text[at..], key));
        found
            .collect::<Option<Vec<u64>>>()
            .filter(|all| !all.is_empty())
    };
    if !text.contains("init = ") {
        return None;
    }
    let (used, committed) = (sizes("used = ")?, sizes("committed = ")?);
    let total = committed
        .iter()
        .fold(0u64, |sum, bytes| sum.saturating_add(*bytes));
    Some(("the JVM (MemoryMXBean)", total, used.first().copied()))
}

/// The total of `jcmd VM.native_memory`, also where its heading is cut off.
fn tracked(text: &str) -> Option<u64> {
    let of_jvm = text.contains("Native Memory Tracking") || text.contains("Java Heap (reserved=");
    let total = text.split_once("Total:").map_or(text, |(_, rest)| rest);
    of_jvm.then(|| after(total, "committed="))?
}

/// Go's runtime.MemStats as JSON, as pprof's `# Sys = N`, or printed by hand: `Sys = 150 MiB`.
fn go_sys(text: &str) -> Option<u64> {
    let known = ["HeapInuse", "HeapAlloc", "TotalAlloc", "NumGC"];
    if !known.iter().any(|word| text.contains(word)) {
        return None;
    }
    ["\"Sys\"", "# Sys", " Sys", "\tSys", "\nSys"]
        .iter()
        .find_map(|word| after(text, word))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn evicted(text: &str) -> Eviction {
        match &read(text)[0].what {
            What::Evicted(eviction) => eviction.clone(),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn the_kubelets_wordings() {
        let new = evicted(
            "The node was low on resource: memory. Threshold quantity: 100Mi, available: 87608Ki. Container web was \
             using 48458972Ki, request is 15Gi, has larger consumption of memory. Container log was using 5Mi, request is 0, \
             has larger consumption of memory. ",
        );
        assert_eq!(
            (new.threshold, new.available),
            (Some(100 << 20), Some(87_608 << 10))
        );
        assert_eq!(
            new.containers[0],
            ("web".into(), Some(48_458_972 << 10), Some(15 << 30))
        );
        assert_eq!(new.containers[1], ("log".into(), Some(5 << 20), Some(0)));
        let old = evicted(
            "The node was low on resource: memory. Container app was using 1234Ki, which exceeds its request of 0. ",
        );
        assert_eq!(old.containers[0], ("app".into(), Some(1234 << 10), Some(0)));
        assert_eq!(
            evicted("The node was low on resource: [MemoryPressure].").resource,
            "memory"
        );
        let disk = evicted("Pod was rejected: The node had condition: [DiskPressure]. ");
        assert_eq!(
            (disk.resource.as_str(), disk.refused),
            ("ephemeral-storage", true)
        );
        assert_eq!(
            evicted("The node was low on compute resources.").resource,
            "memory"
        );
        for log in [
            "eviction_manager.go:377] \"Eviction manager: must evict pod(s) to reclaim\" resourceName=\"memory\"",
            "eviction_manager.go:346] eviction manager: must evict pod(s) to reclaim memory",
            "Warning EvictionThresholdMet 3m kubelet Attempting to reclaim memory",
            "MemoryPressure True KubeletHasInsufficientMemory kubelet has insufficient memory available",
        ] {
            let log = evicted(log);
            assert_eq!((log.resource.as_str(), log.pressure), ("memory", true));
        }
        let preempted =
            evicted("Warning Preempting 1m kubelet Preempted in order to admit critical pod");
        assert_eq!(preempted.resource, "priority");
        assert!(evicted("Usage of EmptyDir volume \"tmp\" exceeds the limit \"1Gi\". ").own_limit);
        assert!(
            evicted(
                "Pod Node didn't have enough resource: memory, requested: 5, used: 6, capacity: 7"
            )
            .refused
        );
    }

    #[test]
    fn platforms_and_runtimes() {
        for (text, limit, used) in [
            (
                "Memory limit of 512 MiB exceeded with 516 MiB used.",
                512 << 20,
                516 << 20,
            ),
            (
                "Memory limit of 256M exceeded with 258M used.",
                256 << 20,
                258 << 20,
            ),
            (
                "Memory Size: 128 MB\tMax Memory Used: 129 MB",
                128_000_000,
                129_000_000,
            ),
            (
                "Container [pid=1] is running beyond physical memory limits. Current usage: 1.5 GB of 1 GB physical memory used",
                1_000_000_000,
                1_500_000_000,
            ),
        ] {
            assert_eq!(
                read(text)[0].what,
                What::OverLimit(limit, Some(used)),
                "{text}"
            );
        }
        for (text, total, live, rss) in [
            (
                "Native Memory Tracking:\nTotal: reserved=664192KB, committed=253120KB\n- Java Heap (reserved=516096KB, committed=204800KB)",
                253_120 << 10,
                Some(204_800 << 10),
                None,
            ),
            (
                "go_memstats_sys_bytes 7.5e+07\ngo_memstats_heap_inuse_bytes 5e+07\nprocess_resident_memory_bytes 9e+07\n",
                75_000_000,
                Some(50_000_000),
                Some(90_000_000),
            ),
            (
                "{ rss: 4935680, heapTotal: 1826816, heapUsed: 650472, external: 49879 }",
                1_876_695,
                Some(650_472),
                Some(4_935_680),
            ),
            (
                "# Memory\r\nused_memory:1000000\r\nused_memory_rss:2000000\r\n",
                1_000_000,
                None,
                Some(2_000_000),
            ),
            ("# HeapInuse = 5000\n# Sys = 9000\n", 9000, Some(5000), None),
        ] {
            let Some(Reading {
                what: What::Runtime(found),
                ..
            }) = runtime(text)
            else {
                panic!("{text}")
            };
            assert_eq!(
                (found.total, found.live, found.rss),
                (total, live, rss),
                "{text}"
            );
        }
    }

    proptest! {
        #[test]
        fn nothing_panics(text in "(?s).{0,120}", told in "(low on resource: | was using |Memory limit of |exceeded|mem=|Memory quota|[0-9]{1,4}(Mi|é)?| ){0,12}") {
            read(&text);
            read(&told);
            runtime(&told);
        }
    }
}
