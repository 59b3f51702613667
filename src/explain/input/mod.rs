//! The kinds of input, and which reading of one is meant.

mod accounts;
mod columns;
mod daemons;
mod directory;
mod failures;
mod free;
pub mod given;
mod json;
mod json_tools;
mod lists;
mod machine;
mod metrics;
mod numa;
mod oom;
mod prometheus;
mod recording;
mod series;
mod status;
mod tables;
mod text;
mod told;

use std::collections::HashSet;
use std::fs::File;
use std::io::Read;
use std::path::Path;

use super::findings::printed;
use super::{Answer, ExplainError, Reading, Scope, What, clean, hint, names};

/// The most text that is read, MiB. A kubelet's metrics page of a full node has some.
const TEXT_MAX_MIB: u64 = 16;
/// The most readings of one input; a full node has some thousand cgroups.
const READINGS_MAX: usize = 8192;
/// The most of a recording, MiB.
const RECORDING_MAX_MIB: u64 = 1024;
/// The most bytes that are taken from any input.
pub const BYTES_MAX: u64 = RECORDING_MAX_MIB << 20;

/// Which reading is wanted where an input has several.
#[derive(Debug, Clone, Default)]
pub struct Select {
    /// A step or a time of a recording; elsewhere a reading's number or a part of its label.
    pub at: Option<String>,
    /// A container's name, or the beginning of its id.
    pub container: Option<String>,
    /// A pod's name.
    pub pod: Option<String>,
}

/// What an input held: the readings that were to choose from and the one that was chosen.
#[derive(Debug)]
pub struct Readings {
    /// All of them, in the input's order.
    pub all: Vec<Reading>,
    /// The one to explain.
    pub chosen: usize,
    /// Whether it was asked for.
    pub picked: bool,
    /// What a whole recording says, where one was given.
    pub whole: Option<Answer>,
}

impl Readings {
    /// One reading.
    pub fn one(reading: Reading) -> Readings {
        Readings {
            all: vec![reading],
            chosen: 0,
            picked: false,
            whole: None,
        }
    }
}

/// Reads a file or a directory.
pub fn read_path(path: &Path, select: &Select) -> Result<Readings, ExplainError> {
    let what = path.display().to_string();
    if path.is_dir() {
        return choose(directory::read(path)?, &what, select);
    }
    let mut bytes = Vec::new();
    let read = File::open(path).and_then(|file| file.take(BYTES_MAX + 1).read_to_end(&mut bytes));
    read.map_err(|source| ExplainError::Io {
        path: path.into(),
        source,
    })?;
    let name = path
        .file_name()
        .map(|name| name.to_string_lossy().into_owned());
    read_bytes(&bytes, &what, name.as_deref(), select)
}

/// Reads text or a recording. `name` is the file's name, which may say which kernel file it is.
pub fn read_bytes(
    bytes: &[u8],
    what: &str,
    name: Option<&str>,
    select: &Select,
) -> Result<Readings, ExplainError> {
    if recording::is_recording(bytes) {
        return recording::read(bytes, what, select);
    }
    if bytes.len() as u64 > TEXT_MAX_MIB << 20 {
        return Err(ExplainError::TooLarge {
            what: what.into(),
            limit_mib: TEXT_MAX_MIB,
        });
    }
    let text = String::from_utf8_lossy(bytes);
    let mut readings = read_text(&text, name.and_then(names::file_in));
    let alone = readings.len() == 1 && readings[0].source == "kernel files";
    for reading in &mut readings {
        if reading.label.is_empty() || alone {
            reading.label = what.to_string();
        }
    }
    if readings.is_empty()
        && let Some(hint) = hint::of(&text)
    {
        return Err(ExplainError::LooksLike {
            what: what.into(),
            hint,
        });
    }
    choose(readings, what, select)
}

/// Tells the kinds apart by what only they have. What other tools printed in the same text comes
/// behind, to be compared.
fn read_text(text: &str, file: Option<&'static str>) -> Vec<Reading> {
    let all = clean::lines(text);
    // What the kernel prints row by row is no other tool's.
    let is_row = |line: &&String| text::plain_row(line).is_some();
    let others: Vec<String> = all.iter().filter(|line| !is_row(line)).cloned().collect();
    let mut readings = of_kernel_or_api(text, &all, &others, file);
    if file.is_some() {
        return readings;
    }
    let lines = &others[..];
    let first = readings.len();
    if readings.iter().any(|reading| reading.oom().is_some()) {
        // The victim's own account, where it stands beside the report.
        readings.extend(accounts::read(text, lines).filter(|_| readings.len() == 1));
    } else {
        let known: Vec<&str> = readings.iter().map(|reading| reading.source).collect();
        let beside = tables::read(text, lines).into_iter();
        readings.extend(beside.filter(|reading| !known.contains(&reading.source)));
        readings.extend(lists::read(lines));
        // A metrics page has cAdvisor's own account among the containers' numbers.
        if readings
            .iter()
            .all(|reading| reading.source != "metrics page")
        {
            readings.extend(accounts::read(text, lines));
        }
        if first == 0 {
            readings.extend(numa::read(lines));
            readings.extend(machine::vmstat(lines));
            readings.extend(machine::vmstat_command(lines));
            readings.extend(status::read(text, lines));
            readings.extend(series::read(lines));
        }
    }
    one_machine(&mut readings);
    // What tools print explains no kill; what moved in a list matters where nothing else is.
    let list = |reading: &Reading| reading.source == "top or ps";
    if readings
        .iter()
        .all(|r| list(r) || printed::TOOLS.contains(&r.source) && r.what == What::Memory)
    {
        readings.extend(daemons::terminated(text));
    }
    if !readings.iter().all(list) {
        readings.retain(|reading| {
            reading.source != "top or ps" || !matches!(reading.what, What::Series(_))
        });
    }
    let plain = |reading: &Reading| matches!(reading.what, What::Memory | What::Processes(_));
    if readings.iter().all(plain) {
        readings.extend(failures::read(text));
    }
    readings
}

/// `free` beside lines of /proc/meminfo of the same machine: what the lines lack.
fn one_machine(readings: &mut Vec<Reading>) {
    let only = |source: &str| {
        let mut of = (0..readings.len()).filter(|at| readings[*at].source == source);
        of.next().filter(|_| of.next().is_none())
    };
    let (Some(lines), Some(free)) = (only("kernel files"), only("free")) else {
        return;
    };
    let total = |at: usize| readings[at].node("MemTotal");
    let same = total(lines).is_none() || total(lines) == total(free);
    if !same || readings[lines].scope != Scope::Node || lines > free {
        return;
    }
    let free = readings.remove(free);
    let kernels = |(row, _): &(&str, u64)| !matches!(*row, "node:Used" | "node:BuffCache");
    readings[lines].take_missing(free.rows.iter().filter(kernels));
}

fn of_kernel_or_api(
    text: &str,
    lines: &[String],
    others: &[String],
    file: Option<&'static str>,
) -> Vec<Reading> {
    let told = told::read(text);
    if !told.is_empty() {
        return told;
    }
    if let Some(killed) = daemons::read(text).filter(|_| !text.contains("Killed process")) {
        return vec![killed];
    }
    if metrics::is_page(text) {
        let readings = prometheus::read(text).unwrap_or_else(|| metrics::read(text));
        if !readings.is_empty() {
            return readings;
        }
    }
    if oom::is_report(text) {
        let readings = oom::read(text, lines);
        if !readings.is_empty() {
            return readings;
        }
    }
    if text.contains('{') {
        let readings = json::read(lines);
        if !readings.is_empty() {
            return readings;
        }
    }
    if file.is_none()
        && (tables::is_unit(text)
            || series::is_table(lines)
            || status::read(text, others).is_some()
            || is_runtime(text, others)
            // /proc/zoneinfo has its names, in pages.
            || text.contains("nr_zone_inactive_file")
            || text.contains("pfullmem(")
            || text.contains("pmem("))
    {
        return Vec::new();
    }
    let mut readings = text::read(text, lines, file);
    // Counts alone are of no memory: /proc/vmstat shares their names.
    if file.is_none() && text.contains("nr_inactive_file") {
        readings.retain(|reading| reading.rows.iter().any(|(row, _)| names::is_bytes(row)));
    }
    readings
}

/// A runtime's account with nothing of a cgroup beside it: its `rss:` is no row.
fn is_runtime(text: &str, lines: &[String]) -> bool {
    accounts::read(text, lines).is_some()
        && !text.contains("memory.")
        && !text.contains("inactive_file")
}

fn choose(all: Vec<Reading>, what: &str, select: &Select) -> Result<Readings, ExplainError> {
    if all.is_empty() {
        return Err(ExplainError::Nothing { what: what.into() });
    }
    let mut left: Vec<usize> = (0..all.len()).collect();
    let mut narrow =
        |wanted: &Option<String>, kind: &str, fits: &dyn Fn(&Reading, &str) -> bool| {
            let Some(wanted) = wanted else {
                return Ok(());
            };
            left.retain(|index| fits(&all[*index], wanted));
            if left.is_empty() {
                return Err(ExplainError::NoMatch {
                    wanted: format!("{kind} {wanted:?}"),
                    what: what.into(),
                    have: labels(&all),
                });
            }
            Ok(())
        };
    narrow(&select.pod, "pod", &|reading, pod| {
        reading.pod.as_deref() == Some(pod)
    })?;
    narrow(&select.container, "container", &is_container)?;
    let number = select.at.as_deref().and_then(|at| at.parse::<usize>().ok());
    let chosen = match number {
        Some(number) => {
            let nth = number.checked_sub(1).and_then(|n| left.get(n)).copied();
            nth.ok_or_else(|| ExplainError::NoMatch {
                wanted: format!("reading {number}"),
                what: what.into(),
                have: labels(&all),
            })?
        }
        None => {
            narrow(&select.at, "reading", &|reading, at| {
                reading.label.contains(at)
            })?;
            preferred(&all, &left, select)
        }
    };
    Ok(Readings {
        all,
        chosen,
        picked: select.at.is_some() || select.container.is_some() || select.pod.is_some(),
        whole: None,
    })
}

/// At most so many labels, so that an error stays readable.
const LABELS_SHOWN: usize = 12;

fn labels(all: &[Reading]) -> String {
    let mut labels: Vec<&str> = all
        .iter()
        .map(|r| r.label.as_str())
        .take(LABELS_SHOWN)
        .collect();
    labels.dedup();
    let more = all.len().checked_sub(LABELS_SHOWN + 1);
    let rest = more.map(|more| format!("; and {} more", more + 1));
    labels.join("; ") + &rest.unwrap_or_default()
}

/// By label, by docker's `k8s_NAME_POD_...`, or by the beginning of the id at the path's end.
fn is_container(reading: &Reading, wanted: &str) -> bool {
    let by_name = reading.container.as_deref().is_some_and(|name| {
        name == wanted
            || name.strip_prefix("k8s_").and_then(|n| n.split('_').next()) == Some(wanted)
    });
    let by_id = reading.path.as_deref().is_some_and(|path| {
        let last = path.rsplit('/').next().unwrap_or("");
        // `cri-containerd-0123abc.scope`: the id follows the runtime's name.
        let id = last
            .trim_end_matches(".scope")
            .rsplit('-')
            .next()
            .unwrap_or("");
        last == wanted || last.starts_with(wanted) || id.starts_with(wanted)
    });
    by_name || by_id
}

/// Of several, the one that most likely is meant. Never a sum: nested cgroups contain each other.
fn preferred(all: &[Reading], left: &[usize], select: &Select) -> usize {
    let size = |index: &usize| all[*index].value().unwrap_or(0);
    // How deep its cgroup lies.
    let depth = |index: &usize| {
        let path = all[*index].path.as_deref().unwrap_or("");
        path.trim_end_matches('/').matches('/').count()
    };
    if let Some(first) = told_first(all, left) {
        return first;
    }
    // What was pasted beside the first kind is there to be compared.
    let kind = all[left[0]].source;
    let mut left = left.to_vec();
    left.retain(|index| all[*index].source == kind);
    const NAMED: [&str; 4] = [
        "metrics page",
        "kubelet summary",
        "container stats",
        "metrics API",
    ];
    if !NAMED.contains(&kind) && !printed::TOOLS.contains(&kind) {
        return nearest(all, &left).unwrap_or_else(|| last_of(all, &left));
    }
    if select.container.is_some() || select.pod.is_some() {
        // The outermost of nested cgroups holds the others; for a pod that is the pod itself.
        let pod_itself =
            |index: &usize| select.container.is_none() && all[*index].container.is_some();
        let best = left
            .iter()
            .min_by_key(|i| (pod_itself(i), depth(i), std::cmp::Reverse(size(i))));
        return best.copied().unwrap_or(left[0]);
    }
    let is_leaf = |index: &usize| {
        let path = all[*index].path.as_deref().unwrap_or("");
        path != "/"
            && !all.iter().any(|r| {
                r.path.as_deref().is_some_and(|p| {
                    p.len() > path.len() && p.starts_with(path) && p[path.len()..].starts_with('/')
                })
            })
    };
    let labelled = |index: &usize| {
        all[*index].container.as_deref().is_some_and(|c| c != "POD") && all[*index].pod.is_some()
    };
    let best = left.iter().max_by_key(|i| {
        (
            labelled(i),
            size(i) > 0,
            is_leaf(i),
            all[**i].above_allocatable(),
            size(i),
        )
    });
    best.copied().unwrap_or(left[0])
}

/// Of pastes and reports in a row the last one that is not a mere scrap.
fn last_of(all: &[Reading], left: &[usize]) -> usize {
    let rows = |index: &usize| all[*index].rows.iter().count();
    let most = left.iter().map(rows).max().unwrap_or(0);
    let mut last = left.iter().rev();
    let whole = last.find(|index| rows(index) * 2 >= most);
    *whole.unwrap_or(&left[0])
}

/// What is more than rows comes first, but a kernel's report before all.
fn told_first(all: &[Reading], left: &[usize]) -> Option<usize> {
    let told = |reading: &Reading| {
        !matches!(reading.what, What::Memory | What::Processes(_)) && reading.oom().is_none()
    };
    let killed = all[left[0]].oom().is_some();
    let first = left.iter().find(|index| told(&all[**index]));
    first.copied().filter(|_| !killed)
}

/// Of several cgroups side by side the one nearest to its limit.
fn nearest(all: &[Reading], left: &[usize]) -> Option<usize> {
    let paths: HashSet<&str> = left
        .iter()
        .filter_map(|index| all[*index].path.as_deref())
        .collect();
    let limited = left.iter().all(|index| all[*index].limit().is_some());
    if !limited || paths.len() < left.len().max(2) || all[left[0]].what != What::Memory {
        return None;
    }
    let near = |index: &&usize| {
        let usage = all[**index].view().usage.unwrap_or(0);
        let limit = all[**index].limit().unwrap_or(u64::MAX).max(1);
        (u128::from(usage) * 1_000_000 / u128::from(limit), usage)
    };
    left.iter().max_by_key(near).copied()
}
