//! `memtide watch --recursive`: every container below a cgroup, a line a sample for all.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use nix::sys::resource::{Resource, getrlimit, setrlimit};

use super::common::Terminal;
use crate::cgroup::{container_id, image_of, kubelet_name};
use crate::formula::cadvisor;
use crate::harness::{self, NodeWatch, Observer};
use crate::recording::{self, Group, Header, MISSING};
use crate::rows::{CgroupVersion, ViewIndex};
use crate::units;

/// Samples every container below `top`, as long as `duration` or for ever; `logs` has the kubelet's links, and
/// below `root` are the runtimes' files.
pub fn run(
    top: &Path,
    (logs, root): (&Path, &Path),
    (interval, duration): (Duration, Option<Duration>),
    out: Option<(String, recording::Sink)>,
    observer: &mut dyn Observer,
) -> anyhow::Result<()> {
    raise_descriptors();
    let mut names = Names::new(top, logs);
    let mut name = |path: &Path| names.of(path);
    let image = |path: &Path| image_of(root, container_id(path)?);
    let node = NodeWatch {
        top,
        name: &mut name,
        image: &image,
        interval,
        duration,
        out,
    };
    Ok(harness::watch_all(node, observer)?)
}

/// Names of containers: as the kubelet has them where it links their logs, else by their path.
struct Names<'a> {
    top: &'a Path,
    logs: &'a Path,
    /// The links' names; none on a node without Kubernetes.
    links: Option<Vec<String>>,
    read: Instant,
    /// When a container was first asked for whose name was not there.
    unnamed: HashMap<PathBuf, Instant>,
}

/// Between readings of the links, which are as many as the containers.
const READ_AGAIN: Duration = Duration::from_millis(500);
/// A container that has no link for so long, beside one that has, is the pod's sandbox.
const SANDBOX: Duration = Duration::from_secs(2);

impl<'a> Names<'a> {
    fn new(top: &'a Path, logs: &'a Path) -> Self {
        Names {
            top,
            logs,
            links: links_of(logs),
            read: Instant::now(),
            unnamed: HashMap::new(),
        }
    }

    /// None where the kubelet may still give one, and for what is not named by a runtime's id: that
    /// may be a pod whose containers are not made yet. A sandbox is `POD_NAMESPACE_`, as the kubelet's
    /// page has its pod and namespace, and no container.
    fn of(&mut self, path: &Path) -> Option<String> {
        let id = container_id(path)?;
        if self.read.elapsed() >= READ_AGAIN {
            (self.links, self.read) = (links_of(self.logs), Instant::now());
        }
        let Some(links) = &self.links else {
            let below = path.strip_prefix(self.top).unwrap_or(path);
            return Some(below.display().to_string());
        };
        if let Some(name) = kubelet_name(links, id) {
            self.unnamed.remove(path);
            return Some(name);
        }
        let first = self.unnamed.entry(path.to_path_buf());
        let first = *first.or_insert_with(Instant::now);
        if first.elapsed() < SANDBOX {
            return None;
        }
        let neighbours = std::fs::read_dir(path.parent()?).ok()?.flatten();
        let named = neighbours
            .map(|entry| entry.path())
            .filter(|other| other != path)
            .find_map(|other| kubelet_name(links, container_id(&other)?))?;
        let (pod, _) = named.rsplit_once('_')?;
        Some(format!("{pod}_"))
    }
}

/// What is in the folder of the kubelet's links; none where there is no such folder.
fn links_of(logs: &Path) -> Option<Vec<String>> {
    let entries = std::fs::read_dir(logs).ok()?.flatten();
    Some(
        entries
            .map(|entry| entry.file_name().to_string_lossy().into_owned())
            .collect(),
    )
}

/// A thousand cgroups have eight files each, and the usual limit is 1,024 descriptors. The sampler
/// keeps files open as far as it may, and opens them anew for each sample beyond.
fn raise_descriptors() {
    let Ok((soft, hard)) = getrlimit(Resource::RLIMIT_NOFILE) else {
        return;
    };
    if let Err(error) = setrlimit(Resource::RLIMIT_NOFILE, hard, hard) {
        log::info!("only {soft} files may be open, and {hard} can't be had: {error}");
    }
}

/// A line a sample: how many containers, and their sums.
pub struct Sums {
    to: Terminal,
    version: Option<CgroupVersion>,
    indices: Vec<ViewIndex>,
    /// containers, usage, rss, working_set: of the sample being taken.
    sums: [u64; 4],
    began: Option<Instant>,
    stop: bool,
}

impl Sums {
    /// Nothing sampled yet; lines go to `to`.
    pub fn new(to: Terminal) -> Self {
        Sums {
            to,
            version: None,
            indices: Vec::new(),
            sums: [0; 4],
            began: None,
            stop: false,
        }
    }

    fn print(&mut self) {
        let [containers, usage, rss, working_set] = std::mem::take(&mut self.sums);
        let line = format!(
            "{:>7.1} {containers:>5} containers  usage {:>9}  rss {:>9}  working_set {:>9} MiB\n",
            self.began
                .map_or(0.0, |began| began.elapsed().as_secs_f64()),
            units::mib(usage),
            units::mib(rss),
            units::mib(working_set)
        );
        // A reader that has gone (`| head`) ends the watch.
        self.stop |= self.to.write(&line).is_err();
    }
}

impl Observer for Sums {
    fn begin(&mut self, header: &Header) {
        self.version = Some(header.host.cgroup);
        self.began = Some(Instant::now());
    }

    fn groups(&mut self, groups: &[Group]) {
        let Some(version) = self.version else { return };
        let index = |group: &Group| ViewIndex::new(version, &group.columns);
        self.indices = groups.iter().map(index).collect();
    }

    fn joined(&mut self, index: usize, group: &Group) {
        let Some(version) = self.version else { return };
        let indices = self.indices.len().max(index + 1);
        self.indices.resize_with(indices, ViewIndex::default);
        self.indices[index] = ViewIndex::new(version, &group.columns);
    }

    fn sample(&mut self, group: usize, _t: u64, values: &[u64]) {
        let Some(index) = self.indices.get(group) else {
            return;
        };
        let view = index.view(|c| values.get(c).copied().filter(|v| *v != MISSING));
        let working_set = cadvisor::working_set(&view).unwrap_or(0);
        let (usage, rss) = (view.usage.unwrap_or(0), view.rss.unwrap_or(0));
        let add = [1, usage, rss, working_set.cast_unsigned()];
        for (sum, more) in self.sums.iter_mut().zip(add) {
            *sum = sum.saturating_add(more);
        }
    }

    fn wants_stop(&mut self) -> bool {
        // Asked once a tick, after all groups: the line is complete.
        self.print();
        self.stop
    }
}
