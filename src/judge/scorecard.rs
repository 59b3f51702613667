//! The scorecard: what each detector did with each recording, and what that adds up to.
//!
//! These types are the JSON that `--save` writes and `--baseline` reads.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::scenario::Class;

use super::corpus::Case;
use super::kind::Kind;
use super::verdict::{Answer, Judgement, Window, judge, lead};
use super::why::Why;

/// The format's name and version.
pub const FORMAT: &str = "memtide.scorecard/1";

/// Everything one `memtide judge` found.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Scorecard {
    /// [`FORMAT`].
    pub format: String,
    /// The memtide that wrote it.
    pub memtide: String,
    /// Detector seconds between scrapes.
    pub scrape_interval_s: f64,
    /// The seed of the realism, where there was one.
    pub realism_seed: Option<u64>,
    /// The time scale that replaced the recordings' own, where one did.
    pub time_scale: Option<f64>,
    /// Labels that all series were given (`--set`).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub set: Vec<(String, String)>,
    /// The limit, bytes, that all recordings were scaled to (`--scale-to`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scale_to: Option<u64>,
    /// One a detector, in the order they were asked for.
    pub detectors: Vec<DetectorCard>,
    /// Recordings that could not be judged, with the reason.
    pub skipped: Vec<(String, String)>,
}

/// What one detector did.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct DetectorCard {
    /// A built-in's name, the command line, or the rules file.
    pub detector: String,
    /// What to know before reading the rows: alerts that can't fire here, and the like.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
    /// One a recording, in the suite's order.
    pub rows: Vec<Row>,
    /// Over all recordings.
    pub totals: Totals,
    /// Over those of each kernel set-up.
    pub by_setup: BTreeMap<String, Totals>,
    /// How often each true class was called what.
    pub confusion: Vec<Confused>,
}

/// What one detector did with one recording. Times are in detector seconds.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Row {
    /// `SET-UP/SCENARIO`, or a file.
    pub recording: String,
    /// The kernel set-up.
    pub setup: String,
    /// The scenario.
    pub scenario: String,
    /// What it is a recording of.
    #[serde(default)]
    pub corpus: Kind,
    /// Detector seconds a recorded second.
    pub time_scale: f64,
    /// What was right, and when.
    pub expected: Window,
    /// What the memory was.
    pub class: Class,
    /// When it first fired.
    pub fired_at_s: Option<f64>,
    /// What it said the memory was.
    pub said: Option<Class>,
    /// What went wrong with it.
    pub error: Option<String>,
    /// Why it was not judged, with the remedy.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub not_judged: Option<String>,
    /// On what it first fired.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub why: Option<Why>,
    /// How right it was.
    pub verdict: Judgement,
    /// From a hit to the OOM kill.
    pub lead_s: Option<f64>,
}

/// Sums over rows.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Totals {
    /// Fired when it should.
    pub hits: usize,
    /// Quiet when it should be.
    pub quiet: usize,
    /// Fired only after the OOM kill.
    pub late: usize,
    /// Never fired although it should have.
    pub misses: usize,
    /// Fired before the onset.
    pub early: usize,
    /// Fired although nothing was wrong.
    pub false_alarms: usize,
    /// Did not work.
    pub errors: usize,
    /// Could not fire here, or were not asked: in none of the shares.
    #[serde(default)]
    pub not_judged: usize,
    /// Of all times it fired in time or for nothing, the share that was right; none if it never did.
    pub precision: Option<f64>,
    /// Of all recordings in which firing was right, the share of hits; none if there were none.
    pub recall: Option<f64>,
    /// The harmonic mean of the two; 0 where one of them is 0 or missing.
    pub f1: f64,
    /// Mean lead before the OOM kill, seconds.
    pub lead_mean_s: Option<f64>,
    /// Smallest lead before the OOM kill, seconds.
    pub lead_min_s: Option<f64>,
}

/// One cell of the confusion matrix.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Confused {
    /// What the memory was.
    pub class: Class,
    /// What the detector said; none if it named no class.
    pub said: Option<Class>,
    /// In how many recordings.
    pub count: usize,
}

/// A case's row.
pub fn row(case: &Case, scale: f64, end_s: f64, answer: Answer) -> Row {
    let expected = Window::new(&case.truth, scale, end_s);
    Row {
        recording: case.name.clone(),
        setup: case.setup.clone(),
        scenario: case.scenario.clone(),
        corpus: case.kind,
        time_scale: scale,
        expected,
        class: case.truth.class,
        verdict: judge(&expected, &answer),
        lead_s: lead(&expected, &answer),
        fired_at_s: answer.fired_at,
        said: answer.class,
        error: answer.error,
        not_judged: answer.not_judged,
        why: answer.why,
    }
}

impl DetectorCard {
    /// Adds the rows up.
    pub fn new(detector: String, rows: Vec<Row>, notes: Vec<String>) -> Self {
        let mut setups: BTreeMap<String, Vec<&Row>> = BTreeMap::new();
        let mut confused: BTreeMap<(Class, Option<Class>), usize> = BTreeMap::new();
        for row in &rows {
            setups.entry(row.setup.clone()).or_default().push(row);
            if row.verdict.counts() {
                *confused.entry((row.class, row.said)).or_default() += 1;
            }
        }
        DetectorCard {
            detector,
            notes,
            totals: Totals::of(rows.iter()),
            by_setup: setups
                .into_iter()
                .map(|(setup, rows)| (setup, Totals::of(rows.into_iter())))
                .collect(),
            confusion: confused
                .into_iter()
                .map(|((class, said), count)| Confused { class, said, count })
                .collect(),
            rows,
        }
    }
}

impl Totals {
    /// Sums over these rows.
    pub fn of<'a>(rows: impl Iterator<Item = &'a Row>) -> Self {
        let mut totals = Totals::default();
        let mut leads = Vec::new();
        let mut positives = 0;
        for row in rows {
            *match row.verdict {
                Judgement::Hit => &mut totals.hits,
                Judgement::Quiet => &mut totals.quiet,
                Judgement::Late => &mut totals.late,
                Judgement::Miss => &mut totals.misses,
                Judgement::Early => &mut totals.early,
                Judgement::FalseAlarm => &mut totals.false_alarms,
                Judgement::Error => &mut totals.errors,
                Judgement::NotJudged => &mut totals.not_judged,
            } += 1;
            positives += usize::from(row.expected.fire && row.verdict.counts());
            leads.extend(row.lead_s);
        }
        let fired = totals.hits + totals.early + totals.false_alarms;
        let share = |of: usize| (of > 0).then(|| totals.hits as f64 / of as f64);
        totals.precision = share(fired);
        totals.recall = share(positives);
        totals.f1 = match (totals.precision, totals.recall) {
            (Some(p), Some(r)) if p + r > 0.0 => 2.0 * p * r / (p + r),
            _ => 0.0,
        };
        if !leads.is_empty() {
            totals.lead_mean_s = Some(leads.iter().sum::<f64>() / leads.len() as f64);
            totals.lead_min_s = leads.into_iter().reduce(f64::min);
        }
        totals
    }

    /// F1 as it is shown: there is none where nothing should have fired and nothing did.
    pub fn f1_told(&self) -> String {
        match (self.precision, self.recall) {
            (None, None) => "-".into(),
            _ => format!("{:.2}", self.f1),
        }
    }

    /// Whether every verdict was right, and there was one.
    pub fn all_right(&self) -> bool {
        self.late + self.misses + self.early + self.false_alarms + self.errors == 0
            && self.hits + self.quiet > 0
    }
}

#[cfg(test)]
pub(crate) mod testing {
    use super::*;

    /// A row of a leak, judged so.
    pub fn row(fire: bool, verdict: Judgement, lead_s: Option<f64>) -> Row {
        Row {
            recording: "a/b".into(),
            setup: "a".into(),
            scenario: "b".into(),
            corpus: Kind::Lessons,
            time_scale: 1.0,
            expected: Window {
                fire,
                onset_s: 0.0,
                oom_s: None,
                end_s: 1.0,
            },
            class: Class::Leak,
            fired_at_s: None,
            said: None,
            error: None,
            not_judged: None,
            why: None,
            verdict,
            lead_s,
        }
    }

    /// What one detector did.
    pub fn card(detector: &str, rows: Vec<Row>) -> Scorecard {
        Scorecard {
            format: FORMAT.into(),
            memtide: String::new(),
            scrape_interval_s: 15.0,
            realism_seed: None,
            time_scale: None,
            set: Vec::new(),
            scale_to: None,
            detectors: vec![DetectorCard::new(detector.into(), rows, Vec::new())],
            skipped: Vec::new(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::testing::row;
    use super::*;

    /// What was not judged is in no share.
    #[test]
    fn what_could_not_fire_is_no_miss() {
        let rows = [
            row(true, Judgement::Hit, None),
            row(true, Judgement::NotJudged, None),
            row(false, Judgement::NotJudged, None),
        ];
        let totals = Totals::of(rows.iter());
        assert_eq!((totals.recall, totals.not_judged), (Some(1.0), 2));
        assert!(totals.all_right());
        assert!(
            !Totals::of(rows[1..].iter()).all_right(),
            "nothing was judged"
        );
    }

    #[test]
    fn precision_counts_alarms_and_recall_counts_leaks() {
        let rows = [
            row(true, Judgement::Hit, Some(10.0)),
            row(true, Judgement::Hit, Some(30.0)),
            row(true, Judgement::Miss, None),
            row(true, Judgement::Early, None),
            row(true, Judgement::Late, None),
            row(false, Judgement::Quiet, None),
            row(false, Judgement::FalseAlarm, None),
            row(false, Judgement::Error, None),
        ];
        let totals = Totals::of(rows.iter());
        assert_eq!(totals.precision, Some(2.0 / 4.0));
        assert_eq!(totals.recall, Some(2.0 / 5.0));
        assert!((totals.f1 - 4.0 / 9.0).abs() < 1e-12);
        assert_eq!(totals.lead_mean_s, Some(20.0));
        assert_eq!(totals.lead_min_s, Some(10.0));
    }

    #[test]
    fn who_never_fires_has_no_precision_and_f1_0() {
        let rows = [row(true, Judgement::Miss, None)];
        let totals = Totals::of(rows.iter());
        assert_eq!(totals.precision, None);
        assert_eq!(totals.f1, 0.0);
    }
}
