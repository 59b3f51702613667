//! Fewer samples, for keeping: what a kernel did shows in some hundred samples as in thousands.

use super::{Recording, Sink, Table, WriteError, Writer};
use crate::rows::{View, ViewIndex};

/// What claims and detectors look at: where these are highest and lowest must not be lost.
const TELLING: [fn(&View) -> Option<i128>; 5] = [
    |v| v.usage.map(i128::from),
    // The working set, before the clamp at 0.
    |v| Some(i128::from(v.usage?) - i128::from(v.inactive_file?)),
    |v| v.rss.map(i128::from),
    |v| v.active_file.map(i128::from),
    |v| v.inactive_file.map(i128::from),
];

impl Recording {
    /// Drops samples evenly until each group has about `max` of them, and none that says more than
    /// its neighbours: the first and the last, those that stand for a step's start or end, and
    /// those at which usage, working set, rss or a file list is at its highest or lowest stay.
    /// `interval_ns` grows accordingly.
    pub fn thin(&mut self, max: usize) {
        let longest = self.tables.iter().map(Table::len).max().unwrap_or(0);
        let every = longest.div_ceil(max.max(1)).max(1);
        if every == 1 {
            return;
        }
        let moments: Vec<u64> = self.events.iter().map(|e| e.t).collect();
        let version = self.version();
        for table in &mut self.tables {
            let index = ViewIndex::new(version, &table.columns);
            let keep = kept(table, &index, every, &moments);
            *table = only(table, &keep);
        }
        self.header.interval_ns = self.header.interval_ns.saturating_mul(every as u64);
    }

    /// Writes the whole of it, samples and events in the order of their times.
    ///
    /// # Errors
    /// If the output refuses.
    pub fn write_to(&self, name: &str, sink: Sink) -> Result<(), WriteError> {
        let mut header = self.header.clone();
        // Columns that came later on are in the tables only.
        for (group, table) in header.groups.iter_mut().zip(&self.tables) {
            group.columns.clone_from(&table.columns);
        }
        Writer::to(name, sink, &header)?.whole(self)
    }
}

/// Which samples stay, one flag a sample.
fn kept(table: &Table, index: &ViewIndex, every: usize, moments: &[u64]) -> Vec<bool> {
    let len = table.len();
    let mut keep: Vec<bool> = (0..len).map(|i| i % every == 0 || i + 1 == len).collect();
    for i in moments.iter().filter_map(|t| table.at(*t)) {
        keep[i] = true;
    }
    let views: Vec<View> = (0..len)
        .map(|i| index.view(|column| table.get(i, column)))
        .collect();
    for telling in TELLING {
        let values = || (0..len).filter_map(|i| Some((telling(&views[i])?, i)));
        for (_, i) in values().min().into_iter().chain(values().max()) {
            keep[i] = true;
        }
    }
    keep
}

fn only(table: &Table, keep: &[bool]) -> Table {
    let width = table.columns.len();
    let mut thin = Table {
        columns: table.columns.clone(),
        ..Table::default()
    };
    for i in (0..table.len()).filter(|i| keep[*i]) {
        thin.t.push(table.t[i]);
        thin.cost.push(table.cost[i]);
        thin.values
            .extend_from_slice(&table.values[i * width..(i + 1) * width]);
    }
    thin
}

#[cfg(test)]
mod tests {
    use super::super::{EventKind, read_bytes};
    use super::*;
    use crate::compare::testing::{MIB, host, recording};
    use crate::host::Lru::Classic;
    use crate::rows::CgroupVersion::V2;
    use crate::scenario::Outcome;

    /// 1,000 steps of a sample each, of which only two have events.
    fn long() -> Recording {
        let steps: Vec<(&str, u64, u64)> = (0..1000)
            .map(|i| ("step", if i == 357 { 99 } else { 3 }, i % 7))
            .collect();
        let mut recording = recording(host("6.1.0", V2, Classic), &steps, Outcome::Survived);
        recording.events.truncate(4);
        recording.events[3].t = 501_000_500;
        recording
    }

    #[test]
    fn fewer_samples_and_yet_all_that_tell() {
        let whole = long();
        let mut thin = long();
        thin.thin(100);
        let table = &thin.tables[0];
        assert!((100..=115).contains(&table.len()), "{}", table.len());
        assert_eq!(thin.header.interval_ns, whole.header.interval_ns * 10);
        assert_eq!(table.t.first(), whole.tables[0].t.first());
        assert_eq!(table.t.last(), whole.tables[0].t.last());
        let usage = |r: &Recording, i: usize| r.tables[0].get(i, 0);
        let highest = (0..table.len()).filter_map(|i| usage(&thin, i)).max();
        assert_eq!(highest, Some(199 * MIB));
        // What an event refers to is the same sample as before.
        for event in &whole.events {
            let at = |r: &Recording| r.tables[0].at(event.t).map(|i| r.tables[0].t[i]);
            assert_eq!(at(&thin), at(&whole), "{event:?}");
        }
        let mut same = long();
        same.thin(1000);
        assert_eq!(same.tables[0].len(), 1000);
        assert_eq!(same.header.interval_ns, whole.header.interval_ns);
    }

    #[test]
    fn nothing_to_thin_is_no_trouble() {
        let mut empty = recording(host("6.1.0", V2, Classic), &[], Outcome::Survived);
        empty.thin(0);
        assert_eq!(empty.tables[0].len(), 0);
        let mut one = recording(
            host("6.1.0", V2, Classic),
            &[("a", 1, 0)],
            Outcome::Survived,
        );
        one.thin(0);
        assert_eq!(one.tables[0].len(), 1);
    }

    #[test]
    fn what_is_written_is_read_back() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("thin.jsonl");
        let mut thin = long();
        thin.thin(50);
        let file = std::fs::File::create(&path).unwrap();
        thin.write_to("thin", Box::new(file)).unwrap();
        let back = read_bytes(&std::fs::read(&path).unwrap()).unwrap();
        assert!(back.complete);
        assert_eq!(back.tables[0].values, thin.tables[0].values);
        assert_eq!(back.tables[0].t, thin.tables[0].t);
        assert_eq!(back.events.len(), thin.events.len());
        assert!(matches!(back.events[0].kind, EventKind::StepStart(_)));
    }
}
