//! A fleet's pods, one after the other on each thread.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use super::Fleet;
use super::alarms::{Alarms, Trouble};
use super::drive::{Drive, Happened};
use super::pod::Pod;
use super::tally::{Cell, FORMAT, Identity, Key, Tallies, Tally, Worst, worst_first};
use crate::detector::{BuiltIn, Run};
use crate::export::Labels;

/// A part of a fleet: the pods whose index leaves `index` when divided by `of`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Shard {
    /// From 0.
    pub index: u64,
    /// How many there are.
    pub of: u64,
}

/// What is run, and on how much.
#[derive(Clone)]
pub struct Plan<'a> {
    /// The population.
    pub fleet: &'a Fleet,
    /// Who watches.
    pub detectors: &'a [&'static BuiltIn],
    /// Which part of it.
    pub shard: Shard,
    /// Threads; the results do not depend on them.
    pub threads: usize,
}

#[derive(Default)]
struct Part {
    cells: BTreeMap<Key, Tally>,
    worst: Vec<Worst>,
}

/// How far a run is.
#[derive(Debug, Clone, Copy)]
pub struct Progress {
    /// Pods that are done.
    pub done: u64,
    /// Pods of the shard.
    pub of: u64,
    /// Since the start.
    pub elapsed: Duration,
}

impl Progress {
    /// What is left, if it goes on as it went: every pod has as many days.
    pub fn left(&self) -> Option<Duration> {
        let rate = (self.done > 0).then(|| self.elapsed.as_secs_f64() / self.done as f64)?;
        Some(Duration::from_secs_f64(
            rate * (self.of - self.done.min(self.of)) as f64,
        ))
    }
}

/// Runs the shard's pods and counts.
pub fn run(plan: &Plan<'_>) -> Tallies {
    run_told(plan, &|_| ())
}

/// The same, and tells after each pod how far it is.
pub fn run_told(plan: &Plan<'_>, tell: &(dyn Fn(&Progress) + Sync)) -> Tallies {
    let (start, done) = (Instant::now(), AtomicU64::new(0));
    let rest = plan.fleet.pods.saturating_sub(plan.shard.index);
    let tell = || {
        tell(&Progress {
            done: done.fetch_add(1, Ordering::Relaxed) + 1,
            of: rest.div_ceil(plan.shard.of),
            elapsed: start.elapsed(),
        });
    };
    let next = AtomicU64::new(plan.shard.index);
    let parts: Vec<Part> = std::thread::scope(|scope| {
        let work = || part(plan, &next, &tell);
        let threads: Vec<_> = (1..plan.threads.max(1))
            .map(|_| scope.spawn(work))
            .collect();
        let own = work();
        // A panic of a thread is a panic of the run.
        let others = threads.into_iter().map(|thread| match thread.join() {
            Ok(part) => part,
            Err(panic) => std::panic::resume_unwind(panic),
        });
        std::iter::once(own).chain(others).collect()
    });
    let mut all = Part::default();
    for part in parts {
        for (key, tally) in part.cells {
            all.cells.entry(key).or_default().add(&tally);
        }
        all.worst.extend(part.worst);
    }
    worst_first(&mut all.worst);
    let cells = all.cells.into_iter();
    Tallies {
        format: FORMAT.to_owned(),
        fleet: identity(plan),
        shard: plan.shard,
        cells: cells.map(|(key, tally)| Cell { key, tally }).collect(),
        worst: all.worst,
    }
}

fn identity(plan: &Plan<'_>) -> Identity {
    let fleet = plan.fleet;
    Identity {
        memtide: env!("CARGO_PKG_VERSION").to_owned(),
        title: fleet.title.clone(),
        hash: fleet.hash.clone(),
        pods: fleet.pods,
        days: fleet.days,
        seed: fleet.seed,
        scrape_s: fleet.scrape_s,
        cards: fleet.cards.iter().map(|card| card.name.clone()).collect(),
        detectors: plan.detectors.iter().map(|d| d.name.to_owned()).collect(),
    }
}

fn part(plan: &Plan<'_>, next: &AtomicU64, tell: &(dyn Fn() + Sync)) -> Part {
    let mut part = Part::default();
    loop {
        let index = next.fetch_add(plan.shard.of, Ordering::Relaxed);
        if index >= plan.fleet.pods {
            return part;
        }
        let pod = Pod::draw(plan.fleet, index);
        let score = watch(plan, &pod, &mut part.cells);
        if score > 0 {
            part.worst.push(Worst { score, pod: index });
            worst_first(&mut part.worst);
        }
        tell();
    }
}

/// Scrapes that are handed to the detectors at once: what fits into a core's own cache.
const AT_ONCE: usize = 256;

/// One pod under all detectors.
struct Watch<'a> {
    alarms: Vec<Alarms>,
    run: Run,
    drive: Drive<'a>,
    trouble: Trouble,
    kill: Option<u64>,
}

impl Watch<'_> {
    /// Hands over what there is; `next` is the number of the scrape after it.
    fn hand_over(&mut self, next: u64) {
        let first = next - self.run.t.len() as u64;
        for alarms in &mut self.alarms {
            alarms.observe(&self.run, first, self.trouble);
        }
        self.run.clear();
    }

    fn scrape(&mut self, n: u64, t: f64) {
        let happened = self.drive.step(t);
        if happened != Happened::Nothing {
            self.hand_over(n);
            self.run.restart();
            let begin_again = match happened {
                Happened::Kill => Alarms::kill,
                _ => Alarms::restart,
            };
            self.alarms.iter_mut().for_each(begin_again);
        }
        if happened == Happened::Kill && self.trouble.onset.is_some() {
            self.kill = self.kill.or(Some(n));
            self.trouble.over = true;
        }
        if self.trouble.onset.is_none() && self.drive.troubled() {
            self.trouble.onset = Some(n);
        }
        self.run.push(t, self.drive.row());
        if self.run.t.len() == AT_ONCE {
            self.hand_over(n + 1);
        }
    }
}

/// Runs one pod under all detectors; says how badly they did.
fn watch(plan: &Plan<'_>, pod: &Pod<'_>, cells: &mut BTreeMap<Key, Tally>) -> u64 {
    let mut watch = Watch {
        alarms: plan.detectors.iter().map(|d| Alarms::new(d)).collect(),
        run: Run::new(labels(), pod.limit as f64),
        drive: Drive::new(pod, plan.fleet.scrape_s),
        trouble: Trouble::default(),
        kill: None,
    };
    let scrapes = scrapes(plan.fleet);
    for n in 0..scrapes {
        watch.scrape(n, n as f64 * plan.fleet.scrape_s);
    }
    watch.hand_over(scrapes);
    let mut score = 0;
    for (detector, alarm) in plan.detectors.iter().zip(&watch.alarms) {
        let tally = cells.entry(key(detector, pod)).or_default();
        score += u64::from(alarm.false_alarms);
        score += count(tally, pod, alarm, watch.trouble.onset, watch.kill);
    }
    score
}

/// Counts one detector's alarms; 100 for a miss, else 0.
fn count(
    tally: &mut Tally,
    pod: &Pod<'_>,
    alarm: &Alarms,
    onset: Option<u64>,
    kill: Option<u64>,
) -> u64 {
    *tally
        .pods_by_false_alarms
        .entry(alarm.false_alarms)
        .or_default() += 1;
    let Some(onset) = onset else {
        return 0;
    };
    if let Some(hit) = alarm.hit {
        tally.faults += 1;
        tally.hits += 1;
        *tally.detect.entry(hit - onset).or_default() += 1;
        if let Some(kill) = kill {
            *tally.lead.entry(kill.saturating_sub(hit)).or_default() += 1;
        }
        return 0;
    }
    let stands = pod.trouble.is_some_and(|t| t.kind.stands());
    if kill.is_none() && !stands {
        tally.unfinished += 1;
        return 0;
    }
    tally.faults += 1;
    tally.masked += u64::from(alarm.masked);
    100
}

fn key(detector: &BuiltIn, pod: &Pod<'_>) -> Key {
    Key {
        detector: detector.name.to_owned(),
        service: pod.service.name.clone(),
        card: pod.setup.name.clone(),
        kind: pod.kind().to_owned(),
    }
}

/// Scrapes of a pod.
pub fn scrapes(fleet: &Fleet) -> u64 {
    (fleet.days * 86_400.0 / fleet.scrape_s) as u64
}

/// What a detector sees of every pod: nothing that tells one from another.
fn labels() -> Labels {
    Labels {
        container: "app".into(),
        pod: "app-0".into(),
        namespace: "default".into(),
        id: "/app".into(),
        image: "app:1".into(),
        name: "app".into(),
    }
}
