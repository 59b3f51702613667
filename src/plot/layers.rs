//! What a chart of one cgroup shows: five areas that add up to its usage, and three lines.
//!
//! | area | bytes ([`Composition`]) |
//! |---|---|
//! | anon | anonymous pages in use, and the hidden parts of huge pages |
//! | active_file | page cache on the active list, and mlocked files |
//! | inactive_file | page cache on the inactive list, and lazily freed pages |
//! | shmem | files in memory |
//! | kernel | the kernel's own row, or what usage has beyond the others where there is none |
//!
//! The area `anon` is not the row `rss` (v1) or `anon` (v2): lazily freed pages stay in that row
//! but move to the inactive *file* list, and partly unmapped huge pages leave the row but stay
//! charged. So the areas add up to usage, and the line `rss` parts from the area where the kernel's
//! two ways of counting do.

use super::palette::{self, Rgb};
use crate::composition::Composition;
use crate::formula::cadvisor;
use crate::named::named;
use crate::recording::Recording;
use crate::rows::View;

named! {
    /// The areas, from the bottom up.
    Area, name {
        /// Anonymous pages.
        Anon = "anon",
        /// Files in memory: tmpfs and shared memory.
        Shmem = "shmem",
        /// The kernel's own memory.
        Kernel = "kernel",
        /// Page cache on the active list.
        ActiveFile = "active_file",
        /// Page cache and lazily freed pages on the inactive list: what working_set leaves out.
        InactiveFile = "inactive_file",
    }
}

/// All areas, from the bottom up: what working_set counts is below what it leaves out.
pub const AREAS: [Area; 5] = Area::ALL;

named! {
    /// The lines.
    Line, name {
        /// cAdvisor's working set.
        WorkingSet = "working_set",
        /// v1 `total_rss`, v2 `anon`.
        Rss = "rss",
        /// The memory limit.
        Limit = "limit",
    }
}

/// All lines, the most important first.
pub const LINES: [Line; 3] = Line::ALL;

impl Area {
    /// What it is, in words.
    pub fn words(self) -> &'static str {
        match self {
            Area::Anon => "heap and stacks",
            Area::Shmem => "files in tmpfs",
            Area::Kernel => "kernel objects",
            Area::ActiveFile => "cache, read again or locked",
            Area::InactiveFile => "cache or lazily freed, reclaimed first",
        }
    }

    /// Its colour.
    pub fn colour(self) -> Rgb {
        match self {
            Area::Anon => palette::ORANGE,
            Area::Shmem => palette::GREEN,
            Area::Kernel => palette::PURPLE,
            Area::ActiveFile => palette::BLUE,
            Area::InactiveFile => palette::SKY,
        }
    }

    /// Its bytes in one sample; none where the kernel did not give the rows.
    pub fn bytes(self, view: &View) -> Option<u64> {
        let parts = Composition::of(view);
        let with = |bytes: Option<u64>, more: Option<u64>| {
            bytes.map(|bytes| bytes.saturating_add(more.unwrap_or(0)))
        };
        match self {
            Area::Anon => with(parts.anon, parts.hidden),
            Area::Shmem => parts.shmem,
            Area::Kernel => parts.kernel.or(parts.unexplained),
            Area::ActiveFile => with(parts.cache_active, parts.unevictable),
            Area::InactiveFile => with(parts.cache_inactive, parts.lazily_freed),
        }
    }
}

impl Line {
    /// What it is, in words.
    pub fn words(self) -> &'static str {
        match self {
            Line::WorkingSet => "what cAdvisor, kubelet and kubectl top show",
            Line::Rss => "anonymous memory, as the kernel counts it",
            Line::Limit => "the container's memory limit",
        }
    }

    /// Its colour on a light ground.
    pub fn colour(self) -> Rgb {
        match self {
            Line::WorkingSet => palette::BLACK,
            Line::Rss => palette::VERMILLION,
            Line::Limit => (0x77, 0x77, 0x77),
        }
    }

    /// Its bytes in one sample of a group whose limit is `limit`.
    pub fn bytes(self, view: &View, limit: Option<u64>) -> Option<u64> {
        match self {
            Line::WorkingSet => u64::try_from(cadvisor::working_set(view)?).ok(),
            Line::Rss => view.rss,
            Line::Limit => limit,
        }
    }
}

/// The limit that holds for the group at `index`: its own, else the pod's.
pub fn limit(recording: &Recording, index: usize) -> Option<u64> {
    let own = |i: usize| recording.header.groups.get(i)?.finite_limit();
    own(index).or_else(|| own(recording.group("pod")?))
}

/// Everything the chart of one group shows, at some of its samples.
#[derive(Debug, Clone)]
pub struct Layers {
    /// Seconds from the start.
    pub t: Vec<f64>,
    /// Bytes of each of [`AREAS`]; what is missing is 0 here.
    pub areas: [Vec<u64>; AREAS.len()],
    /// Bytes of each of [`LINES`].
    pub lines: [Vec<Option<u64>>; LINES.len()],
    /// The largest value to be seen.
    pub top: u64,
}

impl Layers {
    /// Reads the layers of the group at `group` at these samples.
    pub fn new(recording: &Recording, group: usize, samples: &[usize]) -> Self {
        let index = recording.view_index(group);
        let limit = limit(recording, group);
        let mut layers = Layers {
            t: Vec::with_capacity(samples.len()),
            areas: Default::default(),
            lines: Default::default(),
            top: limit.unwrap_or(0),
        };
        for &sample in samples {
            let Some(t) = recording.tables[group].t.get(sample) else {
                continue;
            };
            let view = recording.view(group, &index, sample);
            layers.t.push(*t as f64 / 1e9);
            let mut stacked = 0;
            for (values, area) in layers.areas.iter_mut().zip(AREAS) {
                let value = area.bytes(&view).unwrap_or(0);
                stacked += value;
                values.push(value);
            }
            layers.top = layers.top.max(stacked);
            for (values, line) in layers.lines.iter_mut().zip(LINES) {
                let value = line.bytes(&view, limit);
                layers.top = layers.top.max(value.unwrap_or(0));
                values.push(value);
            }
        }
        layers
    }

    /// Each series' name and last value in bytes, areas first.
    pub fn last(&self) -> Vec<(&'static str, Option<u64>)> {
        let areas = AREAS
            .iter()
            .zip(&self.areas)
            .map(|(a, v)| (a.name(), v.last().copied()));
        let lines = LINES
            .iter()
            .zip(&self.lines)
            .map(|(l, v)| (l.name(), v.last().copied().flatten()));
        areas.chain(lines).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MIB: u64 = 1 << 20;

    #[test]
    fn a_group_without_a_limit_has_its_pods_and_no_spelling_of_none_is_one() {
        let mut recording = crate::plot::testing::recording();
        let mut pod = recording.header.groups[0].clone();
        (pod.name, pod.limit) = ("pod".into(), Some(512 * MIB));
        recording.header.groups.push(pod);
        assert_eq!(limit(&recording, 0), Some(256 * MIB));
        for none in [None, Some(u64::MAX), Some(9_223_372_036_854_771_712)] {
            recording.header.groups[0].limit = none;
            assert_eq!(limit(&recording, 0), Some(512 * MIB), "{none:?}");
            recording.header.groups[1].limit = none;
            assert_eq!(limit(&recording, 0), None, "{none:?}");
            recording.header.groups[1].limit = Some(512 * MIB);
        }
    }

    #[test]
    fn lazily_freed_pages_are_shown_once_where_the_kernel_keeps_them() {
        // The measured rows after MADV_FREE of 128 MiB: still in rss, but on the inactive file list.
        let view = View {
            usage: Some(128 * MIB),
            rss: Some(128 * MIB),
            cache: Some(0),
            inactive_anon: Some(0),
            active_anon: Some(0),
            inactive_file: Some(128 * MIB),
            active_file: Some(0),
            shmem: Some(0),
            ..View::default()
        };
        let stack: Vec<_> = AREAS.iter().map(|a| a.bytes(&view).unwrap()).collect();
        assert_eq!(stack, [0, 0, 0, 0, 128 * MIB]);
        assert_eq!(Line::Rss.bytes(&view, None), Some(128 * MIB));
    }

    #[test]
    fn shmem_is_not_counted_as_anon_and_kernel_is_what_is_left() {
        let view = View {
            usage: Some(160 * MIB),
            rss: Some(5 * MIB),
            cache: Some(153 * MIB),
            inactive_anon: Some(150 * MIB),
            active_anon: Some(5 * MIB),
            inactive_file: Some(2 * MIB),
            active_file: Some(MIB),
            shmem: Some(150 * MIB),
            ..View::default()
        };
        let stack: Vec<_> = AREAS
            .iter()
            .map(|a| a.bytes(&view).unwrap() / MIB)
            .collect();
        assert_eq!(stack, [5, 150, 2, 1, 2]);
    }
}
