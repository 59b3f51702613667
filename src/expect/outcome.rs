//! How the run ended, and how it may end.

use super::run::Run;
use super::{CheckResult, Checked};
use crate::scenario::Outcome;

/// The outcomes that are right on the recorded host, and why; none where the scenario makes no
/// claim about this host.
fn allowed(run: &Run<'_>) -> Option<(Vec<Outcome>, String)> {
    let outcomes = &run.scenario.outcomes;
    if outcomes.is_empty() {
        return Some((
            vec![Outcome::Survived],
            "all steps end by themselves".into(),
        ));
    }
    let mut is = Vec::new();
    let mut why = Vec::new();
    for here in outcomes.iter().filter(|o| run.holds(&o.when).is_ok()) {
        is.extend(here.is.iter().copied());
        why.push(here.why.as_str());
    }
    is.sort();
    is.dedup();
    (!is.is_empty()).then(|| (is, why.join("; ")))
}

/// Whether steps may stay undone because the run ended like this. `survived` is no excuse: who
/// survives does all steps.
pub fn is_allowed_end(run: &Run<'_>, outcome: Outcome) -> bool {
    outcome != Outcome::Survived && allowed(run).is_some_and(|(is, _)| is.contains(&outcome))
}

/// The claim about the outcome.
pub fn check(run: &Run<'_>) -> Checked {
    let footer = run.recording.footer.as_ref();
    let (expected, why, is_right) = match allowed(run) {
        Some((is, why)) => {
            let names: Vec<&str> = is.iter().map(|o| o.as_str()).collect();
            let is_right = footer.map(|f| is.contains(&f.outcome));
            (names.join(" or "), why, is_right)
        }
        None => ("anything".into(), String::new(), None),
    };
    let result = match (is_right, footer) {
        (Some(true), _) => CheckResult::Pass,
        (Some(false), _) => CheckResult::Fail,
        (None, None) => CheckResult::NotHere("the recording was cut before its end".into()),
        (None, Some(_)) => {
            CheckResult::NotHere("the scenario says nothing about the outcome on this host".into())
        }
    };
    let seen = footer.map_or(String::new(), |f| match f.reason.is_empty() {
        true => f.outcome.to_string(),
        false => format!("{} ({})", f.outcome, f.reason),
    });
    Checked {
        text: format!("the run ends as {expected}"),
        why,
        expected,
        seen,
        result,
        expected_value: None,
        seen_value: None,
    }
}
