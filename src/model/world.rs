//! A pod: its cgroups, its files, its processes, and what they do to each other.

mod limits;

use std::collections::BTreeMap;

use super::card::{Card, Rules};
use super::lists::LAZY;
use super::memcg::{By, Memcg, PAGE};
use super::process::{OWN_KERNEL, OWN_PAGES, Process, State, Were};
use crate::rows::CgroupVersion;
use crate::scenario::Scenario;
use crate::truth::Counter;

/// Kernel memory of a cgroup that was removed while pages were still charged to it, bytes; measured
/// on two CPUs.
pub const DEAD_CGROUP: u64 = 13_500;

/// A page table covers so many pages (2 MiB).
const TABLE_PAGES: u64 = 512;

/// The process that asked was ended by the OOM killer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Killed;

/// A file on the disk.
#[derive(Debug, Clone, Default)]
pub struct File {
    /// Bytes written.
    pub size: u64,
    /// Whether it has a name still.
    pub linked: bool,
    /// How many hold it open.
    pub holders: u32,
    /// The process that wrote it.
    pub owner: usize,
}

/// One cgroup of the pod.
#[derive(Debug, Clone)]
pub struct Group {
    /// Its container's index; none for one that came and went.
    pub container: Option<usize>,
    /// Whether processes can be in it.
    pub alive: bool,
    /// memory.high, bytes.
    pub high: Option<u64>,
    /// What is charged to it.
    pub memcg: Memcg,
}

impl Group {
    /// Whether who charges here has to wait.
    pub fn is_above_high(&self) -> bool {
        self.alive && self.high.is_some_and(|high| self.memcg.usage() > high)
    }
}

/// All of it.
#[derive(Debug, Clone)]
pub struct World {
    rules: Rules,
    version: CgroupVersion,
    /// All cgroups ever made.
    pub groups: Vec<Group>,
    /// All processes, in the scenario's order.
    pub processes: Vec<Process>,
    /// Files by number.
    pub files: Vec<File>,
    names: BTreeMap<String, u32>,
    /// Files in memory: pages by the cgroup that they are charged to.
    pub(super) tmpfs: BTreeMap<String, Vec<(usize, u64)>>,
    /// Who was killed since somebody asked.
    pub killed: Vec<usize>,
    /// The limit of the pod around its containers, pages.
    pod_limit: Option<u64>,
    /// Charges that met the pod's limit.
    pub pod_at_limit: u64,
    /// The container at which the next walk over the pod begins.
    next_group: usize,
}

impl World {
    /// The pod of a scenario before its first step: its workers have started.
    pub fn new(scenario: &Scenario, card: &Card) -> World {
        let mut world = World {
            rules: card.rules,
            version: card.cgroup,
            groups: Vec::new(),
            processes: Vec::new(),
            files: Vec::new(),
            names: BTreeMap::new(),
            tmpfs: BTreeMap::new(),
            killed: Vec::new(),
            pod_limit: scenario.pod_limit.map(|limit| limit / PAGE),
            pod_at_limit: 0,
            next_group: 0,
        };
        for (index, container) in scenario.containers.iter().enumerate() {
            let memcg = world.add_group(Some(index), container.limit, container.high);
            for actor in &container.actors {
                world
                    .processes
                    .push(Process::new(index, &actor.name, memcg));
                let who = world.processes.len() - 1;
                world.start(who);
            }
        }
        world
    }

    fn add_group(&mut self, container: Option<usize>, limit: u64, high: Option<u64>) -> usize {
        self.groups.push(Group {
            container,
            alive: true,
            high,
            memcg: Memcg::new(self.rules, limit),
        });
        self.groups.len() - 1
    }

    /// A new process: what each worker holds before its first step.
    fn start(&mut self, who: usize) {
        let memcg = self.processes[who].memcg;
        // A limit below a worker's own memory ends it at once.
        let _ = self.touch(who, OWN_PAGES);
        self.groups[memcg].memcg.add_kernel(OWN_KERNEL);
        self.processes[who].tables = 0;
    }

    /// The cgroup that a container has now.
    pub fn group_of(&self, container: usize) -> Option<&Group> {
        self.groups
            .iter()
            .find(|group| group.alive && group.container == Some(container))
    }

    /// What the processes of a container know by one counter, bytes.
    pub fn truth_of(&self, container: usize, counter: Counter) -> u64 {
        let own = self.processes.iter().filter(|p| p.container == container);
        own.map(|process| process.get(counter)).sum()
    }

    fn memcg(&mut self, who: usize) -> &mut Memcg {
        let memcg = self.processes[who].memcg;
        &mut self.groups[memcg].memcg
    }

    /// Charges anonymous pages.
    ///
    /// # Errors
    /// When the OOM killer ended this process for it.
    pub fn touch(&mut self, who: usize, pages: u64) -> Result<(), Killed> {
        let fits = self.until_it_fits(who, pages, |memcg, _, part| memcg.add_anon(part));
        if let Err(charged) = fits {
            // It ended before it was said to have them.
            self.memcg(who).drop_anon(charged);
            return Err(Killed);
        }
        self.processes[who].anon += pages;
        Ok(())
    }

    /// Page tables for more anonymous or mapped pages: one for each 2 MiB.
    pub fn map_tables(&mut self, who: usize, had: u64, pages: u64) {
        let tables = (had + pages).div_ceil(TABLE_PAGES) - had.div_ceil(TABLE_PAGES);
        self.memcg(who).add_kernel(tables * PAGE);
        self.processes[who].tables += tables * PAGE;
    }

    /// Gives anonymous pages back.
    pub fn untouch(&mut self, who: usize, pages: u64) {
        self.memcg(who).drop_anon(pages);
        let process = &mut self.processes[who];
        process.anon = process.anon.saturating_sub(pages);
    }

    /// Gives pages of a region back: `were` says what they were.
    pub fn release(&mut self, who: usize, were: Were, to: State) {
        match to {
            State::Lazy => {
                self.memcg(who).free_lazily(were.live + were.cold);
                self.processes[who].anon -= (were.live + were.cold).min(self.processes[who].anon);
            }
            State::Kept => {}
            _ => {
                self.untouch(who, were.live + were.cold + were.kept);
                let left = self.lazy_left(who, were.lazy, were.lazy);
                self.memcg(who).drop_lazy(left, false);
            }
        }
    }

    /// Of so many lazily freed pages of a process, those that reclaim has left. What it took were
    /// the oldest, so the first of each region. `changed`: so many pages stand in their region as something
    /// else by now.
    pub fn lazy_left(&self, who: usize, pages: u64, changed: u64) -> u64 {
        let process = &self.processes[who];
        let left = self.groups[process.memcg].memcg.lazy_pages();
        let all = self
            .processes
            .iter()
            .filter(|p| p.alive && p.memcg == process.memcg);
        let all: u64 = all.map(Process::lazy_pages).sum::<u64>() + changed;
        pages - (all - left.min(all)).min(pages)
    }

    /// Writes to pages of a region again; what was taken or given back is charged anew.
    ///
    /// # Errors
    /// When the OOM killer ended this process for it.
    pub fn write_again(&mut self, who: usize, were: Were) -> Result<(), Killed> {
        let left = self.lazy_left(who, were.lazy, were.lazy);
        self.memcg(who).reuse(left);
        self.processes[who].anon += left;
        self.touch(who, were.gone + (were.lazy - left))
    }

    /// Ends a process: its memory goes, its files close.
    pub fn end(&mut self, who: usize) {
        let process = &mut self.processes[who];
        if !process.alive {
            return;
        }
        process.alive = false;
        let (anon, lazy, tables) = (process.anon, process.lazy_pages(), process.tables);
        let (open, maps) = (
            std::mem::take(&mut process.open),
            std::mem::take(&mut process.maps),
        );
        process.regions.clear();
        process.heap = 0;
        process.anon = 0;
        for counter in [
            Counter::Live,
            Counter::Leaked,
            Counter::FreedLazy,
            Counter::MappedFileLive,
            Counter::Cold,
        ] {
            process.set(counter, 0);
        }
        let memcg = self.memcg(who);
        // What was written again after MADV_FREE is on the lists still, and counted as anon.
        let listed = memcg.reused_pages().min(anon);
        memcg.drop_lazy(listed, true);
        memcg.drop_anon(anon - listed);
        memcg.drop_lazy(lazy.min(memcg.lazy_pages()), false);
        memcg.drop_kernel(OWN_KERNEL + tables);
        for (file, pages) in maps {
            self.end_mapping(file, pages);
        }
        for file in open {
            self.let_go(file);
        }
    }

    /// The number of a file by name; a new one if there is none.
    pub fn open(&mut self, who: usize, name: &str) -> u32 {
        if let Some(file) = self.names.get(name) {
            return *file;
        }
        self.files.push(File {
            size: 0,
            linked: true,
            holders: 0,
            owner: who,
        });
        let file = self.files.len() as u32 - 1;
        debug_assert!(file != LAZY);
        self.names.insert(name.into(), file);
        file
    }

    /// The file of that name.
    pub fn find(&self, name: &str) -> Option<u32> {
        self.names.get(name).copied()
    }

    /// A process opens a file; it may hold it already.
    pub fn hold(&mut self, who: usize, file: u32) {
        let open = &mut self.processes[who].open;
        if !open.contains(&file) {
            open.push(file);
            self.files[file as usize].holders += 1;
        }
    }

    /// A process closes a file; the last holder of a deleted file lets its pages go.
    pub fn close(&mut self, who: usize, file: u32) {
        let open = &mut self.processes[who].open;
        if let Some(index) = open.iter().position(|other| *other == file) {
            open.swap_remove(index);
            self.let_go(file);
        }
    }

    fn let_go(&mut self, file: u32) {
        let known = &mut self.files[file as usize];
        known.holders = known.holders.saturating_sub(1);
        self.forget_if_gone(file);
    }

    fn forget_if_gone(&mut self, file: u32) {
        let known = &self.files[file as usize];
        if !known.linked && known.holders == 0 {
            self.drop_pages(file);
            self.files[file as usize].size = 0;
        }
    }

    /// Drops the cached pages of a file.
    pub fn drop_pages(&mut self, file: u32) {
        for group in &mut self.groups {
            group.memcg.drop_file(file);
        }
    }

    /// Deletes the file of that name.
    pub fn unlink(&mut self, name: &str) -> bool {
        let Some(file) = self.names.remove(name) else {
            return false;
        };
        self.files[file as usize].linked = false;
        self.forget_if_gone(file);
        true
    }

    /// Gives a file another name; what had it is deleted.
    pub fn rename(&mut self, from: &str, to: &str) {
        self.unlink(to);
        if let Some(file) = self.names.remove(from) {
            self.names.insert(to.into(), file);
        }
    }

    /// Rotated copies of a log, by number, oldest last.
    pub fn copies(&self, name: &str) -> Vec<(u64, String)> {
        let stem = format!("{name}.");
        let mut found: Vec<_> = self
            .names
            .keys()
            .filter_map(|other| {
                let number = other.strip_prefix(&stem)?.parse().ok()?;
                Some((number, other.clone()))
            })
            .collect();
        found.sort_unstable();
        found
    }

    /// Bytes of all files that a process wrote and that exist.
    pub fn live_bytes(&self, who: usize) -> u64 {
        let own = self.files.iter().filter(|file| file.owner == who);
        own.filter(|file| file.linked || file.holders > 0)
            .map(|file| file.size)
            .sum()
    }

    /// Deletes all files of the pod's work directory.
    pub fn delete_all(&mut self) {
        let names: Vec<String> = self.names.keys().cloned().collect();
        for name in names {
            self.unlink(&name);
        }
        let names: Vec<String> = self.tmpfs.keys().cloned().collect();
        for name in names {
            self.remove_tmpfs(&name);
        }
    }

    /// Appends bytes to a file with writes of `unit` bytes.
    ///
    /// # Errors
    /// When the OOM killer ended this process for it.
    pub fn append(&mut self, who: usize, file: u32, bytes: u64, unit: u64) -> Result<(), Killed> {
        let size = self.files[file as usize].size;
        let (from, to) = (size.div_ceil(PAGE), (size + bytes).div_ceil(PAGE));
        // A write that does not end at a page's end leaves the page to the next one, too.
        let twice = !unit.is_multiple_of(PAGE);
        let large = unit >= 256 << 10;
        self.until_it_fits(who, to - from, |memcg, done, part| {
            memcg.write(file, from + done, part, twice, large)
        })
        .map_err(|_| Killed)?;
        self.files[file as usize].size = size + bytes;
        self.processes[who].add(Counter::FileWritten, bytes);
        Ok(())
    }

    /// Reads pages of a file; returns how many came from the disk. A page that another cgroup has
    /// cached is used there and charged to nobody anew.
    ///
    /// # Errors
    /// When the OOM killer ended this process for it.
    pub fn read(
        &mut self,
        who: usize,
        file: u32,
        start: u64,
        pages: u64,
        by: By,
    ) -> Result<u64, Killed> {
        let mut missing = vec![(start, start + pages)];
        for group in &mut self.groups {
            missing = missing
                .into_iter()
                .flat_map(|(from, to)| match by {
                    By::Read => group.memcg.read(file, from, to - from),
                    By::Touch => group.memcg.touch(file, from, to - from),
                    By::Ahead => group.memcg.missing(file, from, to - from),
                })
                .collect();
        }
        let mut read = 0;
        for (from, to) in missing {
            read += to - from;
            self.until_it_fits(who, to - from, |memcg, done, part| {
                memcg.read_in(file, from + done, part, by)
            })
            .map_err(|_| Killed)?;
        }
        Ok(read)
    }

    fn end_mapping(&mut self, file: u32, pages: u64) {
        for group in &mut self.groups {
            group.memcg.unmap(file, 0, pages);
        }
    }

    /// Makes a container's cgroup anew: its processes end, what they cached stays charged to the old
    /// one, and new processes start in a new one.
    pub fn restart(&mut self, scenario: &Scenario, container: usize, delete_files: bool) {
        let of_container: Vec<usize> = (0..self.processes.len())
            .filter(|who| self.processes[*who].container == container)
            .collect();
        for who in &of_container {
            self.end(*who);
        }
        for group in &mut self.groups {
            if group.container == Some(container) && group.alive {
                group.alive = false;
                group.memcg.add_kernel(DEAD_CGROUP);
            }
        }
        if delete_files {
            self.delete_all();
        }
        let spec = &scenario.containers[container];
        let memcg = self.add_group(Some(container), spec.limit, spec.high);
        for who in of_container {
            let process = &mut self.processes[who];
            let mut fresh = Process::new(container, &process.actor, memcg);
            fresh.truth = process.truth;
            *process = fresh;
            self.start(who);
        }
    }

    /// Cgroups that come, write a file each, and go.
    pub fn churn(&mut self, count: u64, bytes: u64) {
        let index = self
            .groups
            .iter()
            .position(|group| group.container.is_none());
        let index = index.unwrap_or_else(|| {
            let index = self.add_group(None, u64::MAX / 2, None);
            self.groups[index].alive = false;
            index
        });
        self.files.push(File {
            size: count * bytes,
            linked: true,
            holders: 0,
            owner: usize::MAX,
        });
        let file = self.files.len() as u32 - 1;
        let memcg = &mut self.groups[index].memcg;
        // Nothing limits the pod here, so this can't fail.
        let _ = memcg.write(file, 0, count * bytes.div_ceil(PAGE), false, false);
        memcg.add_kernel(count * DEAD_CGROUP);
    }

    /// Names that are not there, looked up.
    pub fn look_up(&mut self, who: usize, count: u64) {
        self.memcg(who).add_dentries(count);
    }

    /// Whether MADV_FREE pages wait on a list.
    pub fn lazyfree_list(&self) -> bool {
        self.rules.lazyfree_list
    }

    /// Pieces of huge pages that a process gives back.
    pub fn hide(&mut self, who: usize, pages: u64) {
        self.memcg(who).hide(pages);
        let process = &mut self.processes[who];
        process.anon = process.anon.saturating_sub(pages);
    }

    /// Ends a mapping: what was touched through it counts as used once.
    pub fn unmap(&mut self, who: usize, file: u32, pages: u64) {
        self.end_mapping(file, pages);
        self.unmap_tables(who, pages);
    }

    /// The page tables of so many pages go.
    pub fn unmap_tables(&mut self, who: usize, pages: u64) {
        let tables = (pages / TABLE_PAGES * PAGE).min(self.processes[who].tables);
        self.memcg(who).drop_kernel(tables);
        self.processes[who].tables -= tables;
    }
}
