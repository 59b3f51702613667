//! The newest of what comes, by number or by age, in one piece of memory.

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

/// Values in a row: one more comes at its end, and its first one goes.
#[derive(Debug, Clone)]
pub struct Queue<T> {
    all: Vec<T>,
    first: usize,
}

/// So many that are gone leave the memory at once.
const BUNCH: usize = 128;

impl<T> Default for Queue<T> {
    fn default() -> Self {
        Queue {
            all: Vec::new(),
            first: 0,
        }
    }
}

impl<T> Queue<T> {
    /// Adds one.
    #[inline]
    pub fn push(&mut self, value: T) {
        self.all.push(value);
    }

    /// Drops the first one, if there is any.
    #[inline]
    pub fn drop_first(&mut self) {
        self.first = (self.first + 1).min(self.all.len());
        if self.first == BUNCH {
            self.all.drain(..BUNCH);
            self.first = 0;
        }
    }
}

impl<T> Deref for Queue<T> {
    type Target = [T];

    #[inline]
    fn deref(&self) -> &[T] {
        &self.all[self.first..]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    proptest::proptest! {
        #[test]
        fn what_came_first_goes_first(steps in proptest::collection::vec(0..5u8, 0..900)) {
            let (mut queue, mut plain) = (Queue::default(), std::collections::VecDeque::new());
            for (n, step) in steps.into_iter().enumerate() {
                if step < 3 {
                    queue.push(n);
                    plain.push_back(n);
                } else {
                    queue.drop_first();
                    plain.pop_front();
                }
                proptest::prop_assert!(queue.iter().eq(&plain), "{}", n);
            }
        }
    }
}
