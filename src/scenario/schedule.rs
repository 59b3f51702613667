//! Which step may start: an actor's steps in order, each after the steps it waits for.

use super::{Container, Scenario, StepRef};

/// How far one actor is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// Step `next` has not begun.
    Waiting { next: usize },
    /// Doing step `now`.
    Doing { now: usize },
    /// No step is left, or its process has ended.
    Over,
}

impl State {
    /// Waiting for step `next` of `steps`.
    fn before(next: usize, steps: usize) -> Self {
        if next < steps {
            State::Waiting { next }
        } else {
            State::Over
        }
    }
}

/// The order of work of a whole scenario.
#[derive(Debug)]
pub struct Schedule {
    /// By container, then actor.
    states: Vec<Vec<State>>,
    /// How many steps each actor has.
    steps: Vec<Vec<usize>>,
    ended: Vec<StepRef>,
    /// Services that are ready: what waits for them may start.
    serving: Vec<StepRef>,
}

impl Schedule {
    /// Nothing has begun.
    pub fn new(scenario: &Scenario) -> Self {
        let count = |c: &Container| c.actors.iter().map(|a| a.steps.len()).collect();
        let steps: Vec<Vec<usize>> = scenario.containers.iter().map(count).collect();
        let waiting = |steps: &Vec<usize>| steps.iter().map(|s| State::before(0, *s)).collect();
        Schedule {
            states: steps.iter().map(waiting).collect(),
            steps,
            ended: Vec::new(),
            serving: Vec::new(),
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
                let over = |other| self.ended.contains(other) || self.serving.contains(other);
                if step.after.iter().all(over) {
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

    /// The service of `step` is ready.
    pub fn serve(&mut self, step: StepRef) {
        self.serving.push(step);
    }

    /// Whether nothing is left for the service of `step` to do: the steps of `until` have ended, or,
    /// where none is named, those of all other actors but services.
    pub fn done_with(&self, step: StepRef, until: &[StepRef], scenario: &Scenario) -> bool {
        if !until.is_empty() {
            return until.iter().all(|other| self.ended.contains(other));
        }
        let mut actors = self.states.iter().enumerate().flat_map(|(c, states)| {
            let states = states.iter().enumerate();
            states.map(move |(a, state)| (c, a, *state))
        });
        actors.all(|(c, a, state)| {
            let own = (c, a) == (step.container, step.actor);
            let serves = match state {
                State::Over => true,
                State::Waiting { .. } => false,
                State::Doing { now } => scenario.containers[c].actors[a].steps[now]
                    .serving
                    .is_some(),
            };
            own || serves
        })
    }

    /// `step` has ended, in whatever way.
    pub fn end(&mut self, step: StepRef) {
        self.serving.retain(|other| *other != step);
        self.ended.push(step);
        let steps = self.steps[step.container][step.actor];
        self.states[step.container][step.actor] = State::before(step.step + 1, steps);
    }

    /// The actor's process is gone: its steps that did not begin never will. Those who wait for
    /// them wait no longer, since a lost reader must not hang the writer.
    pub fn lose(&mut self, container: usize, actor: usize) -> Option<StepRef> {
        let steps = self.steps[container][actor];
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

    /// All actors of a container begin again with their first step.
    pub fn begin_again(&mut self, container: usize) {
        self.ended.retain(|step| step.container != container);
        self.serving.retain(|step| step.container != container);
        for (state, steps) in self.states[container]
            .iter_mut()
            .zip(&self.steps[container])
        {
            *state = State::before(0, *steps);
        }
    }

    /// The container is made anew on the order of `actor`: what the others were doing has ended.
    pub fn skip_others(&mut self, container: usize, actor: usize) {
        for (other, state) in self.states[container].iter_mut().enumerate() {
            if let State::Doing { now } = *state
                && other != actor
            {
                self.ended.push(StepRef {
                    container,
                    actor: other,
                    step: now,
                });
                *state = State::before(now + 1, self.steps[container][other]);
            }
        }
    }

    /// Whether another actor of `container` than `actor` is doing a step. A service that is ready
    /// only answers: with its clients gone its counters settle.
    pub fn others_at_work(&self, container: usize, actor: usize) -> bool {
        let states = self.states[container].iter().enumerate();
        let at_work = |(other, state): (usize, &State)| {
            let State::Doing { now } = *state else {
                return false;
            };
            let step = StepRef {
                container,
                actor: other,
                step: now,
            };
            other != actor && !self.serving.contains(&step)
        };
        states.into_iter().any(at_work)
    }

    /// Whether an actor of `container` has steps to do.
    pub fn is_open(&self, container: usize) -> bool {
        self.states[container]
            .iter()
            .any(|state| *state != State::Over)
    }

    /// Whether no actor has anything left to do.
    pub fn over(&self) -> bool {
        self.states
            .iter()
            .flatten()
            .all(|state| *state == State::Over)
    }
}
