//! Expectations: when a value is looked at, and what it must be.

use super::references::Steps;
use super::{Context, condition, operand};
use crate::scenario::spec::{Check, Expectation, Moment, Operand, StepRef};
use crate::scenario::suggest;
use crate::scenario::wire::{At, Names, WireExpectation};
use crate::units::Size;

/// How far off a value may be where nothing is said: 2 % of the limit is what the figures of one
/// scenario were found to differ by from run to run and kernel to kernel.
const TOLERANCE: Operand = Operand::Size(Size::OfLimit(2.0));

/// All expectations; `at_least` and `at_most` in one make two.
pub fn all(cx: &mut Context, wire: &[At<WireExpectation>], steps: &Steps<'_>) -> Vec<Expectation> {
    wire.iter().flat_map(|at| one(cx, at, steps)).collect()
}

fn one(cx: &mut Context, at: &At<WireExpectation>, steps: &Steps<'_>) -> Vec<Expectation> {
    let wire = &at.value;
    let moment = moment(cx, at, steps);
    operand::value_name(cx, &wire.value, wire.value.value.trim());
    if wire.value.value.starts_with("smaps:") && !matches!(moment, Some(Moment::At(_)) | None) {
        cx.wrong(
            &wire.value.span,
            "smaps_rollup is only read after a step",
            "write `at = \"step\"`",
        );
    }
    let group = group(cx, wire, moment.as_ref(), steps);
    let since = wire.since.as_ref().and_then(|s| steps.resolve(cx, s));
    let checks = checks(cx, at, steps);
    let when = condition::optional(cx, wire.when.as_ref(), condition::Of::Recording);
    if wire.why.trim().is_empty() {
        cx.wrong(
            &at.span,
            "`why` is empty",
            "an expectation says why it holds, or nobody can tell when it is wrong",
        );
    }
    let Some(moment) = moment else {
        return Vec::new();
    };
    let expectation = |check| Expectation {
        group: group.clone(),
        value: wire.value.value.trim().into(),
        moment: moment.clone(),
        since,
        check,
        when: when.clone(),
        why: wire.why.trim().into(),
    };
    checks.into_iter().map(expectation).collect()
}

fn moment(cx: &mut Context, at: &At<WireExpectation>, steps: &Steps<'_>) -> Option<Moment> {
    let wire = &at.value;
    if let (Some(pick), None) = (&wire.pick, &wire.during) {
        cx.wrong(
            &pick.span,
            "`pick` without `during`",
            "`at` looks at one sample; a span of them is `during = \"step\"`",
        );
    }
    match (&wire.at, &wire.during) {
        (Some(name), None) if name.value == "end" => Some(Moment::End),
        (Some(name), None) => steps.resolve(cx, name).map(Moment::At),
        (None, Some(names)) => {
            let (from, to) = span_of(cx, at, names, steps)?;
            match &wire.pick {
                Some(pick) => Some(Moment::During {
                    from,
                    to,
                    pick: pick.value,
                }),
                None => {
                    cx.wrong(
                        &at.span,
                        "`during` without `pick`",
                        "say which value of the span is meant: `max`, `min`, `median`, `last` \
                             or `range`",
                    );
                    None
                }
            }
        }
        _ => {
            cx.wrong(
                &at.span,
                "an expectation needs one of `at` and `during`",
                "`at = \"step\"` is after that step, `at = \"end\"` the last sample",
            );
            None
        }
    }
}

fn span_of(
    cx: &mut Context,
    at: &At<WireExpectation>,
    names: &Names,
    steps: &Steps<'_>,
) -> Option<(StepRef, StepRef)> {
    match names.0.as_slice() {
        [one] => steps.resolve(cx, one).map(|step| (step, step)),
        [from, to] => steps.resolve(cx, from).zip(steps.resolve(cx, to)),
        _ => {
            cx.wrong(
                &at.span,
                "`during` names one step, or a first and a last one",
                "write `during = \"write\"` or `during = [\"write\", \"read\"]`",
            );
            None
        }
    }
}

/// The group that was named, else the container of the step that is looked at.
fn group(
    cx: &mut Context,
    wire: &WireExpectation,
    moment: Option<&Moment>,
    steps: &Steps<'_>,
) -> Option<String> {
    let names = || steps.0.iter().map(|c| c.name.as_str());
    if let Some(at) = &wire.group {
        if at.value != "pod" && !names().any(|name| name == at.value) {
            let known: Vec<&str> = names().chain(["pod"]).collect();
            cx.unknown(
                &at.span,
                format!("there is no container `{}`", at.value),
                suggest::help(&at.value, "the groups are", &known),
            );
        }
        return Some(at.value.clone());
    }
    let container = match moment {
        Some(Moment::At(step) | Moment::During { to: step, .. }) => step.container,
        _ => 0,
    };
    names().nth(container).map(String::from)
}

fn checks(cx: &mut Context, at: &At<WireExpectation>, steps: &Steps<'_>) -> Vec<Check> {
    let wire = &at.value;
    let mut operand = |text: &Option<At<String>>| {
        let text = text.as_ref()?;
        operand::read(cx, text, steps)
    };
    let tolerance = operand(&wire.tolerance);
    let near = operand(&wire.near).map(|of| Check::Near {
        of,
        tolerance: tolerance.unwrap_or(TOLERANCE),
    });
    let least = operand(&wire.at_least).map(Check::AtLeast);
    let most = operand(&wire.at_most).map(Check::AtMost);
    let absent = wire.absent.as_ref().map(|_| Check::Absent);
    let given = [
        wire.near.is_some(),
        wire.at_least.is_some() || wire.at_most.is_some(),
        wire.absent.is_some(),
    ];
    if given.iter().filter(|given| **given).count() != 1 {
        cx.wrong(
            &at.span,
            "an expectation needs one claim",
            "write `near` (with `tolerance`), `at_least` and/or `at_most`, or `absent = true`",
        );
    }
    if let Some(at) = wire.absent.as_ref().filter(|at| !at.value) {
        cx.wrong(
            &at.span,
            "`absent = false` claims nothing",
            "`at_least = \"0\"` claims that the row is there",
        );
    }
    if let (Some(at), None) = (&wire.tolerance, &wire.near) {
        cx.wrong(&at.span, "`tolerance` without `near`", "");
    }
    [near, least, most, absent].into_iter().flatten().collect()
}
