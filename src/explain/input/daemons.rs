//! Kills that are not the kernel's: systemd-oomd and earlyoom; and a pod's description that only
//! says `OOMKilled`.

use super::told::after;
use super::{status, tables::is_unit_name};
use crate::explain::kinds::{ByDaemon, Terminated};
use crate::explain::{Reading, What, number};

/// What the text tells, if anything.
pub fn read(text: &str) -> Option<Reading> {
    oomd(text)
        .or_else(|| earlyoom(text))
        .or_else(|| talos(text))
}

/// `Sending SIGKILL to cgroup {"controller": "runtime.OOMController", "cgroup": "/sys/fs/cgroup/..."}`.
fn talos(text: &str) -> Option<Reading> {
    let line = text
        .lines()
        .find(|line| line.contains("OOMController") && line.contains("SIGKILL"))?;
    let path =
        between(line, "\"cgroup\": \"", "\"").or_else(|| between(line, "\"cgroup\":\"", "\""))?;
    let killed = ByDaemon {
        by: "Talos' OOM controller",
        done: true,
        victims: vec![path.to_string()],
        ..ByDaemon::default()
    };
    Some(by_daemon("Talos", path, killed))
}

fn by_daemon(source: &'static str, victim: &str, killed: ByDaemon) -> Reading {
    let label = format!("{source}, {victim}");
    let label = label.trim_end_matches(", ");
    Reading::told(source, label, What::ByDaemon(Box::new(killed)))
}

/// The text between two marks.
fn between<'a>(text: &'a str, from: &str, to: &str) -> Option<&'a str> {
    let rest = text.split_once(from)?.1;
    let line = rest.lines().next()?;
    line.split_once(to).map(|(inside, _)| inside.trim())
}

/// `Killed /a.slice/b.scope due to memory pressure for /a.slice being 51.07% > 50.00% for > 20s with
/// reclaim activity`, `... due to memory used (N) / total (N) and swap used (N) / total (N) being more
/// than 90.00%`, and the list of candidates.
fn oomd(text: &str) -> Option<Reading> {
    if !text.contains("oomd") {
        return None;
    }
    const REASONS: [&str; 3] = [
        "due to memory pressure for",
        "due to memory used",
        "due to swap used",
    ];
    let reason = |line: &&str| REASONS.iter().any(|reason| line.contains(reason));
    let verdicts: Vec<&str> = text.lines().filter(reason).collect();
    let path = |line: &str| {
        let mut words = line.split_whitespace();
        words.find(|word| word.starts_with('/')).map(str::to_string)
    };
    let lines = text.lines();
    let candidates = lines.filter_map(|line| Some(line.split_once("Path: ")?.1.trim()));
    let candidates: Vec<&str> = candidates.collect();
    let pressure = |line: &&str| line.contains("Memory pressure for /") && line.contains("% > ");
    let pressure_alone = text.lines().find(pressure);
    let line = verdicts.last().copied().or(pressure_alone);
    if line.is_none() && candidates.is_empty() {
        return None;
    }
    let mut killed = ByDaemon {
        by: "systemd-oomd",
        done: text.contains("oomd killed") || text.contains("Killed /"),
        victims: verdicts
            .iter()
            .filter_map(|line| path(line.split(" due to ").next()?))
            .collect(),
        ..ByDaemon::default()
    };
    killed.victims.dedup();
    if let Some(line) = line {
        why(line, &mut killed);
    }
    // The victim's size is in the list of candidates, under its path.
    if killed.victims.is_empty() {
        let first = candidates.first();
        killed.victims.extend(first.map(|path| (*path).to_string()));
    }
    let path = killed.victims.last().cloned().unwrap_or_default();
    killed.held = usage(text, &path);
    let count = between(text, "oomd killed ", " process");
    killed.processes = count.and_then(|count| count.parse().ok());
    let victim = path.rsplit('/').next().unwrap_or("");
    Some(by_daemon("systemd-oomd", victim, killed))
}

/// Fills in why, from the line that tells it.
fn why(line: &str, killed: &mut ByDaemon) {
    killed.of = between(line, "pressure for ", " ").map(str::to_string);
    killed.pressure = line.split_once("% > ").map(|(before, after)| {
        let is = before.rsplit(' ').next().unwrap_or("");
        let limit = after.split('%').next().unwrap_or("");
        let span = after.split_once("for > ").map_or("", |(_, span)| span);
        let span = span.split_whitespace().next().unwrap_or("");
        (format!("{is} %"), format!("{limit} %"), span.to_string())
    });
    let pair = |name: &str| {
        let used = number::parse(between(line, &format!("{name} used ("), ")")?)?;
        let rest = line.split_once(&format!("{name} used ("))?.1;
        Some((used, number::parse(between(rest, "total (", ")")?)?))
    };
    (killed.memory, killed.swap) = (pair("memory"), pair("swap"));
}

/// `Current Memory Usage` under a candidate's path.
fn usage(text: &str, path: &str) -> Option<u64> {
    let rest = text.split_once(&format!("Path: {path}"))?.1;
    let rest = rest.split("Path: ").next()?;
    let size = rest.split_once("Current Memory Usage: ")?.1;
    number::parse(size.split_whitespace().next()?)
}

/// `sending SIGTERM to process 1234 uid 1000 "chrome": badness 900, VmRSS 3000 MiB`; before 1.3 `killing
/// process 1234 "chrome" with signal 15`.
fn earlyoom(text: &str) -> Option<Reading> {
    const MARKS: [&str; 4] = [
        "sending SIGTERM",
        "sending SIGKILL",
        "killing process",
        "Killing process",
    ];
    // The first kill is the one that matters: the next often fall to memory not yet given back.
    let at = MARKS.iter().filter_map(|mark| text.find(mark)).min()?;
    let (before, rest) = text.split_at(at);
    let line = rest.lines().next()?;
    if !line.contains("badness") {
        return None;
    }
    let name = between(line, "\"", "\"")
        .or_else(|| between(line, "'", "'"))
        .or_else(|| between(line, "process: ", ","))?
        .to_string();
    let share = |mark: &str| {
        let (left, all) = status::pair(before.rsplit_once(mark)?.1)?;
        Some((all.checked_sub(left)?, all))
    };
    let killed = ByDaemon {
        by: "earlyoom",
        done: true,
        victims: vec![name.clone()],
        held: after(line, "VmRSS"),
        memory: share("mem avail:"),
        swap: share("swap free:").filter(|(_, all)| *all > 0),
        ..ByDaemon::default()
    };
    Some(by_daemon("earlyoom", &name, killed))
}

/// `kubectl describe pod`, its YAML, `docker inspect`: a container that ended as `OOMKilled`.
pub fn terminated(text: &str) -> Option<Reading> {
    if let Some(ended) = by_runtime(text) {
        return Some(ended);
    }
    const INSPECTED: [&str; 4] = [
        "\"OOMKilled\": true",
        "\"OOMKilled\":true",
        "OOMKilled=true",
        "reason:OOM",
    ];
    let inspected = INSPECTED.iter().any(|mark| text.contains(mark));
    const REASONS: [&str; 3] = ["Reason:", "reason:", "\"reason\":"];
    let reason = |line: &str| {
        let named = |key: &&str| line.trim().starts_with(*key);
        line.contains("OOMKilled") && REASONS.iter().any(named)
    };
    let described = text.lines().any(reason);
    let is_listed = |line: &&str| line.split_whitespace().any(|word| word == "OOMKilled");
    let listed = text.lines().find(is_listed);
    if !inspected && !described && listed.is_none() {
        return unit(text).or_else(|| signalled(text));
    }
    let at = text.find("OOMKilled").unwrap_or(0);
    let name = match (described, listed) {
        (true, _) => container(text, at),
        (false, Some(line)) => line.split_whitespace().next().map(str::to_string),
        _ => text
            .split_once("\"Name\":")
            .and_then(|(_, rest)| between(rest, "\"", "\""))
            .map(|name| name.trim_start_matches('/').to_string()),
    };
    // Old descriptions have the limits above the state.
    let one = inspected || text.matches("Limits:").count() == 1;
    let limit = limit_below(&text[at..]).or_else(|| one.then(|| limit_below(text))?);
    let count = |mark: &str| {
        let mut words = text[at..].split_once(mark)?.1.split_whitespace();
        words.next()?.trim_end_matches(',').parse().ok()
    };
    Some(ended(Terminated {
        name: name.unwrap_or_else(|| "a container".into()),
        limit,
        restarts: count("Restart Count:").or_else(|| count("restartCount:")),
        signal: false,
    }))
}

/// What docker, containerd or a platform say of a container's end.
fn by_runtime(text: &str) -> Option<Reading> {
    if let Some((_, event)) = text.split_once(" container oom ") {
        // docker events: `... container oom 29d729... (image=a, name=web)`.
        let name = between(event, " name=", ")").map(|rest| rest.split(',').next().unwrap_or(rest));
        return Some(ended(Terminated {
            name: name.unwrap_or("The container").to_string(),
            ..Terminated::default()
        }));
    }
    const BY_RUNTIME: [&str; 3] = [
        "OutOfMemoryError: Container killed due to memory usage",
        "container init was OOM-killed",
        "died due to OOM",
    ];
    let field = |key: &str| {
        let rest = text.split_once(key)?.1.trim_start_matches([':', ' ', '"']);
        rest.split('"').next()
    };
    // A task's memory is in MiB.
    let limit = || field("\"memory\"").and_then(|mib| number::parse(&format!("{mib}MiB")));
    BY_RUNTIME.iter().any(|mark| text.contains(mark)).then(|| {
        ended(Terminated {
            name: field("\"name\"").unwrap_or("The container").to_string(),
            limit: limit(),
            ..Terminated::default()
        })
    })
}

/// systemd's `Failed with result 'oom-kill'`.
fn unit(text: &str) -> Option<Reading> {
    const MARKS: [&str; 3] = [
        "result 'oom-kill'",
        "Result: oom-kill",
        "has been killed by the OOM killer",
    ];
    let marked = |line: &&str| MARKS.iter().any(|mark| line.contains(mark));
    let line = text.lines().find(marked)?;
    let named = |line: &str| {
        let words = line.split_whitespace();
        let mut words = words.map(|word| word.trim_end_matches(':'));
        words.find(|word| is_unit_name(word)).map(str::to_string)
    };
    Some(ended(Terminated {
        name: named(line)
            .or_else(|| text.lines().find_map(named))
            .unwrap_or_else(|| "a service".into()),
        ..Terminated::default()
    }))
}

/// Exit code 137 and nothing of the OOM killer.
fn signalled(text: &str) -> Option<Reading> {
    // The runtime's or the shell's, and what servers say of a worker.
    const MARKS: [&str; 18] = [
        "Exit Code: 137",
        "exitCode:137",
        "exitCode: 137",
        "\"ExitCode\": 137",
        "\"exitCode\": 137",
        "exit code 137",
        "exit status 137",
        "code: 137",
        "with code 137",
        "Exited (137)",
        "status=9/KILL",
        "signal 9",
        "signal: 9",
        "signal: killed",
        "Killed signal terminated",
        "sent SIGKILL",
        "(SIGKILL)",
        "'SIGKILL'",
    ];
    let at = MARKS.iter().filter_map(|mark| text.find(mark)).min();
    let folded = || {
        let at = text.find("Exit Code:")? + "Exit Code:".len();
        text[at..].trim_start().starts_with("137").then_some(at)
    };
    let at = at.or_else(folded)?;
    let count = text[at..].split_once("Restart Count:");
    let count = count.and_then(|(_, rest)| rest.split_whitespace().next()?.parse().ok());
    // The last column of docker ps.
    let line = text[at..].lines().next();
    let line = line.filter(|line| line.starts_with("Exited"));
    let listed = line.and_then(|line| line.split_whitespace().next_back());
    let name = listed.map(str::to_string).or_else(|| container(text, at));
    Some(ended(Terminated {
        name: name.unwrap_or_else(|| "It".into()),
        limit: limit_below(&text[at..]),
        restarts: count,
        signal: true,
    }))
}

fn ended(status: Terminated) -> Reading {
    let how = if status.signal {
        "SIGKILL"
    } else {
        "OOMKilled"
    };
    let label = format!("{}, {how}", status.name);
    Reading::told("a pod's status", label, What::Terminated(status))
}

/// The container whose block a state is in: in a description the last line above that is a name
/// and a colon, in a pod's YAML or JSON the `name:` beside it, which comes after the state.
fn container(text: &str, at: usize) -> Option<String> {
    let name = |line: &str| {
        let line = line.trim().trim_start_matches("- ");
        let json = line.strip_prefix("\"name\":");
        let name = line.strip_prefix("name:").or(json)?;
        Some(name.trim().trim_matches(['"', ',']).to_string())
    };
    let above = &text[..text[..at].rfind('\n').unwrap_or(0)];
    if text.contains("astState:\n") || text.contains("\"lastState\"") {
        let below = text[at..].lines().find_map(name);
        return below.or_else(|| above.lines().rev().find_map(name));
    }
    above.lines().rev().find_map(|line| {
        let name = line.trim().strip_suffix(':')?;
        let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-' || c == '.';
        (!name.is_empty() && name.chars().all(plain)).then(|| name.to_string())
    })
}

/// The memory limit in the lines below a state.
fn limit_below(text: &str) -> Option<u64> {
    if let Some((_, rest)) = text.split_once("\"Memory\":") {
        let word = rest.split_whitespace().next()?;
        let limit = number::parse(word.trim_end_matches([',', '}', ']']));
        return limit.filter(|limit| *limit > 0);
    }
    let limits = text.split_once("Limits:").or(text.split_once("limits:"))?.1;
    let end = limits.find("equests:").unwrap_or(limits.len());
    let memory = limits[..end].split_once("memory:")?.1;
    number::parse(memory.split_whitespace().next()?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn by(text: &str) -> ByDaemon {
        match read(text).map(|reading| reading.what) {
            Some(What::ByDaemon(killed)) => *killed,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn reasons_of_systemd_oomd() {
        let pressure = by(
            "systemd-oomd[840]: Killed /user.slice/u.service/app.scope due to memory pressure for /user.slice/u.service being 51.07% > 50.00% for > 20s with reclaim activity\n\
             systemd[1]: app.scope: systemd-oomd killed 12 process(es) in this unit.\n",
        );
        assert_eq!(pressure.victims, ["/user.slice/u.service/app.scope"]);
        assert_eq!(pressure.of.as_deref(), Some("/user.slice/u.service"));
        assert_eq!(
            pressure.pressure,
            Some(("51.07 %".into(), "50.00 %".into(), "20s".into()))
        );
        assert_eq!((pressure.processes, pressure.done), (Some(12), true));
        let swap = by(
            "systemd-oomd[1]: Killed /a.slice/b.scope due to memory used (33361305600) / total (33564614656) and swap used (7730941952) / total (8589930496) being more than 90.00%",
        );
        assert_eq!(swap.memory, Some((33_361_305_600, 33_564_614_656)));
        assert_eq!(swap.swap, Some((7_730_941_952, 8_589_930_496)));
        let candidates = by(
            "systemd-oomd[1]: Considered 2 cgroups for killing, top candidates were:\n Path: /a/b.service\n Current Memory Usage: 55.5M\n Path: /a/c\n Current Memory Usage: 1G\n",
        );
        assert_eq!(
            (candidates.held, candidates.done),
            (Some(58_195_968), false)
        );
    }

    #[test]
    fn earlyoom_says_what_was_left() {
        let killed = by(
            "earlyoom[685]: mem avail:   549 of 15933 MiB ( 3.45%), swap free:  100 of 2047 MiB ( 4.90%)\n\
             earlyoom[685]: sending SIGTERM to process 1234 uid 1000 \"chrome\": badness 900, VmRSS 3000 MiB\n",
        );
        assert_eq!(killed.victims, ["chrome"]);
        assert_eq!(killed.held, Some(3000 << 20));
        assert_eq!(killed.memory, Some((15384 << 20, 15933 << 20)));
    }

    #[test]
    fn a_description_names_container_and_limit() {
        let of = |text: &str| match terminated(text).map(|reading| reading.what) {
            Some(What::Terminated(ended)) => (
                ended.name,
                ended.limit.map(|limit| limit >> 20),
                ended.restarts,
            ),
            other => panic!("{other:?}"),
        };
        let described = "Containers:\n  web:\n    Container ID:  docker://1\n    Last State:     Terminated\n      Reason:       OOMKilled\n      Exit Code:    137\n    Restart Count:  5\n    Limits:\n      memory:  512Mi\n    Requests:\n      memory:  256Mi\n";
        assert_eq!(of(described), ("web".into(), Some(512), Some(5)));
        let listed = "NAME READY STATUS RESTARTS AGE\nweb-1 0/1 OOMKilled 3 5m\n";
        assert_eq!(of(listed).0, "web-1");
        let inspected = "[{\"Name\": \"/web\", \"State\": {\"OOMKilled\": true}, \"HostConfig\": {\"Memory\": 268435456,}}]";
        assert_eq!(of(inspected), ("web".into(), Some(256), None));
        let one_of_two = "  web:\n    Exit Code:    137\n    Restart Count:  2\n  log:\n    Note: é\n    Exit Code:    0\n    Restart Count:  7\n";
        assert_eq!(of(one_of_two), ("web".into(), None, Some(2)));
        assert!(terminated("\"OOMKilled\": false").is_none());
        assert!(terminated("why was my pod killed? I see OOM").is_none());
    }

    proptest! {
        #[test]
        fn nothing_panics(text in "(?s).{0,120}", told in "(oomd|Killed /| due to memory pressure for |due to memory used \\(|% > |for > | total \\(|\\)|Path: |Current Memory Usage: |sending SIG|\"|VmRSS |mem avail:|OOMKilled|Reason: |Limits:|memory:|\"Memory\":|[0-9]{1,4}(Mi| MiB|é)?| |\n){0,14}") {
            for text in [&text, &told] {
                read(text);
                terminated(text);
            }
        }
    }
}
