//! Scrapes at a slower pace: the mean of every so many seconds, as the literature's detectors want it.

use super::Scrape;
use crate::export::Metric;

/// Means of equal times, one after the other.
#[derive(Debug, Clone)]
pub struct Resample {
    every_s: f64,
    since: Option<f64>,
    sum: f64,
    count: f64,
}

impl Resample {
    /// A mean every `every_s` seconds.
    pub fn new(every_s: f64) -> Self {
        Resample {
            every_s,
            since: None,
            sum: 0.0,
            count: 0.0,
        }
    }

    /// Adds a value; gives the middle (seconds) and the mean of the time that it completes. What is no
    /// finite number is left out.
    pub fn push(&mut self, t: f64, value: f64) -> Option<(f64, f64)> {
        if !t.is_finite() || !value.is_finite() {
            return None;
        }
        let since = *self.since.get_or_insert(t);
        let complete = (t - since >= self.every_s && self.count > 0.0)
            .then(|| (since + self.every_s / 2.0, self.sum / self.count));
        if complete.is_some() {
            (self.since, self.sum, self.count) = (Some(t), 0.0, 0.0);
        }
        self.sum += value;
        self.count += 1.0;
        complete
    }
}

/// working_set as a share of the limit: what of a container is nearest to a machine's memory utilization,
/// which the literature looks at.
pub fn utilization(scrape: &Scrape) -> Option<f64> {
    let limit = scrape.reading.limit()?;
    Some(scrape.reading.get(Metric::WorkingSet)? / limit)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn means_of_equal_times() {
        let mut means = Resample::new(60.0);
        let all: Vec<(f64, f64)> = (0..=12)
            .filter_map(|i| means.push(i as f64 * 15.0, i as f64))
            .collect();
        assert_eq!(all, [(30.0, 1.5), (90.0, 5.5), (150.0, 9.5)]);
        assert_eq!(means.push(f64::NAN, 1.0), None);
    }
}
