//! Errors summed: too much and too little apart, since one wastes and the other kills.

use std::collections::BTreeMap;

use serde::Serialize;

use super::{Judged, Known};

/// The largest error in one direction.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Worst {
    /// The recording.
    pub recording: String,
    /// Percent of the limit.
    pub percent: f64,
}

/// Errors over recordings, in percent of each recording's limit.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Errors {
    /// Recordings.
    pub of: usize,
    /// In the need's interval.
    pub right: usize,
    /// Above it.
    pub too_much: usize,
    /// Below it.
    pub too_little: usize,
    /// Mean over all recordings of what is too much.
    pub much_percent: f64,
    /// Mean over all recordings of what is too little.
    pub little_percent: f64,
    /// The largest of what is too much.
    pub worst_much: Option<Worst>,
    /// The largest of what is too little.
    pub worst_little: Option<Worst>,
}

impl Errors {
    fn add(&mut self, name: &str, judged: Judged, limit: u64) {
        let percent = |bytes: u64| 100.0 * bytes as f64 / limit.max(1) as f64;
        let worse = |worst: &mut Option<Worst>, percent: f64| {
            if worst.as_ref().is_none_or(|worst| percent > worst.percent) {
                *worst = Some(Worst {
                    recording: name.to_owned(),
                    percent,
                });
            }
        };
        // Means are kept whole at every step, so that there is nothing to finish.
        let n = self.of as f64;
        let mean = |mean: f64, new: f64| (mean * n + new) / (n + 1.0);
        let (much, little) = match judged {
            Judged::TooMuch(bytes) => {
                self.too_much += 1;
                worse(&mut self.worst_much, percent(bytes));
                (percent(bytes), 0.0)
            }
            Judged::TooLittle(bytes) => {
                self.too_little += 1;
                worse(&mut self.worst_little, percent(bytes));
                (0.0, percent(bytes))
            }
            Judged::Right => {
                self.right += 1;
                (0.0, 0.0)
            }
        };
        self.much_percent = mean(self.much_percent, much);
        self.little_percent = mean(self.little_percent, little);
        self.of += 1;
    }
}

/// One formula, or one right-sizer.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Scored {
    /// Its name.
    pub name: String,
    /// Over all recordings on which it says something.
    pub all: Errors,
    /// By the class of what the memory is.
    pub by_class: BTreeMap<String, Errors>,
    /// By set-up.
    pub by_setup: BTreeMap<String, Errors>,
}

impl Scored {
    /// Nothing yet.
    pub fn new(name: &str) -> Scored {
        Scored {
            name: name.to_owned(),
            all: Errors::default(),
            by_class: BTreeMap::new(),
            by_setup: BTreeMap::new(),
        }
    }

    /// What it said of one recording, bytes.
    pub fn add(&mut self, known: &Known<'_>, said: u64) {
        let (judged, case) = (known.interval.judge(said), known.case);
        let class = self
            .by_class
            .entry(case.truth.class.to_string())
            .or_default();
        let setup = self.by_setup.entry(case.setup.clone()).or_default();
        for errors in [&mut self.all, class, setup] {
            errors.add(&case.name, judged, known.need.max);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn too_much_and_too_little_are_summed_apart() {
        let mut errors = Errors::default();
        errors.add("a", Judged::TooMuch(50), 100);
        errors.add("b", Judged::TooLittle(20), 100);
        errors.add("c", Judged::Right, 100);
        errors.add("d", Judged::TooMuch(10), 100);
        assert_eq!(
            (errors.of, errors.right, errors.too_much, errors.too_little),
            (4, 1, 2, 1)
        );
        assert!((errors.much_percent - 15.0).abs() < 1e-9);
        assert!((errors.little_percent - 5.0).abs() < 1e-9);
        assert_eq!(errors.worst_much.unwrap().recording, "a");
        assert_eq!(errors.worst_little.unwrap().percent, 20.0);
    }
}
