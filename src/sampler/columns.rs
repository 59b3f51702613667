//! The columns of a group, which only ever grow, and the values of its latest sample.

use crate::recording::MISSING;

/// Names and values side by side.
#[derive(Debug, Default)]
pub(super) struct Columns {
    pub names: Vec<String>,
    pub values: Vec<u64>,
}

impl Columns {
    /// The column's index; a new one is put at the end.
    pub fn index(&mut self, name: &str) -> usize {
        self.find(name).unwrap_or_else(|| {
            self.names.push(name.into());
            self.values.push(MISSING);
            self.names.len() - 1
        })
    }

    /// The column's index, if there is one.
    pub fn find(&self, name: &str) -> Option<usize> {
        self.names.iter().position(|n| n == name)
    }

    /// Forgets the latest sample.
    pub fn clear(&mut self) {
        self.values.fill(MISSING);
    }

    /// The value in a column that may not exist.
    pub fn value(&self, index: Option<usize>) -> Option<u64> {
        index
            .map(|index| self.values[index])
            .filter(|v| *v != MISSING)
    }
}
