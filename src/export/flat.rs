//! A recording as one flat table: raw rows, formulas and cAdvisor's names side by side.
//!
//! What CSV and JSON Lines have in common. One record is one sample of one group.

use crate::formula::FORMULAS;
use crate::recording::{EventKind, Recording};
use crate::rows::ViewIndex;

use super::cadvisor::METRICS;
use super::page::Pages;

/// A cell of the table.
#[derive(Debug, Clone, PartialEq)]
pub enum Cell {
    /// A word.
    Text(String),
    /// A whole number.
    Integer(i64),
    /// Any other number.
    Float(f64),
    /// The kernel gave none.
    Absent,
}

/// Names of the cells that identify a record; the numbers follow them.
const KEYS: [&str; 9] = [
    "setup",
    "scenario",
    "group",
    "kind",
    "step",
    "t_s",
    "detector_t_s",
    "timestamp_ms",
    "cost_ns",
];

/// The flat view of one recording.
pub struct Flat<'a> {
    setup: &'a str,
    pages: &'a Pages<'a>,
    views: Vec<ViewIndex>,
    rows: Vec<String>,
    /// For each group, the index of each of `rows` in it.
    indices: Vec<Vec<Option<usize>>>,
}

impl<'a> Flat<'a> {
    /// Prepares the table of a recording that was made on `setup`.
    pub fn new(setup: &'a str, pages: &'a Pages<'a>) -> Self {
        let recording = pages.recording();
        let mut rows: Vec<String> = Vec::new();
        for table in &recording.tables {
            let new = table.columns.iter().filter(|c| !rows.contains(c));
            let new: Vec<String> = new.cloned().collect();
            rows.extend(new);
        }
        let indices = recording
            .tables
            .iter()
            .map(|table| rows.iter().map(|row| table.column(row)).collect())
            .collect();
        Flat {
            setup,
            pages,
            views: (0..recording.tables.len())
                .map(|group| recording.view_index(group))
                .collect(),
            rows,
            indices,
        }
    }

    /// The columns' names, in order: keys, raw rows, `formula:NAME`, cAdvisor's metrics.
    pub fn columns(&self) -> Vec<String> {
        let keys = KEYS.iter().map(|k| (*k).to_owned());
        let formulas = FORMULAS.iter().map(|f| format!("formula:{}", f.name));
        keys.chain(self.rows.iter().cloned())
            .chain(formulas)
            .chain((0..METRICS.len()).map(metric_column))
            .collect()
    }

    /// Every record: groups in order, samples in time order.
    pub fn records(&self) -> impl Iterator<Item = Vec<Cell>> + '_ {
        let tables = self.pages.recording().tables.iter().enumerate();
        tables.flat_map(move |(group, table)| {
            (0..table.len()).map(move |sample| self.record(group, sample))
        })
    }

    fn record(&self, group: usize, sample: usize) -> Vec<Cell> {
        let recording = self.pages.recording();
        let table = &recording.tables[group];
        let t = table.t[sample];
        let seconds = self.pages.seconds(t);
        let of = &recording.header.groups[group];
        let mut cells = vec![
            Cell::Text(self.setup.to_owned()),
            Cell::Text(recording.header.scenario.clone()),
            Cell::Text(of.name.clone()),
            Cell::Text(of.kind.to_string()),
            step_at(recording, t).map_or(Cell::Absent, Cell::Text),
            Cell::Float(t as f64 / 1e9),
            Cell::Float(seconds),
            Cell::Integer(self.pages.timestamp_ms(seconds)),
            table.cost.get(sample).map_or(Cell::Absent, |c| integer(*c)),
        ];
        let rows = self.indices[group].iter();
        cells.extend(rows.map(|index| {
            index
                .and_then(|column| table.get(sample, column))
                .map_or(Cell::Absent, integer)
        }));
        let view = recording.view(group, &self.views[group], sample);
        cells.extend(
            FORMULAS
                .iter()
                .map(|f| (f.eval)(&view).map_or(Cell::Absent, Cell::Integer)),
        );
        let reading = self.pages.read(group, sample);
        cells.extend((0..METRICS.len()).map(|index| match reading.nth(index) {
            Some((_, v)) if v.fract() == 0.0 && v.abs() < 9e15 => Cell::Integer(v as i64),
            Some((_, v)) => Cell::Float(v),
            None => Cell::Absent,
        }));
        cells
    }
}

/// A counter as a cell. "Unlimited" and what else no signed number holds is shown as the largest.
fn integer(value: u64) -> Cell {
    Cell::Integer(i64::try_from(value).unwrap_or(i64::MAX))
}

fn metric_column(index: usize) -> String {
    let metric = &METRICS[index];
    let extra = super::labels::selector(metric.labels.iter().copied());
    format!("{}{extra}", metric.name)
}

/// The step that started last at or before `t`, as `container/actor/step`.
fn step_at(recording: &Recording, t: u64) -> Option<String> {
    let before = recording.events.iter().rev().filter(|event| event.t <= t);
    before
        .filter_map(|event| match &event.kind {
            EventKind::StepStart(id) => Some(format!("{}/{}/{}", id.container, id.actor, id.step)),
            _ => None,
        })
        .next()
}
