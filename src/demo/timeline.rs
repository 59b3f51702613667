//! Story time: a step that took the kernel 80 ms still gets the seconds its text takes to read.
//!
//! Recorded time is cut at every start and end of a step; each piece is shown for at least as long as
//! it needs, in the same order and without a gap. The chart's time axis is story time too, so a short
//! step is as wide as it is long on the screen.

use crate::plot::steps::StepBand;

/// Seconds that a piece is shown which begins with the start of a step.
const STEP_MIN: f64 = 3.0;
/// Seconds that any other piece is shown (counters settling, nothing happening).
const OTHER_MIN: f64 = 0.4;
/// A recording longer than this (seconds) is shown faster than it was, so that it takes this long.
const SHOW_MAX: f64 = 60.0;

/// How recorded time is shown.
#[derive(Debug, Clone, PartialEq)]
pub struct Timeline {
    /// (story, recorded) seconds, both not falling; at least two.
    anchors: Vec<(f64, f64)>,
}

impl Timeline {
    /// The timeline of a recording whose last time is `end`.
    pub fn new(bands: &[StepBand], end: f64) -> Self {
        let mut cuts: Vec<f64> = bands.iter().flat_map(|b| [b.start, b.end]).collect();
        cuts.extend([0.0, end]);
        cuts.retain(|t| (0.0..=end).contains(t));
        cuts.sort_by(f64::total_cmp);
        cuts.dedup();
        let pace = (SHOW_MAX / end.max(1e-9)).min(1.0);
        let mut story = 0.0;
        let mut anchors = vec![(0.0, 0.0)];
        for pair in cuts.windows(2) {
            let (from, to) = (pair[0], pair[1]);
            let min = match bands.iter().any(|b| b.start == from) {
                true => STEP_MIN,
                false => OTHER_MIN,
            };
            story += ((to - from) * pace).max(min);
            anchors.push((story, to));
        }
        if anchors.len() == 1 {
            anchors.push((OTHER_MIN, end));
        }
        Timeline { anchors }
    }

    /// The timeline on which another recording of the same scenario keeps step with this one:
    /// `own` are this one's bands, `other` and `end` the other one's.
    pub fn in_step(&self, own: &[StepBand], other: &[StepBand], end: f64) -> Timeline {
        let mut anchors = vec![(0.0, 0.0)];
        let mut add = |anchor: (f64, f64)| {
            let last: (f64, f64) = anchors[anchors.len() - 1];
            if anchor.0 >= last.0 && anchor.1 >= last.1 {
                anchors.push(anchor);
            }
        };
        let mut pairs: Vec<(f64, f64)> = own
            .iter()
            .filter_map(|a| Some((a, other.iter().find(|b| b.id == a.id)?)))
            .flat_map(|(a, b)| [(a.start, b.start), (a.end, b.end)])
            .map(|(a, b)| (self.story(a), b.min(end)))
            .collect();
        pairs.sort_by(|a, b| a.0.total_cmp(&b.0));
        pairs.into_iter().for_each(&mut add);
        add((self.end(), end));
        if anchors.len() == 1 {
            anchors.push((self.end(), end));
        }
        Timeline { anchors }
    }

    /// Story seconds in all.
    pub fn end(&self) -> f64 {
        self.anchors[self.anchors.len() - 1].0
    }

    /// The recorded second shown at a story second.
    pub fn recorded(&self, story: f64) -> f64 {
        self.map(story, |a| a.0, |a| a.1)
    }

    /// The story second at which a recorded second is shown.
    pub fn story(&self, recorded: f64) -> f64 {
        self.map(recorded, |a| a.1, |a| a.0)
    }

    fn map(&self, x: f64, from: fn(&(f64, f64)) -> f64, to: fn(&(f64, f64)) -> f64) -> f64 {
        let after = self.anchors.partition_point(|a| from(a) <= x);
        if after == 0 {
            return to(&self.anchors[0]);
        }
        let low = &self.anchors[after - 1];
        let Some(high) = self.anchors.get(after) else {
            return to(low);
        };
        let share = (x - from(low)) / (from(high) - from(low));
        to(low) + share * (to(high) - to(low))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::recording::StepId;
    use proptest::prelude::*;

    fn band(step: &str, start: f64, end: f64) -> StepBand {
        let id = StepId {
            container: "app".into(),
            actor: "app".into(),
            step: step.into(),
            index: 0,
        };
        StepBand {
            id,
            start,
            end,
            lane: 0,
            result: None,
            say: String::new(),
        }
    }

    #[test]
    fn a_short_step_is_shown_long_enough_to_be_read() {
        let line = Timeline::new(&[band("write", 0.0, 0.1), band("read", 0.2, 9.2)], 9.2);
        assert_eq!(line.story(0.1), 3.0);
        assert_eq!(line.story(0.2), 3.4);
        assert_eq!(line.end(), 12.4);
        assert!((line.recorded(1.5) - 0.05).abs() < 1e-9);
    }

    #[test]
    fn two_recordings_keep_step() {
        let fast = [band("write", 0.0, 1.0), band("read", 1.0, 2.0)];
        let slow = [band("write", 0.0, 20.0), band("read", 30.0, 50.0)];
        let line = Timeline::new(&fast, 2.0);
        let other = line.in_step(&fast, &slow, 60.0);
        assert_eq!(other.recorded(line.story(0.5)), 10.0);
        assert!((other.recorded(line.story(1.5)) - 40.0).abs() < 1e-9);
        assert_eq!(other.recorded(line.end()), 60.0);
    }

    proptest! {
        #[test]
        fn time_never_runs_back(times in proptest::collection::vec(0.0f64..100.0, 0..12), end in 0.0f64..120.0) {
            let bands: Vec<_> = times.chunks(2).filter(|c| c.len() == 2)
                .map(|c| band("s", c[0].min(c[1]), c[0].max(c[1]))).collect();
            let line = Timeline::new(&bands, end);
            let mut last = -1.0;
            for i in 0..=50 {
                let recorded = line.recorded(line.end() * f64::from(i) / 50.0);
                prop_assert!(recorded >= last && recorded <= end + 1e-9);
                last = recorded;
            }
        }
    }
}
