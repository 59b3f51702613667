//! What a container's memory is made of, as far as one cAdvisor scrape can tell.
//!
//! cAdvisor shows neither shmem nor what was freed lazily, but [`Composition`](parts::Composition)
//! tells both from the two sums it does show: the file lists, and the cache.

use super::Row;
use crate::composition as parts;
use crate::export::{Metric, Reading};
use crate::rows::View;
use crate::scenario::Class;

/// Bytes of each kind.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Anatomy {
    /// Everything charged.
    pub usage: f64,
    /// Anonymous memory, lazily freed pages included.
    pub rss: f64,
    /// Lazily freed, or freed and in use again: only the kernel's next look at them tells.
    pub lazy: f64,
    /// Page cache of files.
    pub file: f64,
    /// Files in memory.
    pub shmem: f64,
    /// In none of the rows: kernel memory, and huge pages of which a part was released.
    pub rest: f64,
}

impl Anatomy {
    /// Takes a reading apart; none where one of the five rows is missing.
    pub fn of(reading: &Reading) -> Option<Anatomy> {
        let bytes = |metric| reading.get(metric).map(|bytes| bytes as u64);
        Anatomy::of_view(&View {
            usage: bytes(Metric::Usage),
            rss: bytes(Metric::Rss),
            cache: bytes(Metric::Cache),
            active_file: bytes(Metric::ActiveFile),
            inactive_file: bytes(Metric::InactiveFile),
            ..View::NONE
        })
    }

    /// The same of a run's row.
    #[inline]
    pub fn of_row(row: &Row) -> Option<Anatomy> {
        Anatomy::of_view(&View {
            usage: Some(row.usage as u64),
            rss: Some(row.rss as u64),
            cache: Some(row.cache as u64),
            active_file: Some(row.active_file as u64),
            inactive_file: Some(row.inactive_file as u64),
            ..View::NONE
        })
    }

    #[inline(always)]
    fn of_view(view: &View) -> Option<Anatomy> {
        let parts = parts::Composition::of(view);
        Some(Anatomy {
            usage: view.usage? as f64,
            rss: view.rss? as f64,
            lazy: parts.lazily_freed? as f64,
            file: parts.file_cache() as f64,
            shmem: parts.shmem? as f64,
            rest: parts.unexplained? as f64,
        })
    }

    /// What the kernel can't take back under pressure, as far as the rows tell.
    pub fn held(&self) -> f64 {
        self.rss - self.lazy + self.shmem
    }
}

/// What a container's memory was made of so far.
#[derive(Debug, Clone, Default)]
pub struct Composition {
    first: Option<Anatomy>,
    last: Option<Anatomy>,
    most: Anatomy,
    /// Growth of `rest` that came with growth of usage: the kernel's own memory.
    kernel: f64,
    kernel_most: f64,
    /// Growth of `rest` that came with a fall of rss while usage stayed: huge pages, half released.
    hidden: f64,
    hidden_most: f64,
}

/// What is less than this share of the limit does not name the class.
const COUNTS: f64 = 0.1;

impl Composition {
    /// Takes the next scrape.
    pub fn add(&mut self, now: &Anatomy, limit: f64) {
        self.first.get_or_insert(*now);
        if let Some(last) = self.last {
            self.split_rest(&last, now);
        }
        self.last = Some(*now);
        let most = &mut self.most;
        most.rss = most.rss.max(now.rss);
        most.lazy = most.lazy.max(now.lazy);
        most.file = most.file.max(now.file);
        most.shmem = most.shmem.max(now.shmem);
        self.kernel_most = self.kernel_most.max(self.kernel.min(limit));
        self.hidden_most = self.hidden_most.max(self.hidden.min(limit));
    }

    fn split_rest(&mut self, last: &Anatomy, now: &Anatomy) {
        let grown = now.rest - last.rest;
        let fallen_rss = (last.rss - now.rss).max(0.0);
        if grown > 0.0 {
            let hidden = grown.min(fallen_rss);
            self.hidden += hidden;
            self.kernel += grown - hidden;
        } else {
            // It goes from both in their proportion.
            let left = if last.rest > 0.0 {
                now.rest / last.rest
            } else {
                0.0
            };
            self.hidden *= left;
            self.kernel *= left;
        }
    }

    /// The class of what stood out most so far, while there is no reason to fire.
    pub fn class(&self, limit: f64) -> Class {
        let candidates = [
            (self.hidden_most, Class::Thp),
            (self.most.lazy, Class::LazyFree),
            (self.most.shmem, Class::Tmpfs),
            (self.kernel_most, Class::KernelSlab),
            (self.most.file, Class::PageCache),
        ];
        let largest = candidates
            .into_iter()
            .filter(|(bytes, _)| *bytes > COUNTS * limit)
            .max_by(|a, b| a.0.total_cmp(&b.0));
        largest.map_or(Class::Healthy, |(_, class)| class)
    }

    /// The class of what has grown since the first scrape, when there is reason to fire: files in
    /// memory, memory that was freed lazily and taken into use again, or else a leak.
    pub fn class_of_growth(&self, now: &Anatomy, limit: f64) -> Class {
        let first = self.first.unwrap_or_default();
        if now.shmem - first.shmem > now.rss - first.rss {
            Class::Tmpfs
        } else if self.most.lazy > COUNTS * limit {
            Class::OomAhead
        } else {
            Class::Leak
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reading(usage: f64, rss: f64, cache: f64, active: f64, inactive: f64) -> Reading {
        let mut reading = Reading::default();
        for (metric, value) in [
            (Metric::Usage, usage),
            (Metric::Rss, rss),
            (Metric::Cache, cache),
            (Metric::ActiveFile, active),
            (Metric::InactiveFile, inactive),
        ] {
            reading.set(metric, Some(value));
        }
        reading
    }

    /// Rows measured on a real kernel (6.18, cgroup v1).
    #[test]
    fn real_rows_are_taken_apart() {
        let freed = reading(134_742_016.0, 134_328_320.0, 4096.0, 0.0, 134_221_824.0);
        let anatomy = Anatomy::of(&freed).unwrap();
        assert_eq!(anatomy.lazy, 134_217_728.0);
        assert_eq!(anatomy.shmem, 0.0);
        let thp = reading(269_221_888.0, 634_880.0, 4096.0, 0.0, 4096.0);
        assert_eq!(Anatomy::of(&thp).unwrap().rest, 268_582_912.0);
    }

    #[test]
    fn half_released_huge_pages_are_told_from_kernel_memory() {
        let limit = 512e6;
        let mut thp = Composition::default();
        let mut slab = Composition::default();
        for (composition, readings) in [
            (
                &mut thp,
                [
                    reading(269e6, 268e6, 0.0, 0.0, 0.0),
                    reading(269e6, 1e6, 0.0, 0.0, 0.0),
                ],
            ),
            (
                &mut slab,
                [
                    reading(1e6, 1e6, 0.0, 0.0, 0.0),
                    reading(201e6, 1e6, 0.0, 0.0, 0.0),
                ],
            ),
        ] {
            for r in readings {
                composition.add(&Anatomy::of(&r).unwrap(), limit);
            }
        }
        assert_eq!(thp.class(limit), Class::Thp);
        assert_eq!(slab.class(limit), Class::KernelSlab);
    }
}
