//! One row as it is.

use super::{Formula, Kind, Tool, display, signed};

/// `memory.usage_in_bytes` or `memory.current`: everything charged, page cache included.
///
/// On v1 the kernel rounds up by a per-CPU stock of up to 64 pages a CPU.
pub const USAGE: Formula = Formula {
    name: "usage",
    expression: "usage",
    kind: Kind::Used,
    used_by: "container_memory_usage_bytes, docker before 17.06, podman 4.6 and earlier, nomad",
    eval: |view| signed(view.usage? as i128),
    tools: &[
        Tool {
            name: "container_memory_usage_bytes",
            print: display::metric,
        },
        Tool {
            name: "docker stats (before 17.06)",
            print: display::human_iec_of_limit,
        },
        Tool {
            name: "podman stats (4.6 and earlier)",
            print: display::human_si_of_limit,
        },
        Tool {
            name: "nomad alloc status -stats (Usage)",
            print: display::humanize_iec,
        },
    ],
};

/// v1 `total_rss`, v2 `anon`: anonymous memory that is mapped.
///
/// Not the sum of the processes' RSS: file and shmem pages are not in it. MADV_FREE memory still
/// is; huge pages that were partly unmapped are in it only with their mapped part.
pub const RSS: Formula = Formula {
    name: "rss",
    expression: "total_rss (v1) or anon (v2)",
    kind: Kind::Used,
    used_by: "container_memory_rss, many alert rules, nomad",
    eval: |view| signed(view.rss? as i128),
    tools: &[
        Tool {
            name: "container_memory_rss",
            print: display::metric,
        },
        Tool {
            name: "nomad alloc status (Memory)",
            print: display::humanize_iec,
        },
    ],
};
