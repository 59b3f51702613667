//! One row as it is.

use super::{Formula, Kind, display, signed, tool};

/// What `podman stats` counts, by version. containers/common, pkg/cgroups/memory_linux.go: pull request 870
/// (podman 4.0) made it `anon` on cgroup v2, 1643 (4.7) the anonymous lists on v1, and 2455 (5.6) usage less
/// the inactive file list on both, as docker does.
pub const PODMAN_COUNTS: &str = "usage without inactive cache since 5.6, only anonymous memory from 4.0 (on \
                                 cgroup v1 from 4.7), all usage before";

/// `memory.usage_in_bytes` or `memory.current`: everything charged, page cache included.
///
/// On v1 the kernel rounds up by a per-CPU stock of up to 64 pages a CPU.
pub const USAGE: Formula = Formula {
    name: "usage",
    expression: "usage",
    kind: Kind::Used,
    used_by: "container_memory_usage_bytes, docker before 17.06, podman before 4.0 (4.7 on v1), nomad",
    eval: |view| signed(view.usage? as i128),
    tools: &[
        tool("container_memory_usage_bytes", display::metric),
        tool("docker stats (before 17.06)", display::human_iec_of_limit),
        tool(
            "podman stats (before 4.0; on v1 before 4.7)",
            display::human_si_of_limit,
        ),
        tool("nomad alloc status -stats (Usage)", display::humanize_iec),
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
    used_by: "container_memory_rss, many alert rules, podman 4.0 to 5.5 on v2, nomad",
    eval: |view| signed(view.rss? as i128),
    tools: &[
        tool("container_memory_rss", display::metric),
        tool(
            "podman stats (4.0 to 5.5 on v2)",
            display::human_si_of_limit,
        ),
        tool("nomad alloc status (Memory)", display::humanize_iec),
    ],
};
