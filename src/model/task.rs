//! One step's work: how far it is, and what a slice of time does to the pod.

use super::card::Speed;
use super::memcg::{By, PAGE};
use super::world::{Killed, World};
use crate::recording::StepResult;
use crate::scenario::StepRef;
use crate::truth::Counter;
use crate::workload::{
    Anon, Dentries, Dist, Fadvise, FileAdvice, FileRead, Fsync, HeapChurn, Huge, LogWrite,
    MmapScan, Rotate, RotateMode, TmpfsFill, Unlink, Workload,
};

/// Bytes that the heap of `heap_churn` holds beside its live set: read off the recordings of four
/// kernels.
const HEAP_SPARE: u64 = 235 << 10;

/// Bytes that POSIX_FADV_WILLNEED reads at most: one request of the device.
const WILLNEED: u64 = 1280 << 10;

/// Bytes that are touched at a time through a mapping (`workload/mmap_scan.rs`).
const MMAP_PART: u64 = 1 << 20;

/// A step that runs.
#[derive(Debug, Clone)]
pub struct Task<'a> {
    /// Which.
    pub step: StepRef,
    /// Its process.
    pub who: usize,
    work: &'a Workload,
    /// Done so far, in `unit`.
    pub done: u64,
    /// Asked for, in `unit`.
    pub target: u64,
    /// `bytes`, `passes`, `ms` or `ops`.
    pub unit: &'static str,
    /// Time that is left over from the slice before, nanoseconds; below 0 it is owed.
    time: f64,
    /// Nanoseconds since it began.
    age: f64,
    /// Pages of its buffer.
    buffer: u64,
    file: Option<u32>,
    /// Pages of a region that were written again.
    pub(super) rewritten: u64,
    /// Units that it may still do, where a recording says how far it was instead of the clock.
    quota: Option<u64>,
}

/// What a slice of time came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Slice {
    /// It goes on.
    Busy,
    /// It has ended.
    Ended(StepResult),
    /// Its process was ended by the OOM killer.
    Killed,
}

/// Why the model can't do a step; none if it can.
pub fn refusal(work: &Workload) -> Option<&'static str> {
    match work {
        Workload::Exec(_) => {
            Some("it runs a program (exec), and what that does only a kernel can tell")
        }
        Workload::Serve(_) => Some("it runs a service, and what that does only a kernel can tell"),
        _ => None,
    }
}

impl<'a> Task<'a> {
    /// Begins a step: its buffer is charged.
    ///
    /// # Errors
    /// When the OOM killer ended the process for it.
    pub fn begin(
        world: &mut World,
        step: StepRef,
        who: usize,
        work: &'a Workload,
    ) -> Result<Self, Killed> {
        let (target, unit) = match work {
            Workload::LogWrite(w) => (w.total.unwrap_or(0), "bytes"),
            Workload::FileRead(w) => (w.follow.unwrap_or(0), "bytes"),
            Workload::Anon(w) => (w.size, "bytes"),
            Workload::HeapChurn(w) => (w.total, "bytes"),
            Workload::Sleep(w) => (w.duration_ms, "ms"),
            Workload::TmpfsFill(w) => (w.size, "bytes"),
            Workload::Dentries(w) => (w.lookups, "ops"),
            Workload::CgroupChurn(w) => (w.count, "ops"),
            _ => (1, "ops"),
        };
        let buffer = match work {
            Workload::LogWrite(w) => w.buffer,
            Workload::FileRead(w) => w.chunk,
            _ => 0,
        };
        let mut task = Task {
            step,
            who,
            work,
            done: 0,
            target,
            unit,
            time: 0.0,
            age: 0.0,
            buffer: 0,
            file: None,
            rewritten: 0,
            quota: None,
        };
        if buffer >= PAGE {
            task.buffer = buffer / PAGE;
            world.touch(who, task.buffer)?;
        }
        Ok(task)
    }

    /// The counter of the truth that tells how far it is, and bytes of one unit of it; none for what is
    /// done at once.
    pub fn progress(&self) -> Option<(Counter, u64)> {
        match self.work {
            Workload::LogWrite(_) => Some((Counter::FileWritten, 1)),
            Workload::FileRead(_) | Workload::MmapScan(_) => Some((Counter::FileRead, 1)),
            Workload::Anon(w) if w.leak => Some((Counter::Leaked, PAGE)),
            Workload::Anon(_) | Workload::Rewrite(_) => Some((Counter::AllocatedTotal, PAGE)),
            Workload::HeapChurn(_) => Some((Counter::AllocatedTotal, 1)),
            Workload::TmpfsFill(_) => Some((Counter::ShmemLive, PAGE)),
            Workload::Dentries(_) => Some((Counter::Ops, 1)),
            _ => None,
        }
    }

    /// Does up to so many units of work, however long they take.
    pub fn do_units(&mut self, world: &mut World, units: u64) -> Slice {
        self.quota = Some(units);
        self.time = f64::INFINITY;
        world.processes[self.who].wait_ns = 0.0;
        self.advance(world, &Speed::NONE, 0.0)
    }

    /// Ends it where a recording says that it ended: with what had been done by then.
    pub fn end_at(&mut self, world: &mut World, achieved: u64) -> Slice {
        let left = match (self.progress(), self.work) {
            (_, Workload::Rewrite(_)) | (None, _) => u64::MAX,
            (Some((_, bytes)), _) => achieved.saturating_sub(self.done).div_ceil(bytes),
        };
        self.age = f64::INFINITY;
        let slice = self.do_units(world, left);
        if slice == Slice::Busy {
            world.untouch(self.who, std::mem::take(&mut self.buffer));
            if let (Workload::LogWrite(w), Some(file)) = (self.work, self.file)
                && !w.keep_open
            {
                world.close(self.who, file);
            }
        }
        slice
    }

    /// Does what can be done in `ns` nanoseconds.
    pub fn advance(&mut self, world: &mut World, speed: &Speed, ns: f64) -> Slice {
        self.time += ns;
        self.age += ns;
        self.time -= std::mem::take(&mut world.processes[self.who].wait_ns);
        if self.time <= 0.0 {
            return Slice::Busy;
        }
        let result = match self.work {
            Workload::LogWrite(w) => self.log_write(world, speed, w),
            Workload::FileRead(w) => self.file_read(world, speed, w),
            Workload::Anon(w) => self.anon(world, speed, w),
            Workload::HeapChurn(w) => self.heap_churn(world, speed, w),
            Workload::Sleep(_) => {
                self.done = ((self.age / 1e6) as u64).min(self.target);
                Ok(self.done == self.target)
            }
            Workload::TmpfsFill(w) => self.tmpfs_fill(world, speed, w),
            Workload::Dentries(w) => self.dentries(world, speed, w),
            Workload::MmapScan(w) => self.mmap_scan(world, speed, w),
            Workload::Release(w) => self.at_once(world, |task, world| task.release(world, w)),
            Workload::Rewrite(w) => self.rewrite(world, w),
            Workload::ThpRelease(w) => {
                self.at_once(world, |task, world| task.thp_release(world, w))
            }
            Workload::Unlink(w) => self.at_once(world, |task, world| task.unlink(world, w)),
            Workload::Fadvise(w) => self.at_once(world, |task, world| task.fadvise(world, w)),
            Workload::TmpfsRemove(w) => self.at_once(world, |task, world| {
                task.remove_tmpfs(world, &w.file);
                Ok(())
            }),
            Workload::Reclaim(w) => self.at_once(world, |task, world| {
                task.reclaim(world, w.amount);
                Ok(())
            }),
            Workload::CgroupChurn(w) => self.at_once(world, |task, world| {
                world.churn(w.count, w.file);
                task.done = w.count;
                Ok(())
            }),
            // Run by the pod, not by a process.
            Workload::RestartContainer(_) | Workload::Exec(_) | Workload::Serve(_) => Ok(true),
        };
        match result {
            Err(Killed) => Slice::Killed,
            Ok(false) => Slice::Busy,
            Ok(true) => {
                world.untouch(self.who, std::mem::take(&mut self.buffer));
                Slice::Ended(self.result())
            }
        }
    }

    fn result(&self) -> StepResult {
        if self.done >= self.target {
            StepResult::Done
        } else {
            StepResult::Failed(format!("{} of {} {}", self.done, self.target, self.unit))
        }
    }

    fn at_once(
        &mut self,
        world: &mut World,
        work: impl FnOnce(&mut Self, &mut World) -> Result<(), Killed>,
    ) -> Result<bool, Killed> {
        work(self, world)?;
        self.done = self.done.max(self.target);
        Ok(true)
    }

    /// How many units of work, `most` at the most, fit into the time that is left, at `each`
    /// nanoseconds and at most `rate` a second; their time is used.
    pub(super) fn fits(&mut self, each: f64, rate: Option<u64>, most: u64) -> u64 {
        if let Some(quota) = &mut self.quota {
            let units = most.min(*quota);
            *quota -= units;
            return units;
        }
        let each = match rate.filter(|rate| *rate > 0) {
            Some(rate) => each.max(1e9 / rate as f64),
            None => each,
        };
        let units = (self.time / each).floor().clamp(0.0, most as f64);
        self.time -= units * each;
        units as u64
    }

    fn log_write(
        &mut self,
        world: &mut World,
        speed: &Speed,
        w: &LogWrite,
    ) -> Result<bool, Killed> {
        let file = match self.file {
            Some(file) => file,
            None => {
                let file = world.open(self.who, &w.file);
                world.hold(self.who, file);
                self.file = Some(file);
                file
            }
        };
        let line = mean(&w.line).max(1.0);
        let unit = if w.buffer > 0 { w.buffer } else { line as u64 };
        let each_byte = match unit < PAGE {
            true => speed.write_line / unit as f64,
            false => speed.write_page / PAGE as f64,
        };
        let up = w.duration_ms.is_some_and(|ms| self.age >= ms as f64 * 1e6);
        let left = w.total.map_or(u64::MAX, |total| total - self.done);
        let mut bytes = self.fits(each_byte, w.rate, left);
        let mut file = file;
        while bytes > 0 {
            let to_rotation = w.rotate.as_ref().map_or(u64::MAX, |how| {
                how.size
                    .saturating_sub(world.files[file as usize].size)
                    .max(1)
            });
            let part = bytes
                .min(to_rotation)
                .min(world.piece(self.who).saturating_mul(PAGE));
            world.append(self.who, file, part, unit)?;
            if let Fsync::Every(each) = w.fsync {
                let synced = (self.done + part) / each.max(1) - self.done / each.max(1);
                self.time -= synced as f64 * speed.fsync;
            }
            self.done += part;
            bytes -= part;
            let lines = self.done as f64 / line;
            let ops = world.processes[self.who].get(Counter::Ops);
            world.processes[self.who].set(Counter::Ops, ops.max(lines as u64));
            if let Some(how) = &w.rotate
                && world.files[file as usize].size >= how.size
            {
                file = self.rotate(world, file, &w.file, how)?;
            }
            let live = world.live_bytes(self.who);
            world.processes[self.who].set(Counter::FileLive, live);
            if world.processes[self.who].wait_ns > self.time {
                break;
            }
        }
        let over = w.total.is_some_and(|total| self.done >= total) || up;
        if over {
            if w.fsync == Fsync::End {
                self.time -= speed.fsync;
            }
            if !w.keep_open {
                world.close(self.who, file);
            }
            self.target = self
                .target
                .min(self.done.max(if up { 0 } else { self.target }));
        }
        Ok(over)
    }

    fn rotate(
        &mut self,
        world: &mut World,
        file: u32,
        name: &str,
        how: &Rotate,
    ) -> Result<u32, Killed> {
        for (number, copy) in world.copies(name).into_iter().rev() {
            if number >= how.keep {
                world.unlink(&copy);
            } else {
                world.rename(&copy, &format!("{name}.{}", number + 1));
            }
        }
        match how.mode {
            RotateMode::Rename => {
                if how.keep == 0 {
                    world.unlink(name);
                } else {
                    world.rename(name, &format!("{name}.1"));
                }
                world.close(self.who, file);
                let next = world.open(self.who, name);
                world.hold(self.who, next);
                self.file = Some(next);
                Ok(next)
            }
            RotateMode::CopyTruncate => {
                let size = world.files[file as usize].size;
                if how.keep > 0 {
                    world.read(self.who, file, 0, size.div_ceil(PAGE), By::Read)?;
                    world.processes[self.who].add(Counter::FileRead, size);
                    let copy = world.open(self.who, &format!("{name}.1"));
                    world.append(self.who, copy, size, 64 << 10)?;
                }
                world.drop_pages(file);
                world.files[file as usize].size = 0;
                Ok(file)
            }
        }
    }

    fn file_read(
        &mut self,
        world: &mut World,
        speed: &Speed,
        w: &FileRead,
    ) -> Result<bool, Killed> {
        let Some(file) = world.find(&w.file) else {
            // A follower waits for the file; a reader fails.
            self.time = 0.0;
            return Ok(w.follow.is_none());
        };
        let size = world.files[file as usize].size;
        if w.follow.is_none() {
            self.target = size * w.passes.max(1);
        }
        let wanted = match w.follow {
            Some(total) => total.min(size),
            None => self.target,
        };
        while self.done < wanted {
            let at = if w.follow.is_some() {
                self.done
            } else {
                self.done % size.max(1)
            };
            let room = (wanted - self.done)
                .min(if w.follow.is_some() {
                    u64::MAX
                } else {
                    size - at
                })
                // What one call brings in may push out what the next would have found.
                .min(w.chunk.max(PAGE));
            let bytes = self.fits(speed.read_page / PAGE as f64, w.rate, room);
            if bytes == 0 {
                break;
            }
            // A page that the read before this one ended in counts once.
            let (from, to) = (at.div_ceil(PAGE), (at + bytes).div_ceil(PAGE));
            let disk = world.read(self.who, file, from, to - from, By::Read)?;
            self.time -= disk as f64 * speed.disk_page;
            self.done += bytes;
            world.processes[self.who].add(Counter::FileRead, bytes);
        }
        if w.follow.is_some() {
            // What it waited is not saved up.
            self.time = self.time.min(0.0);
        }
        Ok(self.done >= self.target)
    }

    fn anon(&mut self, world: &mut World, speed: &Speed, w: &Anon) -> Result<bool, Killed> {
        let target = w.size.div_ceil(PAGE);
        let rate = w.rate.map(|rate| (rate / PAGE).max(1));
        let mut pages = self.fits(speed.touch_page, rate, target - self.done / PAGE);
        while pages > 0 {
            let part = pages.min(world.piece(self.who));
            world.touch(self.who, part)?;
            let process = &mut world.processes[self.who];
            let region = process.regions.entry(w.region.clone()).or_default();
            let had = region.pages();
            region.grow(part);
            if w.leak {
                region.leaked += part;
                process.add(Counter::Leaked, part * PAGE);
            }
            process.add(Counter::Live, part * PAGE);
            process.add(Counter::AllocatedTotal, part * PAGE);
            if w.huge == Huge::Always {
                process.huge += part;
            } else {
                world.map_tables(self.who, had, part);
            }
            self.done += part * PAGE;
            pages -= part;
            self.time -= std::mem::take(&mut world.processes[self.who].wait_ns);
            if self.time < 0.0 && world.piece(self.who) != u64::MAX {
                break;
            }
        }
        Ok(self.done >= target * PAGE)
    }

    fn heap_churn(
        &mut self,
        world: &mut World,
        speed: &Speed,
        w: &HeapChurn,
    ) -> Result<bool, Killed> {
        let each = speed.touch_page / PAGE as f64 / 4.0;
        let bytes = self.fits(each, w.rate, w.total - self.done);
        self.done += bytes;
        let live = w.live.min(self.done);
        let wanted = (live + HEAP_SPARE.min(self.done)).div_ceil(PAGE);
        let had = world.processes[self.who].heap;
        if wanted > had {
            world.touch(self.who, wanted - had)?;
            world.map_tables(self.who, had, wanted - had);
        } else {
            world.untouch(self.who, had - wanted);
        }
        let process = &mut world.processes[self.who];
        process.heap = wanted;
        process.add(Counter::AllocatedTotal, bytes);
        let others: u64 = process.regions.values().map(|r| r.held().live).sum();
        let before = process.get(Counter::Live);
        process.set(Counter::Live, others * PAGE + live);
        let released = (before + bytes).saturating_sub(process.get(Counter::Live));
        process.add(Counter::ReleasedTotal, released);
        Ok(self.done >= w.total)
    }

    fn tmpfs_fill(
        &mut self,
        world: &mut World,
        speed: &Speed,
        w: &TmpfsFill,
    ) -> Result<bool, Killed> {
        let rate = w.rate.map(|rate| (rate / PAGE).max(1));
        let target = w.size.div_ceil(PAGE);
        let pages = self.fits(speed.write_page, rate, target - self.done.div_ceil(PAGE));
        world.fill_tmpfs(self.who, &w.file, pages)?;
        let bytes = (pages * PAGE).min(w.size - self.done);
        self.done += bytes;
        world.processes[self.who].add(Counter::ShmemLive, bytes);
        Ok(self.done >= w.size)
    }

    fn remove_tmpfs(&mut self, world: &mut World, name: &str) {
        world.remove_tmpfs(name);
        world.processes[self.who].set(Counter::ShmemLive, 0);
    }

    fn dentries(&mut self, world: &mut World, speed: &Speed, w: &Dentries) -> Result<bool, Killed> {
        let count = self.fits(speed.lookup, w.rate, w.lookups - self.done);
        world.look_up(self.who, count);
        self.done += count;
        world.processes[self.who].add(Counter::Ops, count);
        Ok(self.done >= w.lookups)
    }

    fn mmap_scan(
        &mut self,
        world: &mut World,
        speed: &Speed,
        w: &MmapScan,
    ) -> Result<bool, Killed> {
        let Some(file) = world.find(&w.file) else {
            return Ok(true);
        };
        let size = world.files[file as usize].size;
        self.target = size * w.passes;
        self.unit = "bytes";
        let each = speed.read_page / PAGE as f64 / 4.0;
        let mut bytes = self.fits(each, None, self.target - self.done);
        while bytes > 0 {
            let at = self.done % size;
            let part = bytes.min(MMAP_PART).min(size - at);
            let (from, to) = (at.div_ceil(PAGE), (at + part).div_ceil(PAGE));
            let disk = world.read(self.who, file, from, to - from, By::Touch)?;
            self.time -= disk as f64 * speed.disk_page;
            if self.done < size {
                world.map_tables(self.who, from, to - from);
                world.processes[self.who].add(Counter::MappedFileLive, part);
            }
            world.processes[self.who].add(Counter::FileRead, part);
            self.done += part;
            bytes -= part;
        }
        if self.done < self.target {
            return Ok(false);
        }
        let pages = size.div_ceil(PAGE);
        if w.keep {
            world.processes[self.who].maps.push((file, pages));
        } else {
            world.unmap(self.who, file, pages);
            world.processes[self.who].sub(Counter::MappedFileLive, size);
        }
        Ok(true)
    }

    fn unlink(&mut self, world: &mut World, w: &Unlink) -> Result<(), Killed> {
        let copies = world.copies(&w.file);
        world.unlink(&w.file);
        for (_, copy) in copies {
            world.unlink(&copy);
        }
        let live = world.live_bytes(self.who);
        world.processes[self.who].set(Counter::FileLive, live);
        Ok(())
    }

    fn fadvise(&mut self, world: &mut World, w: &Fadvise) -> Result<(), Killed> {
        let Some(file) = world.find(&w.file) else {
            return Ok(());
        };
        match w.advice {
            FileAdvice::Dontneed => world.drop_pages(file),
            FileAdvice::Willneed => {
                let size = world.files[file as usize].size.min(WILLNEED);
                world.read(self.who, file, 0, size.div_ceil(PAGE), By::Ahead)?;
            }
        }
        Ok(())
    }

    fn reclaim(&mut self, world: &mut World, amount: u64) {
        world.give_back(self.who, amount);
    }
}

/// The mean of a distribution.
fn mean(dist: &Dist) -> f64 {
    match *dist {
        Dist::Fixed(n) => n as f64,
        Dist::Uniform(lo, hi) => (lo as f64 + hi as f64) / 2.0,
        Dist::Exponential(mean) => mean,
        Dist::LogNormal(median, sigma) => median * (sigma * sigma / 2.0).exp(),
    }
}
