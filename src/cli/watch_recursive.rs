//! `memtide watch --recursive`: every container below a cgroup, a line a sample for all.

use std::io::Write;
use std::path::Path;

use anyhow::{Context, bail};
use nix::sys::resource::{Resource, getrlimit, setrlimit};

use crate::cgroup::{container_id, containers_below, kubelet_name};
use crate::harness::{Observer, Watched};
use crate::recording::{Group, Header, MISSING};
use crate::rows::{CgroupVersion, ViewIndex};
use crate::units;

/// The cgroup itself, under its folder's name.
pub fn single(path: &Path) -> Watched {
    let name = path.file_name().map_or("/".into(), |n| n.to_string_lossy());
    Watched {
        name: name.into_owned(),
        path: path.to_path_buf(),
    }
}

/// Every container below `top`, named as the kubelet does where `logs` has its links, else by its
/// path below `top`.
pub fn containers(top: &Path, logs: &Path) -> anyhow::Result<Vec<Watched>> {
    let paths = containers_below(top).with_context(|| format!("can't read {}", top.display()))?;
    if paths.is_empty() {
        bail!("there is no cgroup below {}", top.display());
    }
    raise_descriptors();
    // No such folder: a node without Kubernetes.
    let links: Vec<String> = std::fs::read_dir(logs)
        .into_iter()
        .flatten()
        .flatten()
        .map(|entry| entry.file_name().to_string_lossy().into_owned())
        .collect();
    let name = |path: &Path| {
        let kubelets = container_id(path).and_then(|id| kubelet_name(&links, id));
        let below = path.strip_prefix(top).unwrap_or(path);
        kubelets.unwrap_or_else(|| below.display().to_string())
    };
    let watched = paths.into_iter().map(|path| Watched {
        name: name(&path),
        path,
    });
    Ok(watched.collect())
}

/// The sampler keeps files open as far as it may, and opens them anew for each sample beyond.
fn raise_descriptors() {
    let Ok((soft, hard)) = getrlimit(Resource::RLIMIT_NOFILE) else {
        return;
    };
    if let Err(error) = setrlimit(Resource::RLIMIT_NOFILE, hard, hard) {
        log::info!("only {soft} files may be open, and {hard} can't be had: {error}");
    }
}

/// A line a sample: how many containers, and their sums.
#[derive(Default)]
pub struct Sums {
    version: Option<CgroupVersion>,
    indices: Vec<ViewIndex>,
    /// containers, usage, rss, working_set: of the sample being taken.
    sums: [u64; 4],
    /// The group sampled last in this round.
    last: Option<usize>,
    t: u64,
    stop: bool,
}

impl Sums {
    fn print(&mut self) {
        self.last = None;
        let [containers, usage, rss, working_set] = std::mem::take(&mut self.sums);
        let line = format!(
            "{:>7.1} {containers:>5} containers  usage {:>9}  rss {:>9}  working_set {:>9} MiB\n",
            self.t as f64 / 1e9,
            units::mib(usage),
            units::mib(rss),
            units::mib(working_set)
        );
        // A reader that has gone (`| head`) ends the watch.
        self.stop |= std::io::stdout().write_all(line.as_bytes()).is_err();
    }
}

impl Observer for Sums {
    fn begin(&mut self, header: &Header) {
        self.version = Some(header.host.cgroup);
    }

    fn groups(&mut self, groups: &[Group]) {
        let Some(version) = self.version else { return };
        let index = |group: &Group| ViewIndex::new(version, &group.columns);
        self.indices = groups.iter().map(index).collect();
    }

    fn sample(&mut self, group: usize, t: u64, values: &[u64]) {
        // Groups come in order: one that is not after the last begins a new round.
        if self.last.is_some_and(|last| group <= last) {
            self.print();
        }
        self.last = Some(group);
        self.t = t;
        let Some(index) = self.indices.get(group) else {
            return;
        };
        let view = index.view(|c| values.get(c).copied().filter(|v| *v != MISSING));
        let usage = view.usage.unwrap_or(0);
        let inactive = view.inactive_file.unwrap_or(0);
        let add = [
            1,
            usage,
            view.rss.unwrap_or(0),
            usage.saturating_sub(inactive),
        ];
        for (sum, more) in self.sums.iter_mut().zip(add) {
            *sum = sum.saturating_add(more);
        }
    }

    fn wants_stop(&mut self) -> bool {
        // Asked once a tick, after all groups: the line is complete.
        if self.sums[0] > 0 {
            self.print();
        }
        self.stop
    }
}
