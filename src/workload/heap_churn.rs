//! `heap_churn`: allocates and frees objects of random sizes and lifetimes around a steady live
//! set, as a healthy service does.

use serde::{Deserialize, Serialize};
use std::io;

use rand::rngs::Xoshiro256PlusPlus;

use super::arena::{Arena, Object};
use super::dist::Draw;
use super::pace::Pace;
use super::{Context, Dist, Needs, Reached, Unit, Work, WorkError};
use crate::truth::{Counter, Page};

/// See [`Workload::HeapChurn`](super::Workload::HeapChurn).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct HeapChurn {
    /// Bytes live at a time, about.
    pub live: u64,
    /// Bytes an object.
    pub size: Dist,
    /// Allocations an object lives through.
    pub lifetime: Dist,
    /// Stop after this many bytes were allocated in all.
    pub total: u64,
    /// Bytes a second allocated; none is as fast as it goes.
    pub rate: Option<u64>,
}

/// Memory in use is at most the live set and this part of it more, and [`SPARE`].
const ROOM: u64 = 2;

/// Bytes that may be in use above that: small live sets need a page of each size class.
const SPARE: u64 = 1 << 20;

/// Free memory kept for reuse is at most this part of the live set.
const KEPT: u64 = 16;

/// Slots of the wheel of deaths.
const SLOTS: usize = 1024;

impl Work for HeapChurn {
    /// Bytes are counted as the objects take them, by size class or whole pages, as heap profilers
    /// of Go and jemalloc do. The lifetimes give the order in which objects die; their scale is set
    /// by the live set, since the two together would ask for the same thing twice.
    fn run(&self, context: &mut Context) -> Result<Reached, WorkError> {
        let reached = |done| Reached::new(self.total, done, Unit::Bytes);
        let mut rng = context.rng();
        let draws = Draw::new(&self.size).and_then(|size| Ok((size, Draw::new(&self.lifetime)?)));
        let (size, lifetime) = draws.map_err(|reason| reached(0).failed(reason))?;
        let mut heap = match context.heap.take() {
            Some(heap) => heap,
            None => Heap::new().map_err(|error| reached(0).failed(mapping(&error)))?,
        };
        heap.aim(self, &size, &mut rng)
            .map_err(|error| reached(0).failed(mapping(&error)))?;
        let mut pace = Pace::start(self.rate);
        let (mut done, mut result) = (0, Ok(()));
        while done < self.total && result.is_ok() {
            pace.wait(done, u64::MAX);
            let bytes = size.draw(&mut rng, self.live);
            let life = lifetime.draw(&mut rng, heap.longest);
            match heap.alloc(bytes, life, &context.truth) {
                Ok(taken) => done += taken,
                Err(error) => result = Err(error),
            }
        }
        context.heap = Some(heap);
        result.map_err(|error| reached(done).failed(error))?;
        Ok(reached(done))
    }

    fn needs(&self) -> Needs {
        Needs::NOTHING
    }
}

fn mapping(error: &io::Error) -> String {
    format!("mapping the heap: {error}; make `live` smaller or raise the limit on address space")
}

/// Objects, and the order in which they die.
#[derive(Debug)]
pub struct Heap {
    arena: Arena,
    /// The live set aimed at, bytes.
    target: u64,
    live: u64,
    /// The first object of each slot, 0 for none; each object links to the next of its slot.
    wheel: Vec<u64>,
    /// The slot whose objects die next.
    hand: u64,
    /// Allocations so far, on the wheel's scale.
    now: f64,
    /// Slots for one allocation of lifetime.
    scale: f64,
    /// The longest lifetime that is counted apart from longer ones.
    longest: u64,
    /// Slots that go by with one allocation.
    step: f64,
}

impl Heap {
    fn new() -> io::Result<Heap> {
        Ok(Heap {
            arena: Arena::new()?,
            target: 0,
            live: 0,
            wheel: vec![0; SLOTS],
            hand: 0,
            now: 0.0,
            scale: 0.0,
            longest: 1,
            step: 0.0,
        })
    }

    /// Turns to a step's live set and lifetimes. What is live stays so, until it is its turn.
    fn aim(
        &mut self,
        step: &HeapChurn,
        size: &Draw,
        rng: &mut Xoshiro256PlusPlus,
    ) -> io::Result<()> {
        self.target = step.live;
        let most = step
            .live
            .saturating_add(step.live / ROOM)
            .saturating_add(SPARE);
        self.arena.bound(most, (step.live / KEPT).max(64 << 10))?;
        // The mean of what objects take, by drawing: classes and bounds make it differ from the
        // distribution's own.
        let sample = 1000;
        let sum: u64 = (0..sample)
            .map(|_| self.arena.takes(size.draw(rng, step.live)))
            .sum();
        let objects = (step.live as f64 / (sum as f64 / sample as f64)).max(1.0);
        let longest = longest(&step.lifetime).max(1.0);
        let stretch = objects / Draw::mean(&step.lifetime).clamp(1.0, longest);
        // The longest life goes once around the wheel, less the slot the hand is at.
        self.scale = (SLOTS - 2) as f64 / longest;
        self.step = self.scale / stretch;
        self.longest = longest as u64;
        self.now = self.hand as f64;
        Ok(())
    }

    /// Makes one object, after as many others died as it needs room for. Gives the bytes it takes.
    fn alloc(&mut self, size: u64, life: u64, truth: &Page) -> Result<u64, String> {
        let takes = self.arena.takes(size);
        while self.live > 0 && self.live + takes > self.target {
            self.free_next(truth)?;
        }
        let object = loop {
            match self.arena.alloc(size) {
                Some(object) => break object,
                // Objects of one class can hold pages that another class needs.
                None if self.live > 0 => self.free_next(truth)?,
                None => {
                    return Err(format!(
                        "an object of {size} bytes does not fit into the heap; make `live` larger"
                    ));
                }
            }
        };
        self.now += self.step;
        let slot = (self.now + life as f64 * self.scale) as u64;
        let slot = slot.clamp(self.hand, self.hand + SLOTS as u64 - 1) as usize % SLOTS;
        self.arena.set_link(object, self.wheel[slot]);
        self.wheel[slot] = object.0 as u64;
        self.live += takes;
        truth.add(Counter::Live, takes);
        truth.add(Counter::AllocatedTotal, takes);
        truth.add(Counter::Ops, 1);
        Ok(takes)
    }

    fn free_next(&mut self, truth: &Page) -> Result<(), String> {
        // There is a live object, so one of the slots has one.
        while self.wheel[self.hand as usize % SLOTS] == 0 {
            self.hand += 1;
        }
        let slot = self.hand as usize % SLOTS;
        let object = Object(self.wheel[slot] as usize);
        self.wheel[slot] = self.arena.link(object);
        let (taken, given_back) = self
            .arena
            .free(object)
            .map_err(|error| format!("giving memory back: {error}"))?;
        self.live -= taken;
        truth.sub(Counter::Live, taken);
        truth.add(Counter::ReleasedTotal, taken);
        truth.add(Counter::FreedNow, given_back);
        Ok(())
    }
}

/// The longest lifetime worth telling from longer ones: of the open-ended distributions, about one
/// object in 3,000 lives longer and is counted as living so long.
fn longest(lifetime: &Dist) -> f64 {
    match *lifetime {
        Dist::Fixed(n) | Dist::Uniform(_, n) => n as f64,
        Dist::Exponential(mean) => mean * 8.0,
        Dist::LogNormal(median, sigma) => median * (sigma * 3.4).exp(),
    }
}
