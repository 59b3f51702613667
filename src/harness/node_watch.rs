//! Many cgroups of others at once, those of a node: sampled in turn, followed as they come and go.
//!
//! What a sample costs is the kernel's work for each file. So every tick reads what moves, and the
//! limits, peaks and counts of events are read every few seconds, another share of the cgroups
//! each tick. A row that was not read is missing in the recording; an observer sees its last value.

use std::os::fd::AsFd;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

use super::ad_hoc;
use super::environment::{header, take_signals};
use super::error::{HarnessError, doing};
use super::live::own_rss;
use super::observer::Observer;
use super::verdicts::Verdicts;
use crate::cgroup::{Change, Follower, Hierarchy, container_id, is_only_a_parent, on_the_node};
use crate::host;
use crate::recording::{self, Event, EventKind, Footer, Group, GroupKind, MISSING, Writer};
use crate::sampler::{Clock, GroupSource, Reads, Sampler, is_left_out};
use crate::scenario::Outcome;
use crate::sys::process::Signals;

/// All rows of a cgroup are read this often, at least. cAdvisor reads every 10 to 15 s.
const ALL_ROWS: Duration = Duration::from_secs(5);
/// Names that were not there yet are looked for this often.
const NAMES: Duration = Duration::from_secs(1);
/// How long a new cgroup may stay without a name, or without a process, before it is sampled all
/// the same: the kubelet links a container's log shortly after the runtime has made its cgroup,
/// and makes a pod's cgroup shortly before those of its containers.
const PATIENCE: Duration = Duration::from_secs(2);

/// What is to be watched.
pub struct NodeWatch<'a> {
    /// Every container below it.
    pub top: &'a Path,
    /// A container's name; none where it may still get one.
    pub name: &'a mut dyn FnMut(&Path) -> Option<String>,
    /// A container's image, where that is known.
    pub image: &'a dyn Fn(&Path) -> Option<String>,
    /// Time between samples.
    pub interval: Duration,
    /// None: until a signal comes or `top` is gone.
    pub duration: Option<Duration>,
    /// Where the recording goes, by its name for messages; none is kept without.
    pub out: Option<(String, recording::Sink)>,
}

/// Samples every container below a cgroup. Nothing in them is changed. Containers that come later
/// are added, those that end are reported (`group_end`).
///
/// # Errors
/// When the cgroup can't be read, or the recording not written.
pub fn watch_all<'a>(
    node: NodeWatch<'a>,
    observer: &'a mut dyn Observer,
) -> Result<(), HarnessError> {
    let signals = take_signals()?;
    let hierarchy = Hierarchy::discover()?;
    let host = host::detect(&hierarchy, &std::env::temp_dir(), "watch");
    let (follower, found) =
        Follower::start(node.top).map_err(doing("looking for containers below the cgroup"))?;
    let sampler = Sampler::open(Vec::new(), false)?;
    let mut header = header(&ad_hoc::watch(node.top, node.interval), &host, Vec::new());
    let clock = Clock::start(node.interval).map_err(doing("starting the clock"))?;
    let mut watch = Watch {
        hierarchy,
        follower,
        sampler,
        clock,
        writer: None,
        observer,
        members: Vec::new(),
        waiting: Vec::new(),
        turns: turns(node.interval),
        named: Instant::now(),
        stop: false,
        node,
    };
    for path in found.into_iter().filter(|path| is_a_container(path)) {
        watch.open(path)?;
    }
    header.groups = watch
        .members
        .iter()
        .flatten()
        .map(|m| m.group.clone())
        .collect();
    watch.observer.begin(&header);
    watch.observer.groups(&header.groups);
    if let Some(output) = watch.node.out.take() {
        let mut writer = Writer::tee(vec![output], &header)?;
        writer.hold();
        watch.writer = Some(writer);
    }
    watch.run(&signals)
}

/// In how many ticks each cgroup has all its rows read once.
fn turns(interval: Duration) -> usize {
    let turns = ALL_ROWS.as_nanos() / interval.as_nanos().max(1);
    usize::try_from(turns).unwrap_or(usize::MAX).max(1)
}

/// A container that is being sampled.
struct Member {
    path: PathBuf,
    /// Whether its name may still be found.
    provisional: bool,
    group: Group,
    verdicts: Verdicts,
    /// By column: whether it keeps its last value in a sample that did not read it.
    kept: Vec<bool>,
    /// The last value of each column.
    latest: Vec<u64>,
    sampled: bool,
}

impl Member {
    fn columns(&mut self, columns: &[String]) {
        self.group.columns = columns.to_vec();
        self.kept = columns.iter().map(|c| is_left_out(c)).collect();
        self.latest.resize(columns.len(), MISSING);
        self.verdicts.find(columns);
    }

    fn take(&mut self, reads: Reads, values: &[u64]) {
        let latest = self.latest.iter_mut().zip(&self.kept).zip(values);
        for ((latest, kept), value) in latest {
            if !(*kept && reads == Reads::Moving) {
                *latest = *value;
            }
        }
    }
}

struct Watch<'a> {
    node: NodeWatch<'a>,
    hierarchy: Hierarchy,
    follower: Follower,
    sampler: Sampler,
    clock: Clock,
    writer: Option<Writer>,
    observer: &'a mut dyn Observer,
    /// By index; none where a container has ended.
    members: Vec<Option<Member>>,
    /// Cgroups that came and have no name or process yet.
    waiting: Vec<(PathBuf, Instant)>,
    turns: usize,
    /// When names were looked for the last time.
    named: Instant,
    stop: bool,
}

impl Watch<'_> {
    fn run(mut self, signals: &Signals) -> Result<(), HarnessError> {
        let mut round = 0;
        while !self.stop {
            let mut fds =
                [self.clock.as_fd(), signals.as_fd()].map(|fd| PollFd::new(fd, PollFlags::POLLIN));
            match poll(&mut fds, PollTimeout::NONE) {
                Ok(_) | Err(nix::errno::Errno::EINTR) => {}
                Err(error) => return Err(doing("waiting for the clock")(error.into())),
            }
            let (tick, signal) = (fds[0].any() == Some(true), fds[1].any() == Some(true));
            if tick {
                self.clock.tick().map_err(doing("reading the clock"))?;
                self.tick(round)?;
                round += 1;
            }
            if signal {
                self.signals(signals)?;
            }
        }
        self.finish()
    }

    fn signals(&mut self, signals: &Signals) -> Result<(), HarnessError> {
        while let Some(info) = signals.next().map_err(doing("reading signals"))? {
            // SIGCHLD is number 17 wherever Linux runs.
            self.stop |= info.ssi_signo != nix::libc::SIGCHLD as u32;
        }
        Ok(())
    }

    fn tick(&mut self, round: usize) -> Result<(), HarnessError> {
        self.follow()?;
        if self.named.elapsed() >= NAMES {
            self.named = Instant::now();
            self.name_again()?;
        }
        for index in 0..self.members.len() {
            let reads = match (round.wrapping_add(index)).is_multiple_of(self.turns) {
                true => Reads::All,
                false => Reads::Moving,
            };
            self.sample(index, reads)?;
        }
        if let Some(writer) = &mut self.writer {
            writer.flush()?;
        }
        let over = |end: Duration| u128::from(self.clock.now_ns()) > end.as_nanos();
        self.stop |= self.node.duration.is_some_and(over);
        self.stop |= self.observer.wants_stop();
        self.stop |= !self.node.top.is_dir();
        Ok(())
    }

    /// Adds what has come since the last tick.
    fn follow(&mut self) -> Result<(), HarnessError> {
        for change in self.follower.look() {
            let (Change::Came(path) | Change::Filled(path)) = &change;
            let same = |member: &Option<Member>| member.as_ref().is_some_and(|m| m.path == *path);
            let index = self.members.iter().position(same);
            self.waiting.retain(|(waiting, _)| waiting != path);
            match (change, index) {
                (Change::Came(path), index) => {
                    if let Some(index) = index {
                        self.end(index, "it was removed and made anew")?;
                    }
                    self.waiting.push((path, Instant::now()));
                }
                (Change::Filled(_), Some(index)) => {
                    self.end(index, "it holds other cgroups now")?
                }
                (Change::Filled(_), None) => {}
            }
        }
        let waiting = std::mem::take(&mut self.waiting);
        for (path, since) in waiting {
            if !path.is_dir() || !is_a_container(&path) {
                continue;
            }
            let ready = since.elapsed() >= PATIENCE || (self.node.name)(&path).is_some();
            if ready || (container_id(&path).is_none() && holds_process(&path)) {
                self.join(path)?;
            } else {
                self.waiting.push((path, since));
            }
        }
        Ok(())
    }

    /// A container that was there before the kubelet had named it gets its name once there is one: a
    /// series, and a group of the recording, has one name, so it ends and another begins.
    fn name_again(&mut self) -> Result<(), HarnessError> {
        for index in 0..self.members.len() {
            let Some(member) = &self.members[index] else {
                continue;
            };
            if !member.provisional {
                continue;
            }
            let path = member.path.clone();
            let name = (self.node.name)(&path);
            if name.is_some_and(|name| name != member.group.name) {
                self.end(index, "it has its name now")?;
                self.join(path)?;
            }
        }
        Ok(())
    }

    /// Opens a container; returns its index, none if it has gone meanwhile.
    fn open(&mut self, path: PathBuf) -> Result<Option<usize>, HarnessError> {
        let below = path.strip_prefix(self.node.top).unwrap_or(&path);
        let below = below.display().to_string();
        let name = (self.node.name)(&path);
        // What has no name yet, or is taken for a sandbox since its neighbours have one, may get one.
        let provisional =
            container_id(&path).is_some() && name.as_ref().is_none_or(|name| name.ends_with('_'));
        let source = GroupSource {
            name: name.unwrap_or(below),
            kind: GroupKind::Container,
            path: path.clone(),
            version: self.hierarchy.version,
            limit: self.hierarchy.effective_limit(&path).bytes(),
            actors: Vec::new(),
            truth: false,
        };
        // An index is a number in the recording; without one it can be had again.
        let free = match self.writer {
            Some(_) => None,
            None => self.members.iter().position(Option::is_none),
        };
        let opened = match free {
            Some(index) => self.sampler.replace(index, source).map(|()| index),
            None => self.sampler.add_group(source),
        };
        let index = match opened {
            Ok(index) => index,
            Err(error) => {
                log::info!("{error}");
                return Ok(None);
            }
        };
        let mut group = self.sampler.group(index);
        group.path = on_the_node(&path).display().to_string();
        group.image = (self.node.image)(&path);
        let mut member = Member {
            path,
            provisional,
            group,
            verdicts: Verdicts::default(),
            kept: Vec::new(),
            latest: Vec::new(),
            sampled: false,
        };
        member.columns(self.sampler.columns(index));
        match self.members.get_mut(index) {
            Some(slot) => *slot = Some(member),
            None => self.members.push(Some(member)),
        }
        Ok(Some(index))
    }

    fn join(&mut self, path: PathBuf) -> Result<(), HarnessError> {
        let Some(index) = self.open(path)? else {
            return Ok(());
        };
        let Some(member) = &self.members[index] else {
            return Ok(());
        };
        if let Some(writer) = &mut self.writer {
            writer.add_group(self.clock.now_ns(), &member.group)?;
        }
        self.observer.joined(index, &member.group);
        Ok(())
    }

    fn end(&mut self, index: usize, reason: &str) -> Result<(), HarnessError> {
        self.sampler.close(index);
        let Some(member) = self.members[index].take() else {
            return Ok(());
        };
        let kind = EventKind::GroupEnd {
            group: index,
            name: member.group.name,
            reason: reason.to_string(),
        };
        self.event(self.clock.now_ns(), kind)
    }

    fn sample(&mut self, index: usize, reads: Reads) -> Result<(), HarnessError> {
        let Some(member) = &mut self.members[index] else {
            return Ok(());
        };
        // What was never read has no last value.
        let reads = if member.sampled { reads } else { Reads::All };
        let t = self.clock.now_ns();
        let reading = self.sampler.sample_of(index, reads);
        if reading.ended {
            return self.end(index, "its cgroup was removed");
        }
        if reading.grown {
            member.columns(self.sampler.columns(index));
            if let Some(writer) = &mut self.writer {
                writer.columns(index, &member.group.columns)?;
            }
            self.observer.joined(index, &member.group);
        }
        let values = self.sampler.values(index);
        if let Some(writer) = &mut self.writer {
            writer.sample(index, t, reading.cost_ns, values)?;
        }
        member.take(reads, values);
        self.observer.sample(index, t, &member.latest);
        // What had risen before the watch began is in the rows, and no event of it.
        let first = !std::mem::replace(&mut member.sampled, true);
        let rises = member.verdicts.rises(values);
        if rises.is_empty() || first {
            return Ok(());
        }
        let name = member.group.name.clone();
        for rise in rises.into_iter().filter(|rise| rise.reported) {
            self.event(t, rise.event(&name))?;
        }
        Ok(())
    }

    fn event(&mut self, t: u64, kind: EventKind) -> Result<(), HarnessError> {
        let event = Event { t, kind };
        if let Some(writer) = &mut self.writer {
            writer.event(&event)?;
        }
        self.observer.event(&event);
        Ok(())
    }

    fn finish(mut self) -> Result<(), HarnessError> {
        let Some(writer) = self.writer.take() else {
            return Ok(());
        };
        let members = self.members.iter().flatten();
        let footer = Footer {
            t: self.clock.now_ns(),
            outcome: Outcome::Survived,
            reason: "watched to the end".into(),
            containers: Vec::new(),
            counters: members
                .map(|m| (m.group.name.clone(), m.verdicts.rows()))
                .collect(),
            harness: self.clock.cost(own_rss()),
        };
        Ok(writer.finish(&footer)?)
    }
}

/// Whether it is, or may become, a container's: pods and classes of them are cgroups, too.
fn is_a_container(path: &Path) -> bool {
    !is_only_a_parent(path) || holds_process(path)
}

/// A pod's own cgroup has none, before its containers are made and after they have ended.
fn holds_process(path: &Path) -> bool {
    std::fs::read(path.join("cgroup.procs")).is_ok_and(|pids| !pids.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_rows_are_read_every_five_seconds() {
        let turns = |ms| turns(Duration::from_millis(ms));
        assert_eq!(
            [turns(1000), turns(5000), turns(60_000), turns(100)],
            [5, 1, 1, 50]
        );
    }
}
