//! One sample of a recording: `--at STEP|TIME`, `--container NAME`.

use std::time::Duration;

use crate::explain::{ExplainError, Reading, Readings, Select, answer};
use crate::recording::{EventKind, GroupKind, Recording, read_named};
use crate::units;

/// Whether bytes are a recording: gzip, or JSON Lines with our header.
pub fn is_recording(bytes: &[u8]) -> bool {
    let head = &bytes[..bytes.len().min(4096)];
    head.starts_with(&[0x1f, 0x8b]) || String::from_utf8_lossy(head).contains("memtide.recording/")
}

/// Reads the sample asked for; the last one without `--at`.
pub fn read(bytes: &[u8], what: &str, select: &Select) -> Result<Readings, ExplainError> {
    let recording = read_named(bytes, what)?;
    let group = group(&recording, what, select)?;
    let table = &recording.tables[group];
    let (t, step) = time(&recording, what, select, group)?;
    let sample = t.map_or(table.len().checked_sub(1), |t| table.at(t));
    let Some(sample) = sample else {
        return Err(ExplainError::Nothing { what: what.into() });
    };
    let header = &recording.header;
    let facts = &header.groups[group];
    let mut rows = table.rows(sample);
    rows.set("node:MemTotal", header.host.mem_total);
    if let Some(limit) = facts.limit {
        rows.set("limit", limit);
    }
    for (name, value) in step.iter().flat_map(|end| end.smaps.iter()) {
        rows.set(format!("smaps:{name}"), value);
    }
    let at = Duration::from_nanos(table.t[sample]);
    let mut reading = Reading {
        label: format!(
            "{} of {}, {}",
            facts.name,
            header.scenario,
            units::duration(at)
        ),
        source: "recording",
        version: Some(header.host.cgroup),
        rows,
        container: (facts.kind == GroupKind::Container).then(|| facts.name.clone()),
        path: Some(facts.path.clone()),
        ..Reading::default()
    };
    if let Some(end) = step {
        reading.label += &format!(" (end of step {})", end.id.step);
    }
    if !recording.complete {
        reading.notes.push(
            "The recording was cut: what came after its last whole line is not known.".into(),
        );
    }
    reading.notes.push(format!(
        "Recorded on Linux {} with cgroup {} and the {} LRU.",
        header.host.kernel, header.host.cgroup, header.host.lru
    ));
    // A place was asked for: then the answer is about that place.
    let whole = match select.at {
        Some(_) => None,
        None => answer::recording::of(&recording, group),
    };
    let peak = whole
        .as_ref()
        .and_then(|_| answer::recording::peak(&recording, group));
    if let Some(peak) = peak.filter(|peak| *peak != sample) {
        let at = table.t[peak].div_ceil(1_000_000);
        reading.notes.push(format!(
            "The table is of its last sample; --at {at}ms shows the peak."
        ));
    }
    Ok(Readings {
        whole,
        ..Readings::one(reading)
    })
}

fn group(recording: &Recording, what: &str, select: &Select) -> Result<usize, ExplainError> {
    let wanted = select
        .container
        .as_deref()
        .or(select.pod.as_deref().map(|_| "pod"));
    let groups = &recording.header.groups;
    let have = || {
        let names: Vec<&str> = groups.iter().map(|g| g.name.as_str()).collect();
        names.join(", ")
    };
    let index = match wanted {
        Some(name) => recording.group(name),
        None => Some(recording.main_group()).filter(|index| *index < groups.len()),
    };
    index.ok_or_else(|| ExplainError::NoMatch {
        wanted: format!("container {}", wanted.unwrap_or("")),
        what: what.into(),
        have: have(),
    })
}

type Place<'a> = (Option<u64>, Option<&'a crate::recording::StepEnd>);

/// The time `--at` names, and the step if it names one. A step's place is its end, settled.
fn time<'a>(
    recording: &'a Recording,
    what: &str,
    select: &Select,
    group: usize,
) -> Result<Place<'a>, ExplainError> {
    let Some(wanted) = select.at.as_deref() else {
        return Ok((None, None));
    };
    let container = &recording.header.groups[group].name;
    let ends = || {
        recording
            .events
            .iter()
            .filter_map(|event| match &event.kind {
                EventKind::StepEnd(end) => Some((event.t, end)),
                _ => None,
            })
    };
    let found = ends()
        .filter(|(_, end)| {
            end.id.step == wanted || format!("{}.{}", end.id.actor, end.id.step) == wanted
        })
        // The same step name in several containers: this container's one first.
        .min_by_key(|(_, end)| end.id.container != *container);
    if let Some((t, end)) = found {
        return Ok((Some(t), Some(end)));
    }
    if let Ok(t) = units::parse_duration(wanted) {
        return Ok((Some(u64::try_from(t.as_nanos()).unwrap_or(u64::MAX)), None));
    }
    let mut steps: Vec<&str> = ends().map(|(_, end)| end.id.step.as_str()).collect();
    steps.dedup();
    Err(ExplainError::NoMatch {
        wanted: format!("step or time {wanted:?}"),
        what: what.into(),
        have: format!("the steps {}; or a time like 2.5s", steps.join(", ")),
    })
}
