//! Which step may start: an actor's steps in order, each after the steps it waits for.

use crate::scenario::{Scenario, StepRef};

/// Where one actor stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// Step `next` has not begun.
    Waiting { next: usize },
    /// Doing step `now`.
    Doing { now: usize },
    /// No step is left, or its process has ended.
    Over,
}

/// The order of work of a whole scenario.
#[derive(Debug)]
pub struct Schedule {
    /// By container, then actor.
    states: Vec<Vec<State>>,
    ended: Vec<StepRef>,
}

impl Schedule {
    /// Nothing has begun.
    pub fn new(scenario: &Scenario) -> Self {
        let waiting = |steps: usize| match steps {
            0 => State::Over,
            _ => State::Waiting { next: 0 },
        };
        Schedule {
            states: scenario
                .containers
                .iter()
                .map(|c| c.actors.iter().map(|a| waiting(a.steps.len())).collect())
                .collect(),
            ended: Vec::new(),
        }
    }

    /// The steps that may start now.
    pub fn ready(&self, scenario: &Scenario) -> Vec<StepRef> {
        let mut ready = Vec::new();
        for (container, actors) in self.states.iter().enumerate() {
            for (actor, state) in actors.iter().enumerate() {
                let State::Waiting { next } = *state else {
                    continue;
                };
                let step = &scenario.containers[container].actors[actor].steps[next];
                if step.after.iter().all(|other| self.ended.contains(other)) {
                    ready.push(StepRef {
                        container,
                        actor,
                        step: next,
                    });
                }
            }
        }
        ready
    }

    /// `step` has begun.
    pub fn start(&mut self, step: StepRef) {
        self.states[step.container][step.actor] = State::Doing { now: step.step };
    }

    /// `step` has ended, in whatever way; `steps` is how many its actor has.
    pub fn end(&mut self, step: StepRef, steps: usize) {
        self.ended.push(step);
        self.states[step.container][step.actor] = match step.step + 1 {
            next if next < steps => State::Waiting { next },
            _ => State::Over,
        };
    }

    /// The actor's process is gone: its steps that did not begin never will. Those who wait for
    /// them wait no longer, since a lost reader must not hang the writer.
    pub fn lose(&mut self, container: usize, actor: usize, steps: usize) -> Option<StepRef> {
        let (first, doing) = match self.states[container][actor] {
            State::Waiting { next } => (next, None),
            State::Doing { now } => (
                now,
                Some(StepRef {
                    container,
                    actor,
                    step: now,
                }),
            ),
            State::Over => return None,
        };
        self.ended.extend((first..steps).map(|step| StepRef {
            container,
            actor,
            step,
        }));
        self.states[container][actor] = State::Over;
        doing
    }

    /// Whether another actor of `container` than `actor` is doing a step.
    pub fn others_at_work(&self, container: usize, actor: usize) -> bool {
        self.states[container]
            .iter()
            .enumerate()
            .any(|(other, state)| other != actor && matches!(state, State::Doing { .. }))
    }

    /// Whether no actor has anything left to do.
    pub fn over(&self) -> bool {
        self.states
            .iter()
            .flatten()
            .all(|state| *state == State::Over)
    }
}
