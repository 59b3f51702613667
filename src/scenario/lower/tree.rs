//! Containers, actors and steps: the short form (one container, one actor) and the full one.

use std::collections::BTreeSet;

use super::workload::{self, Scope};
use super::{Context, condition, serve};
use crate::scenario::diagnostic::{Diagnostic, Span};
use crate::scenario::parse::Overrides;
use crate::scenario::spec::{Actor, Container, Restart, Step};
use crate::scenario::wire::{
    At, Names, WireActor, WireBytes, WireRestartPolicy, WireScenario, WireSize, WireStep,
};

/// What a container is called when the scenario has only one and doesn't name it.
pub const ONLY_CONTAINER: &str = "app";
/// What an actor is called when the container has only one and doesn't name it.
pub const ONLY_ACTOR: &str = "main";
/// A worker process needs about this much before it does anything.
const LEAST_LIMIT: u64 = 1 << 20;
/// Bounds on counts: far above any lesson, far below what would hurt the machine.
const MOST_CONTAINERS: usize = 32;
const MOST_ACTORS: usize = 32;
const MOST_STEPS: usize = 500;
/// What sched_setaffinity(2) takes with the C library's set of CPUs.
const MOST_CPUS: u64 = 1024;

/// A container whose steps do not know yet what they wait for.
pub struct Draft {
    pub container: Container,
    /// By actor and step: the `after` names as written.
    pub after: Vec<Vec<Names>>,
    /// The same of `until`, of steps that serve.
    pub until: Vec<Vec<Names>>,
}

impl Draft {
    pub fn done(self) -> Container {
        self.container
    }
}

/// One container as written, in whichever form.
struct Written<'a> {
    name: At<String>,
    limit: Option<&'a At<WireBytes>>,
    high: Option<&'a At<WireSize>>,
    restart: Option<&'a At<WireRestartPolicy>>,
    steps: &'a [At<WireStep>],
    actors: &'a [At<WireActor>],
}

/// All containers, checked but for what steps wait for.
pub fn containers(cx: &mut Context, wire: &WireScenario, overrides: Overrides) -> Vec<Draft> {
    let written = forms(cx, wire);
    too_many(
        cx,
        "containers",
        written.iter().map(|c| &c.name.span),
        MOST_CONTAINERS,
    );
    let scope = Scope::of(written.iter().flat_map(|c| {
        c.steps
            .iter()
            .chain(c.actors.iter().flat_map(|a| &a.value.step))
    }));
    let mut seen = BTreeSet::new();
    let mut drafts = Vec::new();
    for c in &written {
        label(cx, &c.name, "container");
        unique(cx, &c.name, "container", &mut seen);
        if c.name.value == "pod" {
            cx.wrong(
                &c.name.span,
                "a container cannot be called `pod`",
                "`pod` means the group around all containers",
            );
        }
        drafts.push(container(cx, c, &scope, overrides));
    }
    drafts
}

fn forms<'a>(cx: &mut Context, wire: &'a WireScenario) -> Vec<Written<'a>> {
    if wire.container.is_empty() {
        if wire.step.is_empty() && wire.actor.is_empty() {
            cx.error(
                Diagnostic::whole("the scenario does nothing: it has no step")
                    .help("add a `[[step]]`, an `[[actor]]` or a `[[container]]` with steps"),
            );
        }
        return vec![Written {
            name: At {
                span: 0..0,
                value: ONLY_CONTAINER.into(),
            },
            limit: wire.limit.as_ref(),
            high: wire.high.as_ref(),
            restart: None,
            steps: &wire.step,
            actors: &wire.actor,
        }];
    }
    let outside = [
        ("limit", wire.limit.as_ref().map(|l| &l.span)),
        ("high", wire.high.as_ref().map(|h| &h.span)),
        ("[[step]]", wire.step.first().map(|s| &s.span)),
        ("[[actor]]", wire.actor.first().map(|a| &a.span)),
    ];
    for (what, span) in outside {
        if let Some(span) = span {
            cx.wrong(
                span,
                format!("`{what}` beside `[[container]]`"),
                "with containers named, limits, actors and steps belong inside them",
            );
        }
    }
    let written = wire.container.iter().map(|c| Written {
        name: c.value.name.clone(),
        limit: Some(&c.value.limit),
        high: c.value.high.as_ref(),
        restart: c.value.restart.as_ref(),
        steps: &c.value.step,
        actors: &c.value.actor,
    });
    written.collect()
}

fn container(cx: &mut Context, c: &Written<'_>, scope: &Scope, overrides: Overrides) -> Draft {
    let limit = limit(cx, c.limit, overrides);
    let high = c.high.and_then(|at| {
        let high = cx.read(at)?.resolve(limit);
        Some(cx.sane(at.span.clone(), high, LEAST_LIMIT))
    });
    let restart = c.restart.and_then(|at| restart(cx, at, limit));
    let mut draft = Draft {
        container: Container {
            name: c.name.value.clone(),
            limit,
            high,
            restart,
            actors: Vec::new(),
        },
        after: Vec::new(),
        until: Vec::new(),
    };
    if c.steps.is_empty() && c.actors.is_empty() && c.name.span.end > 0 {
        let message = format!("container `{}` does nothing", c.name.value);
        cx.wrong(
            &c.name.span,
            message,
            "add `[[container.step]]`, or `[[container.actor]]` with steps",
        );
    }
    too_many(cx, "actors", c.actors.iter().map(|a| &a.span), MOST_ACTORS);
    let mut seen = BTreeSet::new();
    if !c.steps.is_empty() {
        seen.insert(ONLY_ACTOR.to_string());
        let who = (ONLY_ACTOR, false, None);
        actor(cx, &mut draft, who, c.steps, scope);
    }
    for a in c.actors {
        label(cx, &a.value.name, "actor");
        unique(cx, &a.value.name, "actor", &mut seen);
        if a.value.step.is_empty() {
            let message = format!("actor `{}` does nothing", a.value.name.value);
            cx.wrong(&a.value.name.span, message, "");
        }
        let cpu = a.value.cpu.as_ref().and_then(|at| cpu(cx, at));
        let who = (a.value.name.value.as_str(), a.value.outside, cpu);
        actor(cx, &mut draft, who, &a.value.step, scope);
    }
    draft
}

fn restart(cx: &mut Context, at: &At<WireRestartPolicy>, limit: u64) -> Option<Restart> {
    let policy = &at.value;
    let above = cx.read(&policy.above)?.resolve(limit);
    if above >= limit {
        cx.wrong(
            &policy.above.span,
            "working_set never gets above the limit: this controller would never act",
            "",
        );
    }
    if !(1..=100).contains(&policy.times.value) {
        cx.wrong(&policy.times.span, "restart 1 to 100 times", "");
    }
    Some(Restart {
        above,
        times: policy.times.value,
        delete_files: policy.delete_files.unwrap_or(true),
    })
}

fn limit(cx: &mut Context, written: Option<&At<WireBytes>>, overrides: Overrides) -> u64 {
    let of_file = match written {
        Some(at) => cx.bytes(at, LEAST_LIMIT),
        None => {
            cx.error(Diagnostic::whole("the scenario has no `limit`").help(
                "memtide never runs a growing workload without one; \
                     write `limit = \"256MiB\"` above the first table",
            ));
            LEAST_LIMIT
        }
    };
    overrides.limit.unwrap_or(of_file)
}

fn actor(
    cx: &mut Context,
    draft: &mut Draft,
    (name, outside, cpu): (&str, bool, Option<usize>),
    steps: &[At<WireStep>],
    scope: &Scope,
) {
    too_many(cx, "steps", steps.iter().map(|s| &s.span), MOST_STEPS);
    let mut seen = BTreeSet::new();
    let mut regions = BTreeSet::new();
    let mut done = Vec::new();
    for at in steps {
        let step = &at.value;
        step_name(cx, &step.name);
        unique(cx, &step.name, "step", &mut seen);
        let limit = draft.container.limit;
        let Some(workload) = workload::read(cx, at, limit, scope, &mut regions) else {
            continue;
        };
        let when = condition::optional(cx, step.when.as_ref(), condition::Of::Machine);
        done.push(Step {
            name: step.name.value.clone(),
            say: step.say.trim().into(),
            after: Vec::new(),
            workload,
            when,
            serving: serve::serving(cx, step),
        });
    }
    draft
        .after
        .push(steps.iter().map(|s| s.value.after.clone()).collect());
    let until = |s: &At<WireStep>| {
        let serve = s.value.serve.as_ref();
        serve.map(|at| at.value.until.clone()).unwrap_or_default()
    };
    draft.until.push(steps.iter().map(until).collect());
    draft.container.actors.push(Actor {
        name: name.into(),
        outside,
        cpu,
        steps: done,
    });
}

fn cpu(cx: &mut Context, at: &At<u64>) -> Option<usize> {
    if at.value >= MOST_CPUS {
        cx.error(
            Diagnostic::at(at.span.clone(), format!("CPU {} is out of range", at.value))
                .label(format!("from 0 to {}", MOST_CPUS - 1)),
        );
    }
    usize::try_from(at.value).ok()
}

/// Names of containers and actors become directories, rows and labels of metrics.
fn label(cx: &mut Context, name: &At<String>, what: &str) {
    let text = name.value.as_str();
    let letter = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
    let good = !text.is_empty()
        && text.len() <= 40
        && text.starts_with(letter)
        && text.chars().all(|c| letter(c) || c == '-');
    if !good {
        cx.wrong(
            &name.span,
            format!("{text:?} cannot be the name of a {what}"),
            "up to 40 lower-case letters, digits and `-`, a letter or digit first",
        );
    }
}

/// Names of steps are for people, but `/` and `@` have a meaning in references.
fn step_name(cx: &mut Context, name: &At<String>) {
    let text = name.value.as_str();
    let good = !text.is_empty()
        && text.len() <= 60
        && text.trim() == text
        && text != "end"
        && !text.contains(['/', '@'])
        && !text.chars().any(char::is_control);
    if !good {
        cx.wrong(
            &name.span,
            format!("{text:?} cannot be the name of a step"),
            "up to 60 characters without `/` and `@`; `end` means the last sample",
        );
    }
}

fn unique(cx: &mut Context, name: &At<String>, what: &str, seen: &mut BTreeSet<String>) {
    if !seen.insert(name.value.clone()) {
        cx.error(
            Diagnostic::at(
                name.span.clone(),
                format!("a second {what} called `{}`", name.value),
            )
            .label("named before"),
        );
    }
}

fn too_many<'a>(
    cx: &mut Context,
    what: &str,
    mut spans: impl Iterator<Item = &'a Span>,
    most: usize,
) {
    if let Some(span) = spans.nth(most) {
        cx.wrong(span, format!("more than {most} {what}"), "");
    }
}
