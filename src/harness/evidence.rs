//! What a run sees of its containers' ends, put down to the right one of them.

use super::live::Live;
use super::verdicts::{FAILCNT, OOM_KILL, Rise};
use crate::outcome::Evidence;
use crate::recording::{ContainerOutcome, StepResult};
use crate::scenario::{Scenario, StepRef};
use crate::worker::protocol::Status;

/// Nothing is known of any container.
pub(super) fn nothing_yet(scenario: &Scenario) -> Vec<Evidence> {
    let containers = scenario.containers.iter();
    containers.map(|c| Evidence::new(&c.name)).collect()
}

impl Live<'_> {
    /// The time is up for all containers whose steps are not done.
    pub(super) fn deadline(&mut self) {
        for container in 0..self.evidence.len() {
            let group = self.parts.group_of[container];
            if !self.parts.watching && self.schedule.is_open(container) {
                let stalled = self.stalls(group);
                self.evidence[container].deadline(stalled);
            }
        }
    }

    /// Whether somebody is being made to wait at memory.high: the kernel counts each wait, and none
    /// lasts longer than 2 s (MEMCG_MAX_HIGH_DELAY_JIFFIES).
    fn stalls(&self, group: usize) -> bool {
        const PATIENCE_NS: u64 = 5_000_000_000;
        let now = self.parts.clock.now_ns();
        self.high_rose[group].is_some_and(|then| now.saturating_sub(then) < PATIENCE_NS)
    }

    /// A container whose kernel counts OOM kills has a counter, even if it does not rise.
    pub(super) fn testify(&mut self, group: usize) {
        let counted = self.verdicts[group].last(OOM_KILL).is_some();
        for container in self.containers_of(group) {
            if counted {
                self.evidence[container].oom_kills(0);
            }
        }
    }

    /// Puts a risen counter down to the containers of its own cgroup: none where it is the pod's.
    pub(super) fn count(&mut self, group: usize, rise: &Rise) {
        let containers = self.containers_of(group);
        if containers.is_empty() && rise.what.ends_with(OOM_KILL) {
            self.of_run.pod_oom_kills += rise.by;
        }
        for container in containers {
            let evidence = &mut self.evidence[container];
            match rise.what {
                what if what.ends_with(OOM_KILL) => evidence.oom_kills(rise.by),
                FAILCNT => evidence.failed_charges(rise.by),
                _ => {}
            }
        }
    }

    fn containers_of(&self, group: usize) -> Vec<usize> {
        let all = 0..self.evidence.len();
        all.filter(|c| self.parts.group_of.get(*c) == Some(&group))
            .collect()
    }

    /// What a step's row says of how it went. That its command was killed is evidence, as a worker's own end
    /// is: whoever did it, the counters of its container must have been read since.
    pub(super) fn result(&mut self, step: StepRef, status: Status) -> StepResult {
        let (end, why) = match status {
            Status::Done => return StepResult::Done,
            Status::Failed(why) => return StepResult::Failed(why),
            Status::Skipped(why) => return StepResult::Skipped(why),
            Status::Ended { end, why } => (end, why),
        };
        if self.parts.actor(step).is_some_and(|actor| !actor.outside) {
            let who = format!("what step {} ran", self.id(step).step);
            self.evidence[step.container].exit(&who, end);
        }
        StepResult::Failed(why)
    }

    /// Notes how a step of `container` went.
    pub(super) fn note(&mut self, container: usize, step: &str, result: &StepResult) {
        if let StepResult::Failed(why) = result {
            self.evidence[container].failed(format!("{step}: {why}"));
        }
    }

    /// Of each container; none when only looking on.
    pub(super) fn outcomes(&self) -> Vec<ContainerOutcome> {
        let evidence = self.evidence.iter().filter(|_| !self.parts.watching);
        evidence
            .map(|evidence| {
                let (outcome, reason) = evidence.outcome();
                ContainerOutcome {
                    container: evidence.name.clone(),
                    outcome,
                    reason,
                }
            })
            .collect()
    }
}
