//! From what was written to what is meant: sizes resolved, names bound, and all that is wrong reported
//! with its line and column.

mod condition;
mod expectation;
mod operand;
mod parts;
pub mod plain;
mod references;
mod serve;
mod tree;
pub mod values;
mod workload;

use std::ops::RangeInclusive;
use std::time::Duration;

use super::diagnostic::{Diagnostic, Span};
use super::parse::Overrides;
use super::spec::{AllowedOutcomes, Onset, Requirement, Scenario, Truth};
use super::wire::{At, Quantity, WireScenario, WireTruth};
use crate::units;
use references::Steps;
pub(crate) use serve::is_of_proc;

/// No machine has this much memory or disk; whoever asks for it has mistyped.
const ABSURD_BYTES: u64 = 64 << 40;

/// The scenario, or everything that is wrong with it.
pub fn scenario(
    wire: WireScenario,
    text: &str,
    name: &str,
    overrides: Overrides,
) -> Result<Scenario, Vec<Diagnostic>> {
    let mut cx = Context::default();
    title(&mut cx, &wire.title);
    let (seed, interval, deadline) = (
        wire.seed.unwrap_or(1),
        interval(&mut cx, &wire),
        deadline(&mut cx, &wire),
    );
    let time_scale = time_scale(&mut cx, &wire);
    let pod_limit = wire.pod_limit.as_ref().map(|at| cx.bytes(at, 1 << 20));
    let mut containers = tree::containers(&mut cx, &wire, overrides);
    references::after(&mut cx, &mut containers);
    let containers: Vec<_> = containers.into_iter().map(tree::Draft::done).collect();
    let steps = Steps(&containers);
    let truth = truth(&mut cx, &wire.truth, &steps);
    let expectations = expectation::all(&mut cx, &wire.expect, &steps);
    let outcomes = wire.outcome.iter().map(|o| AllowedOutcomes {
        is: cx.not_empty(&o.is, "is", "`survived`, `oom_killed`, ..."),
        when: condition::optional(&mut cx, o.when.as_ref(), condition::Of::Recording),
        why: o.why.clone(),
    });
    let outcomes = outcomes.collect();
    let requires = wire.require.iter().map(|r| Requirement {
        when: condition::read(&mut cx, &r.when, condition::Of::Machine),
        reason: r.reason.clone(),
    });
    let requires = requires.collect();
    if !cx.found.is_empty() {
        return Err(cx.found);
    }
    Ok(Scenario {
        name: name.into(),
        title: wire.title.value,
        story: wire.story.trim().into(),
        tags: wire.tags,
        seed,
        interval,
        time_scale,
        deadline,
        pod_limit,
        containers,
        truth,
        expectations,
        outcomes,
        requires,
        text: text.into(),
    })
}

fn title(cx: &mut Context, title: &At<String>) {
    if title.value.trim().is_empty() || title.value.contains('\n') {
        cx.wrong(&title.span, "`title` must be one line of text", "");
    }
}

fn interval(cx: &mut Context, wire: &WireScenario) -> Duration {
    let range = Duration::from_millis(1)..=Duration::from_secs(60);
    cx.time(wire.interval.as_ref(), range, Duration::from_millis(100))
}

fn deadline(cx: &mut Context, wire: &WireScenario) -> Duration {
    let range = Duration::from_secs(1)..=Duration::from_secs(3600);
    cx.time(wire.deadline.as_ref(), range, Duration::from_secs(60))
}

fn time_scale(cx: &mut Context, wire: &WireScenario) -> f64 {
    match &wire.time_scale {
        None => 60.0,
        Some(at) if (0.001..=1e6).contains(&at.value) => at.value,
        Some(at) => {
            cx.wrong(
                &at.span,
                "`time_scale` is not between 0.001 and 1000000",
                "60 makes a minute of a detector's time of each recorded second",
            );
            1.0
        }
    }
}

fn truth(cx: &mut Context, wire: &WireTruth, steps: &Steps<'_>) -> Truth {
    let onset = wire.onset.as_ref();
    if let (false, Some(onset)) = (wire.fire, onset) {
        cx.wrong(
            &onset.span,
            "`onset` without `fire = true`",
            "only where a detector should fire is there a moment from which on it should",
        );
    }
    Truth {
        class: wire.class,
        fire: wire.fire,
        onset: onset.and_then(|at| {
            Onset::mark(&at.value).or_else(|| steps.resolve(cx, at).map(Onset::Step))
        }),
        need: wire.need.as_ref().map(|at| cx.bytes(at, 1)),
        why: wire.why.clone(),
    }
}

/// What has been found wrong so far. A value that is wrong is replaced by a harmless one, so that
/// the search for other errors goes on; the scenario is thrown away at the end.
#[derive(Default)]
pub(super) struct Context {
    found: Vec<Diagnostic>,
    /// What services say of themselves, by name: `truth:` values beside memtide's own.
    told: std::collections::BTreeSet<String>,
}

impl Context {
    /// Something is wrong there; with what would be right, if it is not empty.
    fn wrong(&mut self, span: &Span, message: impl Into<String>, help: impl Into<String>) {
        let help = Some(help.into()).filter(|help: &String| !help.is_empty());
        self.unknown(span, message, help);
    }

    /// The same with what may have been meant.
    fn unknown(&mut self, span: &Span, message: impl Into<String>, help: Option<String>) {
        let what = Diagnostic::at(span.clone(), message);
        self.found.push(Diagnostic { help, ..what });
    }

    fn error(&mut self, diagnostic: Diagnostic) {
        self.found.push(diagnostic);
    }

    fn read<Q: Quantity>(&mut self, at: &At<Q>) -> Option<Q::Value> {
        match at.value.read() {
            Ok(value) => Some(value),
            Err(e) => {
                self.unit_error(at.span.clone(), &e);
                None
            }
        }
    }

    fn unit_error(&mut self, span: Span, e: &units::UnitError) {
        self.error(
            Diagnostic::at(span, format!("{:?} is not {}", e.text, e.what))
                .label(format!("expected {}", e.what))
                .help(format!("write it as {}", e.examples)),
        );
    }

    /// An absolute size of at least `least` bytes.
    fn bytes<Q: Quantity<Value = u64>>(&mut self, at: &At<Q>, least: u64) -> u64 {
        let Some(bytes) = self.read(at) else {
            return least;
        };
        self.sane(at.span.clone(), bytes, least)
    }

    /// Keeps a size between `least` and what a machine can have.
    fn sane(&mut self, span: Span, bytes: u64, least: u64) -> u64 {
        if bytes < least {
            let message = format!("{} is too small", units::bytes_exact(bytes));
            self.error(
                Diagnostic::at(span, message)
                    .label(format!("at least {} is needed", units::bytes_exact(least))),
            );
            return least;
        }
        if bytes > ABSURD_BYTES {
            let message = format!("{} is more than any machine has", units::bytes(bytes));
            self.error(
                Diagnostic::at(span, message)
                    .label(format!("at most {}", units::bytes_exact(ABSURD_BYTES))),
            );
            return least.max(1);
        }
        bytes
    }

    fn time(
        &mut self,
        at: Option<&At<impl Quantity<Value = Duration>>>,
        range: RangeInclusive<Duration>,
        default: Duration,
    ) -> Duration {
        let Some(at) = at else { return default };
        let Some(time) = self.read(at) else {
            return default;
        };
        if !range.contains(&time) {
            let (low, high) = (
                units::duration(*range.start()),
                units::duration(*range.end()),
            );
            self.error(
                Diagnostic::at(
                    at.span.clone(),
                    format!("{} is out of range", units::duration(time)),
                )
                .label(format!("from {low} to {high}")),
            );
        }
        time
    }

    fn not_empty<T: Clone>(&mut self, at: &At<Vec<T>>, key: &str, example: &str) -> Vec<T> {
        if at.value.is_empty() {
            self.wrong(
                &at.span,
                format!("`{key}` is empty"),
                format!("name at least one: {example}"),
            );
        }
        at.value.clone()
    }
}
