//! Between the wire types and the domain types, both ways.

use super::format::*;
use super::{
    Event, EventKind, Footer, Group, GroupKind, HarnessCost, Header, StepEnd, StepId, StepResult,
};
use crate::rows::Rows;

impl From<&Header> for WireHeader {
    fn from(h: &Header) -> Self {
        WireHeader {
            format: FORMAT_NAME.into(),
            memtide: h.memtide.clone(),
            host: h.host.clone(),
            scenario: WireScenario {
                name: h.scenario.clone(),
                text: h.scenario_text.clone(),
                hash: h.scenario_hash.clone(),
            },
            seed: h.seed,
            rng: h.rng.clone(),
            interval_ns: h.interval_ns,
            time_scale: h.time_scale,
            started: h.started.clone(),
            groups: h.groups.iter().map(WireGroup::from).collect(),
        }
    }
}

impl From<WireHeader> for Header {
    fn from(w: WireHeader) -> Self {
        Header {
            memtide: w.memtide,
            host: w.host,
            scenario: w.scenario.name,
            scenario_text: w.scenario.text,
            scenario_hash: w.scenario.hash,
            seed: w.seed,
            rng: w.rng,
            interval_ns: w.interval_ns,
            time_scale: w.time_scale,
            started: w.started,
            groups: w.groups.into_iter().map(Group::from).collect(),
        }
    }
}

impl From<&Group> for WireGroup {
    fn from(g: &Group) -> Self {
        WireGroup {
            name: g.name.clone(),
            kind: match g.kind {
                GroupKind::Pod => WireGroupKind::Pod,
                GroupKind::Container => WireGroupKind::Container,
            },
            limit: g.limit,
            path: g.path.clone(),
            columns: g.columns.clone(),
        }
    }
}

impl From<WireGroup> for Group {
    fn from(w: WireGroup) -> Self {
        Group {
            name: w.name,
            kind: match w.kind {
                WireGroupKind::Pod => GroupKind::Pod,
                WireGroupKind::Container => GroupKind::Container,
            },
            limit: w.limit,
            path: w.path,
            columns: w.columns,
        }
    }
}

impl From<&Rows> for Named<Counter> {
    fn from(rows: &Rows) -> Self {
        Named(rows.iter().map(|(n, v)| (n.into(), Counter(v))).collect())
    }
}

impl From<Named<Counter>> for Rows {
    fn from(named: Named<Counter>) -> Self {
        named.0.into_iter().map(|(n, v)| (n, v.0)).collect()
    }
}

impl From<&Footer> for WireFooter {
    fn from(f: &Footer) -> Self {
        let counters = f.counters.iter();
        WireFooter {
            t_ns: f.t,
            outcome: f.outcome,
            reason: f.reason.clone(),
            containers: f.containers.clone(),
            counters: Named(counters.map(|(g, r)| (g.clone(), r.into())).collect()),
            harness: WireHarnessCost {
                samples: f.harness.samples,
                missed: f.harness.missed,
                cpu_ns_mean: f.harness.cpu_ns_mean,
                lateness_p50_ns: f.harness.lateness_p50,
                lateness_p99_ns: f.harness.lateness_p99,
                lateness_max_ns: f.harness.lateness_max,
                rss_bytes: f.harness.rss,
            },
        }
    }
}

impl From<WireFooter> for Footer {
    fn from(w: WireFooter) -> Self {
        let counters = w.counters.0.into_iter();
        Footer {
            t: w.t_ns,
            outcome: w.outcome,
            reason: w.reason,
            containers: w.containers,
            counters: counters.map(|(g, r)| (g, r.into())).collect(),
            harness: HarnessCost {
                samples: w.harness.samples,
                missed: w.harness.missed,
                cpu_ns_mean: w.harness.cpu_ns_mean,
                lateness_p50: w.harness.lateness_p50_ns,
                lateness_p99: w.harness.lateness_p99_ns,
                lateness_max: w.harness.lateness_max_ns,
                rss: w.harness.rss_bytes,
            },
        }
    }
}

/// The wire object of an event; none for an event kept as it was read.
pub(super) fn object_of(event: &Event) -> Option<WireObject> {
    let t_ns = event.t;
    Some(match event.kind.clone() {
        EventKind::StepStart(id) => WireObject::StepStart(WireStepStart {
            t_ns,
            container: id.container,
            actor: id.actor,
            step: id.step,
            index: id.index,
        }),
        EventKind::StepEnd(end) => WireObject::StepEnd(step_end(t_ns, end)),
        EventKind::ActorExit {
            container,
            actor,
            code,
            signal,
            oom_killed,
        } => WireObject::ActorExit(WireActorExit {
            t_ns,
            container,
            actor,
            code,
            signal,
            oom_killed,
        }),
        EventKind::Kernel { group, what, value } => WireObject::Kernel(WireKernel {
            t_ns,
            group,
            what,
            value,
        }),
        EventKind::Restart { container, reason } => WireObject::Restart(WireRestart {
            t_ns,
            container,
            reason,
        }),
        EventKind::GroupEnd {
            group,
            name,
            reason,
        } => WireObject::GroupEnd(WireGroupEnd {
            t_ns,
            group,
            name,
            reason,
        }),
        EventKind::Warning { code, text } => WireObject::Warning(WireWarning { t_ns, code, text }),
        EventKind::Other(_) => return None,
    })
}

fn step_end(t_ns: u64, end: StepEnd) -> WireStepEnd {
    let (result, why) = match end.result {
        StepResult::Done => (WireResult::Done, None),
        StepResult::Failed(why) => (WireResult::Failed, Some(why)),
        StepResult::Skipped(why) => (WireResult::Skipped, Some(why)),
    };
    WireStepEnd {
        t_ns,
        container: end.id.container,
        actor: end.id.actor,
        step: end.id.step,
        index: end.id.index,
        work_done_ns: end.work_done,
        result,
        why,
        target: end.target,
        achieved: end.achieved,
        unit: end.unit,
        smaps: (&end.smaps).into(),
    }
}

impl From<WireStepStart> for Event {
    fn from(w: WireStepStart) -> Self {
        Event {
            t: w.t_ns,
            kind: EventKind::StepStart(StepId {
                container: w.container,
                actor: w.actor,
                step: w.step,
                index: w.index,
            }),
        }
    }
}

impl From<WireStepEnd> for Event {
    fn from(w: WireStepEnd) -> Self {
        let why = w.why.unwrap_or_default();
        Event {
            t: w.t_ns,
            kind: EventKind::StepEnd(StepEnd {
                id: StepId {
                    container: w.container,
                    actor: w.actor,
                    step: w.step,
                    index: w.index,
                },
                work_done: w.work_done_ns,
                result: match w.result {
                    WireResult::Done => StepResult::Done,
                    WireResult::Failed => StepResult::Failed(why),
                    WireResult::Skipped => StepResult::Skipped(why),
                },
                target: w.target,
                achieved: w.achieved,
                unit: w.unit,
                smaps: w.smaps.into(),
            }),
        }
    }
}

impl From<WireActorExit> for Event {
    fn from(w: WireActorExit) -> Self {
        let kind = EventKind::ActorExit {
            container: w.container,
            actor: w.actor,
            code: w.code,
            signal: w.signal,
            oom_killed: w.oom_killed,
        };
        Event { t: w.t_ns, kind }
    }
}

impl From<WireKernel> for Event {
    fn from(w: WireKernel) -> Self {
        let kind = EventKind::Kernel {
            group: w.group,
            what: w.what,
            value: w.value,
        };
        Event { t: w.t_ns, kind }
    }
}

impl From<WireRestart> for Event {
    fn from(w: WireRestart) -> Self {
        let kind = EventKind::Restart {
            container: w.container,
            reason: w.reason,
        };
        Event { t: w.t_ns, kind }
    }
}

impl From<WireGroupEnd> for Event {
    fn from(w: WireGroupEnd) -> Self {
        let kind = EventKind::GroupEnd {
            group: w.group,
            name: w.name,
            reason: w.reason,
        };
        Event { t: w.t_ns, kind }
    }
}

impl From<WireWarning> for Event {
    fn from(w: WireWarning) -> Self {
        Event {
            t: w.t_ns,
            kind: EventKind::Warning {
                code: w.code,
                text: w.text,
            },
        }
    }
}
