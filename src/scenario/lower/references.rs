//! References to steps: `step`, `actor/step`, `container/step` or `container/actor/step`.

use super::Context;
use super::tree::Draft;
use crate::scenario::diagnostic::{Diagnostic, Span};
use crate::scenario::spec::{Container, StepRef};
use crate::scenario::suggest;
use crate::scenario::wire::At;

/// The steps of a scenario, for finding one by name.
pub struct Steps<'a>(pub &'a [Container]);

impl<'a> Steps<'a> {
    fn all(&self) -> impl Iterator<Item = (StepRef, [&'a str; 3])> + use<'a> {
        let containers = self.0;
        containers.iter().enumerate().flat_map(|(container, c)| {
            c.actors.iter().enumerate().flat_map(move |(actor, a)| {
                a.steps.iter().enumerate().map(move |(step, s)| {
                    let at = StepRef {
                        container,
                        actor,
                        step,
                    };
                    (at, [c.name.as_str(), a.name.as_str(), s.name.as_str()])
                })
            })
        })
    }

    /// The step meant, or an error that names the steps there are.
    pub fn resolve(&self, cx: &mut Context, name: &At<String>) -> Option<StepRef> {
        self.resolve_text(cx, &name.value, name.span.clone())
    }

    /// The same for a name inside a longer text.
    pub fn resolve_text(&self, cx: &mut Context, name: &str, span: Span) -> Option<StepRef> {
        let parts: Vec<&str> = name.split('/').map(str::trim).collect();
        let found: Vec<_> = self
            .all()
            .filter(|(_, [container, actor, step])| match parts.as_slice() {
                [s] => s == step,
                [owner, s] => s == step && (owner == actor || owner == container),
                [c, a, s] => c == container && a == actor && s == step,
                _ => false,
            })
            .collect();
        match found.as_slice() {
            [(at, _)] => return Some(*at),
            [] => self.unknown(cx, name, span),
            several => {
                let full: Vec<String> = several.iter().map(|(_, path)| path.join("/")).collect();
                let full: Vec<&str> = full.iter().map(String::as_str).collect();
                cx.error(
                    Diagnostic::at(
                        span,
                        format!("`{name}` could be any of {} steps", full.len()),
                    )
                    .label("which one?")
                    .help(format!("write one of {}", suggest::list(&full))),
                );
            }
        }
        None
    }

    fn unknown(&self, cx: &mut Context, name: &str, span: Span) {
        let names: Vec<&str> = self.all().map(|(_, path)| path[2]).collect();
        let last = name.rsplit('/').next().unwrap_or(name);
        cx.error(Diagnostic {
            help: suggest::help(last, "the steps are", &names),
            ..Diagnostic::at(span, format!("there is no step `{name}`")).label("not a step")
        });
    }
}

/// Binds every `after`, and finds steps that would wait for each other for ever.
pub fn after(cx: &mut Context, drafts: &mut [Draft]) {
    let containers: Vec<Container> = drafts.iter().map(|d| d.container.clone()).collect();
    let steps = Steps(&containers);
    // With errors in the steps themselves their places are not what was written.
    if !cx.found.is_empty() {
        return;
    }
    let mut spans = Vec::new();
    for draft in drafts.iter_mut() {
        for (actor, names) in draft.container.actors.iter_mut().zip(&draft.after) {
            for (step, names) in actor.steps.iter_mut().zip(names) {
                spans.push(names.0.first().map(|at| at.span.clone()));
                step.after = names
                    .0
                    .iter()
                    .filter_map(|at| steps.resolve(cx, at))
                    .collect();
            }
        }
    }
    for draft in drafts.iter_mut() {
        for (actor, names) in draft.container.actors.iter_mut().zip(&draft.until) {
            for (step, names) in actor.steps.iter_mut().zip(names) {
                if let Some(serving) = &mut step.serving {
                    let names = names.0.iter();
                    serving.until = names.filter_map(|at| steps.resolve(cx, at)).collect();
                }
            }
        }
    }
    let containers: Vec<Container> = drafts.iter().map(|d| d.container.clone()).collect();
    cycle(cx, &Steps(&containers), &spans);
}

/// A step runs after the one before it in its actor and after those it names: that must not be a
/// circle. Steps are taken away as soon as nothing holds them; what is left is held by a circle.
fn cycle(cx: &mut Context, steps: &Steps<'_>, spans: &[Option<Span>]) {
    let all: Vec<(StepRef, [&str; 3])> = steps.all().collect();
    let mut done = vec![false; all.len()];
    let place = |at: StepRef| all.iter().position(|(other, _)| *other == at);
    let holders: Vec<Vec<usize>> = all
        .iter()
        .map(|(at, _)| {
            let step = &steps.0[at.container].actors[at.actor].steps[at.step];
            let before = at.step.checked_sub(1).map(|step| StepRef { step, ..*at });
            step.after
                .iter()
                .copied()
                .chain(before)
                .filter_map(place)
                .collect()
        })
        .collect();
    loop {
        let free = (0..all.len()).find(|i| !done[*i] && holders[*i].iter().all(|h| done[*h]));
        match free {
            Some(i) => done[i] = true,
            None => break,
        }
    }
    let held: Vec<usize> = (0..all.len()).filter(|i| !done[*i]).collect();
    let Some(first) = held.iter().find(|i| spans[**i].is_some()) else {
        return;
    };
    let names: Vec<String> = held.iter().map(|i| all[*i].1[1..].join("/")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let span = spans[*first].clone().unwrap_or(0..0);
    cx.error(
        Diagnostic::at(
            span,
            "these steps wait for each other and would never start",
        )
        .label("part of a circle")
        .help(format!("waiting for ever: {}", suggest::list(&names))),
    );
}
