//! A pod's days, scrape by scrape: each actor does one operation between two scrapes.

use std::f64::consts::TAU;

use rand::RngExt;
use rand::rngs::Xoshiro256PlusPlus;

use super::FaultKind;
use super::pod::Pod;
use crate::detector::Row;
use crate::model::{By, Full, Memcg};
use crate::rows::CgroupVersion;
use crate::seed;

/// A process: pages of its own, and kernel memory of its container, bytes (measured on workers).
const FLOOR_PAGES: u64 = 51;
const FLOOR_KERNEL: u64 = 76 * 1024;
/// A service has its heap this many seconds after its start.
const WARM_UP_S: f64 = 300.0;

/// The number of the file that is needed: logs are numbered from 0.
const NEEDED: u32 = u32::MAX - 1;
/// How often the time of day is looked at, seconds.
const DAY_EVERY_S: f64 = 60.0;

/// What came between two scrapes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Happened {
    /// Nothing that ends a container.
    Nothing,
    /// It was restarted: a new cgroup, a new series.
    Restart,
    /// The OOM killer came, and it was restarted.
    Kill,
}

/// A pod that runs.
pub struct Drive<'a> {
    pod: &'a Pod<'a>,
    scrape_s: f64,
    rng: Xoshiro256PlusPlus,
    memcg: Memcg,
    started: f64,
    next_restart: f64,
    /// When garbage was last collected.
    collected: f64,
    /// The live heap at this time of day, pages; and when that is looked at again.
    live: f64,
    next_day: f64,
    heap: f64,
    lost: f64,
    log: Log,
    high_events: u64,
    over: bool,
    /// Scrapes from the start on.
    t: f64,
}

#[derive(Default)]
struct Log {
    file: u32,
    at: u64,
    carry: f64,
    /// Where in the file that is needed it reads next.
    needed: u64,
}

impl<'a> Drive<'a> {
    /// Starts it at time 0.
    pub fn new(pod: &'a Pod<'a>, scrape_s: f64) -> Self {
        let mut rng = seed::rng(seed::derive(pod.seed, "life"));
        let next_restart = pod.restart_every * rng.random_range(0.0..1.5);
        Drive {
            pod,
            scrape_s,
            rng,
            memcg: start(pod),
            started: 0.0,
            next_restart,
            collected: 0.0,
            live: pod.live,
            next_day: 0.0,
            heap: 0.0,
            lost: 0.0,
            log: Log::default(),
            high_events: 0,
            over: false,
            t: 0.0,
        }
    }

    /// Goes on to the time `t`, a scrape later, seconds.
    pub fn step(&mut self, t: f64) -> Happened {
        self.t = t;
        if t >= self.next_restart {
            self.restart();
            return Happened::Restart;
        }
        match self.work() {
            Ok(()) => Happened::Nothing,
            Err(Full { .. }) => {
                // Whoever was woken by the kill has mended it: one fault a pod.
                self.over = self.over || self.troubled();
                self.restart();
                Happened::Kill
            }
        }
    }

    /// Whether its fault is at work.
    pub fn troubled(&self) -> bool {
        !self.over
            && self
                .pod
                .trouble
                .is_some_and(|trouble| self.t >= trouble.onset)
    }

    /// What a scrape shows.
    pub fn row(&self) -> Row {
        let usage = self.memcg.usage();
        let (inactive, active) = self.memcg.file_lists();
        let working_set = crate::formula::cadvisor::less_inactive_file(usage, inactive);
        let v2 = self.pod.setup.cgroup == CgroupVersion::V2;
        Row {
            usage: usage as f64,
            working_set: working_set as f64,
            rss: self.memcg.anon() as f64,
            cache: self.memcg.file() as f64,
            inactive_file: inactive as f64,
            active_file: active as f64,
            events_high: v2.then_some(self.high_events as f64),
        }
    }

    /// Pages read from the disk that had been there before.
    #[cfg(test)]
    pub fn refaults(&self) -> u64 {
        self.memcg.counts.refaults
    }

    /// The rows of cgroup v2's files for `keep::COLUMNS`, bytes.
    pub fn rows(&self) -> [u64; 8] {
        let memcg = &self.memcg;
        [
            memcg.usage(),
            self.pod.limit,
            memcg.anon(),
            memcg.file(),
            memcg.kernel_bytes(),
            memcg.inactive_file(),
            memcg.active_file(),
            self.high_events,
        ]
    }

    fn restart(&mut self) {
        self.memcg = start(self.pod);
        self.started = self.t;
        self.collected = self.t;
        self.next_restart = self.t + self.pod.restart_every * self.rng.random_range(0.5..1.5);
        self.heap = 0.0;
        self.lost = 0.0;
        self.log = Log::default();
        self.high_events = 0;
    }

    fn work(&mut self) -> Result<(), Full> {
        let pod = self.pod;
        if pod.day > 0.0 && self.t >= self.next_day {
            let day = pod.day * (TAU * self.t / 86_400.0 + pod.phase).sin();
            self.live = pod.live * (1.0 + day);
            self.next_day = self.t + DAY_EVERY_S;
        }
        while self.t - self.collected >= pod.gc_every {
            self.collected += pod.gc_every;
        }
        let mut heap = self.live;
        if pod.gc > 0.0 {
            heap += pod.gc * (self.t - self.collected) / pod.gc_every;
        }
        let up = self.t - self.started;
        if up < WARM_UP_S {
            heap *= up / WARM_UP_S;
        }
        self.heap_to(heap)?;
        if self.troubled() {
            self.trouble()?;
        }
        self.write_log()
    }

    fn heap_to(&mut self, target: f64) -> Result<(), Full> {
        let (now, then) = (self.heap as u64, target as u64);
        self.heap = target;
        if then >= now {
            return self.grow(then - now);
        }
        if self.pod.lazy {
            // What was freed and used again is freed again first.
            let again = (now - then).min(self.memcg.reused_pages());
            self.memcg.drop_lazy(again, true);
            self.memcg.free_lazily(now - then - again);
        } else {
            self.memcg.drop_anon(now - then);
        }
        Ok(())
    }

    /// Memory that the allocator freed lazily is used first, if it is still there.
    fn grow(&mut self, pages: u64) -> Result<(), Full> {
        let again = pages.min(self.memcg.lazy_pages());
        self.memcg.reuse(again);
        self.memcg.add_anon(pages - again)
    }

    fn trouble(&mut self) -> Result<(), Full> {
        let Some(trouble) = self.pod.trouble else {
            return Ok(());
        };
        if trouble.kind == FaultKind::Reuse && self.lost == 0.0 {
            // Half of what is free was a peak's and was freed lazily.
            let room = (self.pod.limit / 4096).saturating_sub(self.heap as u64);
            self.memcg.add_anon(room / 2)?;
            self.memcg.free_lazily(room / 2);
        }
        if trouble.kind == FaultKind::Cache {
            return self.read_again(trouble.rate, trouble.wants as u64);
        }
        let before = self.lost as u64;
        self.lost = (self.lost + trouble.rate * self.scrape_s).min(trouble.wants);
        let more = self.lost as u64 - before;
        match trouble.kind {
            FaultKind::Leak => self.memcg.add_anon(more),
            FaultKind::Tmpfs => self.memcg.add_shmem(before, more),
            FaultKind::Reuse => self.grow(more),
            FaultKind::High => {
                let got = self.throttled(more, trouble.high / 4096);
                self.lost -= (more - got) as f64;
                self.memcg.add_anon(got)
            }
            FaultKind::Cache => Ok(()),
        }
    }

    /// Reads on in the file that is needed, from its beginning again after its end: what is not cached
    /// comes from the disk.
    fn read_again(&mut self, rate: f64, pages: u64) -> Result<(), Full> {
        self.lost += rate * self.scrape_s;
        let mut left = (self.lost as u64).min(pages);
        self.lost -= left as f64;
        while left > 0 {
            let part = left.min(pages - self.log.needed);
            for (from, to) in self.memcg.read(NEEDED, self.log.needed, part) {
                self.memcg.read_in(NEEDED, from, to - from, By::Read)?;
            }
            self.log.needed = (self.log.needed + part) % pages;
            left -= part;
        }
        Ok(())
    }

    /// How many pages the kernel lets a process have until the next scrape above memory.high: cache
    /// goes first, then each 64 pages cost 64 x^2 seconds, none below 10 ms, at most 2 s, where x is
    /// the excess as a share of memory.high (`calculate_high_delay`, mm/memcontrol.c).
    fn throttled(&mut self, wanted: u64, high: u64) -> u64 {
        let usage = self.memcg.usage() / 4096;
        let over = (usage + wanted).saturating_sub(high);
        if over > 0 {
            self.memcg.reclaim(over);
        }
        let usage = self.memcg.usage() / 4096;
        let (mut got, mut spent) = (0, 0.0);
        while got < wanted && spent < self.scrape_s {
            let part = 64.min(wanted - got);
            let excess = (usage + got + part).saturating_sub(high) as f64 / high.max(1) as f64;
            let delay = 64.0 * excess * excess;
            spent += if delay < 0.01 { 0.0 } else { delay.min(2.0) };
            self.high_events += u64::from(excess > 0.0);
            got += part;
        }
        got
    }

    fn write_log(&mut self) -> Result<(), Full> {
        let pod = self.pod;
        self.log.carry += pod.log * self.scrape_s;
        let pages = self.log.carry as u64;
        if pages == 0 {
            return Ok(());
        }
        self.log.carry -= pages as f64;
        let (file, at) = (self.log.file, self.log.at);
        self.memcg.write(file, at, pages, pod.line < 4096, false)?;
        if self.memcg.reads_move() {
            for _ in 0..pod.readers {
                self.memcg.read(file, at, pages);
            }
        }
        self.log.at += pages;
        if self.log.at >= pod.rotate {
            self.log.file += 1;
            self.log.at = 0;
            if let Some(old) = self.log.file.checked_sub(pod.keep + 1) {
                self.memcg.drop_file(old);
            }
        }
        Ok(())
    }
}

fn start(pod: &Pod<'_>) -> Memcg {
    let mut memcg = Memcg::new(pod.setup.rules, pod.limit);
    memcg.add_kernel(FLOOR_KERNEL);
    // The floor is far below the least limit a pod has.
    let _fits = memcg.add_anon(FLOOR_PAGES);
    memcg
}
