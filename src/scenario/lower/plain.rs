//! Workloads each of whose parameters is read by itself: how it is written, and what is made of it.

use super::parts::text_or;
use super::workload::{DEFAULT_CHUNK, DEFAULT_REGION, Reader};
use crate::scenario::suggest;
use crate::scenario::wire::*;
use crate::workload::*;

/// A workload: its name in the schema and here, the reader's name for it, and its parameters. Each has what the
/// schema says of it, how it is written, and what the reader `r` makes of the parameters `w`, which stand `at` a place.
macro_rules! plain {
    ($(
        $(#[$doc:meta])*
        $wire:ident as $schema:tt: $read:ident -> $name:ident |$r:ident, $w:ident, $at:ident| {
            $($(#[$about:meta])* $field:ident: $written:ty = $made:expr;)+
        }
    )+) => {$(
        wire! {
            $(#[$doc])*
            $wire as $schema {
                $($(#[$about])* pub $field: $written,)+
            }
        }

        impl Reader<'_> {
            pub(super) fn $read(&mut self, $at: &At<$wire>) -> Workload {
                let ($r, $w) = (self, &$at.value);
                let read = $name { $($field: $made),+ };
                // Not every workload asks the reader, or for its own place.
                let _ = ($r, $at);
                Workload::$name(read)
            }
        }
    )+};
}

plain! {
    /// Reads a file from start to end.
    WireFileRead as "FileRead": file_read -> FileRead |r, w, at| {
        /// File name in the work directory. Default `app.log`.
        file: Option<At<String>> = r.known_file(w.file.as_ref(), &at.span);
        /// How many times. Default 1.
        passes: Option<At<u64>> = r.count(w.passes.as_ref(), 1, 1..=1_000_000);
        /// Bytes a read(2). Default 64KiB.
        chunk: Option<At<WireSize>> = r.chunk(w.chunk.as_ref(), DEFAULT_CHUNK, 1);
        /// Go on at the end as the file grows, until this many bytes were read.
        follow: Option<At<WireSize>> = w.follow.as_ref().map(|f| r.total(f));
        /// Bytes a second. Default as fast as it goes.
        rate: Option<At<WireRate>> = r.rate(&w.rate);
    }

    /// Deletes a file and its rotated copies.
    WireUnlink as "Unlink": unlink -> Unlink |r, w, at| {
        /// File name in the work directory.
        file: At<String> = r.known_file(Some(&w.file), &at.span);
    }

    /// Maps and touches anonymous memory, every page of it.
    WireAnon as "Anon": anon -> Anon |r, w, at| {
        /// The region's name; a second step on it makes it larger. Default `heap`.
        region: Option<At<String>> = r.new_region(&w.region);
        /// How much.
        size: At<WireSize> = r.size(&w.size, 1);
        /// Bytes a second. Default as fast as it goes.
        rate: Option<At<WireRate>> = r.rate(&w.rate);
        /// Bytes mapped and touched at a time. Default 64KiB.
        chunk: Option<At<WireSize>> = r.chunk(w.chunk.as_ref(), DEFAULT_CHUNK, 1);
        /// Whether the program has lost it: counted as leaked. Default false.
        #[serde(default)]
        leak: bool = w.leak;
        /// Which pages it asks for. Default `never` (small pages).
        huge: Option<Huge> = w.huge.unwrap_or(Huge::Never);
    }

    /// Allocates and frees around a steady live set.
    WireHeapChurn as "HeapChurn": heap_churn -> HeapChurn |r, w, at| {
        /// Bytes live at a time, about.
        live: At<WireSize> = r.size(&w.live, 1);
        /// Bytes an object.
        size: At<WireDist> = r.dist(&w.size);
        /// Allocations an object lives through.
        lifetime: At<WireDist> = r.dist(&w.lifetime);
        /// Stop after this many bytes were allocated in all.
        total: At<WireSize> = r.total(&w.total);
        /// Bytes a second allocated. Default as fast as it goes.
        rate: Option<At<WireRate>> = r.rate(&w.rate);
    }

    /// Gives memory of a region back.
    WireRelease as "Release": release -> Release |r, w, at| {
        /// The region's name. Default `heap`.
        region: Option<At<String>> = r.known_region(w.region.as_ref(), &at.span);
        /// How it is given back.
        advice: Advice = w.advice;
        /// How much of it. Default 100%.
        share: Option<At<WireShare>> = r.share(w.share.as_ref());
    }

    /// Writes to memory of a region again.
    WireRewrite as "Rewrite": rewrite -> Rewrite |r, w, at| {
        /// The region's name. Default `heap`.
        region: Option<At<String>> = r.known_region(w.region.as_ref(), &at.span);
        /// How much of it. Default 100%.
        share: Option<At<WireShare>> = r.share(w.share.as_ref());
    }

    /// Fills a file in memory (tmpfs): it counts as cache and as shmem, and stays until it is deleted.
    WireTmpfsFill as "TmpfsFill": tmpfs_fill -> TmpfsFill |r, w, at| {
        /// File name in the run's folder on the tmpfs; a second step makes it larger.
        file: At<String> = r.file_name(Some(&w.file));
        /// How much.
        size: At<WireSize> = r.size(&w.size, 1);
        /// Bytes a second. Default as fast as it goes.
        rate: Option<At<WireRate>> = r.rate(&w.rate);
    }

    /// Deletes a file in memory.
    WireTmpfsRemove as "TmpfsRemove": tmpfs_remove -> TmpfsRemove |r, w, at| {
        /// File name in the run's folder on the tmpfs.
        file: At<String> = r.filled_file(&w.file);
    }

    /// Maps a file and touches every page of it.
    WireMmapScan as "MmapScan": mmap_scan -> MmapScan |r, w, at| {
        /// File name in the work directory. Default `app.log`.
        file: Option<At<String>> = r.known_file(w.file.as_ref(), &at.span);
        /// How many times. Default 1.
        passes: Option<At<u64>> = r.count(w.passes.as_ref(), 1, 1..=1_000_000);
        /// Keep it mapped until the actor ends. Default false.
        #[serde(default)]
        keep: bool = w.keep;
    }

    /// Looks up names that do not exist, each another one.
    WireDentries as "Dentries": dentries -> Dentries |r, w, at| {
        /// How many.
        lookups: At<u64> = r.count(Some(&w.lookups), 1, LOOKUPS);
        /// Look-ups a second. Default as fast as it goes.
        rate: Option<At<u64>> = w.rate.as_ref().map(|rate| r.count(Some(rate), 1, LOOKUPS));
    }

    /// Gives all but the start of each huge page of a region back.
    WireThpRelease as "ThpRelease": thp_release -> ThpRelease |r, w, at| {
        /// The region's name. Default `heap`.
        region: Option<At<String>> = r.known_region(w.region.as_ref(), &at.span);
        /// How much of each huge page stays in use. Default 4KiB.
        keep: Option<At<WireSize>> = w.keep.as_ref().map_or(4096, |k| r.size(k, 1));
    }

    /// Asks the kernel to take back what it can of the container's memory, now.
    WireReclaim as "Reclaim": reclaim -> Reclaim |r, w, at| {
        /// How much to ask for (cgroup v2; v1 knows only all). Default all of the limit.
        amount: Option<At<WireSize>> = w.amount.as_ref().map_or(r.limit, |a| r.size(a, 1));
    }

    /// Tells the kernel what becomes of a file's cache (posix_fadvise).
    WireFadvise as "Fadvise": fadvise -> Fadvise |r, w, at| {
        /// File name in the work directory. Default `app.log`.
        file: Option<At<String>> = r.known_file(w.file.as_ref(), &at.span);
        /// What is said.
        advice: FileAdvice = w.advice;
    }

    /// Kills the container's processes and makes its cgroup anew.
    WireRestartContainer as "RestartContainer": restart_container -> RestartContainer |r, w, at| {
        /// Whether the run's files go, too, as they do when a pod is replaced. Default false.
        #[serde(default)]
        delete_files: bool = w.delete_files;
    }

    /// Makes and removes cgroups, each with a process that writes a file and ends.
    WireCgroupChurn as "CgroupChurn": cgroup_churn -> CgroupChurn |r, w, at| {
        /// How many, 1 to 10,000.
        count: At<u64> = r.count(Some(&w.count), 1, 1..=10_000);
        /// What each writes and leaves in the work directory. Default 64KiB.
        file: Option<At<WireSize>> = w.file.as_ref().map_or(64 << 10, |f| r.size(f, 1));
    }
}

/// A hundred million names are 20 GB of kernel memory: no limit of a lesson is above that.
const LOOKUPS: std::ops::RangeInclusive<u64> = 1..=100_000_000;

impl Reader<'_> {
    pub(super) fn rate(&mut self, at: &Option<At<WireRate>>) -> Option<u64> {
        self.cx.read(at.as_ref()?)
    }

    /// A region that there is from here on.
    fn new_region(&mut self, at: &Option<At<String>>) -> String {
        let region = text_or(at, DEFAULT_REGION);
        self.regions.insert(region.clone());
        region
    }

    /// A file in memory that some step fills.
    fn filled_file(&mut self, at: &At<String>) -> String {
        let file = self.file_name(Some(at));
        if !self.scope.in_memory.contains(&file) {
            let known: Vec<&str> = self.scope.in_memory.iter().map(String::as_str).collect();
            let help = suggest::help(&file, "files that `tmpfs_fill` makes", &known);
            let message = format!("no step fills a file `{file}` in memory");
            self.cx.unknown(&at.span, message, help);
        }
        file
    }
}
