//! Services of a run: from their start until nothing of them is left.
//!
//! Starting (the worker has not said that it runs) → asked (is it ready?) → serving (what waits for
//! it may start) → leaving (all that it served has ended; its row is being taken) → stopping.

use std::path::{Path, PathBuf};
use std::time::Duration;

use nix::sys::signal::Signal;

use super::actor::Actor;
use super::error::HarnessError;
use super::live::Live;
use super::ready::{self, Answer, Ready, Waiter};
use super::said::{Asker, From, Question};
use super::stage::Stage;
use crate::descendants;
use crate::recording::EventKind;
use crate::rows::Rows;
use crate::sampler;
use crate::scenario::{Says, Serving, Source, StepRef};
use crate::worker::protocol::{Report, Status};
use crate::workload::Workload;

/// One service and how far it is.
pub(super) struct Served {
    pub(super) step: StepRef,
    /// When it was started, nanoseconds of the run.
    since: u64,
    /// The longest it may take to become ready: meant for a laptop, as the deadline is.
    within: Duration,
    stage: Phase,
    askers: Vec<Asker>,
}

enum Phase {
    Starting,
    Asked(Waiter),
    Serving,
    Leaving,
    /// Told to stop at this time, nanoseconds of the run.
    Stopping(u64),
    /// Told to stop since it was not ready in time, for this reason.
    Late(String),
}

impl Served {
    /// It was started now.
    pub(super) fn new(step: StepRef, serving: &Serving, now: u64) -> Self {
        let slowness = crate::host::slowness().clamp(1.0, 100.0);
        Served {
            step,
            since: now,
            within: serving.within.mul_f64(slowness),
            stage: Phase::Starting,
            askers: Vec::new(),
        }
    }

    fn age(&self, now: u64) -> Duration {
        Duration::from_nanos(now.saturating_sub(self.since))
    }
}

impl Live<'_> {
    /// Whether a service may become ready at any moment.
    pub(super) fn awaits_services(&self) -> bool {
        let mut served = self.served.iter();
        served.any(|s| matches!(s.stage, Phase::Starting | Phase::Asked(_)))
    }

    pub(super) fn is_served(&self, step: StepRef) -> bool {
        self.served.iter().any(|s| s.step == step)
    }

    /// Puts what the services of a group say into its next sample.
    pub(super) fn listen_to_services(&mut self, group: usize) {
        for served in &self.served {
            if self.parts.group_of[served.step.container] != group {
                continue;
            }
            for asker in &served.askers {
                let (name, value) = asker.latest();
                self.parts.sampler.tell(group, name, value);
            }
        }
    }

    /// Whether the service of `step` must not be started, since somebody else listens on its port: it would
    /// seem ready at once, and its load would go to them. The run ends then.
    pub(super) fn port_is_taken(&mut self, step: StepRef) -> Result<bool, HarnessError> {
        let serving = self.step(step).serving.as_ref();
        let asked = serving.zip(self.parts.stage.as_ref());
        let port = asked.and_then(|(serving, stage)| port(serving, stage));
        let Some(port) = port.filter(|port| ready::is_open(*port)) else {
            return Ok(false);
        };
        let text = format!(
            "something else listens on port {port} already, so it would seem ready at once: end that, or take \
             another port (`{{port}}` in a command is a free one)"
        );
        self.give_up(step, Status::Failed(text))?;
        Ok(true)
    }

    /// The worker says that the service of `step` runs.
    pub(super) fn service_runs(&mut self, step: StepRef) {
        let Some(serving) = self.step(step).serving.clone() else {
            return;
        };
        let Some(stage) = &self.parts.stage else {
            return;
        };
        let ready = Ready {
            port: port(&serving, stage),
            command: serving.command.iter().map(|w| stage.fill(w)).collect(),
            folder: Some(self.asked_in(step, stage)),
        };
        let now = self.parts.clock.now_ns();
        if let Some(served) = self.served.iter_mut().find(|s| s.step == step) {
            let left = served.within.saturating_sub(served.age(now));
            served.stage = Phase::Asked(Waiter::start(ready, left));
        }
    }

    /// Looks whether services are ready, late, or have nothing left to do.
    pub(super) fn look_after_services(&mut self) -> Result<(), HarnessError> {
        let now = self.parts.clock.now_ns();
        let steps: Vec<StepRef> = self.served.iter().map(|s| s.step).collect();
        for step in steps {
            let Some(serving) = self.step(step).serving.clone() else {
                continue;
            };
            let Some(i) = self.served.iter().position(|s| s.step == step) else {
                continue;
            };
            let answer = match &self.served[i].stage {
                Phase::Starting if self.served[i].age(now) > self.served[i].within => {
                    Answer::Late("it did not print the line that was awaited".into())
                }
                Phase::Starting => Answer::Waiting,
                Phase::Asked(waiter) => waiter.answer(),
                Phase::Serving
                    if self
                        .schedule
                        .done_with(step, &serving.until, self.parts.scenario) =>
                {
                    self.served[i].stage = Phase::Leaving;
                    self.done_here(step, 1, Status::Done);
                    Answer::Waiting
                }
                _ => Answer::Waiting,
            };
            match answer {
                Answer::Waiting => {}
                Answer::Ready => self.now_serves(i, &serving),
                Answer::Late(why) => self.too_late(step, &serving, &why),
            }
        }
        Ok(())
    }

    /// Where what is asked of a service runs or is looked for: where it runs itself.
    fn asked_in(&self, step: StepRef, stage: &Stage<'_>) -> PathBuf {
        let own = match &self.step(step).workload {
            Workload::Serve(serve) => serve.run.folder.clone(),
            _ => None,
        };
        own.unwrap_or_else(|| stage.folder().to_path_buf())
    }

    fn now_serves(&mut self, i: usize, serving: &Serving) {
        let step = self.served[i].step;
        if let (Some(stage), Some(worker)) = (&self.parts.stage, self.parts.actor(step)) {
            let folder = self.asked_in(step, stage);
            let askers = serving
                .says
                .iter()
                .map(|s| Asker::start(question(s, stage, worker.pid(), &folder)));
            self.served[i].askers = askers.collect();
        }
        self.served[i].stage = Phase::Serving;
        self.schedule.serve(step);
    }

    /// A service that does not get ready has no use: it is stopped, and with what it had said the run ends.
    fn too_late(&mut self, step: StepRef, serving: &Serving, why: &str) {
        let Some(served) = self.served.iter_mut().find(|s| s.step == step) else {
            return;
        };
        let mut here = String::new();
        if served.within > serving.within {
            let within = crate::units::duration(served.within);
            here = format!(" ({within} on a machine as slow as this one is now)");
        }
        let within = crate::units::duration(serving.within);
        served.stage = Phase::Late(format!("not ready within {within}{here}: {why}"));
        self.tell_to_stop(step);
    }

    /// The service's worker reports its end: as it was told, or of itself.
    pub(super) fn service_over(
        &mut self,
        step: StepRef,
        report: Report,
    ) -> Result<(), HarnessError> {
        let Some(i) = self.served.iter().position(|s| s.step == step) else {
            return Ok(());
        };
        let served = self.served.remove(i);
        let now = self.parts.clock.now_ns();
        match served.stage {
            Phase::Stopping(since) => {
                self.tell_of_stop(step, now.saturating_sub(since))?;
                self.schedule.end(step);
                Ok(())
            }
            Phase::Starting | Phase::Asked(_) => {
                let status = match report.status {
                    Status::Done => Status::Failed("it ended before it was ready".into()),
                    Status::Skipped(why) => Status::Failed(why),
                    other => other,
                };
                self.give_up(step, status)
            }
            Phase::Late(why) => self.give_up(step, Status::Failed(format!("{why}{}", report.said))),
            Phase::Serving | Phase::Leaving => {
                self.settling.retain(|s| s.step != step);
                let status = match report.status {
                    Status::Done => Status::Failed("it ended while it should serve".into()),
                    other => other,
                };
                // A load that goes on against nobody may never end.
                if self.step(step).serving.as_ref().is_some_and(|s| s.alone) {
                    return self.give_up(step, status);
                }
                self.work_done(
                    step,
                    Report {
                        status,
                        achieved: 0,
                        ..report
                    },
                );
                Ok(())
            }
        }
    }

    /// `smaps_rollup` at the end of `step`, bytes: the worker's own, or where the step serves the sum
    /// of all processes of the service, those that forked away included.
    pub(super) fn smaps(&self, step: StepRef, worker: i32) -> Rows {
        if !self.is_served(step) {
            return sampler::smaps_rollup(worker);
        }
        let mut sum = Rows::default();
        for process in descendants::below(worker, 0).unwrap_or_default() {
            for (row, bytes) in sampler::smaps_rollup(process.pid).iter() {
                sum.set(row, sum.get(row).unwrap_or(0).saturating_add(bytes));
            }
        }
        sum
    }

    /// Lets the service of `step` stop, now that its row is taken. False for any other step.
    pub(super) fn stop_service(&mut self, step: StepRef) -> Result<bool, HarnessError> {
        let now = self.parts.clock.now_ns();
        let Some(served) = self.served.iter_mut().find(|s| s.step == step) else {
            return Ok(false);
        };
        let askers = std::mem::take(&mut served.askers);
        served.stage = Phase::Stopping(now);
        let stops = self.tell_to_stop(step);
        // A column that is not there is seen by nobody, nor is one in another unit.
        for (code, text) in askers.iter().filter_map(Asker::doubt) {
            let code = code.into();
            self.event(EventKind::Warning { code, text })?;
        }
        Ok(stops)
    }

    /// Whether somebody is there to be told.
    fn tell_to_stop(&mut self, step: StepRef) -> bool {
        let own = self.parts.actor_mut(step);
        own.map(|actor| actor.stop(step.step)).is_some()
    }

    /// Tells all services that are left to stop; how long that may take.
    pub(super) fn stop_services(&mut self) -> Duration {
        let parts = &mut self.parts;
        self.served
            .retain(|s| parts.actor(s.step).is_some_and(Actor::is_alive));
        // Loads would only tell that nobody answers any more.
        let serves = |actor: &Actor| self.served.iter().any(|s| actor.does(s.step));
        parts.actors.retain(|a| !a.outside || serves(a));
        let now = parts.clock.now_ns();
        let mut longest = Duration::ZERO;
        for step in self.served.iter().map(|s| s.step).collect::<Vec<_>>() {
            if let Workload::Serve(serve) = &self.step(step).workload {
                let patience = Duration::from_millis(serve.stop_ms);
                longest = longest.max(patience.saturating_add(descendants::PATIENCE));
            }
            self.tell_to_stop(step);
        }
        for served in &mut self.served {
            if !matches!(served.stage, Phase::Stopping(_) | Phase::Late(_)) {
                served.stage = Phase::Stopping(now);
            }
        }
        longest
    }

    /// A stop that needed SIGKILL is no failure, but the reader should know.
    fn tell_of_stop(&mut self, step: StepRef, took: u64) -> Result<(), HarnessError> {
        let Workload::Serve(serve) = &self.step(step).workload else {
            return Ok(());
        };
        let patience = Duration::from_millis(serve.stop_ms);
        if Duration::from_nanos(took) < patience {
            return Ok(());
        }
        let text = format!(
            "{} did not stop within {} of {} and was killed; {}",
            self.step(step).name,
            crate::units::duration(patience),
            Signal::try_from(serve.stop_signal).map_or("its signal", Signal::as_str),
            match self.step(step).serving.as_ref().is_some_and(|s| s.alone) {
                true => "give another --stop-signal or a longer --stop-within",
                false => "give another `stop_signal` or a longer `stop_within`",
            }
        );
        let code = "stop_ignored".into();
        self.event(EventKind::Warning { code, text })
    }

    fn give_up(&mut self, step: StepRef, status: Status) -> Result<(), HarnessError> {
        self.served.retain(|s| s.step != step);
        self.settling.retain(|s| s.step != step);
        self.done_here(step, 1, status);
        if let Some(settling) = self.settling.pop() {
            self.step_over(settling)?;
        }
        self.stop = true;
        Ok(())
    }
}

fn port(serving: &Serving, stage: &Stage<'_>) -> Option<u16> {
    let port = serving.port.as_ref()?;
    stage.fill(port).parse().ok()
}

fn question(says: &Says, stage: &Stage<'_>, worker: i32, folder: &Path) -> Question {
    let from = match &says.source {
        Source::Command(words) => From::Command(words.iter().map(|w| stage.fill(w)).collect()),
        Source::File(path) => From::File(stage.fill(path).into()),
        Source::Http(url) => From::Http(stage.fill(url)),
        Source::Process(file) => From::Processes {
            worker,
            file: file.into(),
        },
    };
    Question {
        name: says.name.clone(),
        from,
        after: says.after.clone(),
        unit: says.unit,
        every: says.every,
        folder: folder.to_path_buf(),
    }
}
