//! The newest of what comes, in one piece of memory.

use std::ops::Deref;

/// At most so many values, the newest last. What is too old goes in bunches, so that one more costs the
/// same however many there are.
#[derive(Debug, Clone)]
pub struct Newest<T> {
    all: Vec<T>,
    most: usize,
}

impl<T: Copy> Newest<T> {
    /// Room for `most` of them.
    pub fn new(most: usize) -> Self {
        Newest {
            all: Vec::with_capacity(2 * most),
            most,
        }
    }

    /// Adds one; gives the one that had to go for it.
    pub fn push(&mut self, value: T) -> Option<T> {
        let dropped = (self.len() == self.most).then(|| self[0]);
        if self.all.len() == 2 * self.most {
            self.all.drain(..=self.most);
        }
        self.all.push(value);
        dropped
    }
}

impl<T> Deref for Newest<T> {
    type Target = [T];

    fn deref(&self) -> &[T] {
        &self.all[self.all.len().saturating_sub(self.most)..]
    }
}
