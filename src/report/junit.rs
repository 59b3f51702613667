//! JUnit XML: a suite a scenario, a case an expectation.

use super::junit_xml::{NonSuccessKind, Report, TestCase, TestCaseStatus, TestSuite};
use super::{RunResult, Verdict};

/// The results as JUnit XML.
pub fn render(runs: &[RunResult]) -> String {
    let mut report = Report::new("memtide");
    report.add_test_suites(runs.iter().map(suite));
    report.to_xml()
}

fn suite(run: &RunResult) -> TestSuite {
    let mut suite = TestSuite::new(&run.scenario);
    if let Some(host) = &run.host {
        suite.add_property(("kernel", host.kernel.as_str()));
        suite.add_property(("cgroup", host.cgroup.to_string().as_str()));
        suite.add_property(("lru", host.lru.to_string().as_str()));
    }
    if run.result == Verdict::Skip {
        suite.add_test_case(case(run, "run", skip(&run.reason)));
    }
    if run.result == Verdict::Fail && run.expectations.iter().all(|e| e.pass) {
        suite.add_test_case(case(run, "run", fail(&run.reason, "")));
    }
    for expected in &run.expectations {
        let status = if expected.pass {
            TestCaseStatus::success()
        } else {
            let text = format!("expected {}, seen {}", expected.expected, expected.seen);
            fail(&text, &expected.why)
        };
        suite.add_test_case(case(run, &expected.text, status));
    }
    for other in &run.not_here {
        suite.add_test_case(case(run, &other.text, skip(&other.reason)));
    }
    suite
}

fn case(run: &RunResult, name: &str, status: TestCaseStatus) -> TestCase {
    let mut case = TestCase::new(name, status);
    case.set_classname(format!("memtide.{}", run.scenario));
    case
}

fn skip(reason: &str) -> TestCaseStatus {
    let mut status = TestCaseStatus::skipped();
    status.set_message(reason);
    status
}

fn fail(message: &str, why: &str) -> TestCaseStatus {
    let mut status = TestCaseStatus::non_success(NonSuccessKind::Failure);
    status.set_message(message);
    if !why.is_empty() {
        status.set_description(why);
    }
    status
}
