//! The one table of what the kernel counts for a cgroup: one line a row.
//!
//! A line: the name that holds on both versions, the kernel's names on v1 and on v2 (the preferred
//! one first; `total_` on v1 is understood), the unit, the kernels it came with ("3.10" and "4.5" are
//! the oldest that are looked at), what it is a part of, whether a sampler reads its file, and
//! what it means. A name that ends in `*` is a family that kernels keep adding to.
//!
//! Sources: mm/memcontrol.c, mm/memcontrol-v1.c and Documentation/admin-guide/{cgroup-v1/memory,
//! cgroup-v2}.rst of Linux 3.10 to 6.18, and the rows of the recordings in this tree.

use super::{CgroupVersion, Read, Row, Unit};

macro_rules! rows {
    (
        views { $($field:ident [$($v1:literal),*] [$($v2:literal),*]
            $unit:ident $since1:literal $since2:literal $part:literal $read:ident $meaning:literal;)* }
        rows { $($name:literal [$($r1:literal),*] [$($r2:literal),*]
            $runit:ident $rsince1:literal $rsince2:literal $rpart:literal $rread:ident $rmeaning:literal;)* }
    ) => {
        /// All rows; first those of a [`View`], in the order of its fields.
        pub static ROWS: &[Row] = &[
            $(Row {
                name: stringify!($field), v1: &[$($v1),*], v2: &[$($v2),*], unit: Unit::$unit,
                since: [$since1, $since2], part_of: $part, read: Read::$read, meaning: $meaning,
            },)*
            $(Row {
                name: $name, v1: &[$($r1),*], v2: &[$($r2),*], unit: Unit::$runit,
                since: [$rsince1, $rsince2], part_of: $rpart, read: Read::$rread, meaning: $rmeaning,
            },)*
        ];

        /// The counters that formulas read, under one set of names for both cgroup versions.
        ///
        /// A counter that the kernel did not give is `None`, never 0. On v1 the hierarchical `total_`
        /// rows are preferred, as libcontainer and cAdvisor do.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub struct View {
            $(#[doc = $meaning] pub $field: Option<u64>,)*
            /// The node's capacity (MemTotal); from host facts, not from the cgroup.
            pub node_capacity: Option<u64>,
        }

        impl View {
            /// A view of nothing.
            pub const NONE: View = View { $($field: None,)* node_capacity: None };

            /// The names of all counters, in the order of the fields.
            pub const NAMES: &[&str] = &[$(stringify!($field),)* "node_capacity"];

            /// The counter of that name, if there is one.
            pub fn counter(name: &str) -> Option<fn(&View) -> Option<u64>> {
                match name {
                    $(stringify!($field) => Some(|view| view.$field),)*
                    "node_capacity" => Some(|view| view.node_capacity),
                    _ => None,
                }
            }

            /// The value of the counter of that name.
            pub fn get(&self, name: &str) -> Option<u64> {
                View::counter(name)?(self)
            }

            /// The counter of that name, to be changed.
            pub fn counter_mut(&mut self, name: &str) -> Option<&mut Option<u64>> {
                match name {
                    $(stringify!($field) => Some(&mut self.$field),)*
                    "node_capacity" => Some(&mut self.node_capacity),
                    _ => None,
                }
            }
        }

        /// The index of the column of each counter of a [`View`]: found once, then read without a search.
        #[derive(Debug, Clone, Default)]
        pub struct ViewIndex { $($field: Option<usize>,)* }

        impl ViewIndex {
            /// Finds the rows of `version` among `columns`.
            pub fn new<S: AsRef<str>>(version: CgroupVersion, columns: &[S]) -> Self {
                ViewIndex {
                    $($field: Row::position(&[$($v1),*], &[$($v2),*], version, columns),)*
                }
            }

            /// Reads the view out of one sample, whose values `get` returns by column.
            pub fn view(&self, get: impl Fn(usize) -> Option<u64>) -> View {
                View { $($field: self.$field.and_then(&get),)* node_capacity: None }
            }
        }
    };
}

rows! {
    views {
        usage ["memory.usage_in_bytes"] ["memory.current"] Bytes "3.10" "4.5" "" Moving "Everything charged to the cgroup. On v1 up to 64 pages a CPU above what is in use.";
        peak ["memory.max_usage_in_bytes"] ["memory.peak"] Bytes "3.10" "5.19" "" Still "The highest usage since the cgroup was made (v2: or since it was last reset).";
        limit ["memory.limit_in_bytes", "hierarchical_memory_limit"] ["memory.max"] Bytes "3.10" "4.5" "" Still "The cgroup's own limit; [`UNLIMITED`](super::UNLIMITED) where it has none. On v1 memory.stat's row stands in where the file was not read: the smallest limit of the cgroup and its ancestors.";
        rss ["rss"] ["anon"] Bytes "3.10" "4.5" "usage" Never "Anonymous memory that is mapped, lazily freed pages included.";
        cache ["cache"] ["file"] Bytes "3.10" "4.5" "usage" Never "Page cache; shmem included.";
        shmem ["shmem"] ["shmem"] Bytes "4.12" "4.12" "cache" Never "Files in memory: tmpfs, /dev/shm, memfd, SysV and anonymous shared memory.";
        mapped_file ["mapped_file"] ["file_mapped"] Bytes "3.10" "4.5" "cache" Never "Page cache and shmem that some process has mapped.";
        inactive_anon ["inactive_anon"] ["inactive_anon"] Bytes "3.10" "4.5" "usage" Never "Anonymous and shmem pages on the inactive list.";
        active_anon ["active_anon"] ["active_anon"] Bytes "3.10" "4.5" "usage" Never "Anonymous and shmem pages on the active list.";
        unevictable ["unevictable"] ["unevictable"] Bytes "3.10" "4.5" "usage" Never "Pages that reclaim does not look at: mlocked ones, and files of a tmpfs mounted with noswap. They are on no other list.";
        inactive_file ["inactive_file"] ["inactive_file"] Bytes "3.10" "4.5" "usage" Never "File pages, and lazily freed anonymous ones, on the inactive list.";
        active_file ["active_file"] ["active_file"] Bytes "3.10" "4.5" "usage" Never "File pages on the active list.";
        dirty ["dirty"] ["file_dirty"] Bytes "4.2" "4.5" "cache" Never "Page cache that is not yet written to its disk.";
        writeback ["writeback"] ["file_writeback"] Bytes "3.12" "4.5" "cache" Never "Page cache that is being written to its disk.";
        slab_reclaimable [] ["slab_reclaimable"] Bytes "" "4.6" "slab" Never "Kernel objects that can be dropped, such as dentries and inodes.";
        sock [] ["sock"] Bytes "" "4.5" "usage" Never "Socket buffers.";
        kernel ["memory.kmem.usage_in_bytes"] ["kernel"] Bytes "3.10" "5.18" "usage" Still "The kernel's own memory: slab, stacks, page tables, per-CPU and vmalloc.";
        swap ["swap"] ["memory.swap.current"] Bytes "3.10" "4.5" "" Moving "Anonymous memory and shmem that is in swap; not part of usage.";
    }
    rows {
        "failcnt" ["memory.failcnt"] [] Count "3.10" "" "" Still "How often usage hit the limit.";
        "high" [] ["memory.high"] Bytes "" "4.5" "" Still "Above it every allocation is slowed down and reclaims.";
        "swap_limit" [] ["memory.swap.max"] Bytes "" "4.5" "" Still "How much of it may be in swap.";
        "memsw" ["memory.memsw.usage_in_bytes"] [] Bytes "3.10" "" "" Still "Usage and swap together.";
        "memsw_peak" ["memory.memsw.max_usage_in_bytes"] [] Bytes "3.10" "" "" Never "The highest usage with swap.";
        "memsw_limit" ["memory.memsw.limit_in_bytes", "hierarchical_memsw_limit"] [] Bytes "3.10" "" "" Never "The limit of usage and swap together.";
        "memsw_failcnt" ["memory.memsw.failcnt"] [] Count "3.10" "" "" Never "How often usage with swap hit its limit.";
        "kmem_peak" ["memory.kmem.max_usage_in_bytes"] [] Bytes "3.10" "" "" Never "The most kernel memory so far.";
        "kmem_tcp" ["memory.kmem.tcp.usage_in_bytes"] [] Bytes "3.10" "" "" Never "TCP buffers, counted apart on v1.";
        "kmem_limit" ["memory.kmem.limit_in_bytes"] [] Bytes "3.10" "" "" Never "The limit of kernel memory (without effect from 5.16 on).";
        "kmem_failcnt" ["memory.kmem.failcnt"] [] Count "3.10" "" "" Never "How often kernel memory hit its limit.";
        "soft_limit" ["memory.soft_limit_in_bytes"] [] Bytes "3.10" "" "" Never "Where reclaim begins when the node is short.";
        "swap_peak" [] ["memory.swap.peak"] Bytes "" "6.5" "" Never "The most swap so far.";
        "zswap_usage" [] ["memory.zswap.current"] Bytes "" "5.19" "" Never "Memory taken by compressed swap.";
        "low" [] ["memory.low"] Bytes "" "4.5" "" Never "Protected from reclaim while others have more.";
        "min" [] ["memory.min"] Bytes "" "4.18" "" Never "Protected from reclaim altogether.";
        "oom_kills" ["memory.oom_control:oom_kill"] ["memory.events:oom_kill"] Count "4.13" "4.13" "" Never "Processes of the cgroup that the OOM killer killed.";
        "events_high" [] ["memory.events:high"] Count "" "4.5" "" Never "Times a process was slowed down at memory.high.";
        "events_max" [] ["memory.events:max"] Count "" "4.5" "" Never "Times usage was about to pass memory.max.";
        "pressure_some" ["memory.pressure:some.total"] ["memory.pressure:some.total"] Microseconds "4.20" "4.20" "" Never "Time in which some process waited for memory.";
        "pressure_full" ["memory.pressure:full.total"] ["memory.pressure:full.total"] Microseconds "4.20" "4.20" "" Never "Time in which all processes waited for memory.";
        "rss_huge" ["rss_huge"] ["anon_thp"] Bytes "3.10" "5.1" "rss" Never "Anonymous memory in huge pages that are mapped whole.";
        "swapcached" ["swapcached"] ["swapcached"] Bytes "6.6" "5.12" "usage" Never "Pages that are both in memory and in swap.";
        "kernel_stack" [] ["kernel_stack"] Bytes "" "4.6" "kernel" Never "Stacks of threads inside the kernel.";
        "pagetables" [] ["pagetables"] Bytes "" "5.11" "kernel" Never "Page tables.";
        "sec_pagetables" [] ["sec_pagetables"] Bytes "" "6.1" "kernel" Never "Page tables of virtual machines.";
        "percpu" [] ["percpu"] Bytes "" "5.9" "kernel" Never "Per-CPU objects.";
        "vmalloc" [] ["vmalloc"] Bytes "" "5.18" "kernel" Never "Memory the kernel maps page by page.";
        "slab" [] ["slab"] Bytes "" "4.6" "kernel" Never "Kernel objects, both kinds.";
        "slab_unreclaimable" [] ["slab_unreclaimable"] Bytes "" "4.6" "slab" Never "Kernel objects that are in use.";
        "zswap" [] ["zswap"] Bytes "" "5.19" "usage" Never "Memory taken by compressed swap.";
        "zswapped" [] ["zswapped"] Bytes "" "5.19" "" Never "What is in compressed swap, as large as it was.";
        "file_thp" [] ["file_thp"] Bytes "" "5.11" "cache" Never "Page cache in huge pages.";
        "shmem_thp" [] ["shmem_thp"] Bytes "" "5.11" "shmem" Never "Files in memory in huge pages.";
        "hugetlb" [] ["hugetlb"] Bytes "" "6.7" "" Never "hugetlbfs pages; part of usage only with memory_hugetlb_accounting.";
        "pgpgin" ["pgpgin"] ["pgpgin"] Count "3.10" "6.13" "" Never "Pages charged so far.";
        "pgpgout" ["pgpgout"] ["pgpgout"] Count "3.10" "6.13" "" Never "Pages uncharged so far.";
        "pgfault" ["pgfault"] ["pgfault"] Count "3.10" "4.5" "" Never "Page faults.";
        "pgmajfault" ["pgmajfault"] ["pgmajfault"] Count "3.10" "4.5" "" Never "Page faults that read a disk.";
        "pgscan" [] ["pgscan"] Count "" "4.13" "" Never "Pages that reclaim looked at.";
        "pgsteal" [] ["pgsteal"] Count "" "4.13" "" Never "Pages that reclaim took back.";
        "pgrefill" [] ["pgrefill"] Count "" "4.13" "" Never "Pages of active lists that reclaim looked at.";
        "pgactivate" [] ["pgactivate"] Count "" "4.13" "" Never "Pages moved to an active list.";
        "pgdeactivate" [] ["pgdeactivate"] Count "" "4.13" "" Never "Pages moved to an inactive list.";
        "pglazyfree" [] ["pglazyfree"] Count "" "4.13" "" Never "Pages freed lazily (MADV_FREE).";
        "pglazyfreed" [] ["pglazyfreed"] Count "" "4.13" "" Never "Lazily freed pages that reclaim took.";
        "thp_fault_alloc" [] ["thp_fault_alloc"] Count "" "5.1" "" Never "Huge pages made by a page fault.";
        "thp_collapse_alloc" [] ["thp_collapse_alloc"] Count "" "5.1" "" Never "Huge pages made of small ones.";
        "workingset_refault_anon" ["workingset_refault_anon"] ["workingset_refault_anon"] Count "5.9" "5.9" "" Never "Anonymous pages that came back from swap soon after they had gone.";
        "workingset_refault_file" ["workingset_refault_file"] ["workingset_refault_file"] Count "5.9" "5.9" "" Never "File pages that were read again soon after they had been evicted.";
        "workingset_activate_anon" [] ["workingset_activate_anon"] Count "" "5.9" "" Never "Anonymous refaults that went to the active list.";
        "workingset_activate_file" [] ["workingset_activate_file"] Count "" "5.9" "" Never "File refaults that went to the active list.";
        "workingset_restore_anon" [] ["workingset_restore_anon"] Count "" "5.9" "" Never "Anonymous refaults of pages that had been active.";
        "workingset_restore_file" [] ["workingset_restore_file"] Count "" "5.9" "" Never "File refaults of pages that had been active.";
        "workingset_nodereclaim" [] ["workingset_nodereclaim"] Count "" "4.12" "" Never "Times shadow entries were reclaimed.";
        "workingset_*" ["workingset_*"] ["workingset_*"] Count "4.12" "4.12" "" Never "Other counts of refaults.";
        "pgscan_*" [] ["pgscan_*"] Count "" "5.18" "" Never "Pages that reclaim looked at, by who asked.";
        "pgsteal_*" [] ["pgsteal_*"] Count "" "5.18" "" Never "Pages that reclaim took back, by who asked.";
        "pgdemote_*" [] ["pgdemote_*"] Count "" "6.11" "" Never "Pages moved to slower memory.";
        "pgpromote_*" [] ["pgpromote_*"] Count "" "6.11" "" Never "Pages moved to faster memory.";
        "thp_fault_*" [] ["thp_fault_*"] Count "" "5.1" "" Never "Huge pages and page faults.";
        "thp_collapse_*" [] ["thp_collapse_*"] Count "" "5.1" "" Never "Huge pages made of small ones.";
        "thp_swpout*" [] ["thp_swpout*"] Count "" "6.7" "" Never "Huge pages written to swap.";
        "swpin_*" [] ["swpin_*"] Count "" "6.12" "" Never "Pages of zeros that came back from swap.";
        "swpout_*" [] ["swpout_*"] Count "" "6.12" "" Never "Pages of zeros that went to swap.";
        "zswp*" [] ["zswp*"] Count "" "5.19" "" Never "Pages that went to, came from, or left compressed swap.";
        "numa_*" [] ["numa_*"] Count "" "6.12" "" Never "NUMA balancing.";
    }
}
