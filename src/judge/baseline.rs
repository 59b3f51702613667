//! Compares a scorecard with a saved one: did any row get worse?

use super::scorecard::{DetectorCard, Row, Scorecard};
use super::verdict::Judgement;

/// A row that got worse.
#[derive(Debug, Clone, PartialEq)]
pub struct Worse {
    /// The detector.
    pub detector: String,
    /// The recording.
    pub recording: String,
    /// What it was and what it is now.
    pub change: String,
}

/// Why two scorecards can't be compared.
#[derive(Debug, thiserror::Error)]
pub enum BaselineError {
    /// Not a scorecard.
    #[error("{path} is not a scorecard: {message}; write one with `memtide judge --save`")]
    NotAScorecard {
        /// The file.
        path: String,
        /// What is wrong.
        message: String,
    },
    /// Nothing in common.
    #[error(
        "{path} has none of these detectors' rows, so nothing can be compared: was it saved for \
         other detectors or recordings?"
    )]
    NothingInCommon {
        /// The file.
        path: String,
    },
}

/// Reads a saved scorecard.
pub fn read(text: &str, path: &str) -> Result<Scorecard, BaselineError> {
    let error = |message: String| BaselineError::NotAScorecard {
        path: path.to_owned(),
        message,
    };
    let card: Scorecard = serde_json::from_str(text).map_err(|e| error(e.to_string()))?;
    if card.format.split('/').next() == Some("memtide.scorecard") {
        Ok(card)
    } else {
        Err(error(format!("its format is {:?}", card.format)))
    }
}

/// The rows of `new` that are worse than in `old`. Rows only one of them has are not compared;
/// the second number says how many were.
pub fn compare(old: &Scorecard, new: &Scorecard) -> (Vec<Worse>, usize) {
    let mut worse = Vec::new();
    let mut compared = 0;
    for card in &new.detectors {
        let Some(before) = find(old, &card.detector) else {
            continue;
        };
        for row in &card.rows {
            let same = before.rows.iter().find(|r| r.recording == row.recording);
            if let Some(was) = same {
                if !(was.verdict.counts() && row.verdict.counts()) {
                    continue;
                }
                compared += 1;
                if let Some(change) = change(was, row, new.scrape_interval_s) {
                    worse.push(Worse {
                        detector: card.detector.clone(),
                        recording: row.recording.clone(),
                        change,
                    });
                }
            }
        }
    }
    (worse, compared)
}

fn find<'a>(card: &'a Scorecard, detector: &str) -> Option<&'a DetectorCard> {
    card.detectors.iter().find(|d| d.detector == detector)
}

/// What got worse in a row, if anything: the verdict, the lead by more than a scrape, or a class
/// that was right.
fn change(was: &Row, now: &Row, scrape_s: f64) -> Option<String> {
    if rank(now.verdict) < rank(was.verdict) {
        return Some(format!(
            "{} before, now {}",
            was.verdict.words(),
            now.verdict.words()
        ));
    }
    if let (Some(before), Some(after)) = (was.lead_s, now.lead_s)
        && after < before - scrape_s
    {
        return Some(format!(
            "{before:.0} s of lead before the OOM kill, now {after:.0} s"
        ));
    }
    let right = |row: &Row| row.said == Some(row.class);
    let said = |row: &Row| row.said.map_or("nothing", |c| c.as_str());
    (right(was) && !right(now)).then(|| {
        format!(
            "the class was right ({}), now it says {}",
            said(was),
            said(now)
        )
    })
}

/// More is better: right; fired, but too late; never; for nothing; broken.
fn rank(verdict: Judgement) -> u8 {
    match verdict {
        Judgement::Hit | Judgement::Quiet => 4,
        Judgement::Late => 3,
        Judgement::Miss => 2,
        Judgement::Early | Judgement::FalseAlarm => 1,
        Judgement::Error | Judgement::NotJudged => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::judge::scorecard::testing::{self, card};
    use crate::scenario::Class;

    fn row(verdict: Judgement, lead_s: Option<f64>, said: Option<Class>) -> Row {
        Row {
            recording: "a/leak".into(),
            said,
            ..testing::row(true, verdict, lead_s)
        }
    }

    #[test]
    fn each_way_of_getting_worse_is_told() {
        let good = row(Judgement::Hit, Some(60.0), Some(Class::Leak));
        let told = |now: &Row| change(&good, now, 15.0);
        assert_eq!(told(&good), None);
        let missed = row(Judgement::Miss, None, None);
        assert_eq!(told(&missed).unwrap(), "hit before, now miss");
        let later = row(Judgement::Hit, Some(40.0), Some(Class::Leak));
        assert!(told(&later).unwrap().contains("60 s of lead"));
        // One scrape later is the grid's doing, not the detector's.
        let same = row(Judgement::Hit, Some(45.0), Some(Class::Leak));
        assert_eq!(told(&same), None);
        let confused = row(Judgement::Hit, Some(60.0), Some(Class::Tmpfs));
        assert!(told(&confused).unwrap().contains("tmpfs"));
        assert_eq!(change(&missed, &good, 15.0), None);
    }

    #[test]
    fn what_only_one_of_them_judged_is_not_compared() {
        let not_judged = row(Judgement::NotJudged, None, None);
        let hit = row(Judgement::Hit, Some(60.0), None);
        let miss = row(Judgement::Miss, None, None);
        let elsewhere = Row {
            recording: "b/leak".into(),
            ..miss.clone()
        };
        let compared = |old: &Row, new: &Row| {
            let (old, new) = (card("a", vec![old.clone()]), card("a", vec![new.clone()]));
            let (worse, compared) = compare(&old, &new);
            (worse.len(), compared)
        };
        assert_eq!(compared(&hit, &hit), (0, 1));
        assert_eq!(compared(&hit, &miss), (1, 1));
        assert_eq!(compared(&miss, &hit), (0, 1));
        assert_eq!(compared(&hit, &not_judged), (0, 0));
        assert_eq!(compared(&not_judged, &miss), (0, 0));
        assert_eq!(compared(&hit, &elsewhere), (0, 0));
        let other = card("another", vec![miss]);
        assert_eq!(compare(&card("a", vec![hit]), &other), (Vec::new(), 0));
    }

    proptest::proptest! {
        #[test]
        fn any_text_is_read_without_panic(text in ".{0,80}") {
            let _ = read(&text, "x");
        }
    }

    #[test]
    fn of_two_wrong_verdicts_one_is_worse() {
        use Judgement::{Early, Error, FalseAlarm, Hit, Late, Miss, Quiet};
        let steps: [&[Judgement]; 5] = [
            &[Hit, Quiet],
            &[Late],
            &[Miss],
            &[Early, FalseAlarm],
            &[Error],
        ];
        let worse = |was, now| change(&row(was, None, None), &row(now, None, None), 15.0).is_some();
        let ranked = || {
            (0..)
                .zip(steps)
                .flat_map(|(rank, all)| all.iter().map(move |one| (rank, *one)))
        };
        for (was_at, was) in ranked() {
            for (now_at, now) in ranked() {
                assert_eq!(
                    worse(was, now),
                    now_at > was_at,
                    "{was:?} before, now {now:?}"
                );
            }
        }
    }
}
