//! JUnit XML: a suite a scenario, a case an expectation.

use super::junit_xml::{self, Case, Suite};
use super::{RunResult, Verdict};

/// The results as JUnit XML.
pub fn render(runs: &[RunResult]) -> String {
    let suites: Vec<Suite> = runs.iter().map(suite).collect();
    junit_xml::render("memtide", &suites)
}

fn suite(run: &RunResult) -> Suite {
    let mut cases = Vec::new();
    let mut case = |name: &str, element, message: Option<String>, text: &str| {
        cases.push(Case {
            name: name.into(),
            class: Some(format!("memtide.{}", run.scenario)),
            element,
            message,
            text: (!text.is_empty()).then(|| text.into()),
            ..Case::default()
        });
    };
    let (skipped, failed) = (Some("skipped"), Some("failure"));
    if run.result == Verdict::Skip {
        case("run", skipped, Some(run.reason.clone()), "");
    }
    if run.result == Verdict::Fail && run.expectations.iter().all(|e| e.pass) {
        case("run", failed, Some(run.reason.clone()), "");
    }
    for expected in &run.expectations {
        if expected.pass {
            case(&expected.text, None, None, "");
        } else {
            let text = format!("expected {}, seen {}", expected.expected, expected.seen);
            case(&expected.text, failed, Some(text), &expected.why);
        }
    }
    for other in &run.not_here {
        case(&other.text, skipped, Some(other.reason.clone()), "");
    }
    let properties = run.host.iter().flat_map(|host| {
        let (cgroup, lru) = (host.cgroup.to_string(), host.lru.to_string());
        [
            ("kernel", host.kernel.clone()),
            ("cgroup", cgroup),
            ("lru", lru),
        ]
    });
    Suite {
        name: run.scenario.clone(),
        properties: properties.collect(),
        cases,
    }
}
