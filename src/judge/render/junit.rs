//! The scorecard as JUnit: a suite a detector, a case a recording.

use crate::report::junit_xml::{NonSuccessKind, Report, TestCase, TestCaseStatus, TestSuite};

use crate::judge::scorecard::{Row, Scorecard};
use crate::judge::verdict::Judgement;

use super::{expected, got};

/// The XML. A verdict that fell short is a failure, a detector that broke an error, and a
/// recording that could not be judged is skipped with the reason.
pub fn junit(card: &Scorecard) -> String {
    let mut report = Report::new("memtide judge");
    for detector in &card.detectors {
        let mut suite = TestSuite::new(detector.detector.clone());
        suite.add_test_cases(detector.rows.iter().map(case));
        suite.add_test_cases(card.skipped.iter().map(|(name, reason)| {
            let mut status = TestCaseStatus::skipped();
            status.set_message(reason.clone());
            TestCase::new(name.clone(), status)
        }));
        report.add_test_suite(suite);
    }
    report.to_xml()
}

fn case(row: &Row) -> TestCase {
    if let Some(reason) = &row.not_judged {
        let mut status = TestCaseStatus::skipped();
        status.set_message(format!("not judged: {reason}"));
        return TestCase::new(row.recording.clone(), status);
    }
    let kind = match row.verdict {
        Judgement::Hit | Judgement::Quiet | Judgement::NotJudged => None,
        Judgement::Error => Some(NonSuccessKind::Error),
        _ => Some(NonSuccessKind::Failure),
    };
    let status = match kind {
        None => TestCaseStatus::success(),
        Some(kind) => {
            let mut status = TestCaseStatus::non_success(kind);
            status.set_type(row.verdict.words());
            status.set_message(format!(
                "{}: expected {}, got {}",
                row.verdict.words(),
                expected(row),
                got(row)
            ));
            status
        }
    };
    let mut case = TestCase::new(row.recording.clone(), status);
    case.set_classname(row.scenario.clone());
    if let Some(why) = &row.why {
        case.set_system_out(format!("fired on: {}", why.words()));
    }
    case
}
