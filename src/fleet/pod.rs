//! One pod: a draw from the population, by the fleet's seed and the pod's index alone.

use std::f64::consts::TAU;

use rand::{Rng, RngExt};

use super::{FaultKind, Fleet, Service};
use crate::model::Card;
use crate::rows::CgroupVersion;
use crate::seed;

/// Bytes of a page.
pub const PAGE: f64 = 4096.0;
/// The most that heap and garbage may come to, as a share of the limit: a service that does not fit
/// by itself is no healthy one.
const FITS: f64 = 0.9;
/// The file that is needed is this much larger than what the pod leaves free: the cache holds none of it
/// until it is read again.
const THRASHES: f64 = 1.25;
/// No fault begins before every detector has had time to look, seconds; none in the last fifth.
const FIRST_ONSET_S: f64 = 7200.0;
const LAST_ONSET: f64 = 0.8;

/// A pod's numbers. Pages and seconds.
#[derive(Debug, Clone)]
pub struct Pod<'a> {
    /// Which pod of the fleet, from 0.
    pub index: u64,
    /// What it is a draw of.
    pub service: &'a Service,
    /// The kernel of its node.
    pub setup: &'static Card,
    /// Draws what happens during its life.
    pub seed: u64,
    /// The limit, bytes.
    pub limit: u64,
    /// The live heap at its mean, pages.
    pub live: f64,
    /// The share of it that follows the time of day, and where in the day it began, radians.
    pub day: f64,
    /// See `day`.
    pub phase: f64,
    /// What grows between two collections, pages, and their distance, seconds.
    pub gc: f64,
    /// See `gc`.
    pub gc_every: f64,
    /// Whether it gives back with MADV_FREE.
    pub lazy: bool,
    /// Pages of log a second.
    pub log: f64,
    /// Bytes of a line.
    pub line: u64,
    /// Pages of a log that is rotated, and how many rotated ones stay.
    pub rotate: u64,
    /// See `rotate`.
    pub keep: u32,
    /// Readers of the log.
    pub readers: u32,
    /// Seconds between restarts.
    pub restart_every: f64,
    /// What goes wrong, if anything.
    pub trouble: Option<Trouble>,
}

/// A fault of one pod.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Trouble {
    /// What it is.
    pub kind: FaultKind,
    /// When it begins, seconds.
    pub onset: f64,
    /// How fast, pages a second.
    pub rate: f64,
    /// memory.high, bytes, for [`FaultKind::High`].
    pub high: u64,
    /// What it wants before it stops wanting more, pages.
    pub wants: f64,
}

impl<'a> Pod<'a> {
    /// Draws pod `index`.
    pub fn draw(fleet: &'a Fleet, index: u64) -> Self {
        let own = seed::derive(fleet.seed, &format!("pod/{index}"));
        let mut rng = seed::rng(own);
        let service = choose(fleet, &mut rng);
        let setup = fleet.cards[rng.random_range(0..fleet.cards.len())];
        let limit = service
            .limit
            .draw(&mut rng)
            .clamp(16.0 * 1048576.0, 64.0 * 1073741824.0);
        let pages = limit / PAGE;
        let live = service.live.draw(&mut rng).clamp(0.01, FITS);
        let day = service
            .day
            .draw(&mut rng)
            .clamp(0.0, 1.0)
            .min(FITS / live - 1.0);
        let gc = service
            .gc
            .draw(&mut rng)
            .clamp(0.0, FITS - live * (1.0 + day));
        let phase = rng.random_range(0.0..TAU);
        let gc_every = service.gc_every.draw(&mut rng).max(fleet.scrape_s);
        let lazy = rng.random_range(0.0..1.0) < service.lazy;
        let log = service.log.draw(&mut rng).min(limit) / PAGE;
        let line = (service.line.draw(&mut rng) as u64).max(1);
        let rotate = (service.rotate.draw(&mut rng) / PAGE) as u64;
        let keep = service.keep.draw(&mut rng).round().min(1000.0) as u32;
        let readers = service.readers.draw(&mut rng).round().min(16.0) as u32;
        let restart_every = service.restart_every.draw(&mut rng).max(3600.0);
        let free = pages * (1.0 - live * (1.0 + day) - gc);
        let trouble = trouble(fleet, service, free, limit, setup, &mut rng);
        Pod {
            index,
            service,
            setup,
            seed: own,
            limit: limit as u64,
            live: live * pages,
            day,
            phase,
            gc: gc * pages,
            gc_every,
            lazy,
            log,
            line,
            rotate: rotate.max(256),
            keep,
            readers,
            restart_every,
            trouble,
        }
    }

    /// What kind of pod it is, in a word.
    pub fn kind(&self) -> &'static str {
        self.trouble
            .map_or("healthy", |trouble| trouble.kind.word())
    }
}

fn choose<'a>(fleet: &'a Fleet, rng: &mut impl Rng) -> &'a Service {
    let all: f64 = fleet.services.iter().map(|s| s.weight).sum();
    let mut at = rng.random_range(0.0..1.0) * all;
    for service in &fleet.services {
        at -= service.weight;
        if at < 0.0 {
            return service;
        }
    }
    &fleet.services[fleet.services.len() - 1]
}

fn trouble(
    fleet: &Fleet,
    service: &Service,
    free: f64,
    limit: f64,
    setup: &Card,
    rng: &mut impl Rng,
) -> Option<Trouble> {
    let mut at = rng.random_range(0.0..1.0);
    let mut found = None;
    for fault in &service.faults {
        at -= fault.share;
        if at < 0.0 {
            found = Some(fault);
            break;
        }
    }
    let fault = found.filter(|f| f.kind != FaultKind::High || setup.cgroup == CgroupVersion::V2)?;
    let end = fleet.days * 86_400.0;
    let first = FIRST_ONSET_S.min(end / 4.0);
    let onset = rng.random_range(first..(LAST_ONSET * end).max(first + 1.0));
    let fills_in = fault.fills_in.draw(rng).max(fleet.scrape_s);
    Some(Trouble {
        kind: fault.kind,
        onset,
        rate: free / fills_in,
        high: (limit - free * PAGE * 0.5) as u64,
        wants: match fault.kind {
            FaultKind::High => free * 0.9,
            FaultKind::Cache => free * THRASHES,
            _ => f64::INFINITY,
        },
    })
}
