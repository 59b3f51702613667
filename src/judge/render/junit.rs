//! The scorecard as JUnit: a suite a detector, a case a recording.

use crate::judge::scorecard::{Row, Scorecard};
use crate::judge::verdict::Judgement;
use crate::report::junit_xml::{self, Case, Suite};

use super::{expected, got};

/// The XML. A verdict that fell short is a failure, a detector that broke an error, and a
/// recording that could not be judged is skipped with the reason.
pub fn junit(card: &Scorecard) -> String {
    let left_out = |(name, reason): &(String, String)| skipped(name, reason.clone());
    let suites = card.detectors.iter().map(|detector| {
        let judged = detector.rows.iter().map(case);
        Suite {
            name: detector.detector.clone(),
            cases: judged.chain(card.skipped.iter().map(left_out)).collect(),
            ..Suite::default()
        }
    });
    junit_xml::render("memtide judge", &suites.collect::<Vec<_>>())
}

fn skipped(name: &str, message: String) -> Case {
    Case {
        name: name.into(),
        element: Some("skipped"),
        message: Some(message),
        ..Case::default()
    }
}

fn case(row: &Row) -> Case {
    if let Some(reason) = &row.not_judged {
        return skipped(&row.recording, format!("not judged: {reason}"));
    }
    let element = match row.verdict {
        Judgement::Hit | Judgement::Quiet | Judgement::NotJudged => None,
        Judgement::Error => Some("error"),
        _ => Some("failure"),
    };
    let words = row.verdict.words();
    let fell_short = || format!("{words}: expected {}, got {}", expected(row), got(row));
    let why = row.why.as_ref();
    Case {
        name: row.recording.clone(),
        class: Some(row.scenario.clone()),
        element,
        message: element.map(|_| fell_short()),
        kind: element.map(|_| words.into()),
        output: why.map(|why| format!("fired on: {}", why.words())),
        ..Case::default()
    }
}
