//! Messages: the kubelet's evictions and a platform's limit.

use std::borrow::Cow;

use crate::explain::kinds::{Eviction, Killed, Oom};
use crate::explain::{Reading, Scope, What, number};

/// All messages in the text.
pub fn read(text: &str) -> Vec<Reading> {
    // JSON keeps a message's line breaks as `\n` and its quotes as `\"`.
    let mut text = Cow::Borrowed(text);
    if text.contains('\\') {
        text = text.replace("\\n", "\n").replace("\\\"", "\"").into();
    }
    // YAML folds a long message over lines.
    if text.contains(" was using") {
        text = text.split_whitespace().collect::<Vec<_>>().join(" ").into();
    }
    let found = [eviction(&text), platform(&text), system_oom(&text)];
    found.into_iter().flatten().collect()
}

/// The number behind a word, whatever signs stand between.
pub fn after(text: &str, word: &str) -> Option<u64> {
    let at = text.find(word)? + word.len();
    size(&text[at..])
}

/// The number behind the first of the words that has one.
pub fn first(text: &str, words: &[&str]) -> Option<u64> {
    words.iter().find_map(|word| after(text, word))
}

/// The size at the beginning of a text, unit glued or apart.
pub fn size(text: &str) -> Option<u64> {
    let text = text.trim_start_matches([' ', ':', '=', '"', '\'', '\t', '[', '(']);
    let mut words = text.split_whitespace();
    let first = words
        .next()?
        .trim_end_matches(['.', ',', ';', ')', '"', '\'', '}', ']']);
    let first = first.split(['"', ',', ')', '(']).next()?;
    // `'152.31 MB',` and `"154.4 MB","heapUsed"` end behind the unit.
    let unit = words
        .next()
        .and_then(|word| number::unit(word.split(|c: char| !c.is_ascii_alphabetic()).next()?));
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
    const OWN: [&str; 3] = [
        "exceeds the total limit of containers",
        "exceeded its local ephemeral storage limit",
        "Usage of EmptyDir volume",
    ];
    let own_limit = OWN.iter().any(|mark| text.contains(mark));
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
    let named = low
        .as_deref()
        .or(refused.as_deref())
        .or(pressure.as_deref());
    let resource = match named {
        Some("MemoryPressure") => "memory",
        None if own_limit => "ephemeral-storage",
        Some("DiskPressure") => "ephemeral-storage",
        None if preempted => "priority",
        named => named?,
    };
    let eviction = Eviction {
        threshold: after(text, "Threshold quantity:")
            .or_else(|| after(text, "exceeds the total limit of containers")),
        available: after(text, "available:"),
        own_limit,
        refused: low.is_none() && refused.is_some(),
        condition: text.contains("The node had condition:") && low.is_none(),
        pressure: low.is_none() && refused.is_none() && pressure.is_some(),
        resource: resource.to_string(),
        containers: users(text),
    };
    let label = match eviction.containers.first() {
        Some((name, _, _)) => format!("eviction, container {name}"),
        None => "eviction".into(),
    };
    let what = What::Evicted(eviction);
    Some(Reading::told("kubelet's message", label, what))
}

/// The containers that a message names, what each was using and what it had asked for.
fn users(text: &str) -> Vec<(String, Option<u64>, Option<u64>)> {
    let mut all = Vec::new();
    for (at, mark) in text.match_indices(" was using ") {
        let name = text[..at].rsplit([' ', '\n', '"']).next().unwrap_or("");
        let rest = &text[at + mark.len()..];
        let end = rest.find(" was using ").unwrap_or(rest.len());
        let rest = &rest[..end];
        let asked = after(rest, "request is").or_else(|| after(rest, "request of"));
        all.push((name.to_string(), size(rest), asked));
    }
    all
}

/// The kubelet's own log: `"Eviction manager: must evict pod(s) to reclaim" resourceName="memory"`, and
/// the node's condition.
fn logged(text: &str) -> Option<String> {
    if text.contains("viction manager:")
        && let Some((_, rest)) = text.split_once("resourceName=\"")
    {
        return Some(rest.split('"').next()?.to_string());
    }
    const MARKS: [&str; 4] = [
        "NodeHasInsufficientMemory",
        "KubeletHasInsufficientM",
        "kubelet has insufficient memory",
        "observed: [MemoryPressure",
    ];
    let condition = MARKS.iter().any(|mark| text.contains(mark));
    condition.then(|| "memory".into())
}

/// Platforms that tell their limit: Cloud Run, Lambda, Heroku, YARN.
fn platform(text: &str) -> Option<Reading> {
    let (limit, used, source) = if let Some((_, rest)) = text.split_once("emory limit of ")
        && rest.contains("exceeded")
    {
        (size(rest)?, after(rest, "exceeded with"), "Cloud Run")
    } else if text.contains("Max Memory Used:") {
        let used = after(text, "Max Memory Used:");
        (after(text, "Memory Size:")?, used, "AWS Lambda")
    } else if text.contains("physical memory limits") {
        let rest = text.split_once("Current usage:")?.1;
        (after(rest, " of ")?, size(rest), "YARN")
    } else if text.contains("Memory quota") && text.contains("mem=") {
        let (_, rest) = text.split_once("mem=")?;
        let used = size(rest)?;
        let share: f64 = rest.split(['(', '%']).nth(1)?.parse().ok()?;
        // The quota is not in the line: it follows from the share.
        let quota = Some(used as f64 / share * 100.0).filter(|quota| quota.is_finite());
        (quota? as u64, Some(used), "Heroku")
    } else {
        return None;
    };
    // R15 ends a dyno, R14 lets it swap.
    let label = match source {
        "Heroku" if !text.contains("R15") => "Heroku R14",
        source => source,
    };
    Some(Reading::told(source, label, What::OverLimit(limit, used)))
}

/// The kubelet's `System OOM encountered, victim process: java, pid: 12345`.
fn system_oom(text: &str) -> Option<Reading> {
    let rest = text.split_once("System OOM encountered")?.1;
    // Before 1.16 it names no victim.
    let victim = rest.strip_prefix(", victim process:").and_then(|rest| {
        let name = rest.trim_start().split([',', '\n', '"']).next()?;
        Some(Killed {
            name: name.trim().to_string(),
            pid: after(rest, "pid:").unwrap_or(0),
            ..Killed::default()
        })
    });
    let label = match &victim {
        Some(victim) => format!("System OOM, killed {}", victim.name),
        None => "System OOM".into(),
    };
    let kill = Oom {
        machine: true,
        constraint: Some("CONSTRAINT_NONE".into()),
        ..Oom::default()
    };
    let mut told = Reading::told("Kubernetes event", label, What::Kill(Box::new(kill)));
    told.scope = Scope::Node;
    told.killed = victim;
    Some(told)
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
    fn platforms() {
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
    }

    proptest! {
        #[test]
        fn nothing_panics(text in "(?s).{0,120}", told in "(low on resource: | was using |Memory limit of |exceeded|mem=|Memory quota|[0-9]{1,4}(Mi|é)?| ){0,12}") {
            read(&text);
            read(&told);
        }
    }
}
