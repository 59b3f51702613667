//! Workloads about one thing the kernel does.

use super::workload::Reader;
use crate::scenario::diagnostic::Diagnostic;
use crate::scenario::suggest;
use crate::scenario::wire::*;
use crate::workload::*;

impl Reader<'_> {
    pub(super) fn tmpfs_fill(&mut self, at: &At<WireTmpfsFill>) -> Workload {
        let w = &at.value;
        Workload::TmpfsFill(TmpfsFill {
            file: self.file_name(Some(&w.file)),
            size: self.size(&w.size, 1),
            rate: w.rate.as_ref().and_then(|r| self.cx.read(r)),
        })
    }

    pub(super) fn tmpfs_remove(&mut self, at: &At<WireTmpfsRemove>) -> Workload {
        let file = self.file_name(Some(&at.value.file));
        if !self.scope.in_memory.contains(&file) {
            let known: Vec<&str> = self.scope.in_memory.iter().map(String::as_str).collect();
            let span = at.value.file.span.clone();
            self.cx.error(Diagnostic {
                help: suggest::help(&file, "files that `tmpfs_fill` makes", &known),
                ..Diagnostic::at(span, format!("no step fills a file `{file}` in memory"))
            });
        }
        Workload::TmpfsRemove(TmpfsRemove { file })
    }

    pub(super) fn mmap_scan(&mut self, at: &At<WireMmapScan>) -> Workload {
        let w = &at.value;
        Workload::MmapScan(MmapScan {
            file: self.known_file(w.file.as_ref(), &at.span),
            passes: self.count(w.passes.as_ref(), 1, 1..=1_000_000),
            keep: w.keep,
        })
    }

    pub(super) fn dentries(&mut self, at: &At<WireDentries>) -> Workload {
        let w = &at.value;
        // A hundred million of them are 20 GB of kernel memory: no limit of a lesson is above that.
        let bound = 1..=100_000_000;
        Workload::Dentries(Dentries {
            lookups: self.count(Some(&w.lookups), 1, bound.clone()),
            rate: w.rate.as_ref().map(|r| self.count(Some(r), 1, bound)),
        })
    }

    pub(super) fn thp_release(&mut self, at: &At<WireThpRelease>) -> Workload {
        let w = &at.value;
        Workload::ThpRelease(ThpRelease {
            region: self.known_region(w.region.as_ref(), &at.span),
            keep: w.keep.as_ref().map_or(4096, |k| self.size(k, 1)),
        })
    }

    pub(super) fn reclaim(&mut self, at: &At<WireReclaim>) -> Workload {
        let amount = at.value.amount.as_ref();
        Workload::Reclaim(Reclaim {
            amount: amount.map_or(self.limit, |a| self.size(a, 1)),
        })
    }

    pub(super) fn fadvise(&mut self, at: &At<WireFadvise>) -> Workload {
        Workload::Fadvise(Fadvise {
            file: self.known_file(at.value.file.as_ref(), &at.span),
            advice: at.value.advice,
        })
    }

    pub(super) fn restart_container(&mut self, at: &At<WireRestartContainer>) -> Workload {
        Workload::RestartContainer(RestartContainer {
            delete_files: at.value.delete_files,
        })
    }

    pub(super) fn cgroup_churn(&mut self, at: &At<WireCgroupChurn>) -> Workload {
        Workload::CgroupChurn(CgroupChurn {
            count: self.count(Some(&at.value.count), 1, 1..=10_000),
            file: at.value.file.as_ref().map_or(64 << 10, |f| self.size(f, 1)),
        })
    }
}
