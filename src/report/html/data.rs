//! What a recording's chart is drawn from: every row and every formula at every time shown.

use serde::Serialize;

use crate::formula::FORMULAS;
use crate::plot::layers::{AREAS, LINES, Layers};
use crate::plot::palette;
use crate::plot::steps::{Mark, StepBand};
use crate::plot::thin::{peak_columns, thin};
use crate::recording::{Recording, StepResult};

use super::scorecard::Answer;

/// Samples of a group that a page holds; a longer recording is thinned, keeping its peaks.
const SAMPLES_MAX: usize = 3000;

/// Whole numbers above this are not exact in a browser. No memory is that large: it is how the kernel
/// writes that there is no limit.
pub const NUMBER_MAX: u64 = 1 << 53;

/// One recording's chart.
#[derive(Serialize)]
pub struct Chart<'a> {
    /// One entry a sampled cgroup.
    groups: Vec<GroupData>,
    /// The group shown first.
    main: usize,
    bands: Vec<Band>,
    marks: &'a [Mark],
    /// The answers that fired.
    fires: Vec<&'a Answer>,
    /// Seconds at the end.
    end: f64,
}

#[derive(Serialize)]
struct GroupData {
    name: String,
    /// Samples in the recording; more than `t` has where it was thinned.
    samples: usize,
    /// Nanoseconds from the start, as differences.
    t: Vec<u64>,
    areas: Vec<Series>,
    lines: Vec<Series>,
    formulas: Vec<Series>,
    rows: Vec<Series>,
}

/// A series: where it never changes one number, else differences of each value to the last one that
/// was there (`null` where the kernel gave none).
#[derive(Serialize)]
struct Series {
    name: String,
    /// What it is, in words.
    #[serde(skip_serializing_if = "String::is_empty")]
    words: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    colour: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    same: Option<i64>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    steps: Vec<Option<i64>>,
    /// What to say where there is no number, if it is not that the kernel gave none.
    #[serde(skip_serializing_if = "Option::is_none")]
    absent: Option<&'static str>,
}

#[derive(Serialize)]
struct Band {
    step: String,
    actor: String,
    container: String,
    start: f64,
    end: f64,
    lane: usize,
    say: String,
    result: &'static str,
}

impl<'a> Chart<'a> {
    /// Everything about a recording that its chart can show.
    pub fn new(
        recording: &Recording,
        bands: &[StepBand],
        marks: &'a [Mark],
        answers: &[&'a Answer],
        end: f64,
    ) -> Self {
        Chart {
            groups: (0..recording.tables.len())
                .map(|g| group(recording, g))
                .collect(),
            main: recording.main_group(),
            bands: bands.iter().map(band).collect(),
            marks,
            fires: answers
                .iter()
                .copied()
                .filter(|a| a.fired.is_some())
                .collect(),
            end,
        }
    }
}

fn band(band: &StepBand) -> Band {
    Band {
        step: band.id.step.clone(),
        actor: band.id.actor.clone(),
        container: band.id.container.clone(),
        start: band.start,
        end: band.end,
        lane: band.lane,
        say: band.say.clone(),
        result: band.result.as_ref().map_or("not ended", StepResult::word),
    }
}

fn group(recording: &Recording, index: usize) -> GroupData {
    let table = &recording.tables[index];
    let samples = thin(
        table,
        &peak_columns(table, recording.version()),
        SAMPLES_MAX,
    );
    let layers = Layers::new(recording, index, &samples);
    let view_index = recording.view_index(index);
    let views: Vec<_> = samples
        .iter()
        .map(|s| recording.view(index, &view_index, *s))
        .collect();
    let row = |column: usize| {
        let values = || samples.iter().map(|s| table.get(*s, column));
        Series {
            absent: values()
                .any(|v| v >= Some(NUMBER_MAX))
                .then_some("unlimited"),
            ..series(&table.columns[column], values())
        }
    };
    GroupData {
        name: recording
            .header
            .groups
            .get(index)
            .map(|g| g.name.clone())
            .unwrap_or_default(),
        samples: table.len(),
        t: differences(samples.iter().map(|s| table.t[*s])),
        areas: AREAS
            .iter()
            .zip(&layers.areas)
            .map(|(area, values)| Series {
                words: area.words().into(),
                colour: Some(palette::hex(area.colour())),
                ..series(area.name(), values.iter().map(|v| Some(*v)))
            })
            .collect(),
        lines: LINES
            .iter()
            .zip(&layers.lines)
            .map(|(line, values)| Series {
                words: line.words().into(),
                colour: Some(palette::hex(line.colour())),
                ..series(line.name(), values.iter().copied())
            })
            .collect(),
        formulas: FORMULAS
            .iter()
            .map(|f| Series {
                words: f.expression.into(),
                ..signed(f.name, views.iter().map(|v| (f.eval)(v)))
            })
            .collect(),
        rows: (0..table.columns.len()).map(row).collect(),
    }
}

fn differences(values: impl Iterator<Item = u64>) -> Vec<u64> {
    values
        .scan(0, |last, value| {
            let step = value - *last;
            *last = value;
            Some(step)
        })
        .collect()
}

fn series(name: &str, values: impl Iterator<Item = Option<u64>>) -> Series {
    signed(
        name,
        values.map(|v| {
            v.filter(|v| *v < NUMBER_MAX)
                .and_then(|v| i64::try_from(v).ok())
        }),
    )
}

fn signed(name: &str, values: impl Iterator<Item = Option<i64>>) -> Series {
    let values: Vec<Option<i64>> = values.collect();
    let same = values
        .first()
        .copied()
        .flatten()
        .filter(|f| values.iter().all(|v| *v == Some(*f)));
    let mut last = 0i64;
    let steps = match same {
        Some(_) => Vec::new(),
        None => values
            .into_iter()
            .map(|value| {
                let step = value?.wrapping_sub(last);
                last = value?;
                Some(step)
            })
            .collect(),
    };
    Series {
        name: name.into(),
        words: String::new(),
        colour: None,
        same,
        steps,
        absent: None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_series_reads_back_as_it_was(values in proptest::collection::vec(
            proptest::option::of(0i64..1 << 50), 1..40
        )) {
            let packed = signed("x", values.iter().copied());
            let read: Vec<Option<i64>> = match packed.same {
                Some(v) => vec![Some(v); values.len()],
                None => packed
                    .steps
                    .iter()
                    .scan(0, |last, step| Some(step.map(|s| { *last += s; *last })))
                    .collect(),
            };
            prop_assert_eq!(read, values);
        }
    }
}
