//! Building the table of a group while its columns may grow.

use std::collections::BTreeMap;

use super::format::COLUMNS_MAX;
use super::{MISSING, Table};

/// Values of all tables together are bounded: a file of 1 GiB could else ask for 1 TiB.
/// 2^28 values are 2 GiB, or seven hours of 100 columns at 100 Hz.
const VALUES_MAX: usize = 1 << 28;

/// A group's samples as they are read. Values stay in the layout in which they came; only a group
/// whose columns changed is laid out anew, once, at the end.
#[derive(Debug, Default)]
pub(super) struct TableBuilder {
    union: Vec<String>,
    index: BTreeMap<String, usize>,
    /// From which sample on which columns: indices in `union`.
    layouts: Vec<(usize, Vec<usize>)>,
    pub t: Vec<u64>,
    pub cost: Vec<u64>,
    pub values: Vec<u64>,
}

impl TableBuilder {
    /// From the next sample on, values stand for these columns.
    pub fn set_columns(&mut self, columns: &[String]) -> Result<(), String> {
        let known = self.union.len();
        let layout = self.indices(columns);
        let mut sorted = layout.clone();
        sorted.sort_unstable();
        let twice = sorted.windows(2).find(|pair| pair[0] == pair[1]);
        let error = match twice {
            _ if self.union.len() > COLUMNS_MAX => {
                Some(format!("a group with more than {COLUMNS_MAX} columns"))
            }
            Some(pair) => Some(format!("column {:?} twice", self.union[pair[0]])),
            None => None,
        };
        if let Some(error) = error {
            // A refused line may be the cut end of the file: it must leave nothing behind.
            for name in self.union.drain(known..) {
                self.index.remove(&name);
            }
            return Err(error);
        }
        self.layouts.push((self.t.len(), layout));
        Ok(())
    }

    /// The index of each column in the union, which takes up the new ones.
    fn indices(&mut self, columns: &[String]) -> Vec<usize> {
        let mut layout = Vec::with_capacity(columns.len());
        for name in columns {
            let next = self.union.len();
            let index = *self.index.entry(name.clone()).or_insert(next);
            if index == next {
                self.union.push(name.clone());
            }
            layout.push(index);
        }
        layout
    }

    /// How many values the next sample has.
    pub fn width(&self) -> usize {
        self.layouts.last().map_or(0, |(_, layout)| layout.len())
    }

    /// The group's table, [`MISSING`] where a sample had no such column; none if it were too large.
    pub fn finish(self, budget: &mut Budget) -> Option<Table> {
        let width = self.union.len();
        budget.take(self.t.len().checked_mul(width)?)?;
        let in_order = |layout: &[usize]| layout.iter().copied().eq(0..width);
        let values = match self.layouts.iter().all(|(_, layout)| in_order(layout)) {
            true => self.values,
            false => self.laid_out(width),
        };
        Some(Table {
            columns: self.union,
            t: self.t,
            cost: self.cost,
            values,
        })
    }

    fn laid_out(&self, width: usize) -> Vec<u64> {
        let mut values = vec![MISSING; self.t.len() * width];
        let mut from = 0;
        for (i, (start, layout)) in self.layouts.iter().enumerate() {
            let end = self
                .layouts
                .get(i + 1)
                .map_or(self.t.len(), |(next, _)| *next);
            for sample in *start..end {
                for (offset, index) in layout.iter().enumerate() {
                    values[sample * width + index] = self.values[from + offset];
                }
                from += layout.len();
            }
        }
        values
    }
}

/// What all tables of one recording may hold.
pub(super) struct Budget(usize);

impl Budget {
    pub fn new() -> Self {
        Budget(VALUES_MAX)
    }

    fn take(&mut self, values: usize) -> Option<()> {
        self.0 = self.0.checked_sub(values)?;
        Some(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(text: &str) -> Vec<String> {
        text.split(' ').map(String::from).collect()
    }

    #[test]
    fn grown_columns_are_missing_before_and_lost_ones_after() {
        let mut table = TableBuilder::default();
        for (columns, t, values) in [
            ("a b", 1, &[1, 2][..]),
            ("a c b", 2, &[3, 4, 5]),
            ("c", 3, &[6]),
        ] {
            table.set_columns(&names(columns)).unwrap();
            table.t.push(t);
            table.cost.push(0);
            table.values.extend_from_slice(values);
        }
        let table = table.finish(&mut Budget::new()).unwrap();
        assert_eq!(table.columns, names("a b c"));
        let (m, want) = (MISSING, table.values);
        assert_eq!(want, [1, 2, m, 3, 5, 4, m, m, 6]);
    }

    #[test]
    fn a_column_can_not_be_there_twice() {
        let error = TableBuilder::default().set_columns(&names("a b a"));
        assert!(error.unwrap_err().contains("\"a\""));
    }

    #[test]
    fn a_table_beyond_the_budget_is_refused() {
        let mut table = TableBuilder::default();
        table.set_columns(&names("a b")).unwrap();
        table.t.push(1);
        table.values.extend([1, 2]);
        assert!(table.finish(&mut Budget(1)).is_none());
    }
}
