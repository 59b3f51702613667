//! Limits: a container's, the pod's around it, memory.high, and what is asked back.

use super::{Group, World};
use crate::model::memcg::{FIRST_PRIORITY, Full, LEAST, Memcg, PAGE, WANTED};
use crate::rows::CgroupVersion;

impl World {
    /// Charges with `add` until it fits; the OOM killer makes room where nothing else does. Fails with the
    /// pages that were charged when it ended the process itself.
    pub(in crate::model) fn until_it_fits(
        &mut self,
        who: usize,
        pages: u64,
        mut add: impl FnMut(&mut Memcg, u64, u64) -> Result<(), Full>,
    ) -> Result<(), u64> {
        let mut done = 0;
        while done < pages {
            let group = self.processes[who].memcg;
            let part = self.pod_room(pages - done);
            let missing = match part {
                0 => 0,
                _ => match add(&mut self.groups[group].memcg, done, part) {
                    Ok(()) => 0,
                    Err(Full { missing }) => missing,
                },
            };
            done += part - missing;
            if part > 0 && missing == 0 {
                continue;
            }
            // Who is charged where the limit was met: the container, or the whole pod.
            let Some(victim) = self.largest((part > 0).then_some(group)) else {
                return Err(done);
            };
            let its = self.processes[victim].memcg;
            self.groups[its].memcg.killed();
            self.end(victim);
            self.killed.push(victim);
            if victim == who {
                return Err(done);
            }
        }
        self.wait_at_high(who, pages);
        Ok(())
    }

    /// Of so many pages to charge, those that the pod's limit has room for, after reclaim from all
    /// its cgroups; none if nothing is left to take.
    fn pod_room(&mut self, pages: u64) -> u64 {
        let Some(limit) = self.pod_limit else {
            return pages;
        };
        loop {
            let usage: u64 = self.groups.iter().map(|group| group.memcg.usage()).sum();
            let room = limit.saturating_sub(usage.div_ceil(PAGE));
            let spare = room.saturating_sub(self.rules.gap);
            // As for a container's own limit (`Memcg::charge`).
            let part = (spare - spare / 32).min(pages);
            if part == pages || part >= LEAST {
                return part;
            }
            self.pod_at_limit += 1;
            if self.reclaim_pod(pages + pages / 31 + 1) == 0 {
                return room.min(pages);
            }
        }
    }

    /// Takes about so many pages from the cgroups of the pod; returns how many it got.
    fn reclaim_pod(&mut self, pages: u64) -> u64 {
        let listed = |group: &Group| group.memcg.lists().pages();
        let all: u64 = self.groups.iter().map(listed).sum();
        let wanted = pages.min(all / 8).max(LEAST);
        let mut got = 0;
        while got < wanted {
            let more = self.walk();
            if more == 0 {
                break;
            }
            got += more;
        }
        got
    }

    /// One reclaim of the pod: walks over its cgroups, of which each gives a part of its lists that doubles from walk
    /// to walk, until there is enough (`shrink_node_memcgs`, mm/vmscan.c).
    fn walk(&mut self) -> u64 {
        let mut got = 0;
        for priority in (0..=FIRST_PRIORITY).rev() {
            for group in std::mem::take(&mut self.next_group)..self.groups.len() {
                let memcg = &mut self.groups[group].memcg;
                got += memcg.reclaim(memcg.part(priority));
                if self.rules.walk_ends_early && got >= WANTED {
                    self.next_group = (group + 1) % self.groups.len();
                    return got;
                }
            }
            if got >= WANTED {
                break;
            }
        }
        got
    }

    /// The process with the most anonymous memory of a cgroup, or of the pod (`oom_badness`,
    /// mm/oom_kill.c).
    fn largest(&self, group: Option<usize>) -> Option<usize> {
        let all = self.processes.iter().enumerate();
        all.filter(|(_, p)| p.alive && group.is_none_or(|group| p.memcg == group))
            .max_by_key(|(index, process)| {
                (process.anon + process.lazy_pages(), usize::MAX - index)
            })
            .map(|(index, _)| index)
    }

    /// Above memory.high: what can be taken is, then who charged waits 64 x^2 s for each 64 pages,
    /// where x is the part by which usage is above (`calculate_high_delay`, mm/memcontrol.c).
    fn wait_at_high(&mut self, who: usize, pages: u64) {
        let group = self.processes[who].memcg;
        let Some(high) = self.groups[group].high.filter(|high| *high > 0) else {
            return;
        };
        let memcg = &mut self.groups[group].memcg;
        let over = memcg.usage().saturating_sub(high);
        if over == 0 {
            return;
        }
        memcg.counts.above_high += 1;
        memcg.reclaim(over.div_ceil(PAGE));
        let over = memcg.usage().saturating_sub(high);
        if over == 0 || !self.rules.high_throttles {
            return;
        }
        let part = over as f64 / high as f64;
        let each = (64.0 * part * part * 1e9).min(2e9);
        let waits = if each < 10e6 { 0.0 } else { each };
        self.processes[who].wait_ns += waits * (pages as f64 / 64.0);
    }

    /// Pages that may be charged at a time: a few where each may make the process wait.
    pub fn piece(&self, who: usize) -> u64 {
        let group = &self.groups[self.processes[who].memcg];
        match group.high {
            Some(high) if group.memcg.usage() + (8 << 20) > high => 64,
            _ => u64::MAX,
        }
    }

    /// Reclaim that somebody asks for: v2 takes so many bytes, v1 all there is.
    pub fn give_back(&mut self, who: usize, bytes: u64) {
        // memory.force_empty knows no amount.
        let mut left = match self.version {
            CgroupVersion::V1 => u64::MAX,
            CgroupVersion::V2 => bytes.div_ceil(PAGE),
        };
        let memcg = self.memcg(who);
        while left > 0 {
            let got = memcg.reclaim(left.min(1024));
            if got == 0 {
                memcg.look_in_vain();
                break;
            }
            left = left.saturating_sub(got);
        }
        memcg.drop_dentries();
    }
}
